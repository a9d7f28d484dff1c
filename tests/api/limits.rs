//! Sizes, counts and times.

use super::server::{TestServer, request};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use futures::stream;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tollbridge::http::body::{BodyLimit, answer_in_time, read_body};
use tollbridge::http::request_id::track_request;
use tower::ServiceExt;

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

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let limit = BodyLimit { bytes: 100, within: Duration::from_millis(20) };
    let router = Router::new().route("/", post(|| async { "read" })).layer(from_fn_with_state(limit, read_body));
    let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let answer = router.oneshot(request(Method::POST, "/", &[JSON], never)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up_unless_it_changes_something() {
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        "done"
    };
    let router = Router::new()
        .route("/", get(slow).post(slow))
        .layer(from_fn_with_state(Duration::from_millis(20), answer_in_time));
    let asked = router.clone().oneshot(request(Method::GET, "/", &[], Body::empty())).await.unwrap();
    assert_eq!(asked.status(), StatusCode::GATEWAY_TIMEOUT);
    let changed = router.oneshot(request(Method::POST, "/", &[], Body::empty())).await.unwrap();
    assert_eq!(changed.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_panic_is_an_answer_and_tells_nothing() {
    async fn broken() -> &'static str {
        panic!("secret detail")
    }
    let router = Router::new().route("/", get(broken)).layer(from_fn(track_request));
    let answer = router.oneshot(request(Method::GET, "/", &[], Body::empty())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = serde_json::from_slice(&to_bytes(answer.into_body(), 10_000).await.unwrap()).unwrap();
    assert_eq!(body, json!({ "error": "something went wrong on the server", "requestId": id }));
}
