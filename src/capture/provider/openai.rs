//! OpenAI's two usage objects. Prompt and input counts include what the cache served; completion and output counts include
//! reasoning.

use super::ParsedUsage;
use super::field::{FieldError, Fields};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::ServiceTerms;
use serde_json::Value;

/// Reads the usage of chat.completions and of those that copy it. See [`super::parse_usage`].
pub fn parse_chat_usage(usage: &Value) -> Result<ParsedUsage, FieldError> {
    let fields = Fields::root(usage, "usage")?;
    let details = fields.object("prompt_tokens_details")?;
    let prompt = fields.count_or_zero("prompt_tokens")?;
    let cached = match details.count("cached_tokens")? {
        Some(cached) => cached,
        // DeepSeek and Moonshot have names of their own for it.
        None => fields.count("prompt_cache_hit_tokens")?.or(fields.count("cached_tokens")?).unwrap_or(0),
    };
    let written = details.count_or_zero("cache_write_tokens")?;
    let completion = fields.count_or_zero("completion_tokens")?;
    let reasoning = fields.object("completion_tokens_details")?.count("reasoning_tokens")?;
    // Gemini's and xAI's compatible endpoints leave reasoning out of the completion, but not out of the total.
    let total = fields.count_or_zero("total_tokens")?;
    let beside = total.saturating_sub(prompt.saturating_add(completion));
    let mut parsed = inclusive_usage(prompt, cached, (written, 0), completion, reasoning.filter(|_| beside == 0));
    parsed.tokens.thinking = beside;
    parsed.has_usage = fields.has_any(&["prompt_tokens", "completion_tokens"]);
    Ok(parsed)
}

/// Reads the usage of the Responses API. See [`super::parse_usage`].
pub fn parse_responses_usage(usage: &Value) -> Result<ParsedUsage, FieldError> {
    let fields = Fields::root(usage, "usage")?;
    let details = fields.object("input_tokens_details")?;
    let written = details.count_or_zero("cache_write_tokens")?;
    let times = cache_write_times(usage)?;
    let long = times.1.min(written.max(times.0.saturating_add(times.1)));
    let short = written.saturating_sub(long).max(times.0);
    let input = fields.count_or_zero("input_tokens")?;
    let output = fields.count_or_zero("output_tokens")?;
    let reasoning = fields.object("output_tokens_details")?.count("reasoning_tokens")?;
    let cached = details.count_or_zero("cached_tokens")?;
    let mut parsed = inclusive_usage(input, cached, (short, long), output, reasoning);
    parsed.has_usage = fields.has_any(&["input_tokens", "output_tokens"]);
    Ok(parsed)
}

/// What stands beside the usage in a whole answer: the service tier that set the price, and web searches, which are items
/// of the output.
pub fn add_response_terms(parsed: &mut ParsedUsage, response: &Value) {
    let tier = response.get("service_tier").and_then(Value::as_str);
    parsed.terms = ServiceTerms { service_tier: tier.map(str::to_owned), ..ServiceTerms::default() };
    let output = response.get("output").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let searches = output.iter().filter(|item| item.get("type").and_then(Value::as_str) == Some("web_search_call"));
    parsed.web_search_count = searches.count() as u64;
}

/// Written for 30 minutes and for 12 hours.
fn cache_write_times(usage: &Value) -> Result<(u64, u64), FieldError> {
    let details = usage.get("input_tokens_details").unwrap_or(&Value::Null);
    let times = Fields::root(details, "usage.input_tokens_details")?.object("cache_write_tokens_details")?;
    Ok((times.count_or_zero("ttl_30m_tokens")?, times.count_or_zero("ttl_12h_tokens")?))
}

fn inclusive_usage(prompt: u64, cached: u64, written: (u64, u64), output: u64, reasoning: Option<u64>) -> ParsedUsage {
    let (short, long) = written;
    let of_cache = cached.saturating_add(short).saturating_add(long);
    let mut contradictions = Vec::new();
    if of_cache > prompt {
        contradictions.push("cached_tokens");
    }
    if reasoning.is_some_and(|reasoning| reasoning > output) {
        contradictions.push("reasoning_tokens");
    }
    let tokens = TokenCounts {
        input: prompt.saturating_sub(of_cache),
        cache_write_5m: short,
        cache_write_1h: long,
        cache_read: cached,
        output,
        thinking: 0,
        output_thinking: reasoning.map(|reasoning| reasoning.min(output)),
    };
    ParsedUsage { tokens, contradictions, ..ParsedUsage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn v10_cached_tokens_are_inside_the_prompt() {
        let parsed = parse_chat_usage(&json!({
            "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920}, "completion_tokens_details": {"reasoning_tokens": 192}
        }))
        .unwrap();
        let expected =
            TokenCounts { input: 86, cache_read: 1920, output: 300, output_thinking: Some(192), ..Default::default() };
        assert_eq!(parsed.tokens, expected);
    }

    #[test]
    fn reasoning_beside_the_completion_shows_in_the_total() {
        let parsed = parse_chat_usage(&json!({
            "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 170,
            "completion_tokens_details": {"reasoning_tokens": 50}
        }))
        .unwrap();
        assert_eq!((parsed.tokens.output, parsed.tokens.thinking), (20, 50));
        assert_eq!(parsed.tokens.output_thinking, None);
    }

    #[test]
    fn cache_writes_keep_their_time() {
        let usage = |times: Value| {
            let usage = json!({
                "input_tokens": 5000, "output_tokens": 800, "total_tokens": 5800,
                "input_tokens_details": {
                    "cached_tokens": 2000, "cache_write_tokens": 1500, "cache_write_tokens_details": times
                },
                "output_tokens_details": {"reasoning_tokens": 500}
            });
            parse_responses_usage(&usage).unwrap().tokens
        };
        let tokens = usage(Value::Null);
        assert_eq!((tokens.input, tokens.cache_write_5m, tokens.cache_write_1h), (1500, 1500, 0));
        assert_eq!((tokens.cache_read, tokens.output, tokens.output_thinking), (2000, 800, Some(500)));
        let tokens = usage(json!({"ttl_30m_tokens": 500, "ttl_12h_tokens": 1000}));
        assert_eq!((tokens.input, tokens.cache_write_5m, tokens.cache_write_1h), (1500, 500, 1000));
        let tokens = usage(json!({"ttl_12h_tokens": 1000}));
        assert_eq!((tokens.cache_write_5m, tokens.cache_write_1h), (500, 1000));
    }

    #[test]
    fn a_cache_larger_than_the_prompt_is_flagged() {
        let usage =
            json!({"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 11}});
        let parsed = parse_chat_usage(&usage).unwrap();
        assert_eq!((parsed.tokens.input, parsed.tokens.cache_read), (0, 11));
        assert_eq!(parsed.contradictions, ["cached_tokens"]);
    }

    #[test]
    fn tier_and_searches_stand_in_the_answer() {
        let mut parsed = parse_responses_usage(&json!({"input_tokens": 1, "output_tokens": 1})).unwrap();
        let answer = json!({
            "service_tier": "flex",
            "output": [{"type": "web_search_call"}, {"type": "message"}, {"type": "web_search_call"}]
        });
        add_response_terms(&mut parsed, &answer);
        assert_eq!(parsed.terms.service_tier.as_deref(), Some("flex"));
        assert_eq!(parsed.web_search_count, 2);
    }

    #[test]
    fn errors_name_the_field() {
        let chat = parse_chat_usage(&json!({"prompt_tokens_details": {"cached_tokens": -1}})).unwrap_err();
        assert_eq!(chat.to_string(), "usage.prompt_tokens_details.cached_tokens: -1 is negative");
        let times = json!({"input_tokens_details": {"cache_write_tokens_details": {"ttl_12h_tokens": true}}});
        assert_eq!(
            parse_responses_usage(&times).unwrap_err().field,
            "usage.input_tokens_details.cache_write_tokens_details.ttl_12h_tokens"
        );
    }
}
