//! The robust rule: what today has cost by this hour, against what days like it had cost by the same hour. Median and
//! median absolute deviation take the place of mean and multiples, so one wild day does not become the new normal
//! (Iglewicz and Hoaglin 1993: unusual is what lies more than 3.5 deviations off).

use super::{Anomaly, AnomalyKind, Severity};
use crate::domain::money::{NanoUsd, format_cost};
use chrono::{Datelike, NaiveDate, TimeDelta, Weekday};

/// How far back days are compared with, today not counted.
pub const BASELINE_DAYS: i64 = 56;
/// How long a day that was called normal counts as such.
const NORMAL_FOR_DAYS: i64 = 28;
/// Days of other weekdays are only taken from the last weeks.
const FALLBACK_DAYS: i64 = 28;
/// Fewer days than this are no pattern.
const USABLE_DAYS: usize = 3;
/// Less than this above normal is not worth a word: one dollar.
const FLOOR_NANO_USD: i128 = 1_000_000_000;
/// Nor is less than this share of what a whole day like it costs, however regular the days before were: any call at three
/// in the morning may be unusual, but few are worth a word. `make bench-anomaly` shows what it is worth.
const DAY_PERCENT: i128 = 75;
/// 3.5 deviations of 1.4826 times the median absolute deviation each, in thousandths: 5.189.
const DEVIATIONS_PERMILLE: i128 = 5_189;
/// What is further off than a hundred times is as good as infinitely far, and keeps the sums in range.
const MAX_DEVIATION_PERMILLE: i128 = 100_000;
/// A day that was called normal stands for days a quarter dearer than itself.
const TAUGHT_PERCENT: i128 = 125;
/// From so many times the allowance above normal on it is serious.
const HIGH_ALLOWANCES: i128 = 4;

/// What a day has cost, hour by hour on the local clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourlyCost {
    pub date: NaiveDate,
    pub hours: [NanoUsd; 24],
}

/// The days that today is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Weekday(Weekday),
    WorkingDays,
    Weekends,
    AnyDay,
}

/// Whether today is unusually dear by `hour` (0 to 23, the running one). `earlier` are days before today in any order;
/// days on which nothing was spent say nothing and may be left out. `normal_days` are days that somebody called normal:
/// for four weeks, a day of the same weekday may cost as much by the same hour, and a quarter more.
///
/// The running hour counts in full on the days before and as far as it has come today, so it errs on the quiet side.
/// Days of the same weekday are compared with if there are three within eight weeks, else working days or weekends of
/// the last four weeks, else any days of them; with fewer than three there is no answer.
pub fn detect(today: &HourlyCost, hour: usize, earlier: &[HourlyCost], normal_days: &[NaiveDate]) -> Option<Anomaly> {
    let usable = usable_before(today.date, earlier);
    let (likeness, days) = days_like(today.date, today.date, &usable)?;
    let current = today.by(hour);
    let by_hour: Vec<i128> = days.iter().map(|day| day.by(hour)).collect();
    let normal = median(by_hour);
    let whole_day = median(days.iter().map(|day| day.by(23)).collect());
    let least = (whole_day * DAY_PERCENT / 100).max(FLOOR_NANO_USD);
    // Most days end here, before the part that takes long.
    if current <= normal + least {
        return None;
    }
    let deviation = normal * deviation_permille(today.date, hour, &usable) / 1_000;
    let allowance = (deviation * DEVIATIONS_PERMILLE / 1_000).max(least);
    let taught = taught_by(today.date, hour, earlier, normal_days);
    if current <= (normal + allowance).max(taught) {
        return None;
    }
    let excess = current - normal;
    let is_high = excess > allowance * HIGH_ALLOWANCES;
    let cents = |nanos: i128| nanos as f64 / 10_000_000.0;
    Some(Anomaly {
        kind: AnomalyKind::HighCost,
        severity: if is_high { Severity::High } else { Severity::Medium },
        description: describe(current, normal, deviation, hour, likeness, days.len()),
        current_value: cents(current),
        normal_value: cents(normal),
        difference: if normal > 0 { (excess as f64 * 1_000.0 / normal as f64).round() / 10.0 } else { 0.0 },
    })
}

impl HourlyCost {
    pub fn nothing_on(date: NaiveDate) -> Self {
        Self { date, hours: [NanoUsd::ZERO; 24] }
    }

    /// What had been spent by the end of an hour.
    fn by(&self, hour: usize) -> i128 {
        self.hours.iter().take(hour + 1).map(|cost| i128::from(cost.0)).sum()
    }
}

impl Likeness {
    fn holds(self, date: NaiveDate) -> bool {
        match self {
            Self::Weekday(weekday) => date.weekday() == weekday,
            Self::WorkingDays => !is_weekend(date),
            Self::Weekends => is_weekend(date),
            Self::AnyDay => true,
        }
    }

    fn reaches_back_days(self) -> i64 {
        match self {
            Self::Weekday(_) => BASELINE_DAYS,
            Self::WorkingDays | Self::Weekends | Self::AnyDay => FALLBACK_DAYS,
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Self::Weekday(Weekday::Mon) => "Mondays",
            Self::Weekday(Weekday::Tue) => "Tuesdays",
            Self::Weekday(Weekday::Wed) => "Wednesdays",
            Self::Weekday(Weekday::Thu) => "Thursdays",
            Self::Weekday(Weekday::Fri) => "Fridays",
            Self::Weekday(Weekday::Sat) => "Saturdays",
            Self::Weekday(Weekday::Sun) => "Sundays",
            Self::WorkingDays => "working days",
            Self::Weekends => "weekend days",
            Self::AnyDay => "days",
        }
    }
}

/// The days before today on which anything was spent, as far back as any comparison goes.
fn usable_before(today: NaiveDate, earlier: &[HourlyCost]) -> Vec<&HourlyCost> {
    let first = today - TimeDelta::days(BASELINE_DAYS);
    earlier.iter().filter(|day| day.date < today && day.date >= first && day.by(23) > 0).collect()
}

/// What a day is compared with, seen from today: days from the most alike to the least; none where there are too few of
/// any kind.
fn days_like<'a>(
    date: NaiveDate,
    today: NaiveDate,
    usable: &[&'a HourlyCost],
) -> Option<(Likeness, Vec<&'a HourlyCost>)> {
    let week_part = if is_weekend(date) { Likeness::Weekends } else { Likeness::WorkingDays };
    [Likeness::Weekday(date.weekday()), week_part, Likeness::AnyDay].into_iter().find_map(|likeness| {
        let first = today - TimeDelta::days(likeness.reaches_back_days());
        let is_like = |day: &&&HourlyCost| day.date >= first && likeness.holds(day.date);
        let days: Vec<&HourlyCost> = usable.iter().filter(is_like).copied().collect();
        (days.len() >= USABLE_DAYS).then_some((likeness, days))
    })
}

/// How far days are off what is normal for days like them by this hour, in thousandths of it: the median over all of
/// them, because the few days of one weekday tell their middle well and their spread badly.
fn deviation_permille(today: NaiveDate, hour: usize, usable: &[&HourlyCost]) -> i128 {
    let off = |day: &&HourlyCost| {
        let (_, like) = days_like(day.date, today, usable)?;
        let normal = median(like.iter().map(|day| day.by(hour)).collect());
        (normal > 0).then(|| ((day.by(hour) - normal).abs() * 1_000 / normal).min(MAX_DEVIATION_PERMILLE))
    };
    median(usable.iter().filter_map(off).collect())
}

/// What may be spent by the hour because somebody called a day like it normal; zero where nobody has.
fn taught_by(today: NaiveDate, hour: usize, earlier: &[HourlyCost], normal_days: &[NaiveDate]) -> i128 {
    let first = today - TimeDelta::days(NORMAL_FOR_DAYS);
    let is_taught = |day: &&HourlyCost| {
        normal_days.contains(&day.date)
            && day.date < today
            && day.date >= first
            && day.date.weekday() == today.weekday()
    };
    let dearest = earlier.iter().filter(is_taught).map(|day| day.by(hour)).max();
    dearest.unwrap_or_default() * TAUGHT_PERCENT / 100
}

fn is_weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<i128>) -> i128 {
    values.sort_unstable();
    let middle = values.len() / 2;
    match values.len() {
        0 => 0,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2,
    }
}

fn describe(current: i128, normal: i128, deviation: i128, hour: usize, likeness: Likeness, days: usize) -> String {
    let amount = |nanos: i128| format_cost(NanoUsd(i64::try_from(nanos).unwrap_or(i64::MAX)));
    let (current, normal, deviation) = (amount(current), amount(normal), amount(deviation));
    format!(
        "{current} spent so far today. On the {days} {} before, it was {normal} by {:02}:00, give or take {deviation}.",
        likeness.plural(),
        hour + 1
    )
}

#[cfg(test)]
mod tests;
