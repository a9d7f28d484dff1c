//! The brief's projection: the daily average of a period × 30. The better guess is in [`super::forecast`].

use super::money::NanoUsd;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Projection {
    pub monthly_calls: u64,
    pub monthly_tokens: u64,
    pub monthly_tokens_formatted: String,
    /// Cents.
    pub monthly_cost: i64,
    pub monthly_cost_formatted: String,
    pub monthly_cost_nano_usd: NanoUsd,
    pub daily_average: DailyAverage,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyAverage {
    pub calls: f64,
    pub tokens: u64,
    pub tokens_formatted: String,
    /// Cents.
    pub cost: i64,
    pub cost_formatted: String,
}
