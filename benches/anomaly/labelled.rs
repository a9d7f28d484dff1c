//! The labelled series, scaled so that the median day of each costs $20: the rules have floors in dollars.

use super::{Label, Series};
use std::collections::BTreeMap;
use tollbridge::domain::anomaly::robust::HourlyCost;
use tollbridge::domain::money::NanoUsd;

const MEDIAN_DAY_NANO_USD: f64 = 20e9;

/// Reads lines of series, date, number of the labelled window (or nothing), and 24 hourly sums.
pub fn series(text: &str) -> Vec<Series> {
    let mut rows: BTreeMap<&str, Vec<(HourlyCost, Option<Label>)>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let mut day = HourlyCost::nothing_on(fields[1].parse().unwrap());
        for (hour, count) in day.hours.iter_mut().zip(&fields[3..]) {
            *hour = NanoUsd(count.parse().unwrap());
        }
        let label = fields[2].parse().ok().map(|number| Label { number, group: "labelled" });
        rows.entry(fields[0]).or_default().push((day, label));
    }
    rows.into_values().map(scaled).collect()
}

fn scaled(rows: Vec<(HourlyCost, Option<Label>)>) -> Series {
    let (mut days, labels): (Vec<HourlyCost>, Vec<Option<Label>>) = rows.into_iter().unzip();
    let mut totals: Vec<i64> = days.iter().map(|day| day.hours.iter().map(|hour| hour.0).sum()).collect();
    totals.sort_unstable();
    let scale = MEDIAN_DAY_NANO_USD / totals[totals.len() / 2] as f64;
    for hour in days.iter_mut().flat_map(|day| &mut day.hours) {
        *hour = NanoUsd((hour.0 as f64 * scale) as i64);
    }
    Series { days, labels }
}
