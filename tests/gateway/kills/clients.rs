//! Those who use the server while it is killed: each has one connection to it as long as it lives, and another one to its
//! successor. What they did and saw is written into one log, in the order in which it happened.

use super::super::answers::STREAM_REQUEST;
use super::super::fake_provider::find;
use super::Dice;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Nobody is silent for that long, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server, from its start to its end.
#[derive(Clone, Debug)]
pub struct Run {
    pub number: u64,
    pub address: SocketAddr,
    /// From a moment before it is killed.
    pub is_killed: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<Value>>);

pub type Runs = watch::Receiver<Option<Run>>;

impl Log {
    pub fn lines(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, line: Value) {
        self.0.lock().unwrap().push(line);
    }
}

/// Streams one call after the other, until there will be no more runs.
pub async fn stream_calls(client: u64, mut runs: Runs, log: Arc<Log>, mut dice: Dice) {
    while let Some(run) = next_run(&mut runs).await {
        let connection = format!("{}-{client}", run.number);
        let Some(mut stream) = run.connect().await else { continue };
        for number in 0.. {
            if let Err(error) = stream_call(&mut stream, &run, &connection, number, &log).await {
                run.expect_killed(&error);
                break;
            }
            tokio::time::sleep(dice.pause(30)).await;
        }
    }
}

/// Reports usage, a few items at a time, until there will be no more runs. What was not acknowledged is sent again, or
/// given up; some of what was is sent again too.
pub async fn report_usage(client: u64, mut runs: Runs, log: Arc<Log>, mut dice: Dice) {
    let mut unsure: Vec<Value> = Vec::new();
    while let Some(run) = next_run(&mut runs).await {
        let Some(mut stream) = run.connect().await else { continue };
        if dice.below(2) == 0 {
            unsure.clear();
        }
        for number in 0.. {
            if unsure.is_empty() {
                let name = format!("report-{}-{client}-{number}", run.number);
                unsure =
                    (0..=dice.below(4)).map(|index| new_item(&format!("{name}.{index}"), &log, &mut dice)).collect();
            }
            let times = 1 + u64::from(dice.below(8) == 0);
            if let Err(error) = report(&mut stream, &run, &unsure, times, &log).await {
                run.expect_killed(&error);
                break;
            }
            unsure.clear();
            tokio::time::sleep(dice.pause(40)).await;
        }
    }
}

impl Run {
    /// None if it was killed before; then another server may have its port.
    async fn connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        (!self.is_killed.load(Ordering::SeqCst)).then_some(stream)
    }

    fn expect_killed(&self, error: &io::Error) {
        assert!(self.is_killed.load(Ordering::SeqCst), "server {} hung up by itself: {error}", self.number);
    }
}

async fn next_run(runs: &mut Runs) -> Option<Run> {
    runs.changed().await.ok()?;
    runs.borrow_and_update().clone()
}

async fn stream_call(stream: &mut TcpStream, run: &Run, connection: &str, number: u64, log: &Log) -> io::Result<()> {
    let name = format!("call-{connection}-{number}");
    log.note(json!({ "is": "asked", "name": name, "run": run.number, "connection": connection }));
    // The one header is kept with the event and ends at the gateway, the other goes through to the provider.
    let headers = format!("x-api-key: sk-ant-of-the-client\r\nx-tollbridge-conversation: {name}\r\nx-call: {name}\r\n");
    stream.write_all(&post("/v1/messages", run.address, &headers, STREAM_REQUEST)).await?;
    let mut answer = Vec::new();
    let head = read_head(stream, &mut answer).await?;
    let event_id = header(&head, "x-tollbridge-call-id");
    log.note(json!({ "is": "answered", "name": name, "eventId": event_id }));
    // Then all of the event before has passed the gateway.
    read_until(stream, &mut answer, b"content_block_start").await?;
    log.note(json!({ "is": "started", "name": name }));
    read_until(stream, &mut answer, b"\r\n0\r\n\r\n").await?;
    log.note(json!({ "is": "whole", "name": name }));
    Ok(())
}

fn new_item(name: &str, log: &Log, dice: &mut Dice) -> Value {
    let usage = json!({ "input_tokens": dice.below(10_000), "output_tokens": dice.below(1_000) });
    log.note(json!({ "is": "reported", "name": name, "usage": usage }));
    json!({ "id": name, "conversationId": name, "model": "claude-sonnet-4-20250514", "usage": usage })
}

async fn report(stream: &mut TcpStream, run: &Run, items: &[Value], times: u64, log: &Log) -> io::Result<()> {
    for time in 0..times {
        stream.write_all(&post("/api/analytics/usage", run.address, "", &json!(items).to_string())).await?;
        let mut answer = Vec::new();
        let head = read_head(stream, &mut answer).await?;
        let length: usize = header(&head, "content-length").parse().unwrap();
        while answer.len() < length {
            read_more(stream, &mut answer).await?;
        }
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        for (item, result) in items.iter().zip(answer["results"].as_array().unwrap()) {
            let is_kept = result["status"] == "duplicate" || (time == 0 && result["status"] == "recorded");
            assert!(is_kept, "{item} is answered with {result}, the time number {time}");
            log.note(json!({ "is": "acknowledged", "name": item["id"], "eventId": result["id"] }));
        }
    }
    Ok(())
}

fn post(path: &str, host: SocketAddr, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{headers}");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

/// The head, in lower case; what came of the body stays in `answer`.
async fn read_head(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<String> {
    read_until(stream, answer, b"\r\n\r\n").await?;
    let end = find(answer, b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(answer.drain(..end).collect()).unwrap().to_ascii_lowercase();
    let is_fine = ["http/1.1 200 ", "http/1.1 201 "].iter().any(|status| head.starts_with(status));
    assert!(is_fine, "{head}{}", String::from_utf8_lossy(answer));
    Ok(head)
}

fn header(head: &str, name: &str) -> String {
    let found = head.lines().filter_map(|line| line.split_once(": ")).find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no {name} in {head}")).1.to_owned()
}

async fn read_until(stream: &mut TcpStream, answer: &mut Vec<u8>, wanted: &[u8]) -> io::Result<()> {
    while find(answer, wanted).is_none() {
        read_more(stream, answer).await?;
    }
    Ok(())
}

async fn read_more(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    let read = tokio::time::timeout(PATIENCE, stream.read_buf(answer)).await.expect("the server says nothing")?;
    if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}
