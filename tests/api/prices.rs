//! Price cards and the calculator.

use super::server::TestServer;
use axum::http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn cards_are_listed_by_model_and_moment() {
    let server = TestServer::start().await;
    let cards = server.get("/api/prices?model=claude-sonnet-4-20250514&at=2026-01-15").await.json()["cards"].clone();
    let card = cards.as_array().unwrap().iter().find(|card| card["provider"] == "anthropic").unwrap();
    assert_eq!(card["ratesUsdPerMillion"]["input"], "3");
    assert_eq!(card["ratesUsdPerMillion"]["output"], "15");
    assert_eq!(card["ratesUsdPerMillion"]["cacheRead"], "0.3");
    assert!(card["source"].is_string());
    assert_eq!(server.get("/api/prices?model=acme-llm-9").await.json()["cards"], json!([]));
    assert_eq!(server.get("/api/prices?at=soon").await.blamed_field(), "at");
}

#[tokio::test]
async fn a_calculation_says_how_it_came_about() {
    let server = TestServer::start().await;
    // Batch halves the tokens' price: 12.9 cents of tokens and two searches at one cent each.
    let body = json!({ "model": "claude-haiku-4-5", "batch": true, "usage": {
        "input_tokens": 10_000, "cache_creation_input_tokens": 4_000, "cache_read_input_tokens": 8_000,
        "output_tokens": 2_000, "server_tool_use": { "web_search_requests": 2 } } });
    let answer = server.post("/api/prices/calculate", &body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let cost = answer.json();
    assert_eq!(cost["costNanoUsd"], 32_900_000);
    assert_eq!(cost["costUsd"], "0.0329");
    assert_eq!(cost["pricingState"], "exact");
    let lines = cost["lines"].as_array().unwrap();
    let sum: i64 = lines.iter().map(|line| line["costNanoUsd"].as_i64().unwrap()).sum();
    assert_eq!(sum, 32_900_000);
    assert_eq!(cost["priceCard"]["model"], "claude-haiku-4-5");
}

#[tokio::test]
async fn an_openai_usage_object_is_understood_too() {
    let server = TestServer::start().await;
    let body = json!({ "provider": "openai", "model": "gpt-5", "usage": {
        "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
        "prompt_tokens_details": { "cached_tokens": 1920 }, "completion_tokens_details": { "reasoning_tokens": 192 } } });
    assert_eq!(server.post("/api/prices/calculate", &body).await.json()["costNanoUsd"], 3_347_500);
}

#[tokio::test]
async fn an_unknown_model_has_no_cost() {
    let server = TestServer::start().await;
    let body = json!({ "model": "acme-llm-9", "usage": { "input_tokens": 10, "output_tokens": 5 } });
    let cost = server.post("/api/prices/calculate", &body).await.json();
    assert_eq!(cost["costNanoUsd"], Value::Null);
    assert_eq!(cost["costUsd"], Value::Null);
    assert_eq!(cost["pricingState"], "unpriced");
    assert_eq!(cost["priceCard"], Value::Null);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = TestServer::start().await;
    let call = json!({ "model": "gpt-5", "usage": { "input_tokens": 1, "output_tokens": 1 } });
    for (field, value) in [
        ("model", json!("")),
        ("usage", json!(3)),
        ("at", json!("soon")),
        ("batch", json!("yes")),
        ("modle", json!("x")),
    ] {
        let mut body = call.clone();
        body[field] = value;
        assert_eq!(server.post("/api/prices/calculate", &body).await.blamed_field(), field);
    }
}
