//! Calls on connections that stay open, one after the other on each, as bytes made beforehand.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Plain,
    Stream,
}

/// What calls took.
#[derive(Default)]
pub struct Measured {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Measured {
    pub fn calls(&self) -> usize {
        self.latencies.len()
    }

    pub fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.latencies.sort_unstable();
        self.elapsed += other.elapsed;
    }

    pub fn percentile(&self, percent: usize) -> Duration {
        self.latencies[(self.latencies.len() - 1) * percent / 100]
    }

    pub fn calls_per_second(&self) -> f64 {
        self.calls() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Makes `calls` calls in all.
pub async fn run(address: SocketAddr, answer: Answer, connections: usize, calls: usize) -> Measured {
    let started = Instant::now();
    let clients: Vec<_> =
        (0..connections).map(|_| tokio::spawn(call_in_turn(address, answer, calls / connections))).collect();
    let mut latencies = Vec::with_capacity(calls);
    for client in clients {
        latencies.extend(client.await.unwrap());
    }
    Measured { latencies, elapsed: started.elapsed() }
}

async fn call_in_turn(address: SocketAddr, answer: Answer, calls: usize) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let request = request(address, answer);
    let mut buffer = vec![0; 16 * 1024];
    let mut latencies = Vec::with_capacity(calls);
    for _ in 0..calls {
        let started = Instant::now();
        stream.write_all(&request).await.unwrap();
        read_answer(&mut stream, &mut buffer).await;
        latencies.push(started.elapsed());
    }
    latencies
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await.unwrap();
        assert!(read > 0, "hung up on: {}", String::from_utf8_lossy(&buffer[..filled]));
        filled += read;
        if is_whole(&buffer[..filled]) {
            break;
        }
    }
    let seen = String::from_utf8_lossy(&buffer[..filled]);
    assert!(buffer.starts_with(b"HTTP/1.1 200"), "{seen}");
}

/// The provider's answers end in one of these two ways and hold neither before.
fn is_whole(answer: &[u8]) -> bool {
    answer.ends_with(b"\r\n0\r\n\r\n") || answer.ends_with(b"}}")
}

/// With the headers that Claude Code sends, and as much of a conversation as fits beside them.
fn request(address: SocketAddr, answer: Answer) -> Vec<u8> {
    let stream = matches!(answer, Answer::Stream);
    let text = "What does this function do, and where is it called from? ".repeat(30);
    let body = format!(
        r#"{{"model":"claude-sonnet-4-20250514","max_tokens":1024,"stream":{stream},"messages":[{{"role":"user","content":"{text}"}}]}}"#
    );
    format!(
        "POST /v1/messages?beta=true HTTP/1.1\r\nhost: {address}\r\naccept: application/json\r\ncontent-type: application/json\r\n\
         user-agent: claude-cli/2.1.0 (external, cli)\r\nx-api-key: sk-ant-of-the-client\r\nanthropic-version: 2023-06-01\r\n\
         anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14\r\nx-app: cli\r\nx-stainless-lang: js\r\n\
         x-stainless-retry-count: 0\r\nx-stainless-timeout: 600\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
