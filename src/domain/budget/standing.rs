//! Where one of several budgets stands in the period that now is in, from what its days have cost. The month of a user's
//! first budget has a shape of its own, TheBridge's, in the module above.

use super::{NamedBudget, percent_used};
use crate::domain::money::{NanoUsd, format_cost};
use crate::domain::period::{Zone, local_date};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// What the calls that a budget counts have cost on one day of its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySpend {
    pub date: NaiveDate,
    pub cost: NanoUsd,
    /// Calls whose cost is not known, so that the day cost at least what is said.
    pub unpriced_calls: u64,
}

/// The running period of one budget. Amounts are whole cents with exact ones beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStanding {
    pub spent: i64,
    pub spent_formatted: String,
    /// The limit in force: the raised one while it is raised.
    pub limit: i64,
    pub limit_formatted: String,
    /// Never below zero.
    pub remaining: i64,
    pub remaining_formatted: String,
    /// One decimal, cut off and not rounded; above 100 when over budget.
    pub percent_used: f64,
    pub is_over_budget: bool,
    pub spent_nano_usd: NanoUsd,
    pub limit_nano_usd: NanoUsd,
    pub remaining_nano_usd: NanoUsd,
    /// `YYYY-MM-DD`, first day of the running period and of the next one.
    pub period_start: String,
    pub period_end: String,
    /// Share of the period that has passed, 0 to 100.
    pub percent_of_period: f64,
    /// Calls of the period whose cost is not known, so the spend is at least the one shown.
    pub unpriced_calls: u64,
}

impl BudgetStanding {
    /// Days outside the period that now is in do not count.
    pub fn of(budget: &NamedBudget, days: &[DaySpend], now_ms: i64) -> Self {
        let zone = Zone::parse(&budget.time_zone).unwrap_or(Zone::UTC);
        let interval = budget.interval_at(now_ms);
        let (start, end) = (local_date(&zone, interval.start_ms), local_date(&zone, interval.end_ms));
        let running = days.iter().filter(|day| start <= day.date && day.date < end);
        let (spent, unpriced_calls) = running.fold((NanoUsd::ZERO, 0), |(spent, unpriced), day| {
            (NanoUsd(spent.0.saturating_add(day.cost.0)), day.unpriced_calls.saturating_add(unpriced))
        });
        let limit = budget.limit_at(now_ms);
        let remaining = NanoUsd(limit.0.saturating_sub(spent.0).max(0));
        Self {
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
            remaining_nano_usd: remaining,
            period_start: start.to_string(),
            period_end: end.to_string(),
            percent_of_period: (interval.share_passed(now_ms) * 1_000.0).round() / 10.0,
            unpriced_calls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::{Budget, BudgetPeriod, Raise};
    use crate::domain::usage::UserId;

    /// 18 November 2026, 12:00 UTC, a Wednesday.
    const NOON_MS: i64 = 1_795_003_200_000;

    fn weekly() -> NamedBudget {
        let default = NamedBudget::of_default(&UserId::owner(), &Budget::default_in(&Zone::UTC));
        NamedBudget { period: BudgetPeriod::Week, limit: NanoUsd(10_000_000_000), ..default }
    }

    fn day(date: &str, cents: i64, unpriced_calls: u64) -> DaySpend {
        DaySpend { date: date.parse().unwrap(), cost: NanoUsd(cents * 10_000_000), unpriced_calls }
    }

    #[test]
    fn only_the_running_period_counts() {
        let days = [day("2026-11-15", 900, 7), day("2026-11-16", 250, 1), day("2026-11-18", 500, 2)];
        let standing = BudgetStanding::of(&weekly(), &days, NOON_MS);
        assert_eq!((standing.spent, standing.limit, standing.remaining), (750, 1_000, 250));
        assert_eq!((standing.percent_used, standing.unpriced_calls), (75.0, 3));
        assert_eq!((standing.period_start.as_str(), standing.period_end.as_str()), ("2026-11-16", "2026-11-23"));
        assert_eq!(standing.percent_of_period, 35.7, "two days and a half of seven");
        assert!(!standing.is_over_budget);
    }

    #[test]
    fn a_raise_is_the_limit_while_it_holds() {
        let raised =
            NamedBudget { raise: Some(Raise { limit: NanoUsd(20_000_000_000), until_ms: NOON_MS }), ..weekly() };
        let days = [day("2026-11-17", 1_500, 0)];
        let before = BudgetStanding::of(&raised, &days, NOON_MS - 1);
        assert_eq!((before.limit, before.remaining, before.is_over_budget), (2_000, 500, false));
        let after = BudgetStanding::of(&raised, &days, NOON_MS);
        assert_eq!((after.limit, after.remaining, after.is_over_budget), (1_000, 0, true));
        assert_eq!(after.percent_used, 150.0);
    }
}
