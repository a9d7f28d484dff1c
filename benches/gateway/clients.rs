//! The clients: each keeps one connection and sends its next call when the answer to the one before is complete.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Who calls, how often, and for what kind of answer.
#[derive(Clone, Copy)]
pub struct Shape {
    pub connections: usize,
    /// Of all connections together.
    pub calls: usize,
    pub is_stream: bool,
}

/// How long one call took.
#[derive(Clone, Copy)]
pub struct Took {
    /// Until something of the answer came: of a stream its first event.
    pub first: Duration,
    pub whole: Duration,
}

/// How long each call took, and how long all of them did.
pub fn run(address: SocketAddr, shape: Shape) -> (Vec<Took>, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let local = tokio::task::LocalSet::new();
        let mut connections = Vec::with_capacity(shape.connections);
        for _ in 0..shape.connections {
            let connection = TcpStream::connect(address).await.unwrap();
            connection.set_nodelay(true).unwrap();
            connections.push(connection);
        }
        let started = Instant::now();
        let clients: Vec<_> = connections
            .into_iter()
            .enumerate()
            .map(|(index, connection)| {
                let calls = shape.calls / shape.connections + usize::from(index < shape.calls % shape.connections);
                local.spawn_local(call(connection, request(address, shape.is_stream), calls, shape.is_stream))
            })
            .collect();
        let times = local
            .run_until(async {
                let mut times = Vec::with_capacity(shape.calls);
                for client in clients {
                    times.extend(client.await.unwrap());
                }
                times
            })
            .await;
        (times, started.elapsed())
    })
}

async fn call(mut connection: TcpStream, request: Vec<u8>, calls: usize, is_stream: bool) -> Vec<Took> {
    let mut times = Vec::with_capacity(calls);
    let mut answer = Vec::with_capacity(16 * 1024);
    for _ in 0..calls {
        answer.clear();
        let started = Instant::now();
        connection.write_all(&request).await.unwrap();
        let mut first = Duration::ZERO;
        while !is_complete(&answer, is_stream) {
            let is_first = answer.is_empty();
            assert!(connection.read_buf(&mut answer).await.unwrap() > 0, "the connection ended within an answer");
            if is_first {
                first = started.elapsed();
            }
        }
        times.push(Took { first, whole: started.elapsed() });
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
    times
}

/// The one answer ends as no other piece of it does; the other says how long it is.
fn is_complete(answer: &[u8], is_stream: bool) -> bool {
    if is_stream && answer.starts_with(b"HTTP/1.1 200 ") {
        return answer.ends_with(b"\r\n0\r\n\r\n");
    }
    let Some(head_bytes) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = std::str::from_utf8(&answer[..head_bytes]).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    answer.len() >= head_bytes + 4 + length.expect("a plain answer has a length")
}

/// About 2 KB, with the headers of an official SDK.
fn request(address: SocketAddr, is_stream: bool) -> Vec<u8> {
    let text = "Summarise the minutes of the meeting in three sentences. ".repeat(32);
    let body = format!(
        r#"{{"model":"claude-sonnet-4-5","max_tokens":1024,"stream":{is_stream},"messages":[{{"role":"user","content":"{text}"}}]}}"#
    );
    let query = if is_stream { "?stream" } else { "" };
    format!(
        "POST /v1/messages{query} HTTP/1.1\r\nhost: {address}\r\naccept: application/json\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nuser-agent: Anthropic/Python 0.60.0\r\n\
         x-api-key: sk-ant-bench\r\nanthropic-version: 2023-06-01\r\nx-stainless-lang: python\r\n\
         x-stainless-package-version: 0.60.0\r\nx-stainless-os: Linux\r\nx-stainless-arch: x64\r\n\
         x-stainless-runtime: CPython\r\nx-stainless-runtime-version: 3.11.2\r\nx-stainless-retry-count: 0\r\n\
         x-stainless-timeout: 600\r\naccept-encoding: gzip, deflate\r\nconnection: keep-alive\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
