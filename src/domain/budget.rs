//! Budgets: a limit per calendar month, its thresholds, and where the spend stands against it. A period's spend is a
//! query on the ledger; nothing is ever reset (invariant 7).

mod crossing;
mod hindsight;
mod named;
mod standing;

pub use crossing::{Crossing, crossings};
pub use hindsight::{CrossingDay, HINDSIGHT_DAYS, crossing_days, hindsight_interval};
pub use named::{BudgetPeriod, BudgetScope, CallScope, DEFAULT_BUDGET, NamedBudget, Raise};
pub use standing::{BudgetStanding, DaySpend};

use super::forecast::Forecast;
use super::money::{NanoUsd, format_cost};
use super::period::{Zone, month_of};
use super::query::QueryError;
use serde::{Deserialize, Serialize};

/// The highest limit that can be set: ten million dollars a month, in cents.
pub const MAX_LIMIT_CENTS: i64 = 1_000_000_000;
const DEFAULT_LIMIT: NanoUsd = NanoUsd(100_000_000_000);
const DEFAULT_THRESHOLDS: [u32; 3] = [50, 75, 90];
const THRESHOLD_FIELDS: [&str; 3] = ["alertThreshold1", "alertThreshold2", "alertThreshold3"];

/// A user's budget as it is set: $100 a month with 50/75/90 % unless changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    pub monthly_limit: NanoUsd,
    /// Percent of the limit, rising, 1 to 100 each: info, warning, critical.
    pub thresholds: [u32; 3],
    /// IANA zone in which the month begins and ends.
    pub time_zone: String,
    pub at_limit: AtLimit,
}

/// What happens to the calls that pass the gateway when the limit is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// They go on.
    #[default]
    Notify,
    /// They are refused until the period ends.
    Block,
}

/// Where the running month stands. Amounts are whole cents for TheBridge's front end, exact ones beside them.
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
    /// One decimal, cut off and not rounded, so that it never shows a threshold before it is reached; above 100 when
    /// over budget.
    pub percent_used: f64,
    pub is_over_budget: bool,
    pub spent_nano_usd: NanoUsd,
    pub limit_nano_usd: NanoUsd,
    /// Percent of the limit, rising.
    pub thresholds: Vec<u32>,
    pub time_zone: String,
    /// `YYYY-MM-DD`, first day of the running month and of the next one.
    pub period_start: String,
    pub period_end: String,
    /// Share of the month that has passed, 0 to 100: where an even pace would be.
    pub percent_of_period: f64,
    /// `YYYY-MM-DD` on which the forecast reaches the limit, today if the spend has reached it; none if it lasts.
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

impl Budget {
    /// What holds until a user sets something else.
    pub fn default_in(zone: &Zone) -> Self {
        Self {
            monthly_limit: DEFAULT_LIMIT,
            thresholds: DEFAULT_THRESHOLDS,
            time_zone: zone.name().into(),
            at_limit: AtLimit::default(),
        }
    }

    /// A budget as a form or the API sends it, which only tells at its limit. The error names the field as the API does:
    /// `monthlyLimitCents`, `alertThreshold1` to `alertThreshold3`, `timeZone`.
    pub fn parse(monthly_limit_cents: i64, thresholds: [i64; 3], time_zone: &str) -> Result<Self, QueryError> {
        let zone = Zone::parse(time_zone).map_err(|error| QueryError { field: "timeZone", ..error })?;
        let (monthly_limit, thresholds) = parse_limits(monthly_limit_cents, thresholds)?;
        Ok(Self { monthly_limit, thresholds, time_zone: zone.name().into(), at_limit: AtLimit::default() })
    }

    pub fn with_at_limit(self, at_limit: AtLimit) -> Self {
        Self { at_limit, ..self }
    }
}

impl AtLimit {
    pub const ALL: [Self; 2] = [Self::Notify, Self::Block];

    pub fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Block => "block",
        }
    }

    /// The error names the field as the API does: `atLimit`.
    pub fn parse(name: &str) -> Result<Self, QueryError> {
        let found = Self::ALL.into_iter().find(|at_limit| at_limit.name() == name);
        found.ok_or_else(|| QueryError::new("atLimit", "must be notify or block"))
    }
}

/// Where the month that now is in stands, given what was spent in it and how many of its calls have no known price. The
/// budget is one by the month.
pub fn status(
    budget: &NamedBudget,
    spent: NanoUsd,
    unpriced_calls: u64,
    now_ms: i64,
    forecast: Option<&Forecast>,
) -> BudgetStatus {
    let limit = budget.limit_at(now_ms);
    let remaining = NanoUsd(limit.0.saturating_sub(spent.0).max(0));
    let month = month_of(&Zone::parse(&budget.time_zone).unwrap_or(Zone::UTC), now_ms);
    BudgetStatus {
        spent: spent.to_cents(),
        spent_formatted: format_cost(spent),
        limit: limit.to_cents(),
        limit_formatted: format_cost(limit),
        remaining: remaining.to_cents(),
        remaining_formatted: format_cost(remaining),
        percent_used: percent_used(spent, limit),
        is_over_budget: spent > limit,
        spent_nano_usd: spent,
        limit_nano_usd: limit,
        thresholds: budget.thresholds.clone(),
        time_zone: budget.time_zone.clone(),
        period_start: month.first.to_string(),
        period_end: month.next().to_string(),
        percent_of_period: (month.interval.share_passed(now_ms) * 1_000.0).round() / 10.0,
        runs_out_on: forecast.and_then(|forecast| forecast.runs_out_on(limit)).map(str::to_owned),
        unpriced_calls,
    }
}

/// Every threshold that the spend has reached, the worst first.
pub fn crossed_alerts(status: &BudgetStatus) -> Vec<BudgetAlert> {
    let falling = status.thresholds.iter().rev().enumerate();
    let crossed =
        falling.filter(|(_, threshold)| is_crossed(status.spent_nano_usd, status.limit_nano_usd, **threshold));
    crossed
        .map(|(above, threshold)| BudgetAlert {
            level: level_below(above),
            threshold: *threshold,
            current_spend: status.spent,
            budget_limit: status.limit,
            percent_used: status.percent_used,
            message: alert_message(status),
        })
        .collect()
}

/// The part of [`Budget::parse`] that needs no list of time zones, so that a browser can check a form by it.
pub fn parse_limits(monthly_limit_cents: i64, thresholds: [i64; 3]) -> Result<(NanoUsd, [u32; 3]), QueryError> {
    Ok((parse_limit(monthly_limit_cents)?, parse_thresholds(thresholds)?))
}

fn parse_limit(cents: i64) -> Result<NanoUsd, QueryError> {
    let in_bounds = (1..=MAX_LIMIT_CENTS).contains(&cents);
    in_bounds
        .then(|| NanoUsd::from_cents(cents))
        .flatten()
        .ok_or_else(|| QueryError::new("monthlyLimitCents", format!("must be from 1 to {MAX_LIMIT_CENTS} cents")))
}

fn parse_thresholds(percents: [i64; 3]) -> Result<[u32; 3], QueryError> {
    let mut thresholds = [0; 3];
    let mut above = 0;
    for (index, percent) in percents.into_iter().enumerate() {
        let field = THRESHOLD_FIELDS[index];
        let in_bounds = u32::try_from(percent).ok().filter(|percent| (1..=100).contains(percent));
        let threshold = in_bounds.ok_or_else(|| QueryError::new(field, "must be from 1 to 100 percent"))?;
        if threshold <= above {
            return Err(QueryError::new(field, "must be above the threshold before it"));
        }
        thresholds[index] = threshold;
        above = threshold;
    }
    Ok(thresholds)
}

/// How bad a threshold is that has this many above it.
fn level_below(above: usize) -> AlertLevel {
    match above {
        0 => AlertLevel::Critical,
        1 => AlertLevel::Warning,
        _ => AlertLevel::Info,
    }
}

/// Compared exactly: neither the rounded cents nor the shown percentage decides.
fn is_crossed(spent: NanoUsd, limit: NanoUsd, threshold: u32) -> bool {
    i128::from(spent.0) * 100 >= i128::from(limit.0) * i128::from(threshold)
}

pub(super) fn percent_used(spent: NanoUsd, limit: NanoUsd) -> f64 {
    if limit.0 <= 0 {
        return 0.0;
    }
    let tenths = i128::from(spent.0.max(0)) * 1_000 / i128::from(limit.0);
    tenths as f64 / 10.0
}

fn alert_message(status: &BudgetStatus) -> String {
    let (spent, limit, percent) = (&status.spent_formatted, &status.limit_formatted, status.percent_used);
    let is_lower_bound = status.unpriced_calls > 0;
    let sentence = if status.is_over_budget {
        let over = format_cost(NanoUsd(status.spent_nano_usd.0.saturating_sub(status.limit_nano_usd.0)));
        let at_least = if is_lower_bound { "at least " } else { "" };
        format!("This month's {limit} budget is exceeded by {at_least}{over}: {spent} spent ({percent:.1} %).")
    } else {
        let at_least = if is_lower_bound { "At least " } else { "" };
        format!("{at_least}{percent:.1} % of this month's {limit} budget is used ({spent}).")
    };
    match status.unpriced_calls {
        0 => sentence,
        1 => sentence + " The price of 1 call is not known.",
        calls => format!("{sentence} The price of {calls} calls is not known."),
    }
}

#[cfg(test)]
mod tests;
