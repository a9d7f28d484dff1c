//! A request's body on its way to the provider: untouched, but measured, timed, and read for the few fields that say what
//! kind of call it is.

use super::error::GatewayError;
use super::request_scan::{RequestFields, RequestScan};
use axum::body::{Body, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// What has been learnt of a request while its body passes; shared with the call that it belongs to.
#[derive(Clone, Debug, Default)]
pub struct RequestNotes(Arc<Mutex<Notes>>);

#[derive(Debug, Default)]
struct Notes {
    scan: RequestScan,
    failure: Option<GatewayError>,
}

/// The body, in the frames in which it came.
pub struct RequestBody {
    body: Body,
    /// Came before the provider was asked, and is given out first.
    first: Option<Frame<Bytes>>,
    /// How many bytes may still come.
    remaining: u64,
    is_readable: bool,
    notes: RequestNotes,
    pause: Duration,
    alarm: Pin<Box<Sleep>>,
    is_waiting: bool,
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
    pub fn fields(&self) -> RequestFields {
        self.lock().scan.fields().clone()
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
            first: None,
            remaining: limits.bytes,
            is_readable: limits.is_readable,
            notes: RequestNotes::default(),
            pause: limits.pause,
            alarm: Box::pin(sleep_until(Instant::now() + limits.pause)),
            is_waiting: false,
        }
    }

    pub fn notes(&self) -> RequestNotes {
        self.notes.clone()
    }

    /// Waits for the first bytes, so that the model is mostly known before the provider is asked.
    pub async fn wait_for_first(&mut self) -> Result<(), GatewayError> {
        if HttpBody::is_end_stream(&*self) {
            return Ok(());
        }
        match std::future::poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await {
            Some(Ok(frame)) => self.first = Some(frame),
            Some(Err(error)) => return Err(error),
            None => {}
        }
        Ok(())
    }

    fn take_in(&mut self, data: &Bytes) -> Result<(), GatewayError> {
        match self.remaining.checked_sub(data.len() as u64) {
            Some(remaining) => self.remaining = remaining,
            None => return Err(self.fail(GatewayError::TooLarge)),
        }
        if self.is_readable {
            self.notes.lock().scan.push(data);
        }
        Ok(())
    }

    fn fail(&self, failure: GatewayError) -> GatewayError {
        self.notes.lock().failure = Some(failure);
        failure
    }

    /// A client that says nothing for too long is cut off. Time in which the provider takes nothing does not count.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.is_waiting, true) {
            let until = Instant::now() + self.pause;
            self.alarm.as_mut().reset(until);
        }
        self.alarm.as_mut().poll(cx)
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = GatewayError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GatewayError>>> {
        let this = self.get_mut();
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(cx) else {
            ready!(this.poll_pause(cx));
            return Poll::Ready(Some(Err(this.fail(GatewayError::RequestTimeout))));
        };
        this.is_waiting = false;
        Poll::Ready(match next {
            Some(Ok(frame)) => match frame.data_ref().map_or(Ok(()), |data| this.take_in(data)) {
                Ok(()) => Some(Ok(frame)),
                Err(error) => Some(Err(error)),
            },
            Some(Err(_)) => Some(Err(this.fail(GatewayError::RequestBrokeOff))),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let waiting = self.first.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + waiting);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + waiting);
        }
        hint
    }
}
