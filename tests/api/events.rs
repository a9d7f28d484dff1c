//! Single events.

use super::server::TestServer;
use axum::http::StatusCode;
use serde_json::{Value, json};

const EVENTS: &str = "/api/analytics/events";

async fn with_five_events() -> TestServer {
    let server = TestServer::start().await;
    let event = |day: u32| {
        json!({ "model": if day.is_multiple_of(2) { "gpt-5" } else { "claude-sonnet-4-20250514" }, "conversationId": day.to_string(),
            "usage": { "input_tokens": 10, "output_tokens": 1 }, "occurredAt": format!("2026-11-{day:02}T12:00:00Z") })
    };
    let events: Vec<Value> = (11..=15).map(event).collect();
    assert_eq!(server.post("/api/analytics/usage", &json!(events)).await.status, StatusCode::CREATED);
    server
}

fn conversations(page: &Value) -> Vec<String> {
    page["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["conversationId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_follow_each_other_newest_first() {
    let server = with_five_events().await;
    let mut path = format!("{EVENTS}?limit=2");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = server.get(&path).await.json();
        seen.push(conversations(&page));
        path = page["next"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(seen, [vec!["15", "14"], vec!["13", "12"], vec!["11"]]);
    assert_eq!(path, "", "the last page names no next one");
}

#[tokio::test]
async fn range_and_model_limit_the_list_and_stay_in_the_next_page() {
    let server = with_five_events().await;
    let days = server.get(&format!("{EVENTS}?from=2026-11-12&to=2026-11-14")).await.json();
    assert_eq!(conversations(&days), ["14", "13", "12"]);
    let first = server.get(&format!("{EVENTS}?model=sonnet&limit=1")).await.json();
    assert_eq!(conversations(&first), ["15"]);
    let second = server.get(first["next"].as_str().unwrap()).await.json();
    assert_eq!(conversations(&second), ["13"]);
}

#[tokio::test]
async fn an_unknown_event_is_not_found() {
    let server = TestServer::start().await;
    for id in ["0193f1a0-0000-7000-8000-000000000000", "x", "%27%20OR%201%3D1", "%FF", "%00"] {
        let answer = server.get(&format!("{EVENTS}/{id}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.json()["error"].is_string());
    }
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = TestServer::start().await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=many", "limit"),
        ("after=nonsense", "after"),
        ("range=fortnight", "range"),
        ("range=day&tz=Mars/Olympus", "tz"),
    ] {
        assert_eq!(server.get(&format!("{EVENTS}?{query}")).await.blamed_field(), field, "{query}");
    }
}
