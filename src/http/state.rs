//! What every handler and server function can reach, and the clock that tests can set.

use super::auth::Access;
use super::auth::oidc::provider::Oidc;
use super::connections::ConnectionLimits;
use super::live::Listeners;
use crate::capture::gateway::Gateway;
use crate::capture::import::job::ImportJobs;
use crate::capture::recorder::{QUEUE_MAX_BYTES, Recorder, RecorderOptions};
use crate::config::{Config, OidcProvider};
use crate::domain::price::PriceBook;
use crate::ledger::{Ledger, LedgerError};
use crate::watch::notify::Notifier;
use crate::watch::notify::outbound::{AuthorityError, Outbound, read_authorities};
use axum::extract::FromRef;
use leptos::config::LeptosOptions;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone)]
pub struct AppState {
    pub ledger: Ledger,
    pub recorder: Recorder,
    /// Who is told when numbers move.
    pub listeners: Listeners,
    pub connection_limits: ConnectionLimits,
    pub prices: Arc<PriceBook>,
    pub config: Arc<Config>,
    pub clock: Clock,
    pub gateway: Gateway,
    /// Sends alerts to channels.
    pub notifier: Notifier,
    /// Who gets in, beside what the ledger says.
    pub access: Access,
    pub leptos_options: LeptosOptions,
    /// The import that runs in the background, if one does.
    pub imports: ImportJobs,
}

/// Opens the recorder that the configuration describes.
pub async fn open_recorder(
    config: &Config,
    ledger: &Ledger,
    prices: &Arc<PriceBook>,
    clock: &Clock,
) -> Result<Recorder, LedgerError> {
    let clock = clock.clone();
    let options = RecorderOptions {
        spool_path: config.spool_path(),
        spool_max_bytes: config.settings.recorder.spool_max_bytes,
        queue_max_bytes: QUEUE_MAX_BYTES,
        now_ms: Arc::new(move || clock.now_ms()),
    };
    Recorder::open(ledger.clone(), prices.clone(), options).await
}

/// Opens what sends alerts, as the configuration describes it.
///
/// # Errors
/// The certificates of `ca_file` cannot be used.
pub fn open_notifier(config: &Config) -> Result<Notifier, AuthorityError> {
    let outbound = outbound(config, config.settings.alerts.allow_private_addresses)?;
    Ok(Notifier::new(outbound, &config.dashboard_url()))
}

/// Opens the way to a provider that people may log in through. It may be on one's own network.
///
/// # Errors
/// As of [`open_notifier`].
pub fn open_oidc(config: &Config, provider: OidcProvider) -> Result<Oidc, AuthorityError> {
    Ok(Oidc::new(provider, outbound(config, true)?))
}

fn outbound(config: &Config, allow_private_addresses: bool) -> Result<Outbound, AuthorityError> {
    let ca_file = &config.settings.alerts.ca_file;
    let own = if ca_file.is_empty() { Vec::new() } else { read_authorities(Path::new(ca_file))? };
    Outbound::new(allow_private_addresses, own)
}

/// Where "now" comes from (invariant 10).
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    /// UTC milliseconds that a test sets.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now_ms` until it is set anew.
    pub fn fixed_at(now_ms: i64) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(now_ms)))
    }

    /// UTC milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
            }
            Self::Fixed(now_ms) => now_ms.load(Ordering::Relaxed),
        }
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.leptos_options.clone()
    }
}
