//! Serving on a listener of its own: what stopping does to requests that never end.

use super::server::TestServer;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

#[tokio::test]
async fn a_request_that_never_ends_is_cut_off_after_the_grace_time() {
    let server = TestServer::start().await;
    let mut state = server.state.clone();
    let mut config = (*state.config).clone();
    config.settings.server.stop_grace_s = 1;
    state.config = Arc::new(config);
    let ledger = state.ledger.clone();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { stopped.await.unwrap() };
    let serving = tokio::spawn(tollbridge::http::serve(listener, shutdown, state));

    let mut stuck = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/analytics/usage HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n"
    );
    stuck.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;

    let asked_to_stop = Instant::now();
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    let took = asked_to_stop.elapsed();
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
    assert!(ledger.ping().await.is_err(), "the ledger is closed at the end");
}
