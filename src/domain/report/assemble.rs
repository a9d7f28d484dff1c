//! From figures to a report: averages, shares, order and words. Nothing here asks the ledger or the clock.

use super::*;
use crate::domain::money::format_cost;
use crate::domain::period::{Bucket, Interval, Period, Zone};
use crate::domain::projection::project;
use crate::domain::tokens::format_tokens;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Everything that a report is made from.
#[derive(Clone, Debug)]
pub struct ReportInput<'a> {
    pub period: &'a Period,
    /// In which the period was cut.
    pub zone: &'a Zone,
    /// Of the whole period.
    pub totals: UsageTotals,
    /// Of [`Period::previous`], where it was asked for.
    pub previous: Option<UsageTotals>,
    /// One per provider and model id, in any order.
    pub per_model: Vec<ModelTotals>,
    /// One per [`Period::buckets`], in their order. Those that are missing at the end are zero.
    pub series: Vec<UsageTotals>,
    /// Over how many days the projection takes its average ([`Period::days_with_data`]).
    pub projection_days: u32,
    pub forecast: Option<Forecast>,
    pub alerts: Vec<BudgetAlert>,
    pub anomalies: Vec<Anomaly>,
    pub budget: Option<BudgetStatus>,
    pub has_demo_data: bool,
}

/// One model's part of the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelTotals {
    pub provider: String,
    pub model: String,
    pub family: String,
    pub totals: UsageTotals,
}

impl UsageReport {
    /// Derives the report. Models and families stand dearest first, then by calls, then by name.
    pub fn assemble(input: ReportInput<'_>) -> Self {
        let (period, zone, totals) = (input.period, input.zone, &input.totals);
        let summarise = |totals: &UsageTotals, interval| summarise(totals, interval, period.days, zone);
        let previous = input.previous.map(|previous| Box::new(summarise(&previous, period.previous)));
        Self {
            summary: Summary { previous, ..summarise(totals, period.interval()) },
            model_breakdown: share_by_family(&input.per_model, totals),
            models: list_models(input.per_model, totals),
            projection: project(totals, input.projection_days),
            forecast: input.forecast,
            time_series: draw_series(&period.buckets, &input.series),
            alerts: input.alerts,
            anomalies: input.anomalies,
            budget: input.budget,
            aggregation: period.aggregation,
            time_zone: zone.name().into(),
            has_demo_data: input.has_demo_data,
        }
    }
}

fn summarise(totals: &UsageTotals, interval: Interval, days: u32, zone: &Zone) -> Summary {
    let average = totals.avg_cost_per_call();
    Summary {
        total_calls: totals.calls,
        total_tokens: totals.tokens.total(),
        total_cost: totals.cost.to_cents(),
        total_cost_formatted: format_cost(totals.cost),
        avg_tokens_per_call: totals.avg_tokens_per_call(),
        avg_cost_per_call: average.to_cents(),
        avg_cost_per_call_formatted: format_cost(average),
        period_start: zone.format_instant(interval.start_ms),
        period_end: zone.format_instant(interval.end_ms.saturating_sub(1)),
        period_days: days,
        total_cost_usd: totals.cost.to_decimal(),
        avg_cost_per_call_usd: average.to_decimal(),
        tokens: totals.tokens,
        cost_parts: totals.cost_parts,
        total_cost_nano_usd: totals.cost,
        avg_cost_per_call_nano_usd: average,
        failed_calls: totals.failed_calls,
        unpriced_calls: totals.unpriced_calls,
        estimated_calls: totals.estimated_calls,
        avg_response_time_ms: totals.avg_response_time_ms(),
        previous: None,
    }
}

fn share_by_family(models: &[ModelTotals], whole: &UsageTotals) -> Vec<ModelShare> {
    let mut families: BTreeMap<&str, UsageTotals> = BTreeMap::new();
    for model in models {
        let family = families.entry(&model.family).or_default();
        *family = family.plus(&model.totals);
    }
    let mut families: Vec<(&str, UsageTotals)> = families.into_iter().collect();
    // Stable: equal ones keep the order of their names.
    families.sort_by_key(|(_, totals)| dearest_first(totals));
    families.into_iter().map(|(family, totals)| share_of(family, &totals, whole)).collect()
}

fn share_of(family: &str, totals: &UsageTotals, whole: &UsageTotals) -> ModelShare {
    let tokens = totals.tokens.total();
    ModelShare {
        model: family.into(),
        calls: totals.calls,
        tokens,
        tokens_formatted: format_tokens(tokens),
        cost: totals.cost.to_cents(),
        cost_formatted: format_cost(totals.cost),
        cost_nano_usd: totals.cost,
        percent_of_calls: percent_of_calls(totals, whole),
        percent_of_cost: percent_of_cost(totals, whole),
    }
}

fn list_models(mut models: Vec<ModelTotals>, whole: &UsageTotals) -> Vec<ModelUsage> {
    models.sort_by(|one, two| {
        let by_size = dearest_first(&one.totals).cmp(&dearest_first(&two.totals));
        by_size.then_with(|| (&one.model, &one.provider).cmp(&(&two.model, &two.provider)))
    });
    let describe = |model: ModelTotals| ModelUsage {
        cost_formatted: format_cost(model.totals.cost),
        percent_of_calls: percent_of_calls(&model.totals, whole),
        percent_of_cost: percent_of_cost(&model.totals, whole),
        avg_response_time_ms: model.totals.avg_response_time_ms(),
        model: model.model,
        family: model.family,
        provider: model.provider,
        totals: model.totals,
    };
    models.into_iter().map(describe).collect()
}

fn draw_series(buckets: &[Bucket], series: &[UsageTotals]) -> Vec<TimePoint> {
    let draw = |(index, bucket): (usize, &Bucket)| {
        let totals = series.get(index).copied().unwrap_or_default();
        let tokens = totals.tokens.total();
        TimePoint {
            date: bucket.label.clone(),
            starts_at_ms: bucket.start_ms,
            tokens,
            tokens_formatted: format_tokens(tokens),
            cost: totals.cost.to_cents(),
            cost_formatted: format_cost(totals.cost),
            cost_nano_usd: totals.cost,
            calls: totals.calls,
            token_counts: totals.tokens,
        }
    };
    buckets.iter().enumerate().map(draw).collect()
}

fn dearest_first(totals: &UsageTotals) -> (Reverse<NanoUsd>, Reverse<u64>) {
    (Reverse(totals.cost), Reverse(totals.calls))
}

fn percent_of_calls(part: &UsageTotals, whole: &UsageTotals) -> f64 {
    percent(part.calls.into(), whole.calls.into())
}

fn percent_of_cost(part: &UsageTotals, whole: &UsageTotals) -> f64 {
    percent(part.cost.0.into(), whole.cost.0.into())
}

/// One decimal, half up; 0 where there is nothing to share.
fn percent(part: i128, whole: i128) -> f64 {
    if part <= 0 || whole <= 0 {
        return 0.0;
    }
    let tenths = (part * 2_000 + whole) / (whole * 2);
    tenths as f64 / 10.0
}

#[cfg(test)]
mod tests;
