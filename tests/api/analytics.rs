//! The report.

use super::server::TestServer;
use axum::http::StatusCode;
use serde_json::json;

const TOKENS: &str = "/api/analytics/tokens";

async fn with_two_models() -> TestServer {
    let server = TestServer::start().await;
    let events = json!([
        { "model": "claude-sonnet-4-20250514", "usage": { "input_tokens": 1000, "output_tokens": 500 } },
        { "model": "claude-opus-4-20250514", "usage": { "input_tokens": 100, "output_tokens": 10 },
          "occurredAt": "2026-11-20T12:00:00Z" },
    ]);
    assert_eq!(server.post("/api/analytics/usage", &events).await.status, StatusCode::CREATED);
    server
}

#[tokio::test]
async fn the_report_has_thebridges_names_and_exact_figures() {
    let server = with_two_models().await;
    let answer = server.get(&format!("{TOKENS}?range=week")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    let report = answer.json();
    // Sonnet 10,500,000; Opus 100 × $15 + 10 × $75 per million = 2,250,000 nano-dollars.
    assert_eq!(report["summary"]["totalCalls"], 2);
    assert_eq!(report["summary"]["totalTokens"], 1610);
    assert_eq!(report["summary"]["totalCostUsd"], "0.01275");
    assert_eq!(report["summary"]["totalCost"], 1);
    assert_eq!(report["summary"]["periodDays"], 7);
    assert_eq!(report["timeSeries"].as_array().unwrap().len(), 7);
    assert_eq!(report["timeSeries"][6]["date"], "2026-11-24");
    assert_eq!(report["timeSeries"][6]["calls"], 1);
    let families: Vec<&str> =
        report["modelBreakdown"].as_array().unwrap().iter().map(|share| share["model"].as_str().unwrap()).collect();
    assert_eq!(families, ["sonnet", "opus"]);
    for part in ["models", "projection", "forecast", "alerts", "anomalies", "budget"] {
        assert!(report.get(part).is_some(), "{part}");
    }
}

#[tokio::test]
async fn a_model_filter_holds_for_every_figure() {
    let server = with_two_models().await;
    let report = server.get(&format!("{TOKENS}?range=week&model=opus")).await.json();
    assert_eq!(report["summary"]["totalCalls"], 1);
    assert_eq!(report["summary"]["totalCostUsd"], "0.00225");
}

#[tokio::test]
async fn the_zone_decides_the_day() {
    let server = with_two_models().await;
    // In Kiritimati (UTC+14) it is already the evening of the 24th.
    let report = server.get(&format!("{TOKENS}?range=day&tz=Pacific/Kiritimati")).await.json();
    assert_eq!(report["timeZone"], "Pacific/Kiritimati");
    let hour = report["timeSeries"].as_array().unwrap().iter().find(|point| point["calls"] == 1).unwrap();
    assert_eq!(hour["date"], "2026-11-24 23:00");
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = TestServer::start().await;
    for (query, field) in [
        ("range=fortnight", "range"),
        ("from=2026-11-31&to=2026-12-01", "from"),
        ("from=2026-11-02&to=2026-11-01", "from"),
        ("from=2026-11-02", "to"),
        ("range=day&from=2026-11-01&to=2026-11-02", "range"),
        ("aggregation=yearly", "aggregation"),
        ("range=year&aggregation=hourly", "aggregation"),
        ("tz=Mars/Olympus", "tz"),
        ("tz=..%2F..%2Fetc", "tz"),
        ("compare=perhaps", "compare"),
    ] {
        assert_eq!(server.get(&format!("{TOKENS}?{query}")).await.blamed_field(), field, "{query}");
    }
    let long = "x".repeat(201);
    assert_eq!(server.get(&format!("{TOKENS}?model={long}")).await.blamed_field(), "model");
}
