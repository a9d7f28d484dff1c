//! Providers' usage objects from end to end: what came over the wire, and what it cost to the nano-dollar.

use super::*;
use crate::domain::money::NanoUsd;
use crate::domain::usage::PricingState;
use proptest::prelude::*;
use serde_json::json;

const NOV_2026_MS: i64 = 1_795_500_000_000;
const MARCH_2026_MS: i64 = 1_772_323_200_000;

fn priced(model: &str, at_ms: i64, usage: Value) -> PricedUsage {
    let shape = detect_shape(&usage).expect("a shape");
    let parsed = parse_usage(shape, &usage).expect("readable usage");
    price_parsed(&PriceBook::builtin(), None, model, at_ms, &parsed).0
}

fn cost(model: &str, at_ms: i64, usage: Value) -> i64 {
    let priced = priced(model, at_ms, usage);
    assert_eq!(priced.state, PricingState::Exact, "{model}");
    priced.cost.expect("a price").0
}

#[test]
fn v1_sonnet_4() {
    let usage = json!({"input_tokens": 1000, "output_tokens": 500});
    assert_eq!(cost("claude-sonnet-4-20250514", NOV_2026_MS, usage), 10_500_000);
}

#[test]
fn v2_writes_without_a_split_are_five_minute_ones() {
    let usage = json!({
        "input_tokens": 21, "cache_creation_input_tokens": 1880, "cache_read_input_tokens": 18860, "output_tokens": 393
    });
    assert_eq!(cost("claude-opus-5-5", NOV_2026_MS, usage), 21_116_000);
}

#[test]
fn v3_both_write_times() {
    let usage = json!({
        "input_tokens": 2048, "cache_read_input_tokens": 1800, "cache_creation_input_tokens": 248,
        "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100}, "output_tokens": 503
    });
    assert_eq!(cost("claude-sonnet-5-5", NOV_2026_MS, usage), 10_076_000);
}

#[test]
fn v4_batch_halves_tokens_and_not_the_search_fee() {
    let usage = json!({
        "input_tokens": 10000, "cache_creation_input_tokens": 4000, "cache_read_input_tokens": 8000,
        "output_tokens": 2000, "service_tier": "batch", "server_tool_use": {"web_search_requests": 2}
    });
    let priced = priced("claude-haiku-4-5", NOV_2026_MS, usage);
    assert_eq!(priced.cost, Some(NanoUsd(32_900_000)));
    assert_eq!(priced.parts.fees, NanoUsd(20_000_000));
}

#[test]
fn v5_thinking_inside_output_as_a_real_record_billed_it() {
    let usage = json!({
        "input_tokens": 2, "cache_creation_input_tokens": 5018, "cache_read_input_tokens": 0, "output_tokens": 9611,
        "output_tokens_details": {"thinking_tokens": 6663}
    });
    assert_eq!(cost("claude-opus-5", NOV_2026_MS, usage), 271_647_500);
}

#[test]
fn v6_the_long_context_price_is_a_cliff() {
    let usage = |input: u64| json!({"input_tokens": input, "cache_read_input_tokens": 50000, "output_tokens": 1000});
    assert_eq!(cost("claude-sonnet-4-5", MARCH_2026_MS, usage(150_000)), 480_000_000);
    assert_eq!(cost("claude-sonnet-4-5", MARCH_2026_MS, usage(150_001)), 952_506_000);
}

#[test]
fn v7_cache_reads_count_towards_the_cliff() {
    let usage = json!({
        "input_tokens": 1000, "cache_creation_input_tokens": 2000, "cache_read_input_tokens": 97001,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2000}, "output_tokens": 400
    });
    assert_eq!(cost("claude-haiku-5-5", NOV_2026_MS, usage), 8_350_050);
}

#[test]
fn v8_searches_cost_and_fetches_do_not() {
    let usage = json!({
        "input_tokens": 105, "cache_creation_input_tokens": 7345, "cache_read_input_tokens": 7123,
        "output_tokens": 6039,
        "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1, "code_execution_requests": 2}
    });
    assert_eq!(cost("claude-opus-5", NOV_2026_MS, usage), 230_967_750);
}

#[test]
fn v10_gpt_5_chat() {
    let usage = json!({
        "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920}, "completion_tokens_details": {"reasoning_tokens": 192}
    });
    assert_eq!(cost("gpt-5", NOV_2026_MS, usage), 3_347_500);
}

#[test]
fn v12_half_a_nano_dollar() {
    let usage = json!({
        "input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 1, "service_tier": "batch"
    });
    assert_eq!(cost("claude-haiku-5-5", NOV_2026_MS, usage), 62);
}

#[test]
fn v13_gemini_2_5_pro() {
    let usage = json!({
        "promptTokenCount": 1200, "cachedContentTokenCount": 1000, "candidatesTokenCount": 150,
        "thoughtsTokenCount": 350, "toolUsePromptTokenCount": 50, "totalTokenCount": 1750
    });
    assert_eq!(cost("gemini-2.5-pro", NOV_2026_MS, usage), 5_437_500);
}

#[test]
fn v16_an_unknown_model_keeps_its_tokens_and_has_no_cost() {
    let usage = json!({"input_tokens": 10, "output_tokens": 5});
    let parsed = parse_usage(UsageShape::Anthropic, &usage).unwrap();
    assert_eq!((parsed.tokens.input, parsed.tokens.output), (10, 5));
    let priced = price_parsed(&PriceBook::builtin(), None, "acme-llm-9", NOV_2026_MS, &parsed).0;
    assert_eq!((priced.cost, priced.state), (None, PricingState::Unpriced));
}

#[test]
fn sub_inferences_are_priced_at_their_own_model() {
    let usage = json!({
        "input_tokens": 1000, "output_tokens": 0,
        "iterations": [
            {"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 1000, "output_tokens": 100},
            {"type": "compaction", "input_tokens": 1000, "output_tokens": 100}
        ]
    });
    let parsed = parse_usage(UsageShape::Anthropic, &usage).unwrap();
    let (call, subs) = price_parsed(&PriceBook::builtin(), None, "claude-haiku-4-5", NOV_2026_MS, &parsed);
    assert_eq!(call.cost, Some(NanoUsd(1_000_000)));
    let costs: Vec<_> = subs.iter().map(|sub| sub.cost.unwrap().0).collect();
    assert_eq!(costs, [7_500_000, 1_500_000]);
}

#[test]
fn shapes_are_told_by_their_fields() {
    for (usage, shape) in [
        (json!({"input_tokens": 1, "output_tokens": 2}), Some(UsageShape::Anthropic)),
        (json!({"input_tokens": 1, "cache_read_input_tokens": 2, "total_tokens": 3}), Some(UsageShape::Anthropic)),
        (json!({"input_tokens": 1, "input_tokens_details": {}}), Some(UsageShape::OpenAiResponses)),
        (json!({"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}), Some(UsageShape::OpenAiResponses)),
        (json!({"prompt_tokens": 1}), Some(UsageShape::OpenAiChat)),
        (json!({"promptTokenCount": 1}), Some(UsageShape::Gemini)),
        (json!({"tokens": 1}), None),
        (Value::Null, None),
    ] {
        assert_eq!(detect_shape(&usage), shape, "{usage}");
    }
}

#[test]
fn no_usage_is_told_from_zero_usage() {
    for shape in [UsageShape::Anthropic, UsageShape::OpenAiChat, UsageShape::OpenAiResponses, UsageShape::Gemini] {
        assert!(!parse_usage(shape, &Value::Null).unwrap().has_usage);
        assert!(!parse_usage(shape, &json!({})).unwrap().has_usage);
    }
    assert!(parse_usage(UsageShape::Anthropic, &json!({"output_tokens": 0})).unwrap().has_usage);
}

fn part_of(whole: u64, share: u64) -> u64 {
    whole * share / 100
}

proptest! {
    #[test]
    fn anthropic_buckets_add_up_to_what_was_billed(
        input in 0..10_u64.pow(9), read in 0..10_u64.pow(9), written in 0..10_u64.pow(9), share in 0..=100_u64,
        output in 0..10_u64.pow(9), thinking in 0..=100_u64,
    ) {
        let long = part_of(written, share);
        let usage = json!({
            "input_tokens": input, "cache_read_input_tokens": read, "cache_creation_input_tokens": written,
            "cache_creation": {"ephemeral_1h_input_tokens": long, "ephemeral_5m_input_tokens": written - long},
            "output_tokens": output, "output_tokens_details": {"thinking_tokens": part_of(output, thinking)}
        });
        let parsed = parse_usage(UsageShape::Anthropic, &usage).unwrap();
        prop_assert_eq!(parsed.tokens.total(), input + read + written + output);
        prop_assert!(parsed.contradictions.is_empty());
    }

    #[test]
    fn openai_buckets_add_up_to_the_providers_total(
        prompt in 0..10_u64.pow(9), cached in 0..=50_u64, written in 0..=50_u64, output in 0..10_u64.pow(9),
        thinking in 0..=100_u64, long in 0..=100_u64,
    ) {
        let (cached, written, thinking) = (part_of(prompt, cached), part_of(prompt, written), part_of(output, thinking));
        let total = prompt + output;
        let chat = json!({
            "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": total,
            "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
            "completion_tokens_details": {"reasoning_tokens": thinking}
        });
        prop_assert_eq!(parse_usage(UsageShape::OpenAiChat, &chat).unwrap().tokens.total(), total);
        let responses = json!({
            "input_tokens": prompt, "output_tokens": output, "total_tokens": total,
            "input_tokens_details": {
                "cached_tokens": cached, "cache_write_tokens": written,
                "cache_write_tokens_details": {"ttl_12h_tokens": part_of(written, long)}
            },
            "output_tokens_details": {"reasoning_tokens": thinking}
        });
        prop_assert_eq!(parse_usage(UsageShape::OpenAiResponses, &responses).unwrap().tokens.total(), total);
    }

    #[test]
    fn gemini_buckets_add_up_to_the_providers_total(
        prompt in 0..10_u64.pow(9), cached in 0..=100_u64, candidates in 0..10_u64.pow(9), thoughts in 0..10_u64.pow(9),
        tool in 0..10_u64.pow(6),
    ) {
        let total = prompt + candidates + thoughts + tool;
        let usage = json!({
            "promptTokenCount": prompt, "cachedContentTokenCount": part_of(prompt, cached),
            "candidatesTokenCount": candidates, "thoughtsTokenCount": thoughts, "toolUsePromptTokenCount": tool,
            "totalTokenCount": total
        });
        prop_assert_eq!(parse_usage(UsageShape::Gemini, &usage).unwrap().tokens.total(), total);
    }
}
