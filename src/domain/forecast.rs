//! The forecast: spend at the end of the running month, weekday-aware, with a band and the error it had before.
//!
//! The method, chosen by trying several on real usage series: a day is expected to cost what the same weekday cost over
//! the last eight weeks, the dearest and the cheapest fifth left out (below two weeks of history: the plain mean of all
//! days). The month is what was spent, plus the rest of today by its share, plus the days to come. The band is the error
//! that 80 % of such forecasts had when made on each of the last 56 days for as many days ahead (a shorter look ahead,
//! stretched, where history ends), and never narrower than the scatter of single days alone would make it. Real usage
//! comes in phases, so that scatter alone would be far too sure of itself.
//!
//! Floats serve statistics only; money goes back into [`NanoUsd`] by rounding.

use super::money::{NanoUsd, format_cost};
use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Below this there is nothing to go by.
const MIN_HISTORY_DAYS: usize = 3;
const MIN_WEEKDAY_HISTORY_DAYS: usize = 14;
/// Eight weeks: long enough for each weekday, short enough to follow a change of habits.
const WINDOW_DAYS: usize = 56;
const MAX_PAST_ERRORS: u32 = 6;
/// What past errors and the window before them can reach back to.
const KEPT_DAYS: u64 = 280;
/// A back-test looks at least this far ahead, or as far as the forecast does.
const MIN_LOOK_AHEAD_DAYS: usize = 7;
/// 80 % of a normal distribution lie within this many standard deviations.
const NORMAL_80: f64 = 1.2816;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// `YYYY-MM` of the running month.
    pub month: String,
    pub spent_so_far: NanoUsd,
    /// Spend at the month's end: the middle, and the band in which four of five months should end.
    pub expected: NanoUsd,
    pub low: NanoUsd,
    pub high: NanoUsd,
    pub expected_formatted: String,
    pub low_formatted: String,
    pub high_formatted: String,
    /// What each day of the month cost, from the 1st to today.
    pub spent_by_day: Vec<NanoUsd>,
    /// The way there: one point a day from today to the month's end.
    pub days: Vec<ForecastDay>,
    /// Days of history that it rests on.
    pub history_days: u32,
    /// Whether weekdays were told apart (enough history), or all days taken alike.
    pub is_weekday_aware: bool,
    /// How far off it would have been at the same day of past months, newest first: back-test.
    pub past_errors: Vec<PastError>,
}

/// The month's spend at the end of one day: expected, and the band, which widens evenly from now to the month's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForecastDay {
    /// `YYYY-MM-DD`.
    pub date: String,
    pub expected: NanoUsd,
    pub low: NanoUsd,
    pub high: NanoUsd,
}

/// What the forecast would have said in a past month, on the same day of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PastError {
    pub month: String,
    pub forecast: NanoUsd,
    pub actual: NanoUsd,
    /// (forecast − actual) ÷ actual × 100, one decimal.
    pub percent: f64,
}

impl Forecast {
    /// `YYYY-MM-DD` of the day on which the expected spend reaches the limit: today if it has, none if the month ends
    /// below it.
    pub fn runs_out_on(&self, limit: NanoUsd) -> Option<&str> {
        let reached = self.days.iter().find(|day| day.expected >= limit);
        reached.map(|day| day.date.as_str())
    }
}

/// What the running month will come to. `history` holds the cost of days, today's so far among them, in any order; a day
/// that is missing after the first one cost nothing, and days after today are not looked at. `today_share` is how much of
/// today has passed, 0 to 1. None with fewer than three days before today.
pub fn forecast(history: &[(NaiveDate, NanoUsd)], today: NaiveDate, today_share: f64) -> Option<Forecast> {
    let days = fill_days(history, today);
    let (past, until_now) = (days.get(..days.len().checked_sub(1)?)?, days.as_slice());
    if past.len() < MIN_HISTORY_DAYS {
        return None;
    }
    let month = first_of_month(today);
    let rates = WeekdayRates::of(past);
    let spent_so_far = sum(until_now.iter().filter(|day| day.date >= month));
    let path = walk(spent_so_far, past, &rates, today, share_left(today_share));
    let end = path.last()?.clone();
    Some(Forecast {
        month: month_label(month),
        spent_so_far,
        expected: end.expected,
        low: end.low,
        high: end.high,
        expected_formatted: format_cost(end.expected),
        low_formatted: format_cost(end.low),
        high_formatted: format_cost(end.high),
        spent_by_day: spent_by_day(until_now, month, today),
        days: path,
        history_days: past.len().min(WINDOW_DAYS) as u32,
        is_weekday_aware: rates.is_weekday_aware,
        past_errors: past_errors(past, today),
    })
}

#[derive(Clone, Copy)]
struct Day {
    date: NaiveDate,
    spent: NanoUsd,
}

/// What a day is expected to cost, in nano-dollars, Monday first.
struct WeekdayRates {
    rates: [f64; 7],
    is_weekday_aware: bool,
}

impl WeekdayRates {
    fn of(past: &[Day]) -> Self {
        let window = last_days(past);
        if window.len() < MIN_WEEKDAY_HISTORY_DAYS {
            let mean = window.iter().map(|day| day.spent.0 as f64).sum::<f64>() / window.len().max(1) as f64;
            return Self { rates: [mean.max(0.0); 7], is_weekday_aware: false };
        }
        let mut spent: [Vec<f64>; 7] = Default::default();
        for day in window {
            spent[weekday(day.date)].push(day.spent.0 as f64);
        }
        Self { rates: spent.map(|values| trimmed_mean(values).max(0.0)), is_weekday_aware: true }
    }

    fn on(&self, date: NaiveDate) -> f64 {
        self.rates[weekday(date)]
    }
}

/// Every day from the first one known to today, at most [`KEPT_DAYS`] back; empty if there is none.
fn fill_days(history: &[(NaiveDate, NanoUsd)], today: NaiveDate) -> Vec<Day> {
    let oldest = today - Days::new(KEPT_DAYS);
    let mut spent: BTreeMap<NaiveDate, NanoUsd> = BTreeMap::new();
    for (date, cost) in history {
        let total = spent.entry((*date).max(oldest)).or_default();
        // What is older than all that is kept only says that there was history then.
        if *date >= oldest {
            total.0 = total.0.saturating_add(cost.0);
        }
    }
    let Some(first) = spent.keys().next() else { return Vec::new() };
    let dates = first.iter_days().take_while(|date| *date <= today);
    dates.map(|date| Day { date, spent: spent.get(&date).copied().unwrap_or_default() }).collect()
}

/// Zero on days before the history begins.
fn spent_by_day(until_now: &[Day], month: NaiveDate, today: NaiveDate) -> Vec<NanoUsd> {
    let spent = |date| until_now.iter().find(|day| day.date == date).map_or(NanoUsd::ZERO, |day| day.spent);
    month.iter_days().take_while(|date| *date <= today).map(spent).collect()
}

/// The spend from now to the month's end, day by day.
fn walk(
    spent_so_far: NanoUsd,
    past: &[Day],
    rates: &WeekdayRates,
    today: NaiveDate,
    share_left: f64,
) -> Vec<ForecastDay> {
    let to_come: Vec<NaiveDate> = days_between(today, next_month(today)).collect();
    let ahead_days = share_left + to_come.len().saturating_sub(1) as f64;
    let margin = margin(past, rates, ahead_days);
    let after = |more: f64| NanoUsd(spent_so_far.0.saturating_add(more.max(0.0).round() as i64));
    let (mut more, mut passed_days) = (0.0, 0.0);
    let walk_day = |date: NaiveDate| {
        let share = if date == today { share_left } else { 1.0 };
        more += rates.on(date) * share;
        passed_days += share;
        let margin_then = if ahead_days > 0.0 { margin * passed_days / ahead_days } else { 0.0 };
        ForecastDay {
            date: date.to_string(),
            expected: after(more),
            low: after(more - margin_then),
            high: after(more + margin_then),
        }
    };
    to_come.into_iter().map(walk_day).collect()
}

/// Half the width of the band, in nano-dollars, for a forecast of that many days.
fn margin(past: &[Day], rates: &WeekdayRates, ahead_days: f64) -> f64 {
    if ahead_days <= 0.0 {
        return 0.0;
    }
    scatter(last_days(past), rates, ahead_days).max(back_tested(past, ahead_days))
}

/// As if each day missed its expectation by itself, and the expectation were the mean of as many days as there are.
fn scatter(window: &[Day], rates: &WeekdayRates, ahead_days: f64) -> f64 {
    let squares: f64 = window.iter().map(|day| (day.spent.0 as f64 - rates.on(day.date)).powi(2)).sum();
    let variance = squares / window.len().saturating_sub(1).max(1) as f64;
    NORMAL_80 * (variance * ahead_days * (1.0 + ahead_days / window.len().max(1) as f64)).sqrt()
}

/// The error that four of five forecasts of the last weeks did not pass.
fn back_tested(past: &[Day], ahead_days: f64) -> f64 {
    let look_ahead = ahead_days.ceil() as usize;
    let oldest = past.len().saturating_sub(WINDOW_DAYS).max(MIN_HISTORY_DAYS);
    let newest = past.len().saturating_sub(look_ahead.min(MIN_LOOK_AHEAD_DAYS));
    let mut errors: Vec<f64> = (oldest..=newest)
        .map(|made_at| {
            let (known, after) = past.split_at(made_at);
            let after = &after[..look_ahead.min(after.len())];
            let rates = WeekdayRates::of(known);
            let error: f64 = after.iter().map(|day| rates.on(day.date) - day.spent.0 as f64).sum();
            error.abs() * ahead_days / after.len().max(1) as f64
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    let rank = (errors.len() * 4).div_ceil(5);
    errors.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

/// For each past month: the forecast at the start of the same day of it, from what was known then. That day itself counts
/// as wholly to come, because its spend by this hour is not kept.
fn past_errors(past: &[Day], today: NaiveDate) -> Vec<PastError> {
    let mut errors = Vec::new();
    for months_back in 1..=MAX_PAST_ERRORS {
        // Subtracting months keeps to the month's last day where it is shorter.
        let made_on = today - Months::new(months_back);
        let (month, next) = (first_of_month(made_on), next_month(made_on));
        let known = &past[..past.partition_point(|day| day.date < made_on)];
        if known.len() < MIN_HISTORY_DAYS {
            break;
        }
        let actual = sum(past.iter().filter(|day| day.date >= month && day.date < next));
        let rates = WeekdayRates::of(known);
        let more: f64 = days_between(made_on, next).map(|date| rates.on(date)).sum();
        let spent = sum(known.iter().filter(|day| day.date >= month));
        let forecast = NanoUsd(spent.0.saturating_add(more.round() as i64));
        if actual.0 > 0 {
            let percent = (forecast.0 as f64 - actual.0 as f64) / actual.0 as f64 * 100.0;
            let percent = (percent * 10.0).round() / 10.0;
            errors.push(PastError { month: month_label(month), forecast, actual, percent });
        }
    }
    errors
}

/// The mean without the highest and the lowest fifth.
fn trimmed_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 5;
    let kept = &values[cut..values.len() - cut];
    kept.iter().sum::<f64>() / kept.len().max(1) as f64
}

fn last_days(past: &[Day]) -> &[Day] {
    &past[past.len().saturating_sub(WINDOW_DAYS)..]
}

fn share_left(today_share: f64) -> f64 {
    if today_share.is_nan() { 0.0 } else { 1.0 - today_share.clamp(0.0, 1.0) }
}

fn sum<'a>(days: impl Iterator<Item = &'a Day>) -> NanoUsd {
    NanoUsd(days.fold(0, |total: i64, day| total.saturating_add(day.spent.0)))
}

fn days_between(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().take_while(move |date| *date < to)
}

fn weekday(date: NaiveDate) -> usize {
    date.weekday().num_days_from_monday() as usize
}

fn first_of_month(date: NaiveDate) -> NaiveDate {
    date - Days::new(u64::from(date.day0()))
}

fn next_month(date: NaiveDate) -> NaiveDate {
    first_of_month(date) + Months::new(1)
}

fn month_label(date: NaiveDate) -> String {
    date.format("%Y-%m").to_string()
}

#[cfg(test)]
mod tests;
