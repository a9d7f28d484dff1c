//! Which alerts the page shows: its address says so.

use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertShow {
    /// Those that nobody has acknowledged.
    #[default]
    Open,
    All,
    Budgets,
    Anomalies,
}

/// All that the page's address says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertsAddress {
    pub show: AlertShow,
    /// Where the page of older alerts begins.
    pub after: Option<String>,
}

impl AlertShow {
    pub const ALL: [Self; 4] = [Self::Open, Self::All, Self::Budgets, Self::Anomalies];

    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::All => "all",
            Self::Budgets => "budgets",
            Self::Anomalies => "anomalies",
        }
    }

    /// An unknown name is the default: it is no reason to refuse a page.
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|show| show.name() == name).unwrap_or_default()
    }

    pub fn href(self) -> String {
        match self {
            Self::Open => "/alerts".into(),
            _ => format!("/alerts?show={}", self.name()),
        }
    }
}

impl AlertsAddress {
    pub fn from_params(params: &ParamsMap) -> Self {
        Self {
            show: params.get_str("show").map(AlertShow::parse).unwrap_or_default(),
            after: params.get("after").filter(|after| !after.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        for show in AlertShow::ALL {
            let mut params = ParamsMap::new();
            if let Some((_, value)) = show.href().split_once("show=") {
                params.insert("show", value.to_owned());
            }
            assert_eq!(AlertsAddress::from_params(&params), AlertsAddress { show, after: None });
        }
        assert_eq!(AlertShow::parse("colour"), AlertShow::Open);
    }
}
