use super::*;
use crate::domain::forecast::forecast;
use crate::domain::usage::UserId;

/// 16 June 2025, 00:00 UTC: half of June has passed.
const HALF_OF_JUNE_MS: i64 = 1_750_032_000_000;

fn status_at(spent_cents: i64) -> BudgetStatus {
    status(&named(&Budget::default_in(&Zone::UTC)), NanoUsd::from_cents(spent_cents).unwrap(), 0, HALF_OF_JUNE_MS, None)
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
