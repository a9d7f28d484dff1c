//! Interim: replaced by capture::provider::anthropic.
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::ServiceTerms;
use serde_json::Value;

pub struct ParsedUsage {
    pub tokens: TokenCounts,
    pub terms: ServiceTerms,
    pub web_search_count: u64,
    pub sub_inferences: Vec<SubInference>,
    pub serving_model: Option<String>,
    pub has_usage: bool,
    pub contradictions: Vec<&'static str>,
}
pub struct FieldError {
    pub field: String,
}
pub enum SubKind {
    Advisor,
    Compaction,
    Fallback,
}
impl SubKind {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Advisor => "advisor",
            Self::Compaction => "compaction",
            Self::Fallback => "fallback",
        }
    }
}
pub struct SubInference {
    pub kind: SubKind,
    pub model: Option<String>,
    pub tokens: TokenCounts,
}

fn count(usage: &Value, field: &str) -> Result<u64, FieldError> {
    match usage.get(field) {
        None | Some(Value::Null) => Ok(0),
        Some(value) => value.as_u64().ok_or_else(|| FieldError { field: format!("usage.{field}") }),
    }
}

fn tokens(usage: &Value) -> Result<TokenCounts, FieldError> {
    let total = count(usage, "cache_creation_input_tokens")?;
    let one_hour = usage.get("cache_creation").map_or(Ok(0), |split| count(split, "ephemeral_1h_input_tokens"))?;
    Ok(TokenCounts {
        input: count(usage, "input_tokens")?,
        cache_write_5m: total.saturating_sub(one_hour),
        cache_write_1h: one_hour,
        cache_read: count(usage, "cache_read_input_tokens")?,
        output: count(usage, "output_tokens")?,
        ..TokenCounts::default()
    })
}

pub fn parse_usage(usage: &Value) -> Result<ParsedUsage, FieldError> {
    let text = |field: &str| usage.get(field).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let empty = Vec::new();
    let iterations = usage.get("iterations").and_then(Value::as_array).unwrap_or(&empty);
    let kind = |i: &Value| i.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let model = |i: &Value| i.get("model").and_then(Value::as_str).map(str::to_owned);
    let serving = iterations.iter().find(|i| kind(i) == "fallback_message").and_then(model);
    let mut sub_inferences = Vec::new();
    for i in iterations {
        let k = match kind(i).as_str() {
            "advisor_message" => SubKind::Advisor,
            "compaction" => SubKind::Compaction,
            "message" if serving.is_some() && model(i) != serving && count(i, "output_tokens")? > 0 => {
                SubKind::Fallback
            }
            _ => continue,
        };
        sub_inferences.push(SubInference { kind: k, model: model(i), tokens: tokens(i)? });
    }
    Ok(ParsedUsage {
        tokens: tokens(usage)?,
        terms: ServiceTerms { service_tier: text("service_tier"), speed: text("speed"), geo: text("inference_geo") },
        web_search_count: usage.get("server_tool_use").map_or(Ok(0), |t| count(t, "web_search_requests"))?,
        sub_inferences,
        serving_model: serving,
        contradictions: Vec::new(),
        has_usage: usage.is_object(),
    })
}
