//! Keys from the outside: what a key allows, and what is refused.

use super::server::TestServer;
use axum::http::StatusCode;
use std::time::{Duration, Instant};
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::Actor;
use tollbridge::domain::usage::{Scope, UserId};

const JSON: (&str, &str) = ("content-type", "application/json");
const CALL: &str = r#"{"id":"call-1","model":"claude-sonnet-4-20250514","usage":{"input_tokens":1,"output_tokens":1}}"#;

async fn key_of(server: &TestServer, user: &str, scopes: &[KeyScope]) -> (String, String) {
    let now_ms = server.state.clock.now_ms();
    let created = server
        .state
        .ledger
        .create_key(&UserId(user.into()), "test", scopes, &Actor::command_line(), now_ms)
        .await
        .unwrap();
    (created.text.reveal().to_owned(), created.key.id)
}

#[tokio::test]
async fn usage_reported_with_a_key_belongs_to_the_keys_user() {
    let server = TestServer::start().await;
    let (key, key_id) = key_of(&server, "bob", &[KeyScope::Ingest]).await;
    let bearer = format!("Bearer {key}");
    for header in [("authorization", bearer.as_str()), ("x-api-key", &key), ("x-tollbridge-key", &key)] {
        let answer = server.post_with("/api/analytics/usage", &[JSON, header], CALL).await;
        assert!(answer.status.is_success(), "{header:?}: {}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let of_bob = server.state.ledger.event(&Scope::User(UserId("bob".into())), &id).await.unwrap().unwrap();
        assert_eq!(of_bob.record.api_key_id.as_deref(), Some(key_id.as_str()));
        assert_eq!(server.state.ledger.event(&Scope::User(UserId::owner()), &id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn without_any_key_usage_is_the_owners_and_with_one_a_key_is_needed() {
    let server = TestServer::start().await;
    assert_eq!(server.post_with("/api/analytics/usage", &[JSON], CALL).await.status, StatusCode::CREATED);
    let (_, id) = key_of(&server, "owner", &[KeyScope::Proxy]).await;
    let refused = server.post_with("/api/analytics/usage", &[JSON], CALL).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    let now_ms = server.state.clock.now_ms();
    assert!(server.state.ledger.revoke_key(&UserId::owner(), &id, &Actor::command_line(), now_ms).await.unwrap());
    assert_eq!(server.post_with("/api/analytics/usage", &[JSON], CALL).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_key_without_the_scope_is_refused_by_name() {
    let server = TestServer::start().await;
    let (key, _) = key_of(&server, "owner", &[KeyScope::Proxy, KeyScope::Read]).await;
    let answer = server.post_with("/api/analytics/usage", &[JSON, ("x-api-key", &key)], CALL).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.json()["error"].as_str().unwrap().contains("ingest"));
}

// Row 1: SQL in a peer's Authorization header reached its database.
#[tokio::test]
async fn sql_where_a_key_belongs_is_refused_at_once() {
    let server = TestServer::start().await;
    let (key, _) = key_of(&server, "owner", &[KeyScope::Ingest]).await;
    let wrong_check = format!("{}{}", &key[..51], if key.ends_with('0') { '1' } else { '0' });
    for sent in ["' OR pg_sleep(8)--", "Bearer ' OR pg_sleep(8)--", "Bearer tb_", "Bearer", "", &wrong_check] {
        for header in ["authorization", "x-api-key", "x-tollbridge-key"] {
            let began = Instant::now();
            let answer = server.post_with("/api/analytics/usage", &[JSON, (header, sent)], CALL).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{header}: {sent}");
            // Far from eight seconds, on a slow machine too.
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
            assert!(!answer.text().contains("pg_sleep") && !answer.text().contains(&key[..20]), "{}", answer.text());
        }
    }
    let twice = [JSON, ("x-api-key", key.as_str()), ("x-tollbridge-key", key.as_str())];
    assert_eq!(server.post_with("/api/analytics/usage", &twice, CALL).await.status, StatusCode::UNAUTHORIZED);
}
