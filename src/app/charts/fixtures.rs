//! Pieces of a report for the charts' tests.

use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::report::{ModelShare, ModelUsage, TimePoint, UsageTotals};
use crate::domain::tokens::TokenCounts;

pub fn point(date: &str, token_counts: TokenCounts, cost: NanoUsd) -> TimePoint {
    TimePoint {
        date: date.into(),
        starts_at_ms: 0,
        tokens: token_counts.total(),
        tokens_formatted: String::new(),
        cost: cost.to_cents(),
        cost_formatted: String::new(),
        cost_nano_usd: cost,
        calls: 1,
        token_counts,
    }
}

pub fn share(model: &str, calls: u64, percent_of_calls: f64) -> ModelShare {
    ModelShare {
        model: model.into(),
        calls,
        tokens: 0,
        tokens_formatted: String::new(),
        cost: 0,
        cost_formatted: String::new(),
        cost_nano_usd: NanoUsd::ZERO,
        percent_of_calls,
        percent_of_cost: 0.0,
    }
}

pub fn usage(model: &str, cost_parts: CostParts) -> ModelUsage {
    ModelUsage {
        model: model.into(),
        family: model.into(),
        provider: "anthropic".into(),
        totals: UsageTotals { cost_parts, ..Default::default() },
        cost_formatted: String::new(),
        percent_of_calls: 0.0,
        percent_of_cost: 0.0,
        avg_response_time_ms: None,
    }
}
