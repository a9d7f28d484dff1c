//! When a channel may be disturbed: its quiet hours and its digests, on its own clock.

use crate::domain::period::{Zone, instant_at, local_date, local_minute};
use crate::domain::query::QueryError;
use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// When a digest is sent, on the channel's clock: at eight.
const DIGEST_MINUTE: u32 = 8 * 60;
const MINUTES_A_DAY: u32 = 24 * 60;

/// A span of the day in which only critical alerts are sent; the others wait for its end. It may go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// Minutes since midnight.
    pub from_minute: u32,
    /// Exclusive.
    pub to_minute: u32,
}

/// Whether alerts are gathered and sent together. Critical ones never wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Digest {
    #[default]
    None,
    /// Each day at eight.
    Daily,
    /// Each Monday at eight.
    Weekly,
}

/// The days that a digest tells of, in the channel's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestPeriod {
    /// When it is sent: at eight on the day after them.
    pub at_ms: i64,
    pub from: NaiveDate,
    /// Inclusive.
    pub to: NaiveDate,
}

/// When a notification may go to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// By itself, at this instant or as soon as possible after it.
    At(i64),
    /// With others, at this instant.
    InDigest(i64),
}

impl QuietHours {
    /// From `22:00` and `07:00`.
    pub fn parse(from: &str, to: &str) -> Result<Self, QueryError> {
        let minute = |field: &'static str, text: &str| {
            parse_minute(text).ok_or_else(|| QueryError::new(field, "must be a time such as 22:00"))
        };
        let hours = Self { from_minute: minute("quietFrom", from)?, to_minute: minute("quietTo", to)? };
        if hours.from_minute == hours.to_minute {
            return Err(QueryError::new("quietTo", "must be another time than the beginning"));
        }
        Ok(hours)
    }

    pub fn begin_text(self) -> String {
        minute_text(self.from_minute)
    }

    pub fn end_text(self) -> String {
        minute_text(self.to_minute)
    }

    fn contains(self, minute: u32) -> bool {
        if self.from_minute < self.to_minute {
            (self.from_minute..self.to_minute).contains(&minute)
        } else {
            minute >= self.from_minute || minute < self.to_minute
        }
    }

    /// The instant itself where it is not quiet, else the end of the quiet hours.
    pub(super) fn end_after(self, zone: &Zone, at_ms: i64) -> i64 {
        if !self.contains(local_minute(zone, at_ms)) {
            return at_ms;
        }
        let today = local_date(zone, at_ms);
        let ends = [today, today + Days::new(1)].map(|date| instant_at(zone, date, self.to_minute));
        ends.into_iter().find(|end_ms| *end_ms > at_ms).unwrap_or(at_ms)
    }
}

impl Digest {
    pub const ALL: [Self; 3] = [Self::None, Self::Daily, Self::Weekly];

    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
        }
    }

    /// The next digest strictly after `now_ms`; none without digests.
    pub(super) fn next(self, zone: &Zone, now_ms: i64) -> Option<i64> {
        let today = local_date(zone, now_ms);
        let is_day = |date: &NaiveDate| self == Self::Daily || date.weekday() == Weekday::Mon;
        if self == Self::None {
            return None;
        }
        let dates = (0..=7).map(|days| today + Days::new(days)).filter(is_day);
        dates.map(|date| instant_at(zone, date, DIGEST_MINUTE)).find(|at_ms| *at_ms > now_ms)
    }

    /// What the newest digest tells of whose time has come; none without digests.
    pub(super) fn last(self, zone: &Zone, now_ms: i64) -> Option<DigestPeriod> {
        let length = match self {
            Self::None => return None,
            Self::Daily => 1,
            Self::Weekly => 7,
        };
        let today = local_date(zone, now_ms);
        let dates = (0..=7).map(|days| today - Days::new(days));
        let mut dates = dates.filter(|date| self == Self::Daily || date.weekday() == Weekday::Mon);
        let date = dates.find(|date| instant_at(zone, *date, DIGEST_MINUTE) <= now_ms)?;
        let at_ms = instant_at(zone, date, DIGEST_MINUTE);
        Some(DigestPeriod { at_ms, from: date - Days::new(length), to: date - Days::new(1) })
    }
}

impl FromStr for Digest {
    type Err = QueryError;

    fn from_str(name: &str) -> Result<Self, QueryError> {
        let found = Self::ALL.into_iter().find(|digest| digest.name() == name);
        found.ok_or_else(|| QueryError::new("digest", "must be none, daily or weekly"))
    }
}

/// `7:05` or `07:05`.
fn parse_minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok()).flatten();
    let (hour, minute) = (number(hour)?, number(minute)?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn minute_text(minute: u32) -> String {
    let minute = minute % MINUTES_A_DAY;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}
