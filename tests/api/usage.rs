//! Tracking.

use super::server::{NOW_MS, TestServer};
use axum::http::StatusCode;
use serde_json::{Value, json};

const USAGE: &str = "/api/analytics/usage";

fn sonnet_call() -> Value {
    json!({ "model": "claude-sonnet-4-20250514", "usage": { "input_tokens": 1000, "output_tokens": 500 } })
}

fn with(mut event: Value, field: &str, value: Value) -> Value {
    event[field] = value;
    event
}

#[tokio::test]
async fn a_call_is_recorded_with_its_exact_cost() {
    let server = TestServer::start().await;
    let answer = server.post(USAGE, &sonnet_call()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    // 1,000 × $3 + 500 × $15 per million.
    let body = answer.json();
    assert_eq!(body["status"], "recorded");
    assert_eq!(body["costUsd"], "0.0105");
    assert_eq!(body["costNanoUsd"], 10_500_000);
    assert_eq!(body["pricingState"], "exact");

    let event = server.get(&format!("/api/analytics/events/{}", body["id"].as_str().unwrap())).await;
    assert_eq!(event.status, StatusCode::OK);
    assert_eq!(event.json()["model"], "claude-sonnet-4-20250514");
    assert_eq!(event.json()["provider"], "anthropic");
    assert_eq!(event.json()["occurredAt"], "2026-11-24T09:30:00.000Z");
    assert_eq!(event.json()["source"], "api");
}

#[tokio::test]
async fn thinking_that_is_reported_beside_is_priced_at_thebridges_rate() {
    let server = TestServer::start().await;
    let answer = server.post(USAGE, &with(sonnet_call(), "thinkingTokens", json!(1000))).await;
    assert_eq!(answer.json()["costNanoUsd"], 10_500_000 + 3_000_000);
}

#[tokio::test]
async fn every_field_of_an_event_comes_back() {
    let server = TestServer::start().await;
    let sent = json!({
        "id": "call-1", "model": "claude-sonnet-4-20250514",
        "usage": { "input_tokens": 7, "output_tokens": 3, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 40 },
        "conversationId": "c-1", "agentSlug": "writer", "sessionId": "s-1", "project": "atlas",
        "toolsUsed": ["search", "read"], "tags": ["team:data", "prod"], "requestId": "req_1", "messageId": "msg_1", "responseTimeMs": 812,
        "firstTokenMs": 90, "success": false, "statusCode": 529, "errorMessage": "overloaded", "stopReason": "end_turn",
        "occurredAt": "2026-11-23T23:00:00+01:00",
    });
    let id = server.post(USAGE, &sent).await.json()["id"].as_str().unwrap().to_owned();
    let event = server.get(&format!("/api/analytics/events/{id}")).await.json();
    for field in [
        "conversationId",
        "agentSlug",
        "sessionId",
        "project",
        "toolsUsed",
        "tags",
        "requestId",
        "messageId",
        "responseTimeMs",
        "firstTokenMs",
        "success",
        "statusCode",
        "errorMessage",
        "stopReason",
        "usage",
    ] {
        assert_eq!(event[field], sent[field], "{field}");
    }
    assert_eq!(event["occurredAt"], "2026-11-23T22:00:00.000Z");
    assert_eq!(
        event["tokens"],
        json!({ "input": 7, "cacheWrite5m": 20, "cacheWrite1h": 0, "cacheRead": 40, "output": 3,
        "thinking": 0, "outputThinking": null })
    );
}

#[tokio::test]
async fn the_same_id_is_recorded_once() {
    let server = TestServer::start().await;
    let call = with(sonnet_call(), "id", json!("call-1"));
    let first = server.post(USAGE, &call).await;
    let second = server.post(USAGE, &call).await;
    assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::OK));
    assert_eq!(second.json()["status"], "duplicate");
    assert_eq!(first.json()["id"], second.json()["id"]);
    let report = server.get("/api/analytics/tokens").await.json();
    assert_eq!(report["summary"]["totalCalls"], 1);
}

#[tokio::test]
async fn two_calls_without_an_id_are_two() {
    let server = TestServer::start().await;
    server.post(USAGE, &sonnet_call()).await;
    server.post(USAGE, &sonnet_call()).await;
    assert_eq!(server.get("/api/analytics/tokens").await.json()["summary"]["totalCalls"], 2);
}

#[tokio::test]
async fn an_unknown_model_is_unpriced_and_never_free() {
    let server = TestServer::start().await;
    let answer = server.post(USAGE, &with(sonnet_call(), "model", json!("acme-llm-9"))).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.json()["costUsd"], Value::Null);
    assert_eq!(answer.json()["costNanoUsd"], Value::Null);
    assert_eq!(answer.json()["pricingState"], "unpriced");
}

#[tokio::test]
async fn a_failed_call_may_lack_usage_and_another_may_not() {
    let server = TestServer::start().await;
    let failed = json!({ "model": "claude-sonnet-4-20250514", "success": false, "statusCode": 500 });
    let answer = server.post(USAGE, &failed).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.json()["pricingState"], "no_usage");
    let succeeded = server.post(USAGE, &json!({ "model": "claude-sonnet-4-20250514" })).await;
    assert_eq!(succeeded.blamed_field(), "usage");
}

#[tokio::test]
async fn a_batch_answers_item_by_item() {
    let server = TestServer::start().await;
    let good = |id: &str| with(sonnet_call(), "id", json!(id));
    let bad = with(good("c"), "responseTimeMs", json!(-1));

    let all_new = server.post(USAGE, &json!([good("a"), good("b")])).await;
    assert_eq!(all_new.status, StatusCode::CREATED);
    let mixed = server.post(USAGE, &json!([good("a"), bad, good("d")])).await;
    assert_eq!(mixed.status, StatusCode::MULTI_STATUS);
    let results = mixed.json()["results"].clone();
    let states: Vec<&str> = results.as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap()).collect();
    assert_eq!(states, ["duplicate", "rejected", "recorded"]);
    assert_eq!(results[1]["id"], "c");
    assert_eq!(results[1]["field"], "responseTimeMs");
    assert_eq!(results[0]["id"], all_new.json()["results"][0]["id"]);
    assert_eq!(results[2]["costUsd"], "0.0105");

    let all_known = server.post(USAGE, &json!([good("a"), good("d")])).await;
    assert_eq!(all_known.status, StatusCode::OK);
    let all_bad = server.post(USAGE, &json!([bad])).await;
    assert_eq!(all_bad.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.get("/api/analytics/tokens").await.json()["summary"]["totalCalls"], 3);
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = TestServer::start().await;
    let long = "x".repeat(201);
    let cases = [
        ("model", json!(null), "model"),
        ("model", json!(""), "model"),
        ("model", json!(long), "model"),
        ("model", json!("a\nb"), "model"),
        ("model", json!(7), "model"),
        ("usage", json!("none"), "usage"),
        ("usage", json!({ "input_tokens": -1, "output_tokens": 1 }), "usage.input_tokens"),
        ("usage", json!({ "input_tokens": 1, "output_tokens": 1.5 }), "usage.output_tokens"),
        ("usage", json!({ "input_tokens": 1, "output_tokens": 2_000_000_000_000_u64 }), "usage.output_tokens"),
        ("usage", json!({ "input_tokens": "12", "output_tokens": 1 }), "usage.input_tokens"),
        ("thinkingTokens", json!(1.5), "thinkingTokens"),
        ("thinkingTokens", json!(1_000_000_000_001_u64), "thinkingTokens"),
        ("conversationId", json!(long), "conversationId"),
        ("conversationId", json!({}), "conversationId"),
        ("agentSlug", json!("nul\0"), "agentSlug"),
        ("toolsUsed", json!("search"), "toolsUsed"),
        ("toolsUsed", json!(["search", 7]), "toolsUsed[1]"),
        ("tags", json!(vec!["x"; 21]), "tags"),
        ("tags", json!({ "team": "data" }), "tags"),
        ("responseTimeMs", json!(-1), "responseTimeMs"),
        ("success", json!("yes"), "success"),
        ("statusCode", json!(42), "statusCode"),
        ("errorMessage", json!("x".repeat(2001)), "errorMessage"),
        ("id", json!(""), "id"),
        ("occurredAt", json!("yesterday"), "occurredAt"),
        ("occurredAt", json!(NOW_MS + 86_400_001), "occurredAt"),
        ("occurredAt", json!("2019-12-31T23:59:59Z"), "occurredAt"),
        ("occurredAt", json!(NOW_MS / 1000), "occurredAt"),
        ("conversationID", json!("c"), "conversationID"),
    ];
    for (field, value, blamed) in cases {
        let answer = server.post(USAGE, &with(sonnet_call(), field, value.clone())).await;
        assert_eq!(answer.blamed_field(), blamed, "{field} = {value}");
        assert!(!answer.json()["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(server.get("/api/analytics/tokens").await.json()["summary"]["totalCalls"], 0);
}

/// Invariant 8: a report has no place for what was said, and refusing it does not repeat it.
#[tokio::test]
async fn a_prompt_in_a_report_is_refused_and_not_repeated() {
    let server = TestServer::start().await;
    for field in ["prompt", "messages", "content"] {
        let answer = server.post(USAGE, &with(sonnet_call(), field, json!([{ "text": "SECRET" }]))).await;
        assert_eq!((answer.status, answer.blamed_field().as_str()), (StatusCode::BAD_REQUEST, field));
        assert!(!String::from_utf8_lossy(&answer.body).contains("SECRET"));
    }
    assert_eq!(server.get("/api/analytics/tokens").await.json()["summary"]["totalCalls"], 0);
}

#[tokio::test]
async fn what_a_call_asked_of_other_models_is_priced_but_no_call_of_its_own() {
    let server = TestServer::start().await;
    let call = json!({ "model": "claude-haiku-4-5", "requestId": "req_1", "usage": {
        "input_tokens": 1000, "output_tokens": 0,
        "iterations": [{ "type": "advisor_message", "model": "claude-opus-5", "input_tokens": 1000, "output_tokens": 100 }] } });
    let answer = server.post(USAGE, &call).await;
    // Haiku: 1,000 × $1; the advisor, Opus: 1,000 × $5 + 100 × $25 per million.
    assert_eq!(answer.json()["costNanoUsd"], 1_000_000);
    let report = server.get("/api/analytics/tokens").await.json();
    assert_eq!(report["summary"]["totalCalls"], 1);
    assert_eq!(report["summary"]["totalCostNanoUsd"], 8_500_000);
    let events = server.get("/api/analytics/events").await.json();
    let parts = events["events"].as_array().unwrap().iter().filter(|event| event["isPart"] == true).count();
    assert_eq!(parts, 1);
    assert_eq!(server.post(USAGE, &call).await.json()["status"], "duplicate");
}

#[tokio::test]
async fn a_refusal_without_output_is_free() {
    let server = TestServer::start().await;
    let refused = json!({ "model": "claude-haiku-4-5", "stopReason": "refusal",
        "usage": { "input_tokens": 1000, "output_tokens": 0 } });
    assert_eq!(server.post(USAGE, &refused).await.json()["costNanoUsd"], 0);
}

#[tokio::test]
async fn what_is_no_event_is_refused() {
    let server = TestServer::start().await;
    for body in [json!([]), json!("call"), json!(null)] {
        assert_eq!(server.post(USAGE, &body).await.status, StatusCode::BAD_REQUEST, "{body}");
    }
    let form = server.post_with(USAGE, &[("content-type", "application/x-www-form-urlencoded")], "{}").await;
    assert_eq!(form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let broken = server.post_with(USAGE, &[("content-type", "application/json")], "{\"model\": ").await;
    assert_eq!(broken.status, StatusCode::BAD_REQUEST);
    assert!(broken.json()["details"].as_str().unwrap().contains("EOF"));
    let deep = "[".repeat(100_000);
    let bomb = server.post_with(USAGE, &[("content-type", "application/json")], deep).await;
    assert_eq!(bomb.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn nothing_is_acknowledged_that_the_ledger_cannot_keep() {
    let server = TestServer::start().await;
    server.state.ledger.close().await;
    let answer = server.post(USAGE, &sonnet_call()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "5");
    // The constant sentence and the id for the log; nothing of the inside.
    let body = answer.json();
    assert_eq!(body["error"], "the ledger cannot be reached at the moment; nothing was changed");
    assert_eq!(body["requestId"], answer.header("x-request-id"));
    assert_eq!(body.as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn what_happened_before_events_are_kept_is_refused_by_name() {
    let server = TestServer::start().await;
    let old = json!({"id": "old", "model": "claude-sonnet-4-20250514", "occurredAt": NOW_MS - 1,
        "usage": {"input_tokens": 1, "output_tokens": 1}});
    let new = json!({"id": "new", "model": "claude-sonnet-4-20250514", "occurredAt": NOW_MS,
        "usage": {"input_tokens": 1, "output_tokens": 1}});
    server.state.ledger.settle_events_before(NOW_MS - 24 * 3_600_000).await.unwrap();
    assert_eq!(server.post(USAGE, &old).await.blamed_field(), "occurredAt");
    let answer = server.post(USAGE, &json!([old, new])).await;
    assert_eq!(answer.status, 207, "{}", answer.text());
    let results = &answer.json()["results"];
    assert_eq!((&results[0]["status"], &results[0]["field"]), (&json!("rejected"), &json!("occurredAt")));
    assert_eq!(results[1]["status"], "recorded");
}
