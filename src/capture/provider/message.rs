//! What an answer of Anthropic's Messages API tells of its call, whether it comes whole or as a stream. Texts are
//! counted, never kept.

use super::anthropic;
use super::tool_names::ToolNames;
use super::{FieldError, ParsedUsage};
use serde::Deserialize;
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
    /// The usage object, as merged so far; null if none came.
    pub usage: Value,
    /// Events that were not what they should be.
    pub unread_events: u64,
    pub has_started: bool,
    /// The first piece of content came.
    pub has_content: bool,
    /// It is complete: a stop reason or `message_stop` came.
    pub has_ended: bool,
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

impl MessageReading {
    /// Reads a message that came in one piece. Any other JSON object tells nothing.
    ///
    /// # Errors
    /// It is not JSON, or not shaped as a message.
    pub fn from_body(json: &[u8]) -> Result<Self, serde_json::Error> {
        let message: Message = serde_json::from_slice(json)?;
        let mut reading = Self::default();
        if message.kind.as_deref() == Some("message") {
            reading.start(message);
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
        let is_read = match name {
            b"content_block_delta" => self.read_content_delta(data),
            b"ping" | b"content_block_stop" => true,
            _ => self.read_other(data),
        };
        if !is_read {
            self.unread_events += 1;
        }
    }

    /// The counts as they stand: exact if the answer was complete and said so, else with the output estimated from what
    /// was written (a stream that breaks off has only told a placeholder of it).
    ///
    /// # Errors
    /// A count that cannot be one.
    pub fn known_usage(&self) -> Result<KnownUsage, FieldError> {
        let mut parsed = anthropic::parse_usage(&self.usage)?;
        let is_exact = self.has_ended && self.has_final_output;
        if !is_exact && parsed.has_usage {
            parsed.tokens.output = parsed.tokens.output.max(self.written_chars / CHARS_PER_TOKEN);
        }
        let is_contradictory = !parsed.contradictions.is_empty();
        let is_estimated = parsed.has_usage && (!is_exact || is_contradictory || self.unread_events > 0);
        Ok(KnownUsage { parsed, is_estimated })
    }

    fn read_content_delta(&mut self, data: &[u8]) -> bool {
        self.has_content = true;
        let Ok(event) = serde_json::from_slice::<ContentDelta>(data) else { return false };
        self.count_written(&event.delta);
        true
    }

    fn read_other(&mut self, data: &[u8]) -> bool {
        let Ok(event) = serde_json::from_slice::<Value>(data) else { return false };
        match event["type"].as_str() {
            Some("message_start") => self.read_start(event),
            Some("message_delta") => self.read_message_delta(&event),
            Some("content_block_start") => {
                self.has_content = true;
                let block = &event["content_block"];
                self.tools_used.add(block["type"].as_str(), block["name"].as_str());
                true
            }
            // A stream without event names.
            Some("content_block_delta") => self.read_content_delta(data),
            Some("message_stop") => {
                self.has_ended = true;
                self.is_stopped = true;
                true
            }
            Some("error") => {
                self.error_type = Some(event["error"]["type"].as_str().unwrap_or("unknown").to_owned());
                true
            }
            // Kinds that do not exist yet must not be trouble.
            Some(_) => true,
            None => false,
        }
    }

    fn read_start(&mut self, mut event: Value) -> bool {
        match serde_json::from_value::<Message>(event["message"].take()) {
            Ok(message) => self.start(message),
            Err(_) => false,
        }
    }

    fn start(&mut self, message: Message) -> bool {
        self.has_started = true;
        self.message_id = message.id;
        self.model = message.model;
        self.stop_reason = message.stop_reason;
        self.tools_used = message.content;
        self.merge(message.usage)
    }

    fn read_message_delta(&mut self, event: &Value) -> bool {
        if let Some(reason) = event["delta"]["stop_reason"].as_str() {
            self.stop_reason = Some(reason.to_owned());
            self.has_ended = true;
        }
        let is_merged = self.merge(event["usage"].clone());
        self.has_final_output |= is_merged && event["usage"]["output_tokens"].is_u64();
        is_merged
    }

    /// Brings in a usage object, unless a count in it is impossible: then the better one from before stays.
    fn merge(&mut self, usage: Value) -> bool {
        if !usage.is_null() && !usage.is_object() {
            return false;
        }
        let mut merged = self.usage.clone();
        anthropic::merge_delta(&mut merged, usage);
        let is_valid = anthropic::parse_usage(&merged).is_ok();
        if is_valid {
            self.usage = merged;
        }
        is_valid
    }

    fn count_written(&mut self, delta: &Delta) {
        let texts = [&delta.text, &delta.thinking, &delta.partial_json];
        let chars: usize = texts.into_iter().flatten().map(|text| text.chars().count()).sum();
        self.written_chars += chars as u64;
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    model: Option<String>,
    stop_reason: Option<String>,
    #[serde(default)]
    content: ToolNames,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct ContentDelta {
    delta: Delta,
}

#[derive(Deserialize)]
struct Delta {
    text: Option<String>,
    thinking: Option<String>,
    partial_json: Option<String>,
}

#[cfg(test)]
mod tests;
