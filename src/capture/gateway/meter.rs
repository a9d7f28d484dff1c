//! Reads an answer while it passes. Which way depends on its status, its content type and its coding; whatever cannot be
//! read passes all the same.

use super::coding::Coding;
use crate::capture::provider::message::MessageReading;
use crate::capture::provider::sse::SseParser;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

/// A message of 128,000 tokens has about half a mebibyte; search results can make it a few.
const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// What is read of one answer.
pub struct Meter {
    coding: Coding,
    reads: Reads,
}

#[derive(Debug)]
enum Reads {
    Stream(SseParser),
    Message(BodyCopy),
    Error(BodyCopy),
    /// Nothing that we can read, or all has been read.
    Nothing,
}

/// The bytes so far, up to a limit; beyond it none.
#[derive(Debug)]
struct BodyCopy {
    bytes: Vec<u8>,
    limit: usize,
    is_too_large: bool,
}

impl Meter {
    pub fn of_answer(status: StatusCode, headers: &HeaderMap) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_stream = content_type.trim_start().to_ascii_lowercase().starts_with("text/event-stream");
        let coding = Coding::of(headers);
        let reads = match status.is_success() {
            _ if coding.is_unreadable() => Reads::Nothing,
            false => Reads::Error(BodyCopy::up_to(MAX_ERROR_BYTES)),
            true if is_stream => Reads::Stream(SseParser::default()),
            true => Reads::Message(BodyCopy::up_to(MAX_MESSAGE_BYTES)),
        };
        Self { coding, reads }
    }

    pub fn push(&mut self, bytes: &[u8], reading: &mut MessageReading) {
        let Self { coding, reads } = self;
        coding.decode(bytes, |plain| match reads {
            Reads::Stream(parser) => parser.push(plain, |name, data| reading.read_event(name, data)),
            Reads::Message(copy) | Reads::Error(copy) => copy.push(plain),
            Reads::Nothing => {}
        });
    }

    /// What only the end of the body tells, and whether it came too early: a stream says itself when it is complete, and JSON
    /// shows it. Afterwards nothing is read, and no memory held.
    pub fn finish(&mut self, reading: &mut MessageReading) -> bool {
        let is_readable = !self.coding.is_unreadable();
        self.coding = Coding::Unreadable;
        match std::mem::replace(&mut self.reads, Reads::Nothing) {
            Reads::Message(copy) => match MessageReading::from_body(&copy.bytes) {
                Ok(message) => *reading = message,
                Err(error) => {
                    reading.unread_events += 1;
                    return error.is_eof() && is_readable && !copy.is_too_large;
                }
            },
            Reads::Error(copy) => reading.error_type = error_type(&copy.bytes),
            Reads::Stream(parser) => return is_readable && !parser.has_given_up() && !reading.has_ended,
            Reads::Nothing => {}
        }
        false
    }

    /// Whether a ping may be put in now: between events, after the start and before the end, and where bytes are what they
    /// say.
    pub fn takes_ping(&self, reading: &MessageReading) -> bool {
        let is_between = matches!(&self.reads, Reads::Stream(parser) if parser.is_between_events());
        is_between && self.coding.is_plain() && reading.has_started && !reading.has_ended
    }
}

impl BodyCopy {
    fn up_to(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, is_too_large: false }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.is_too_large || self.bytes.len() + bytes.len() > self.limit {
            self.is_too_large = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

/// The type of Anthropic's error object. Its message may quote the prompt and is not read.
fn error_type(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(rename = "type")]
        kind: String,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    super::attribution::clean(&answer.error.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use axum::http::header::CONTENT_ENCODING;
    use std::io::Write;

    fn meter(status: u16, content_type: &'static str, encoding: &'static str) -> Meter {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        Meter::of_answer(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn status_type_and_encoding_decide_how_to_read() {
        let reads = |status, content_type, encoding| meter(status, content_type, encoding).reads;
        assert!(matches!(reads(200, "text/event-stream; charset=utf-8", ""), Reads::Stream(_)));
        assert!(matches!(reads(200, "text/event-stream", "gzip"), Reads::Stream(_)));
        assert!(matches!(reads(200, "application/json", "identity"), Reads::Message(_)));
        assert!(matches!(reads(529, "application/json", ""), Reads::Error(_)));
        assert!(matches!(reads(200, "text/event-stream", "deflate"), Reads::Nothing));
    }

    #[test]
    fn an_error_tells_its_type_and_not_its_text() {
        let body = br#"{"type":"error","error":{"type":"rate_limit_error","message":"secret"},"request_id":"req_1"}"#;
        let (mut meter, mut reading) = (meter(429, "application/json", ""), MessageReading::default());
        meter.push(&body[..20], &mut reading);
        meter.push(&body[20..], &mut reading);
        meter.finish(&mut reading);
        assert_eq!(reading.error_type.as_deref(), Some("rate_limit_error"));
        assert!(!format!("{reading:?}").contains("secret"));
    }

    #[test]
    fn a_body_beyond_the_limit_is_let_go() {
        let (mut meter, mut reading) = (meter(500, "text/html", ""), MessageReading::default());
        meter.push(&vec![b'x'; MAX_ERROR_BYTES + 1], &mut reading);
        meter.push(br#"{"error":{"type":"x"}}"#, &mut reading);
        meter.finish(&mut reading);
        assert_eq!(reading.error_type, None);
    }

    #[test]
    fn pings_fit_only_between_events_of_a_running_message() {
        let (mut meter, mut reading) = (meter(200, "text/event-stream", ""), MessageReading::default());
        assert!(!meter.takes_ping(&reading), "before the start");
        let start = b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n";
        meter.push(start, &mut reading);
        assert!(meter.takes_ping(&reading));
        meter.push(b"event: ping\n", &mut reading);
        assert!(!meter.takes_ping(&reading), "inside an event");
        meter.push(b"data: {}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", &mut reading);
        assert!(!meter.takes_ping(&reading), "after the end");
    }

    #[test]
    fn no_ping_fits_between_compressed_bytes() {
        let mut coded = Vec::new();
        let mut encoder = flate2::write::GzEncoder::new(&mut coded, flate2::Compression::fast());
        encoder.write_all(b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\n").unwrap();
        encoder.finish().unwrap();
        let (mut meter, mut reading) = (meter(200, "text/event-stream", "gzip"), MessageReading::default());
        meter.push(&coded, &mut reading);
        assert!(reading.has_started && !meter.takes_ping(&reading));
    }
}
