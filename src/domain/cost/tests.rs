//! Costs worked out by hand, and what holds for every cost. The providers' own usage objects are priced in
//! `capture::provider`.

use super::*;
use proptest::prelude::*;

const NOV_2026_MS: i64 = 1_795_500_000_000;
const MARCH_2026_MS: i64 = 1_772_323_200_000;

fn counts(input: u64, output: u64) -> TokenCounts {
    TokenCounts { input, output, ..Default::default() }
}

fn priced(model: &str, at_ms: i64, tokens: TokenCounts, terms: ServiceTerms) -> PricedUsage {
    let usage = UsageInput {
        provider: None,
        model,
        at_ms,
        tokens: &tokens,
        terms: &terms,
        web_search_count: 0,
        has_usage: true,
        is_estimated: false,
    };
    price_usage(&PriceBook::builtin(), &usage)
}

fn terms(tier: &str, speed: &str, geo: &str) -> ServiceTerms {
    ServiceTerms { service_tier: Some(tier.into()), speed: Some(speed.into()), geo: Some(geo.into()) }
}

#[test]
fn v1_thebridges_example_costs_what_it_says() {
    let priced = calculate_cost(&PriceBook::builtin(), "claude-sonnet-4-20250514", &counts(1_000, 500), MARCH_2026_MS);
    assert_eq!(priced.cost, Some(NanoUsd(10_500_000)));
    assert_eq!(priced.parts.input, NanoUsd(3_000_000));
    assert_eq!(priced.parts.output, NanoUsd(7_500_000));
    assert_eq!(priced.state, PricingState::Exact);
    assert_eq!(priced.price_card_id.as_deref(), Some("anthropic/claude-sonnet-4"));
    let lines: Vec<_> = priced
        .lines
        .iter()
        .map(|line| (line.label.as_str(), line.quantity, line.rate_usd_per_million.as_str(), line.cost.0))
        .collect();
    assert_eq!(lines, [("Input", 1_000, "3", 3_000_000), ("Output", 500, "15", 7_500_000)]);
}

#[test]
fn thebridges_models_price_separate_thinking_at_its_rates() {
    let thinking = TokenCounts { thinking: 1_000_000, ..Default::default() };
    for (model, usd) in
        [("claude-sonnet-4-20250514", "3"), ("claude-opus-4-20250514", "15"), ("claude-3-5-haiku-20241022", "0.8")]
    {
        let priced = priced(model, MARCH_2026_MS, thinking, ServiceTerms::default());
        assert_eq!(priced.cost.map(NanoUsd::to_decimal).as_deref(), Some(usd), "{model}");
    }
}

#[test]
fn thinking_inside_output_is_billed_as_output() {
    let tokens = TokenCounts { output: 1_200, output_thinking: Some(900), input: 1_000, ..Default::default() };
    let priced = priced("claude-opus-4", MARCH_2026_MS, tokens, ServiceTerms::default());
    assert_eq!(priced.cost, Some(NanoUsd(105_000_000)));
}

#[test]
fn thinking_beside_output_costs_output_on_other_models() {
    let tokens = TokenCounts { thinking: 10, ..Default::default() };
    let priced = priced("gemini-2.5-pro", NOV_2026_MS, tokens, ServiceTerms::default());
    assert_eq!(priced.cost, Some(NanoUsd(100_000)));
}

#[test]
fn one_token_above_the_threshold_moves_the_whole_call() {
    let at_limit = TokenCounts { input: 150_000, cache_read: 50_000, output: 1_000, ..Default::default() };
    let above = TokenCounts { input: 150_001, ..at_limit };
    let cost = |tokens| priced("claude-sonnet-4-5", MARCH_2026_MS, tokens, ServiceTerms::default()).cost;
    assert_eq!(cost(at_limit), Some(NanoUsd(480_000_000)));
    assert_eq!(cost(above), Some(NanoUsd(952_506_000)));
}

#[test]
fn terms_multiply_each_other_and_every_bucket() {
    let tokens = TokenCounts { input: 1_000, cache_read: 1_000, cache_write_1h: 1_000, output: 1_000, ..counts(0, 0) };
    // Opus 5: 5 + 0.5 + 10 + 25 = 40.5 dollars per million of each.
    let cost = |terms| priced("claude-opus-5", NOV_2026_MS, tokens, terms).cost.unwrap().0;
    assert_eq!(cost(terms("standard", "standard", "global")), 40_500_000);
    assert_eq!(cost(terms("batch", "standard", "")), 20_250_000);
    assert_eq!(cost(terms("standard", "fast", "us")), 40_500_000 * 22 / 10);
    assert_eq!(cost(terms("batch", "standard", "us")), 22_275_000);
}

#[test]
fn lines_show_the_rate_that_was_charged() {
    let priced = priced("claude-haiku-5-5", NOV_2026_MS, counts(100_001, 0), terms("batch", "standard", "us"));
    assert_eq!(priced.lines[0].rate_usd_per_million, "0.275");
}

#[test]
fn a_service_tier_may_have_rates_of_its_own() {
    let tokens = TokenCounts { input: 1_000_000, cache_read: 1_000_000, ..Default::default() };
    let terms = ServiceTerms { service_tier: Some("flex".into()), ..Default::default() };
    let priced = priced("gemini-2.5-flash", NOV_2026_MS, tokens, terms);
    // Half price for the prompt, but not for cache reads.
    assert_eq!(priced.cost.map(NanoUsd::to_decimal).as_deref(), Some("0.18"));
    assert_eq!(priced.state, PricingState::Exact);
}

#[test]
fn a_term_without_a_price_makes_an_estimate() {
    let priced_on = |at_ms, terms| priced("claude-opus-4-6", at_ms, counts(1_000, 0), terms);
    let contract = priced_on(NOV_2026_MS, terms("priority", "standard", "global"));
    assert_eq!((contract.cost, contract.state), (Some(NanoUsd(5_000_000)), PricingState::Estimated));
    let fast_while_it_lasted = priced_on(MARCH_2026_MS, terms("standard", "fast", "global"));
    assert_eq!(
        (fast_while_it_lasted.cost, fast_while_it_lasted.state),
        (Some(NanoUsd(30_000_000)), PricingState::Exact)
    );
    assert_eq!(priced_on(NOV_2026_MS, terms("standard", "fast", "global")).state, PricingState::Estimated);
}

#[test]
fn unknown_is_not_zero() {
    let unknown = priced("acme-llm-9", NOV_2026_MS, counts(10, 5), ServiceTerms::default());
    assert_eq!((unknown.cost, unknown.state, unknown.price_card_id), (None, PricingState::Unpriced, None));
    let tokens = counts(10, 5);
    let usage = UsageInput {
        provider: Some("anthropic"),
        model: "claude-opus-5",
        at_ms: NOV_2026_MS,
        tokens: &tokens,
        terms: &ServiceTerms::default(),
        web_search_count: 0,
        has_usage: false,
        is_estimated: false,
    };
    let none = price_usage(&PriceBook::builtin(), &usage);
    assert_eq!((none.cost, none.state), (None, PricingState::NoUsage));
    let estimated = price_usage(&PriceBook::builtin(), &UsageInput { has_usage: true, is_estimated: true, ..usage });
    assert_eq!((estimated.cost, estimated.state), (Some(NanoUsd(175_000)), PricingState::Estimated));
}

#[test]
fn searches_cost_their_fee_and_no_multiplier_touches_it() {
    let tokens = counts(1_000, 0);
    let terms = terms("batch", "standard", "us");
    let usage = UsageInput {
        provider: None,
        model: "claude-opus-5",
        at_ms: NOV_2026_MS,
        tokens: &tokens,
        terms: &terms,
        web_search_count: 3,
        has_usage: true,
        is_estimated: false,
    };
    let priced = price_usage(&PriceBook::builtin(), &usage);
    assert_eq!(priced.cost, Some(NanoUsd(2_750_000 + 30_000_000)));
    assert_eq!(priced.parts.fees, NanoUsd(30_000_000));
    let fee = priced.lines.last().unwrap();
    assert_eq!((fee.label.as_str(), fee.quantity, fee.rate_usd_per_million.as_str()), ("Web search", 3, "10000"));
    let without_fee = price_usage(&PriceBook::builtin(), &UsageInput { model: "claude-3-haiku", ..usage });
    assert_eq!((without_fee.parts.fees, without_fee.state), (NanoUsd::ZERO, PricingState::Estimated));
}

#[test]
fn v12_half_a_nano_dollar_rounds_to_even() {
    let write = |count| TokenCounts { cache_write_5m: count, ..Default::default() };
    let cost = |count| priced("claude-haiku-5-5", NOV_2026_MS, write(count), terms("batch", "", "")).cost.unwrap().0;
    assert_eq!(cost(1), 62, "62.5");
    assert_eq!(cost(2), 125);
    assert_eq!(cost(3), 188, "187.5");
}

#[test]
fn the_parts_share_the_rounding() {
    // Three half nano-dollars: 62.5 + 62.5 + 62.5 = 187.5, which is 188 and not 3 × 62.
    let tokens = TokenCounts { input: 1, cache_write_5m: 1, ..Default::default() };
    let priced = priced("claude-haiku-5-5", NOV_2026_MS, tokens, terms("batch", "", "us"));
    // Input 55 and write 68.75: together 123.75.
    assert_eq!(priced.cost, Some(NanoUsd(124)));
    assert_eq!((priced.parts.input, priced.parts.cache_write_5m), (NanoUsd(55), NanoUsd(69)));
}

#[test]
fn an_amount_out_of_range_is_unpriced_and_not_wrong() {
    let most = TokenCounts { input: u64::MAX, output: u64::MAX, ..Default::default() };
    let priced = priced("claude-opus-5", NOV_2026_MS, most, ServiceTerms::default());
    assert_eq!((priced.cost, priced.state), (None, PricingState::Unpriced));
}

#[test]
fn models_are_compared_cheapest_first() {
    let models = ["claude-opus-5", "claude-haiku-4-5", "acme-llm-9", "claude-opus-4-1"];
    let compared = compare_models(&PriceBook::builtin(), &models, &counts(1_000, 1_000), NOV_2026_MS);
    let rows: Vec<_> = compared
        .iter()
        .map(|row| (row.model.as_str(), row.priced.cost, row.saving_to_dearest, row.saving_to_current))
        .collect();
    let nano = |amount| Some(NanoUsd(amount));
    assert_eq!(
        rows,
        [
            ("claude-haiku-4-5", nano(6_000_000), nano(84_000_000), nano(24_000_000)),
            ("claude-opus-5", nano(30_000_000), nano(60_000_000), nano(0)),
            ("claude-opus-4-1", nano(90_000_000), nano(0), nano(-60_000_000)),
            ("acme-llm-9", None, None, None),
        ]
    );
}

/// Models without a context tier, so that costs add up whatever the prompt.
const FLAT_MODELS: [&str; 6] =
    ["claude-opus-5", "claude-sonnet-5-5", "claude-3-haiku", "claude-fable-5-2", "gpt-5", "gemini-2.5-flash"];

fn any_counts(most: u64) -> impl Strategy<Value = TokenCounts> {
    prop::array::uniform6(0..=most).prop_map(|[input, cache_write_5m, cache_write_1h, cache_read, output, thinking]| {
        TokenCounts { input, cache_write_5m, cache_write_1h, cache_read, output, thinking, output_thinking: None }
    })
}

fn any_terms() -> impl Strategy<Value = ServiceTerms> {
    let tier = prop::sample::select(vec!["standard", "batch", "priority", "flex"]);
    let speed = prop::sample::select(vec!["standard", "fast"]);
    let geo = prop::sample::select(vec!["", "us", "eu"]);
    (tier, speed, geo).prop_map(|(tier, speed, geo)| terms(tier, speed, geo))
}

#[test]
fn a_sum_of_calls_is_priced_as_calls_of_the_mean_length() {
    let book = PriceBook::builtin();
    let cost = |calls, terms: &ServiceTerms| {
        let million = TokenCounts { input: 1_000_000, ..Default::default() };
        calculate_sum_cost(&book, "claude-haiku-5-5", &million, calls, terms, NOV_2026_MS)
    };
    let standard = ServiceTerms::default();
    // $0.10 a million up to 100,000 tokens of prompt, $0.50 above.
    assert_eq!(cost(10, &standard).cost, Some(NanoUsd(100_000_000)), "ten prompts of 100,000");
    assert_eq!(cost(9, &standard).cost, Some(NanoUsd(500_000_000)), "nine prompts are longer");
    assert_eq!(cost(1, &standard).cost, Some(NanoUsd(500_000_000)));
    assert_eq!(cost(10, &terms("batch", "standard", "")).cost, Some(NanoUsd(50_000_000)));
    // Some of the ten may have been longer than the mean, so nobody knows; of one call the length is known.
    assert_eq!((cost(10, &standard).state, cost(1, &standard).state), (PricingState::Estimated, PricingState::Exact));
    assert_eq!(cost(0, &standard).cost, cost(1, &standard).cost, "no calls is not a division by zero");
}

proptest! {
    #[test]
    fn cost_is_additive_up_to_one_rounding(
        one in any_counts(2_000_000), two in any_counts(2_000_000), terms in any_terms(),
        model in prop::sample::select(FLAT_MODELS.to_vec()),
    ) {
        let cost = |tokens| priced(model, NOV_2026_MS, tokens, terms.clone()).cost.unwrap().0;
        let apart = cost(one) + cost(two);
        prop_assert!((cost(one.plus(&two)) - apart).abs() <= 1);
    }

    #[test]
    fn parts_and_lines_add_up_to_the_cost(
        tokens in any_counts(3_000_000), terms in any_terms(),
        model in prop::sample::select(vec!["claude-haiku-5-5", "claude-opus-5", "gpt-5.6-luna", "gemini-2.5-pro"]),
    ) {
        let priced = priced(model, NOV_2026_MS, tokens, terms);
        prop_assert_eq!(priced.parts.checked_total(), priced.cost);
        prop_assert_eq!(priced.lines.iter().map(|line| line.cost.0).sum::<i64>(), priced.cost.unwrap().0);
    }

    #[test]
    fn more_tokens_never_cost_less(
        tokens in any_counts(3_000_000), more in any_counts(300_000), terms in any_terms(),
        model in prop::sample::select(vec!["claude-haiku-5-5", "claude-opus-5", "gpt-5.6-luna", "gemini-2.5-pro"]),
    ) {
        let cost = |tokens| priced(model, NOV_2026_MS, tokens, terms.clone()).cost.unwrap();
        prop_assert!(cost(tokens.plus(&more)) >= cost(tokens));
    }

    #[test]
    fn a_trillion_tokens_per_bucket_have_a_price(tokens in any_counts(1_000_000_000_000), terms in any_terms()) {
        let models = ["claude-fable-5", "claude-opus-4-1", "gpt-5-pro", "claude-haiku-5-5", "gemini-2.5-pro"];
        for model in models {
            prop_assert!(priced(model, NOV_2026_MS, tokens, terms.clone()).cost.is_some(), "{}", model);
        }
    }

    #[test]
    fn no_count_and_no_name_can_make_it_panic(tokens in any_counts(u64::MAX), terms in any_terms(), model in ".{0,40}") {
        priced(&model, NOV_2026_MS, tokens, terms.clone());
        let priced = priced("claude-opus-5", NOV_2026_MS, tokens, terms);
        prop_assert_eq!(priced.cost.is_none(), priced.state == PricingState::Unpriced);
    }
}
