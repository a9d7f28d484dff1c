//! Anthropic's usage object, from a body, a stream or a log line. `input_tokens` excludes the cache; `output_tokens`
//! includes thinking.

use super::field::{FieldError, Fields};
use super::{ParsedUsage, SubInference, SubInferenceKind};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::ServiceTerms;
use serde_json::Value;

/// Reads a usage object. See [`super::parse_usage`].
pub fn parse_usage(usage: &Value) -> Result<ParsedUsage, FieldError> {
    let fields = Fields::root(usage, "usage")?;
    let mut contradictions = Vec::new();
    let tokens = parse_counts(&fields, &mut contradictions)?;
    let (sub_inferences, serving_model) = parse_iterations(&fields)?;
    Ok(ParsedUsage {
        tokens,
        terms: ServiceTerms {
            service_tier: fields.name("service_tier").map(str::to_owned),
            speed: fields.name("speed").map(str::to_owned),
            geo: fields.name("inference_geo").map(str::to_owned),
        },
        web_search_count: fields.object("server_tool_use")?.count_or_zero("web_search_requests")?,
        sub_inferences,
        serving_model,
        has_usage: fields.has_any(&COUNTS),
        contradictions,
    })
}

/// Brings the usage of `message_delta` into that of `message_start`: its counts are cumulative, so every field that is not
/// null takes the place of the earlier one, and the rest (TTL split, tier, geo) stays. Never adds.
pub fn merge_delta(usage: &mut Value, delta: Value) {
    let Value::Object(mut delta) = delta else { return };
    delta.retain(|_, value| !value.is_null());
    match usage {
        Value::Object(usage) => usage.extend(delta),
        _ => *usage = Value::Object(delta),
    }
}

/// A refusal before any output is reported with token counts and not charged; one in mid-stream is.
pub fn is_free_refusal(stop_reason: Option<&str>, tokens: &TokenCounts) -> bool {
    stop_reason == Some("refusal") && tokens.output == 0
}

const COUNTS: [&str; 4] = ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];

fn parse_counts(fields: &Fields<'_>, contradictions: &mut Vec<&'static str>) -> Result<TokenCounts, FieldError> {
    let written = fields.count("cache_creation_input_tokens")?;
    let split = fields.object("cache_creation")?;
    let split_5m = split.count_or_zero("ephemeral_5m_input_tokens")?;
    let cache_write_1h = split.count_or_zero("ephemeral_1h_input_tokens")?;
    let split_sum = split_5m + cache_write_1h;
    if written.is_some_and(|written| written < split_sum) {
        contradictions.push("cache_creation");
    }
    // What the total has beyond the split was written by server tools, for 5 minutes; without a split all of it was.
    let cache_write_5m = split_5m + written.unwrap_or(0).saturating_sub(split_sum);
    let output = fields.count_or_zero("output_tokens")?;
    let thinking = fields.object("output_tokens_details")?.count("thinking_tokens")?;
    if thinking.is_some_and(|thinking| thinking > output) {
        contradictions.push("thinking_tokens");
    }
    Ok(TokenCounts {
        input: fields.count_or_zero("input_tokens")?,
        cache_write_5m,
        cache_write_1h,
        cache_read: fields.count_or_zero("cache_read_input_tokens")?,
        output,
        thinking: 0,
        output_thinking: thinking.map(|thinking| thinking.min(output)),
    })
}

/// What `iterations[]` bills beyond the top level, and the model that served after a fallback.
///
/// The top level is the sum of the serving model's `message` steps. Advisor and compaction steps come on top; of the
/// attempts before a fallback those that broke off with output, at their own model's rates. The top level is never replaced by the
/// sum of the list, which may be partial.
fn parse_iterations(fields: &Fields<'_>) -> Result<(Vec<SubInference>, Option<String>), FieldError> {
    let items = fields.items("iterations").collect::<Result<Vec<_>, _>>()?;
    let fallbacks = items.iter().filter(|item| item.name("type") == Some("fallback_message"));
    let serving_model = fallbacks.filter_map(|item| item.name("model")).next_back();
    let mut subs = Vec::new();
    for item in &items {
        let model = item.name("model");
        let kind = match item.name("type") {
            Some("advisor_message") => SubInferenceKind::Advisor,
            Some("compaction") => SubInferenceKind::Compaction,
            Some("message") if serving_model.is_some() && model.is_some() && model != serving_model => {
                SubInferenceKind::Fallback
            }
            _ => continue,
        };
        let tokens = parse_counts(item, &mut Vec::new())?;
        let is_free = tokens.is_empty() || kind == SubInferenceKind::Fallback && tokens.output == 0;
        if !is_free {
            subs.push(SubInference { kind, model: model.map(str::to_owned), tokens });
        }
    }
    Ok((subs, serving_model.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::provider::FieldProblem;
    use serde_json::json;

    #[test]
    fn v3_the_write_split_is_kept() {
        let parsed = parse_usage(&json!({
            "input_tokens": 2048, "cache_read_input_tokens": 1800, "cache_creation_input_tokens": 248,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100}, "output_tokens": 503
        }));
        let tokens = parsed.unwrap().tokens;
        assert_eq!((tokens.cache_write_5m, tokens.cache_write_1h, tokens.cache_read), (148, 100, 1800));
        assert_eq!(tokens.output_thinking, None, "unknown is not zero");
    }

    #[test]
    fn writes_beyond_the_split_are_five_minute_ones() {
        let parsed = parse_usage(&json!({
            "input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 500,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 300}
        }))
        .unwrap();
        assert_eq!((parsed.tokens.cache_write_5m, parsed.tokens.cache_write_1h), (200, 300));
        assert!(parsed.contradictions.is_empty());
    }

    #[test]
    fn thinking_is_a_memo_inside_output() {
        let parsed = parse_usage(&json!({
            "input_tokens": 2, "output_tokens": 9611, "output_tokens_details": {"thinking_tokens": 6663}
        }))
        .unwrap();
        assert_eq!((parsed.tokens.output, parsed.tokens.thinking), (9611, 0));
        assert_eq!(parsed.tokens.output_thinking, Some(6663));
    }

    #[test]
    fn advisor_and_compaction_come_on_top() {
        let parsed = parse_usage(&json!({
            "input_tokens": 412, "output_tokens": 531,
            "iterations": [
                {"type": "message", "input_tokens": 412, "output_tokens": 89},
                {"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 823, "output_tokens": 1612},
                {"type": "compaction", "input_tokens": 180000, "output_tokens": 3500},
                {"type": "message", "input_tokens": 0, "output_tokens": 442},
                {"type": "something_new", "input_tokens": 7}
            ]
        }))
        .unwrap();
        assert_eq!((parsed.tokens.input, parsed.tokens.output), (412, 531));
        let subs: Vec<_> = parsed
            .sub_inferences
            .iter()
            .map(|sub| (sub.kind.name(), sub.model.as_deref(), sub.tokens.input, sub.tokens.output))
            .collect();
        assert_eq!(subs, [("advisor", Some("claude-opus-5"), 823, 1612), ("compaction", None, 180_000, 3500)]);
        assert_eq!(parsed.serving_model, None);
    }

    #[test]
    fn a_declined_attempt_is_charged_only_if_it_had_output() {
        let usage = |declined_output: u64| {
            let usage = json!({
                "input_tokens": 100, "output_tokens": 50,
                "iterations": [
                    {"type": "message", "model": "claude-fable-5-2", "input_tokens": 100, "output_tokens": declined_output},
                    {"type": "fallback_message", "model": "claude-opus-5", "input_tokens": 100, "output_tokens": 50},
                    {"type": "message", "model": "claude-opus-5", "input_tokens": 100, "output_tokens": 50}
                ]
            });
            parse_usage(&usage).unwrap()
        };
        assert!(usage(0).sub_inferences.is_empty());
        assert_eq!(usage(0).serving_model.as_deref(), Some("claude-opus-5"));
        let broken_off = usage(7).sub_inferences;
        assert_eq!(broken_off.len(), 1);
        assert_eq!(broken_off[0].model.as_deref(), Some("claude-fable-5-2"));
        assert_eq!(broken_off[0].kind, SubInferenceKind::Fallback);
    }

    #[test]
    fn steps_of_other_models_without_a_fallback_are_part_of_the_top_level() {
        let parsed = parse_usage(&json!({
            "input_tokens": 1, "output_tokens": 9,
            "iterations": [{"type": "message", "model": "claude-opus-5", "input_tokens": 1, "output_tokens": 9}]
        }));
        assert!(parsed.unwrap().sub_inferences.is_empty());
    }

    #[test]
    fn a_delta_overwrites_and_never_adds() {
        let mut usage = json!({
            "input_tokens": 2679, "cache_read_input_tokens": 5, "output_tokens": 3, "service_tier": "standard",
            "cache_creation": {"ephemeral_1h_input_tokens": 4}
        });
        let delta = json!({
            "input_tokens": 10682, "cache_read_input_tokens": null, "output_tokens": 510,
            "server_tool_use": {"web_search_requests": 1}
        });
        merge_delta(&mut usage, delta.clone());
        merge_delta(&mut usage, delta);
        let parsed = parse_usage(&usage).unwrap();
        assert_eq!((parsed.tokens.input, parsed.tokens.cache_read, parsed.tokens.output), (10_682, 5, 510));
        assert_eq!((parsed.tokens.cache_write_1h, parsed.web_search_count), (4, 1));
        assert_eq!(parsed.terms.service_tier.as_deref(), Some("standard"));
        let mut nothing = Value::Null;
        merge_delta(&mut nothing, json!({"output_tokens": 4}));
        assert_eq!(parse_usage(&nothing).unwrap().tokens.output, 4);
    }

    #[test]
    fn errors_name_the_field() {
        let message = |usage: Value| parse_usage(&usage).unwrap_err().to_string();
        assert_eq!(message(json!({"output_tokens": -5})), "usage.output_tokens: -5 is negative");
        assert_eq!(message(json!({"input_tokens": 1.5})), "usage.input_tokens: 1.5 is not a whole number");
        assert_eq!(message(json!({"input_tokens": "7"})), "usage.input_tokens: a text is not a whole number");
        assert_eq!(
            message(json!({"cache_creation": {"ephemeral_1h_input_tokens": 10_u64.pow(13)}})),
            "usage.cache_creation.ephemeral_1h_input_tokens: 10000000000000 is more than any call can have"
        );
        assert_eq!(
            message(json!({"iterations": [{"type": "compaction"}, {"type": "compaction", "input_tokens": -1}]})),
            "usage.iterations[1].input_tokens: -1 is negative"
        );
        assert_eq!(parse_usage(&json!([1])).unwrap_err().problem, FieldProblem::NotObject);
        assert_eq!(parse_usage(&json!({"input_tokens": 12.0})).unwrap().tokens.input, 12);
    }

    #[test]
    fn parts_larger_than_the_whole_are_flagged() {
        let parsed = parse_usage(&json!({
            "input_tokens": 1, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 6},
            "cache_creation_input_tokens": 3, "cache_creation": {"ephemeral_5m_input_tokens": 4}
        }))
        .unwrap();
        assert_eq!(parsed.contradictions, ["cache_creation", "thinking_tokens"]);
        assert_eq!((parsed.tokens.output_thinking, parsed.tokens.cache_write_5m), (Some(5), 4));
    }

    #[test]
    fn what_cannot_be_kept_as_a_name_is_left_out() {
        let long = "x".repeat(201);
        for (wrong, is_kept) in [("", false), ("a\u{0}b", false), ("a\nb", false), (&*long, false), ("us-east", true)] {
            let usage = json!({"output_tokens": 1, "service_tier": wrong, "speed": wrong, "inference_geo": wrong});
            let terms = parse_usage(&usage).unwrap().terms;
            for term in [terms.service_tier, terms.speed, terms.geo] {
                assert_eq!(term.is_some(), is_kept, "{wrong:?}");
            }
        }
    }

    #[test]
    fn a_refusal_without_output_is_free() {
        let refused =
            |output| is_free_refusal(Some("refusal"), &TokenCounts { input: 9, output, ..Default::default() });
        assert!(refused(0) && !refused(1));
        assert!(!is_free_refusal(Some("end_turn"), &TokenCounts::default()));
    }
}
