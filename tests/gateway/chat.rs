//! The built-in chat: the same path as a client's calls, recorded as the chat's own.

use super::answers::EVENTS;
use super::fake_provider::{FakeProvider, Step, chunk, end_of_chunks, json_answer, stream_head};
use super::gateway_server::{Answer, GatewayServer, Setup, read_until};
use serde_json::Value;
use tollbridge::domain::audit::Actor;
use tollbridge::domain::budget::{AtLimit, Budget};
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::usage::{Source, UserId};

const BODY: &str = r#"{"message":"canary-of-the-prompt","model":"claude-sonnet-4-20250514","agentSlug":"writer"}"#;

async fn server(provider: &FakeProvider) -> GatewayServer {
    let setup = Setup { provider_key: Some("sk-ant-of-the-server"), ..Setup::default() };
    GatewayServer::with(&provider.url(), setup).await
}

fn whole_stream() -> Vec<Step> {
    let mut script = vec![stream_head(&[("request-id", "req_chat")])];
    script.extend(EVENTS.map(chunk));
    script.push(end_of_chunks());
    script
}

/// The data of every event of a kind.
fn events(answer: &Answer, kind: &str) -> Vec<Value> {
    let text = answer.text();
    let of_kind = text.split("\n\n").filter_map(|event| event.strip_prefix(&format!("event: {kind}\ndata: ")));
    of_kind.map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn a_turn_is_streamed_and_recorded_once_with_the_cost_that_it_tells() {
    let provider = FakeProvider::start().await;
    let server = server(&provider).await;
    provider.play(whole_stream());
    let answer = server.post("/api/chat", &[], BODY).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    let start = events(&answer, "start").remove(0);
    let texts: Vec<Value> = events(&answer, "text").into_iter().map(|event| event["text"].clone()).collect();
    assert_eq!(texts, ["Twenty-four characters! ", "And twenty more here"]);
    let usage = events(&answer, "usage").remove(0);
    let event = server.event().await;
    // 25 × $3 + 12 × $15 per million.
    assert_eq!((usage["costNanoUsd"].as_i64(), event.cost), (Some(255_000), Some(NanoUsd(255_000))));
    assert_eq!((&usage["callId"], usage["savedByCacheNanoUsd"].as_i64()), (&event.id.clone().into(), Some(0)));
    assert_eq!((usage["tokens"]["input"].as_u64(), usage["tokens"]["output"].as_u64()), (Some(25), Some(12)));
    assert_eq!(usage["conversationId"].as_str(), event.record.context.conversation_id.as_deref());
    assert!(usage["conversationId"].is_string());
    assert_eq!((&start["callId"], &start["conversationId"]), (&usage["callId"], &usage["conversationId"]));
    assert_eq!((event.record.source, event.record.context.agent_slug.as_deref()), (Source::Chat, Some("writer")));
    let kept = format!("{event:?}");
    assert!(!kept.contains("canary") && !kept.contains("Twenty"), "{kept}");
    let seen = &provider.seen()[0];
    assert_eq!((seen.target.as_str(), seen.header("x-api-key")), ("/v1/messages", vec!["sk-ant-of-the-server"]));
}

#[tokio::test]
async fn what_the_cache_saved_is_told() {
    let provider = FakeProvider::start().await;
    let server = server(&provider).await;
    let start = EVENTS[0].replace("\"cache_read_input_tokens\":0", "\"cache_read_input_tokens\":1000");
    let mut script = vec![stream_head(&[]), chunk(start)];
    script.extend(EVENTS[1..].iter().map(chunk));
    script.push(end_of_chunks());
    provider.play(script);
    let answer = server.post("/api/chat", &[], BODY).await;
    // 1,000 × ($3 − $0.30) per million.
    assert_eq!(events(&answer, "usage")[0]["savedByCacheNanoUsd"], 2_700_000);
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_told_in_our_words_and_recorded() {
    let provider = FakeProvider::start().await;
    let server = server(&provider).await;
    let refusal = r#"{"type":"error","error":{"type":"rate_limit_error","message":"canary"}}"#;
    provider.play(vec![Step::Send(json_answer(429, &[], refusal))]);
    let answer = server.post("/api/chat", &[], BODY).await;
    assert_eq!(answer.status, 429);
    assert!(answer.text().contains("rate limit") && !answer.text().contains("canary"), "{}", answer.text());
    let record = server.event().await.record;
    assert_eq!((record.source, record.outcome.error_message.as_deref()), (Source::Chat, Some("rate_limit_error")));
}

#[tokio::test]
async fn a_budget_that_blocks_says_so_in_its_own_words() {
    let provider = FakeProvider::start().await;
    let server = server(&provider).await;
    // A cent; the longest answer may cost six.
    let budget = Budget::parse(1, [50, 75, 90], "UTC").unwrap().with_at_limit(AtLimit::Block);
    server.ledger.save_budget(&UserId::owner(), &budget, &Actor::command_line(), 0).await.unwrap();
    let answer = server.post("/api/chat", &[], BODY).await;
    assert_eq!(answer.status, 429);
    assert!(answer.text().contains("spend limit reached (monthly; resets "), "{}", answer.text());
    let retry_after_s: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(retry_after_s > 60, "until the month ends, not {retry_after_s} s");
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn an_error_within_the_stream_is_told_and_what_it_cost_too() {
    let provider = FakeProvider::start().await;
    let server = server(&provider).await;
    let error =
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"canary\"}}\n\n";
    provider.play(vec![stream_head(&[]), chunk(EVENTS[0]), chunk(EVENTS[3]), chunk(error), end_of_chunks()]);
    let answer = server.post("/api/chat", &[], BODY).await;
    assert!(events(&answer, "error")[0]["message"].as_str().unwrap().contains("overloaded"));
    assert!(!answer.text().contains("canary"));
    let event = server.event().await;
    assert_eq!(events(&answer, "usage")[0]["costNanoUsd"].as_i64(), event.cost.map(|cost| cost.0));
    assert!(!event.record.outcome.success);
}

#[tokio::test]
async fn an_answer_that_ends_before_it_is_over_is_told_so() {
    for ending in [end_of_chunks(), Step::Close] {
        let provider = FakeProvider::start().await;
        let server = server(&provider).await;
        provider.play(vec![stream_head(&[]), chunk(EVENTS[0]), chunk(EVENTS[3]), ending]);
        let answer = server.post("/api/chat", &[], BODY).await;
        assert_eq!(events(&answer, "error").len(), 1, "{}", answer.text());
        assert!(events(&answer, "error")[0]["message"].as_str().unwrap().contains("broke off"));
        assert_eq!(events(&answer, "usage")[0]["tokens"]["input"], 25, "what it cost is told all the same");
    }
}

#[tokio::test]
async fn each_refusal_of_the_provider_has_words_of_its_own() {
    let words = [
        (400, "refused the request"),
        (401, "ANTHROPIC_API_KEY"),
        (404, "does not know this model"),
        (413, "longer than the provider takes"),
        (529, "overloaded"),
        (504, "did not answer in time"),
        (500, "could not answer"),
    ];
    for (status, wanted) in words {
        let provider = FakeProvider::start().await;
        let server = server(&provider).await;
        provider.play(vec![Step::Send(json_answer(status, &[], "{}"))]);
        let answer = server.post("/api/chat", &[], BODY).await;
        assert!(answer.text().contains(wanted), "{status}: {}", answer.text());
    }
}

#[tokio::test]
async fn without_a_provider_key_nothing_is_asked() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let answer = server.post("/api/chat", &[], BODY).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("ANTHROPIC_API_KEY"));
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn a_page_of_another_site_cannot_spend_money() {
    let provider = FakeProvider::start().await;
    let server = server(&provider).await;
    for header in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")] {
        assert_eq!(server.post("/api/chat", &[header], BODY).await.status, 403);
    }
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn who_hangs_up_on_the_chat_hangs_up_on_the_provider() {
    let provider = FakeProvider::start().await;
    let server = server(&provider).await;
    provider.play(vec![stream_head(&[]), chunk(EVENTS[0]), chunk(EVENTS[3]), Step::Hang]);
    let mut client = server.begin("/api/chat", &[], BODY).await;
    read_until(&mut client, "Twenty-four").await;
    drop(client);
    provider.hung_up().await;
    let record = server.event().await.record;
    assert_eq!((record.source, record.outcome.error_message.as_deref()), (Source::Chat, Some("client_closed")));
}
