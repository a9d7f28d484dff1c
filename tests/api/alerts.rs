//! Alerts from the outside: listed, filtered, acknowledged, called normal.

use super::server::TestServer;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use tollbridge::domain::alert::{AlertSubject, Evidence, Measured, NewAlert};
use tollbridge::domain::anomaly::{AnomalyKind, AnomalyRule};
use tollbridge::domain::budget::AlertLevel;
use tollbridge::domain::usage::UserId;
use tollbridge::http::state::Clock;
use tollbridge::watch::evaluate_once;

const ALERTS: &str = "/api/analytics/alerts";

/// 80 % of a cent spent, and the watch has looked.
async fn with_two_alerts() -> TestServer {
    let server = TestServer::start().await;
    server.post("/api/analytics/budget", &json!({ "monthlyLimitCents": 1 })).await;
    // 2,500 × $3 per million = 0.75 cents.
    let call = json!({ "model": "claude-sonnet-4-20250514", "usage": { "input_tokens": 2500, "output_tokens": 0 } });
    server.post("/api/analytics/usage", &call).await;
    let fired = evaluate_once(&server.state.ledger, server.state.clock.now_ms()).await.unwrap();
    assert_eq!(fired.len(), 2);
    server
}

async fn listed(server: &TestServer, query: &str) -> Vec<Value> {
    let answer = server.get(&format!("{ALERTS}{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()["alerts"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_alert_tells_its_figures_and_what_brought_them_about() {
    let server = with_two_alerts().await;
    let alerts = listed(&server, "").await;
    let alert = alerts.iter().find(|alert| alert["threshold"] == 75).unwrap();
    assert_eq!((&alert["kind"], &alert["level"]), (&json!("budget"), &json!("warning")));
    assert_eq!((&alert["budgetId"], &alert["periodStart"]), (&json!("default"), &json!("2026-11-01")));
    assert_eq!(alert["firedAt"], "2026-11-24T09:30:00.000Z");
    assert_eq!(alert["message"], "Monthly budget: $0.0075 of $0.01 spent this month (75.0 %), past the mark of 75 %.");
    assert_eq!(alert["evidence"]["spentNanoUsd"], 7_500_000);
    assert_eq!(alert["evidence"]["percentUsed"], 75.0);
    let contributor = json!({ "dimension": "model", "name": "claude-sonnet-4-20250514", "costNanoUsd": 7_500_000 });
    assert_eq!(alert["evidence"]["contributors"], json!([contributor]));
    assert_eq!((&alert["acknowledgedAt"], &alert["isNormal"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn an_acknowledged_alert_is_no_longer_open() {
    let server = with_two_alerts().await;
    let id = listed(&server, "").await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("{ALERTS}/{id}/acknowledge");
    let first = server.post(&path, &json!({})).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    assert_eq!(first.json()["acknowledgedBy"], "owner");
    let Clock::Fixed(now_ms) = &server.state.clock else { panic!("a test's clock stands") };
    now_ms.fetch_add(60_000, Ordering::Relaxed);
    assert_eq!(server.post(&path, &json!({})).await.json()["acknowledgedAt"], first.json()["acknowledgedAt"]);
    let of = |list: Vec<Value>| list.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(of(listed(&server, "?state=acknowledged").await), std::slice::from_ref(&id));
    let open = of(listed(&server, "?state=open").await);
    assert!(open.len() == 1 && !open.contains(&id));
    assert_eq!(listed(&server, "?kind=budget").await.len(), 2);
    assert_eq!(listed(&server, "?kind=anomaly").await.len(), 0);
}

#[tokio::test]
async fn an_anomaly_that_is_called_normal_says_so_and_is_acknowledged() {
    let server = TestServer::start().await;
    let day = "2026-11-23".parse().unwrap();
    let unusual = NewAlert {
        user_id: UserId::owner(),
        subject: AlertSubject::Anomaly { day, kind: AnomalyKind::HighCost, rule: AnomalyRule::WeeklyMean },
        level: AlertLevel::Warning,
        fired_at_ms: server.state.clock.now_ms(),
        message: "A dear day.".into(),
        evidence: Evidence {
            measured: Measured::Figure { current_value: 9.0, normal_value: 3.0, difference: 200.0 },
            contributors: Vec::new(),
            unpriced_calls: 0,
        },
    };
    let id = server.state.ledger.record_alerts(vec![unusual]).await.unwrap().remove(0).id;
    let said = server.post(&format!("{ALERTS}/{id}/normal"), &json!({})).await;
    assert_eq!(said.status, StatusCode::OK, "{}", said.text());
    let kept = listed(&server, "?kind=anomaly&state=acknowledged").await;
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0]["isNormal"], &kept[0]["acknowledgedBy"]), (&json!(true), &json!("owner")));
}

#[tokio::test]
async fn pages_lead_to_the_next_one() {
    let server = with_two_alerts().await;
    let first = server.get(&format!("{ALERTS}?limit=1&state=open")).await.json();
    let next = first["next"].as_str().unwrap();
    assert!(next.starts_with("/api/analytics/alerts?limit=1&state=open&after="), "{next}");
    let second = server.get(next).await.json();
    assert_ne!(first["alerts"][0]["id"], second["alerts"][0]["id"]);
    assert_eq!(second["next"], Value::Null);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_what_is_not_there_is_not_found() {
    let server = with_two_alerts().await;
    for (query, field) in [
        ("?state=new", "state"),
        ("?kind=spike", "kind"),
        ("?limit=0", "limit"),
        ("?limit=501", "limit"),
        ("?after=x", "after"),
    ] {
        assert_eq!(server.get(&format!("{ALERTS}{query}")).await.blamed_field(), field, "{query}");
    }
    let of_budget = listed(&server, "").await[0]["id"].as_str().unwrap().to_owned();
    for path in
        ["nothing/acknowledge".into(), "nothing/normal".into(), format!("{of_budget}/normal"), "%FF/normal".into()]
    {
        let answer = server.post(&format!("{ALERTS}/{path}"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}: {}", answer.text());
    }
    assert_eq!(server.get(&format!("{ALERTS}/{of_budget}/acknowledge")).await.status, StatusCode::METHOD_NOT_ALLOWED);
}
