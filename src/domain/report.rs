//! The answers: what the analytics API and the dashboard are told. The JSON names are TheBridge's, so that a front end
//! written for it works unchanged; exact fields stand beside the rounded ones. How a report is made from rollups is in
//! `ledger::usage` (figures) and [`UsageReport::assemble`] (everything derived).

mod assemble;

pub use assemble::{ModelTotals, ReportInput};

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

/// The figures of a period. `periodStart` and `periodEnd` are its first and last instant on the report zone's clock.
/// Average costs are over the calls whose price is known.
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

impl UsageTotals {
    /// The totals of both; saturating, so that no sum can wrap.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            failed_calls: self.failed_calls.saturating_add(other.failed_calls),
            unpriced_calls: self.unpriced_calls.saturating_add(other.unpriced_calls),
            estimated_calls: self.estimated_calls.saturating_add(other.estimated_calls),
            tokens: self.tokens.plus(&other.tokens),
            web_search_count: self.web_search_count.saturating_add(other.web_search_count),
            cost: add_costs(self.cost, other.cost),
            cost_parts: add_parts(&self.cost_parts, &other.cost_parts),
            timed_calls: self.timed_calls.saturating_add(other.timed_calls),
            response_time_sum_ms: self.response_time_sum_ms.saturating_add(other.response_time_sum_ms),
        }
    }

    /// Calls whose cost is part of [`Self::cost`].
    pub fn priced_calls(&self) -> u64 {
        self.calls.saturating_sub(self.unpriced_calls)
    }

    /// The mean response time; none where no call told its time.
    pub fn avg_response_time_ms(&self) -> Option<u64> {
        (self.timed_calls > 0).then(|| divide(self.response_time_sum_ms, self.timed_calls))
    }

    /// The mean cost of the calls whose price is known, rounded to the nano-dollar.
    pub fn avg_cost_per_call(&self) -> NanoUsd {
        self.cost.divided_by(self.priced_calls())
    }

    /// Tokens per call, half up; zero without calls.
    pub fn avg_tokens_per_call(&self) -> u64 {
        divide(self.tokens.total(), self.calls)
    }
}

impl std::iter::Sum for UsageTotals {
    fn sum<I: Iterator<Item = Self>>(totals: I) -> Self {
        totals.fold(Self::default(), |sum, totals| sum.plus(&totals))
    }
}

fn add_costs(one: NanoUsd, two: NanoUsd) -> NanoUsd {
    NanoUsd(one.0.saturating_add(two.0))
}

fn add_parts(one: &CostParts, two: &CostParts) -> CostParts {
    CostParts {
        input: add_costs(one.input, two.input),
        cache_write_5m: add_costs(one.cache_write_5m, two.cache_write_5m),
        cache_write_1h: add_costs(one.cache_write_1h, two.cache_write_1h),
        cache_read: add_costs(one.cache_read, two.cache_read),
        output: add_costs(one.output, two.output),
        thinking: add_costs(one.thinking, two.thinking),
        fees: add_costs(one.fees, two.fees),
    }
}

/// Half up; zero for no parts.
fn divide(sum: u64, parts: u64) -> u64 {
    match (sum.checked_div(parts), sum.checked_rem(parts)) {
        (Some(whole), Some(rest)) => whole + u64::from(rest >= parts.div_ceil(2)),
        _ => 0,
    }
}
