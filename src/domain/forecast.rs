//! The forecast: spend at the end of the running month, weekday-aware, with a band and the error it had before.

use super::money::NanoUsd;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// `YYYY-MM` of the running month.
    pub month: String,
    pub spent_so_far: NanoUsd,
    /// Spend at the month's end: the middle, and the band in which four of five months should end.
    pub expected: NanoUsd,
    pub low: NanoUsd,
    pub high: NanoUsd,
    pub expected_formatted: String,
    pub low_formatted: String,
    pub high_formatted: String,
    /// Days of history that it rests on.
    pub history_days: u32,
    /// Whether weekdays were told apart (enough history), or all days taken alike.
    pub is_weekday_aware: bool,
    /// How far off it would have been at the same day of past months, newest first: back-test.
    pub past_errors: Vec<PastError>,
}

/// What the forecast would have said in a past month, on the same day of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastError {
    pub month: String,
    pub forecast: NanoUsd,
    pub actual: NanoUsd,
    /// (forecast − actual) ÷ actual × 100, one decimal.
    pub percent: f64,
}
