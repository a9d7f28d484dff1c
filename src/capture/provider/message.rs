//! What an answer of Anthropic's Messages API tells of its call, whether it comes whole or as a stream. Texts are
//! counted, never kept.

mod event;

use self::event::{BlockStart, ContentDelta, EventKind, Message, MessageDelta, MessageStart, StreamError};
use super::ParsedUsage;
use super::anthropic;
use super::tool_names::ToolNames;
use serde_json::Value;

/// A usage object is some hundred bytes. What is far larger is not worth keeping beside every event.
const MAX_USAGE_JSON_BYTES: usize = 16 * 1024;
/// How many characters make a token, where nothing better is known.
const CHARS_PER_TOKEN: u64 = 4;
/// An event with one of these names is what its name says. Of any other, `error` among them, its data tells.
const KINDS: [&[u8]; 7] = [
    b"content_block_delta",
    b"content_block_start",
    b"content_block_stop",
    b"message_delta",
    b"message_start",
    b"message_stop",
    b"ping",
];

/// What is known of a call so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MessageReading {
    pub message_id: Option<String>,
    pub model: Option<String>,
    pub stop_reason: Option<String>,
    pub tools_used: ToolNames,
    /// Of an `error`: its type, never its message.
    pub error_type: Option<String>,
    /// Events that were not what they should be.
    pub unread_events: u64,
    pub has_started: bool,
    /// The first piece of content came.
    pub has_content: bool,
    /// It is complete: a stop reason or `message_stop` came.
    pub has_ended: bool,
    /// The usage object, as merged so far; null if none came.
    usage: Value,
    /// What it says.
    parsed: ParsedUsage,
    is_stopped: bool,
    has_final_output: bool,
    written_chars: u64,
}

/// The counts to record, and whether the output had to be estimated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUsage {
    pub parsed: ParsedUsage,
    pub is_estimated: bool,
}

/// An event is not what its kind should be.
struct Unreadable;

impl MessageReading {
    /// Reads a message that came in one piece. Any other JSON object tells nothing.
    ///
    /// # Errors
    /// It is not JSON, or not shaped as a message.
    pub fn from_body(json: &[u8]) -> Result<Self, serde_json::Error> {
        let message: Message = serde_json::from_slice(json)?;
        let mut reading = Self::default();
        if message.kind.as_deref() == Some("message") {
            if reading.start(message).is_err() {
                reading.unread_events += 1;
            }
            reading.has_content = true;
            reading.has_ended = true;
            reading.has_final_output = true;
        }
        Ok(reading)
    }

    /// Takes the next event of a stream. Unknown ones are nothing, broken ones are counted.
    pub fn read_event(&mut self, name: &[u8], data: &[u8]) {
        if self.is_stopped {
            return;
        }
        let read = if KINDS.contains(&name) { self.read_as(name, data) } else { self.read_unnamed(data) };
        if read.is_err() {
            self.unread_events += 1;
        }
    }

    /// The counts as they stand: exact if the answer was complete and said so, else with the output estimated from what
    /// was written (a stream that breaks off has only told a placeholder of it).
    pub fn known_usage(&self) -> KnownUsage {
        let mut parsed = self.parsed.clone();
        let is_exact = self.has_ended && self.has_final_output;
        if !is_exact && parsed.has_usage {
            parsed.tokens.output = parsed.tokens.output.max(self.written_chars / CHARS_PER_TOKEN);
        }
        let is_contradictory = !parsed.contradictions.is_empty();
        let is_estimated = parsed.has_usage && (!is_exact || is_contradictory || self.unread_events > 0);
        KnownUsage { parsed, is_estimated }
    }

    /// The usage object as it came, or as its pieces add up. None where there was none, or it is too large to keep.
    pub fn usage_json(&self) -> Option<String> {
        let json = (!self.usage.is_null()).then(|| serde_json::to_string(&self.usage).ok()).flatten();
        json.filter(|json| json.len() <= MAX_USAGE_JSON_BYTES)
    }

    /// Of a stream without event names, or with names that are no kinds.
    fn read_unnamed(&mut self, data: &[u8]) -> Result<(), Unreadable> {
        let EventKind { kind } = serde_json::from_slice(data)?;
        self.read_as(kind.as_bytes(), data)
    }

    fn read_as(&mut self, kind: &[u8], data: &[u8]) -> Result<(), Unreadable> {
        match kind {
            b"message_start" => self.start(serde_json::from_slice::<MessageStart>(data)?.message),
            b"content_block_start" => {
                self.has_content = true;
                let BlockStart { content_block } = serde_json::from_slice(data)?;
                self.tools_used.add(content_block.kind.as_deref(), content_block.name.as_deref());
                Ok(())
            }
            b"content_block_delta" => {
                self.has_content = true;
                let ContentDelta { delta } = serde_json::from_slice(data)?;
                self.written_chars += delta.chars();
                Ok(())
            }
            b"message_delta" => self.read_message_delta(serde_json::from_slice(data)?),
            b"message_stop" => {
                self.has_ended = true;
                self.is_stopped = true;
                Ok(())
            }
            b"error" => {
                let error = serde_json::from_slice::<StreamError>(data).ok();
                self.error_type = Some(error.map_or_else(|| "unknown".into(), |StreamError { error }| error.kind));
                Ok(())
            }
            // Kinds that do not exist yet must not be trouble.
            _ => Ok(()),
        }
    }

    fn start(&mut self, message: Message) -> Result<(), Unreadable> {
        self.has_started = true;
        self.message_id = message.id;
        self.model = message.model;
        self.stop_reason = message.stop_reason;
        self.tools_used = message.content;
        self.merge(message.usage)
    }

    fn read_message_delta(&mut self, MessageDelta { delta, usage }: MessageDelta) -> Result<(), Unreadable> {
        if delta.is_none() && usage.is_null() {
            return Err(Unreadable);
        }
        if let Some(reason) = delta.as_ref().and_then(|stop| stop.stop_reason.as_str()) {
            self.stop_reason = Some(reason.to_owned());
            self.has_ended = true;
        }
        let tells_output = usage["output_tokens"].is_u64();
        self.merge(usage)?;
        self.has_final_output |= tells_output;
        Ok(())
    }

    /// Brings in a usage object, unless a count in it is impossible: then the better one from before stays.
    fn merge(&mut self, usage: Value) -> Result<(), Unreadable> {
        if !usage.is_null() && !usage.is_object() {
            return Err(Unreadable);
        }
        let mut merged = self.usage.clone();
        anthropic::merge_delta(&mut merged, usage);
        self.parsed = anthropic::parse_usage(&merged).map_err(|_| Unreadable)?;
        self.usage = merged;
        Ok(())
    }
}

impl From<serde_json::Error> for Unreadable {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests;
