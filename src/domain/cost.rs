//! What a call costs: tokens times a price card, exactly. The rates come from [`crate::domain::price`].

mod comparison;

pub use comparison::{ComparedModel, calculate_cost, calculate_sum_cost, compare_models, compare_sums, price_of};

use super::money::NanoUsd;
use super::price::{PriceBook, PriceCard, Rate, Ratio};
use super::tokens::{TokenBucket, TokenCounts};
use super::usage::{PricingState, ServiceTerms, UsageRecord};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The cost of a call, or a sum of calls, split by token bucket; the parts add up to the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CostParts {
    pub input: NanoUsd,
    #[serde(rename = "cacheWrite5m")]
    pub cache_write_5m: NanoUsd,
    #[serde(rename = "cacheWrite1h")]
    pub cache_write_1h: NanoUsd,
    pub cache_read: NanoUsd,
    pub output: NanoUsd,
    pub thinking: NanoUsd,
    /// Tool fees, such as web search.
    pub fees: NanoUsd,
}

/// A call to be priced.
#[derive(Clone, Copy, Debug)]
pub struct UsageInput<'a> {
    /// In any spelling; `None` or empty is told from the model.
    pub provider: Option<&'a str>,
    pub model: &'a str,
    pub at_ms: i64,
    pub tokens: &'a TokenCounts,
    pub terms: &'a ServiceTerms,
    pub web_search_count: u64,
    /// The provider sent usage at all.
    pub has_usage: bool,
    /// Some count is an estimate.
    pub is_estimated: bool,
}

/// A priced call: what it cost, by which card, line by line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PricedUsage {
    /// `None` where there is no price: never zero.
    pub cost: Option<NanoUsd>,
    /// Add up to `cost` exactly; all zero where there is no price.
    pub parts: CostParts,
    pub state: PricingState,
    pub price_card_id: Option<String>,
    #[serde(skip)]
    pub card: Option<Arc<PriceCard>>,
    /// One for each bucket that has tokens, and one for fees.
    pub lines: Vec<CostLine>,
}

/// A line of the bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostLine {
    pub label: String,
    /// The model as the call named it.
    pub model: String,
    /// Tokens, or searches.
    pub quantity: u64,
    /// Per million tokens or searches, after every multiplier: `"0.0625"`.
    pub rate_usd_per_million: String,
    #[serde(rename = "costNanoUsd")]
    pub cost: NanoUsd,
}

/// Prices a call by the card that holds for its model and moment.
///
/// The sum is worked out exactly, in fractions of a pico-dollar, and rounded once, half to even, to a nano-dollar; the
/// parts share the rounding by largest remainder, so that they add up to the cost. Without a card, and for amounts beyond
/// ±9.2 × 10⁹ dollars, the cost is `None` and the state `Unpriced`; without usage it is `NoUsage`. A term that the
/// card has no price for (a contract's priority tier, fast mode after its end, searches without a fee) is billed at list price,
/// or not at all for the fee, and makes the cost an estimate.
pub fn price_usage(book: &PriceBook, usage: &UsageInput<'_>) -> PricedUsage {
    if !usage.has_usage {
        return PricedUsage::without_cost(PricingState::NoUsage);
    }
    let card = book.lookup(usage.provider, usage.model, usage.at_ms);
    let priced = card.and_then(|card| price_by_card(card, usage, usage.tokens.prompt()));
    priced.unwrap_or(PricedUsage::without_cost(PricingState::Unpriced))
}

/// Prices the sum of many calls. A context tier depends on each prompt's length, which a sum no longer knows: all calls
/// are taken to be of the mean length, and where the card has tiers the cost is an estimate.
fn price_sum(book: &PriceBook, usage: &UsageInput<'_>, calls: u64) -> PricedUsage {
    let Some(card) = book.lookup(usage.provider, usage.model, usage.at_ms) else {
        return PricedUsage::without_cost(PricingState::Unpriced);
    };
    let mean_prompt = usage.tokens.prompt().div_ceil(calls.max(1));
    let usage = UsageInput { is_estimated: usage.is_estimated || calls > 1 && !card.tiers.is_empty(), ..*usage };
    price_by_card(card, &usage, mean_prompt).unwrap_or(PricedUsage::without_cost(PricingState::Unpriced))
}

/// Prices a record as [`price_usage`] does.
pub fn price_record(book: &PriceBook, record: &UsageRecord) -> PricedUsage {
    let usage = UsageInput {
        provider: Some(&record.provider),
        model: &record.model,
        at_ms: record.occurred_at_ms,
        tokens: &record.tokens,
        terms: &record.terms,
        web_search_count: record.web_search_count,
        has_usage: record.has_usage,
        is_estimated: record.is_estimated,
    };
    price_usage(book, &usage)
}

/// What the cache saved on a call: its cost if the whole prompt had been plain input, less its cost. Below zero where
/// writing cost more than reading saved; `None` where there is no price.
pub fn saved_by_cache(book: &PriceBook, record: &UsageRecord) -> Option<NanoUsd> {
    let (cache_read, cache_write_5m, cache_write_1h) = (0, 0, 0);
    let tokens =
        TokenCounts { input: record.tokens.prompt(), cache_read, cache_write_5m, cache_write_1h, ..record.tokens };
    let uncached = price_record(book, &UsageRecord { tokens, ..record.clone() });
    uncached.cost?.checked_sub(price_record(book, record).cost?)
}

impl PricedUsage {
    fn without_cost(state: PricingState) -> Self {
        Self { cost: None, parts: CostParts::default(), state, price_card_id: None, card: None, lines: Vec::new() }
    }
}

impl CostParts {
    /// All parts together; `None` on overflow.
    pub fn checked_total(&self) -> Option<NanoUsd> {
        TokenBucket::ALL.iter().try_fold(self.fees, |sum, bucket| sum.checked_add(self.of(*bucket)))
    }

    pub fn of(&self, bucket: TokenBucket) -> NanoUsd {
        match bucket {
            TokenBucket::Input => self.input,
            TokenBucket::CacheWrite5m => self.cache_write_5m,
            TokenBucket::CacheWrite1h => self.cache_write_1h,
            TokenBucket::CacheRead => self.cache_read,
            TokenBucket::Output => self.output,
            TokenBucket::Thinking => self.thinking,
        }
    }
}

/// `None` where an amount leaves the range of [`NanoUsd`]. The context tier is that of a prompt of `prompt_tokens`.
fn price_by_card(card: &Arc<PriceCard>, usage: &UsageInput<'_>, prompt_tokens: u64) -> Option<PricedUsage> {
    let applied = card.applied_rates(prompt_tokens, usage.terms);
    let fee = card.web_search_fee_nano_usd.unwrap_or_default();
    let fees = i128::from(fee.0).checked_mul(i128::from(usage.web_search_count))?;
    let parts = exact_parts(usage.tokens, |bucket| applied.rates.of(bucket), applied.multiplier)?;
    let (cost, parts) = round_once(&parts, nano_denominator(applied.multiplier)?, i64::try_from(fees).ok()?)?;

    let mut lines = token_lines(usage, &parts, |bucket| applied.multiplier.of_rate(applied.rates.of(bucket)));
    if usage.web_search_count > 0 {
        lines.push(CostLine {
            label: "Web search".into(),
            model: usage.model.into(),
            quantity: usage.web_search_count,
            // A nano-dollar a search is a thousandth of a dollar per million searches.
            rate_usd_per_million: NanoUsd(fee.0.checked_mul(1_000_000)?).to_decimal(),
            cost: parts.fees,
        });
    }
    let has_every_price = applied.is_listed && (usage.web_search_count == 0 || card.web_search_fee_nano_usd.is_some());
    let is_exact = has_every_price && !usage.is_estimated;
    Some(PricedUsage {
        cost: Some(cost),
        parts,
        state: if is_exact { PricingState::Exact } else { PricingState::Estimated },
        price_card_id: Some(card.id.clone()),
        card: Some(Arc::clone(card)),
        lines,
    })
}

/// The cost of each bucket as the numerator of a fraction of a nano-dollar over [`nano_denominator`].
fn exact_parts(tokens: &TokenCounts, rate: impl Fn(TokenBucket) -> Rate, multiplier: Ratio) -> Option<[i128; 6]> {
    let mut parts = [0; 6];
    for (part, bucket) in parts.iter_mut().zip(TokenBucket::ALL) {
        let pico_usd = i128::from(tokens.of(bucket)).checked_mul(i128::from(rate(bucket).0))?;
        *part = pico_usd.checked_mul(i128::from(multiplier.numerator))?;
    }
    Some(parts)
}

fn nano_denominator(multiplier: Ratio) -> Option<i128> {
    const PICO_PER_NANO: i128 = 1_000;
    PICO_PER_NANO.checked_mul(i128::from(multiplier.denominator))
}

/// The sum of the parts, rounded half to even, and the parts in whole nano-dollars that add up to it.
fn round_once(parts: &[i128; 6], denominator: i128, fees: i64) -> Option<(NanoUsd, CostParts)> {
    let sum = parts.iter().try_fold(0_i128, |sum, part| sum.checked_add(*part))?;
    let (whole, twice_rest) = (sum / denominator, (sum % denominator).checked_mul(2)?);
    let rounds_up = twice_rest > denominator || twice_rest == denominator && whole % 2 == 1;
    let rounded = whole + i128::from(rounds_up);

    let mut shares = parts.map(|part| part / denominator);
    let missing = usize::try_from(rounded - shares.iter().sum::<i128>()).ok()?;
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(parts[*index] % denominator));
    for index in by_remainder.into_iter().take(missing) {
        shares[index] += 1;
    }

    let amount = |index: usize| i64::try_from(shares[index]).ok().map(NanoUsd);
    let parts = CostParts {
        input: amount(0)?,
        cache_write_5m: amount(1)?,
        cache_write_1h: amount(2)?,
        cache_read: amount(3)?,
        output: amount(4)?,
        thinking: amount(5)?,
        fees: NanoUsd(fees),
    };
    let cost = rounded.checked_add(i128::from(fees)).and_then(|cost| i64::try_from(cost).ok())?;
    Some((NanoUsd(cost), parts))
}

fn token_lines(usage: &UsageInput<'_>, parts: &CostParts, rate: impl Fn(TokenBucket) -> String) -> Vec<CostLine> {
    let used = TokenBucket::ALL.into_iter().filter(|bucket| usage.tokens.of(*bucket) > 0);
    used.map(|bucket| CostLine {
        label: bucket.label().into(),
        model: usage.model.into(),
        quantity: usage.tokens.of(bucket),
        rate_usd_per_million: rate(bucket),
        cost: parts.of(bucket),
    })
    .collect()
}

#[cfg(test)]
mod tests;
