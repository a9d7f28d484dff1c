//! Everything that can go wrong on either side of a call, and what is recorded then.

use super::answers::{EVENTS, MESSAGE, OUTPUT_AFTER, REQUEST, STREAM_REQUEST};
use super::fake_provider::{FakeProvider, Step, answer, chunk, end_of_chunks, json_answer, stream_head};
use super::gateway_server::{GatewayServer, Setup, read_answer, read_until, send};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tollbridge::capture::gateway::GatewayLimits;
use tollbridge::domain::usage::PricingState;

fn events_up_to(index: usize) -> Vec<Step> {
    let mut script = vec![stream_head(&[("request-id", "req_1")])];
    script.extend(EVENTS[..=index].iter().map(chunk));
    script
}

fn impatient(change: impl FnOnce(&mut GatewayLimits)) -> Setup {
    let mut setup = Setup::default();
    change(&mut setup.limits);
    setup
}

#[tokio::test]
async fn upstream_reset_after_each_event_index() {
    for index in 0..EVENTS.len() {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let mut script = events_up_to(index);
        // A reset may overtake what was sent before.
        script.extend([Step::Wait(Duration::from_millis(100)), Step::Reset]);
        provider.play(script);
        let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
        assert_eq!(answered.text(), EVENTS[..=index].concat(), "nothing added, nothing lost");
        assert!(!answered.is_complete, "the stream ends as it did upstream");

        let event = server.event().await;
        let record = &event.record;
        assert_eq!((record.tokens.input, record.tokens.output), (25, OUTPUT_AFTER[index]), "after event {index}");
        let is_whole = index >= 6;
        assert_eq!(record.outcome.success, is_whole, "after event {index}");
        let error = (!is_whole).then_some("upstream_broke_off");
        assert_eq!(record.outcome.error_message.as_deref(), error);
        let state = if is_whole { PricingState::Exact } else { PricingState::Estimated };
        assert_eq!(event.pricing_state, state, "after event {index}");
    }
}

/// hyper drops with a connection what it has not written yet.
#[tokio::test]
async fn what_came_right_before_the_upstream_broke_off_reaches_the_client() {
    for index in 0..EVENTS.len() {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let pieces = events_up_to(index).into_iter().flat_map(|step| match step {
            Step::Send(bytes) => bytes,
            _ => Vec::new(),
        });
        provider.play(vec![Step::Send(pieces.collect()), Step::Close]);
        let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
        assert_eq!(answered.text(), EVENTS[..=index].concat());
        assert!(!answered.is_complete, "the stream ends as it did upstream");
    }
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    provider.play(vec![stream_head(&[("request-id", "req_1")]), Step::Close]);
    let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    assert_eq!((answered.status, answered.header("request-id")), (200, Some("req_1")), "a head alone too");
}

#[tokio::test]
async fn a_provider_that_takes_a_connection_and_never_shakes_hands_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let setup = impatient(|limits| limits.connect = Duration::from_millis(300));
    let server = GatewayServer::with(&format!("https://{}", silent.local_addr().unwrap()), setup).await;
    let asked_at = Instant::now();
    let answered = server.post("/v1/messages", &[], REQUEST).await;
    assert_eq!(answered.status, 502);
    assert!(asked_at.elapsed() < Duration::from_secs(10), "{:?}", asked_at.elapsed());
    let record = server.event().await.record;
    assert_eq!(record.outcome.error_message.as_deref(), Some("upstream_unreachable"));
}

#[tokio::test]
async fn upstream_ends_a_stream_before_its_end() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut script = events_up_to(3);
    script.push(end_of_chunks());
    provider.play(script);
    let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    assert!(answered.is_complete);
    let record = server.event().await.record;
    assert_eq!(record.outcome.error_message.as_deref(), Some("upstream_broke_off"));
    assert_eq!((record.tokens.input, record.tokens.output, record.is_estimated), (25, 6, true));
}

#[tokio::test]
async fn client_hangs_up_after_each_event_index() {
    for index in 0..EVENTS.len() {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let mut script = events_up_to(index);
        script.push(Step::Hang);
        provider.play(script);
        let mut client = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
        read_until(&mut client, EVENTS[index].trim_end()).await;
        let hung_up_at = Instant::now();
        drop(client);
        let noticed_after = provider.hung_up().await.saturating_duration_since(hung_up_at);
        assert!(noticed_after < Duration::from_secs(1), "upstream was closed after {noticed_after:?}");

        let event = server.event().await;
        assert_eq!((event.record.tokens.input, event.record.tokens.output), (25, OUTPUT_AFTER[index]));
        let is_whole = index >= 6;
        let error = (!is_whole).then_some("client_closed");
        assert_eq!(event.record.outcome.error_message.as_deref(), error, "after event {index}");
        let state = if is_whole { PricingState::Exact } else { PricingState::Estimated };
        assert_eq!(event.pricing_state, state, "after event {index}");
    }
}

#[tokio::test]
async fn client_hangs_up_before_the_answer_begins() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    provider.play(vec![Step::Hang]);
    let client = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
    while provider.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let hung_up_at = Instant::now();
    drop(client);
    assert!(provider.hung_up().await.saturating_duration_since(hung_up_at) < Duration::from_secs(1));
    let event = server.event().await;
    assert_eq!(event.pricing_state, PricingState::NoUsage);
    assert_eq!(event.record.outcome.error_message.as_deref(), Some("client_closed"));
    assert_eq!(event.record.model, "claude-sonnet-4-20250514", "as it was asked for");
}

#[tokio::test]
async fn client_hangs_up_in_the_middle_of_its_request() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nx-api-key: k\r\ncontent-length: 1000\r\n\r\n{{\"model\":\"claude-x\",",
        server.address
    );
    let mut client = tokio::net::TcpStream::connect(server.address).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(client);
    let record = server.event().await.record;
    assert_eq!((record.model.as_str(), record.outcome.error_message.as_deref()), ("claude-x", Some("client_closed")));
    assert!(provider.seen().is_empty(), "the provider never got a whole request");
}

#[tokio::test]
async fn upstream_refuses_with_each_status() {
    for (status, kind) in [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ] {
        let provider = FakeProvider::start().await;
        let server = GatewayServer::before(&provider).await;
        let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"x"}}}}"#);
        provider.play(vec![Step::Send(json_answer(status, &[("request-id", "req_5")], &body))]);
        server.post("/v1/messages", &[], REQUEST).await;
        let event = server.event().await;
        assert_eq!(event.pricing_state, PricingState::NoUsage);
        assert_eq!(event.cost, None, "unknown is not zero");
        let outcome = event.record.outcome;
        assert_eq!((outcome.success, outcome.status_code), (false, Some(status)));
        assert_eq!(outcome.error_message.as_deref(), Some(kind));
        assert_eq!(provider.seen().len(), 1, "one attempt");
    }
}

#[tokio::test]
async fn an_error_page_that_is_not_json_is_told_by_its_status() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let page = super::fake_provider::answer(502, &[("content-type", "text/html")], "<html>bad gateway</html>");
    provider.play(vec![Step::Send(page)]);
    let answered = server.post("/v1/messages", &[], REQUEST).await;
    assert_eq!(answered.text(), "<html>bad gateway</html>");
    assert_eq!(server.event().await.record.outcome.error_message.as_deref(), Some("http_502"));
}

#[tokio::test]
async fn an_error_event_after_200_is_a_failed_call() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut script = events_up_to(3);
    let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    script.extend([chunk(error), end_of_chunks()]);
    provider.play(script);
    server.post("/v1/messages", &[], STREAM_REQUEST).await;
    let record = server.event().await.record;
    assert_eq!(record.outcome.error_message.as_deref(), Some("overloaded_error"));
    assert_eq!((record.outcome.status_code, record.is_estimated), (Some(200), true));
}

#[tokio::test]
async fn upstream_cannot_be_reached() {
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = GatewayServer::with(&format!("http://{closed}"), Setup::default()).await;
    let answered = server.post("/v1/messages", &[], REQUEST).await;
    assert_eq!((answered.status, answered.error_type().as_str()), (502, "api_error"));
    let event = server.event().await;
    assert_eq!(answered.header("x-tollbridge-call-id"), Some(event.id.as_str()));
    assert_eq!(event.record.outcome.error_message.as_deref(), Some("upstream_unreachable"));
    assert_eq!(event.record.outcome.status_code, None, "the provider said nothing");
}

#[tokio::test]
async fn upstream_closes_without_an_answer() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    provider.play(vec![Step::Close]);
    assert_eq!(server.post("/v1/messages", &[], REQUEST).await.status, 502);
    assert_eq!(provider.seen().len(), 1, "a request that may have been read is not sent again");
    server.event().await;
}

#[tokio::test]
async fn upstream_never_answers() {
    let provider = FakeProvider::start().await;
    let setup = impatient(|limits| limits.first_byte = Duration::from_millis(300));
    let server = GatewayServer::with(&provider.url(), setup).await;
    provider.play(vec![Step::Hang]);
    let answered = server.post("/v1/messages", &[], REQUEST).await;
    assert_eq!((answered.status, answered.error_type().as_str()), (504, "timeout_error"));
    provider.hung_up().await;
    assert_eq!(server.event().await.record.outcome.error_message.as_deref(), Some("upstream_timeout"));
}

/// The provider's time begins when it has all of the request.
#[tokio::test]
async fn a_request_that_takes_long_to_send_leaves_the_provider_its_time() {
    let provider = FakeProvider::start().await;
    let setup = impatient(|limits| limits.first_byte = Duration::from_millis(400));
    let server = GatewayServer::with(&provider.url(), setup).await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nx-api-key: k\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        server.address,
        REQUEST.len()
    );
    let mut client = tokio::net::TcpStream::connect(server.address).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    for piece in REQUEST.as_bytes().chunks(20) {
        client.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(read_answer(&mut client).await.status, 200);
}

#[tokio::test]
async fn upstream_falls_silent_in_the_middle() {
    let provider = FakeProvider::start().await;
    let setup = impatient(|limits| limits.answer_pause = Duration::from_millis(300));
    let server = GatewayServer::with(&provider.url(), setup).await;
    let mut script = events_up_to(3);
    script.push(Step::Hang);
    provider.play(script);
    let started = Instant::now();
    let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    assert!(started.elapsed() < Duration::from_millis(1_300), "cut at the limit: {:?}", started.elapsed());
    assert!(!answered.is_complete);
    provider.hung_up().await;
    let record = server.event().await.record;
    assert_eq!(record.outcome.error_message.as_deref(), Some("upstream_timeout"));
    assert_eq!((record.tokens.input, record.tokens.output), (25, 6));
}

#[tokio::test]
async fn slow_drip_of_single_bytes() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut script = vec![stream_head(&[])];
    for byte in EVENTS[0].as_bytes() {
        script.extend([chunk([*byte]), Step::Wait(Duration::from_millis(1))]);
    }
    script.extend(EVENTS[1..].iter().map(chunk));
    script.push(end_of_chunks());
    provider.play(script);
    let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    assert_eq!(answered.text(), EVENTS.concat());
    assert_eq!(server.event().await.pricing_state, PricingState::Exact);
}

#[tokio::test]
async fn the_first_event_is_not_held_back() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut script = events_up_to(0);
    script.push(Step::Hang);
    provider.play(script);
    let started = Instant::now();
    let mut client = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
    read_until(&mut client, "message_start").await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn silence_between_events_is_broken_by_a_ping() {
    let provider = FakeProvider::start().await;
    let setup = impatient(|limits| limits.ping_after = Duration::from_millis(200));
    let server = GatewayServer::with(&provider.url(), setup).await;
    let pause = Step::Wait(Duration::from_millis(500));
    let mut script = vec![stream_head(&[]), pause.clone(), chunk(EVENTS[0]), pause.clone()];
    // In the middle of an event no ping fits.
    let (one, two) = EVENTS[1].split_at(30);
    script.extend([chunk(one), pause.clone(), chunk(two)]);
    script.extend(EVENTS[2..].iter().map(chunk));
    script.extend([pause, end_of_chunks()]);
    provider.play(script);
    let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    let expected = [EVENTS[0], ping, ping, &EVENTS[1..].concat()].concat();
    assert_eq!(answered.text(), expected, "two after the start, none before it, inside an event or after the end");
    assert_eq!(server.event().await.pricing_state, PricingState::Exact);
}

/// What is put in would push out as many bytes of the answer.
#[tokio::test]
async fn no_ping_is_put_into_an_answer_that_has_said_its_length() {
    let provider = FakeProvider::start().await;
    let setup = impatient(|limits| limits.ping_after = Duration::from_millis(100));
    let server = GatewayServer::with(&provider.url(), setup).await;
    let whole = answer(200, &[("content-type", "text/event-stream")], &EVENTS.concat());
    let (first, rest) = whole.split_at(whole.len() - EVENTS[1..].concat().len());
    let pause = Step::Wait(Duration::from_millis(400));
    provider.play(vec![Step::Send(first.to_vec()), pause, Step::Send(rest.to_vec())]);
    let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    assert_eq!(answered.text(), EVENTS.concat());
    assert_eq!(server.event().await.pricing_state, PricingState::Exact);
}

#[tokio::test]
async fn a_message_that_ends_in_its_middle_is_a_failed_call() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    provider.play(vec![Step::Send([head, &MESSAGE[..100]].concat().into_bytes()), Step::Close]);
    let answered = server.post("/v1/messages", &[], REQUEST).await;
    assert_eq!((answered.status, answered.text()), (200, MESSAGE[..100].to_owned()));
    let event = server.event().await;
    assert_eq!(event.record.outcome.error_message.as_deref(), Some("upstream_broke_off"));
    assert_eq!(event.pricing_state, PricingState::NoUsage);
}

#[tokio::test]
async fn an_event_of_many_mebibytes_passes_unread() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut script = vec![stream_head(&[]), chunk(EVENTS[0]), chunk("data: ")];
    script.extend(std::iter::repeat_n(chunk(vec![b'x'; 64 * 1024]), 64));
    script.extend([chunk("\n\n"), chunk(EVENTS[6]), chunk(EVENTS[7]), end_of_chunks()]);
    provider.play(script);
    let answered = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    assert!(answered.is_complete && answered.body.len() > 4 * 1024 * 1024);
    let event = server.event().await;
    assert!(event.record.outcome.success, "the call went well, only the reading did not");
    assert_eq!((event.record.tokens.input, event.pricing_state), (25, PricingState::Estimated));
}

#[tokio::test]
async fn a_client_that_reads_slowly_slows_the_provider_down() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut script = vec![stream_head(&[]), chunk(EVENTS[0])];
    // 64 MiB of comments: far more than sockets hold.
    script.extend(std::iter::repeat_n(chunk([&[b':'; 64 * 1024 - 1][..], b"\n"].concat()), 1_024));
    script.extend([chunk(EVENTS[7]), end_of_chunks()]);
    provider.play(script);
    let mut client = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
    read_until(&mut client, "message_start").await;
    let before = memory_kib("VmRSS");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let grown = memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < 24 * 1024, "{grown} KiB were held for a client that does not read");
    drop(client);
    provider.hung_up().await;
    assert_eq!(server.event().await.record.outcome.error_message.as_deref(), Some("client_closed"));
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nx-api-key: k\r\nconnection: close\r\ncontent-length: 33554433\r\n\r\n{{",
        server.address
    );
    let answered = send(server.address, head.as_bytes()).await;
    assert_eq!((answered.status, answered.error_type().as_str()), (413, "request_too_large"));
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn a_request_that_stops_half_way_is_cut_off() {
    let provider = FakeProvider::start().await;
    let setup = impatient(|limits| limits.request_pause = Duration::from_millis(300));
    let server = GatewayServer::with(&provider.url(), setup).await;
    let head = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: {}\r\nx-api-key: k\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{{\"model\":\"m\",",
        server.address
    );
    let mut client = tokio::net::TcpStream::connect(server.address).await.unwrap();
    client.write_all(head.as_bytes()).await.unwrap();
    let answered = read_answer(&mut client).await;
    assert_eq!((answered.status, answered.error_type().as_str()), (408, "timeout_error"));
    assert_eq!(server.event().await.record.outcome.error_message.as_deref(), Some("request_timeout"));
}

/// Of this process: `VmRSS` what it has, `VmHWM` the most that it had.
pub fn memory_kib(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
