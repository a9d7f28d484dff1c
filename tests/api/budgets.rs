//! Several budgets: made, listed with where they stand, changed, deleted.

use super::server::{Answer, NOW_MS, TestServer, request};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::Actor;
use tollbridge::domain::usage::UserId;

const BUDGETS: &str = "/api/analytics/budgets";

async fn put(server: &TestServer, id: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    server.send(request(Method::PUT, &format!("{BUDGETS}/{id}"), &headers, Body::from(body.to_string()))).await
}

async fn delete(server: &TestServer, id: &str) -> Answer {
    server.send(request(Method::DELETE, &format!("{BUDGETS}/{id}"), &[], Body::empty())).await
}

/// Makes one and answers its id.
async fn make(server: &TestServer, body: &Value) -> String {
    let made = server.post(BUDGETS, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

/// $0.0075: 2,500 × $3 per million.
async fn call_in(server: &TestServer, project: &str) {
    let call = json!({ "model": "claude-sonnet-4-20250514", "project": project,
        "usage": { "input_tokens": 2500, "output_tokens": 0 } });
    assert_eq!(server.post("/api/analytics/usage", &call).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn the_default_budget_is_the_first_of_the_list() {
    let server = TestServer::start().await;
    let budgets = server.get(BUDGETS).await.json()["budgets"].clone();
    let status = budgets[0]["status"].clone();
    assert_eq!(budgets.as_array().unwrap().len(), 1);
    assert_eq!(budgets[0]["id"], "default");
    assert_eq!((&budgets[0]["scope"], &budgets[0]["period"]), (&json!("user"), &json!("month")));
    assert_eq!((&status["periodStart"], &status["periodEnd"]), (&json!("2026-11-01"), &json!("2026-12-01")));
}

#[tokio::test]
async fn a_budget_is_made_and_says_where_it_stands() {
    let server = TestServer::start().await;
    call_in(&server, "shop").await;
    call_in(&server, "blog").await;
    let body = json!({ "name": "Shop", "scope": "project", "scopeId": "shop", "model": "claude-sonnet-4-0", "period": "week",
        "limitCents": 1, "thresholds": [], "timeZone": "Europe/Berlin", "atLimit": "block",
        "raise": { "limitCents": 3, "until": "2026-11-25T00:00:00Z" } });
    let made = server.post(BUDGETS, &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let budget = made.json();
    assert_eq!(server.get(BUDGETS).await.json()["budgets"][1], budget);
    for field in ["name", "scope", "scopeId", "model", "period", "limitCents", "thresholds", "timeZone", "atLimit"] {
        assert_eq!(budget[field], body[field], "{field}");
    }
    assert_eq!(budget["limitNanoUsd"], 10_000_000);
    assert_eq!(
        budget["raise"],
        json!({ "limitCents": 3, "limitNanoUsd": 30_000_000, "until": "2026-11-25T00:00:00.000Z" })
    );
    let status = &budget["status"];
    assert_eq!((&status["spentNanoUsd"], &status["spent"]), (&json!(7_500_000), &json!(1)), "the shop's call alone");
    assert_eq!((&status["limitNanoUsd"], &status["limit"]), (&json!(30_000_000), &json!(3)), "it is raised");
    assert_eq!((&status["remainingNanoUsd"], &status["percentUsed"]), (&json!(22_500_000), &json!(25.0)));
    assert_eq!((&status["periodStart"], &status["periodEnd"]), (&json!("2026-11-23"), &json!("2026-11-30")));
    assert_eq!(status["isOverBudget"], false);
}

#[tokio::test]
async fn what_is_given_is_changed_and_the_rest_of_a_budget_stays() {
    let server = TestServer::start().await;
    let raise = json!({ "limitCents": 900, "until": NOW_MS + 60_000 });
    let id = make(&server, &json!({ "name": "A", "limitCents": 500, "model": "sonnet", "raise": raise })).await;
    let changed = put(&server, &id, &json!({ "name": "B", "scope": "project", "scopeId": "shop" })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    let budget = server.get(BUDGETS).await.json()["budgets"][1].clone();
    assert_eq!(budget, changed.json());
    assert_eq!((&budget["name"], &budget["scopeId"]), (&json!("B"), &json!("shop")));
    assert_eq!((&budget["limitCents"], &budget["model"]), (&json!(500), &json!("sonnet")));
    assert_eq!(budget["raise"]["limitCents"], 900);
    let changed = put(&server, &id, &json!({ "model": null, "raise": null, "scope": "user" })).await.json();
    assert_eq!([&changed["model"], &changed["raise"], &changed["scopeId"]], [&Value::Null; 3]);
    assert_eq!(put(&server, &id, &json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(put(&server, "nobody", &json!({ "name": "C" })).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_raise_that_is_over_stands_in_the_way_of_nothing() {
    let server = TestServer::start().await;
    let raise = json!({ "limitCents": 900, "until": NOW_MS + 1 });
    let id = make(&server, &json!({ "name": "A", "limitCents": 500, "raise": raise })).await;
    let tollbridge::http::state::Clock::Fixed(now_ms) = &server.state.clock else { unreachable!() };
    now_ms.store(NOW_MS + 1, std::sync::atomic::Ordering::Relaxed);
    let changed = put(&server, &id, &json!({ "limitCents": 1_000 })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text());
    assert_eq!(changed.json()["raise"], Value::Null);
}

#[tokio::test]
async fn a_budget_is_deleted_once_and_the_default_one_never() {
    let server = TestServer::start().await;
    let id = make(&server, &json!({ "name": "A", "limitCents": 500 })).await;
    assert_eq!(delete(&server, &id).await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete(&server, &id).await.status, StatusCode::NOT_FOUND);
    let refused = delete(&server, "default").await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json()["error"], "the default budget cannot be deleted: everybody has one");
    assert_eq!(put(&server, "default", &json!({ "name": "A" })).await.status, StatusCode::CONFLICT);
    assert_eq!(server.get(BUDGETS).await.json()["budgets"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn each_wrong_part_of_a_budget_is_named_and_changes_nothing() {
    let server = TestServer::start().await;
    let good = json!({ "name": "A", "limitCents": 500 });
    let id = make(&server, &good).await;
    let before = server.get(BUDGETS).await.json();
    let raise = |limit: Value, until: Value| json!({ "limitCents": limit, "until": until });
    let soon = json!("2026-11-25T00:00:00Z");
    for (field, value, blamed) in [
        ("name", json!(" "), "name"),
        ("name", json!(7), "name"),
        ("name", json!("x".repeat(81)), "name"),
        ("scope", json!("team"), "scope"),
        ("scope", json!("project"), "scopeId"),
        ("scope", json!("api_key"), "scopeId"),
        ("scopeId", json!("shop"), "scopeId"),
        ("model", json!(""), "model"),
        ("model", json!(["sonnet"]), "model"),
        ("period", json!("year"), "period"),
        ("limitCents", json!(0), "limitCents"),
        ("limitCents", json!(1.5), "limitCents"),
        ("limitCents", json!(1_000_000_001_i64), "limitCents"),
        ("limitCents", json!(i64::MAX), "limitCents"),
        ("thresholds", json!([50, 50]), "thresholds"),
        ("thresholds", json!([0]), "thresholds"),
        ("thresholds", json!([101]), "thresholds"),
        ("thresholds", json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), "thresholds"),
        ("thresholds", json!("50"), "thresholds"),
        ("thresholds", json!([-1]), "thresholds"),
        ("timeZone", json!("Mars/Olympus"), "timeZone"),
        ("atLimit", json!("stop"), "atLimit"),
        ("raise", json!(5), "raise"),
        ("raise", raise(json!(500), soon.clone()), "raise.limitCents"),
        ("raise", raise(Value::Null, soon.clone()), "raise.limitCents"),
        ("raise", raise(json!(600), json!("soon")), "raise.until"),
        ("raise", raise(json!(600), json!(NOW_MS)), "raise.until"),
        ("raise", json!({ "limitCents": 600, "until": soon, "by": "me" }), "raise.by"),
        ("limit", json!(5), "limit"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        assert_eq!(server.post(BUDGETS, &body).await.blamed_field(), blamed, "{body}");
        assert_eq!(put(&server, &id, &body).await.blamed_field(), blamed, "{body}");
    }
    assert_eq!(server.post(BUDGETS, &json!({ "limitCents": 500 })).await.blamed_field(), "name");
    assert_eq!(server.post(BUDGETS, &json!({ "name": "A" })).await.blamed_field(), "limitCents");
    assert_eq!(server.get(BUDGETS).await.json(), before);
}

#[tokio::test]
async fn a_budget_that_no_call_can_reach_says_why() {
    let server = TestServer::start().await;
    let (ledger, owner) = (&server.state.ledger, UserId::owner());
    let key =
        ledger.create_key(&owner, "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOW_MS).await.unwrap().key;
    let of_key = json!({ "name": "Laptop", "limitCents": 500, "scope": "api_key", "scopeId": key.id });
    make(&server, &of_key).await;
    ledger.revoke_key(&owner, &key.id, &Actor::command_line(), NOW_MS).await.unwrap();
    let refused = server.post(BUDGETS, &of_key).await;
    assert_eq!(refused.blamed_field(), "scopeId");
    assert_eq!(refused.json()["error"], "scopeId: is a revoked key: no call can reach this budget");
    let of_model = json!({ "name": "Acme", "limitCents": 500, "model": "acme-llm-9" });
    let refused = server.post(BUDGETS, &of_model).await;
    assert_eq!(refused.blamed_field(), "model");
    let reason = "model: is in no price card and in no recorded call: no call can reach this budget";
    assert_eq!(refused.json()["error"], reason);
    let call = json!({ "model": "acme-llm-9", "usage": { "input_tokens": 1, "output_tokens": 1 } });
    server.post("/api/analytics/usage", &call).await;
    make(&server, &of_model).await;
    assert_eq!(server.get(BUDGETS).await.json()["budgets"][2]["status"]["unpricedCalls"], 1);
}
