//! The answers: what the analytics API and the dashboard are told. The JSON names are the brief's, so that a front end
//! written for it works unchanged; exact fields stand beside the rounded ones. How a report is made from rollups is in
//! `ledger::usage` (figures) and [`UsageReport::assemble`] (everything derived).

use super::anomaly::Anomaly;
use super::budget::{BudgetAlert, BudgetStatus};
use super::cost::CostParts;
use super::forecast::Forecast;
use super::money::NanoUsd;
use super::projection::Projection;
use super::query::Aggregation;
use super::tokens::TokenCounts;
use serde::{Deserialize, Serialize};

/// Sums over calls, as a rollup row keeps them. Everything else in a report is derived from these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageTotals {
    pub calls: u64,
    pub failed_calls: u64,
    pub unpriced_calls: u64,
    pub estimated_calls: u64,
    pub tokens: TokenCounts,
    pub web_search_count: u64,
    /// Of the priced calls; the unpriced ones are counted beside it.
    pub cost: NanoUsd,
    pub cost_parts: CostParts,
    /// Calls that told their time, and the sum of it.
    pub timed_calls: u64,
    pub response_time_sum_ms: u64,
}

/// One answer for one question ([`super::query::UsageQuery`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageReport {
    pub summary: Summary,
    /// Per family (`sonnet`, `opus`, `gpt-5`, …), dearest first.
    pub model_breakdown: Vec<ModelShare>,
    /// Per exact model id, dearest first.
    pub models: Vec<ModelUsage>,
    pub projection: Projection,
    pub forecast: Option<Forecast>,
    pub time_series: Vec<TimePoint>,
    pub alerts: Vec<BudgetAlert>,
    pub anomalies: Vec<Anomaly>,
    pub budget: Option<BudgetStatus>,
    pub aggregation: Aggregation,
    /// IANA name of the zone in which days were cut.
    pub time_zone: String,
    /// Some of it is sample data made by `tollbridge demo`.
    pub has_demo_data: bool,
}

/// The figures of a period. `periodStart` and `periodEnd` are dates in the report's zone, both inclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub total_calls: u64,
    pub total_tokens: u64,
    /// Whole cents, half away from zero.
    pub total_cost: i64,
    pub total_cost_formatted: String,
    pub avg_tokens_per_call: u64,
    /// Whole cents.
    pub avg_cost_per_call: i64,
    pub avg_cost_per_call_formatted: String,
    /// RFC 3339 instants.
    pub period_start: String,
    pub period_end: String,
    pub period_days: u32,
    /// Exact, decimal dollars.
    pub total_cost_usd: String,
    pub avg_cost_per_call_usd: String,
    pub tokens: TokenCounts,
    pub cost_parts: CostParts,
    pub total_cost_nano_usd: NanoUsd,
    pub avg_cost_per_call_nano_usd: NanoUsd,
    pub failed_calls: u64,
    pub unpriced_calls: u64,
    pub estimated_calls: u64,
    /// Mean over the calls that told their time.
    pub avg_response_time_ms: Option<u64>,
    /// The same figures for the period of equal length just before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub previous: Option<Box<Summary>>,
}

/// A family's share of the period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelShare {
    pub model: String,
    pub calls: u64,
    pub tokens: u64,
    pub tokens_formatted: String,
    pub cost: i64,
    pub cost_formatted: String,
    pub cost_nano_usd: NanoUsd,
    /// 0 to 100, one decimal; 0 where there is nothing to share.
    pub percent_of_calls: f64,
    pub percent_of_cost: f64,
}

/// One exact model id's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelUsage {
    pub model: String,
    pub family: String,
    pub provider: String,
    pub totals: UsageTotals,
    pub cost_formatted: String,
    pub percent_of_calls: f64,
    pub percent_of_cost: f64,
    pub avg_response_time_ms: Option<u64>,
}

/// One bucket of the time series; empty buckets are present with zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimePoint {
    /// `YYYY-MM-DD HH:00`, `YYYY-MM-DD`, a week's Sunday, or `YYYY-MM`.
    pub date: String,
    pub starts_at_ms: i64,
    pub tokens: u64,
    pub tokens_formatted: String,
    pub cost: i64,
    pub cost_formatted: String,
    pub cost_nano_usd: NanoUsd,
    pub calls: u64,
    pub token_counts: TokenCounts,
}
