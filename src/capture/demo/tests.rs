use super::*;
use crate::domain::cost::price_record;
use crate::domain::price::PriceBook;
use chrono::{NaiveTime, TimeDelta};
use std::collections::HashSet;

/// 2026-11-24 09:30 UTC, a Tuesday.
const NOW_MS: i64 = 1_795_512_600_000;

fn demo(now_ms: i64) -> Vec<UsageRecord> {
    demo_records(&UserId::owner(), now_ms, 0).collect()
}

fn date_of(record: &UsageRecord) -> NaiveDate {
    DateTime::from_timestamp_millis(record.occurred_at_ms).unwrap().date_naive()
}

fn tokens_by_day(records: &[UsageRecord]) -> HashMap<NaiveDate, u64> {
    let mut days = HashMap::new();
    for record in records {
        *days.entry(date_of(record)).or_insert(0) += record.tokens.total();
    }
    days
}

fn today_against_the_week_before(records: &[UsageRecord], now_ms: i64) -> f64 {
    let days = tokens_by_day(records);
    let today = DateTime::from_timestamp_millis(now_ms).unwrap().date_naive();
    let before: u64 = (1..=7).map(|n| days.get(&(today - TimeDelta::days(n))).copied().unwrap_or(0)).sum();
    days.get(&today).copied().unwrap_or(0) as f64 / (before as f64 / 7.0)
}

/// What the ledger says that the calls from a moment on cost, in dollars, and how many have no price.
fn cost_usd_since(records: &[UsageRecord], start_ms: i64) -> (f64, usize) {
    let book = PriceBook::builtin();
    let costs: Vec<_> = records
        .iter()
        .filter(|record| record.occurred_at_ms >= start_ms && record.has_usage)
        .map(|record| price_record(&book, record).cost)
        .collect();
    let nano_usd: i64 = costs.iter().flatten().map(|cost| cost.0).sum();
    (nano_usd as f64 / 1e9, costs.iter().filter(|cost| cost.is_none()).count())
}

#[test]
fn the_same_moment_gives_the_same_records_all_before_it() {
    let records = demo(NOW_MS);
    assert_eq!(records, demo(NOW_MS));
    assert!((6_000..9_000).contains(&records.len()), "{}", records.len());
    assert!(records.iter().all(|record| record.occurred_at_ms < NOW_MS));
    assert!(records.is_sorted_by_key(|record| record.occurred_at_ms));
    let keys: HashSet<&str> = records.iter().map(|record| record.dedup_key.as_str()).collect();
    assert_eq!(keys.len(), records.len());
    assert!(records.iter().all(|record| record.dedup_key.starts_with("demo:") && record.source.name() == "demo"));
    let first = date_of(&records[0]);
    assert_eq!(first, NaiveDate::from_ymd_opt(2026, 8, 25).unwrap(), "92 days, today included");
}

#[test]
fn people_work_on_weekdays_in_office_hours_and_eat_at_noon() {
    let records = demo(NOW_MS);
    let mean_of = |is_wanted: fn(Weekday) -> bool| {
        let calls = records.iter().filter(|record| is_wanted(date_of(record).weekday())).count();
        let days: HashSet<NaiveDate> = records.iter().map(date_of).filter(|date| is_wanted(date.weekday())).collect();
        calls as f64 / days.len() as f64
    };
    let weekend = mean_of(|day| matches!(day, Weekday::Sat | Weekday::Sun));
    let weekday = mean_of(|day| !matches!(day, Weekday::Sat | Weekday::Sun));
    assert!(weekday > 3.0 * weekend, "{weekday} {weekend}");
    let calls_at = |hour: i64| records.iter().filter(|record| record.occurred_at_ms / HOUR_MS % 24 == hour).count();
    assert!(calls_at(10) > calls_at(12) && calls_at(14) > calls_at(12), "lunch");
    assert!(calls_at(14) > 20 * calls_at(4));
    // Nine hours ahead of UTC, the same hours are nine hours earlier in UTC.
    let tokyo: Vec<_> = demo_records(&UserId::owner(), NOW_MS, 9 * HOUR_MS).collect();
    let night = tokyo.iter().filter(|record| record.occurred_at_ms / HOUR_MS % 24 == 14 - 9).count();
    assert!(night > 400, "{night}");
}

#[test]
fn use_grows_and_one_day_went_wrong() {
    let records = demo(NOW_MS);
    let days = tokens_by_day(&records);
    let spike = NaiveDate::from_ymd_opt(2026, 11, 12).unwrap();
    let others = (1..=28).map(|n| spike - TimeDelta::days(n)).filter_map(|date| days.get(&date));
    let largest = others.max().unwrap();
    assert!(days[&spike] > 3 * largest / 2, "{} against {largest}", days[&spike]);

    let month = |first: (i32, u32, u32)| {
        let start = NaiveDate::from_ymd_opt(first.0, first.1, first.2).unwrap();
        records.iter().filter(|record| (0..28).contains(&(date_of(record) - start).num_days())).count()
    };
    assert!(month((2026, 10, 10)) * 10 > month((2026, 8, 26)) * 11);
}

#[test]
fn today_is_unusual_at_any_time_of_any_day() {
    for day in 0..7 {
        for time in [(0, 1), (6, 0), (12, 30), (23, 59)] {
            let midnight = DateTime::from_timestamp_millis(NOW_MS).unwrap().date_naive().and_time(NaiveTime::MIN);
            let now = midnight + TimeDelta::days(day) + TimeDelta::hours(time.0) + TimeDelta::minutes(time.1);
            let now_ms = now.and_utc().timestamp_millis();
            let records = demo(now_ms);
            let ratio = today_against_the_week_before(&records, now_ms);
            assert!((2.2..3.6).contains(&ratio), "{ratio} on {now}");
            assert!(records.iter().all(|record| record.occurred_at_ms < now_ms));
        }
    }
}

#[test]
fn the_running_month_comes_near_the_default_budget() {
    for day in 10..30 {
        let now = NaiveDate::from_ymd_opt(2026, 11, day).unwrap().and_hms_opt(9, 30, 0).unwrap().and_utc();
        let records = demo(now.timestamp_millis());
        let month_start = NaiveDate::from_ymd_opt(2026, 11, 1).unwrap().and_time(NaiveTime::MIN).and_utc();
        let (cost, unpriced) = cost_usd_since(&records, month_start.timestamp_millis());
        assert!((60.0..95.0).contains(&cost), "${cost} on {now}");
        assert_eq!(unpriced, 2, "on {now}");
    }
}

#[test]
fn there_is_something_to_see_in_every_column() {
    let records = demo(NOW_MS);
    let count = |is_wanted: fn(&UsageRecord) -> bool| records.iter().filter(|record| is_wanted(record)).count();
    let models: HashSet<&str> = records.iter().map(|record| record.model.as_str()).collect();
    assert_eq!(models.len(), 10, "{models:?}");
    assert_eq!(count(|record| record.provider == "acme"), 2, "unpriced");
    let failed = count(|record| !record.outcome.success);
    assert!((50..200).contains(&failed), "{failed}");
    assert!(count(|record| record.terms.service_tier.as_deref() == Some("batch")) > 300);
    assert!(count(|record| record.tokens.thinking > 0) > 100, "Gemini's thoughts");
    let total: u64 = records.iter().map(|record| record.tokens.total()).sum();
    let cached: u64 = records.iter().map(|record| record.tokens.cache_read).sum();
    assert!(cached * 100 / total > 80, "coding agents live from the cache");
    assert!(records.iter().all(|record| record.tokens.output_thinking.unwrap_or(0) <= record.tokens.output));
    let projects: HashSet<_> = records.iter().filter_map(|record| record.context.project.as_deref()).collect();
    assert_eq!(projects.len(), 5, "{projects:?}");
}
