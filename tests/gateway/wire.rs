//! What HTTP/1.1 allows beside the plain case: interim answers, trailers, ends without a length, repeated headers.

use super::answers::{EVENTS, MESSAGE, REQUEST, STREAM_REQUEST};
use super::fake_provider::{FakeProvider, Step, chunk, json_answer, stream_head};
use super::gateway_server::{GatewayServer, parse_answer, read_answer, read_until, request, send};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::usage::PricingState;

/// 1,000 × $3 + 500 × $15 per million.
const MESSAGE_COST: Option<NanoUsd> = Some(NanoUsd(10_500_000));
/// 25 × $3 + 12 × $15 per million.
const STREAM_COST: Option<NanoUsd> = Some(NanoUsd(255_000));

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_and_its_answer() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let whole = request("POST", "/v1/messages", server.address, &[("expect", "100-continue")], REQUEST);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&whole[..whole.len() - REQUEST.len()]).await.unwrap();
    assert_eq!(read_until(&mut stream, "\r\n\r\n").await, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(REQUEST.as_bytes()).await.unwrap();
    assert_eq!(read_answer(&mut stream).await.text(), MESSAGE);
    let [seen] = &provider.seen()[..] else { panic!("one request") };
    assert_eq!(seen.body, REQUEST.as_bytes());
    assert_eq!(seen.header("expect"), [""; 0], "it was answered here");
    assert_eq!(server.event().await.cost, MESSAGE_COST);
}

#[tokio::test]
async fn interim_answers_are_dropped_and_the_real_one_is_whole() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let interim = ["100 Continue\r\n", "102 Processing\r\n", "103 Early Hints\r\nlink: </a>; rel=preload\r\n"];
    for before in [&interim[..1], &interim[1..2], &interim[2..], &interim[..]] {
        let mut script: Vec<Step> =
            before.iter().map(|head| Step::Send(format!("HTTP/1.1 {head}\r\n").into_bytes())).collect();
        script.extend([Step::Wait(Duration::from_millis(20)), Step::Send(json_answer(200, &[], MESSAGE))]);
        provider.play(script);
        let answered = server.post("/v1/messages", &[], REQUEST).await;
        assert_eq!((answered.status, answered.text().as_str()), (200, MESSAGE), "{before:?}");
        assert_eq!(answered.header("link"), None);
    }
    let events = server.events(4).await;
    assert!(events.iter().all(|event| event.record.outcome.success && event.cost == MESSAGE_COST), "{events:#?}");
}

#[tokio::test]
async fn trailers_are_dropped_and_the_body_before_them_is_whole() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut script = vec![stream_head(&[("trailer", "x-checksum")])];
    script.extend(EVENTS.map(chunk));
    script.push(Step::Send(b"0\r\nx-checksum: abc\r\n\r\n".to_vec()));
    provider.play(script);
    let mut stream = server.begin("/v1/messages", &[("te", "trailers")], STREAM_REQUEST).await;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("x-checksum"));
    let answered = parse_answer(&bytes);
    assert_eq!(answered.text(), EVENTS.concat());
    assert!(answered.is_complete);
    let event = server.event().await;
    assert!(event.record.outcome.success);
    assert_eq!((event.cost, event.pricing_state), (STREAM_COST, PricingState::Exact));
}

#[tokio::test]
async fn head_is_answered_as_the_provider_does_wherever_get_is() {
    let headers = [("date", "Tue, 24 Nov 2026 07:00:00 GMT"), ("request-id", "req_1"), ("content-length", "4096")];
    let head: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let script = vec![Step::Send(format!("HTTP/1.1 200 OK\r\n{head}\r\n").into())];
    let provider = FakeProvider::behaving(move |_| script.clone()).await;
    let server = GatewayServer::before(&provider).await;
    for path in [
        "/v1/models",
        "/v1/models?limit=1000",
        "/v1/models/claude-haiku-4-5",
        "/v1/messages/batches",
        "/v1/messages/batches/msgbatch_1",
        "/v1/messages/batches/msgbatch_1/results",
        "/v1/files",
        "/v1/files/file_1/content",
        "/v1/skills/skill_1/versions",
        "/api/hello",
    ] {
        let asks = request("HEAD", path, server.address, &[], "");
        let answered = timeout(Duration::from_secs(5), send(server.address, &asks)).await.expect(path);
        assert_eq!((answered.status, answered.text().as_str()), (200, ""), "{path}");
        assert_eq!(answered.headers[..3], headers.map(|(name, value)| (name.into(), value.into())), "{path}");
        assert_eq!(answered.headers.len(), 4, "{path}: beside them only `connection`");
        let seen = provider.seen().pop().unwrap();
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("HEAD", path));
    }
    server.events(0).await;
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    for version in ["1.0", "1.1"] {
        for (kind, body) in [("application/json", MESSAGE.to_owned()), ("text/event-stream", EVENTS.concat())] {
            let head = format!("HTTP/{version} 200 OK\r\ncontent-type: {kind}\r\n\r\n");
            let (one, two) = body.split_at(100);
            let pause = Step::Wait(Duration::from_millis(20));
            provider.play(vec![Step::Send((head + one).into()), pause, Step::Send(two.into()), Step::Close]);
            let answered = server.post("/v1/messages", &[], REQUEST).await;
            assert!(answered.text() == body && answered.is_complete, "{version} {kind}");
        }
    }
    let events = server.events(4).await;
    assert!(events.iter().all(|event| event.pricing_state == PricingState::Exact), "{events:#?}");
    let costs: Vec<_> = events.iter().map(|event| event.cost).collect();
    assert_eq!(costs, [MESSAGE_COST, STREAM_COST, MESSAGE_COST, STREAM_COST]);
}

/// RFC 9110, section 6.6.1, asks that of whoever passes it on.
#[tokio::test]
async fn an_answer_without_a_date_is_given_one_and_no_other_is() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let now = server.post("/v1/messages", &[], REQUEST).await.header("date").unwrap().to_owned();
    assert!(now.ends_with(" GMT") && !now.contains("Nov 1994"), "{now}");
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    provider.play(vec![Step::Send(json_answer(200, &[("date", old)], MESSAGE))]);
    assert_eq!(server.post("/v1/messages", &[], REQUEST).await.header("date"), Some(old));
}

#[tokio::test]
async fn headers_keep_their_order_and_all_their_values_and_come_in_lower_case() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let twice = [("X-Dup", "b"), ("X-Between", "1"), ("X-Dup", "a"), ("Date", "Tue, 24 Nov 2026 07:00:00 GMT")];
    provider.play(vec![Step::Send(json_answer(200, &twice, MESSAGE))]);
    let sent = [("X-Dup", "2"), ("X-Between", "1"), ("X-Dup", "1"), ("x-api-key", "k"), ("X-Last", "1")];
    let mut stream = server.begin("/v1/messages", &sent, REQUEST).await;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let head = String::from_utf8_lossy(&bytes).split_once("\r\n\r\n").unwrap().0.replace("\r\n", "\n");
    let ours = parse_answer(&bytes).header("x-tollbridge-call-id").unwrap().to_owned();
    assert_eq!(
        head,
        format!(
            "HTTP/1.1 200 Whatever\ncontent-type: application/json\nx-dup: b\nx-dup: a\nx-between: 1\n\
             date: Tue, 24 Nov 2026 07:00:00 GMT\ncontent-length: {}\nx-tollbridge-call-id: {ours}\nconnection: close",
            MESSAGE.len()
        )
    );
    let seen = &provider.seen()[0].headers;
    let seen: Vec<_> = seen.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let host = format!("host: {}", provider.address);
    assert_eq!(seen[..6], [host.as_str(), "x-dup: 2", "x-dup: 1", "x-between: 1", "x-api-key: k", "x-last: 1"]);
}
