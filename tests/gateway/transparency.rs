//! With and without Tollbridge in between: the same bytes, the same headers but for one.

use super::answers::{EVENTS, MESSAGE, REQUEST, STREAM_REQUEST};
use super::fake_provider::{FakeProvider, Step, answer, chunk, end_of_chunks, json_answer, stream_head};
use super::gateway_server::{Answer, GatewayServer, request, send};

/// Headers of a real client, from the SDK's own to those that nobody knows yet.
const SENT: [(&str, &str); 9] = [
    ("x-api-key", "sk-ant-of-the-client"),
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "one-2025-01-01,two-2026-02-02"),
    ("anthropic-something-new", "yes"),
    ("user-agent", "claude-cli/2.1.280 (external, cli)"),
    ("x-stainless-lang", "js"),
    ("x-stainless-retry-count", "1"),
    ("x-claude-code-session-id", "s-1"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
];
const ANSWERED: [(&str, &str); 6] = [
    ("date", "Tue, 24 Nov 2026 07:00:00 GMT"),
    ("request-id", "req_1"),
    ("anthropic-organization-id", "org-1"),
    ("anthropic-ratelimit-requests-remaining", "49"),
    ("anthropic-ratelimit-unified-5h-utilization", "0.25"),
    ("x-should-retry", "false"),
];

/// Both answers to the same request and script: direct, and through the gateway.
async fn both(script: Vec<Step>, path: &str, body: &str) -> (Answer, Answer, FakeProvider) {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    provider.play(script.clone());
    let direct = send(provider.address, &request("POST", path, provider.address, &SENT, body)).await;
    provider.play(script);
    let through = server.post(path, &SENT, body).await;
    (direct, through, provider)
}

/// Asserts that our header is the only difference.
fn assert_same(direct: &Answer, through: &Answer) {
    assert_eq!(through.status, direct.status);
    assert_eq!(through.body, direct.body, "the bytes");
    assert_eq!(through.is_complete, direct.is_complete);
    let sorted = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| name != "x-tollbridge-call-id" && name != "connection");
        headers.sort();
        headers
    };
    assert_eq!(sorted(through), sorted(direct));
    let ours: Vec<_> = through.headers.iter().filter(|(name, _)| name.contains("tollbridge")).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
}

#[tokio::test]
async fn a_message_is_the_same_with_and_without_us() {
    let script = vec![Step::Send(json_answer(200, &ANSWERED, MESSAGE)), Step::Close];
    let (direct, through, provider) = both(script, "/v1/messages?beta=true", REQUEST).await;
    assert_same(&direct, &through);

    let [of_client, of_gateway] = &provider.seen()[..] else { panic!("two requests") };
    assert_eq!(of_gateway.body, of_client.body);
    assert_eq!(of_gateway.target, "/v1/messages?beta=true");
    let sorted = |headers: &[(String, String)]| {
        let mut headers = headers.to_vec();
        headers.retain(|(name, _)| name != "connection" && name != "host" && name != "accept-encoding");
        headers.sort();
        headers
    };
    assert_eq!(sorted(&of_gateway.headers), sorted(&of_client.headers));
    assert_eq!(of_gateway.header("host"), [provider.address.to_string()]);
    assert_eq!(of_gateway.header("accept-encoding"), ["identity"]);
}

#[tokio::test]
async fn a_stream_is_the_same_with_and_without_us() {
    let mut script = vec![stream_head(&ANSWERED)];
    script.extend(EVENTS.map(chunk));
    script.extend([end_of_chunks(), Step::Close]);
    let (direct, through, _) = both(script, "/v1/messages", STREAM_REQUEST).await;
    assert_same(&direct, &through);
    assert_eq!(through.text(), EVENTS.concat());
    assert!(through.is_complete);
}

#[tokio::test]
async fn error_answers_are_the_same_with_and_without_us() {
    for status in [400, 401, 402, 403, 404, 413, 429, 500, 503, 504, 529] {
        let body = format!(
            r#"{{"type":"error","error":{{"type":"some_error","message":"wörds\u2028 that clients match on {status}"}},"request_id":"req_1"}}"#
        );
        let headers = [ANSWERED[0], ("retry-after", "7"), ("retry-after-ms", "6500"), ("x-should-retry", "true")];
        let script = vec![Step::Send(json_answer(status, &headers, &body)), Step::Close];
        let (direct, through, provider) = both(script, "/v1/messages", REQUEST).await;
        assert_same(&direct, &through);
        assert_eq!(provider.seen().len(), 2, "one attempt each: nothing is tried again");
    }
}

#[tokio::test]
async fn a_redirect_is_passed_on_and_not_followed() {
    let script =
        vec![Step::Send(answer(307, &[ANSWERED[0], ("location", "https://elsewhere.example/")], "")), Step::Close];
    let (direct, through, provider) = both(script, "/v1/messages", REQUEST).await;
    assert_same(&direct, &through);
    assert_eq!(provider.seen().len(), 2);
}

#[tokio::test]
async fn bytes_that_are_no_event_stream_pass_all_the_same() {
    for garbage in [&b"\xEF\xBB"[..], b"data: {\"type\":\"message_start\"\n\n", b"\0\xFF\xFE\r\r\r", b"event: x"] {
        let script = vec![stream_head(&[]), chunk(garbage), chunk(EVENTS[0]), end_of_chunks(), Step::Close];
        let (direct, through, _) = both(script, "/v1/messages", STREAM_REQUEST).await;
        assert_eq!(through.body, direct.body);
        assert!(through.is_complete);
    }
}

#[tokio::test]
async fn a_request_body_of_any_encoding_passes_untouched() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    // Stands for zstd: bytes that we cannot read.
    let text =
        request("POST", "/v1/messages", server.address, &[("content-encoding", "zstd")], "(\u{b5}/\u{fd}compressed");
    let answered = send(server.address, &text).await;
    assert_eq!(answered.status, 200);
    assert_eq!(provider.seen()[0].body, "(\u{b5}/\u{fd}compressed".as_bytes());
    assert_eq!(provider.seen()[0].header("content-encoding"), ["zstd"]);
    assert_eq!(server.event().await.record.model, "claude-sonnet-4-20250514", "the answer names the model");
}

#[tokio::test]
async fn a_chunked_request_stays_whole() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nx-api-key: k\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
        server.address
    );
    let (one, two) = REQUEST.split_at(40);
    let text = format!("{head}{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    assert_eq!(send(server.address, text.as_bytes()).await.status, 200);
    assert_eq!(provider.seen()[0].body, REQUEST.as_bytes());
}

#[tokio::test]
async fn cookies_and_our_own_headers_stay_with_us() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    provider.play(vec![Step::Send(json_answer(200, &[("set-cookie", "a=b"), ("x-tollbridge-call-id", "x")], MESSAGE))]);
    let sent = [
        ("cookie", "sid=1"),
        ("x-tollbridge-project", "p"),
        ("helicone-auth", "k"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
    ];
    let answered = server.post("/v1/messages", &sent, REQUEST).await;
    assert_eq!(answered.header("set-cookie"), None);
    assert_ne!(answered.header("x-tollbridge-call-id"), Some("x"));
    let seen = &provider.seen()[0];
    for (name, _) in sent.iter().filter(|(name, _)| *name != "connection") {
        assert_eq!(seen.header(name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn other_addresses_pass_unrecorded_or_not_at_all() {
    let provider =
        FakeProvider::behaving(|_| vec![Step::Send(json_answer(200, &[], r#"{"input_tokens":4096}"#))]).await;
    let server = GatewayServer::before(&provider).await;
    let counted = server.post("/v1/messages/count_tokens", &[], REQUEST).await;
    assert_eq!((counted.status, counted.text().as_str()), (200, r#"{"input_tokens":4096}"#));
    assert_eq!(counted.header("x-tollbridge-call-id"), None);
    assert_eq!(server.get("/v1/models?limit=1000", &[]).await.status, 200);
    let hello = request("HEAD", "/api/hello", server.address, &[("no-credential", "1")], "");
    assert_eq!(send(server.address, &hello).await.status, 200);
    assert_eq!(provider.seen().len(), 3);
    assert_eq!(provider.seen()[1].target, "/v1/models?limit=1000");
    assert_eq!(provider.seen()[2].method, "HEAD");

    for path in ["/v1/organizations/me", "/v1/messages/", "/v1/models/../messages", "/v1/%6dessages"] {
        let refused = server.get(path, &[]).await;
        assert_eq!((refused.status, refused.error_type().as_str()), (404, "not_found_error"), "{path}");
    }
    assert_eq!(server.get("/v1/messages", &[]).await.status, 405);
    assert_eq!(provider.seen().len(), 3);
    server.events(0).await;
}
