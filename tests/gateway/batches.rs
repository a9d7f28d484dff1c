//! Message batches: results come through us, and count once.

use super::fake_provider::{FakeProvider, Seen, Step, answer, json_answer};
use super::gateway_server::{GatewayServer, Setup};
use super::postgres_proxy::PostgresProxy;
use std::time::{Duration, Instant};
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::Actor;
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::usage::{PricingState, Source, UsageEvent, UserId};
use tollbridge::ledger::key::CreatedKey;

const RESULTS: &str = concat!(
    r#"{"custom_id":"one","result":{"type":"succeeded","message":{"id":"msg_b1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":10000,"cache_creation_input_tokens":4000,"cache_creation":{"ephemeral_5m_input_tokens":4000,"ephemeral_1h_input_tokens":0},"cache_read_input_tokens":8000,"output_tokens":2000,"service_tier":"batch","server_tool_use":{"web_search_requests":2}}}}}"#,
    "\n",
    r#"{"custom_id":"two","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"secret"}}}}"#,
    "\n",
    r#"{"custom_id":"three","result":{"type":"canceled"}}"#,
    "\n",
    r#"{"custom_id":"four","result":{"type":"expired"}}"#,
    "\n",
    "not json\n",
    // The last line has no end.
    r#"{"custom_id":"five","result":{"type":"succeeded","message":{"id":"msg_b2","type":"message","model":"claude-haiku-4-5","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":0}}}}"#,
);

/// A batch that the provider does not take, though it answers as if.
const REFUSED: &str = r#"{"requests":"none"}"#;

fn batch(host: &str) -> String {
    format!(
        r#"{{ "id":"msgbatch_1","processing_status":"ended", "results_url":"{host}/v1/messages/batches/msgbatch_1/results"}}"#
    )
}

fn behave(seen: &Seen) -> Vec<Step> {
    let answered = match seen.target.as_str() {
        _ if seen.body == REFUSED.as_bytes() => json_answer(400, &[], &batch("https://api.anthropic.com")),
        target if target.ends_with("/results") => answer(200, &[("content-type", "application/x-jsonl")], RESULTS),
        _ => json_answer(200, &[("request-id", "req_1")], &batch("https://api.anthropic.com")),
    };
    vec![Step::Send(answered)]
}

#[tokio::test]
async fn the_results_address_leads_through_us_and_all_else_stays() {
    let provider = FakeProvider::behaving(behave).await;
    let server = GatewayServer::before(&provider).await;
    let ours = batch(&format!("http://{}", server.address));
    let made = server.post("/v1/messages/batches", &[], r#"{"requests":[]}"#).await;
    assert_eq!(made.text(), ours);
    assert!(made.is_complete, "the length is right");
    assert_eq!(made.header("request-id"), Some("req_1"));
    assert_eq!(server.get("/v1/messages/batches/msgbatch_1", &[]).await.text(), ours);
    server.events(0).await;
}

#[tokio::test]
async fn results_are_recorded_once_however_often_they_are_fetched() {
    let provider = FakeProvider::behaving(behave).await;
    let server = GatewayServer::before(&provider).await;
    for _ in 0..3 {
        let results = server.get("/v1/messages/batches/msgbatch_1/results", &[]).await;
        assert_eq!(results.text(), RESULTS);
    }
    let events = server.events(4).await;
    let of = |custom_id: &str| {
        let key = format!("batch:msgbatch_1:{custom_id}");
        events.iter().find(|event| event.record.dedup_key == key).unwrap()
    };
    // Half price for tokens, none off the two searches: $0.0129 and $0.02.
    assert_eq!(of("one").cost, Some(NanoUsd(32_900_000)));
    assert_eq!((of("one").record.source, of("one").pricing_state), (Source::Gateway, PricingState::Exact));
    assert_eq!(of("one").record.context.message_id.as_deref(), Some("msg_b1"));
    assert_eq!(of("two").record.outcome.error_message.as_deref(), Some("invalid_request_error"));
    assert_eq!(of("two").pricing_state, PricingState::NoUsage);
    // A result that cannot be read has cost something, nobody knows how much.
    let unread = of("line 5");
    assert_eq!((unread.pricing_state, unread.cost, unread.record.outcome.success), (PricingState::NoUsage, None, true));
    // A batch is half price even if the usage does not say so: 1,000 × $1 per million, halved.
    assert_eq!(of("five").cost, Some(NanoUsd(500_000)));
    assert!(!format!("{events:?}").contains("secret"));
}

/// As with a call: the model that answered is billed, and what broke off before it beside it.
#[tokio::test]
async fn a_result_after_a_fallback_is_of_the_model_that_answered() {
    let line = |custom_id: &str, stop_reason: &str, usage: &str| {
        format!(
            r#"{{"custom_id":"{custom_id}","result":{{"type":"succeeded","message":{{"type":"message","model":"claude-sonnet-4-20250514","content":[],"stop_reason":"{stop_reason}","usage":{usage}}}}}}}"#
        )
    };
    let fell_back = r#"{"input_tokens":1000,"output_tokens":100,"iterations":[
        {"type":"message","model":"claude-sonnet-4-20250514","input_tokens":1000,"output_tokens":10},
        {"type":"fallback_message","model":"claude-haiku-4-5","input_tokens":1000,"output_tokens":100}]}"#;
    let results = [
        line("fell-back", "end_turn", &fell_back.replace('\n', "")),
        // Its parts contradict each other, but nothing of it is billed.
        line(
            "refused",
            "refusal",
            r#"{"input_tokens":9,"output_tokens":0,"output_tokens_details":{"thinking_tokens":1}}"#,
        ),
    ]
    .join("\n");
    let provider = FakeProvider::behaving(move |_| {
        vec![Step::Send(answer(200, &[("content-type", "application/x-jsonl")], &results))]
    })
    .await;
    let server = GatewayServer::before(&provider).await;
    server.get("/v1/messages/batches/msgbatch_1/results", &[]).await;
    let events = server.events(3).await;
    let of =
        |key: &str| events.iter().find(|event| event.record.dedup_key == format!("batch:msgbatch_1:{key}")).unwrap();
    // 1,000 × $1 and 100 × $5 per million, halved.
    assert_eq!(
        (of("fell-back").record.model.as_str(), of("fell-back").cost),
        ("claude-haiku-4-5", Some(NanoUsd(750_000)))
    );
    let attempt = of("fell-back:fallback:0");
    // 1,000 × $3 and 10 × $15 per million, halved.
    assert_eq!((attempt.record.model.as_str(), attempt.cost), ("claude-sonnet-4-20250514", Some(NanoUsd(1_575_000))));
    assert_eq!((of("refused").pricing_state, of("refused").cost), (PricingState::Exact, Some(NanoUsd::ZERO)));
}

/// They wait where calls wait, and are counted like them.
#[tokio::test]
async fn results_wait_in_the_spool_while_the_ledger_is_gone() {
    let provider = FakeProvider::behaving(behave).await;
    let server = GatewayServer::before(&provider).await;
    // So that it is known who calls.
    server.get("/v1/messages/batches/msgbatch_1", &[]).await;
    server.ledger.close().await;
    assert_eq!(server.get("/v1/messages/batches/msgbatch_1/results", &[]).await.text(), RESULTS);
    // The last one is read when the client has it.
    for _ in 0..500 {
        if server.recorder.health().spool_depth == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let health = server.recorder.health();
    assert_eq!((health.spool_depth, health.lost.total()), (4, 0));
}

#[tokio::test]
async fn results_are_whose_the_batch_is_whoever_fetches_them() {
    let provider = FakeProvider::behaving(behave).await;
    let server = GatewayServer::before(&provider).await;
    let (ann, bob) = (new_key(&server, "ann").await, new_key(&server, "bob").await);
    create(&server, &ann).await;
    // Asking for it makes it nobody else's.
    let asked = server.get("/v1/messages/batches/msgbatch_1", &[("x-tollbridge-key", bob.text.reveal())]).await;
    assert_eq!(asked.status, 200);
    for fetching in [&bob, &ann] {
        // So that the ledger is asked again each time.
        server.recorder.drained().await;
        fetch(&server, fetching).await;
        all_are_of(&ann, &server.events(4).await);
    }
    for event in server.events(4).await {
        let context = event.record.context;
        assert_eq!((context.agent_slug.as_deref(), &*context.tags), (Some("writer"), &["nightly".to_owned()][..]));
    }
}

#[tokio::test]
async fn results_of_a_batch_that_nobody_saw_created_are_whose_fetches_first() {
    let provider = FakeProvider::behaving(behave).await;
    let server = GatewayServer::before(&provider).await;
    let (ann, bob) = (new_key(&server, "ann").await, new_key(&server, "bob").await);
    // Neither is a creation: what the provider refuses, nor a list.
    let headers = [("x-tollbridge-key", ann.text.reveal())];
    assert_eq!(server.post("/v1/messages/batches", &headers, REFUSED).await.status, 400);
    assert_eq!(server.get("/v1/messages/batches", &headers).await.status, 200);
    for fetching in [&bob, &ann] {
        fetch(&server, fetching).await;
        all_are_of(&bob, &server.events(4).await);
    }
}

#[tokio::test]
async fn two_who_fetch_at_once_do_not_both_have_the_results() {
    let provider = FakeProvider::behaving(behave).await;
    let server = GatewayServer::before(&provider).await;
    let keys = [new_key(&server, "ann").await, new_key(&server, "bob").await];
    let fetches = (0..20).map(|n| fetch(&server, &keys[n % 2]));
    futures::future::join_all(fetches).await;
    let events = server.events(4).await;
    let first = keys.iter().find(|key| key.key.user_id == events[0].record.user_id).unwrap();
    all_are_of(first, &events);
}

#[tokio::test]
async fn a_ledger_that_hangs_holds_up_no_batch_and_forgets_no_owner_postgres() {
    let Some(proxy) = PostgresProxy::start().await else { return };
    let provider = FakeProvider::behaving(behave).await;
    let setup = Setup { database_url: Some(proxy.url.clone()), ..Setup::default() };
    let server = GatewayServer::with(&provider.url(), setup).await;
    let (ann, bob) = (new_key(&server, "ann").await, new_key(&server, "bob").await);
    for key in [&ann, &bob] {
        server.get("/v1/models", &[("x-tollbridge-key", key.text.reveal())]).await;
    }
    proxy.hang();
    let began = Instant::now();
    create(&server, &ann).await;
    fetch(&server, &bob).await;
    // Who they are is waited for once; whose the batch is, never.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    proxy.open();
    tokio::time::timeout(Duration::from_secs(30), server.recorder.drained()).await.expect("the ledger has all of it");
    all_are_of(&ann, &server.events(4).await);
    assert_eq!(server.recorder.health().lost.total(), 0);
}

async fn new_key(server: &GatewayServer, user: &str) -> CreatedKey {
    let user = UserId(user.into());
    server.ledger.create_key(&user, "laptop", &[KeyScope::Proxy], &Actor::command_line(), 0).await.unwrap()
}

async fn create(server: &GatewayServer, CreatedKey { key, text }: &CreatedKey) {
    let project = format!("of {}", key.user_id.0);
    let headers = [
        ("x-tollbridge-key", text.reveal()),
        ("x-tollbridge-project", &project),
        ("x-tollbridge-agent", "writer"),
        ("x-tollbridge-tags", "nightly"),
    ];
    assert_eq!(server.post("/v1/messages/batches", &headers, r#"{"requests":[]}"#).await.status, 200);
}

async fn fetch(server: &GatewayServer, CreatedKey { key, text }: &CreatedKey) {
    let project = format!("of {}", key.user_id.0);
    let headers = [("x-tollbridge-key", text.reveal()), ("x-tollbridge-project", &project)];
    assert_eq!(server.get("/v1/messages/batches/msgbatch_1/results", &headers).await.text(), RESULTS);
}

fn all_are_of(CreatedKey { key, .. }: &CreatedKey, events: &[UsageEvent]) {
    let project = format!("of {}", key.user_id.0);
    for UsageEvent { record, .. } in events {
        assert_eq!((&record.user_id, record.api_key_id.as_ref()), (&key.user_id, Some(&key.id)));
        assert_eq!(record.context.project.as_ref(), Some(&project));
    }
}
