//! The tables of `Leptos.toml` that are ours, as they are written there. What they mean is checked in the module above.

use super::{ConfigError, DatabaseUrl, OidcSettings, OwnPrice, environment};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Our own tables of `Leptos.toml`. The comments there are the reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub server: ServerSettings,
    pub database: DatabaseSettings,
    pub gateway: GatewaySettings,
    pub recorder: RecorderSettings,
    pub alerts: AlertSettings,
    pub oidc: OidcSettings,
    pub retention: RetentionSettings,
    pub prices: PriceSettings,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSettings {
    pub data_dir: PathBuf,
    pub public_url: String,
    pub time_zone: String,
    pub stop_grace_s: u64,
    pub log: String,
    pub log_format: LogFormat,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    pub url: DatabaseUrl,
}

/// What the gateway stands in front of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewaySettings {
    pub upstream_url: String,
    /// Dollars as decimal text; empty: no breaker.
    pub breaker_usd_per_minute: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecorderSettings {
    pub spool_max_bytes: u64,
}

/// How alerts leave the house.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    pub allow_private_addresses: bool,
    /// A PEM file of authorities that receivers' certificates may come from too; empty: the public ones alone.
    pub ca_file: String,
}

/// How long raw events are kept. Their sums are kept for good.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionSettings {
    /// 0: for good.
    pub events_days: u32,
}

/// The user's own prices.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceSettings {
    pub card: Vec<OwnPrice>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            public_url: String::new(),
            time_zone: String::new(),
            stop_grace_s: 30,
            log: "info".into(),
            log_format: LogFormat::Text,
        }
    }
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self { upstream_url: "https://api.anthropic.com".into(), breaker_usd_per_minute: String::new() }
    }
}

impl Default for RecorderSettings {
    fn default() -> Self {
        Self { spool_max_bytes: 1024 * 1024 * 1024 }
    }
}

impl Settings {
    /// What the file `text` and the environment variables `env` say of our tables.
    pub(super) fn from_text(text: &str, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let invalid = |message: String| ConfigError::Invalid { origin: String::new(), message };
        let mut tables: toml::Table = text.parse().map_err(|error: toml::de::Error| invalid(error.to_string()))?;
        // Cargo's own tables are Leptos' business.
        tables.remove("package");
        for (name, value) in env {
            environment::overlay(&mut tables, &name, value)?;
        }
        tables.try_into().map_err(|error: toml::de::Error| invalid(error.to_string().trim_end().to_owned()))
    }
}
