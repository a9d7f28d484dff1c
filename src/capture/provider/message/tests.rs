use super::*;
use crate::capture::provider::sse::SseParser;
use proptest::prelude::*;
use serde_json::json;

/// The documentation's web search example, shortened: the input grows from `message_start` to `message_delta`.
const WEB_SEARCH: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-5","content":[],"stop_reason":null,"usage":{"input_tokens":2679,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":100,"ephemeral_1h_input_tokens":200},"cache_read_input_tokens":0,"output_tokens":3,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"I'll check für 日本 — "}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{}}}

event: something_new
data: {"type":"something_new","usage":{"output_tokens":1}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":100}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":10682,"cache_creation_input_tokens":null,"cache_read_input_tokens":0,"output_tokens":510,"output_tokens_details":{"thinking_tokens":60},"server_tool_use":{"web_search_requests":1}}}

event: message_stop
data: {"type":"message_stop"}

"#;

fn read(pieces: &[&[u8]]) -> MessageReading {
    let (mut parser, mut reading) = (SseParser::default(), MessageReading::default());
    for piece in pieces {
        parser.push(piece, |name, data| reading.read_event(name, data));
    }
    reading
}

fn stream(events: &[Value]) -> MessageReading {
    let text: String = events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or("none")))
        .collect();
    read(&[text.as_bytes()])
}

fn start(output: u64) -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-opus-5",
           "usage": {"input_tokens": 25, "output_tokens": output}}})
}

fn text(text: &str) -> Value {
    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
}

fn delta(usage: Value) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage})
}

#[test]
fn the_last_delta_wins_and_the_split_of_the_start_stays() {
    let reading = read(&[WEB_SEARCH.as_bytes()]);
    let usage = reading.known_usage();
    assert!(!usage.is_estimated && reading.has_ended);
    let tokens = usage.parsed.tokens;
    assert_eq!((tokens.input, tokens.output, tokens.output_thinking), (10_682, 510, Some(60)));
    assert_eq!((tokens.cache_write_5m, tokens.cache_write_1h), (100, 200));
    assert_eq!(usage.parsed.web_search_count, 1);
    assert_eq!(usage.parsed.terms.service_tier.as_deref(), Some("standard"));
    assert_eq!((reading.message_id.as_deref(), reading.model.as_deref()), (Some("msg_01"), Some("claude-opus-5")));
    assert_eq!(reading.stop_reason.as_deref(), Some("end_turn"));
    assert_eq!(reading.tools_used.0, ["web_search"]);
    assert_eq!(reading.unread_events, 0);
}

#[test]
fn every_split_point_and_line_ending_tells_the_same() {
    let whole = read(&[WEB_SEARCH.as_bytes()]);
    for end in ["\n", "\r\n", "\r"] {
        let text = WEB_SEARCH.replace('\n', end);
        for split in 0..=text.len() {
            let (one, two) = text.as_bytes().split_at(split);
            assert_eq!(read(&[one, two]), whole, "{end:?} split at {split}");
        }
    }
}

#[test]
fn a_stream_that_breaks_off_has_exact_input_and_estimated_output() {
    // 41 characters make 10 tokens; the placeholder of the start was 3.
    let reading = stream(&[start(3), text("four tokens here"), text("and some more, in all 41.")]);
    let usage = reading.known_usage();
    assert_eq!((usage.parsed.tokens.input, usage.parsed.tokens.output), (25, 10));
    assert!(usage.is_estimated && !reading.has_ended);
}

#[test]
fn an_estimate_is_never_below_what_the_provider_said() {
    let usage = stream(&[start(8), text("x")]).known_usage();
    assert_eq!((usage.parsed.tokens.output, usage.is_estimated), (8, true));
    let not_final = json!({"type": "message_delta", "delta": {}, "usage": {"output_tokens": 90}});
    let usage = stream(&[start(8), text("x"), not_final]).known_usage();
    assert_eq!((usage.parsed.tokens.output, usage.is_estimated), (90, true));
}

#[test]
fn thinking_and_tool_input_count_as_written() {
    let thinking = json!({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "12345678"}});
    let tool =
        json!({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{\"a\":1}x"}});
    let signature =
        json!({"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "abcdefgh"}});
    let reading = stream(&[start(1), thinking, tool, signature]);
    assert_eq!(reading.known_usage().parsed.tokens.output, 4);
    assert_eq!(reading.unread_events, 0);
}

#[test]
fn a_stop_reason_without_message_stop_is_complete() {
    let reading = stream(&[start(1), delta(json!({"output_tokens": 7}))]);
    assert!(reading.has_ended);
    assert_eq!(reading.known_usage().parsed.tokens.output, 7);
    assert!(!reading.known_usage().is_estimated);
}

#[test]
fn a_stop_without_usage_leaves_the_output_estimated() {
    let reading = stream(&[start(1), text("12345678"), json!({"type": "message_stop"})]);
    let usage = reading.known_usage();
    assert!(reading.has_ended && usage.is_estimated);
    assert_eq!(usage.parsed.tokens.output, 2);
}

#[test]
fn no_usage_anywhere_is_no_usage() {
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "model": "m"}});
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let usage = stream(&[start, text("abcd"), delta]).known_usage();
    assert!(!usage.parsed.has_usage && !usage.is_estimated);
}

#[test]
fn an_error_after_the_start_is_told_by_its_type_alone() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "your prompt was …"}});
    let reading = stream(&[start(1), error]);
    assert_eq!(reading.error_type.as_deref(), Some("overloaded_error"));
    assert!(!format!("{reading:?}").contains("prompt"));
    assert!(reading.known_usage().is_estimated);
}

#[test]
fn nothing_after_message_stop_counts() {
    let late = delta(json!({"output_tokens": 999}));
    let reading = stream(&[start(1), delta(json!({"output_tokens": 7})), json!({"type": "message_stop"}), late]);
    assert_eq!(reading.known_usage().parsed.tokens.output, 7);
}

#[test]
fn impossible_counts_leave_the_better_ones_and_an_estimate() {
    for bad in
        [json!({"output_tokens": -5}), json!({"output_tokens": 1e300}), json!({"output_tokens": "7"}), json!([7])]
    {
        let reading = stream(&[start(3), delta(bad.clone())]);
        let usage = reading.known_usage();
        assert_eq!((usage.parsed.tokens.input, usage.parsed.tokens.output), (25, 3), "{bad}");
        assert!(usage.is_estimated && reading.unread_events == 1, "{bad}");
    }
}

#[test]
fn garbage_is_counted_and_survived() {
    let deep = "[".repeat(5_000);
    for data in ["", "null", "7", "{", "{\"type\":5}", "{\"type\":\"message_start\"}", "\u{0}", deep.as_str()] {
        for name in ["message_start", "message_delta", "content_block_delta", ""] {
            let mut reading = stream(&[start(3)]);
            reading.read_event(name.as_bytes(), data.as_bytes());
            assert_eq!(reading.unread_events, 1, "{name} {data}");
            assert_eq!(reading.known_usage().parsed.tokens.input, 25);
        }
    }
}

#[test]
fn a_message_in_one_piece() {
    let body = json!({"id": "msg_2", "type": "message", "role": "assistant", "model": "claude-sonnet-4-20250514",
        "content": [{"type": "text", "text": "hello"}, {"type": "tool_use", "id": "t", "name": "get_weather", "input": {}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 1000, "output_tokens": 500}});
    let reading = MessageReading::from_body(body.to_string().as_bytes()).unwrap();
    let usage = reading.known_usage();
    assert_eq!((usage.parsed.tokens.input, usage.parsed.tokens.output, usage.is_estimated), (1000, 500, false));
    assert_eq!(reading.tools_used.0, ["get_weather"]);
    assert!(reading.has_ended);
    assert!(MessageReading::from_body(b"<html>").is_err());
    let other = MessageReading::from_body(br#"{"input_tokens": 4096}"#).unwrap();
    assert!(!other.known_usage().parsed.has_usage, "the count of count_tokens is not usage");
}

proptest! {
    #[test]
    fn any_pieces_tell_the_same(cuts in prop::collection::vec(0..WEB_SEARCH.len(), 0..20)) {
        let mut cuts = cuts;
        cuts.extend([0, WEB_SEARCH.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &WEB_SEARCH.as_bytes()[cut[0]..cut[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[WEB_SEARCH.as_bytes()]));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..500), at in 0..WEB_SEARCH.len()) {
        let reading = read(&[&WEB_SEARCH.as_bytes()[..at], &bytes, &WEB_SEARCH.as_bytes()[at..]]);
        let _ = reading.known_usage();
    }
}
