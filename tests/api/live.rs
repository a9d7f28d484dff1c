//! The live connection: what it tells, how often, to how many, and how it ends.

use super::commands::{run, tollbridge};
use super::crash::start;
use super::recorder::end_call_that_the_ledger_refuses;
use super::server::{TestServer, request};
use axum::body::{Body, BodyDataStream};
use axum::http::{Method, StatusCode};
use futures::StreamExt;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const CALL: &str = r#"{"model":"claude-sonnet-4-20250514","usage":{"input_tokens":1,"output_tokens":1}}"#;

async fn listen(server: &TestServer) -> BodyDataStream {
    let response = server.begin(request(Method::GET, "/api/live", &[], Body::empty())).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    response.into_body().into_data_stream()
}

/// The version that the next event tells; none if the connection ends or says nothing for so long.
async fn next_version(stream: &mut BodyDataStream, within: Duration) -> Option<u64> {
    Some(next_event(stream, within).await?["version"].as_u64().unwrap())
}

async fn next_event(stream: &mut BodyDataStream, within: Duration) -> Option<Value> {
    let chunk = tokio::time::timeout(within, stream.next()).await.ok()??.unwrap();
    let text = String::from_utf8(chunk.to_vec()).unwrap();
    let data = text.strip_prefix("event: usage\ndata: ").unwrap_or_else(|| panic!("{text:?}"));
    Some(serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap())
}

async fn report_one(server: &TestServer) {
    let answer = server.post_with("/api/analytics/usage", &[("content-type", "application/json")], CALL).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_page_hears_of_a_move_and_at_most_once_a_second() {
    let server = TestServer::start().await;
    let mut stream = listen(&server).await;
    let first = next_version(&mut stream, Duration::from_secs(1)).await.unwrap();
    assert_eq!(next_version(&mut stream, Duration::from_millis(1_200)).await, None, "nothing moved");
    report_one(&server).await;
    assert_eq!(next_version(&mut stream, Duration::from_secs(1)).await, Some(first + 1));
    let told = Instant::now();
    for _ in 0..5 {
        report_one(&server).await;
    }
    assert_eq!(next_version(&mut stream, Duration::from_secs(3)).await, Some(first + 6), "five moves, one event");
    assert!(told.elapsed() >= Duration::from_millis(900), "{:?}", told.elapsed());
}

#[tokio::test]
async fn a_page_hears_of_a_call_that_is_missing_from_its_numbers() {
    let server = TestServer::start().await;
    let mut stream = listen(&server).await;
    let first = next_event(&mut stream, Duration::from_secs(1)).await.unwrap();
    assert_eq!(first["recorder"], 0);
    end_call_that_the_ledger_refuses(&server).await;
    let told = next_event(&mut stream, Duration::from_secs(10)).await;
    assert_eq!(told, Some(json!({ "version": first["version"], "recorder": 1 })), "no number moved");
    assert_eq!(next_event(&mut stream, Duration::from_secs(7)).await, None, "it is told once");
}

#[tokio::test]
async fn ten_connections_are_enough_for_anybody_and_a_closed_one_makes_room() {
    let server = TestServer::start().await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(listen(&server).await);
    }
    let refused = server.get("/api/live").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!refused.header("retry-after").is_empty());
    open.pop();
    open.push(listen(&server).await);
}

#[tokio::test]
async fn another_sites_page_cannot_listen() {
    let server = TestServer::start().await;
    for headers in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("host", "evil.example")] {
        let answer = server.send(request(Method::GET, "/api/live", &[headers], Body::empty())).await;
        assert!(matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::MISDIRECTED_REQUEST), "{headers:?}");
    }
}

#[tokio::test]
async fn connections_end_at_once_when_the_server_stops() {
    let server = TestServer::start().await;
    let mut quiet = listen(&server).await;
    next_version(&mut quiet, Duration::from_secs(1)).await.unwrap();
    let asked = Instant::now();
    server.state.listeners.dismiss();
    assert!(quiet.next().await.is_none());
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    let mut late = listen(&server).await;
    // One that comes afterwards may hear the version, and then ends too.
    while late.next().await.is_some() {}
}

#[test]
fn a_page_hears_what_another_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let (_server, address) = start(&data_dir);
    let mut page = TcpStream::connect(&address).unwrap();
    page.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    write!(page, "GET /api/live HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    read_event(&mut page);
    let (output, text) = run(tollbridge(&data_dir).arg("demo"));
    assert!(output.status.success(), "{text}");
    read_event(&mut page);
}

/// Reads on to the end of the next event.
fn read_event(page: &mut TcpStream) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("}\n\n") {
        page.read_exact(&mut byte).unwrap_or_else(|error| panic!("no event comes: {error}; {text:?}"));
        text.push(byte[0].into());
    }
    text
}
