//! A request's body on its way to the provider: untouched, but measured, timed, and read for the few fields that say what
//! kind of call it is.

use super::error::GatewayError;
use super::gathered_body::longer_by;
use super::refusal::Refusal;
use crate::capture::provider::request_scan::{RequestFields, RequestScan};
use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// What has been learnt of a request while its body passes; shared with the call that it belongs to.
#[derive(Clone, Debug, Default)]
pub struct RequestNotes(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    /// When the provider's connection last took a piece of it.
    taken_at: Option<Instant>,
    scan: RequestScan,
    failure: Option<GatewayError>,
    refusal: Option<Refusal>,
    /// How many bytes came so far.
    bytes: u64,
    is_call_over: bool,
}

/// What has to be decided once all of the request has come, and before its last frame goes on.
pub type Decision = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// The body, in the frames in which it came.
pub struct RequestBody {
    body: Body,
    /// Came before the provider was asked, or is held back; given out first.
    ahead: VecDeque<Frame<Bytes>>,
    /// No more will come.
    has_ended: bool,
    /// While there is one, the last frame stays here: without it the request is not complete.
    decision: Option<Decision>,
    /// How many bytes may still come.
    remaining: u64,
    is_readable: bool,
    notes: RequestNotes,
    pause: Duration,
    /// Set while the client is silent.
    alarm: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    pub bytes: u64,
    /// How long the client may send nothing.
    pub pause: Duration,
    /// The bytes are JSON and not compressed, so that they can be read.
    pub is_readable: bool,
}

impl RequestNotes {
    /// What `read` makes of the fields that have come so far.
    pub fn with_fields<T>(&self, read: impl FnOnce(&RequestFields) -> T) -> T {
        read(self.lock().scan.fields())
    }

    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// The call has ended, be it before the last of its request: the provider may answer early.
    pub fn note_call_over(&self) {
        self.lock().is_call_over = true;
    }

    pub fn is_call_over(&self) -> bool {
        self.lock().is_call_over
    }

    /// Returns when nothing of the request has been taken for that long, be it that all of it was sent.
    pub async fn untaken_for(&self, limit: Duration) {
        let mut due = Instant::now() + limit;
        loop {
            sleep_until(due).await;
            let taken_at = self.lock().taken_at;
            match taken_at.map(|taken_at| taken_at + limit) {
                Some(later) if later > due => due = later,
                _ => return,
            }
        }
    }

    /// Why the rest of the body was not sent, if a budget refused it.
    pub fn refusal(&self) -> Option<Refusal> {
        self.lock().refusal.clone()
    }

    /// Why the body could not be sent, if it was the client's doing.
    pub fn failure(&self) -> Option<GatewayError> {
        self.lock().failure
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestBody {
    pub fn new(body: Body, limits: RequestLimits) -> Self {
        Self {
            body,
            ahead: VecDeque::new(),
            has_ended: false,
            decision: None,
            remaining: limits.bytes,
            is_readable: limits.is_readable,
            notes: RequestNotes::default(),
            pause: limits.pause,
            alarm: None,
        }
    }

    pub fn notes(&self) -> RequestNotes {
        self.notes.clone()
    }

    /// Waits for the first bytes, so that the model is mostly known before the provider is asked.
    pub async fn wait_for_first(&mut self) -> Result<(), GatewayError> {
        if self.ahead.is_empty() && !self.has_ended && !self.body.is_end_stream() {
            std::future::poll_fn(|cx| self.poll_ahead(cx)).await?;
        }
        Ok(())
    }

    /// Reads on up to so many bytes, and says whether that was all of the request.
    pub async fn gather(&mut self, max_bytes: u64) -> Result<bool, GatewayError> {
        while !self.has_ended && !self.body.is_end_stream() {
            if self.notes.bytes() > max_bytes {
                return Ok(false);
            }
            std::future::poll_fn(|cx| self.poll_ahead(cx)).await?;
        }
        Ok(true)
    }

    /// Holds the last frame back until this is decided; refused, the body breaks off without it.
    pub fn decide_at_end(&mut self, decision: Decision) {
        self.decision = Some(decision);
    }

    /// Puts the next frame, if one comes, behind those that wait.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GatewayError>> {
        match ready!(self.poll_body(cx)) {
            Some(frame) => self.ahead.push_back(frame?),
            None => self.has_ended = true,
        }
        Poll::Ready(Ok(()))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GatewayError>>> {
        let Poll::Ready(next) = Pin::new(&mut self.body).poll_frame(cx) else {
            ready!(self.poll_pause(cx));
            return Poll::Ready(Some(Err(self.fail(GatewayError::RequestTimeout))));
        };
        self.alarm = None;
        Poll::Ready(match next {
            Some(Ok(frame)) => match frame.data_ref().map_or(Ok(()), |data| self.take_in(data)) {
                Ok(()) => Some(Ok(frame)),
                Err(error) => Some(Err(error)),
            },
            Some(Err(_)) => Some(Err(self.fail(GatewayError::RequestBrokeOff))),
            None => None,
        })
    }

    /// Reads one frame ahead, so that there is always one left to hold back, and decides when the end has come.
    fn poll_decision(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), GatewayError>> {
        while self.decision.is_some() && self.ahead.len() < 2 {
            if !self.has_ended && !self.body.is_end_stream() {
                ready!(self.poll_ahead(cx))?;
                continue;
            }
            let Some(decision) = &mut self.decision else { break };
            let decided = ready!(decision.as_mut().poll(cx));
            self.decision = None;
            if let Err(refusal) = decided {
                self.notes.lock().refusal = Some(refusal);
                return Poll::Ready(Err(self.fail(GatewayError::SpendLimit)));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take_in(&mut self, data: &Bytes) -> Result<(), GatewayError> {
        match self.remaining.checked_sub(data.len() as u64) {
            Some(remaining) => self.remaining = remaining,
            None => return Err(self.fail(GatewayError::TooLarge)),
        }
        let mut notes = self.notes.lock();
        notes.bytes += data.len() as u64;
        if self.is_readable {
            notes.scan.push(data);
        }
        Ok(())
    }

    fn fail(&self, failure: GatewayError) -> GatewayError {
        self.notes.lock().failure = Some(failure);
        failure
    }

    /// A client that says nothing for too long is cut off. Time in which the provider takes nothing does not count.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let pause = self.pause;
        self.alarm.get_or_insert_with(|| Box::pin(sleep(pause))).as_mut().poll(cx)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = GatewayError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GatewayError>>> {
        let this = self.get_mut();
        if let Err(error) = ready!(this.poll_decision(cx)) {
            return Poll::Ready(Some(Err(error)));
        }
        let next = match this.ahead.pop_front() {
            Some(frame) => Some(Ok(frame)),
            None if this.has_ended => None,
            None => ready!(this.poll_body(cx)),
        };
        this.notes.lock().taken_at = Some(Instant::now());
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.decision.is_none() && (self.has_ended || self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = self.ahead.iter().filter_map(Frame::data_ref).map(|data| data.len() as u64).sum();
        longer_by(waiting, &self.body.size_hint())
    }
}
