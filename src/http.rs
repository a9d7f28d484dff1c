//! The web server: routes, guards, the analytics API and the dashboard's pages. It puts capture, ledger and app
//! together; the rules are in `domain`, the SQL in `ledger`, the markup in `app`.

pub mod api;
pub mod auth;
pub mod body;
pub mod error;
pub mod gateway;
pub mod guard;
pub mod headers;
pub mod health;
pub mod live;
pub mod request_id;
pub mod router;
pub mod state;

use self::guard::AllowedHosts;
use self::state::AppState;
use axum::serve::ListenerExt;
use std::future::Future;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Serves on `listener` until `shutdown` is done, then lets running requests finish for the configured grace time and
/// closes the recorder and the ledger.
pub async fn serve(
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
    state: AppState,
) -> io::Result<()> {
    let hosts = AllowedHosts::of_loopback(listener.local_addr()?.port());
    let grace = Duration::from_secs(state.config.settings.server.stop_grace_s);
    let (ledger, recorder, listeners) = (state.ledger.clone(), state.recorder.clone(), state.listeners.clone());
    let (stop, mut stopped) = watch::channel(false);
    // Pieces of a stream are small and must not wait to be sent together.
    let listener = listener.tap_io(|connection| {
        connection.set_nodelay(true).ok();
    });
    let server = axum::serve(listener, router::router(state, hosts)).with_graceful_shutdown(async move {
        shutdown.await;
        tracing::info!("stopping: running requests may finish");
        // They would never finish.
        listeners.dismiss();
        stop.send_replace(true);
    });
    let out_of_patience = async move {
        // An error means that the server ended by itself, and then nobody waits here.
        if stopped.wait_for(|is_stopped| *is_stopped).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(grace).await;
    };
    let result = tokio::select! {
        result = server => result,
        () = out_of_patience => {
            tracing::warn!(grace_s = grace.as_secs(), "some requests did not finish in time and were cut off");
            Ok(())
        }
    };
    recorder.close().await;
    ledger.close().await;
    result
}
