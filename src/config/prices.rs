//! The user's own prices, as `[[prices.card]]` writes them, and the price cards they become.

use crate::domain::price::{GivenRates, Multipliers, PriceCard, PriceError, Rate, model_family};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The prices of one model from one date on, in US dollars per million tokens, as decimal text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnPrice {
    /// None: for the model at whatever provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    pub model: String,
    /// The first day, in UTC; none is always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    pub input: String,
    pub output: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_5m: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<String>,
}

/// An own price that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OwnPriceError {
    #[error("of {model:?}: {field}: {source}")]
    Rate { model: String, field: &'static str, source: PriceError },
    #[error("of {model:?}: valid_from: {text:?} is no date such as 2026-01-31")]
    Date { model: String, text: String },
}

impl OwnPrice {
    pub fn to_price_card(&self) -> Result<PriceCard, OwnPriceError> {
        let provider = self.provider.as_deref().unwrap_or_default().to_ascii_lowercase();
        let rates = GivenRates {
            input: self.rate("input", &self.input)?,
            output: self.rate("output", &self.output)?,
            cache_read: self.optional_rate("cache_read", self.cache_read.as_deref())?,
            cache_write_5m: self.optional_rate("cache_write_5m", self.cache_write_5m.as_deref())?,
            cache_write_1h: self.optional_rate("cache_write_1h", self.cache_write_1h.as_deref())?,
            thinking: None,
        };
        let from = self.valid_from.as_deref().map(|date| format!("@{date}")).unwrap_or_default();
        Ok(PriceCard {
            id: format!("own/{provider}/{}{from}", self.model).replace("//", "/"),
            provider,
            model: self.model.clone(),
            aliases: Vec::new(),
            family: model_family(&self.model),
            valid_from_ms: self.valid_from_ms()?,
            valid_to_ms: None,
            source: "override".into(),
            rates: rates.resolve(&self.model),
            tiers: Vec::new(),
            service_rates: BTreeMap::new(),
            multipliers: Multipliers::default(),
            web_search_fee_nano_usd: None,
            varies: false,
        })
    }

    fn rate(&self, field: &'static str, text: &str) -> Result<Rate, OwnPriceError> {
        Rate::from_usd_per_million(text).map_err(|source| OwnPriceError::Rate {
            model: self.model.clone(),
            field,
            source,
        })
    }

    fn optional_rate(&self, field: &'static str, text: Option<&str>) -> Result<Option<Rate>, OwnPriceError> {
        text.map(|text| self.rate(field, text)).transpose()
    }

    fn valid_from_ms(&self) -> Result<Option<i64>, OwnPriceError> {
        let Some(text) = &self.valid_from else { return Ok(None) };
        let date: NaiveDate =
            text.parse().map_err(|_| OwnPriceError::Date { model: self.model.clone(), text: text.clone() })?;
        Ok(Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> OwnPrice {
        toml::from_str("provider = \"acme\"\nmodel = \"acme-llm-9\"\nvalid_from = \"2026-01-01\"\ninput = \"3.00\"\noutput = \"15\"")
            .unwrap()
    }

    #[test]
    fn text_becomes_exact_rates_from_a_date_on() {
        let card = acme().to_price_card().unwrap();
        assert_eq!(card.id, "own/acme/acme-llm-9@2026-01-01");
        assert_eq!(card.rates.input, Rate(3_000_000));
        assert_eq!(card.rates.output, Rate(15_000_000));
        assert_eq!(card.rates.cache_read, Rate(3_000_000), "a missing cache rate is the input rate");
        assert_eq!(card.valid_from_ms, Some(1_767_225_600_000));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = OwnPrice { output: "fifteen".into(), ..acme() }.to_price_card().unwrap_err().to_string();
        assert!(error.contains("acme-llm-9") && error.contains("output"), "{error}");
        let error = OwnPrice { valid_from: Some("January".into()), ..acme() }.to_price_card().unwrap_err().to_string();
        assert!(error.contains("January"), "{error}");
        assert!(toml::from_str::<OwnPrice>("model = \"m\"\ninput = \"1\"\noutput = \"2\"\ncash_read = \"1\"").is_err());
    }
}
