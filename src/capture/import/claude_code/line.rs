//! One line of a Claude Code session log: what it says of a call. Prompt and answer texts are skipped while parsing,
//! so they are never in memory as values, let alone kept.

use crate::capture::parts::parts_of;
use crate::capture::provider::tool_names::ToolNames;
use crate::capture::provider::{anthropic, kept_json};
use crate::domain::price::PriceBook;
use crate::domain::usage::{CallContext, CallOutcome, Source, UsageRecord, UserId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;

/// Ids, model and folder names longer than this are not ids.
const MAX_NAME_BYTES: usize = 512;

/// What a line says.
#[derive(Debug)]
pub enum Line {
    /// A call was seen.
    Usage(Box<Sighting>),
    /// A message that the client made up itself (an API error, an interruption): not a call.
    Synthetic,
    /// Anything else a session log holds.
    Other,
}

/// One line's view of a call; several lines see the same one.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    pub record: UsageRecord,
    /// Sub-inferences that are billed beside the record's own tokens.
    pub parts: Vec<UsageRecord>,
}

/// Why a line cannot be read. Never quotes the line, which may hold a prompt.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error("not valid JSON (column {0})")]
    NotJson(usize),
    #[error("a field has an unexpected type (column {0})")]
    UnexpectedType(usize),
    #[error("a message with usage has no valid timestamp")]
    NoTimestamp,
    #[error("a message with usage has no id of any kind")]
    NoId,
    #[error("{0} is longer than {MAX_NAME_BYTES} bytes")]
    NameTooLong(&'static str),
    /// Names the field only: its value may be anything.
    #[error("{0} has an impossible value")]
    ImpossibleCount(String),
}

/// Reads one line (without its line end).
///
/// Counted are assistant messages with a usage object, at top level or, as older versions logged their sub-agents,
/// inside a `progress` line.
pub fn parse_line(line: &[u8], user: &UserId) -> Result<Line, LineError> {
    // The kind first and alone: other kinds of lines may have any shape without being broken.
    let head: Head = serde_json::from_slice(line)?;
    match head.kind.as_ref().and_then(Value::as_str) {
        Some("assistant") => read_message(serde_json::from_slice(line)?, user),
        Some("progress") => {
            let entry: Result<Entry, _> = serde_json::from_slice(line);
            entry.ok().and_then(nested_message).map_or(Ok(Line::Other), |entry| read_message(entry, user))
        }
        _ => Ok(Line::Other),
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "type")]
    kind: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "type")]
    kind: Option<String>,
    uuid: Option<String>,
    timestamp: Option<String>,
    session_id: Option<String>,
    request_id: Option<String>,
    cwd: Option<String>,
    is_sidechain: Option<bool>,
    is_api_error_message: Option<bool>,
    message: Option<Message>,
    data: Option<ProgressData>,
}

#[derive(Deserialize)]
struct ProgressData {
    message: Option<Box<Entry>>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    model: Option<String>,
    stop_reason: Option<String>,
    #[serde(default)]
    content: ToolNames,
    usage: Option<Value>,
}

/// The sub-agent's message inside a `progress` line, completed by what only the outer line knows. It is a copy of
/// what the sub-agent's own log may hold as well, so it gives way to that one.
fn nested_message(outer: Entry) -> Option<Entry> {
    let inner = *outer.data?.message?;
    if inner.kind.as_deref() != Some("assistant") {
        return None;
    }
    Some(Entry {
        timestamp: inner.timestamp.or(outer.timestamp),
        session_id: inner.session_id.or(outer.session_id),
        cwd: inner.cwd.or(outer.cwd),
        is_sidechain: Some(true),
        ..inner
    })
}

fn read_message(entry: Entry, user: &UserId) -> Result<Line, LineError> {
    let Some(message) = entry.message else { return Ok(Line::Other) };
    let model = message.model.unwrap_or_default();
    if entry.is_api_error_message == Some(true) || model == "<synthetic>" {
        return Ok(Line::Synthetic);
    }
    let Some(usage) = message.usage.filter(|usage| !usage.is_null()) else { return Ok(Line::Other) };

    let session_id = checked_name("sessionId", entry.session_id)?;
    let request_id = checked_name("requestId", entry.request_id)?;
    let message_id = checked_name("message.id", message.id)?;
    let uuid = checked_name("uuid", entry.uuid)?;
    let model = checked_name("message.model", Some(model))?.unwrap_or_else(|| "unknown".into());
    let dedup_key = dedup_key(request_id.as_deref(), message_id.as_deref(), session_id.as_deref(), uuid.as_deref())?;

    let parsed = anthropic::parse_usage(&usage).map_err(|error| LineError::ImpossibleCount(error.field))?;
    let parsed = parsed.billed(message.stop_reason.as_deref());
    // After a fallback the model that answered is not the one that was asked.
    let model = parsed.serving_model.unwrap_or(model);
    let at_ms = entry.timestamp.as_deref().and_then(timestamp_ms).ok_or(LineError::NoTimestamp)?;
    let record = UsageRecord {
        user_id: user.clone(),
        occurred_at_ms: at_ms,
        source: Source::Import,
        dedup_key,
        part_of: None,
        is_sidechain: entry.is_sidechain == Some(true),
        provider: provider_of(&model, at_ms),
        model,
        tokens: parsed.tokens,
        has_usage: parsed.has_usage,
        is_estimated: !parsed.contradictions.is_empty(),
        web_search_count: parsed.web_search_count,
        terms: parsed.terms,
        api_key_id: None,
        context: CallContext {
            session_id,
            project: entry.cwd.as_deref().and_then(folder_name),
            tools_used: message.content.0,
            request_id,
            message_id,
            ..CallContext::default()
        },
        outcome: CallOutcome { stop_reason: message.stop_reason, ..CallOutcome::default() },
        usage_json: kept_json(&usage),
    };
    let parts = parts_of(&record, &parsed.sub_inferences);
    Ok(Line::Usage(Box::new(Sighting { record, parts })))
}

/// What makes two lines the same call: the provider's request id; without one (LLM gateways leave it out and may
/// repeat message ids) the message within its session; without both, the line itself.
fn dedup_key(
    request_id: Option<&str>,
    message_id: Option<&str>,
    session_id: Option<&str>,
    uuid: Option<&str>,
) -> Result<String, LineError> {
    let session_id = session_id.unwrap_or_default();
    match (request_id, message_id, uuid) {
        (Some(request_id), _, _) => Ok(request_id.into()),
        (None, Some(message_id), _) => Ok(format!("msg:{session_id}:{message_id}")),
        (None, None, Some(uuid)) => Ok(format!("line:{uuid}")),
        (None, None, None) => Err(LineError::NoId),
    }
}

fn checked_name(field: &'static str, name: Option<String>) -> Result<Option<String>, LineError> {
    match name {
        Some(name) if name.len() > MAX_NAME_BYTES => Err(LineError::NameTooLong(field)),
        name => Ok(name.filter(|name| !name.is_empty())),
    }
}

fn timestamp_ms(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

/// The last folder of a path of any system. The way to it is nobody's business.
fn folder_name(path: &str) -> Option<String> {
    let name = path.split(['/', '\\']).rfind(|part| !part.is_empty())?;
    (name.len() <= MAX_NAME_BYTES).then(|| name.into())
}

/// Who answered. Claude Code talks to Anthropic unless it was pointed elsewhere, which only the model's name tells.
fn provider_of(model: &str, at_ms: i64) -> String {
    if model.contains("claude") {
        return "anthropic".into();
    }
    PriceBook::builtin().provider_of(model, at_ms).unwrap_or("anthropic").into()
}

impl From<serde_json::Error> for LineError {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::UnexpectedType(error.column()),
            Category::Io | Category::Syntax | Category::Eof => Self::NotJson(error.column()),
        }
    }
}
