//! `tollbridge serve`: the dashboard and the API, until SIGTERM or Ctrl-C.

mod housekeeping;

use super::{CommandError, open_ledger, price_book};
use crate::capture::gateway::{Gateway, GatewayLimits, GatewayOptions};
use crate::capture::import::job::ImportJobs;
use crate::capture::recorder::Recorder;
use crate::config::Config;
use crate::http;
use crate::http::connections::ConnectionLimits;
use crate::http::live::Listeners;
use crate::http::state::{AppState, Clock, open_notifier, open_recorder};
use crate::ledger::Ledger;
use crate::watch::Watch;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Files of our own: the databases, their logs and locks, the listener.
const OWN_FILES: u64 = 100;

pub async fn run(config: Config) -> Result<(), CommandError> {
    let limits = ConnectionLimits::default();
    if let Some(warning) = too_few_files(rlimit::increase_nofile_limit(u64::MAX), limits.connections) {
        tracing::warn!("{warning}");
    }
    let address = config.leptos.site_addr;
    refuse_other_machines(address)?;
    // The address first: if another server has it, the ledger is not even opened.
    let listener = TcpListener::bind(address).await.map_err(|error| {
        CommandError::Failed(format!("cannot listen on {address}: {error}. LEPTOS_SITE_ADDR chooses another address."))
    })?;
    let bound = listener.local_addr().map_err(|error| CommandError::Failed(error.to_string()))?;
    let stop = stop_signal()?;
    let ledger = open_ledger(&config).await?;
    // Held until the end: a second server on the same file is refused.
    let _lock = ledger.claim()?;
    let (prices, clock) = (price_book(&config)?, Clock::System);
    let recorder = open_recorder(&config, &ledger, &prices, &clock).await?;
    // Known from the start, so that calls pass even if the database goes away before the first one.
    ledger.has_keys(clock.now_ms()).await?;
    let gateway = gateway(&config, &ledger, &recorder)?;
    let notifier =
        open_notifier(&config).map_err(|error| CommandError::Failed(format!("TLS cannot be used: {error}")))?;
    let sending = {
        let clock = clock.clone();
        tokio::spawn(notifier.clone().run(ledger.clone(), move || clock.now_ms()))
    };
    let watch = {
        let clock = clock.clone();
        Watch::start(ledger.clone(), move || clock.now_ms())
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
        notifier,
        listeners: Listeners::default(),
        connection_limits: limits,
        prices,
        clock,
        leptos_options: config.leptos.clone(),
        imports: ImportJobs::default(),
        config: Arc::new(config),
    };
    println!("Tollbridge is at http://{bound}");
    // Whoever started us may read this through a pipe. If it is closed, serving goes on.
    std::io::stdout().flush().ok();
    let house = tokio::spawn(house);
    let stop = async move {
        stop.await;
        watch.stop().await;
        // What it had begun is repeated at the next start.
        sending.abort();
    };
    let served = http::serve(listener, stop, state).await;
    house.abort();
    served.map_err(|error| CommandError::Failed(error.to_string()))
}

fn gateway(config: &Config, ledger: &Ledger, recorder: &Recorder) -> Result<Gateway, CommandError> {
    let options = GatewayOptions {
        upstream: config.upstream()?,
        provider_key: config.provider_key.clone(),
        limits: GatewayLimits::default(),
    };
    let opened = Gateway::new(options, ledger.clone(), recorder.clone());
    opened.map_err(|error| CommandError::Failed(format!("TLS cannot be used: {error}")))
}

/// Without accounts everyone who reaches the server is its owner, so only this machine may reach it.
fn refuse_other_machines(address: SocketAddr) -> Result<(), CommandError> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(CommandError::Failed(format!(
        "Tollbridge has no accounts yet, so it listens on this machine only: {address} is not a loopback address. \
         Set site-addr (LEPTOS_SITE_ADDR) to 127.0.0.1:{}.",
        address.port()
    )))
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

    #[test]
    fn too_few_open_files_are_told_with_what_is_needed() {
        assert_eq!(too_few_files(Ok(20_100), 10_000), None);
        let warning = too_few_files(Ok(20_099), 10_000).unwrap();
        assert!(warning.contains("allows 20099") && warning.contains("need 20100"), "{warning}");
        assert!(too_few_files(Err(io::ErrorKind::PermissionDenied.into()), 1).is_some());
    }

    #[test]
    fn only_loopback_addresses_are_served() {
        for ours in ["127.0.0.1:3000", "127.9.9.9:1", "[::1]:3000"] {
            assert!(refuse_other_machines(ours.parse().unwrap()).is_ok(), "{ours}");
        }
        for open in ["0.0.0.0:3000", "[::]:3000", "192.168.1.5:3000", "[::ffff:10.0.0.1]:3000"] {
            let sentence = refuse_other_machines(open.parse().unwrap()).unwrap_err().to_string();
            assert!(sentence.contains("loopback"), "{sentence}");
        }
    }
}
