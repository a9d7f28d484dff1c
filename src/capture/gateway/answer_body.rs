//! An answer's body on its way to the client: every byte as it came, in the pieces in which it came, as fast as the client
//! takes them. What is read from it is read in passing.

use super::batch::ResultsReader;
use super::call::{Call, Ending};
use super::coding::Coding;
use super::meter::Meter;
use super::upstream::connections::Held;
use axum::body::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

/// Who reads along.
pub enum Reader {
    Call(Box<Call>, Meter),
    BatchResults(Box<ResultsReader>, Coding),
    Nobody,
}

/// Of an answer that has come to its end. Dropped, it tells so, whether the task that has it came to run or not.
struct Complete(Reader);

/// How long an answer may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    /// Until a ping is put in, where one fits.
    pub ping_after: Duration,
    /// Until the answer is given up.
    pub cut_after: Duration,
}

pub struct AnswerBody {
    body: Incoming,
    /// The connection that the answer comes on, until it is complete.
    connection: Option<Held>,
    reader: Reader,
    silence: Silence,
    /// When the provider last sent something.
    heard_at: Instant,
    /// When the client was last sent something.
    sent_at: Instant,
    /// Set once the provider has been silent.
    alarm: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error("the provider's answer broke off: {0}")]
    BrokeOff(#[from] hyper::Error),
    #[error("the provider has been silent for too long")]
    TimedOut,
}

impl AnswerBody {
    pub fn new(body: Incoming, connection: Held, reader: Reader, silence: Silence) -> Self {
        let now = Instant::now();
        let mut answer =
            Self { body, connection: Some(connection), reader, silence, heard_at: now, sent_at: now, alarm: None };
        if answer.body.is_end_stream() {
            answer.give_connection_back();
            answer.reader.end(Ending::Complete);
        }
        answer
    }

    /// The answer is complete. The last of it goes to the client before anything is made of it, unless whether the next call
    /// passes depends on that.
    fn complete(&mut self) {
        self.give_connection_back();
        match &self.reader {
            Reader::Nobody => {}
            reader if reader.decides_on_others() => self.reader.end(Ending::Complete),
            _ => {
                let complete = Complete(std::mem::replace(&mut self.reader, Reader::Nobody));
                tokio::spawn(async move { drop(complete) });
            }
        }
    }

    fn give_connection_back(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
    }

    /// Looks at the clock while the provider is silent. The alarm is set for the earliest moment at which something may be
    /// due and looks again then: resetting it with every piece that passes would cost more than it is worth.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, AnswerError>> {
        let Silence { ping_after, cut_after } = self.silence;
        let (heard_at, sent_at) = (self.heard_at, self.sent_at);
        let first_due = || Box::pin(sleep_until((heard_at + cut_after).min(sent_at + ping_after)));
        while self.alarm.get_or_insert_with(first_due).as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let cut_at = self.heard_at + cut_after;
            if now >= cut_at {
                self.reader.end(Ending::TimedOut);
                return Poll::Ready(Err(AnswerError::TimedOut));
            }
            let is_ping_due = now >= self.sent_at + ping_after;
            if is_ping_due {
                // If it does not fit now, it will not before the provider has sent something.
                self.sent_at = now;
            }
            self.alarm = Some(Box::pin(sleep_until(cut_at.min(self.sent_at + ping_after))));
            // Into a body that has said how long it is, nothing more fits.
            if is_ping_due && self.body.size_hint().exact().is_none() && self.reader.takes_ping() {
                return Poll::Ready(Ok(Bytes::from_static(PING)));
            }
        }
        Poll::Pending
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let this = self.get_mut();
        let Poll::Ready(next) = Pin::new(&mut this.body).poll_frame(cx) else {
            return this.poll_silence(cx).map(|due| Some(due.map(Frame::data)));
        };
        this.heard_at = Instant::now();
        this.sent_at = this.heard_at;
        Poll::Ready(match next {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.reader.read(data);
                }
                // A body of known length may never be asked for more.
                if this.body.is_end_stream() {
                    this.complete();
                }
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                this.reader.end(Ending::BrokeOff);
                Some(Err(error.into()))
            }
            None => {
                this.complete();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Complete {
    fn drop(&mut self) {
        self.0.end(Ending::Complete);
    }
}

impl Reader {
    fn read(&mut self, data: &[u8]) {
        match self {
            Self::Call(call, meter) => {
                meter.push(data, &mut call.reading);
                call.note_progress();
            }
            Self::BatchResults(results, coding) => coding.decode(data, |plain| results.push(plain)),
            Self::Nobody => {}
        }
    }

    fn end(&mut self, ending: Ending) {
        match self {
            Self::Call(call, meter) => {
                let is_too_early = meter.finish(&mut call.reading);
                call.end(if is_too_early && ending == Ending::Complete { Ending::BrokeOff } else { ending });
            }
            Self::BatchResults(results, _) if ending == Ending::Complete => results.finish(),
            Self::BatchResults(..) | Self::Nobody => {}
        }
    }

    fn decides_on_others(&self) -> bool {
        matches!(self, Self::Call(call, _) if call.is_limited())
    }

    fn takes_ping(&self) -> bool {
        matches!(self, Self::Call(call, meter) if meter.takes_ping(&call.reading))
    }
}
