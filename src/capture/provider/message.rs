//! What an answer of Anthropic's Messages API tells of its call, whether it comes whole or as a stream. Texts are
//! counted, never kept.

mod event;

use self::event::{BlockStart, ContentDelta, Message, MessageDelta, MessageStart, StreamError, TypeField};
use super::anthropic;
use super::field::is_name;
use super::tool_names::ToolNames;
use super::{ParsedUsage, kept_json};
use serde_json::Value;

/// How many characters make a token, where nothing better is known.
const CHARS_PER_TOKEN: u64 = 4;

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

/// What to record of a call, and whether its output had to be estimated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownUsage {
    pub parsed: ParsedUsage,
    /// Who answered: after a fallback not the model that the message names.
    pub model: Option<String>,
    pub is_estimated: bool,
}

/// What an event is of which the name is trusted. An `error` is not: only its data tells that it is one.
#[derive(Clone, Copy)]
enum EventKind {
    MessageStart,
    BlockStart,
    BlockDelta,
    MessageDelta,
    MessageStop,
    /// A block's end, a ping.
    TellsNothing,
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
        let read = match EventKind::named(name) {
            Some(kind) => self.read_as(kind, data),
            None => self.read_unnamed(data),
        };
        if read.is_err() {
            self.unread_events += 1;
        }
    }

    /// The counts as they stand, as they are billed: exact if the answer was complete and said so, else with the output estimated
    /// from what was written (a stream that breaks off has only told a placeholder of it).
    pub fn known_usage(&self) -> KnownUsage {
        let mut parsed = self.parsed.clone();
        let is_exact = self.has_ended && self.has_final_output;
        if !is_exact && parsed.has_usage {
            parsed.tokens.output = parsed.tokens.output.max(self.written_chars / CHARS_PER_TOKEN);
        }
        let is_free = anthropic::is_free_refusal(self.stop_reason.as_deref(), &parsed.tokens);
        let is_doubtful = !is_exact || !parsed.contradictions.is_empty() || self.unread_events > 0;
        KnownUsage {
            is_estimated: parsed.has_usage && is_doubtful && !is_free,
            model: parsed.serving_model.clone().or_else(|| self.model.clone()),
            parsed: parsed.billed(self.stop_reason.as_deref()),
        }
    }

    /// The usage object as it came, or as its pieces add up. None where there was none, or it is too large to keep.
    pub fn usage_json(&self) -> Option<String> {
        kept_json(&self.usage)
    }

    /// Of a stream without event names, or with names that are no kinds.
    fn read_unnamed(&mut self, data: &[u8]) -> Result<(), Unreadable> {
        let TypeField { kind } = serde_json::from_slice(data)?;
        match EventKind::named(kind.as_bytes()) {
            Some(kind) => self.read_as(kind, data)?,
            None if kind == "error" => self.error_type = Some(type_of_error(data)),
            // Kinds that do not exist yet must not be trouble.
            None => {}
        }
        Ok(())
    }

    fn read_as(&mut self, kind: EventKind, data: &[u8]) -> Result<(), Unreadable> {
        match kind {
            EventKind::MessageStart => self.start(serde_json::from_slice::<MessageStart>(data)?.message),
            EventKind::BlockStart => {
                self.has_content = true;
                let BlockStart { content_block } = serde_json::from_slice(data)?;
                self.tools_used.add(content_block.kind.as_deref(), content_block.name.as_deref());
                Ok(())
            }
            EventKind::BlockDelta => {
                self.has_content = true;
                let ContentDelta { delta } = serde_json::from_slice(data)?;
                self.written_chars += delta.chars();
                Ok(())
            }
            EventKind::MessageDelta => self.read_message_delta(serde_json::from_slice(data)?),
            EventKind::MessageStop => {
                self.has_ended = true;
                self.is_stopped = true;
                Ok(())
            }
            EventKind::TellsNothing => Ok(()),
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

impl EventKind {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"message_start" => Self::MessageStart,
            b"content_block_start" => Self::BlockStart,
            b"content_block_delta" => Self::BlockDelta,
            b"message_delta" => Self::MessageDelta,
            b"message_stop" => Self::MessageStop,
            b"content_block_stop" | b"ping" => Self::TellsNothing,
            _ => return None,
        })
    }
}

fn type_of_error(data: &[u8]) -> String {
    let error = serde_json::from_slice::<StreamError>(data).ok().map(|StreamError { error }| error.kind);
    error.filter(|kind| is_name(kind)).unwrap_or_else(|| "unknown".into())
}

impl From<serde_json::Error> for Unreadable {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests;
