//! Time: from a question's range to instants. Days, weeks and months are cut here, in an IANA zone; the ledger knows
//! only UTC milliseconds (invariant 7). What may be asked for is checked in [`super::query`].
//!
//! Every bound that is made here lies on a quarter hour of UTC (for every zone since 1980), so that quarter-hour rollups
//! add up to it exactly.

use super::query::{Aggregation, QueryError, Range, UsageQuery};
use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, Months, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc,
};
use chrono_tz::Tz;

/// A day without a change of clocks.
pub const DAY_MS: i64 = 24 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;
/// The grain of the rollups.
pub const QUARTER_MS: i64 = 900_000;
/// The last instant that is told apart, either way from 1970: a quarter of a million years, all that chrono can hold.
const MAX_INSTANT_MS: i64 = 8_000_000_000_000_000;

/// An IANA time zone that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// A span of time, from `start_ms` up to and without `end_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    pub start_ms: i64,
    pub end_ms: i64,
}

/// The days a question is about, as instants and cut into buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    pub from: NaiveDate,
    /// Inclusive.
    pub to: NaiveDate,
    pub start_ms: i64,
    /// Exclusive: the first instant of the day after `to`.
    pub end_ms: i64,
    /// Calendar days from `from` to `to`, both counted.
    pub days: u32,
    /// As many whole days just before.
    pub previous: Interval,
    pub aggregation: Aggregation,
    /// In order, without gap or overlap, from `start_ms` to `end_ms`. A day that a zone left out (30 December 2011 in
    /// Apia) has no bucket.
    pub buckets: Vec<Bucket>,
    /// Whether now is part of it, so that its figures still grow.
    pub is_running: bool,
}

/// One point of a time series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// `YYYY-MM-DD HH:00`, `YYYY-MM-DD`, the Sunday that its week began on, or `YYYY-MM`. Where clocks are put back, the
    /// repeated hour is a bucket of its own with the same label.
    pub label: String,
    pub start_ms: i64,
    pub end_ms: i64,
}

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    pub first: NaiveDate,
    /// Inclusive.
    pub last: NaiveDate,
    pub interval: Interval,
}

impl Interval {
    pub fn contains(self, ms: i64) -> bool {
        self.start_ms <= ms && ms < self.end_ms
    }

    /// How much of it has passed, 0 to 1.
    pub fn share_passed(self, now_ms: i64) -> f64 {
        let length = self.end_ms.saturating_sub(self.start_ms);
        if length <= 0 {
            return 1.0;
        }
        let passed = now_ms.saturating_sub(self.start_ms).clamp(0, length);
        passed as f64 / length as f64
    }
}

impl Zone {
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone of that exact IANA name (old names such as `US/Pacific` too).
    pub fn parse(name: &str) -> Result<Self, QueryError> {
        let unknown = |_| QueryError::new("tz", format!("{name:?} is not an IANA time zone, such as Europe/Berlin"));
        name.parse().map(Self).map_err(unknown)
    }

    /// The zone that the query names, or else the given one.
    pub fn of_query(query: &UsageQuery, default: Self) -> Result<Self, QueryError> {
        query.time_zone.as_deref().map_or(Ok(default), Self::parse)
    }

    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The instant as RFC 3339 with this zone's offset: `2025-01-31T23:59:59.999+01:00`.
    pub fn format_instant(self, ms: i64) -> String {
        self.local(ms).to_rfc3339()
    }

    fn local(self, ms: i64) -> DateTime<Tz> {
        let instant = DateTime::<Utc>::from_timestamp_millis(ms.clamp(-MAX_INSTANT_MS, MAX_INSTANT_MS));
        instant.unwrap_or_default().with_timezone(&self.0)
    }

    fn offset_ms(self, ms: i64) -> i64 {
        i64::from(self.local(ms).offset().fix().local_minus_utc()) * 1_000
    }
}

impl Period {
    pub fn interval(&self) -> Interval {
        Interval { start_ms: self.start_ms, end_ms: self.end_ms }
    }

    /// How many of its days can have data: not those to come (today counts), nor those before `first_use`, the first day
    /// with any usage at all. At least 1. The projection's daily average is taken over these.
    pub fn days_with_data(&self, today: NaiveDate, first_use: Option<NaiveDate>) -> u32 {
        let from = first_use.map_or(self.from, |first| first.max(self.from));
        let days = (self.to.min(today) - from).num_days() + 1;
        u32::try_from(days).unwrap_or(0).max(1)
    }
}

impl Month {
    /// `YYYY-MM`.
    pub fn label(&self) -> String {
        month_label(self.first)
    }

    /// The first day of the month after.
    pub fn next(&self) -> NaiveDate {
        self.last + Days::new(1)
    }
}

/// What the query means at this moment in this zone. Named ranges end with the whole of today.
pub fn resolve(query: &UsageQuery, zone: &Zone, now_ms: i64) -> Result<Period, QueryError> {
    query.check()?;
    let (from, to) = dates_of(query.range, local_date(zone, now_ms));
    let length = (to - from).num_days() + 1;
    let interval = Interval { start_ms: start_of_day(zone, from), end_ms: start_of_day(zone, to + Days::new(1)) };
    let aggregation = query.aggregation.unwrap_or_else(|| default_aggregation(query.range, length));
    Ok(Period {
        from,
        to,
        start_ms: interval.start_ms,
        end_ms: interval.end_ms,
        days: u32::try_from(length).unwrap_or(u32::MAX),
        previous: Interval { start_ms: start_of_day(zone, from - TimeDelta::days(length)), end_ms: interval.start_ms },
        aggregation,
        buckets: cut(zone, aggregation, from, to),
        is_running: interval.contains(now_ms),
    })
}

/// The calendar month that now is in.
pub fn month_of(zone: &Zone, now_ms: i64) -> Month {
    month_with(zone, local_date(zone, now_ms))
}

/// The calendar month that a day is in.
pub fn month_with(zone: &Zone, date: NaiveDate) -> Month {
    let first = date - Days::new(u64::from(date.day0()));
    let next = next_month(date);
    let interval = Interval { start_ms: start_of_day(zone, first), end_ms: start_of_day(zone, next) };
    Month { first, last: next - Days::new(1), interval }
}

/// The week that now is in, from Monday to Sunday.
pub fn week_of(zone: &Zone, now_ms: i64) -> Interval {
    let today = local_date(zone, now_ms);
    let monday = today - Days::new(u64::from(today.weekday().num_days_from_monday()));
    Interval { start_ms: start_of_day(zone, monday), end_ms: start_of_day(zone, monday + Days::new(7)) }
}

/// The day on the zone's calendar.
pub fn local_date(zone: &Zone, ms: i64) -> NaiveDate {
    zone.local(ms).date_naive()
}

/// The weekday (0 Monday to 6 Sunday) and hour (0 to 23) on the zone's clock.
pub fn local_hour_of_week(zone: &Zone, ms: i64) -> (usize, usize) {
    let local = zone.local(ms);
    (local.weekday().num_days_from_monday() as usize, local.hour() as usize)
}

/// The minute on the zone's clock, 0 to 1439.
pub fn local_minute(zone: &Zone, ms: i64) -> u32 {
    let local = zone.local(ms);
    local.hour() * 60 + local.minute()
}

/// When the zone's clock shows that minute of the day (0 to 1439). Where clocks jump over it, the first instant after the
/// jump; where they show it twice, the first.
pub fn instant_at(zone: &Zone, date: NaiveDate, minute: u32) -> i64 {
    let wanted = date.and_time(NaiveTime::MIN) + TimeDelta::minutes(minute.into());
    // The longest jump is the day that Samoa and others left out when they crossed the date line.
    let mut after_jump = (0..=96).map(|quarters| wanted + TimeDelta::minutes(15 * quarters));
    let found = after_jump.find_map(|local| match zone.0.from_local_datetime(&local) {
        MappedLocalTime::Single(start) | MappedLocalTime::Ambiguous(start, _) => Some(start.timestamp_millis()),
        MappedLocalTime::None => None,
    });
    found.unwrap_or_else(|| wanted.and_utc().timestamp_millis())
}

/// A day from its first to its last instant: 23, 24 or 25 hours, or none at all where the zone left the day out.
pub fn day_bounds(zone: &Zone, date: NaiveDate) -> Interval {
    Interval { start_ms: start_of_day(zone, date), end_ms: start_of_day(zone, date + Days::new(1)) }
}

fn dates_of(range: Range, today: NaiveDate) -> (NaiveDate, NaiveDate) {
    match range {
        Range::Day => (today, today),
        Range::Week => (today - Days::new(6), today),
        Range::Month => (today - Days::new(29), today),
        // Twelve months back from 29 February is the 28th.
        Range::Year => (today - Months::new(12) + Days::new(1), today),
        Range::Custom { from, to } => (from, to),
    }
}

fn default_aggregation(range: Range, days: i64) -> Aggregation {
    match (range, days) {
        (Range::Day, _) => Aggregation::Hourly,
        (Range::Week | Range::Month, _) => Aggregation::Daily,
        (Range::Year, _) => Aggregation::Monthly,
        (Range::Custom { .. }, ..=2) => Aggregation::Hourly,
        (Range::Custom { .. }, ..=92) => Aggregation::Daily,
        (Range::Custom { .. }, ..=400) => Aggregation::Weekly,
        (Range::Custom { .. }, _) => Aggregation::Monthly,
    }
}

fn start_of_day(zone: &Zone, date: NaiveDate) -> i64 {
    instant_at(zone, date, 0)
}

fn cut(zone: &Zone, aggregation: Aggregation, from: NaiveDate, to: NaiveDate) -> Vec<Bucket> {
    match aggregation {
        Aggregation::Hourly => cut_hours(zone, start_of_day(zone, from), start_of_day(zone, to + Days::new(1))),
        Aggregation::Daily => cut_days(zone, from, to, |day| day + Days::new(1), |day| day.to_string()),
        Aggregation::Weekly => {
            cut_days(zone, from, to, |day| sunday_of(day) + Days::new(7), |day| sunday_of(day).to_string())
        }
        Aggregation::Monthly => cut_days(zone, from, to, next_month, month_label),
    }
}

/// Buckets of whole days: each reaches to `next` of its first day, the last one is cut off after `to`.
fn cut_days(
    zone: &Zone,
    from: NaiveDate,
    to: NaiveDate,
    next: impl Fn(NaiveDate) -> NaiveDate,
    label: impl Fn(NaiveDate) -> String,
) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    let (mut day, mut start_ms) = (from, start_of_day(zone, from));
    while day <= to {
        let after = next(day).min(to + Days::new(1));
        let end_ms = start_of_day(zone, after);
        if end_ms > start_ms {
            buckets.push(Bucket { label: label(day), start_ms, end_ms });
        }
        (day, start_ms) = (after, end_ms);
    }
    buckets
}

fn cut_hours(zone: &Zone, start_ms: i64, end_ms: i64) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    let mut at_ms = start_ms;
    while at_ms < end_ms {
        let next_ms = next_hour(zone, at_ms).min(end_ms);
        let label = zone.local(at_ms).format("%Y-%m-%d %H:00").to_string();
        buckets.push(Bucket { label, start_ms: at_ms, end_ms: next_ms });
        at_ms = next_ms;
    }
    buckets
}

/// Where the local hour that `at_ms` is in ends: at the next hour mark of the local clock, or at the first quarter hour
/// after the clock was changed before it (Lord Howe changes by half an hour).
fn next_hour(zone: &Zone, at_ms: i64) -> i64 {
    let offset_ms = zone.offset_ms(at_ms);
    let mark_ms = at_ms + HOUR_MS - (at_ms + offset_ms).rem_euclid(HOUR_MS);
    let mut quarter_ms = at_ms - at_ms.rem_euclid(QUARTER_MS) + QUARTER_MS;
    // Clocks do not change twice in an hour: equal offsets at both ends mean no change between.
    if zone.offset_ms(mark_ms) == offset_ms {
        return mark_ms;
    }
    while quarter_ms < mark_ms && zone.offset_ms(quarter_ms) == offset_ms {
        quarter_ms += QUARTER_MS;
    }
    quarter_ms.min(mark_ms)
}

/// The first day of the month after the day's.
fn next_month(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.day0())) + Months::new(1)
}

fn sunday_of(day: NaiveDate) -> NaiveDate {
    day - Days::new(u64::from(day.weekday().num_days_from_sunday()))
}

fn month_label(day: NaiveDate) -> String {
    day.format("%Y-%m").to_string()
}

#[cfg(test)]
mod tests;
