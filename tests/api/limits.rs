//! Sizes, counts and times.

use super::server::{TestServer, request};
use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use futures::stream;
use serde_json::{Value, json};
use std::convert::Infallible;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn a_thousand_events_are_taken_and_one_more_is_not() {
    let server = TestServer::start().await;
    let event = json!({ "model": "claude-sonnet-4-20250514", "usage": { "input_tokens": 1, "output_tokens": 1 } });
    let events = |count: usize| Value::Array(vec![event.clone(); count]);
    let too_many = server.post("/api/analytics/usage", &events(1_001)).await;
    assert_eq!(too_many.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(too_many.json()["error"].as_str().unwrap().contains("1000"));
    let full = server.post("/api/analytics/usage", &events(1_000)).await;
    assert_eq!(full.status, StatusCode::CREATED);
    assert_eq!(full.json()["results"].as_array().unwrap().len(), 1_000);
}

#[tokio::test]
async fn bodies_have_a_size() {
    let server = TestServer::start().await;
    let filled = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    for (path, limit) in [
        ("/api/analytics/usage", 4 * 1024 * 1024),
        ("/api/analytics/budget", 64 * 1024),
        ("/api/prices/calculate", 64 * 1024),
    ] {
        let over = server.post_with(path, &[JSON], filled(limit)).await;
        assert_eq!(over.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert!(over.json()["error"].as_str().unwrap().contains("KiB"));
        let under = server.post_with(path, &[JSON], filled(limit - 2)).await;
        assert_eq!(under.status, StatusCode::BAD_REQUEST, "{path}: it is read, and it is no event");
    }
    let form = [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")];
    let over = server.post_with("/_fn/anything", &form, "x".repeat(64 * 1024 + 1)).await;
    assert_eq!(over.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_length_that_is_announced_is_refused_before_it_is_read() {
    let server = TestServer::start().await;
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let headers = [JSON, ("content-length", "999999999")];
    let answer = server.send(request(Method::POST, "/api/analytics/usage", &headers, never)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_is_given_up() {
    let server = TestServer::start().await;
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let answer = server.send(request(Method::POST, "/api/analytics/budget", &[JSON], never)).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
    assert!(answer.json()["error"].is_string());
}
