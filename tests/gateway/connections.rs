//! What the server allows a connection, and how connections end.

use super::answers::{EVENTS, MESSAGE, REQUEST, STREAM_REQUEST};
use super::fake_provider::{FakeProvider, Step, chunk, end_of_chunks, stream_head};
use super::gateway_server::{GatewayServer, Setup, read_until, request, send};
use std::io::{Read, Write};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tollbridge::domain::usage::PricingState;

/// Each has two ends in this process, and many systems allow a process 1,024 open files before it asks for more.
const IDLE_CONNECTIONS: usize = 400;

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_and_the_call_recorded() {
    let provider = FakeProvider::start().await;
    let mut setup = Setup::default();
    setup.connections.client_stall = Duration::from_millis(500);
    let server = GatewayServer::with(&provider.url(), setup).await;
    let mut script = vec![stream_head(&[("request-id", "req_1")])];
    script.extend(EVENTS[..4].iter().map(chunk));
    // Far more than sockets hold.
    script.extend(std::iter::repeat_n(chunk([&[b':'; 64 * 1024 - 1][..], b"\n"].concat()), 1_024));
    script.push(Step::Hang);
    provider.play(script);
    let mut client = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
    read_until(&mut client, "message_start").await;
    provider.hung_up().await;
    let event = server.event().await;
    assert_eq!(event.record.outcome.error_message.as_deref(), Some("client_stalled"));
    assert_eq!((event.record.tokens.input, event.record.tokens.output), (25, 6), "input exact, output estimated");
    assert_eq!(event.pricing_state, PricingState::Estimated);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.ok();
    assert!(rest.len() < 64 * 1024 * 1024, "the connection is closed before the answer's end");
}

#[tokio::test]
async fn a_client_that_takes_a_little_now_and_then_is_not_cut_off() {
    let provider = FakeProvider::start().await;
    let mut setup = Setup::default();
    setup.connections.client_stall = Duration::from_secs(1);
    let server = GatewayServer::with(&provider.url(), setup).await;
    let mut script = vec![stream_head(&[])];
    script.extend(EVENTS[..6].iter().map(chunk));
    // So much that writes still wait when the limit has passed.
    script.extend(std::iter::repeat_n(chunk([&[b':'; 64 * 1024 - 1][..], b"\n"].concat()), 1_024));
    script.extend(EVENTS[6..].iter().map(chunk));
    script.push(end_of_chunks());
    provider.play(script);
    let mut client = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
    let mut piece = vec![0; 4 * 1024 * 1024];
    for _ in 0..6 {
        client.read_exact(&mut piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    client.read_to_end(&mut piece).await.unwrap();
    let event = server.event().await;
    assert!(event.record.outcome.success);
    assert_eq!(event.pricing_state, PricingState::Exact);
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_its_connection_and_no_other() {
    let provider = FakeProvider::start().await;
    let mut setup = Setup::default();
    setup.connections.first_head = Duration::from_millis(500);
    let server = GatewayServer::with(&provider.url(), setup).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"POST /v1/messages HTTP/1.1\r\nhost: ").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.post("/v1/messages", &[], REQUEST).await.status, 200, "others are served meanwhile");
    for mut stream in slow {
        let mut byte = [0];
        let end = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await;
        assert!(matches!(end.expect("it is closed"), Ok(0) | Err(_)));
    }
    assert_eq!(provider.seen().len(), 1);
}

#[tokio::test]
async fn a_long_answer_outlives_the_limit_of_the_first_head() {
    let provider = FakeProvider::start().await;
    let mut setup = Setup::default();
    setup.connections.first_head = Duration::from_millis(200);
    let server = GatewayServer::with(&provider.url(), setup).await;
    let mut script = vec![stream_head(&[]), chunk(EVENTS[0]), Step::Wait(Duration::from_millis(600))];
    script.extend(EVENTS[1..].iter().map(chunk));
    script.push(end_of_chunks());
    provider.play(script);
    assert_eq!(server.post("/v1/messages", &[], STREAM_REQUEST).await.text(), EVENTS.concat());
}

#[tokio::test]
async fn a_head_has_a_hundred_fields_and_a_size() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let many: Vec<(String, String)> = (0..120).map(|index| (format!("x-{index}"), "1".into())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(server.post("/v1/messages", &many, REQUEST).await.status, 431);
    let long = "x".repeat(200 * 1024);
    assert_eq!(server.post("/v1/messages", &[("x-long", &long)], REQUEST).await.status, 431);
    assert!(provider.seen().is_empty());
}

#[tokio::test]
async fn beyond_the_last_seat_clients_wait_for_one_to_become_free() {
    let provider = FakeProvider::start().await;
    let mut setup = Setup::default();
    setup.connections.connections = 2;
    let server = GatewayServer::with(&provider.url(), setup).await;
    let first = TcpStream::connect(server.address).await.unwrap();
    let _second = TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let address = server.address;
    let waiting = tokio::spawn(async move { send(address, &request("GET", "/healthz", address, &[], "")).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn stopping_closes_idle_connections_at_once_and_lets_a_running_stream_finish() {
    let provider = FakeProvider::start().await;
    let mut server = GatewayServer::before(&provider).await;
    let mut idle = Vec::new();
    for _ in 0..IDLE_CONNECTIONS {
        idle.push(TcpStream::connect(server.address).await.unwrap());
    }
    let mut listening = Vec::new();
    for _ in 0..10 {
        let mut page = TcpStream::connect(server.address).await.unwrap();
        page.write_all(&request("GET", "/api/live", server.address, &[], "")).await.unwrap();
        read_until(&mut page, "event: usage").await;
        listening.push(page);
    }
    let mut script = vec![stream_head(&[("request-id", "req_1")]), chunk(EVENTS[0])];
    script.push(Step::Wait(Duration::from_millis(1_500)));
    script.extend(EVENTS[1..].iter().map(chunk));
    script.push(end_of_chunks());
    provider.play(script);
    let mut client = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
    let begun = read_until(&mut client, "message_start").await;

    server.begin_to_stop();
    for mut stream in idle.into_iter().chain(listening) {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        end.expect("it is closed").ok();
    }
    assert!(!server.serving.is_finished(), "the stream still runs");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!([begun, rest].concat().ends_with(b"\r\n0\r\n\r\n"), "the stream came to its end");
    (&mut server.serving).await.unwrap().unwrap();
    server.reopen_ledger().await;
    assert_eq!(server.event().await.pricing_state, PricingState::Exact);
}

#[tokio::test]
async fn a_stream_that_outlasts_the_grace_time_is_recorded_as_cut_off_by_us() {
    let provider = FakeProvider::start().await;
    let setup = Setup { stop_grace_s: Some(1), ..Setup::default() };
    let mut server = GatewayServer::with(&provider.url(), setup).await;
    let mut script = vec![stream_head(&[("request-id", "req_1")])];
    script.extend(EVENTS[..4].iter().map(chunk));
    script.push(Step::Hang);
    provider.play(script);
    let mut client = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
    read_until(&mut client, "Twenty-four").await;
    server.begin_to_stop();
    (&mut server.serving).await.unwrap().unwrap();
    provider.hung_up().await;
    assert!(!read_rest(&mut client).await.ends_with(b"0\r\n\r\n"), "it does not look complete");
    server.reopen_ledger().await;
    let record = server.event().await.record;
    assert_eq!(record.outcome.error_message.as_deref(), Some("server_stopped"));
    assert_eq!((record.tokens.input, record.tokens.output, record.is_estimated), (25, 6, true));
}

/// Pages are made on the runtime that this test blocks, as one would that takes long.
#[tokio::test]
async fn a_call_passes_while_a_page_takes_long() {
    let provider = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", provider.local_addr().unwrap());
    std::thread::spawn(move || answer_one_connection(&provider));
    let server = GatewayServer::with(&url, Setup::default()).await;
    let call = request("POST", "/v1/messages", server.address, &[], REQUEST);
    let call = String::from_utf8(call).unwrap().replace("connection: close\r\n", "").into_bytes();
    let mut client = std::net::TcpStream::connect(server.address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // The first brings the connection to its lane.
    let first = tokio::task::spawn_blocking(move || {
        ask_blocking(&mut client, &call);
        (client, call)
    });
    let (mut client, call) = first.await.unwrap();
    ask_blocking(&mut client, &call);
    assert_eq!(server.events(2).await.len(), 2);
}

/// A provider that needs no runtime.
fn answer_one_connection(listener: &std::net::TcpListener) {
    let mut gateway = listener.accept().unwrap().0;
    let length = MESSAGE.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    while read_blocking_until(&mut gateway, REQUEST) {
        gateway.write_all((head.clone() + MESSAGE).as_bytes()).unwrap();
    }
}

fn ask_blocking(client: &mut std::net::TcpStream, call: &[u8]) {
    client.write_all(call).unwrap();
    assert!(read_blocking_until(client, MESSAGE), "the answer comes");
}

/// Whether this came before the connection ended.
fn read_blocking_until(stream: &mut std::net::TcpStream, end: &str) -> bool {
    let (mut read, mut piece) = (Vec::new(), [0; 4096]);
    while !read.ends_with(end.as_bytes()) {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(length) => read.extend_from_slice(&piece[..length]),
        }
    }
    true
}

async fn read_rest(client: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.ok();
    rest
}
