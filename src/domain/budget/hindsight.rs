//! Which thresholds of a budget the days that were would have crossed, had it been set then as it is now.

use super::{DaySpend, NamedBudget};
use crate::domain::money::NanoUsd;
use crate::domain::period::{Interval, Zone, day_bounds, local_date};
use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// How many days are looked back on, today among them.
pub const HINDSIGHT_DAYS: u64 = 30;

/// A day on which the spend of its period crossed thresholds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrossingDay {
    pub date: NaiveDate,
    /// Percent of the limit, rising: those that were not crossed the day before.
    pub thresholds: Vec<u32>,
    /// Whether the limit itself was reached on this day.
    pub reaches_limit: bool,
    /// Spent by the end of the day, since the period began.
    pub spent: NanoUsd,
    pub limit: NanoUsd,
}

/// The span whose days [`crossing_days`] needs: from the beginning of the period that the first day looked back on was in.
pub fn hindsight_interval(budget: &NamedBudget, now_ms: i64) -> Interval {
    let zone = Zone::parse(&budget.time_zone).unwrap_or(Zone::UTC);
    let today = local_date(&zone, now_ms);
    let first = budget.period.first_day(first_day_of_hindsight(today));
    Interval { start_ms: day_bounds(&zone, first).start_ms, end_ms: day_bounds(&zone, today).end_ms }
}

/// The crossings of the last [`HINDSIGHT_DAYS`] days under the limit that holds now, oldest first. `days` are in order and
/// begin where [`hindsight_interval`] does; days without spend may be missing.
pub fn crossing_days(budget: &NamedBudget, days: &[DaySpend], now_ms: i64) -> Vec<CrossingDay> {
    let zone = Zone::parse(&budget.time_zone).unwrap_or(Zone::UTC);
    let today = local_date(&zone, now_ms);
    let limit = budget.limit_at(now_ms);
    let mut found = Vec::new();
    let mut before = NanoUsd::ZERO;
    let mut period = None;
    for day in days.iter().filter(|day| day.date <= today) {
        let first = budget.period.first_day(day.date);
        if period.replace(first) != Some(first) {
            before = NanoUsd::ZERO;
        }
        let spent = NanoUsd(before.0.saturating_add(day.cost.0));
        let is_crossed = |percent: u32| !is_reached(before, limit, percent) && is_reached(spent, limit, percent);
        let crossing = CrossingDay {
            date: day.date,
            thresholds: budget.thresholds.iter().copied().filter(|percent| is_crossed(*percent)).collect(),
            reaches_limit: is_crossed(100),
            spent,
            limit,
        };
        if day.date >= first_day_of_hindsight(today) && (crossing.reaches_limit || !crossing.thresholds.is_empty()) {
            found.push(crossing);
        }
        before = spent;
    }
    found
}

fn first_day_of_hindsight(today: NaiveDate) -> NaiveDate {
    today - Days::new(HINDSIGHT_DAYS - 1)
}

/// Compared exactly.
fn is_reached(spent: NanoUsd, limit: NanoUsd, percent: u32) -> bool {
    i128::from(spent.0) * 100 >= i128::from(limit.0) * i128::from(percent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::{Budget, BudgetPeriod};
    use crate::domain::usage::UserId;
    use proptest::prelude::*;

    /// 18 November 2026, 12:00 UTC, a Wednesday. Thirty days back is 20 October, a Tuesday.
    const NOON_MS: i64 = 1_795_003_200_000;

    fn budget(period: BudgetPeriod, limit: i64, thresholds: &[u32]) -> NamedBudget {
        let default = NamedBudget::of_default(&UserId::owner(), &Budget::default_in(&Zone::UTC));
        NamedBudget { period, limit: NanoUsd(limit), thresholds: thresholds.to_vec(), ..default }
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn days(spend: &[(&str, i64)]) -> Vec<DaySpend> {
        spend.iter().map(|(day, cost)| DaySpend { date: date(day), cost: NanoUsd(*cost), unpriced_calls: 0 }).collect()
    }

    /// Day, thresholds, spend, and `!` where the limit was reached.
    fn told(crossings: &[CrossingDay]) -> Vec<String> {
        let one = |c: &CrossingDay| {
            format!("{} {:?} {}{}", c.date, c.thresholds, c.spent.0, if c.reaches_limit { "!" } else { "" })
        };
        crossings.iter().map(one).collect()
    }

    #[test]
    fn each_period_crosses_its_thresholds_anew() {
        let spend = days(&[
            ("2026-10-01", 40),
            ("2026-10-25", 20),
            ("2026-10-26", 10),
            ("2026-10-31", 35),
            ("2026-11-01", 49),
            ("2026-11-02", 1),
            ("2026-11-18", 49),
        ]);
        for (period, wanted) in [
            (
                BudgetPeriod::Month,
                &["2026-10-25 [50] 60", "2026-10-31 [75, 90] 105!", "2026-11-02 [50] 50", "2026-11-18 [75, 90] 99"][..],
            ),
            (BudgetPeriod::Week, &["2026-11-01 [50, 75, 90] 94"][..]),
            (BudgetPeriod::Day, &[][..]),
        ] {
            let found = crossing_days(&budget(period, 100, &[50, 75, 90]), &spend, NOON_MS);
            assert_eq!(told(&found), wanted, "{period:?}");
        }
    }

    #[test]
    fn what_was_crossed_before_the_days_looked_back_on_is_not_told_again() {
        let monthly = budget(BudgetPeriod::Month, 100, &[50, 75]);
        let spend = days(&[("2026-10-19", 60), ("2026-10-20", 15)]);
        assert_eq!(told(&crossing_days(&monthly, &spend, NOON_MS)), ["2026-10-20 [75] 75"]);
        let interval = hindsight_interval(&monthly, NOON_MS);
        assert_eq!(Zone::UTC.format_instant(interval.start_ms), "2026-10-01T00:00:00+00:00");
        assert_eq!(Zone::UTC.format_instant(interval.end_ms), "2026-11-19T00:00:00+00:00");
    }

    #[test]
    fn a_budget_without_thresholds_still_tells_that_its_limit_was_reached() {
        let silent = budget(BudgetPeriod::Week, 100, &[]);
        let spend = days(&[("2026-11-16", 99), ("2026-11-17", 1), ("2026-11-18", 50)]);
        assert_eq!(told(&crossing_days(&silent, &spend, NOON_MS)), ["2026-11-17 [] 100!"]);
    }

    proptest! {
        /// Told the slow way: on each day and for each threshold, whether the sum of the period so far has reached it and
        /// had not the day before.
        #[test]
        fn crossings_are_those_of_the_definition(
            costs in proptest::collection::vec(0_i64..60, 80),
            limit in 1_i64..400,
            thresholds in proptest::collection::btree_set(1_u32..=100, 0..=10),
            period in proptest::sample::select(BudgetPeriod::ALL.to_vec()),
        ) {
            let today = date("2026-11-18");
            let first = today - Days::new(79);
            let spend: Vec<DaySpend> = first
                .iter_days()
                .zip(&costs)
                .map(|(date, cost)| DaySpend { date, cost: NanoUsd(*cost), unpriced_calls: 0 })
                .collect();
            let thresholds: Vec<u32> = thresholds.into_iter().collect();
            let sum_until = |day: NaiveDate, period_start: NaiveDate| -> i64 {
                spend.iter().filter(|one| period_start <= one.date && one.date <= day).map(|one| one.cost.0).sum()
            };
            let mut wanted = Vec::new();
            for day in (0..30).rev().map(|back| today - Days::new(back)) {
                let start = period.first_day(day);
                let now = sum_until(day, start);
                let before = if day == start { 0 } else { sum_until(day - Days::new(1), start) };
                for threshold in thresholds.iter().filter(|one| before * 100 < limit * i64::from(**one)) {
                    if now * 100 >= limit * i64::from(*threshold) {
                        wanted.push((day, *threshold, now));
                    }
                }
            }
            let found = crossing_days(&budget(period, limit, &thresholds), &spend, NOON_MS);
            let told: Vec<_> =
                found.iter().flat_map(|c| c.thresholds.iter().map(|one| (c.date, *one, c.spent.0))).collect();
            prop_assert_eq!(told, wanted);
        }
    }
}
