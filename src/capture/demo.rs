//! Made-up usage of a small team, so that every page has something to show: a quarter year up to now, with a weekly
//! rhythm, growth, a switch of models, a day that went wrong, and something unusual today.
//!
//! Nothing here is random from run to run: the same moment gives the same records.

mod load;
mod random;
mod session;
mod team;

pub use load::load_demo;

use crate::domain::period::DAY_MS;
use crate::domain::usage::{UsageRecord, UserId};
use chrono::{DateTime, Datelike, Days, NaiveDate, Weekday};
use random::Random;
use session::session_records;
use std::collections::HashMap;
use team::{HABITS, Habit, Model, NIGHTLY, RUNAWAY, START_HOURS, UNKNOWN_MODEL, WEEKDAY_PERMILLE};

const DAYS: u64 = 92;
/// Calls of a full working day in the middle of the period.
const CALLS_A_DAY: u64 = 104;
/// The team moved to the newer models this many days ago.
const SWITCHED_DAYS_AGO: u64 = 40;
/// The day that went wrong; the working day before it when this one falls on a weekend.
const SPIKE_DAYS_AGO: u64 = 12;
/// How many days an anomaly compares today with.
const NORMAL_DAYS: u64 = 7;
/// Today's tokens in percent of the mean of the days before: above the 200 that make an anomaly.
const TODAY_PERCENT: u64 = 240;
/// What the running month shall have cost: most of the default budget of $100.
const MONTH_NANO_USD: u64 = 80_000_000_000;
const SEED: u64 = 0x7011_b21d_6e00_0001;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Some seven thousand calls of the 92 days up to `now_ms`, oldest first, all before it, with the keys `demo:<n>`.
///
/// `utc_offset_ms` is how far local time is ahead: office hours, "today" and "this month" follow it. The month is
/// sized to reach about 80 % of the default budget; within its first days that would take absurd calls, so it stays
/// lower then.
pub fn demo_records(user: &UserId, now_ms: i64, utc_offset_ms: i64) -> impl Iterator<Item = UsageRecord> {
    let clock = Clock::new(now_ms, utc_offset_ms);
    let mut random = Random::seeded(SEED);
    let mut records: Vec<UsageRecord> = Vec::new();
    for days_ago in (0..DAYS).rev() {
        records.extend(day_records(&mut random, user, &clock, days_ago));
    }
    records.extend(unknown_model_calls(&mut random, user, &clock));
    records.retain(|record| record.occurred_at_ms < now_ms);
    records.extend(runaway_today(&mut random, user, &clock, &records));
    fit_to_budget(&mut records, &clock);
    records.sort_by_key(|record| record.occurred_at_ms);
    records.into_iter().zip(0..).map(|(record, n): (_, u64)| UsageRecord { dedup_key: format!("demo:{n}"), ..record })
}

/// Local days, counted back from now.
struct Clock {
    now_ms: i64,
    /// The UTC instant at which today began.
    midnight_ms: i64,
    today: NaiveDate,
}

impl Clock {
    fn new(now_ms: i64, utc_offset_ms: i64) -> Self {
        let local_ms = now_ms.saturating_add(utc_offset_ms);
        let today = DateTime::from_timestamp_millis(local_ms).unwrap_or_default().date_naive();
        Self { now_ms, midnight_ms: now_ms - local_ms.rem_euclid(DAY_MS), today }
    }

    fn start_of(&self, days_ago: u64) -> i64 {
        self.midnight_ms - days_ago as i64 * DAY_MS
    }

    fn weekday(&self, days_ago: u64) -> Weekday {
        self.today.checked_sub_days(Days::new(days_ago)).unwrap_or(self.today).weekday()
    }

    fn spike_days_ago(&self) -> u64 {
        match self.weekday(SPIKE_DAYS_AGO) {
            Weekday::Sat => SPIKE_DAYS_AGO + 1,
            Weekday::Sun => SPIKE_DAYS_AGO + 2,
            _ => SPIKE_DAYS_AGO,
        }
    }

    fn month_start_ms(&self) -> i64 {
        self.start_of(u64::from(self.today.day0()))
    }
}

/// A whole day's work, the night job first.
fn day_records(random: &mut Random, user: &UserId, clock: &Clock, days_ago: u64) -> Vec<UsageRecord> {
    let day_start = clock.start_of(days_ago);
    let weekday = clock.weekday(days_ago).num_days_from_monday() as usize;
    // From 65 % to 130 % of the usual over the whole period.
    let growth_percent = 130 - 65 * days_ago / DAYS;
    let mood_percent = random.between(82, 118);
    let wanted = CALLS_A_DAY * WEEKDAY_PERMILLE[weekday] / 1000 * growth_percent / 100 * mood_percent / 100;

    let night_start = day_start + 2 * HOUR_MS + 30 * MINUTE_MS;
    let mut records = session_records(random, user, &NIGHTLY, model_of(&NIGHTLY, days_ago), night_start);
    while (records.len() as u64) < wanted {
        let habit = random.pick_weighted(&HABITS);
        records.extend(office_session(random, user, habit, day_start, days_ago));
    }
    if days_ago == clock.spike_days_ago() {
        // A test loop that nobody stopped: more than twice the day's work on top.
        let all = records.len() as u64 + wanted * 9 / 4;
        while (records.len() as u64) < all {
            records.extend(office_session(random, user, &RUNAWAY, day_start, days_ago));
        }
    }
    records
}

fn office_session(
    random: &mut Random,
    user: &UserId,
    habit: &Habit,
    day_start: i64,
    days_ago: u64,
) -> Vec<UsageRecord> {
    let hour = *random.pick_weighted(&START_HOURS);
    let start_ms =
        day_start + hour * HOUR_MS + random.between(0, 59) as i64 * MINUTE_MS + random.between(0, 59_999) as i64;
    session_records(random, user, habit, model_of(habit, days_ago), start_ms)
}

fn model_of(habit: &Habit, days_ago: u64) -> Model {
    if days_ago < SWITCHED_DAYS_AGO { habit.newer } else { habit.model }
}

/// Somebody tried a model that has no price: two answered calls, some days ago.
fn unknown_model_calls(random: &mut Random, user: &UserId, clock: &Clock) -> Vec<UsageRecord> {
    let (_, habit) = HABITS[1];
    let start_ms = clock.start_of(4) + 15 * HOUR_MS;
    let mut records = session_records(random, user, &habit, UNKNOWN_MODEL, start_ms);
    records.retain(|record| record.has_usage);
    records.truncate(2);
    records
}

/// As many calls of a stuck agent in the last three hours (or since midnight) as make today unusual, at any time of
/// day.
fn runaway_today(random: &mut Random, user: &UserId, clock: &Clock, records: &[UsageRecord]) -> Vec<UsageRecord> {
    let mean = tokens_between(records, clock.start_of(NORMAL_DAYS), clock.midnight_ms) / NORMAL_DAYS;
    let wanted = mean * TODAY_PERCENT / 100;
    let mut today = tokens_between(records, clock.midnight_ms, clock.now_ms);
    let window_start = clock.midnight_ms.max(clock.now_ms - 3 * HOUR_MS);
    let window_ms = clock.now_ms - window_start;
    let mut added = Vec::new();
    if window_ms < 1_000 {
        return added;
    }
    while today < wanted {
        let mut session = session_records(random, user, &RUNAWAY, model_of(&RUNAWAY, 0), window_start);
        let first_ms = window_start + random.between(0, window_ms as u64 / 2) as i64;
        let calls = session.len() as i64;
        for (record, n) in session.iter_mut().zip(0..) {
            record.occurred_at_ms = first_ms + (clock.now_ms - 1 - first_ms) * n / calls;
        }
        today += session.iter().map(|record| record.tokens.total()).sum::<u64>();
        added.extend(session);
    }
    added
}

/// Makes all calls larger or smaller, so that the running month costs what it shall.
fn fit_to_budget(records: &mut [UsageRecord], clock: &Clock) {
    let rates: HashMap<&str, Model> = team::models().map(|model| (model.id, model)).collect();
    let month_start = clock.month_start_ms();
    let this_month = records.iter().filter(|record| record.occurred_at_ms >= month_start);
    let cost: u64 = this_month.filter_map(|record| Some(rough_cost(rates.get(record.model.as_str())?, record))).sum();
    let permille = (MONTH_NANO_USD * 1000 / cost.max(1)).clamp(500, 2500);
    for tokens in records.iter_mut().map(|record| &mut record.tokens) {
        let scaled = |count: u64| (count * permille).div_ceil(1000);
        tokens.input = scaled(tokens.input);
        tokens.cache_write_5m = scaled(tokens.cache_write_5m);
        tokens.cache_write_1h = scaled(tokens.cache_write_1h);
        tokens.cache_read = scaled(tokens.cache_read);
        tokens.output = scaled(tokens.output);
        tokens.thinking = scaled(tokens.thinking);
        tokens.output_thinking = tokens.output_thinking.map(scaled);
    }
}

fn rough_cost(model: &Model, record: &UsageRecord) -> u64 {
    let tokens = &record.tokens;
    let writes = tokens.cache_write_5m + tokens.cache_write_1h;
    let cost = tokens.input * model.input_rate
        + writes * model.cache_write_rate
        + tokens.cache_read * model.cache_read_rate
        + (tokens.output + tokens.thinking) * model.output_rate;
    if record.terms.service_tier.as_deref() == Some("batch") { cost / 2 } else { cost }
}

fn tokens_between(records: &[UsageRecord], start_ms: i64, end_ms: i64) -> u64 {
    let inside = records.iter().filter(|record| (start_ms..end_ms).contains(&record.occurred_at_ms));
    inside.map(|record| record.tokens.total()).sum()
}

#[cfg(test)]
mod tests;
