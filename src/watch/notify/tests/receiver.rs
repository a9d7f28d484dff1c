//! A receiver of webhooks that can misbehave, plain or encrypted.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// What it answers; 200 where nothing is scripted.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Plain {
        status: u16,
        header: String,
        body: String,
    },
    Hang,
    /// One byte of a header now and then.
    DripHead,
    /// A header that never ends, as fast as it is read.
    EndlessHead,
    /// The same of a body.
    EndlessBody,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

pub(super) struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
    written: Mutex<Option<usize>>,
}

impl Reply {
    pub(super) fn status(status: u16) -> Self {
        Self::Plain { status, header: String::new(), body: String::new() }
    }

    pub(super) fn with_header(self, line: &str) -> Self {
        let Self::Plain { status, body, .. } = self else { return self };
        Self::Plain { status, header: format!("{line}\r\n"), body }
    }

    pub(super) fn with_body(self, text: &str) -> Self {
        let Self::Plain { status, header, .. } = self else { return self };
        Self::Plain { status, header, body: text.into() }
    }
}

impl Receiver {
    pub(super) async fn start(script: Vec<Reply>) -> Self {
        Self::start_with(script, None).await
    }

    /// One that has a certificate and speaks nothing but https.
    pub(super) async fn start_with(script: Vec<Reply>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared { script: Mutex::new(script.into()), ..Shared::default() });
        let of_task = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (of_task.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => serve(tls.accept(stream).await.ok()?, shared).await,
                        None => serve(stream, shared).await,
                    }
                    Some(())
                });
            }
        });
        Self { address, shared }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(super) fn only_request(&self) -> Seen {
        let mut seen = self.requests();
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }

    /// How much of an endless answer went out before the client hung up.
    pub(super) async fn bytes_written_at_the_end(&self) -> usize {
        for _ in 0..100 {
            if let Some(written) = *self.shared.written.lock().unwrap() {
                return written;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the client never hung up");
    }
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    let Some(seen) = read_request(&mut stream).await else { return };
    shared.seen.lock().unwrap().push(seen);
    let reply = shared.script.lock().unwrap().pop_front().unwrap_or_else(|| Reply::status(200));
    match reply {
        Reply::Plain { status, header, body } => {
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {status} X\r\n{header}content-length: {length}\r\nconnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.ok();
            stream.shutdown().await.ok();
        }
        Reply::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
        Reply::DripHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-drip: ").await.ok();
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Reply::EndlessHead => write_without_end(&mut stream, "HTTP/1.1 200 OK\r\nx-long: ", &shared).await,
        Reply::EndlessBody => {
            write_without_end(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", &shared).await;
        }
    }
}

async fn write_without_end<S: AsyncWrite + AsyncRead + Unpin>(stream: &mut BufReader<S>, head: &str, shared: &Shared) {
    let block = [b'x'; 16 * 1024];
    let mut written = head.len();
    stream.write_all(head.as_bytes()).await.ok();
    while stream.write_all(&block).await.is_ok() {
        written += block.len();
    }
    *shared.written.lock().unwrap() = Some(written);
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<Seen> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut seen = Seen { line: line.trim_end().to_owned(), headers, body: Vec::new() };
    seen.body = vec![0; seen.header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut seen.body).await.ok()?;
    Some(seen)
}
