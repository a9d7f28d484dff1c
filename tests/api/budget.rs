//! The budget.

use super::server::TestServer;
use axum::http::StatusCode;
use serde_json::json;

const BUDGET: &str = "/api/analytics/budget";

#[tokio::test]
async fn the_default_is_a_hundred_dollars_at_50_75_and_90_percent() {
    let server = TestServer::start().await;
    let budget = server.get(BUDGET).await.json();
    assert_eq!(budget["monthlyLimitCents"], 10_000);
    assert_eq!([&budget["alertThreshold1"], &budget["alertThreshold2"], &budget["alertThreshold3"]], [50, 75, 90]);
    assert_eq!(budget["timeZone"], "UTC");
    assert_eq!(budget["status"]["isOverBudget"], false);
    assert_eq!(budget["status"]["periodStart"], "2026-11-01");
}

#[tokio::test]
async fn what_is_given_is_changed_and_the_rest_stays() {
    let server = TestServer::start().await;
    let changed = server.post(BUDGET, &json!({ "monthlyLimitCents": 1, "timeZone": "Europe/Berlin" })).await;
    assert_eq!(changed.status, StatusCode::OK);
    let budget = server.get(BUDGET).await.json();
    assert_eq!(budget, changed.json());
    assert_eq!(budget["monthlyLimitCents"], 1);
    assert_eq!(budget["alertThreshold2"], 75);
    assert_eq!(budget["timeZone"], "Europe/Berlin");
    assert_eq!(budget["atLimit"], "notify");
    server.post(BUDGET, &json!({ "atLimit": "block" })).await;
    server.post(BUDGET, &json!({ "monthlyLimitCents": 2 })).await;
    assert_eq!(server.get(BUDGET).await.json()["atLimit"], "block");
}

#[tokio::test]
async fn every_crossed_threshold_is_an_alert() {
    let server = TestServer::start().await;
    server.post(BUDGET, &json!({ "monthlyLimitCents": 1 })).await;
    // 2,500 × $3 per million = 0.75 cents of 1.
    let call = json!({ "model": "claude-sonnet-4-20250514", "usage": { "input_tokens": 2500, "output_tokens": 0 } });
    server.post("/api/analytics/usage", &call).await;
    let alerts = server.get("/api/analytics/tokens").await.json()["alerts"].clone();
    let levels: Vec<_> =
        alerts.as_array().unwrap().iter().map(|alert| (&alert["level"], &alert["threshold"])).collect();
    assert_eq!(levels, [(&json!("warning"), &json!(75)), (&json!("info"), &json!(50))]);
    assert_eq!(server.get(BUDGET).await.json()["status"]["percentUsed"], 75.0);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let server = TestServer::start().await;
    for (body, field) in [
        (json!({ "monthlyLimitCents": 0 }), "monthlyLimitCents"),
        (json!({ "monthlyLimitCents": -5 }), "monthlyLimitCents"),
        (json!({ "monthlyLimitCents": 99.5 }), "monthlyLimitCents"),
        (json!({ "monthlyLimitCents": 1_000_000_001_i64 }), "monthlyLimitCents"),
        (json!({ "monthlyLimitCents": "100" }), "monthlyLimitCents"),
        (json!({ "alertThreshold1": 0 }), "alertThreshold1"),
        (json!({ "alertThreshold3": 101 }), "alertThreshold3"),
        (json!({ "alertThreshold2": 50 }), "alertThreshold2"),
        (json!({ "timeZone": "Mars/Olympus" }), "timeZone"),
        (json!({ "timeZone": 1 }), "timeZone"),
        (json!({ "atLimit": "stop" }), "atLimit"),
        (json!({ "atLimit": true }), "atLimit"),
        (json!({ "monthlyLimit": 5 }), "monthlyLimit"),
    ] {
        assert_eq!(server.post(BUDGET, &body).await.blamed_field(), field, "{body}");
    }
    assert_eq!(server.post(BUDGET, &json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.get(BUDGET).await.json()["monthlyLimitCents"], 10_000);
}
