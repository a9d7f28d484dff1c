//! The provider: answers every call at once, from prepared bytes. Each answer has a request id and a message id of its own,
//! as real ones do.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where the ids stand in the prepared bytes.
const ID: &[u8] = b"0000000000000000";
const TEXT: &str = "The quick brown fox jumps over the lazy dog. ";

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// An answer, in the pieces in which it is sent.
#[derive(Clone)]
struct Answer(Vec<Vec<u8>>);

/// Starts it in a thread of its own.
pub fn start() -> SocketAddr {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                connection.set_nodelay(true).unwrap();
                tokio::task::spawn_local(serve(connection));
            }
        });
    });
    receiver.recv().unwrap()
}

async fn serve(mut connection: TcpStream) {
    let (plain, stream) = (plain_answer(), stream_answer());
    let mut unread = Vec::with_capacity(16 * 1024);
    loop {
        let request_bytes = loop {
            if let Some(bytes) = request_bytes(&unread) {
                break bytes;
            }
            if connection.read_buf(&mut unread).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let is_stream = unread.starts_with(b"POST /v1/messages?stream");
        unread.drain(..request_bytes);
        let id = format!("{:016x}", NEXT_ID.fetch_add(1, Ordering::Relaxed));
        let answer = if is_stream { stream.clone() } else { plain.clone() };
        for piece in answer.0 {
            if connection.write_all(&with_id(piece, id.as_bytes())).await.is_err() {
                return;
            }
            // Each piece is a packet of its own.
            tokio::task::yield_now().await;
        }
    }
}

/// How long the request is, once all of it is there.
fn request_bytes(unread: &[u8]) -> Option<usize> {
    let head_bytes = unread.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&unread[..head_bytes]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let whole = head_bytes + length.unwrap_or(0);
    (unread.len() >= whole).then_some(whole)
}

fn with_id(mut piece: Vec<u8>, id: &[u8]) -> Vec<u8> {
    let mut from = 0;
    while let Some(at) = piece[from..].windows(ID.len()).position(|window| window == ID) {
        piece[from + at..from + at + ID.len()].copy_from_slice(id);
        from += at + ID.len();
    }
    piece
}

fn plain_answer() -> Answer {
    let text = TEXT.repeat(20);
    let body = format!(
        r#"{{"model":"claude-sonnet-4-5-20250929","id":"msg_0000000000000000","type":"message","role":"assistant","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":512,"cache_creation_input_tokens":0,"cache_read_input_tokens":2048,"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}},"output_tokens":220,"service_tier":"standard"}}}}"#
    );
    let head = head(&format!("content-type: application/json\r\ncontent-length: {}", body.len()));
    Answer(vec![format!("{head}{body}").into_bytes()])
}

/// Fourteen events; the head goes with the first.
fn stream_answer() -> Answer {
    let event = |name: &str, data: &str| {
        let event = format!("event: {name}\ndata: {data}\n\n");
        format!("{:x}\r\n{event}\r\n", event.len())
    };
    let start = event(
        "message_start",
        r#"{"type":"message_start","message":{"model":"claude-sonnet-4-5-20250929","id":"msg_0000000000000000","type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":512,"cache_creation_input_tokens":0,"cache_read_input_tokens":2048,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}"#,
    );
    let head =
        head("content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\ntransfer-encoding: chunked");
    let mut pieces = vec![format!("{head}{start}")];
    pieces.push(event(
        "content_block_start",
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    ));
    let delta = format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{}"}}}}"#,
        TEXT.repeat(2)
    );
    pieces.extend((0..9).map(|_| event("content_block_delta", &delta)));
    pieces.push(event("content_block_stop", r#"{"type":"content_block_stop","index":0}"#));
    pieces.push(event(
        "message_delta",
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":220}}"#,
    ));
    pieces.push(event("message_stop", r#"{"type":"message_stop"}"#) + "0\r\n\r\n");
    Answer(pieces.into_iter().map(String::into_bytes).collect())
}

fn head(of_body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ndate: Tue, 24 Nov 2026 09:30:00 GMT\r\n{of_body}\r\nrequest-id: req_0000000000000000\r\n\
         anthropic-organization-id: 5e2e0e1c-6b1c-4f0e-8e8b-000000000001\r\n\
         anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n\
         anthropic-ratelimit-requests-reset: 2026-11-24T09:30:00Z\r\nserver: cloudflare\r\nvia: 1.1 google\r\n\r\n"
    )
}
