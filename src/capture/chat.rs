//! The built-in chat: what a page asks, as a request to the provider, and the provider's stream, as what the page shows.
//! The call itself is the gateway's. Nothing of a conversation is kept here: the page holds it and sends it along.

use super::json_fields::{FieldError, given, name, object_with, wrong};
use super::provider::sse::SseParser;
use crate::domain::usage::CallContext;
use serde_json::{Map, Value, json};

/// Who does not choose a model gets this one: it is cheap.
pub const DEFAULT_MODEL: &str = "claude-haiku-4-5";

/// Offered beside the models that were called before: the current ones of each family, from cheap to dear.
pub const OFFERED_MODELS: [&str; 6] =
    ["claude-haiku-5-5", DEFAULT_MODEL, "claude-sonnet-5-5", "claude-sonnet-5", "claude-opus-5-5", "claude-opus-5"];

const MAX_MESSAGE_BYTES: usize = 64 * 1024;
const MAX_HISTORY_BYTES: usize = 512 * 1024;
const MAX_HISTORY: usize = 200;
const MAX_NAME_CHARS: usize = 200;
const MAX_ANSWER_TOKENS: u64 = 4_096;

const FIELDS: [&str; 5] = ["message", "conversationId", "model", "agentSlug", "history"];

const BROKE_OFF: &str = "the provider broke off its answer";

/// A message of the user's with what came before it.
#[derive(Debug)]
pub struct ChatRequest {
    pub model: String,
    pub conversation_id: Option<String>,
    pub agent_slug: Option<String>,
    /// As the provider takes them; the new one is the last.
    messages: Vec<Value>,
}

/// What a piece of the provider's stream tells the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatEvent {
    Text(String),
    /// The provider gave up; its reason in our words.
    Error(&'static str),
}

/// Reads the provider's stream in any pieces.
#[derive(Debug, Default)]
pub struct ChatReader {
    parser: SseParser,
    is_over: bool,
}

impl ChatRequest {
    /// # Errors
    /// A field that is missing, unknown, too large or of the wrong kind, by its name.
    pub fn parse(body: &Value) -> Result<Self, FieldError> {
        let fields = object_with(body, &FIELDS)?;
        let mut messages = history(fields)?;
        let message = text(given(fields, "message"), "message", MAX_MESSAGE_BYTES)?;
        // The provider keeps everything up to here for the next turn, once it is long enough for that.
        let cached = json!([{"type": "text", "text": message, "cache_control": {"type": "ephemeral"}}]);
        messages.push(json!({"role": "user", "content": cached}));
        Ok(Self {
            model: name(fields, "model", MAX_NAME_CHARS)?.unwrap_or_else(|| DEFAULT_MODEL.into()),
            conversation_id: name(fields, "conversationId", MAX_NAME_CHARS)?,
            agent_slug: name(fields, "agentSlug", MAX_NAME_CHARS)?,
            messages,
        })
    }

    /// The body of the Messages request.
    pub fn to_provider(&self) -> String {
        json!({"model": self.model, "max_tokens": MAX_ANSWER_TOKENS, "stream": true, "messages": self.messages})
            .to_string()
    }

    /// What the call belongs to; a new conversation gets an id.
    pub fn context(&self) -> CallContext {
        CallContext {
            conversation_id: self.conversation_id.clone().or_else(|| Some(uuid::Uuid::now_v7().to_string())),
            agent_slug: self.agent_slug.clone(),
            ..CallContext::default()
        }
    }
}

impl ChatReader {
    pub fn push(&mut self, bytes: &[u8]) -> Vec<ChatEvent> {
        let mut events = Vec::new();
        let Self { parser, is_over } = self;
        parser.push(bytes, |_, data| events.extend(read_event(data, is_over)));
        events
    }

    /// To be called when nothing more comes: an answer that has not said that it is over is not shown as if it were.
    pub fn finish(&self) -> Option<ChatEvent> {
        (!self.is_over).then_some(ChatEvent::Error(BROKE_OFF))
    }
}

/// Why the provider gave no answer, by the status of its (or the gateway's) refusal. Its own words may quote the prompt.
pub fn refusal(status: u16) -> &'static str {
    match status {
        400 => {
            "the provider refused the request: does the chosen model exist, and is the conversation short enough for it?"
        }
        401 | 403 => "the provider refused the key in ANTHROPIC_API_KEY",
        404 => "the provider does not know this model",
        413 => "the conversation is longer than the provider takes",
        429 => "the provider's rate limit is reached; try again in a moment",
        502 => "the provider cannot be reached",
        503 | 529 => "the provider is overloaded; try again in a moment",
        504 => "the provider did not answer in time",
        _ => "the provider could not answer",
    }
}

fn read_event(data: &[u8], is_over: &mut bool) -> Option<ChatEvent> {
    let event: Value = serde_json::from_slice(data).ok()?;
    let kind = event["type"].as_str()?;
    *is_over |= matches!(kind, "message_stop" | "error");
    match kind {
        "content_block_delta" => Some(ChatEvent::Text(event["delta"]["text"].as_str()?.to_owned())),
        "error" => Some(ChatEvent::Error(match event["error"]["type"].as_str() {
            Some("overloaded_error") => refusal(529),
            Some("rate_limit_error") => refusal(429),
            _ => BROKE_OFF,
        })),
        _ => None,
    }
}

fn history(fields: &Map<String, Value>) -> Result<Vec<Value>, FieldError> {
    let Some(history) = given(fields, "history") else { return Ok(Vec::new()) };
    let turns = history.as_array().ok_or_else(|| wrong("history", "must be a list"))?;
    if turns.len() > MAX_HISTORY {
        return Err(wrong("history", format!("may have at most {MAX_HISTORY} messages")));
    }
    let mut room = MAX_HISTORY_BYTES;
    turns.iter().enumerate().map(|(index, turn)| past_turn(index, turn, &mut room)).collect()
}

fn past_turn(index: usize, turn: &Value, room: &mut usize) -> Result<Value, FieldError> {
    let role = turn["role"].as_str().filter(|role| ["user", "assistant"].contains(role));
    let role = role.ok_or_else(|| wrong(format!("history[{index}].role"), "must be user or assistant"))?;
    let content = text(Some(&turn["content"]), &format!("history[{index}].content"), MAX_HISTORY_BYTES)?;
    *room = room
        .checked_sub(content.len())
        .ok_or_else(|| wrong("history", format!("may have at most {} KiB", MAX_HISTORY_BYTES / 1024)))?;
    Ok(json!({"role": role, "content": content}))
}

fn text<'a>(value: Option<&'a Value>, field: &str, max_bytes: usize) -> Result<&'a str, FieldError> {
    let text = value.ok_or_else(|| wrong(field, "is missing"))?;
    let text = text.as_str().ok_or_else(|| wrong(field, "must be text"))?;
    if text.trim().is_empty() {
        return Err(wrong(field, "must not be empty"));
    }
    if text.len() > max_bytes {
        return Err(wrong(field, format!("may have at most {} KiB", max_bytes / 1024)));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_field_is_named() {
        let long = "x".repeat(MAX_MESSAGE_BYTES + 1);
        for (body, field) in [
            (json!({}), "message"),
            (json!({"message": " "}), "message"),
            (json!({"message": long}), "message"),
            (json!({"message": "Hi", "model": 7}), "model"),
            (json!({"message": "Hi", "history": "no"}), "history"),
            (json!({"message": "Hi", "history": [{"role": "system", "content": "x"}]}), "history[0].role"),
            (json!({"message": "Hi", "history": [{"role": "user"}]}), "history[0].content"),
            (json!({"message": "Hi", "prompt": "x"}), "prompt"),
        ] {
            assert_eq!(ChatRequest::parse(&body).unwrap_err().field, field);
        }
    }

    #[test]
    fn the_conversation_is_sent_in_order_and_marked_for_the_cache() {
        let body = json!({"message": "And?", "history": [
            {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]});
        let sent: Value = serde_json::from_str(&ChatRequest::parse(&body).unwrap().to_provider()).unwrap();
        assert_eq!((&sent["model"], &sent["stream"]), (&json!(DEFAULT_MODEL), &json!(true)));
        assert_eq!(sent["messages"][1], json!({"role": "assistant", "content": "Hello"}));
        assert_eq!(sent["messages"][2]["content"][0]["text"], "And?");
        assert_eq!(sent["messages"][2]["content"][0]["cache_control"]["type"], "ephemeral");
    }
}
