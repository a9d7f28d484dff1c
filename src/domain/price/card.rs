//! The price card: the rates of one model from one date on, in whole pico-dollars per token. Which card holds for a
//! call is in [`super::book`].

use super::lookup::is_claude;
use crate::domain::money::NanoUsd;
use crate::domain::tokens::TokenBucket;
use crate::domain::usage::ServiceTerms;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Pico-dollars (10⁻¹² dollar) per token. A dollar per million tokens is 1,000,000 of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(pub u64);

/// An exact fraction in lowest terms, such as 11/10 for inference in the US.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio {
    pub numerator: u64,
    pub denominator: u64,
}

/// What a token of each bucket costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rates {
    pub input: Rate,
    pub output: Rate,
    pub cache_read: Rate,
    #[serde(rename = "cacheWrite5m")]
    pub cache_write_5m: Rate,
    #[serde(rename = "cacheWrite1h")]
    pub cache_write_1h: Rate,
    /// Of thinking that is reported beside the output.
    pub thinking: Rate,
}

/// Rates as a price list gives them: the two that every list has, and those it may leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GivenRates {
    pub input: Rate,
    pub output: Rate,
    pub cache_read: Option<Rate>,
    #[serde(rename = "cacheWrite5m")]
    pub cache_write_5m: Option<Rate>,
    #[serde(rename = "cacheWrite1h")]
    pub cache_write_1h: Option<Rate>,
    pub thinking: Option<Rate>,
}

/// The rates of every token of a call whose whole prompt, cache included, is longer than `above_prompt_tokens`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextTier {
    pub above_prompt_tokens: u64,
    pub rates: Rates,
}

/// Base rates and the context tiers above them, in rising order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateTable {
    pub rates: Rates,
    pub tiers: Vec<ContextTier>,
}

/// What the terms of a call multiply its token cost by; fees are never multiplied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Multipliers {
    /// By service tier: `batch`, `flex`, `priority`, …
    pub service_tier: BTreeMap<String, Ratio>,
    /// For `speed: "fast"`.
    pub fast: Option<Ratio>,
    /// By where inference ran: `us`, `eu`.
    pub geo: BTreeMap<String, Ratio>,
}

/// The prices of one model from one date on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceCard {
    /// Stable: `anthropic/claude-opus-4-6@2026-03-13`, without the date where the card has no first day.
    pub id: String,
    /// Lower case, `anthropic`; empty in an override that holds for every provider.
    pub provider: String,
    pub model: String,
    /// Other full names of the model.
    #[serde(default)]
    pub aliases: Vec<String>,
    pub family: String,
    /// The first millisecond (UTC) at which it holds; `None` is always.
    pub valid_from_ms: Option<i64>,
    /// The first millisecond at which it no longer holds.
    pub valid_to_ms: Option<i64>,
    /// Where the prices are from: `genai-prices`, `litellm`, `override`, …
    pub source: String,
    pub rates: Rates,
    /// In rising order of their thresholds.
    pub tiers: Vec<ContextTier>,
    /// Service tiers whose prices are not a multiple of the standard ones.
    #[serde(default)]
    pub service_rates: BTreeMap<String, RateTable>,
    pub multipliers: Multipliers,
    /// The fee of one web search; `None` is not known.
    pub web_search_fee_nano_usd: Option<NanoUsd>,
    /// The provider's price depends on something that a usage object does not say, such as the hour: costs are estimates.
    #[serde(default)]
    pub varies: bool,
}

/// The rates that hold for one call, after context tier and service tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedRates {
    pub rates: Rates,
    pub multiplier: Ratio,
    /// The card has a price for every term of the call. Without one, list prices stand in and the cost is an estimate.
    pub is_listed: bool,
}

/// A price that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("{0:?} is not a decimal number of at least 0")]
    NotDecimal(String),
    #[error("{0:?} is finer than a pico-dollar per token (six decimals of a dollar per million)")]
    TooFine(String),
    #[error("{0:?} is too large")]
    TooLarge(String),
}

impl Rate {
    /// Reads dollars per million tokens from decimal text: `"0.125"` is 125,000 pico-dollars per token.
    pub fn from_usd_per_million(text: &str) -> Result<Self, PriceError> {
        decimal_scaled(text, 6).map(Self)
    }

    /// Dollars per million tokens, exact and short: `"0.125"`.
    pub fn to_usd_per_million(self) -> String {
        Ratio::ONE.of_rate(self)
    }
}

impl Ratio {
    pub const ONE: Self = Self { numerator: 1, denominator: 1 };

    /// Reads a multiplier from decimal text: `"1.1"` is 11/10.
    pub fn from_decimal(text: &str) -> Result<Self, PriceError> {
        let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len()).min(9) as u32;
        Ok(Self { numerator: decimal_scaled(text, decimals)?, denominator: 10_u64.pow(decimals) }.reduced())
    }

    /// Both multipliers in turn; `None` on overflow.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = Self {
            numerator: self.numerator.checked_mul(other.numerator)?,
            denominator: self.denominator.checked_mul(other.denominator)?,
        };
        Some(product.reduced())
    }

    /// A multiplied rate in dollars per million tokens, exact up to twelve decimals.
    pub fn of_rate(self, rate: Rate) -> String {
        const SCALE: u128 = 1_000_000_000_000;
        let scaled =
            u128::from(rate.0) * u128::from(self.numerator) * (SCALE / 1_000_000) / u128::from(self.denominator);
        let (whole, fraction) = (scaled / SCALE, scaled % SCALE);
        if fraction == 0 {
            return whole.to_string();
        }
        let digits = format!("{fraction:012}");
        format!("{whole}.{}", digits.trim_end_matches('0'))
    }

    fn reduced(self) -> Self {
        let mut divisor = (self.numerator, self.denominator);
        while divisor.1 != 0 {
            divisor = (divisor.1, divisor.0 % divisor.1);
        }
        let divisor = divisor.0.max(1);
        Self { numerator: self.numerator / divisor, denominator: self.denominator / divisor }
    }
}

impl Rates {
    pub fn of(&self, bucket: TokenBucket) -> Rate {
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

impl GivenRates {
    /// Fills what the list leaves out. A missing cache rate is billed as plain input; a missing 1-hour write on Claude
    /// is twice the input, elsewhere the write rate there is; missing thinking is output. A given 0 is a price.
    pub fn resolve(self, model: &str) -> Rates {
        let cache_write_5m = self.cache_write_5m.unwrap_or(self.input);
        let long_write = if is_claude(model) { Rate(self.input.0.saturating_mul(2)) } else { cache_write_5m };
        Rates {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read.unwrap_or(self.input),
            cache_write_5m,
            cache_write_1h: self.cache_write_1h.unwrap_or(long_write),
            thinking: self.thinking.unwrap_or(self.output),
        }
    }
}

impl PriceCard {
    /// Whether the card holds at a moment: from its first day on, up to but without its end.
    pub fn is_valid_at(&self, at_ms: i64) -> bool {
        self.valid_from_ms.is_none_or(|from| from <= at_ms) && self.valid_to_ms.is_none_or(|to| at_ms < to)
    }

    /// The rates for a call with this whole prompt and these terms.
    ///
    /// A context tier is a cliff: one token above the threshold, and the whole call is billed at the higher rates.
    pub fn applied_rates(&self, prompt_tokens: u64, terms: &ServiceTerms) -> AppliedRates {
        let service_tier = charged_service_tier(terms);
        let own_rates = service_tier.and_then(|name| self.service_rates.get(name));
        let rates = match own_rates {
            Some(table) => tier_rates(&table.rates, &table.tiers, prompt_tokens),
            None => tier_rates(&self.rates, &self.tiers, prompt_tokens),
        };
        let mut applied = AppliedRates { rates, multiplier: Ratio::ONE, is_listed: !self.varies };
        if let (Some(name), None) = (service_tier, own_rates) {
            applied.multiply(self.multipliers.service_tier.get(name).copied());
        }
        if terms.speed.as_deref() == Some("fast") {
            applied.multiply(self.multipliers.fast);
        }
        // A place without a premium costs the list price, so a missing one is nothing to doubt.
        let geo = terms.geo.as_deref().and_then(|geo| self.multipliers.geo.get(geo));
        if let Some(premium) = geo {
            applied.multiply(Some(*premium));
        }
        applied
    }
}

impl AppliedRates {
    fn multiply(&mut self, by: Option<Ratio>) {
        match by.and_then(|ratio| self.multiplier.checked_mul(ratio)) {
            Some(product) => self.multiplier = product,
            None => self.is_listed = false,
        }
    }
}

/// The service tier that changes the price, or none. OpenAI's older `fast` tier is answered as `priority`.
fn charged_service_tier(terms: &ServiceTerms) -> Option<&str> {
    match terms.service_tier.as_deref()? {
        "" | "standard" | "default" | "auto" | "on_demand" => None,
        "fast" => Some("priority"),
        name => Some(name),
    }
}

fn tier_rates(base: &Rates, tiers: &[ContextTier], prompt_tokens: u64) -> Rates {
    let crossed = tiers.iter().rev().find(|tier| prompt_tokens > tier.above_prompt_tokens);
    crossed.map_or(*base, |tier| tier.rates)
}

/// Decimal text times 10^`decimals`, exactly.
fn decimal_scaled(text: &str, decimals: u32) -> Result<u64, PriceError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || text.ends_with('.') {
        return Err(PriceError::NotDecimal(text.into()));
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals as usize {
        return Err(PriceError::TooFine(text.into()));
    }
    let digits = format!("{whole}{fraction:0<width$}", width = decimals as usize);
    digits.parse().map_err(|_| PriceError::TooLarge(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_come_from_decimal_text_exactly() {
        assert_eq!(Rate::from_usd_per_million("0.125"), Ok(Rate(125_000)));
        assert_eq!(Rate::from_usd_per_million("75"), Ok(Rate(75_000_000)));
        assert_eq!(Rate::from_usd_per_million("0.000001"), Ok(Rate(1)));
        assert_eq!(Rate::from_usd_per_million("3.00"), Ok(Rate(3_000_000)));
        assert!(matches!(Rate::from_usd_per_million("0.0000001"), Err(PriceError::TooFine(_))));
        for bad in ["", "-1", "1e3", ".5", "5.", "1,5", "NaN"] {
            assert!(matches!(Rate::from_usd_per_million(bad), Err(PriceError::NotDecimal(_))), "{bad}");
        }
        assert!(matches!(Rate::from_usd_per_million("99999999999999999999"), Err(PriceError::TooLarge(_))));
    }

    #[test]
    fn multiplied_rates_print_exactly() {
        let half = Ratio::from_decimal("0.5").unwrap();
        assert_eq!(half, Ratio { numerator: 1, denominator: 2 });
        assert_eq!(half.of_rate(Rate(125_000)), "0.0625");
        assert_eq!(half.of_rate(Rate(1)), "0.0000005");
        assert_eq!(Ratio::from_decimal("1.1").unwrap().of_rate(Rate(5_000_000)), "5.5");
    }

    #[test]
    fn missing_rates_follow_the_list_price_rules() {
        let given = GivenRates { input: Rate(3), output: Rate(15), ..Default::default() };
        let claude = given.resolve("claude-sonnet-9");
        assert_eq!((claude.cache_read, claude.cache_write_5m, claude.cache_write_1h), (Rate(3), Rate(3), Rate(6)));
        assert_eq!(claude.thinking, Rate(15));
        assert_eq!(given.resolve("gpt-9").cache_write_1h, Rate(3));
        let free_reads = GivenRates { cache_read: Some(Rate(0)), ..given };
        assert_eq!(free_reads.resolve("gpt-9").cache_read, Rate(0));
    }
}
