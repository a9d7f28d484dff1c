//! The built-in catalogue against the published prices, and how a card is found.

use super::*;
use crate::domain::money::NanoUsd;
use crate::domain::price::{Multipliers, Rate, Rates, Ratio, model_family};
use chrono::{NaiveDate, NaiveTime};

fn at(day: &str) -> i64 {
    day.parse::<NaiveDate>().unwrap().and_time(NaiveTime::MIN).and_utc().timestamp_millis()
}

fn card(model: &str, day: &str) -> PriceCard {
    PriceCard::clone(PriceBook::builtin().lookup(None, model, at(day)).unwrap_or_else(|| panic!("no card for {model}")))
}

/// Input, 5-minute write, 1-hour write, read, output in dollars per million tokens.
fn published(rates: &Rates) -> [String; 5] {
    [rates.input, rates.cache_write_5m, rates.cache_write_1h, rates.cache_read, rates.output]
        .map(Rate::to_usd_per_million)
}

fn own_card(provider: &str, model: &str, usd: u64, from: Option<i64>, to: Option<i64>) -> PriceCard {
    let rate = Rate(usd * 1_000_000);
    PriceCard {
        id: format!("own/{model}@{from:?}"),
        provider: provider.into(),
        model: model.into(),
        aliases: vec![],
        family: model_family(model),
        valid_from_ms: from,
        valid_to_ms: to,
        source: "override".into(),
        rates: Rates {
            input: rate,
            output: rate,
            cache_read: rate,
            cache_write_5m: rate,
            cache_write_1h: rate,
            thinking: rate,
        },
        tiers: vec![],
        service_rates: Default::default(),
        multipliers: Multipliers::default(),
        web_search_fee_nano_usd: None,
        varies: false,
    }
}

#[test]
fn the_catalogue_reads_and_is_whole() {
    let cards = crate::domain::price::catalogue::parse_catalogue(crate::domain::price::catalogue::BUILTIN).unwrap();
    assert!(cards.len() > 3_000, "{}", cards.len());
    assert_eq!(PriceBook::builtin().len(), cards.len());
    let mut ids: Vec<_> = cards.iter().map(|card| &card.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), cards.len(), "two cards share an id");
    assert!(cards.iter().all(|card| card.tiers.is_sorted_by_key(|tier| tier.above_prompt_tokens)));
}

#[test]
fn claude_prices_are_the_published_ones() {
    for (model, rates) in [
        ("claude-fable-5-2", ["8", "10", "16", "0.2", "40"]),
        ("claude-mythos-5-2", ["8", "10", "16", "0.2", "40"]),
        ("claude-fable-5-1", ["10", "12.5", "20", "0.25", "50"]),
        ("claude-mythos-5-1", ["10", "12.5", "20", "0.25", "50"]),
        ("claude-fable-5", ["10", "12.5", "20", "1", "50"]),
        ("claude-mythos-5", ["10", "12.5", "20", "1", "50"]),
        ("claude-opus-5-5", ["4", "5", "8", "0.2", "20"]),
        ("claude-opus-5", ["5", "6.25", "10", "0.5", "25"]),
        ("claude-opus-4-8", ["5", "6.25", "10", "0.5", "25"]),
        ("claude-opus-4-7", ["5", "6.25", "10", "0.5", "25"]),
        ("claude-opus-4-6", ["5", "6.25", "10", "0.5", "25"]),
        ("claude-opus-4-5", ["5", "6.25", "10", "0.5", "25"]),
        ("claude-opus-4-1-20250805", ["15", "18.75", "30", "1.5", "75"]),
        ("claude-opus-4-20250514", ["15", "18.75", "30", "1.5", "75"]),
        ("claude-sonnet-5-5", ["2", "2.5", "4", "0.1", "10"]),
        ("claude-sonnet-5", ["2", "2.5", "4", "0.2", "10"]),
        ("claude-sonnet-4-6", ["3", "3.75", "6", "0.3", "15"]),
        ("claude-sonnet-4-5-20250929", ["3", "3.75", "6", "0.3", "15"]),
        ("claude-sonnet-4-20250514", ["3", "3.75", "6", "0.3", "15"]),
        ("claude-3-7-sonnet-20250219", ["3", "3.75", "6", "0.3", "15"]),
        ("claude-3-5-sonnet-20241022", ["3", "3.75", "6", "0.3", "15"]),
        ("claude-3-sonnet-20240229", ["3", "3.75", "6", "0.3", "15"]),
        ("claude-haiku-5-5", ["0.1", "0.125", "0.2", "0.01", "0.5"]),
        ("claude-haiku-4-5-20251001", ["1", "1.25", "2", "0.1", "5"]),
        ("claude-3-5-haiku-20241022", ["0.8", "1", "1.6", "0.08", "4"]),
        ("claude-3-haiku-20240307", ["0.25", "0.3", "0.5", "0.03", "1.25"]),
        ("claude-3-opus-20240229", ["15", "18.75", "30", "1.5", "75"]),
    ] {
        let card = card(model, "2026-11-24");
        assert_eq!(published(&card.rates), rates, "{model}");
        assert_eq!(card.provider, "anthropic");
        assert_eq!(card.multipliers.service_tier["batch"], Ratio { numerator: 1, denominator: 2 }, "{model}");
    }
}

/// LiteLLM 1.80.0, the last to list them, copied a Sonnet's 1-hour write rate ($6) to three other models and gave the
/// alias `claude-3-5-haiku-latest` the input and output of Haiku 4.5 (1/5).
#[test]
fn the_four_known_errors_of_the_old_price_list_are_corrected() {
    for (model, write_1h) in
        [("claude-3-haiku-20240307", "0.5"), ("claude-3-5-haiku-20241022", "1.6"), ("claude-3-opus-20240229", "30")]
    {
        assert_eq!(card(model, "2025-06-01").rates.cache_write_1h.to_usd_per_million(), write_1h, "{model}");
    }
    let alias = card("claude-3-5-haiku-latest", "2025-06-01");
    assert_eq!(published(&alias.rates), ["0.8", "1", "1.6", "0.08", "4"]);
}

#[test]
fn long_context_prices_end_on_their_day() {
    for (model, last_day, flat_from) in [
        ("claude-opus-4-6", "2026-03-12", "2026-03-13"),
        ("claude-sonnet-4-6", "2026-03-12", "2026-03-13"),
        ("claude-sonnet-4-5", "2026-04-29", "2026-04-30"),
        ("claude-sonnet-4", "2026-04-29", "2026-04-30"),
    ] {
        let before = card(model, last_day);
        assert_eq!(before.tiers[0].above_prompt_tokens, 200_000, "{model}");
        assert!(card(model, flat_from).tiers.is_empty(), "{model}");
        let last_ms = PriceBook::builtin().lookup(None, model, at(flat_from) - 1).unwrap().tiers.len();
        assert_eq!(last_ms, 1, "{model}: the last millisecond still has the tier");
    }
    let upper = card("claude-opus-4-6", "2026-01-01").tiers[0].rates;
    assert_eq!(published(&upper), ["10", "12.5", "20", "1", "37.5"]);
    let upper = card("claude-sonnet-4", "2026-01-01").tiers[0].rates;
    assert_eq!(published(&upper), ["6", "7.5", "12", "0.6", "22.5"]);
}

#[test]
fn sonnet_5_5_reads_were_cut_on_7_october() {
    assert_eq!(card("claude-sonnet-5-5", "2026-10-06").rates.cache_read, Rate(200_000));
    assert_eq!(card("claude-sonnet-5-5", "2026-10-07").rates.cache_read, Rate(100_000));
}

#[test]
fn haiku_5_5_has_its_cliff_at_100k() {
    let tier = card("claude-haiku-5-5", "2026-11-24").tiers[0];
    assert_eq!(tier.above_prompt_tokens, 100_000);
    assert_eq!(published(&tier.rates), ["0.5", "0.625", "1", "0.05", "2.5"]);
}

#[test]
fn fast_mode_ends_on_its_day() {
    let fast = |model: &str, day: &str| card(model, day).multipliers.fast.map(|ratio| ratio.numerator);
    assert_eq!(fast("claude-opus-4-6", "2026-02-01"), Some(6));
    assert_eq!(fast("claude-opus-4-6", "2026-06-28"), Some(6));
    assert_eq!(fast("claude-opus-4-6", "2026-06-29"), None);
    assert_eq!(fast("claude-opus-4-7", "2026-07-23"), Some(6));
    assert_eq!(fast("claude-opus-4-7", "2026-07-24"), None);
    assert_eq!(fast("claude-opus-4-8", "2026-11-29"), Some(2));
    assert_eq!(fast("claude-opus-4-8", "2026-11-30"), None);
    assert_eq!(fast("claude-opus-5-5", "2026-11-24"), Some(2));
    assert_eq!(fast("claude-sonnet-5", "2026-11-24"), None);
}

#[test]
fn the_us_premium_is_for_4_6_and_later() {
    let premium = |model: &str| card(model, "2026-11-24").multipliers.geo.get("us").copied();
    for model in ["claude-opus-4-6", "claude-sonnet-4-6", "claude-opus-5", "claude-haiku-5-5", "claude-fable-5-2"] {
        assert_eq!(premium(model), Some(Ratio { numerator: 11, denominator: 10 }), "{model}");
    }
    for model in ["claude-opus-4-5", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-3-haiku", "claude-opus-4-1"] {
        assert_eq!(premium(model), None, "{model}");
    }
}

#[test]
fn every_spelling_finds_the_same_card() {
    let book = PriceBook::builtin();
    for (provider, model) in [
        (Some("anthropic"), "claude-sonnet-4-20250514"),
        (None, "claude-sonnet-4"),
        (None, "claude-sonnet-4-0"),
        (None, "claude-4-sonnet-20250514"),
        (None, "Claude-Sonnet-4-20250514[1m]"),
        (None, "anthropic/claude-sonnet-4-20250514"),
        (Some("my-proxy"), "anthropic/claude-sonnet-4"),
        (Some("anthropic"), "us.anthropic.claude-sonnet-4-20250514-v1:0"),
        (Some("anthropic"), "claude-sonnet-4@20250514"),
        (Some(""), "claude-sonnet-4"),
    ] {
        let id = book.lookup(provider, model, at("2026-06-01")).map(|card| card.id.as_str());
        assert_eq!(id, Some("anthropic/claude-sonnet-4@2026-04-30"), "{provider:?} {model}");
    }
}

#[test]
fn an_unknown_model_is_never_guessed_at() {
    let book = PriceBook::builtin();
    for model in ["acme-llm-9", "claude-sonnet-99", "claude", "gpt-5-turbo-ultra", "", "claude-opus-5-fast"] {
        assert!(book.lookup(None, model, at("2026-11-24")).is_none(), "{model}");
    }
    assert!(book.lookup(Some("ollama"), "mistral-large-latest", at("2026-11-24")).is_none(), "open weights at home");
}

#[test]
fn the_provider_decides_between_lists() {
    let book = PriceBook::builtin();
    let now = at("2026-11-24");
    let id = |provider, model| book.lookup(provider, model, now).map(|card| card.id.as_str());
    assert_eq!(id(Some("azure.ai.openai"), "gpt-4o"), Some("azure/gpt-4o"));
    assert_eq!(id(None, "gpt-4o"), Some("openai/gpt-4o"));
    assert_eq!(id(None, "gpt-4o-2024-05-13"), Some("openai/gpt-4o-2024-05-13"));
    assert_eq!(id(Some("gcp.gemini"), "models/gemini-2.5-pro"), Some("google/gemini-2.5-pro"));
    assert_eq!(id(None, "us.anthropic.claude-haiku-4-5-20251001-v1:0").map(|id| &id[..8]), Some("bedrock/"));
    let bedrock = book.lookup(Some("aws.bedrock"), "anthropic.claude-sonnet-5-5", now).unwrap();
    assert_eq!((bedrock.provider.as_str(), bedrock.rates.input), ("bedrock", Rate(2_000_000)));
    let in_region = book.lookup(None, "us.anthropic.claude-sonnet-5-5", now).unwrap();
    assert_eq!((in_region.provider.as_str(), in_region.rates.input), ("bedrock", Rate(2_200_000)));
    assert_eq!(book.provider_of("claude-opus-5", now), Some("anthropic"));
    assert_eq!(book.provider_of("acme-llm-9", now), None);
}

#[test]
fn openai_prices_have_dates_too() {
    assert_eq!(card("o3", "2025-06-09").rates.input.to_usd_per_million(), "10");
    assert_eq!(card("o3-2025-04-16", "2025-06-10").rates.input.to_usd_per_million(), "2");
    assert_eq!(card("gpt-5.6", "2026-08-21").rates.output.to_usd_per_million(), "20");
}

#[test]
fn the_users_price_wins_while_it_holds() {
    let (from, to) = (at("2026-05-01"), at("2026-06-01"));
    let book =
        PriceBook::builtin().with_overrides(vec![own_card("anthropic", "claude-opus-5", 1, Some(from), Some(to))]);
    let input = |at_ms| book.lookup(Some("anthropic"), "claude-opus-5-20260401", at_ms).unwrap().rates.input;
    assert_eq!(input(from - 1), Rate(5_000_000));
    assert_eq!(input(from), Rate(1_000_000));
    assert_eq!(input(to - 1), Rate(1_000_000));
    assert_eq!(input(to), Rate(5_000_000));
}

#[test]
fn of_two_own_prices_the_later_one_holds() {
    let cards = vec![own_card("", "acme-llm-9", 2, Some(100), None), own_card("", "acme-llm-9", 1, None, None)];
    let book = PriceBook::builtin().with_overrides(cards);
    let input = |provider, at_ms| book.lookup(provider, "acme-llm-9", at_ms).unwrap().rates.input;
    assert_eq!(input(None, 99), Rate(1_000_000));
    assert_eq!(input(Some("anything"), 100), Rate(2_000_000));
}

#[test]
fn cards_can_be_listed_by_provider_model_and_day() {
    let book = PriceBook::builtin();
    let list = |model: &str, at_ms| {
        let filter = CardFilter { provider: Some("anthropic".into()), model: Some(model.into()), at_ms };
        book.cards(&filter).iter().map(|card| card.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        list("claude-sonnet-5-5", None),
        ["anthropic/claude-sonnet-5-5", "anthropic/claude-sonnet-5-5@2026-10-07"]
    );
    assert_eq!(list("claude-sonnet-5-5", Some(at("2026-10-07"))), ["anthropic/claude-sonnet-5-5@2026-10-07"]);
    assert!(list("opus", None).iter().all(|id| id.contains("opus")));
    assert_eq!(book.cards(&CardFilter::default()).len(), book.len());
}

#[test]
fn web_search_costs_one_cent() {
    assert_eq!(card("claude-opus-5", "2026-11-24").web_search_fee_nano_usd, Some(NanoUsd(10_000_000)));
    assert_eq!(card("gpt-5", "2026-11-24").web_search_fee_nano_usd, Some(NanoUsd(10_000_000)));
}
