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
mod tests {
    use super::*;
    use crate::domain::forecast::forecast;
    use crate::domain::usage::UserId;

    /// 16 June 2025, 00:00 UTC: half of June has passed.
    const HALF_OF_JUNE_MS: i64 = 1_750_032_000_000;

    fn status_at(spent_cents: i64) -> BudgetStatus {
        status(
            &named(&Budget::default_in(&Zone::UTC)),
            NanoUsd::from_cents(spent_cents).unwrap(),
            0,
            HALF_OF_JUNE_MS,
            None,
        )
    }

    fn named(budget: &Budget) -> NamedBudget {
        NamedBudget::of_default(&UserId::owner(), budget)
    }

    fn levels(status: &BudgetStatus) -> Vec<AlertLevel> {
        crossed_alerts(status).iter().map(|alert| alert.level).collect()
    }

    #[test]
    fn the_default_is_the_briefs() {
        let budget = Budget::default_in(&Zone::parse("Asia/Tokyo").unwrap());
        assert_eq!(budget, Budget::parse(10_000, [50, 75, 90], "Asia/Tokyo").unwrap());
    }

    #[test]
    fn a_wrong_budget_names_its_field() {
        for (cents, thresholds, zone, field) in [
            (0, [50, 75, 90], "UTC", "monthlyLimitCents"),
            (-1, [50, 75, 90], "UTC", "monthlyLimitCents"),
            (1_000_000_001, [50, 75, 90], "UTC", "monthlyLimitCents"),
            (i64::MAX, [50, 75, 90], "UTC", "monthlyLimitCents"),
            (1, [0, 75, 90], "UTC", "alertThreshold1"),
            (1, [50, 50, 90], "UTC", "alertThreshold2"),
            (1, [50, 40, 90], "UTC", "alertThreshold2"),
            (1, [50, 75, 101], "UTC", "alertThreshold3"),
            (1, [50, 75, i64::MAX], "UTC", "alertThreshold3"),
            (1, [50, 75, 90], "Mars/Olympus", "timeZone"),
        ] {
            assert_eq!(Budget::parse(cents, thresholds, zone).unwrap_err().field, field, "{cents} {thresholds:?}");
        }
        assert!(Budget::parse(1_000_000_000, [1, 2, 100], "Europe/Berlin").is_ok());
    }

    #[test]
    fn the_status_adds_up() {
        let status = status_at(7_620);
        assert_eq!((status.spent, status.limit, status.remaining), (7_620, 10_000, 2_380));
        assert_eq!(status.remaining_formatted, "$23.80");
        assert_eq!((status.percent_used, status.percent_of_period), (76.2, 50.0));
        assert_eq!((status.period_start.as_str(), status.period_end.as_str()), ("2025-06-01", "2025-07-01"));
        assert!(!status.is_over_budget);
    }

    #[test]
    fn the_month_is_the_budgets_own() {
        let budget = Budget::parse(10_000, [50, 75, 90], "Pacific/Kiritimati").unwrap();
        let last_of_june_utc = 1_751_320_800_000; // 30 June 2025, 22:00 UTC; 1 July, 12:00 there.
        let status = status(&named(&budget), NanoUsd::ZERO, 0, last_of_june_utc, None);
        assert_eq!(status.period_start, "2025-07-01");
        assert_eq!(status.percent_of_period, 1.6, "half a day of 31");
    }

    #[test]
    fn all_crossed_thresholds_are_told_worst_first() {
        use AlertLevel::{Critical, Info, Warning};
        assert_eq!(levels(&status_at(4_999)), []);
        assert_eq!(levels(&status_at(5_000)), [Info]);
        assert_eq!(levels(&status_at(7_500)), [Warning, Info]);
        assert_eq!(levels(&status_at(9_000)), [Critical, Warning, Info]);
        let alerts = crossed_alerts(&status_at(7_620));
        assert_eq!((alerts[0].threshold, alerts[0].current_spend, alerts[0].budget_limit), (75, 7_620, 10_000));
        assert_eq!(alerts[0].message, "76.2 % of this month's $100.00 budget is used ($76.20).");
    }

    #[test]
    fn of_other_numbers_of_thresholds_the_highest_is_the_critical_one() {
        let alerts = |thresholds: &[u32]| {
            let budget = NamedBudget { thresholds: thresholds.to_vec(), ..named(&Budget::default_in(&Zone::UTC)) };
            let status = status(&budget, NanoUsd(95_000_000_000), 0, HALF_OF_JUNE_MS, None);
            crossed_alerts(&status).iter().map(|alert| (alert.level, alert.threshold)).collect::<Vec<_>>()
        };
        assert_eq!(alerts(&[]), []);
        assert_eq!(alerts(&[80]), [(AlertLevel::Critical, 80)]);
        assert_eq!(alerts(&[50, 100]), [(AlertLevel::Warning, 50)]);
    }

    #[test]
    fn a_nano_dollar_below_a_threshold_is_below_it() {
        let almost = NanoUsd(75_000_000_000 - 1);
        let status = status(&named(&Budget::default_in(&Zone::UTC)), almost, 0, HALF_OF_JUNE_MS, None);
        assert_eq!(levels(&status), [AlertLevel::Info]);
        assert_eq!(status.percent_used, 74.9);
    }

    #[test]
    fn over_the_limit_is_said_so() {
        let status = status_at(10_420);
        assert!(status.is_over_budget);
        assert_eq!((status.remaining, status.percent_used), (0, 104.2));
        let message = "This month's $100.00 budget is exceeded by $4.20: $104.20 spent (104.2 %).";
        assert_eq!(crossed_alerts(&status)[0].message, message);
        assert!(!status_at(10_000).is_over_budget, "the whole budget is not more than it");
    }

    #[test]
    fn the_forecast_tells_the_day_on_which_it_runs_out() {
        // $5 a day since 1 June: $75 by the 16th, the hundredth dollar on the 20th.
        let first: chrono::NaiveDate = "2025-06-01".parse().unwrap();
        let history: Vec<_> = first.iter_days().take(15).map(|day| (day, NanoUsd(5_000_000_000))).collect();
        let forecast = forecast(&history, "2025-06-16".parse().unwrap(), 0.0).unwrap();
        let runs_out_on = |budget: &Budget| {
            status(&named(budget), forecast.spent_so_far, 0, HALF_OF_JUNE_MS, Some(&forecast)).runs_out_on
        };
        assert_eq!(runs_out_on(&Budget::default_in(&Zone::UTC)).as_deref(), Some("2025-06-20"));
        assert_eq!(runs_out_on(&Budget::parse(15_001, [50, 75, 90], "UTC").unwrap()), None, "$150 in all");
    }

    #[test]
    fn unpriced_calls_make_it_a_lower_bound() {
        let budget = named(&Budget::default_in(&Zone::UTC));
        let status = status(&budget, NanoUsd(60_000_000_000), 3, HALF_OF_JUNE_MS, None);
        assert_eq!(
            crossed_alerts(&status)[0].message,
            "At least 60.0 % of this month's $100.00 budget is used ($60.00). The price of 3 calls is not known."
        );
    }

    #[test]
    fn no_spend_is_too_large_to_compare() {
        let status = status(&named(&Budget::default_in(&Zone::UTC)), NanoUsd(i64::MAX), 0, HALF_OF_JUNE_MS, None);
        assert_eq!(crossed_alerts(&status).len(), 3);
        assert!(status.percent_used.is_finite());
    }
}
