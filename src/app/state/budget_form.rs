//! The budget as a form holds it: texts, as they were typed. They are parsed here for both sides; whether a time zone
//! exists only the server knows.

use crate::app::server_fns::error::AppError;
#[cfg(any(feature = "ssr", test))]
use crate::domain::budget::Budget;
use crate::domain::budget::{AtLimit, parse_limits};
use crate::domain::money::{NanoUsd, parse_cents};
use crate::domain::query::percent_encode;
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

/// Where a plain form ends up when it was saved.
pub const SAVED_HREF: &str = "/budgets?saved=1";

/// The fields' names, in the form, in the address and in the server function alike.
pub const LIMIT: &str = "limit";
pub const THRESHOLDS: [&str; 3] = ["threshold_1", "threshold_2", "threshold_3"];
pub const TIME_ZONE: &str = "time_zone";
pub const AT_LIMIT: &str = "at_limit";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetForm {
    /// Dollars: `100.00`.
    pub limit: String,
    /// Percent.
    pub thresholds: [String; 3],
    pub time_zone: String,
    /// `notify` or `block`.
    pub at_limit: String,
}

/// What is wrong with a form, and in which field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetFault {
    pub field: String,
    pub message: String,
}

impl BudgetForm {
    /// What was entered and sent back in the address; none where the address says nothing of it.
    pub fn from_params(params: &ParamsMap) -> Option<Self> {
        params.get_str(LIMIT)?;
        let text = |name: &str| params.get_str(name).unwrap_or_default().to_owned();
        Some(Self {
            limit: text(LIMIT),
            thresholds: THRESHOLDS.map(text),
            time_zone: text(TIME_ZONE),
            at_limit: text(AT_LIMIT),
        })
    }

    /// The page's address with all that was entered.
    pub fn to_href(&self) -> String {
        let [first, second, third] = &self.thresholds;
        let names = [LIMIT, THRESHOLDS[0], THRESHOLDS[1], THRESHOLDS[2], TIME_ZONE, AT_LIMIT];
        let values = [&self.limit, first, second, third, &self.time_zone, &self.at_limit];
        let pairs: Vec<String> =
            names.iter().zip(values).map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        format!("/budgets?{}", pairs.join("&"))
    }

    /// All checks but whether the time zone exists.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(NanoUsd, [u32; 3]), BudgetFault> {
        let (cents, thresholds) = self.numbers()?;
        let limits = parse_limits(cents, thresholds).map_err(|error| fault_of(error.field, error.message))?;
        if self.time_zone.trim().is_empty() {
            return Err(fault(TIME_ZONE, "must be named, such as Europe/Berlin"));
        }
        self.at_limit()?;
        Ok(limits)
    }

    fn at_limit(&self) -> Result<AtLimit, BudgetFault> {
        AtLimit::parse(self.at_limit.trim()).map_err(|error| fault(AT_LIMIT, error.message))
    }

    /// # Errors
    /// The first field that is wrong.
    #[cfg(any(feature = "ssr", test))]
    pub fn parse(&self) -> Result<Budget, BudgetFault> {
        self.check()?;
        let (cents, thresholds) = self.numbers()?;
        let parsed = Budget::parse(cents, thresholds, self.time_zone.trim());
        let budget = parsed.map_err(|error| fault_of(error.field, error.message))?;
        Ok(budget.with_at_limit(self.at_limit()?))
    }

    fn numbers(&self) -> Result<(i64, [i64; 3]), BudgetFault> {
        let cents = parse_cents(&self.limit).map_err(|error| fault(LIMIT, error.to_string()))?;
        let mut thresholds = [0; 3];
        for ((threshold, text), name) in thresholds.iter_mut().zip(&self.thresholds).zip(THRESHOLDS) {
            *threshold = parse_percent(text).ok_or_else(|| fault(name, "must be a whole number from 1 to 100"))?;
        }
        Ok((cents, thresholds))
    }
}

#[cfg(any(feature = "ssr", test))]
impl BudgetForm {
    pub fn of(budget: &Budget) -> Self {
        Self {
            limit: crate::domain::money::cents_to_text(budget.monthly_limit.to_cents()),
            thresholds: budget.thresholds.map(|percent| percent.to_string()),
            time_zone: budget.time_zone.clone(),
            at_limit: budget.at_limit.name().into(),
        }
    }
}

impl From<BudgetFault> for AppError {
    fn from(fault: BudgetFault) -> Self {
        Self::Invalid { field: fault.field, message: fault.message }
    }
}

impl BudgetFault {
    /// The field that the server found wrong; none where something else went wrong.
    pub fn of_error(error: &AppError) -> Option<Self> {
        match error {
            AppError::Invalid { field, message } => Some(Self { field: field.clone(), message: message.clone() }),
            _ => None,
        }
    }
}

/// `75`, or `75 %` as a person may write it.
fn parse_percent(text: &str) -> Option<i64> {
    let digits = text.trim().trim_end_matches('%').trim_end();
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// The domain names fields as the API does.
fn fault_of(api_field: &str, message: String) -> BudgetFault {
    match api_field {
        "monthlyLimitCents" => fault(LIMIT, "must be from $0.01 to $10,000,000.00"),
        "alertThreshold1" => fault(THRESHOLDS[0], message),
        "alertThreshold2" => fault(THRESHOLDS[1], message),
        "alertThreshold3" => fault(THRESHOLDS[2], message),
        _ => fault(TIME_ZONE, message),
    }
}

fn fault(field: &str, message: impl Into<String>) -> BudgetFault {
    BudgetFault { field: field.into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(limit: &str, thresholds: [&str; 3], time_zone: &str) -> BudgetForm {
        BudgetForm {
            limit: limit.into(),
            thresholds: thresholds.map(Into::into),
            time_zone: time_zone.into(),
            at_limit: "notify".into(),
        }
    }

    #[test]
    fn a_good_form_is_a_budget_and_shows_as_it_was() {
        let budget = form("$1,250.5", ["40", " 80 %", "95"], " Europe/Berlin ").parse().unwrap();
        assert_eq!(budget, Budget::parse(125_050, [40, 80, 95], "Europe/Berlin").unwrap());
        assert_eq!(BudgetForm::of(&budget), form("1250.50", ["40", "80", "95"], "Europe/Berlin"));
    }

    #[test]
    fn each_fault_is_told_at_its_own_field() {
        let good = ["50", "75", "90"];
        for (entered, field) in [
            (form("", good, "UTC"), "limit"),
            (form("12,50", good, "UTC"), "limit"),
            (form("0", good, "UTC"), "limit"),
            (form("10000000.01", good, "UTC"), "limit"),
            (form("1.005", good, "UTC"), "limit"),
            (form("100", ["0", "75", "90"], "UTC"), "threshold_1"),
            (form("100", ["half", "75", "90"], "UTC"), "threshold_1"),
            (form("100", ["50", "50", "90"], "UTC"), "threshold_2"),
            (form("100", ["50", "75", "101"], "UTC"), "threshold_3"),
            (form("100", ["50", "75", "89.5"], "UTC"), "threshold_3"),
            (form("100", good, " "), "time_zone"),
        ] {
            assert_eq!(entered.check().unwrap_err().field, field, "{entered:?}");
            assert_eq!(entered.parse().unwrap_err().field, field, "{entered:?}");
        }
    }

    #[test]
    fn what_happens_at_the_limit_is_one_of_two() {
        let entered =
            |at_limit: &str| BudgetForm { at_limit: at_limit.into(), ..form("100", ["50", "75", "90"], "UTC") };
        let budget = entered("block").parse().unwrap();
        assert_eq!(budget.at_limit, AtLimit::Block);
        assert_eq!(BudgetForm::of(&budget).at_limit, "block");
        for wrong in ["", "Block", "stop"] {
            assert_eq!(entered(wrong).check().unwrap_err().field, AT_LIMIT, "{wrong}");
        }
    }

    #[test]
    fn only_the_server_knows_which_zones_exist() {
        let mars = form("100", ["50", "75", "90"], "Mars/Olympus");
        assert!(mars.check().is_ok());
        assert_eq!(mars.parse().unwrap_err().field, TIME_ZONE);
    }

    #[test]
    fn what_was_entered_survives_the_address() {
        let entered = form("12,50 & more", ["5 %", "", "é"], "a=b#c");
        let href = entered.to_href();
        let (_, query) = href.split_once('?').unwrap();
        let mut params = ParamsMap::new();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            params.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(BudgetForm::from_params(&params), Some(entered));
        assert_eq!(BudgetForm::from_params(&ParamsMap::new()), None);
    }
}
