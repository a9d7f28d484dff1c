//! `GET /api/prices` lists price cards; `POST /api/prices/calculate` says what a call would cost.

use super::Params;
use crate::capture::ingest::priced_input;
use crate::capture::json_fields::{instant, object_with};
use crate::capture::provider::price_parsed;
use crate::domain::cost::{CostLine, PricedUsage};
use crate::domain::money::NanoUsd;
use crate::domain::price::{CardFilter, Multipliers, PriceCard, Rates};
use crate::domain::usage::PricingState;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat};
use serde::Serialize;
use serde_json::Value;

const CALCULATE_FIELDS: [&str; 6] = ["provider", "model", "usage", "thinkingTokens", "batch", "at"];

#[derive(Debug, Serialize)]
pub struct CardList {
    cards: Vec<CardAnswer>,
}

/// A price card with its rates in dollars per million tokens, as decimal text.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardAnswer {
    id: String,
    provider: String,
    model: String,
    family: String,
    valid_from: Option<String>,
    /// Exclusive.
    valid_to: Option<String>,
    source: String,
    rates_usd_per_million: RatesAnswer,
    tiers: Vec<TierAnswer>,
    multipliers: Multipliers,
    web_search_fee_usd: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RatesAnswer {
    input: String,
    output: String,
    cache_read: String,
    #[serde(rename = "cacheWrite5m")]
    cache_write_5m: String,
    #[serde(rename = "cacheWrite1h")]
    cache_write_1h: String,
    thinking: String,
}

/// The rates of a call whose whole prompt is longer than the threshold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TierAnswer {
    above_prompt_tokens: u64,
    rates_usd_per_million: RatesAnswer,
}

/// What a call would cost. The cost is null where no card has a price for it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostAnswer {
    cost_nano_usd: Option<NanoUsd>,
    cost_usd: Option<String>,
    pricing_state: PricingState,
    lines: Vec<LineAnswer>,
    price_card: Option<CardNote>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineAnswer {
    label: String,
    model: String,
    quantity: u64,
    rate_usd_per_million: String,
    cost_nano_usd: NanoUsd,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CardNote {
    model: String,
    valid_from: Option<String>,
    source: String,
}

pub async fn list(State(state): State<AppState>, params: Params) -> Result<Json<CardList>, ApiError> {
    let filter = CardFilter {
        provider: params.get("provider").map(str::to_owned),
        model: params.get("model").map(str::to_owned),
        at_ms: params.get("at").map(parse_moment).transpose()?,
    };
    let cards = state.prices.cards(&filter).into_iter().map(|card| CardAnswer::from(card.as_ref())).collect();
    Ok(Json(CardList { cards }))
}

pub async fn calculate(
    State(state): State<AppState>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<CostAnswer>, ApiError> {
    let fields = object_with(&body, &CALCULATE_FIELDS)?;
    let now_ms = state.clock.now_ms();
    let at_ms = instant(fields, "at", now_ms)?.unwrap_or(now_ms);
    let input = priced_input(fields, &state.prices, at_ms, false)?;
    let (call, parts) = price_parsed(&state.prices, Some(&input.provider), &input.model, at_ms, &input.parsed);
    Ok(Json(CostAnswer::of(&call, &parts)))
}

/// A moment in a URL: a UTC date, RFC 3339, or UTC milliseconds.
fn parse_moment(text: &str) -> Result<i64, ApiError> {
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    let date = text.parse::<NaiveDate>().ok().map(midnight);
    let instant = || DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis());
    let found = date.or_else(instant).or_else(|| text.parse().ok());
    found.ok_or_else(|| ApiError::invalid("at", "must be a date such as 2026-11-24, a time, or UTC milliseconds"))
}

fn shown_instant(ms: i64) -> Option<String> {
    DateTime::from_timestamp_millis(ms).map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true))
}

impl CostAnswer {
    fn of(call: &PricedUsage, parts: &[PricedUsage]) -> Self {
        let all = || std::iter::once(call).chain(parts);
        // One unknown makes the sum unknown (invariant 2).
        let cost = all().try_fold(NanoUsd::ZERO, |sum, priced| sum.checked_add(priced.cost?));
        let least_sure = [PricingState::NoUsage, PricingState::Unpriced, PricingState::Estimated];
        let state = least_sure.into_iter().find(|state| all().any(|priced| priced.state == *state));
        Self {
            cost_nano_usd: cost,
            cost_usd: cost.map(NanoUsd::to_decimal),
            pricing_state: state.unwrap_or(PricingState::Exact),
            lines: all().flat_map(|priced| &priced.lines).map(LineAnswer::from).collect(),
            price_card: call.card.as_deref().map(|card| CardNote {
                model: card.model.clone(),
                valid_from: card.valid_from_ms.and_then(shown_instant),
                source: card.source.clone(),
            }),
        }
    }
}

impl From<&CostLine> for LineAnswer {
    fn from(line: &CostLine) -> Self {
        Self {
            label: line.label.clone(),
            model: line.model.clone(),
            quantity: line.quantity,
            rate_usd_per_million: line.rate_usd_per_million.clone(),
            cost_nano_usd: line.cost,
        }
    }
}

impl From<&PriceCard> for CardAnswer {
    fn from(card: &PriceCard) -> Self {
        let tiers = card.tiers.iter().map(|tier| TierAnswer {
            above_prompt_tokens: tier.above_prompt_tokens,
            rates_usd_per_million: (&tier.rates).into(),
        });
        Self {
            id: card.id.clone(),
            provider: card.provider.clone(),
            model: card.model.clone(),
            family: card.family.clone(),
            valid_from: card.valid_from_ms.and_then(shown_instant),
            valid_to: card.valid_to_ms.and_then(shown_instant),
            source: card.source.clone(),
            rates_usd_per_million: (&card.rates).into(),
            tiers: tiers.collect(),
            multipliers: card.multipliers.clone(),
            web_search_fee_usd: card.web_search_fee_nano_usd.map(NanoUsd::to_decimal),
        }
    }
}

impl From<&Rates> for RatesAnswer {
    fn from(rates: &Rates) -> Self {
        Self {
            input: rates.input.to_usd_per_million(),
            output: rates.output.to_usd_per_million(),
            cache_read: rates.cache_read.to_usd_per_million(),
            cache_write_5m: rates.cache_write_5m.to_usd_per_million(),
            cache_write_1h: rates.cache_write_1h.to_usd_per_million(),
            thinking: rates.thinking.to_usd_per_million(),
        }
    }
}
