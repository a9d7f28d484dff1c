//! What the ledger knows of a call that went well.

use super::answers::{EVENTS, MESSAGE, REQUEST, STREAM_REQUEST};
use super::fake_provider::{FakeProvider, Step, chunk, end_of_chunks, json_answer, stream_head};
use super::gateway_server::GatewayServer;
use serde_json::{Value, json};
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::usage::{PricingState, Source, UsageRecord, UserId};

fn whole_stream(headers: &[(&str, &str)]) -> Vec<Step> {
    let mut script = vec![stream_head(headers)];
    script.extend(EVENTS.map(chunk));
    script.push(end_of_chunks());
    script
}

#[tokio::test]
async fn a_message_is_one_event_with_its_exact_cost() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    provider.play(vec![Step::Send(json_answer(200, &[("request-id", "req_7")], MESSAGE))]);
    let answered = server.post("/v1/messages", &[], REQUEST).await;

    let event = server.event().await;
    assert_eq!(answered.header("x-tollbridge-call-id"), Some(event.id.as_str()));
    // 1,000 × $3 + 500 × $15 per million.
    assert_eq!(event.cost, Some(NanoUsd(10_500_000)));
    assert_eq!(event.pricing_state, PricingState::Exact);
    let record = event.record;
    assert_eq!((record.source, record.user_id), (Source::Gateway, UserId::owner()));
    assert_eq!((record.tokens.input, record.tokens.output), (1_000, 500));
    assert_eq!(record.dedup_key, "req_7", "by which logs and telemetry know the call too");
    assert_eq!(record.context.request_id.as_deref(), Some("req_7"));
    assert_eq!(record.context.message_id.as_deref(), Some("msg_1"));
    assert_eq!(record.context.tools_used, ["get_weather"]);
    assert_eq!(record.outcome.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!((record.outcome.success, record.outcome.status_code), (true, Some(200)));
    assert!(record.outcome.response_time_ms.is_some());
    assert_eq!(record.terms.service_tier.as_deref(), Some("standard"));
    assert!(record.usage_json.unwrap().contains("\"input_tokens\":1000"));
}

#[tokio::test]
async fn a_stream_is_one_event_with_its_exact_cost() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    provider.play(whole_stream(&[("request-id", "req_8")]));
    server.post("/v1/messages?beta=true", &[], STREAM_REQUEST).await;
    let event = server.event().await;
    // 25 × $3 + 12 × $15 per million.
    assert_eq!(event.cost, Some(NanoUsd(255_000)));
    assert_eq!(event.pricing_state, PricingState::Exact);
    assert!(event.record.outcome.success && event.record.outcome.first_token_ms.is_some());
    assert_eq!(event.record.context.message_id.as_deref(), Some("msg_2"));
}

#[tokio::test]
async fn the_event_says_what_the_call_belonged_to() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let sent = [
        ("x-tollbridge-project", "website"),
        ("x-tollbridge-agent", "reviewer"),
        ("x-tollbridge-conversation", "c-9"),
        ("x-tollbridge-tags", "team:data, prod"),
    ];
    let body = REQUEST.replace("{\"model\"", r#"{"metadata":{"user_id":"user_0_account__session_s-4"},"model""#);
    server.post("/v1/messages", &sent, &body).await;
    let context = server.event().await.record.context;
    assert_eq!(context.project.as_deref(), Some("website"));
    assert_eq!(context.agent_slug.as_deref(), Some("reviewer"));
    assert_eq!(context.conversation_id.as_deref(), Some("c-9"));
    assert_eq!(context.session_id.as_deref(), Some("s-4"), "from metadata.user_id");
    assert_eq!(context.tags, ["team:data", "prod"]);
}

#[tokio::test]
async fn two_calls_on_one_connection_are_two_events() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    for id in ["req_a", "req_b"] {
        provider.play(whole_stream(&[("request-id", id)]));
        server.post("/v1/messages", &[], STREAM_REQUEST).await;
    }
    // No request id: each call is its own.
    server.post("/v1/messages", &[], REQUEST).await;
    server.post("/v1/messages", &[], REQUEST).await;
    let events = server.events(4).await;
    assert!(events.iter().all(|event| event.record.outcome.success));
}

#[tokio::test]
async fn an_advisor_is_billed_beside_the_call() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let body = r#"{"id":"msg_3","type":"message","model":"claude-sonnet-4-20250514","content":[],"stop_reason":"end_turn",
        "usage":{"input_tokens":1000,"output_tokens":500,"iterations":[
            {"type":"message","input_tokens":1000,"output_tokens":500},
            {"type":"advisor_message","model":"claude-opus-4-20250514","input_tokens":1000,"output_tokens":100}]}}"#;
    provider.play(vec![Step::Send(json_answer(200, &[("request-id", "req_9")], body))]);
    server.post("/v1/messages", &[], REQUEST).await;
    let events = server.events(2).await;
    let part = events.iter().find(|event| event.record.part_of.is_some()).unwrap();
    // 1,000 × $15 + 100 × $75 per million.
    assert_eq!(part.cost, Some(NanoUsd(22_500_000)));
    assert_eq!(part.record.part_of.as_deref(), Some("req_9"));
}

/// An answer with that usage: in one piece, streamed with all of it at the start, and streamed with it at the end.
fn told_three_ways(model: &str, stop_reason: &str, usage: &Value) -> [Vec<Step>; 3] {
    let message =
        |usage: &Value| json!({"id": "msg_5", "type": "message", "model": model, "content": [], "usage": usage});
    let stream = |id: &str, first: &Value, last: &Value| {
        let start = json!({"type": "message_start", "message": message(first)});
        let delta = json!({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": last});
        let events =
            [format!("event: message_start\ndata: {start}\n\n"), format!("event: message_delta\ndata: {delta}\n\n")];
        let [start, delta] = events.map(chunk);
        vec![stream_head(&[("request-id", id)]), start, delta, chunk(EVENTS[7]), end_of_chunks()]
    };
    let mut whole = message(usage);
    whole["stop_reason"] = stop_reason.into();
    [
        vec![Step::Send(json_answer(200, &[("request-id", "req_whole")], &whole.to_string()))],
        stream("req_early", usage, &json!({"output_tokens": usage["output_tokens"]})),
        stream("req_late", &json!({"input_tokens": 1, "output_tokens": 1}), usage),
    ]
}

#[tokio::test]
async fn the_terms_that_the_answer_names_are_kept_and_priced() {
    // Opus 5: 1,000 × $5 + 100 × $25 per million.
    const LIST: i64 = 7_500_000;
    for (tier, speed, geo, cost, state) in [
        ("standard", "standard", "global", LIST, PricingState::Exact),
        ("standard", "fast", "global", LIST * 2, PricingState::Exact),
        ("standard", "standard", "us", LIST * 11 / 10, PricingState::Exact),
        ("standard", "fast", "us", LIST * 22 / 10, PricingState::Exact),
        // By contract, so list price is a guess.
        ("priority", "standard", "global", LIST, PricingState::Estimated),
    ] {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let mut usage = json!({"service_tier": tier, "speed": speed, "inference_geo": geo});
        usage["input_tokens"] = 1000.into();
        usage["output_tokens"] = 100.into();
        for script in told_three_ways("claude-opus-5", "end_turn", &usage) {
            provider.play(script);
            server.post("/v1/messages", &[], REQUEST).await;
        }
        for event in server.events(3).await {
            let terms = &event.record.terms;
            assert_eq!(
                [&terms.service_tier, &terms.speed, &terms.geo].map(Option::as_deref),
                [tier, speed, geo].map(Some),
                "{event:#?}"
            );
            assert_eq!((event.cost, event.pricing_state), (Some(NanoUsd(cost)), state), "{event:#?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_before_any_output_costs_nothing_and_one_after_some_does() {
    for (output, input, cost) in [(0, 0, 0), (7, 1_000, 5_175_000)] {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let usage = json!({"input_tokens": 1000, "output_tokens": output});
        for script in told_three_ways("claude-opus-5", "refusal", &usage) {
            provider.play(script);
            server.post("/v1/messages", &[], REQUEST).await;
        }
        for event in server.events(3).await {
            assert_eq!((event.cost, event.pricing_state), (Some(NanoUsd(cost)), PricingState::Exact), "{event:#?}");
            assert_eq!((event.record.tokens.input, event.record.tokens.output), (input, output));
            assert_eq!(event.record.outcome.stop_reason.as_deref(), Some("refusal"));
            assert!(event.record.outcome.success);
        }
    }
}

#[tokio::test]
async fn a_call_and_its_parts_are_an_event_each_at_the_price_of_the_model_that_did_it() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let usage = json!({"input_tokens": 1000, "output_tokens": 100, "iterations": [
        {"type": "message", "model": "claude-fable-5-2", "input_tokens": 1000, "output_tokens": 10},
        {"type": "fallback_message", "model": "claude-opus-5", "input_tokens": 1000, "output_tokens": 60},
        {"type": "advisor_message", "model": "claude-haiku-4-5", "input_tokens": 1000, "output_tokens": 100},
        {"type": "compaction", "input_tokens": 2000, "output_tokens": 100},
        {"type": "message", "model": "claude-opus-5", "input_tokens": 0, "output_tokens": 40},
    ]});
    for script in told_three_ways("claude-fable-5-2", "end_turn", &usage) {
        provider.play(script);
        server.post("/v1/messages", &[], REQUEST).await;
    }
    let mut known: Vec<_> = server
        .events(12)
        .await
        .into_iter()
        .map(|event| {
            let UsageRecord { dedup_key, part_of, model, .. } = event.record;
            (dedup_key, part_of, model, event.cost.unwrap().0)
        })
        .collect();
    known.sort();
    let mut expected = Vec::new();
    for id in ["req_early", "req_late", "req_whole"] {
        let part =
            |name: &str, model: &str, cost| (format!("{id}:{name}"), Some(id.to_owned()), model.to_owned(), cost);
        expected.extend([
            (id.to_owned(), None, "claude-opus-5".to_owned(), 7_500_000),
            part("advisor:1", "claude-haiku-4-5", 1_500_000),
            part("compaction:2", "claude-opus-5", 12_500_000),
            part("fallback:0", "claude-fable-5-2", 8_400_000),
        ]);
    }
    assert_eq!(known, expected);
}

#[tokio::test]
async fn no_prompt_answer_or_key_is_kept() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let body = REQUEST.replace("Hi", "canary-of-the-prompt");
    server.post("/v1/messages", &[("x-api-key", "sk-ant-canary")], &body).await;
    let error = r#"{"type":"error","error":{"type":"invalid_request_error","message":"canary-of-the-prompt is long"}}"#;
    provider.play(vec![Step::Send(json_answer(400, &[], error))]);
    server.post("/v1/messages", &[("x-api-key", "sk-ant-canary")], &body).await;
    let kept = format!("{:?}", server.events(2).await);
    assert!(!kept.contains("canary") && !kept.contains("Hello"), "{kept}");
}
