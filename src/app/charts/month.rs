//! The running month day by day, for the forecast's chart: what was spent until today, what is expected from today on.

use super::axis_text::short_date;
use super::data::MonthDay;
use crate::domain::forecast::Forecast;
use crate::domain::money::NanoUsd;

/// The days of the forecast's month. Today is the last day of what was spent and the first of what is expected, so that
/// the two lines meet there.
pub fn month_days(forecast: &Forecast) -> Vec<MonthDay> {
    let mut spent = NanoUsd::ZERO;
    let mut days: Vec<MonthDay> = Vec::new();
    for (index, own) in forecast.spent_by_day.iter().enumerate() {
        spent = NanoUsd(spent.0.saturating_add(own.0));
        let label = short_date(&format!("{}-{:02}", forecast.month, index + 1));
        days.push(MonthDay { label, actual: Some(spent), expected: None, low: NanoUsd::ZERO, high: NanoUsd::ZERO });
    }
    for day in &forecast.days {
        let label = short_date(&day.date);
        let is_today = days.last().is_some_and(|last| last.label == label);
        let actual = if is_today { days.pop().and_then(|today| today.actual) } else { None };
        days.push(MonthDay { label, actual, expected: Some(day.expected), low: day.low, high: day.high });
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::forecast::ForecastDay;

    #[test]
    fn spend_and_forecast_meet_today() {
        let day = |date: &str, expected, low, high| ForecastDay {
            date: date.into(),
            expected: NanoUsd(expected),
            low: NanoUsd(low),
            high: NanoUsd(high),
        };
        let forecast = Forecast {
            month: "2026-11".into(),
            spent_so_far: NanoUsd(300),
            expected: NanoUsd(480),
            low: NanoUsd(430),
            high: NanoUsd(560),
            expected_formatted: String::new(),
            low_formatted: String::new(),
            high_formatted: String::new(),
            spent_by_day: vec![NanoUsd(100), NanoUsd(50), NanoUsd(150)],
            days: vec![day("2026-11-03", 320, 310, 340), day("2026-11-04", 480, 430, 560)],
            history_days: 30,
            is_weekday_aware: false,
            past_errors: Vec::new(),
        };
        let days = month_days(&forecast);

        assert_eq!(days.iter().map(|day| day.label.as_str()).collect::<Vec<_>>(), ["1 Nov", "2 Nov", "3 Nov", "4 Nov"]);
        assert_eq!((days[1].actual, days[1].expected), (Some(NanoUsd(150)), None));
        assert_eq!((days[2].actual, days[2].expected), (Some(NanoUsd(300)), Some(NanoUsd(320))));
        assert_eq!((days[3].actual, days[3].expected), (None, Some(NanoUsd(480))));
        assert_eq!((days[3].low, days[3].high), (NanoUsd(430), NanoUsd(560)));
    }
}
