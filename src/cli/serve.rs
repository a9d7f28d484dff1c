//! `tollbridge serve`: the dashboard and the API, until SIGTERM or Ctrl-C.

mod housekeeping;

use super::{CommandError, open_ledger, price_book};
use crate::capture::gateway::Gateway;
use crate::capture::import::job::ImportJobs;
use crate::capture::recorder::Recorder;
use crate::config::Config;
use crate::domain::audit::Actor;
use crate::domain::price::{PriceBook, catalogue_day, catalogue_text};
use crate::http;
use crate::http::auth::Access;
use crate::http::connections::ConnectionLimits;
use crate::http::live::Listeners;
use crate::http::state::{AppState, Clock, open_notifier, open_oidc, open_recorder};
use crate::ledger::{Ledger, LedgerError, sqlite_path};
use crate::watch::{Watch, keep_telling_losses};
use std::future::Future;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A database server may be started after us, or come back more slowly. Clients that connect meanwhile wait too.
const DATABASE_WAITS: Duration = Duration::from_secs(60);
const DATABASE_TRIED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Files of our own: the databases, their logs and locks, the listener.
const OWN_FILES: u64 = 100;

pub async fn run(config: Config) -> Result<(), CommandError> {
    let limits = ConnectionLimits::default();
    if let Some(warning) = too_few_files(rlimit::increase_nofile_limit(u64::MAX), limits.connections) {
        tracing::warn!("{warning}");
    }
    let address = config.leptos.site_addr;
    // The address first: if another server has it, the ledger is not even opened.
    let listener = TcpListener::bind(address).await.map_err(|error| {
        CommandError::Failed(format!("cannot listen on {address}: {error}. LEPTOS_SITE_ADDR chooses another address."))
    })?;
    let bound = listener.local_addr().map_err(|error| CommandError::Failed(error.to_string()))?;
    let mut stop = Box::pin(stop_signal()?);
    let Some(ledger) = open_ledger_in_time(&config, &mut stop).await? else { return Ok(()) };
    // Held until the end: a second server on the same file is refused.
    let _lock = ledger.claim()?;
    let (prices, clock) = (price_book(&config), Clock::System);
    note_prices(&ledger, &prices, &config, &clock).await?;
    let recorder = open_recorder(&config, &ledger, &prices, &clock).await?;
    // Known from the start, so that calls pass even if the database goes away before the first one.
    ledger.has_keys(clock.now_ms()).await?;
    let has_password = ledger.needs_login(clock.now_ms()).await?;
    let no_authorities = |error| CommandError::Failed(format!("[alerts] ca_file: {error}"));
    let oidc = config.oidc.clone().map(|provider| open_oidc(&config, provider)).transpose().map_err(no_authorities)?;
    let access = Access::new(bound, config.public_url.clone()).with_oidc(oidc);
    let greeting = greeting(&access, bound, has_password, clock.now_ms());
    let gateway = gateway(&config, &ledger, &recorder)?;
    let notifier = open_notifier(&config).map_err(no_authorities)?;
    let sending = {
        let clock = clock.clone();
        tokio::spawn(notifier.clone().run(ledger.clone(), move || clock.now_ms()))
    };
    let watch = {
        let clock = clock.clone();
        Watch::start(ledger.clone(), move || clock.now_ms())
    };
    let telling = {
        let (recorder, clock) = (recorder.clone(), clock.clone());
        let spool_id = recorder.spool_id().to_owned();
        tokio::spawn(keep_telling_losses(ledger.clone(), spool_id, move || recorder.health(), move || clock.now_ms()))
    };
    let house = housekeeping::keep_house(
        ledger.clone(),
        config.spool_path(),
        clock.clone(),
        config.settings.retention.events_days,
    );
    let state = AppState {
        ledger,
        recorder,
        gateway,
        access,
        notifier,
        listeners: Listeners::default(),
        connection_limits: limits,
        prices,
        clock,
        leptos_options: config.leptos.clone(),
        imports: ImportJobs::default(),
        config: Arc::new(config),
    };
    println!("{greeting}");
    // Whoever started us may read this through a pipe. If it is closed, serving goes on.
    std::io::stdout().flush().ok();
    let house = tokio::spawn(house);
    let stop = async move {
        stop.await;
        watch.stop().await;
        // What it had begun is repeated at the next start.
        sending.abort();
        telling.abort();
    };
    let served = http::serve(listener, stop, state).await;
    house.abort();
    served.map_err(|error| CommandError::Failed(error.to_string()))
}

/// None where it was told to stop before there was a ledger.
async fn open_ledger_in_time(
    config: &Config,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Option<Ledger>, CommandError> {
    // A file that cannot be opened does not come by itself.
    let may_come = sqlite_path(config.database_url().reveal()).is_none();
    let give_up_at = Instant::now() + DATABASE_WAITS;
    loop {
        let opened = tokio::select! {
            opened = open_ledger(config) => opened,
            () = &mut *stop => return Ok(None),
        };
        match opened {
            Err(CommandError::Ledger(LedgerError::Unavailable(cause))) if may_come && Instant::now() < give_up_at => {
                tracing::warn!(cause, "the database cannot be reached; Tollbridge waits for it");
            }
            opened => return opened.map(Some),
        }
        tokio::time::sleep(DATABASE_TRIED_AGAIN_AFTER).await;
    }
}

/// Prices are changed in the configuration or with a new version, so a start is when it shows.
async fn note_prices(ledger: &Ledger, prices: &PriceBook, config: &Config, clock: &Clock) -> Result<(), CommandError> {
    let own = &config.settings.prices.card;
    let cards = format!("{}{}", catalogue_text(), serde_json::json!(own));
    let day = catalogue_day().map_or_else(|| "an unknown day".into(), |day| day.to_string());
    let detail = format!("{} cards, {} of them your own; the catalogue is of {day}", prices.len(), own.len());
    ledger.note_prices(&cards, &detail, &Actor::server(), clock.now_ms()).await?;
    Ok(())
}

fn gateway(config: &Config, ledger: &Ledger, recorder: &Recorder) -> Result<Gateway, CommandError> {
    let opened = Gateway::new(config.gateway_options(), ledger.clone(), recorder.clone());
    opened.map_err(|error| CommandError::Failed(format!("TLS cannot be used: {error}")))
}

/// Where the dashboard is. On a server that others can reach and whose owner has no password nothing is served but the page
/// where one is set: then it is the link to that.
fn greeting(access: &Access, bound: SocketAddr, has_password: bool, now_ms: i64) -> String {
    let base = match access.public_url() {
        Some(url) => url.to_string(),
        None => format!("http://{}", reachable(bound)),
    };
    if !access.is_exposed() || has_password {
        return format!("Tollbridge is at {base}");
    }
    let token = access.setup().open(now_ms);
    format!(
        "Other machines can reach Tollbridge here, and its owner has no password yet. Until one is set, nothing is served.\n\
         Set it within 15 minutes, once, at {base}/setup?token={}\n\
         or at any time with: tollbridge users set-password",
        token.reveal()
    )
}

/// An address to open in a browser: one that stands for all interfaces is reached through loopback.
fn reachable(bound: SocketAddr) -> SocketAddr {
    match bound.ip() {
        ip if ip.is_unspecified() => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), bound.port()),
        _ => bound,
    }
}

/// A client's connection is one open file, and one more while it waits for the provider. Says so where the system allows
/// fewer than that takes: connections beyond are not refused, they wait.
fn too_few_files(allowed: io::Result<u64>, connections: usize) -> Option<String> {
    let needed = 2 * connections as u64 + OWN_FILES;
    match allowed {
        Ok(allowed) if allowed >= needed => None,
        Ok(allowed) => Some(format!(
            "the system allows {allowed} open files, and {connections} connections may need {needed}: \
             raise the hard limit (ulimit -Hn, LimitNOFILE of a systemd unit)"
        )),
        Err(error) => Some(format!("how many open files the system allows cannot be seen: {error}")),
    }
}

fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, CommandError> {
    let failed = |error: std::io::Error| CommandError::Failed(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PublicUrl;

    const NOW_MS: i64 = 1_795_512_600_000;

    #[test]
    fn too_few_open_files_are_told_with_what_is_needed() {
        assert_eq!(too_few_files(Ok(20_100), 10_000), None);
        let warning = too_few_files(Ok(20_099), 10_000).unwrap();
        assert!(warning.contains("allows 20099") && warning.contains("need 20100"), "{warning}");
        assert!(too_few_files(Err(io::ErrorKind::PermissionDenied.into()), 1).is_some());
    }

    #[test]
    fn a_server_that_others_can_reach_asks_for_a_password_first() {
        let public = PublicUrl::parse("https://tolls.example.org").unwrap();
        for (bound, public_url, link) in [
            ("0.0.0.0:3000", None, "http://127.0.0.1:3000/setup?token="),
            ("[::]:3000", None, "http://127.0.0.1:3000/setup?token="),
            ("127.0.0.1:3000", Some(public.clone()), "https://tolls.example.org/setup?token="),
        ] {
            let bound: SocketAddr = bound.parse().unwrap();
            let access = Access::new(bound, public_url);
            let told = greeting(&access, bound, false, NOW_MS);
            assert!(told.contains(link) && told.contains("tollbridge users set-password"), "{told}");
            let told = greeting(&access, bound, true, NOW_MS);
            assert!(told.starts_with("Tollbridge is at http") && !told.contains("token"), "{told}");
        }
        for local in ["127.0.0.1:3000", "127.9.9.9:1", "[::1]:3000"] {
            let bound: SocketAddr = local.parse().unwrap();
            let told = greeting(&Access::new(bound, None), bound, false, NOW_MS);
            assert_eq!(told, format!("Tollbridge is at http://{local}"));
        }
    }
}
