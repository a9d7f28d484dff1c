//! What is told of the recorder while its ledger is out of reach.

use super::answers::{MESSAGE, REQUEST};
use super::fake_provider::{FakeProvider, Step, json_answer};
use super::gateway_server::{GatewayServer, Setup, read_answer};
use serde_json::Value;
use sqlx::Connection;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// What the card in the Settings says, by name: the value, what is said of it, and its level.
pub async fn figures(server: &GatewayServer) -> HashMap<String, String> {
    let path = leptos::server_fn::axum::server_fn_paths().map(|(path, _)| path).find(|path| is_function(path));
    let answer = server.post(path.unwrap(), &[("sec-fetch-site", "same-origin")], "{}").await;
    let card: Value = serde_json::from_str(&answer.text()).unwrap();
    let figures = card["figures"].as_array().unwrap_or_else(|| panic!("{card}")).iter();
    let text = |figure: &Value, key: &str| figure[key].as_str().unwrap_or_default().to_owned();
    let words = |figure: &Value| {
        let words = ["value", "remark", "level"].map(|key| text(figure, key));
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(", ")
    };
    figures.map(|figure| (text(figure, "name"), words(figure))).collect()
}

fn is_function(path: &str) -> bool {
    path.trim_end_matches(|c: char| c.is_ascii_digit()) == "/_fn/get_recorder"
}

#[tokio::test]
async fn what_waits_for_a_held_ledger_is_told_with_how_long_it_waits() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut other = sqlx::SqliteConnection::connect(&server.database_url).await.unwrap();
    sqlx::query("begin immediate").execute(&mut other).await.unwrap();
    for _ in 0..3 {
        assert_eq!(server.post("/v1/messages", &[], REQUEST).await.status, 200);
    }
    until(|| server.recorder.health().last_error.is_some()).await;
    let told = figures(&server).await;
    assert_eq!(told["Waiting"], "3 calls, finished, and not in the ledger yet");
    // The ledger has let the drain wait for five seconds.
    let waited: f64 = told["Oldest waiting"].trim_end_matches(" s").parse().unwrap_or_else(|_| panic!("{told:?}"));
    assert!(waited >= 4.0, "{told:?}");
    assert!(
        told["Last error"].ends_with("calls cannot be handed over to the ledger at the moment: the database is busy")
    );
    let page = server.get("/settings", &[]).await.text();
    assert!(page.contains("<dt>Oldest waiting</dt>") && page.contains("the database is busy"), "{page}");
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), server.recorder.drained()).await.expect("the ledger has all calls");
    until(|| server.recorder.health().lag_ms == 0).await;
    let told = figures(&server).await;
    assert_eq!((told["Waiting"].starts_with("none"), told["Oldest waiting"].as_str()), (true, "none"));
    assert!(told["Last error"].ends_with("the database is busy"), "it stays to be read: {told:?}");
}

#[tokio::test]
async fn readyz_does_not_wait_for_a_ledger_that_says_nothing_postgres() {
    let Ok(test_server) = std::env::var("TOLLBRIDGE_TEST_POSTGRES") else {
        assert!(std::env::var("TOLLBRIDGE_TEST_ALL").is_err(), "the PostgreSQL half of the tests may not be skipped");
        return;
    };
    let (before, socket_folder) = test_server.split_once("/postgres?host=").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let is_open = hold_up_on_demand(folder.path(), Path::new(socket_folder).join(SOCKET));
    let url = format!("{before}/silent_{}?host={}", uuid::Uuid::now_v7().simple(), folder.path().display());
    let provider = FakeProvider::start().await;
    let server = GatewayServer::with(&provider.url(), Setup { database_url: Some(url), ..Setup::default() }).await;
    assert_eq!(ready(&server).await.0, 200);
    provider.play(vec![Step::Wait(Duration::from_millis(300)), Step::Send(json_answer(200, &[], MESSAGE))]);
    let mut call = server.begin("/v1/messages", &[], REQUEST).await;
    until(|| provider.seen().len() == 1).await;
    is_open.send_replace(false);
    assert_eq!(read_answer(&mut call).await.text(), MESSAGE);
    until(|| server.recorder.health().spool_depth == 1).await;
    // Whoever waits for a connection of the ledger waits five seconds.
    let (status, told) = tokio::time::timeout(Duration::from_secs(4), ready(&server)).await.expect("it does not hang");
    assert_eq!((status, &told["status"], &told["recorder"]["spoolDepth"]), (503, &"unavailable".into(), &1.into()));
    is_open.send_replace(true);
    server.events(1).await;
    assert_eq!(ready(&server).await.0, 200);
}

async fn ready(server: &GatewayServer) -> (u16, Value) {
    let answer = server.get("/readyz", &[]).await;
    (answer.status, serde_json::from_str(&answer.text()).unwrap())
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it does not happen");
}

const SOCKET: &str = ".s.PGSQL.5432";

/// A way to PostgreSQL through a socket in `folder`. While what is given back is false nothing passes, and nobody is told.
fn hold_up_on_demand(folder: &Path, postgres: PathBuf) -> watch::Sender<bool> {
    let listener = UnixListener::bind(folder.join(SOCKET)).unwrap();
    let is_open = watch::Sender::new(true);
    let gate = is_open.subscribe();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (from_client, to_client) = client.into_split();
            let (from_postgres, to_postgres) = UnixStream::connect(&postgres).await.unwrap().into_split();
            tokio::spawn(pass_on(from_client, to_postgres, gate.clone()));
            tokio::spawn(pass_on(from_postgres, to_client, gate.clone()));
        }
    });
    is_open
}

async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut gate: watch::Receiver<bool>) {
    let mut bytes = [0; 8192];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if gate.wait_for(|is_open| *is_open).await.is_err() || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
