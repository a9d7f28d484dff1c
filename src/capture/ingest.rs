//! Usage that a program reports itself, as `POST /api/analytics/usage` takes it: one JSON object becomes usage records,
//! checked field by field. Pricing and storing is the recorder's, the HTTP around it `http::api::usage`'s.

use super::provider::{self, ParsedUsage, SubInference, UsageShape, anthropic};
use crate::domain::price::{PriceBook, canonical_provider};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{CallContext, CallOutcome, Source, UsageRecord, UserId};
use chrono::DateTime;
use serde_json::{Map, Value};

/// The most events that one request may report.
pub const MAX_EVENTS: usize = 1_000;
/// The most tokens that a count may hold: 10¹².
pub const MAX_TOKENS: u64 = 1_000_000_000_000;

const MAX_ID_CHARS: usize = 200;
const MAX_MESSAGE_CHARS: usize = 2_000;
const MAX_TOOLS: usize = 100;
pub(super) const MAX_TAGS: usize = 20;
const MAX_USAGE_BYTES: usize = 16 * 1024;
const MAX_DURATION_MS: u64 = 7 * DAY_MS as u64;
const DAY_MS: i64 = 86_400_000;
/// 2020-01-01T00:00:00Z: before it nobody billed tokens, so an earlier time is a mistake (seconds for milliseconds).
const EARLIEST_MS: i64 = 1_577_836_800_000;

/// Every name that an event may have. Another one is refused, because a misspelt `conversationID` would be lost silently.
const FIELDS: [&str; 21] = [
    "id",
    "provider",
    "model",
    "usage",
    "thinkingTokens",
    "batch",
    "occurredAt",
    "conversationId",
    "agentSlug",
    "sessionId",
    "project",
    "toolsUsed",
    "tags",
    "requestId",
    "messageId",
    "success",
    "statusCode",
    "errorMessage",
    "responseTimeMs",
    "firstTokenMs",
    "stopReason",
];

/// What is wrong with an event, and in which field of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

/// A usage object with what decides its price.
#[derive(Clone, Debug)]
pub struct PricedInput {
    pub provider: String,
    pub model: String,
    pub parsed: ParsedUsage,
}

/// Reads one reported event. The first record is the call; the others are its sub-inferences, if its usage tells any.
pub fn parse_event(item: &Value, user: &UserId, now_ms: i64, book: &PriceBook) -> Result<Vec<UsageRecord>, FieldError> {
    let fields = object_with(item, &FIELDS)?;
    let outcome = outcome(fields)?;
    let at_ms = instant(fields, "occurredAt", now_ms)?.unwrap_or(now_ms);
    let input = priced_input(fields, book, at_ms, !outcome.success)?;
    let context = context(fields)?;
    // Anthropic does not charge for a refusal without output.
    let is_free = anthropic::is_free_refusal(outcome.stop_reason.as_deref(), &input.parsed.tokens);
    let call = UsageRecord {
        user_id: user.clone(),
        occurred_at_ms: at_ms,
        source: Source::Api,
        dedup_key: dedup_key(fields, &context)?,
        part_of: None,
        is_sidechain: false,
        provider: input.provider,
        model: input.model,
        tokens: if is_free { TokenCounts::default() } else { input.parsed.tokens },
        has_usage: input.parsed.has_usage,
        is_estimated: !input.parsed.contradictions.is_empty(),
        web_search_count: input.parsed.web_search_count,
        terms: input.parsed.terms,
        api_key_id: None,
        context,
        outcome,
        usage_json: given(fields, "usage").map(Value::to_string),
    };
    let parts: Vec<UsageRecord> =
        input.parsed.sub_inferences.iter().enumerate().map(|(index, sub)| part_of(&call, index, sub)).collect();
    Ok(std::iter::once(call).chain(parts).collect())
}

/// Reads `provider`, `model`, `usage`, `thinkingTokens` and `batch`: all that a price calculation needs.
pub fn priced_input(
    fields: &Map<String, Value>,
    book: &PriceBook,
    at_ms: i64,
    may_lack_usage: bool,
) -> Result<PricedInput, FieldError> {
    let model = name(fields, "model", MAX_ID_CHARS)?.ok_or_else(|| wrong("model", "is missing"))?;
    let named_provider = name(fields, "provider", 50)?.map(|provider| canonical_provider(&provider));
    let usage = match given(fields, "usage") {
        Some(usage @ Value::Object(_)) if usage.to_string().len() <= MAX_USAGE_BYTES => Some(usage),
        Some(Value::Object(_)) => return Err(wrong("usage", format!("may have at most {MAX_USAGE_BYTES} bytes"))),
        Some(_) => return Err(wrong("usage", "must be an object, as the provider sent it")),
        None => None,
    };
    let shape = usage.and_then(provider::detect_shape);
    let mut parsed = match (usage, shape) {
        (Some(usage), Some(shape)) => parse_usage(shape, usage)?,
        _ if may_lack_usage => ParsedUsage::default(),
        (Some(_), None) => return Err(wrong("usage", "has no token count that any provider sends")),
        (None, _) => return Err(wrong("usage", "is missing; only a failed call may lack it")),
    };
    if let Some(thinking) = whole(fields, "thinkingTokens", MAX_TOKENS)? {
        parsed.tokens.thinking = parsed.tokens.thinking.saturating_add(thinking);
        parsed.has_usage = true;
    }
    if flag(fields, "batch")? == Some(true) {
        parsed.terms.service_tier = Some("batch".into());
    }
    let model = parsed.serving_model.clone().unwrap_or(model);
    let provider = named_provider
        .or_else(|| book.provider_of(&model, at_ms).map(str::to_owned))
        .unwrap_or_else(|| likely_provider(&model, shape).to_owned());
    Ok(PricedInput { provider, model, parsed })
}

/// The object's fields, if it has no others than `known`.
pub fn object_with<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, FieldError> {
    let Value::Object(fields) = value else {
        return Err(wrong("", "must be an object"));
    };
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => {
            let shown: String = unknown.chars().take(60).collect();
            Err(wrong(shown, format!("is not a known field; known are {}", known.join(", "))))
        }
        None => Ok(fields),
    }
}

/// A point in time, as RFC 3339 text or UTC milliseconds: from 2020 to a day from now.
pub fn instant(fields: &Map<String, Value>, field: &str, now_ms: i64) -> Result<Option<i64>, FieldError> {
    let at_ms = match given(fields, field) {
        None => return Ok(None),
        Some(Value::String(text)) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis()),
        Some(value) => value.as_i64(),
    };
    let at_ms =
        at_ms.ok_or_else(|| wrong(field, "must be a time such as 2026-11-24T09:30:00Z, or UTC milliseconds"))?;
    if at_ms < EARLIEST_MS {
        return Err(wrong(field, "is before 2020; are these seconds instead of milliseconds?"));
    }
    if at_ms > now_ms.saturating_add(DAY_MS) {
        return Err(wrong(field, "is more than a day in the future"));
    }
    Ok(Some(at_ms))
}

fn parse_usage(shape: UsageShape, usage: &Value) -> Result<ParsedUsage, FieldError> {
    provider::parse_usage(shape, usage).map_err(|error| wrong(error.field, error.problem.to_string()))
}

/// Who sent a usage object of a model that no card knows. The only shape that nobody copies is Gemini's.
fn likely_provider(model: &str, shape: Option<UsageShape>) -> &'static str {
    match shape {
        Some(UsageShape::Gemini) => "google",
        _ if model.to_ascii_lowercase().contains("claude") => "anthropic",
        _ => "unknown",
    }
}

/// A sub-inference as a record of its own, under the same keys as the log import gives it.
pub(super) fn part_of(call: &UsageRecord, index: usize, sub: &SubInference) -> UsageRecord {
    let suffix = format!("{}:{index}", sub.kind.name());
    UsageRecord {
        dedup_key: format!("{}:{suffix}", call.dedup_key),
        part_of: Some(call.dedup_key.clone()),
        model: sub.model.clone().unwrap_or_else(|| call.model.clone()),
        tokens: sub.tokens,
        has_usage: true,
        web_search_count: 0,
        context: CallContext {
            tools_used: Vec::new(),
            message_id: call.context.message_id.as_ref().map(|id| format!("{id}:{suffix}")),
            ..call.context.clone()
        },
        usage_json: None,
        ..call.clone()
    }
}

/// The reporter's own id first, then the provider's request id, by which telemetry and logs know the call too
/// (invariant 3). A call with neither is always a new one.
fn dedup_key(fields: &Map<String, Value>, context: &CallContext) -> Result<String, FieldError> {
    Ok(match (name(fields, "id", MAX_ID_CHARS)?, &context.request_id) {
        (Some(id), _) => format!("api:{id}"),
        (None, Some(request_id)) => request_id.clone(),
        (None, None) => format!("api:{}", uuid::Uuid::now_v7()),
    })
}

fn context(fields: &Map<String, Value>) -> Result<CallContext, FieldError> {
    Ok(CallContext {
        conversation_id: name(fields, "conversationId", MAX_ID_CHARS)?,
        agent_slug: name(fields, "agentSlug", MAX_ID_CHARS)?,
        session_id: name(fields, "sessionId", MAX_ID_CHARS)?,
        project: name(fields, "project", MAX_ID_CHARS)?,
        tools_used: names(fields, "toolsUsed", MAX_TOOLS)?,
        tags: each_once(names(fields, "tags", MAX_TAGS)?),
        request_id: name(fields, "requestId", MAX_ID_CHARS)?,
        message_id: name(fields, "messageId", MAX_ID_CHARS)?,
    })
}

fn outcome(fields: &Map<String, Value>) -> Result<CallOutcome, FieldError> {
    let status_code = whole(fields, "statusCode", 599)?;
    if status_code.is_some_and(|code| code < 100) {
        return Err(wrong("statusCode", "must be an HTTP status, 100 to 599"));
    }
    Ok(CallOutcome {
        success: flag(fields, "success")?.unwrap_or(true),
        status_code: status_code.and_then(|code| u16::try_from(code).ok()),
        error_message: text(fields, "errorMessage", MAX_MESSAGE_CHARS)?,
        response_time_ms: whole(fields, "responseTimeMs", MAX_DURATION_MS)?,
        first_token_ms: whole(fields, "firstTokenMs", MAX_DURATION_MS)?,
        stop_reason: name(fields, "stopReason", MAX_ID_CHARS)?,
    })
}

fn names(fields: &Map<String, Value>, field: &str, max: usize) -> Result<Vec<String>, FieldError> {
    let names = match given(fields, field) {
        None => return Ok(Vec::new()),
        Some(Value::Array(names)) if names.len() <= max => names,
        Some(_) => return Err(wrong(field, format!("must be an array of at most {max} names"))),
    };
    let checked =
        names.iter().enumerate().map(|(index, name)| checked_name(&format!("{field}[{index}]"), name, MAX_ID_CHARS));
    checked.collect()
}

/// The first sighting of each tag, in order.
pub(super) fn each_once(tags: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for tag in tags {
        if !once.contains(&tag) {
            once.push(tag);
        }
    }
    once
}

/// A field's value; JSON's null is as good as absent.
pub(super) fn given<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}

/// A printable name or id.
pub(super) fn name(fields: &Map<String, Value>, field: &str, max_chars: usize) -> Result<Option<String>, FieldError> {
    given(fields, field).map(|value| checked_name(field, value, max_chars)).transpose()
}

fn checked_name(field: &str, value: &Value, max_chars: usize) -> Result<String, FieldError> {
    match checked_text(field, value, max_chars)? {
        text if text.trim().is_empty() => Err(wrong(field, "is empty")),
        text if text.chars().any(char::is_control) => Err(wrong(field, "has control characters in it")),
        text => Ok(text),
    }
}

fn text(fields: &Map<String, Value>, field: &str, max_chars: usize) -> Result<Option<String>, FieldError> {
    given(fields, field).map(|value| checked_text(field, value, max_chars)).transpose()
}

fn checked_text(field: &str, value: &Value, max_chars: usize) -> Result<String, FieldError> {
    let text = value.as_str().ok_or_else(|| wrong(field, "must be text"))?;
    if text.chars().nth(max_chars).is_some() {
        return Err(wrong(field, format!("may have at most {max_chars} characters")));
    }
    // PostgreSQL cannot store it.
    if text.contains('\0') {
        return Err(wrong(field, "has a NUL character in it"));
    }
    Ok(text.to_owned())
}

fn whole(fields: &Map<String, Value>, field: &str, max: u64) -> Result<Option<u64>, FieldError> {
    let Some(value) = given(fields, field) else { return Ok(None) };
    match value.as_u64() {
        Some(number) if number <= max => Ok(Some(number)),
        _ => Err(wrong(field, format!("must be a whole number from 0 to {max}"))),
    }
}

fn flag(fields: &Map<String, Value>, field: &str) -> Result<Option<bool>, FieldError> {
    given(fields, field).map(|value| value.as_bool().ok_or_else(|| wrong(field, "must be true or false"))).transpose()
}

pub(super) fn wrong(field: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError { field: field.into(), message: message.into() }
}
