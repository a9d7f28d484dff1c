//! The breaker: one session that spends too fast is paused, in which words, for how long, and that nothing else is.

use super::answers::{EVENTS, REQUEST, STREAM_REQUEST};
use super::fake_provider::{FakeProvider, Step, chunk, end_of_chunks, stream_head};
use super::gateway_server::{Answer, GatewayServer, Setup, read_until};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;
use tollbridge::domain::alert::AlertKind;
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::Actor;
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::pause::SessionPause;
use tollbridge::domain::usage::{Scope, UserId};
use tollbridge::http::state::Clock;
use tollbridge::ledger::AlertFilter;

/// 18 November 2026, 12:00 UTC.
const NOON_MS: i64 = 1_795_003_200_000;
/// Two answers cost $0.021.
const LIMIT: &str = "0.02";
const SESSION: &str = "x-claude-code-session-id";

fn setup() -> Setup {
    Setup { breaker_usd_per_minute: Some(LIMIT), ..Setup::default() }
}

async fn server_with(provider: &FakeProvider) -> GatewayServer {
    GatewayServer::with(&provider.url(), setup()).await
}

async fn server_at(provider: &FakeProvider, folder: &Arc<TempDir>, clock: &Clock) -> GatewayServer {
    GatewayServer::at(folder.clone(), &provider.url(), setup(), clock.clone()).await
}

async fn ask(server: &GatewayServer, session: &str) -> Answer {
    server.post("/v1/messages", &[(SESSION, session)], REQUEST).await
}

/// Two calls, which is too much.
async fn run_away(server: &GatewayServer, session: &str) {
    for _ in 0..2 {
        assert_eq!(ask(server, session).await.status, 200);
    }
}

/// Waits until the ledger has so many pauses; the oldest first.
async fn pauses(server: &GatewayServer, count: usize) -> Vec<SessionPause> {
    for _ in 0..300 {
        let mut pauses = server.ledger.pauses(&Scope::Everyone, 100).await.unwrap();
        if pauses.len() >= count {
            assert_eq!(pauses.len(), count, "{pauses:#?}");
            pauses.reverse();
            return pauses;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("there are not {count} pauses within 3 s");
}

/// As Claude Code names its session in a request.
fn with_metadata(request: &str, session: &str) -> String {
    let metadata = format!(r#","metadata":{{"user_id":"{{\"session_id\":\"{session}\"}}"}}}}"#);
    format!("{}{metadata}", request.strip_suffix('}').unwrap())
}

#[tokio::test]
async fn a_session_that_spends_too_fast_is_paused_and_nothing_else_is() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider).await;
    let mut keys = Vec::new();
    for user in ["ann", "bob"] {
        let made = server
            .ledger
            .create_key(&UserId(user.into()), "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS)
            .await
            .unwrap();
        keys.push(made.text.reveal().to_owned());
    }
    let asked = async |key: &str, session: &str, path: &str| {
        server.post(path, &[("x-tollbridge-key", key), (SESSION, session)], REQUEST).await.status
    };
    let (ann, bob) = (keys[0].as_str(), keys[1].as_str());
    for expected in [200, 200, 429, 429] {
        assert_eq!(asked(ann, "s-1", "/v1/messages").await, expected);
    }
    assert_eq!(provider.seen().len(), 2, "a refused call never reaches the provider");
    assert_eq!(asked(ann, "s-2", "/v1/messages").await, 200, "another session of hers");
    assert_eq!(asked(bob, "s-1", "/v1/messages").await, 200, "his session of the same name");
    assert_eq!(asked(ann, "s-1", "/v1/messages/count_tokens").await, 200, "counting is free");
    for _ in 0..3 {
        let answer = server.post("/v1/messages", &[("x-tollbridge-key", ann)], REQUEST).await;
        assert_eq!(answer.status, 200, "without a session");
    }
    let paused = pauses(&server, 1).await.remove(0);
    assert_eq!((paused.user_id.0.as_str(), paused.session_id.as_str()), ("ann", "s-1"));
    assert_eq!((paused.spent, paused.limit), (NanoUsd(21_000_000), NanoUsd(20_000_000)));
    server.events(7).await;
}

#[tokio::test]
async fn a_refusal_says_which_session_how_much_and_where_to_resume_it() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider).await;
    run_away(&server, "s-1").await;
    let refused = ask(&server, "s-1").await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert_eq!(refused.header("retry-after"), Some("3600"));
    assert_eq!(refused.header("content-type"), Some("application/json"));
    let body: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
    let id = body["request_id"].as_str().unwrap();
    let message = "spend limit reached (this session; paused until somebody resumes it). Session s-1 spent $0.021 within a \
                   minute; its limit is $0.02. Other sessions go on. Resume it at http://127.0.0.1:3000/alerts";
    let expected =
        format!(r#"{{"type":"error","error":{{"type":"billing_error","message":"{message}"}},"request_id":"{id}"}}"#);
    assert_eq!(refused.text(), expected);
    server.events(2).await;
}

#[tokio::test]
async fn a_session_that_only_the_request_names_is_known_too() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider).await;
    let in_request = with_metadata(REQUEST, "s-1");
    for expected in [200, 200, 429] {
        assert_eq!(server.post("/v1/messages", &[], &in_request).await.status, expected);
    }
    assert_eq!(ask(&server, "s-1").await.status, 429, "it is the same session");
    assert_eq!(server.post("/v1/messages", &[], &with_metadata(REQUEST, "s-2")).await.status, 200);
    // Larger than what is taken in before the provider is asked, with the session at its end.
    let large = REQUEST.replace("Hi", &"x".repeat(600_000));
    let refused = server.post("/v1/messages", &[], &with_metadata(&large, "s-1")).await;
    assert_eq!((refused.status, refused.error_type().as_str()), (429, "billing_error"));
    assert_eq!(provider.seen().len(), 3, "it did not arrive whole");
    assert_eq!(server.post("/v1/messages", &[], &with_metadata(&large, "s-2")).await.status, 200);
    assert_eq!(provider.seen()[3].body, with_metadata(&large, "s-2").as_bytes(), "one that passes arrives as it was");
}

#[tokio::test]
async fn a_stream_under_way_goes_on_to_its_end() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider).await;
    let pieces = |events: &[&str]| events.iter().map(chunk).collect::<Vec<_>>();
    let pause = vec![Step::Wait(Duration::from_millis(500))];
    provider.play(
        [vec![stream_head(&[])], pieces(&EVENTS[..3]), pause, pieces(&EVENTS[3..]), vec![end_of_chunks()]].concat(),
    );
    let mut stream = server.begin("/v1/messages", &[(SESSION, "s-1")], STREAM_REQUEST).await;
    read_until(&mut stream, "content_block_start").await;
    run_away(&server, "s-1").await;
    assert_eq!(ask(&server, "s-1").await.status, 429);
    let rest = read_until(&mut stream, "0\r\n\r\n").await;
    assert!(String::from_utf8_lossy(&rest).contains("message_stop"));
    let events = server.events(3).await;
    assert!(events.iter().all(|event| event.record.outcome.success), "{events:#?}");
    pauses(&server, 1).await;
}

#[tokio::test]
async fn once_resumed_a_session_goes_on_and_its_minute_begins_anew() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider).await;
    run_away(&server, "s-1").await;
    let id = pauses(&server, 1).await.remove(0).id;
    let resume = format!("/api/analytics/pauses/{id}/resume");
    assert_eq!(server.get(&resume, &[]).await.status, 405, "looking resumes nothing");
    assert_eq!(server.get(&format!("/alerts?id={id}"), &[]).await.status, 200);
    assert_eq!(ask(&server, "s-1").await.status, 429);
    assert_eq!(server.post(&resume, &[], "{}").await.status, 200);
    for expected in [200, 200, 429] {
        assert_eq!(ask(&server, "s-1").await.status, expected);
    }
    let paused = pauses(&server, 2).await;
    assert!(paused[0].resumed.is_some() && paused[1].resumed.is_none());
    assert_eq!(paused[1].spent, NanoUsd(21_000_000), "only what came after");
}

#[tokio::test]
async fn however_many_calls_end_at_once_there_is_one_pause_with_one_alert() {
    let provider = FakeProvider::start().await;
    let server = Arc::new(server_with(&provider).await);
    let calls: Vec<_> = (0..40)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { ask(&server, "s-1").await.status })
        })
        .collect();
    for call in calls {
        assert!([200, 429].contains(&call.await.unwrap()));
    }
    pauses(&server, 1).await;
    let filter = AlertFilter { limit: 100, ..AlertFilter::default() };
    let alerts = server.ledger.alerts(&UserId::owner(), &filter).await.unwrap().alerts;
    assert_eq!(alerts.iter().filter(|alert| alert.subject.kind() == AlertKind::Runaway).count(), 1);
}

#[tokio::test]
async fn what_a_session_spent_a_minute_ago_does_not_count() {
    let provider = FakeProvider::start().await;
    let clock = Clock::fixed_at(NOON_MS);
    let server = server_at(&provider, &Arc::new(tempfile::tempdir().unwrap()), &clock).await;
    let Clock::Fixed(now_ms) = &clock else { unreachable!() };
    for minute in 0..4 {
        now_ms.store(NOON_MS + minute * 61_000, Ordering::Relaxed);
        assert_eq!(ask(&server, "s-1").await.status, 200, "minute {minute}");
    }
    assert_eq!(ask(&server, "s-1").await.status, 200);
    assert_eq!(ask(&server, "s-1").await.status, 429, "two within one");
}

#[tokio::test]
async fn the_chat_is_no_session() {
    let provider = FakeProvider::start().await;
    let with_key = Setup { provider_key: Some("sk-ant-of-the-server"), ..setup() };
    let server = GatewayServer::with(&provider.url(), with_key).await;
    run_away(&server, "s-1").await;
    let body = r#"{"message":"Hi","conversationId":"s-1","model":"claude-sonnet-4-20250514"}"#;
    for _ in 0..4 {
        assert_eq!(server.post("/api/chat", &[], body).await.status, 200);
    }
    let events = server.events(6).await;
    assert!(events.iter().all(|event| event.cost == Some(NanoUsd(10_500_000))), "{events:#?}");
    pauses(&server, 1).await;
}

#[tokio::test]
async fn a_restart_keeps_the_pause() {
    let provider = FakeProvider::start().await;
    let (folder, clock) = (Arc::new(tempfile::tempdir().unwrap()), Clock::fixed_at(NOON_MS));
    let server = server_at(&provider, &folder, &clock).await;
    run_away(&server, "s-1").await;
    pauses(&server, 1).await;
    server.stop().await;
    let server = server_at(&provider, &folder, &clock).await;
    assert_eq!(ask(&server, "s-1").await.status, 429);
    assert_eq!(ask(&server, "s-2").await.status, 200);
    pauses(&server, 1).await;
}

#[tokio::test]
async fn without_the_setting_no_session_is_paused() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    for _ in 0..5 {
        assert_eq!(ask(&server, "s-1").await.status, 200);
    }
    server.events(5).await;
    assert_eq!(server.ledger.pauses(&Scope::Everyone, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_ledger_that_is_gone_holds_up_no_other_session_and_opens_none() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider).await;
    assert_eq!(ask(&server, "s-2").await.status, 200);
    server.ledger.close().await;
    run_away(&server, "s-1").await;
    assert_eq!(ask(&server, "s-1").await.status, 429, "what is known decides");
    assert_eq!(ask(&server, "s-3").await.status, 200);
}

#[tokio::test]
async fn two_instances_on_one_database_know_the_same_pauses_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    two_instances_know_the_same(format!("sqlite:{}", folder.path().join("both.db").display())).await;
}

#[tokio::test]
async fn two_instances_on_one_database_know_the_same_pauses_postgres() {
    let Ok(test_server) = std::env::var("TOLLBRIDGE_TEST_POSTGRES") else {
        assert!(std::env::var("TOLLBRIDGE_TEST_ALL").is_err(), "the PostgreSQL half of the tests may not be skipped");
        return;
    };
    let (before, after) = test_server.split_once("/postgres?").unwrap();
    two_instances_know_the_same(format!("{before}/paused_{}?{after}", uuid::Uuid::now_v7().simple())).await;
}

async fn two_instances_know_the_same(database_url: String) {
    let provider = FakeProvider::start().await;
    let shared = || Setup { database_url: Some(database_url.clone()), ..setup() };
    let one = GatewayServer::with(&provider.url(), shared()).await;
    let two = GatewayServer::with(&provider.url(), shared()).await;
    let a_second = || tokio::time::sleep(Duration::from_millis(1_100));
    // The second one has asked, and would believe its answer for a second.
    assert_eq!(ask(&two, "s-2").await.status, 200);
    run_away(&one, "s-1").await;
    let id = pauses(&one, 1).await.remove(0).id;
    a_second().await;
    assert_eq!(ask(&two, "s-1").await.status, 429);
    let owner = UserId::owner();
    two.ledger.resume_session(&Scope::Everyone, &id, &Actor::account(&owner, None), NOON_MS).await.unwrap().unwrap();
    assert_eq!(ask(&two, "s-1").await.status, 200, "at once where it was resumed");
    a_second().await;
    assert_eq!(ask(&one, "s-1").await.status, 200, "a second later elsewhere");
    assert_eq!(ask(&one, "s-1").await.status, 200);
    assert_eq!(ask(&one, "s-1").await.status, 429, "and there too its minute began anew");
    pauses(&one, 2).await;
}
