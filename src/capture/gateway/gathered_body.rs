//! A body whose pieces go out together if they are here together. Many small writes to a client's socket are most of what
//! passing a stream on costs; a piece that is alone waits for nothing but the turns of the thread's other tasks.

use axum::body::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

/// As many as hyper writes at once.
const MAX_PIECES: usize = 16;
const MAX_BYTES: u64 = 64 * 1024;

/// The same pieces as those of `body`, in the same order. Whoever writes them flushes when there is none at the moment,
/// and hyper decodes one at a time: so none is given out before the one that may be behind it was asked for.
pub struct GatheredBody<B: HttpBody> {
    body: B,
    waiting: VecDeque<Result<Frame<Bytes>, B::Error>>,
    /// The one behind those that wait was asked for once, and not there. hyper asks twice in a turn, so that tells nothing yet.
    has_looked: bool,
    /// Those that wait go out before another one is asked for.
    is_due: bool,
    /// The first goes with the answer's head, and at once.
    has_begun: bool,
    /// The answer's head or pieces were given out, and nobody can have flushed them yet.
    is_unflushed: bool,
    has_ended: bool,
}

/// A piece, an error, or the end.
type Next<E> = Option<Result<Frame<Bytes>, E>>;

impl<B: HttpBody<Data = Bytes>> GatheredBody<B> {
    pub fn new(body: B) -> Self {
        Self {
            body,
            waiting: VecDeque::new(),
            has_looked: false,
            is_due: false,
            has_begun: false,
            is_unflushed: true,
            has_ended: false,
        }
    }

    fn take_in(&mut self, piece: Result<Frame<Bytes>, B::Error>) {
        self.has_looked = false;
        let is_last = piece.is_err() || self.body.is_end_stream();
        self.waiting.push_back(piece);
        let is_full = self.waiting.len() >= MAX_PIECES || self.waiting_bytes() >= MAX_BYTES;
        self.is_due = is_last || is_full || !std::mem::replace(&mut self.has_begun, true);
    }

    /// The next piece that is due, or the end. Before an error there is nothing once: hyper drops what it has not flushed
    /// together with the connection, and flushes where there is nothing. What a client that is behind has no room for is dropped.
    fn give_out(&mut self, cx: &mut Context<'_>) -> Option<Poll<Next<B::Error>>> {
        if matches!(self.waiting.front(), Some(Err(_))) && std::mem::take(&mut self.is_unflushed) {
            cx.waker().wake_by_ref();
            return Some(Poll::Pending);
        }
        match self.waiting.pop_front() {
            None if !self.has_ended => None,
            piece => {
                self.is_unflushed = true;
                Some(Poll::Ready(piece))
            }
        }
    }

    fn waiting_bytes(&self) -> u64 {
        let pieces = self.waiting.iter().filter_map(|piece| piece.as_ref().ok()?.data_ref());
        pieces.map(|data| data.len() as u64).sum()
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for GatheredBody<B>
where
    B::Error: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        loop {
            if this.is_due {
                if let Some(given) = this.give_out(cx) {
                    return given;
                }
                this.is_due = false;
            }
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(piece)) => this.take_in(piece),
                Poll::Ready(None) => (this.has_ended, this.is_due) = (true, true),
                Poll::Pending if this.waiting.is_empty() => {
                    this.is_unflushed = false;
                    return Poll::Pending;
                }
                Poll::Pending => this.is_due = std::mem::replace(&mut this.has_looked, true),
            }
            if !this.is_due {
                this.is_unflushed = false;
                // The next piece is decoded by a task that was woken when this one was taken, or it is not here.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_empty() && (self.has_ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        longer_by(self.waiting_bytes(), &self.body.size_hint())
    }
}

/// How long a body is of which so many bytes wait before the rest.
pub fn longer_by(waiting_bytes: u64, rest: &SizeHint) -> SizeHint {
    let mut hint = SizeHint::new();
    hint.set_lower(rest.lower() + waiting_bytes);
    if let Some(upper) = rest.upper() {
        hint.set_upper(upper + waiting_bytes);
    }
    hint
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{Request, Response};
    use http_body_util::Empty;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use std::convert::Infallible;
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::{Wake, Waker};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

    /// What polling a body gives, one after the other.
    struct Script(VecDeque<Poll<Result<&'static str, &'static str>>>);

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl HttpBody for Script {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            match self.0.pop_front() {
                Some(Poll::Ready(next)) => Poll::Ready(Some(next.map(|text| Frame::data(text.into())))),
                Some(Poll::Pending) => Poll::Pending,
                None => Poll::Ready(None),
            }
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(
                self.0.iter().map(|next| if let Poll::Ready(Ok(text)) = next { text.len() as u64 } else { 0 }).sum(),
            )
        }
    }

    /// What a writer writes at once: until nothing is there at the moment. A turn in which it was given nothing is `-`.
    fn writes(script: impl IntoIterator<Item = Poll<Result<&'static str, &'static str>>>) -> Vec<String> {
        let mut body = GatheredBody::new(Script(script.into_iter().collect()));
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let (mut writes, mut now) = (Vec::new(), String::new());
        loop {
            let woken_before = wakes.0.load(Ordering::Relaxed);
            match Pin::new(&mut body).poll_frame(&mut Context::from_waker(&waker)) {
                Poll::Ready(Some(Ok(frame))) => now.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
                Poll::Ready(Some(Err(error))) => now.push_str(error),
                Poll::Ready(None) => {
                    writes.push(now);
                    return writes;
                }
                Poll::Pending => {
                    let is_due = std::mem::take(&mut now);
                    let has_to_come_back = !body.waiting.is_empty();
                    assert_eq!(wakes.0.load(Ordering::Relaxed) - woken_before, usize::from(has_to_come_back));
                    writes.push(if is_due.is_empty() { "-".into() } else { is_due });
                }
            }
        }
    }

    fn piece(text: &'static str) -> Poll<Result<&'static str, &'static str>> {
        Poll::Ready(Ok(text))
    }

    #[test]
    fn pieces_that_are_here_go_out_together_and_the_first_at_once() {
        let nothing = Poll::Pending;
        let script = [piece("a"), nothing, piece("b"), nothing, piece("c"), piece("d"), nothing, nothing, piece("e")];
        assert_eq!(writes(script), ["a", "-", "-", "-", "-", "-", "bcd", "e"]);
    }

    #[test]
    fn a_piece_that_is_alone_waits_one_turn() {
        let nothing = Poll::Pending;
        let script = [piece("a"), nothing, piece("b"), nothing, nothing, piece("c")];
        assert_eq!(writes(script), ["a", "-", "-", "b", "c"]);
    }

    #[test]
    fn an_error_comes_after_what_came_before_it() {
        let script = [piece("a"), piece("b"), Poll::Ready(Err("!"))];
        assert_eq!(writes(script), ["a", "b", "!"], "flushed before");
        assert_eq!(writes([piece("a"), Poll::Ready(Err("!"))]), ["a", "!"]);
        assert_eq!(writes([Poll::Ready(Err("!"))]), ["-", "!"], "so is the head");
        assert_eq!(writes([piece("a"), Poll::Pending, Poll::Ready(Err("!"))]), ["a", "!"]);
    }

    #[test]
    fn no_more_wait_than_are_written_at_once() {
        let written = writes(std::iter::repeat_with(|| piece("x")).take(1 + 2 * MAX_PIECES));
        let longest = written.iter().map(String::len).max();
        assert_eq!((longest, written.concat().matches('x').count()), (Some(MAX_PIECES), 1 + 2 * MAX_PIECES));
    }

    #[test]
    fn what_waits_counts_as_still_to_come() {
        let mut body = GatheredBody::new(Script([piece("a"), piece("bcd"), piece("ef")].into()));
        let mut poll = || Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())).is_ready();
        assert_eq!((poll(), poll()), (true, false));
        assert_eq!(body.size_hint().exact(), Some(5));
        assert!(!body.is_end_stream());
    }

    /// Counts the writes to it.
    struct Counted(DuplexStream, Arc<AtomicUsize>);

    impl AsyncRead for Counted {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.0).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    /// What a client gets of an answer that comes in one read and after which the provider closes, and in how many writes. With
    /// hyper on both sides: when it asks, and how often, is its own affair.
    async fn passed_on(body: String) -> (String, usize) {
        let (upstream, mut provider) = duplex(64 * 1024);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(upstream)).await.unwrap();
        tokio::spawn(connection);
        tokio::spawn(async move {
            provider.read_buf(&mut Vec::new()).await.unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}");
            provider.write_all(answer.as_bytes()).await.unwrap();
        });
        let answer = sender.send_request(Request::new(Empty::<Bytes>::new())).await.unwrap();
        let body = Mutex::new(Some(GatheredBody::new(answer.into_body())));
        let service = service_fn(|_: Request<hyper::body::Incoming>| {
            let answer = Response::new(body.lock().unwrap().take().unwrap());
            async { Ok::<_, Infallible>(answer) }
        });
        let (downstream, mut client) = duplex(64 * 1024);
        let writes = Arc::new(AtomicUsize::new(0));
        client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let downstream = TokioIo::new(Counted(downstream, writes.clone()));
        // An error where the answer broke off.
        hyper::server::conn::http1::Builder::new().serve_connection(downstream, service).await.ok();
        let mut received = String::new();
        client.read_to_string(&mut received).await.unwrap();
        (received, writes.load(Ordering::Relaxed))
    }

    const TEN_EVENTS: &str = "5\r\nevent\r\n5\r\nevent\r\n5\r\nevent\r\n5\r\nevent\r\n5\r\nevent\r\n\
                              5\r\nevent\r\n5\r\nevent\r\n5\r\nevent\r\n5\r\nevent\r\n5\r\nevent\r\n";

    #[tokio::test]
    async fn ten_chunks_that_came_in_one_read_go_out_in_two_writes() {
        let (received, writes) = passed_on(format!("{TEN_EVENTS}0\r\n\r\n")).await;
        assert!(received.ends_with(&format!("{TEN_EVENTS}0\r\n\r\n")), "{received}");
        assert_eq!(writes, 2);
    }

    #[tokio::test]
    async fn what_came_right_before_the_provider_broke_off_reaches_the_client() {
        for sent in [TEN_EVENTS, ""] {
            let (received, _) = passed_on(sent.into()).await;
            assert!(
                received.starts_with("HTTP/1.1 200 OK\r\n") && received.ends_with(&format!("\r\n\r\n{sent}")),
                "{received}"
            );
        }
    }
}
