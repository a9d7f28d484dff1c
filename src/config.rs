//! The configuration in force: the defaults of `Leptos.toml`, then the user's file, then the environment.
//!
//! Policy: everything works with no file at all. An unknown key in one of our tables is an error that names it, because
//! a misspelt setting that is silently ignored is worse than one that stops the start. The first table of the file is
//! Leptos' own and is read by leptos_config.

use crate::capture::gateway::{
    BreakerOptions, GatewayLimits, GatewayOptions, ProviderKey, UpstreamUrl, UpstreamUrlError,
};
use crate::domain::money::{NanoUsd, parse_cents};
use crate::domain::period::Zone;
use crate::domain::price::PriceCard;
use leptos::config::LeptosOptions;
use leptos::config::errors::LeptosConfigError;
use std::path::{Path, PathBuf};

pub use database_url::DatabaseUrl;
pub use oidc::{CALLBACK_PATH, OidcError, OidcProvider, OidcSettings, check_provider_url};
pub use prices::{OwnPrice, OwnPriceError};
pub use public_url::{PublicUrl, PublicUrlError};
pub use settings::{LogFormat, Settings};

mod database_url;
mod environment;
mod oidc;
mod prices;
mod public_url;
mod settings;

/// The reference configuration, compiled in, so that the binary runs from any folder.
const REFERENCE: &str = include_str!("../Leptos.toml");
const FILE_NAME: &str = "Leptos.toml";
/// What is older is not taken any more, and the results of a batch can be fetched for 29 days.
const LEAST_EVENTS_DAYS: u32 = 35;
const PROVIDER_KEY: &str = "ANTHROPIC_API_KEY";

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub leptos: LeptosOptions,
    /// As they were written. What needs more than a look to be understood stands in the fields below.
    pub settings: Settings,
    /// In which days and months are cut.
    pub zone: Zone,
    /// The address under which other machines reach the server, if they are to.
    pub public_url: Option<PublicUrl>,
    /// The provider that people may log in through, if one is set.
    pub oidc: Option<OidcProvider>,
    /// Where the gateway passes calls on to.
    pub upstream: UpstreamUrl,
    /// When the gateway pauses a session; none: never.
    pub breaker: Option<BreakerOptions>,
    /// The user's own prices.
    pub own_cards: Vec<PriceCard>,
    /// `ANTHROPIC_API_KEY`: what the provider is asked with for clients that bring no key of their own. Only ever in the
    /// environment, so that it ends up in no file.
    pub provider_key: Option<ProviderKey>,
    /// The file that was read; `None` if the defaults are in force.
    pub file: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file {} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{origin}: {message}")]
    Invalid { origin: String, message: String },
    #[error("{name} is not a setting: {message}")]
    Environment { name: String, message: String },
    #[error("{origin}: the table [package.metadata.leptos] cannot be used: {source}")]
    Leptos { origin: String, source: LeptosConfigError },
    #[error("[server] time_zone: {0}")]
    TimeZone(String),
    #[error("[server] public_url: {0}")]
    PublicUrl(#[from] PublicUrlError),
    #[error("[oidc] {0}")]
    Oidc(#[from] OidcError),
    #[error("[gateway] upstream_url: {0}")]
    UpstreamUrl(#[from] UpstreamUrlError),
    #[error("[gateway] breaker_usd_per_minute: {0}")]
    Breaker(String),
    #[error(
        "[retention] events_days: {0} is too few; 0 keeps events for good, and otherwise {LEAST_EVENTS_DAYS} days are the least"
    )]
    Retention(u32),
    #[error("[[prices.card]] {0}")]
    Price(#[from] OwnPriceError),
}

impl Config {
    /// Reads the file (`path`, or `Leptos.toml` in the working folder if it is there), then the environment.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let found = path.map(Path::to_path_buf).or_else(|| Some(PathBuf::from(FILE_NAME)).filter(|file| file.exists()));
        let text = match &found {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.clone(), source })?
            }
            None => REFERENCE.to_owned(),
        };
        Self::from_text(
            &text,
            found,
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// The configuration that `text` and the environment variables `env` make. Leptos' own table also heeds the
    /// process's `LEPTOS_` variables.
    pub fn from_text(
        text: &str,
        file: Option<PathBuf>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let origin =
            file.as_ref().map_or_else(|| "the built-in configuration".into(), |path| path.display().to_string());
        let leptos = leptos::config::get_config_from_str(text)
            .map_err(|source| ConfigError::Leptos { origin: origin.clone(), source })?;
        let env: Vec<(String, String)> = env.into_iter().collect();
        let provider_key = env.iter().find(|(name, _)| name == PROVIDER_KEY);
        let provider_key = provider_key.and_then(|(_, key)| ProviderKey::new(key));
        let settings = Settings::from_text(text, env).map_err(|error| match error {
            ConfigError::Invalid { message, .. } => ConfigError::Invalid { origin, message },
            other => other,
        })?;
        if (1..LEAST_EVENTS_DAYS).contains(&settings.retention.events_days) {
            return Err(ConfigError::Retention(settings.retention.events_days));
        }
        let public_url = public_url(&settings)?;
        let own_cards: Result<Vec<_>, _> = settings.prices.card.iter().map(OwnPrice::to_price_card).collect();
        Ok(Self {
            zone: zone(&settings)?,
            oidc: settings.oidc.provider(public_url.as_ref(), leptos.site_addr)?,
            upstream: UpstreamUrl::parse(&settings.gateway.upstream_url)?,
            breaker: breaker(&settings, dashboard_url(public_url.as_ref(), &leptos))?,
            own_cards: own_cards?,
            public_url,
            leptos,
            settings,
            provider_key,
            file,
        })
    }

    /// How the gateway is set.
    pub fn gateway_options(&self) -> GatewayOptions {
        GatewayOptions {
            upstream: self.upstream.clone(),
            provider_key: self.provider_key.clone(),
            public_host: self.public_url.as_ref().map(|url| url.authority().to_owned()),
            limits: GatewayLimits::default(),
            breaker: self.breaker.clone(),
        }
    }

    /// Where links in alerts lead, without a slash at its end: the public address, or the one that is listened on.
    pub fn dashboard_url(&self) -> String {
        dashboard_url(self.public_url.as_ref(), &self.leptos)
    }

    /// The ledger's address: what is set, or the SQLite file in the data folder.
    pub fn database_url(&self) -> DatabaseUrl {
        let set = &self.settings.database.url;
        if set.is_empty() {
            DatabaseUrl::new(format!("sqlite:{}", self.settings.server.data_dir.join("tollbridge.db").display()))
        } else {
            set.clone()
        }
    }

    /// Where calls wait for the ledger: always on this machine, also where the ledger is not.
    pub fn spool_path(&self) -> PathBuf {
        self.settings.server.data_dir.join("spool.db")
    }

    /// What is in force, as the file would say it, with secrets hidden.
    pub fn to_shown_toml(&self) -> String {
        let mut shown = self.settings.clone();
        shown.database.url = DatabaseUrl::new(self.database_url().to_string());
        shown.server.time_zone = self.zone.name().to_owned();
        let ours = toml::to_string_pretty(&shown).unwrap_or_else(|error| format!("# {error}\n"));
        let leptos = &self.leptos;
        format!(
            "[package.metadata.leptos]\noutput-name = {:?}\nsite-root = {:?}\nsite-pkg-dir = {:?}\nsite-addr = \"{}\"\n\n{ours}",
            &*leptos.output_name, &*leptos.site_root, &*leptos.site_pkg_dir, leptos.site_addr,
        )
    }
}

fn zone(settings: &Settings) -> Result<Zone, ConfigError> {
    let chosen = settings.server.time_zone.trim();
    if !chosen.is_empty() {
        return Zone::parse(chosen).map_err(|error| ConfigError::TimeZone(error.message));
    }
    let of_machine = iana_time_zone::get_timezone().ok().and_then(|name| Zone::parse(&name).ok());
    Ok(of_machine.unwrap_or(Zone::UTC))
}

fn public_url(settings: &Settings) -> Result<Option<PublicUrl>, ConfigError> {
    match settings.server.public_url.trim() {
        "" => Ok(None),
        text => Ok(Some(PublicUrl::parse(text)?)),
    }
}

fn dashboard_url(public_url: Option<&PublicUrl>, leptos: &LeptosOptions) -> String {
    public_url.map_or_else(|| format!("http://{}", leptos.site_addr), PublicUrl::to_string)
}

fn breaker(settings: &Settings, dashboard_url: String) -> Result<Option<BreakerOptions>, ConfigError> {
    let text = settings.gateway.breaker_usd_per_minute.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let cents = parse_cents(text).map_err(|error| ConfigError::Breaker(error.to_string()))?;
    let limit = NanoUsd::from_cents(cents).filter(|limit| *limit > NanoUsd::ZERO);
    let limit_per_minute = limit.ok_or_else(|| ConfigError::Breaker("must be at least 0.01; empty is off".into()))?;
    Ok(Some(BreakerOptions { limit_per_minute, dashboard_url }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults with one setting from the environment.
    fn config(name: &str, value: &str) -> Result<Config, ConfigError> {
        Config::from_text(REFERENCE, None, [(name.to_owned(), value.to_owned())])
    }

    fn settings(text: &str, env: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        Settings::from_text(text, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_reference_file_says_the_defaults() {
        assert_eq!(settings(REFERENCE, &[]).unwrap(), Settings::default());
    }

    #[test]
    fn the_shared_keys_agree_with_cargo_toml() {
        let leptos_table = |text: &str| {
            let tables: toml::Table = text.parse().unwrap();
            tables["package"]["metadata"]["leptos"].as_table().unwrap().clone()
        };
        let cargo = leptos_table(include_str!("../Cargo.toml"));
        let runtime = leptos_table(REFERENCE);
        for (key, value) in &runtime {
            assert_eq!(Some(value), cargo.get(key), "{key} differs between Leptos.toml and Cargo.toml");
        }
        assert!(runtime.len() >= 6);
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let file = "[server]\ntime_zone = \"Asia/Tokyo\"\nstop_grace_s = 5";
        let found =
            settings(file, &[("TOLLBRIDGE_SERVER__STOP_GRACE_S", "7"), ("DATABASE_URL", "sqlite:x.db")]).unwrap();
        assert_eq!(found.server.stop_grace_s, 7);
        assert_eq!(found.server.time_zone, "Asia/Tokyo");
        assert_eq!(found.database.url.reveal(), "sqlite:x.db");
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let in_file = settings("[server]\ntimezone = \"UTC\"", &[]).unwrap_err().to_string();
        assert!(in_file.contains("timezone"), "{in_file}");
        let table = settings("[sever]\nlog = \"x\"", &[]).unwrap_err().to_string();
        assert!(table.contains("sever"), "{table}");
        let in_env = settings("", &[("TOLLBRIDGE_SERVER__TIMEZONE", "UTC")]).unwrap_err().to_string();
        assert!(in_env.contains("TOLLBRIDGE_SERVER__TIMEZONE"), "{in_env}");
        let not_a_number = settings("", &[("TOLLBRIDGE_SERVER__STOP_GRACE_S", "soon")]).unwrap_err().to_string();
        assert!(not_a_number.contains("whole number"), "{not_a_number}");
    }

    #[test]
    fn variables_without_a_table_are_not_settings() {
        assert_eq!(settings("", &[("TOLLBRIDGE_CACHE", "/x"), ("PATH", "/bin")]).unwrap(), Settings::default());
    }

    #[test]
    fn events_are_kept_for_good_or_long_enough() {
        let with = |days: &str| config("TOLLBRIDGE_RETENTION__EVENTS_DAYS", days);
        assert_eq!(with("0").unwrap().settings.retention.events_days, 0);
        assert_eq!(with("35").unwrap().settings.retention.events_days, 35);
        let refused = with("34").unwrap_err().to_string();
        assert!(refused.contains("[retention] events_days: 34") && refused.contains("35 days"), "{refused}");
    }

    #[test]
    fn a_wrong_zone_stops_the_start() {
        let text = REFERENCE.replace("time_zone = \"\"", "time_zone = \"Mars/Olympus\"");
        let error = Config::from_text(&text, None, []).unwrap_err().to_string();
        assert!(error.starts_with("[server] time_zone"), "{error}");
    }

    #[test]
    fn the_upstream_is_encrypted_or_on_this_machine() {
        let with = |url: &str| config("TOLLBRIDGE_GATEWAY__UPSTREAM_URL", url);
        assert_eq!(with("http://127.0.0.1:9/").unwrap().upstream.to_string(), "http://127.0.0.1:9");
        let error = with("http://api.anthropic.com").unwrap_err().to_string();
        assert!(error.starts_with("[gateway] upstream_url"), "{error}");
    }

    #[test]
    fn the_breaker_is_off_unless_an_amount_is_set() {
        let breaker = |amount: &str| Ok(config("TOLLBRIDGE_GATEWAY__BREAKER_USD_PER_MINUTE", amount)?.breaker);
        assert_eq!(breaker("").unwrap(), None);
        assert_eq!(breaker("2.50").unwrap().unwrap().limit_per_minute, NanoUsd(2_500_000_000));
        for wrong in ["0", "-1", "five", "2,5", "0.001", "1e3"] {
            let error = breaker(wrong).map_err(|error: ConfigError| error.to_string()).unwrap_err();
            assert!(error.starts_with("[gateway] breaker_usd_per_minute: must "), "{wrong}: {error}");
        }
        let number = settings("[gateway]\nbreaker_usd_per_minute = 5", &[]).unwrap_err().to_string();
        assert!(number.contains("breaker_usd_per_minute") && number.contains("expected a string"), "{number}");
    }

    #[test]
    fn a_public_address_is_encrypted_and_links_in_alerts_lead_there() {
        let with = |url: &str| config("TOLLBRIDGE_SERVER__PUBLIC_URL", url);
        let public = with("https://tolls.example.org/").unwrap();
        assert_eq!(public.public_url.as_ref().unwrap().authority(), "tolls.example.org");
        assert_eq!(public.dashboard_url(), "https://tolls.example.org");
        assert_eq!(with("").unwrap().dashboard_url(), "http://127.0.0.1:3000");
        let error = with("http://tolls.example.org").unwrap_err().to_string();
        assert!(error.starts_with("[server] public_url: must begin with https://"), "{error}");
    }

    #[test]
    fn private_addresses_are_allowed_in_the_file_or_in_the_environment() {
        let name = "TOLLBRIDGE_ALERTS__ALLOW_PRIVATE_ADDRESSES";
        assert!(!settings(REFERENCE, &[]).unwrap().alerts.allow_private_addresses);
        assert!(settings("", &[(name, "true")]).unwrap().alerts.allow_private_addresses);
        let error = settings("", &[(name, "yes")]).unwrap_err().to_string();
        assert!(error.contains("true or false"), "{error}");
    }

    #[test]
    fn the_provider_key_comes_from_the_environment_and_is_never_shown() {
        let config = config(PROVIDER_KEY, "sk-ant-s3cret").unwrap();
        assert!(config.provider_key.is_some());
        assert!(!format!("{config:?}{}", config.to_shown_toml()).contains("s3cret"));
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        let text = REFERENCE.replace("\nurl = \"\"", "\nurl = \"postgres://me:s3cret@host/db\"");
        let config = Config::from_text(&text, None, []).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
        assert!(!config.to_shown_toml().contains("s3cret"));
        assert!(config.to_shown_toml().contains("postgres://me:***@host/db"));
    }
}
