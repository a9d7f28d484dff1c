//! Which thresholds of a budget's running period the spend has reached, and how that is told.

use super::{AlertLevel, BudgetPeriod, NamedBudget, is_crossed, level_below, percent_used};
use crate::domain::money::{NanoUsd, format_cost};
use crate::domain::period::{Zone, local_date};
use chrono::NaiveDate;

/// A threshold that the spend of a period has reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Crossing {
    pub level: AlertLevel,
    /// Percent of the limit.
    pub threshold: u32,
    pub period: BudgetPeriod,
    /// The period's first day in the budget's zone: with the period's name it tells one from all others, also where the
    /// zone was changed in the middle of it.
    pub period_start: NaiveDate,
    pub spent: NanoUsd,
    /// The limit at that moment, a raise included.
    pub limit: NanoUsd,
    /// Of the limit, cut off after one decimal.
    pub percent_used: f64,
}

/// Every threshold that `spent` has reached in the period that now is in, the lowest first. The highest of a budget's
/// thresholds is critical, the next one a warning, the others are worth a note.
pub fn crossings(budget: &NamedBudget, spent: NanoUsd, now_ms: i64) -> Vec<Crossing> {
    let zone = Zone::parse(&budget.time_zone).unwrap_or(Zone::UTC);
    let period_start = local_date(&zone, budget.interval_at(now_ms).start_ms);
    let limit = budget.limit_at(now_ms);
    let count = budget.thresholds.len();
    let crossed = budget.thresholds.iter().enumerate().filter(|(_, threshold)| is_crossed(spent, limit, **threshold));
    crossed
        .map(|(index, threshold)| Crossing {
            level: level_below(count - 1 - index),
            threshold: *threshold,
            period: budget.period,
            period_start,
            spent,
            limit,
            percent_used: percent_used(spent, limit),
        })
        .collect()
}

impl Crossing {
    /// One sentence. With calls that have no known price the spend is at least the one told.
    pub fn message(&self, budget_name: &str, unpriced_calls: u64) -> String {
        let at_least = if unpriced_calls > 0 { "At least " } else { "" };
        let period = match self.period {
            BudgetPeriod::Day => "today",
            BudgetPeriod::Week => "this week",
            BudgetPeriod::Month => "this month",
        };
        let (spent, limit) = (format_cost(self.spent), format_cost(self.limit));
        format!(
            "{budget_name}: {at_least}{spent} of {limit} spent {period} ({:.1} %), past the mark of {} %.",
            self.percent_used, self.threshold
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::{Budget, Raise};
    use crate::domain::usage::UserId;

    /// 18 November 2026, 12:00 UTC, a Wednesday.
    const NOON_MS: i64 = 1_795_003_200_000;

    fn budget() -> NamedBudget {
        NamedBudget::of_default(&UserId::owner(), &Budget::default_in(&Zone::UTC))
    }

    fn crossed(budget: &NamedBudget, spent_cents: i64) -> Vec<(AlertLevel, u32)> {
        let crossed = crossings(budget, NanoUsd::from_cents(spent_cents).unwrap(), NOON_MS);
        crossed.iter().map(|one| (one.level, one.threshold)).collect()
    }

    #[test]
    fn thresholds_cross_when_they_are_reached_and_not_before() {
        use AlertLevel::{Critical, Info, Warning};
        assert_eq!(crossed(&budget(), 4_999), []);
        assert_eq!(crossed(&budget(), 5_000), [(Info, 50)]);
        assert_eq!(crossed(&budget(), 20_000), [(Info, 50), (Warning, 75), (Critical, 90)]);
        assert_eq!(crossings(&budget(), NanoUsd(75_000_000_000 - 1), NOON_MS).len(), 1, "a nano-dollar below");
    }

    #[test]
    fn the_highest_threshold_is_critical_however_many_there_are() {
        use AlertLevel::{Critical, Info, Warning};
        let with = |thresholds: &[u32]| NamedBudget { thresholds: thresholds.to_vec(), ..budget() };
        assert_eq!(crossed(&with(&[80]), 9_000), [(Critical, 80)]);
        assert_eq!(
            crossed(&with(&[10, 20, 30, 100]), 10_000),
            [(Info, 10), (Info, 20), (Warning, 30), (Critical, 100)]
        );
    }

    #[test]
    fn a_raise_moves_the_thresholds_while_it_lasts() {
        let raise = Some(Raise { limit: NanoUsd(200_000_000_000), until_ms: NOON_MS + 1 });
        let raised = NamedBudget { raise, ..budget() };
        assert_eq!(crossed(&raised, 5_000), []);
        let ended = NamedBudget { raise: raise.map(|raise| Raise { until_ms: NOON_MS, ..raise }), ..budget() };
        assert_eq!(crossed(&ended, 5_000).len(), 1);
    }

    #[test]
    fn a_period_is_named_by_its_first_day_in_the_budgets_zone() {
        let start = |period, time_zone: &str| {
            let budget = NamedBudget { period, time_zone: time_zone.into(), ..budget() };
            crossings(&budget, NanoUsd(i64::MAX), NOON_MS)[0].period_start.to_string()
        };
        assert_eq!(start(BudgetPeriod::Month, "UTC"), "2026-11-01");
        assert_eq!(start(BudgetPeriod::Month, "Asia/Tokyo"), "2026-11-01", "another instant, the same month");
        assert_eq!(start(BudgetPeriod::Week, "UTC"), "2026-11-16");
        assert_eq!(start(BudgetPeriod::Day, "Pacific/Kiritimati"), "2026-11-19");
    }

    #[test]
    fn a_crossing_is_told_in_one_sentence() {
        let crossing = &crossings(&budget(), NanoUsd(76_200_000_000), NOON_MS)[1];
        assert_eq!(
            crossing.message("Monthly budget", 0),
            "Monthly budget: $76.20 of $100.00 spent this month (76.2 %), past the mark of 75 %."
        );
        assert!(crossing.message("Team", 3).starts_with("Team: At least $76.20 of "));
    }
}
