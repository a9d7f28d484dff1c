//! Usage as teams have it: office hours with a lunch dip, quiet weekends, growth, moody days, calls in bursts of very
//! different size, holidays. Into it go anomalies of four kinds, each with a known day.

use super::{Label, Series, weekday_of};
use chrono::{Days, NaiveDate};
use tollbridge::domain::anomaly::robust::HourlyCost;
use tollbridge::domain::money::NanoUsd;

pub const GROUPS: [&str; 4] = [RUNAWAY, NIGHT, DEAR_MODEL, SMALL_BURST];
/// An agent that nobody stops: one and a half to four times the usual day within three hours of the afternoon.
const RUNAWAY: &str = "runaway in the afternoon";
/// A loop from midnight to eight that costs as much as a usual day.
const NIGHT: &str = "loop at night";
/// Everything costs two and a half times as much from the morning on.
const DEAR_MODEL: &str = "dear model all day";
/// Four fifths of a usual day more within one hour: hard to see on a moody day.
const SMALL_BURST: &str = "burst within an hour";

const TEAMS: u64 = 40;
const DAYS: u64 = 182;
const WEEKDAY_PERCENT: [f64; 7] = [95.0, 105.0, 108.0, 102.0, 85.0, 14.0, 9.0];
const HOUR_WEIGHTS: [f64; 24] = [
    0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.8, 3.0, 8.0, 11.0, 10.0, 4.0, 7.0, 11.0, 10.0, 9.0, 5.0, 2.0, 1.0, 1.0, 1.5,
    1.0, 0.4,
];

pub fn series() -> Vec<Series> {
    (0..TEAMS).map(team).collect()
}

fn team(number: u64) -> Series {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (number + 1).wrapping_mul(0xd134_2543_de82_ef95));
    // From $3 to $300 on a working day, growing or shrinking by up to a half.
    let usual_usd = 3.0 * 100.0_f64.powf(random.unit());
    let growth = random.unit() - 0.3;
    let moodiness = 0.15 + 0.35 * random.unit();
    let holiday = 40 + random.below(120);
    let first: NaiveDate = "2026-01-05".parse().unwrap();
    let mut series = Series { days: Vec::new(), labels: Vec::new() };
    for (index, date) in first.iter_days().take(DAYS as usize).enumerate() {
        let mut day = HourlyCost::nothing_on(date);
        let is_holiday = (holiday..holiday + 5).contains(&(index as u64));
        let level = if is_holiday { 0.08 } else { WEEKDAY_PERCENT[weekday_of(&day)] / 100.0 };
        let trend = 1.0 + growth * index as f64 / DAYS as f64;
        let mood = (moodiness * random.normal()).exp();
        for (hour, weight) in day.hours.iter_mut().zip(HOUR_WEIGHTS) {
            // Sessions come in bursts: an hour can be anything around its share of the day.
            let burst = (0.6 * random.normal() - 0.18).exp();
            let usd = usual_usd * level * trend * mood * weight / 86.0 * burst;
            *hour = usd_to_nano(usd);
        }
        series.days.push(day);
        series.labels.push(None);
    }
    // One anomaly about every nine days from the third week on, on working days, a number each.
    let mut at = 21 + random.below(5) as usize;
    for number in 0.. {
        let Some(day) = series.days.get_mut(at) else { break };
        let group = GROUPS[random.below(4) as usize];
        if weekday_of(day) < 5 {
            let trend = 1.0 + growth * at as f64 / DAYS as f64;
            inject(&mut random, day, group, usual_usd * trend);
            series.labels[at] = Some(Label { number, group });
        }
        at += 6 + random.below(7) as usize;
    }
    debug_assert!(series.days.last().is_some_and(|day| day.date == first + Days::new(DAYS - 1)));
    series
}

fn inject(random: &mut Random, day: &mut HourlyCost, group: &str, usual_usd: f64) {
    let mut add = |hour: usize, usd: f64| day.hours[hour].0 += usd_to_nano(usd).0;
    match group {
        RUNAWAY => {
            let extra = usual_usd * (1.5 + 2.5 * random.unit());
            (14..17).for_each(|hour| add(hour, extra / 3.0));
        }
        NIGHT => (0..8).for_each(|hour| add(hour, usual_usd / 8.0)),
        SMALL_BURST => add(9 + random.below(8) as usize, usual_usd * 0.8),
        _ => day.hours.iter_mut().for_each(|hour| hour.0 = hour.0 * 5 / 2),
    }
}

fn usd_to_nano(usd: f64) -> NanoUsd {
    NanoUsd((usd * 1e9) as i64)
}

/// The same numbers in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 up to and without 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.unit() * end as f64) as u64
    }

    /// Twelve uniform ones less six are near enough to a normal one.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
