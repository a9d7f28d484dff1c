//! Providers' usage objects as token counts in disjoint buckets, and what requests say of themselves. Pure: reads JSON, knows
//! no prices and no network.

pub mod anthropic;
mod field;
pub mod gemini;
pub mod message;
pub mod openai;
pub mod request_scan;
pub mod sse;
pub(super) mod tool_names;

pub use field::{FieldError, FieldProblem};

use crate::domain::cost::{PricedUsage, UsageInput, price_usage};
use crate::domain::price::PriceBook;
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::ServiceTerms;
use serde_json::Value;

/// A usage object is some hundred bytes. What is far larger is not worth keeping beside every event.
const MAX_KEPT_USAGE_BYTES: usize = 16 * 1024;

/// Whose grammar a usage object follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageShape {
    /// Anthropic Messages.
    Anthropic,
    /// OpenAI chat.completions, and the many that copy it.
    OpenAiChat,
    /// OpenAI Responses.
    OpenAiResponses,
    /// Gemini `usageMetadata`.
    Gemini,
}

/// A usage object, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedUsage {
    pub tokens: TokenCounts,
    pub terms: ServiceTerms,
    /// Billable web searches by the provider's own tool.
    pub web_search_count: u64,
    /// Tokens billed on top of `tokens`, some at another model's rates.
    pub sub_inferences: Vec<SubInference>,
    /// The model that served the request, where the usage names one: after a fallback not the one that was asked.
    pub serving_model: Option<String>,
    /// There was a usage object with a count in it.
    pub has_usage: bool,
    /// Parts that are larger than their whole, by the name of the part: the counts are then a best reading.
    pub contradictions: Vec<&'static str>,
}

impl ParsedUsage {
    /// As it is billed, given how the answer ended: a refusal before any output is reported with counts, and free.
    pub fn billed(self, stop_reason: Option<&str>) -> Self {
        match anthropic::is_free_refusal(stop_reason, &self.tokens) {
            true => Self { tokens: TokenCounts::default(), contradictions: Vec::new(), ..self },
            false => self,
        }
    }
}

/// Billed tokens inside a call that its top-level counts leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubInference {
    pub kind: SubInferenceKind,
    /// `None` is the model of the call.
    pub model: Option<String>,
    pub tokens: TokenCounts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubInferenceKind {
    /// A stronger model was asked for advice.
    Advisor,
    /// The conversation was summarised to fit.
    Compaction,
    /// An attempt by another model that broke off with output before the one that answered.
    Fallback,
}

impl SubInferenceKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Advisor => "advisor",
            Self::Compaction => "compaction",
            Self::Fallback => "fallback",
        }
    }
}

/// Tells the shape of a usage object by its field names; `None` if no shape has any of them.
///
/// Anthropic and OpenAI Responses share `input_tokens` and `output_tokens`, and mean different things by the first: inclusive
/// totals and `input_tokens_details` are OpenAI's. Without either the two mean the same.
pub fn detect_shape(usage: &Value) -> Option<UsageShape> {
    let has = |name: &str| usage.get(name).is_some_and(|value| !value.is_null());
    if has("promptTokenCount") || has("candidatesTokenCount") || has("totalTokenCount") {
        return Some(UsageShape::Gemini);
    }
    if has("prompt_tokens") || has("completion_tokens") {
        return Some(UsageShape::OpenAiChat);
    }
    let is_anthropic =
        ["cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation"].into_iter().any(has);
    if !is_anthropic && (has("input_tokens_details") || has("total_tokens")) {
        return Some(UsageShape::OpenAiResponses);
    }
    (is_anthropic || has("input_tokens") || has("output_tokens")).then_some(UsageShape::Anthropic)
}

/// Reads a usage object. `null` or one without a count is `has_usage: false`.
///
/// # Errors
/// The first field whose value cannot be a count, by its path: `usage.output_tokens: -5 is negative`.
pub fn parse_usage(shape: UsageShape, usage: &Value) -> Result<ParsedUsage, FieldError> {
    match shape {
        UsageShape::Anthropic => anthropic::parse_usage(usage),
        UsageShape::OpenAiChat => openai::parse_chat_usage(usage),
        UsageShape::OpenAiResponses => openai::parse_responses_usage(usage),
        UsageShape::Gemini => gemini::parse_usage(usage),
    }
}

/// A usage object as text, to be kept beside the event. None where there is none, or it is too large to keep.
pub(super) fn kept_json(usage: &Value) -> Option<String> {
    let json = (!usage.is_null()).then(|| usage.to_string());
    json.filter(|json| json.len() <= MAX_KEPT_USAGE_BYTES)
}

/// Prices a parsed call: itself first, then each sub-inference at its own model's rates.
pub fn price_parsed(
    book: &PriceBook,
    provider: Option<&str>,
    model: &str,
    at_ms: i64,
    parsed: &ParsedUsage,
) -> (PricedUsage, Vec<PricedUsage>) {
    let model = parsed.serving_model.as_deref().unwrap_or(model);
    let call = UsageInput {
        provider,
        model,
        at_ms,
        tokens: &parsed.tokens,
        terms: &parsed.terms,
        web_search_count: parsed.web_search_count,
        has_usage: parsed.has_usage,
        is_estimated: !parsed.contradictions.is_empty(),
    };
    let price_sub = |sub: &SubInference| {
        let model = sub.model.as_deref().unwrap_or(model);
        price_usage(book, &UsageInput { model, tokens: &sub.tokens, web_search_count: 0, ..call })
    };
    (price_usage(book, &call), parsed.sub_inferences.iter().map(price_sub).collect())
}

#[cfg(test)]
mod tests;
