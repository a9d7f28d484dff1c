//! A provider that can misbehave: plain TCP, so that every byte, pause and reset is scripted. It notes each request as it
//! came, what its script has it note of the answer, and the moment at which a client hung up.

use serde_json::Value;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the provider does after it has read a request.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Writes an object into the provider's log: what it has sent by now, as only the provider knows it.
    Note(Value),
    /// Ends the connection with RST.
    Reset,
    /// Ends the connection with FIN.
    Close,
    /// Says nothing until the client hangs up.
    Hang,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// In the order and spelling of the wire.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Clone)]
pub struct FakeProvider {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

type Behaviour = dyn Fn(&Seen) -> Vec<Step> + Send + Sync;

struct Shared {
    scripts: Mutex<VecDeque<Vec<Step>>>,
    behaviour: Box<Behaviour>,
    seen: Mutex<Vec<Seen>>,
    log: Mutex<Vec<Value>>,
    began: Instant,
    hung_up: Mutex<Vec<Instant>>,
}

impl FakeProvider {
    /// Plays what [`FakeProvider::play`] is given, and a plain message where nothing was given.
    pub async fn start() -> Self {
        Self::behaving(|_| vec![Step::Send(json_answer(200, &[], super::answers::MESSAGE))]).await
    }

    /// Answers each request as `behaviour` says, unless a script is waiting.
    pub async fn behaving(behaviour: impl Fn(&Seen) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            scripts: Mutex::default(),
            behaviour: Box::new(behaviour),
            seen: Mutex::default(),
            log: Mutex::default(),
            began: Instant::now(),
            hung_up: Mutex::default(),
        });
        let serving = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The answer to the next request that has none yet.
    pub fn play(&self, script: Vec<Step>) {
        self.shared.scripts.lock().unwrap().push_back(script);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// What was noted, in order, each with the milliseconds since the provider began.
    pub fn log(&self) -> Vec<Value> {
        self.shared.log.lock().unwrap().clone()
    }

    /// Waits for the moment at which a client hung up in the middle of an answer.
    pub async fn hung_up(&self) -> Instant {
        for _ in 0..500 {
            if let Some(at) = self.shared.hung_up.lock().unwrap().first() {
                return *at;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody hung up on the provider within 5 s");
    }
}

impl Seen {
    /// All values of a header.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }
}

/// A whole answer of known length.
pub fn json_answer(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    answer(status, &[&[("content-type", "application/json")], headers].concat(), body)
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

/// The head of a stream.
pub fn stream_head(headers: &[(&str, &str)]) -> Step {
    let mut text = String::from(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n",
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    Step::Send(text.into_bytes())
}

/// A piece of a stream, as one chunk.
pub fn chunk(bytes: impl AsRef<[u8]>) -> Step {
    let bytes = bytes.as_ref();
    Step::Send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
}

pub fn end_of_chunks() -> Step {
    Step::Send(b"0\r\n\r\n".to_vec())
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut unread = Vec::new();
    while let Some(seen) = read_request(&mut stream, &mut unread).await {
        let script = shared.scripts.lock().unwrap().pop_front();
        let script = script.unwrap_or_else(|| (shared.behaviour)(&seen));
        shared.seen.lock().unwrap().push(seen);
        for step in script {
            match play(&mut stream, &shared, step).await {
                Next::Step => {}
                Next::HungUp => {
                    shared.hung_up.lock().unwrap().push(Instant::now());
                    return;
                }
                Next::End => return,
            }
        }
    }
}

enum Next {
    Step,
    HungUp,
    End,
}

async fn play(stream: &mut TcpStream, shared: &Shared, step: Step) -> Next {
    match step {
        Step::Note(mut line) => {
            line["atMs"] = (shared.began.elapsed().as_millis() as u64).into();
            shared.log.lock().unwrap().push(line);
            Next::Step
        }
        Step::Send(bytes) if stream.write_all(&bytes).await.is_ok() => Next::Step,
        Step::Send(_) => Next::HungUp,
        Step::Wait(pause) => tokio::select! {
            () = tokio::time::sleep(pause) => Next::Step,
            () = closed(stream) => Next::HungUp,
        },
        Step::Hang => {
            closed(stream).await;
            Next::HungUp
        }
        Step::Reset => {
            stream.set_zero_linger().unwrap();
            Next::End
        }
        Step::Close => Next::End,
    }
}

/// Returns when the other side has closed or reset the connection.
async fn closed(stream: &mut TcpStream) {
    let mut byte = [0; 1024];
    while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {}
}

async fn read_request(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Seen> {
    let head_end = loop {
        if let Some(at) = find(unread, b"\r\n\r\n") {
            break at + 4;
        }
        read_more(stream, unread).await?;
    };
    let head = String::from_utf8(unread.drain(..head_end).collect()).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let mut first = lines.next()?.split(' ');
    let mut seen = Seen {
        method: first.next()?.to_owned(),
        target: first.next()?.to_owned(),
        headers: lines.filter_map(|line| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned()))).collect(),
        body: Vec::new(),
    };
    if let Some(length) = seen.header("content-length").first().and_then(|length| length.parse::<usize>().ok()) {
        while unread.len() < length {
            read_more(stream, unread).await?;
        }
        seen.body = unread.drain(..length).collect();
    } else if seen.header("transfer-encoding") == ["chunked"] {
        seen.body = read_chunks(stream, unread).await?;
    }
    Some(seen)
}

async fn read_chunks(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = loop {
            if let Some(at) = find(unread, b"\r\n") {
                break at;
            }
            read_more(stream, unread).await?;
        };
        let size = usize::from_str_radix(std::str::from_utf8(&unread[..line_end]).ok()?, 16).ok()?;
        while unread.len() < line_end + 2 + size + 2 {
            read_more(stream, unread).await?;
        }
        body.extend_from_slice(&unread[line_end + 2..line_end + 2 + size]);
        unread.drain(..line_end + 2 + size + 2);
        if size == 0 {
            return Some(body);
        }
    }
}

async fn read_more(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 16 * 1024];
    match stream.read(&mut buffer).await {
        Ok(0) | Err(_) => None,
        Ok(read) => {
            unread.extend_from_slice(&buffer[..read]);
            Some(())
        }
    }
}

pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
