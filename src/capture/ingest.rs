//! Usage that a program reports itself, as `POST /api/analytics/usage` takes it: one JSON object becomes usage records,
//! checked field by field. Pricing and storing is the recorder's, the HTTP around it `http::api::usage`'s.

use super::json_fields::{FieldError, flag, given, instant, name, names, object_with, text, whole, wrong};
use super::parts::with_parts;
use super::provider::{self, ParsedUsage, UsageShape};
use crate::domain::period::DAY_MS;
use crate::domain::price::{PriceBook, canonical_provider};
use crate::domain::tokens::MAX_TOKENS;
use crate::domain::usage::{CallContext, CallOutcome, MAX_TAGS, Source, UsageRecord, UserId, each_once};
use serde_json::{Map, Value};

/// The most events that one request may report.
pub const MAX_EVENTS: usize = 1_000;

const MAX_ID_CHARS: usize = 200;
const MAX_MESSAGE_CHARS: usize = 2_000;
const MAX_TOOLS: usize = 100;
const MAX_USAGE_BYTES: usize = 16 * 1024;
const MAX_DURATION_MS: u64 = 7 * DAY_MS as u64;

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
    let parsed = input.parsed.billed(outcome.stop_reason.as_deref());
    let call = UsageRecord {
        user_id: user.clone(),
        occurred_at_ms: at_ms,
        source: Source::Api,
        dedup_key: dedup_key(fields, &context)?,
        part_of: None,
        is_sidechain: false,
        provider: input.provider,
        model: input.model,
        tokens: parsed.tokens,
        has_usage: parsed.has_usage,
        is_estimated: !parsed.contradictions.is_empty(),
        web_search_count: parsed.web_search_count,
        terms: parsed.terms,
        api_key_id: None,
        context,
        outcome,
        usage_json: given(fields, "usage").map(Value::to_string),
    };
    Ok(with_parts(call, &parsed.sub_inferences))
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
        tools_used: names(fields, "toolsUsed", MAX_TOOLS, MAX_ID_CHARS)?,
        tags: each_once(names(fields, "tags", MAX_TAGS, MAX_ID_CHARS)?),
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
