//! The web server: routes, guards, the analytics API and the dashboard's pages. It puts capture, ledger and app
//! together; the rules are in `domain`, the SQL in `ledger`, the markup in `app`.

pub mod api;
pub mod auth;
pub mod body;
pub mod connections;
pub mod error;
pub mod front;
pub mod gateway;
pub mod guard;
pub mod headers;
pub mod health;
pub mod live;
pub mod request_id;
pub mod router;
pub mod state;
pub mod system;

use self::connections::serve_connections;
use self::front::Front;
use self::guard::AllowedHosts;
use self::state::AppState;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;

/// Serves on `listener` until `shutdown` is done, then lets running requests finish for the configured grace time and
/// closes the recorder and the ledger.
pub async fn serve(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
    state: AppState,
) -> io::Result<()> {
    let hosts = AllowedHosts::of_loopback(listener.local_addr()?.port()).and(state.access.public_url());
    let grace = Duration::from_secs(state.config.settings.server.stop_grace_s);
    let (ledger, recorder, listeners) = (state.ledger.clone(), state.recorder.clone(), state.listeners.clone());
    let limits = state.connection_limits;
    let stop = async move {
        shutdown.await;
        tracing::info!("stopping: running requests may finish");
        // They would never finish.
        listeners.dismiss();
    };
    let telling = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.tell_of_others().await }
    });
    let front = Front::new(state, hosts);
    let cut_off = serve_connections(listener, &front, limits, stop, grace).await?;
    if cut_off > 0 {
        tracing::warn!(grace_s = grace.as_secs(), cut_off, "some requests did not finish in time and were cut off");
    }
    telling.abort();
    recorder.close().await;
    ledger.close().await;
    Ok(())
}
