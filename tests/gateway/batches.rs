//! Message batches: results come through us, and count once.

use super::fake_provider::{FakeProvider, Seen, Step, answer, json_answer};
use super::gateway_server::GatewayServer;
use std::time::Duration;
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::usage::{PricingState, Source};

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

fn batch(host: &str) -> String {
    format!(
        r#"{{ "id":"msgbatch_1","processing_status":"ended", "results_url":"{host}/v1/messages/batches/msgbatch_1/results"}}"#
    )
}

fn behave(seen: &Seen) -> Vec<Step> {
    let answered = match seen.target.as_str() {
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
    let events = server.events(3).await;
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
    // A batch is half price even if the usage does not say so: 1,000 × $1 per million, halved.
    assert_eq!(of("five").cost, Some(NanoUsd(500_000)));
    assert!(!format!("{events:?}").contains("secret"));
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
        if server.recorder.health().spool_depth == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let health = server.recorder.health();
    assert_eq!((health.spool_depth, health.lost.total()), (3, 0));
}
