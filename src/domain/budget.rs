//! Budgets: a limit per calendar month, its thresholds, and where the spend stands against it. A period's spend is a
//! query on the ledger; nothing is ever reset (invariant 7).

use super::money::NanoUsd;
use serde::{Deserialize, Serialize};

/// A user's budget as it is set: $100 a month with 50/75/90 % unless changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    pub monthly_limit: NanoUsd,
    /// Percent of the limit, rising, 1 to 100 each: info, warning, critical.
    pub thresholds: [u32; 3],
    /// IANA zone in which the month begins and ends.
    pub time_zone: String,
}

/// Where the running month stands. Amounts are whole cents for the brief's front end, exact ones beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    pub spent: i64,
    pub spent_formatted: String,
    pub limit: i64,
    pub limit_formatted: String,
    /// Never below zero.
    pub remaining: i64,
    pub remaining_formatted: String,
    /// One decimal; above 100 when over budget.
    pub percent_used: f64,
    pub is_over_budget: bool,
    pub spent_nano_usd: NanoUsd,
    pub limit_nano_usd: NanoUsd,
    pub thresholds: [u32; 3],
    pub time_zone: String,
    /// `YYYY-MM-DD`, first day of the running month and of the next one.
    pub period_start: String,
    pub period_end: String,
    /// Share of the month that has passed, 0 to 100: where an even pace would be.
    pub percent_of_period: f64,
    /// `YYYY-MM-DD` on which the forecast reaches the limit; none if it lasts.
    pub runs_out_on: Option<String>,
    /// Calls of the month whose cost is not known, so the spend is at least the one shown.
    pub unpriced_calls: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertLevel {
    Info,
    Warning,
    Critical,
}

/// A crossed threshold of the running month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetAlert {
    pub level: AlertLevel,
    /// Percent of the limit.
    pub threshold: u32,
    /// Cents.
    pub current_spend: i64,
    /// Cents.
    pub budget_limit: i64,
    pub percent_used: f64,
    pub message: String,
}
