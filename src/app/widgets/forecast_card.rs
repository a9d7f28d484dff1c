//! Where the month is heading: the forecast, its band, and the error it had in past months.

use crate::app::charts::{ChartData, ChartFigure, ChartHeight, ForecastDay};
use crate::app::format::{month_name, percent};
use crate::app::kit::card::Panel;
use crate::domain::forecast::{Forecast, PastError};
use crate::domain::money::NanoUsd;
use crate::domain::query::Aggregation;
use crate::domain::report::UsageReport;
use chrono::{Datelike, Days, Months, NaiveDate};
use leptos::prelude::*;

#[component]
pub fn ForecastCard(report: Signal<UsageReport>) -> impl IntoView {
    let days = Memo::new(move |_| report.with(forecast_days));
    let has_days = Memo::new(move |_| days.with(|days| !days.is_empty()));
    let content = move || match has_days.get() {
        true => view! { <ForecastChart report days/> }.into_any(),
        false => view! { <ForecastWords report/> }.into_any(),
    };
    view! {
        <Panel id="forecast" class="span-8 stack">
            {content}
            <p class="quiet">{move || report.with(|report| report.forecast.as_ref().map(method_in_words))}</p>
        </Panel>
    }
}

#[component]
fn ForecastChart(report: Signal<UsageReport>, days: Memo<Vec<ForecastDay>>) -> impl IntoView {
    let data = Signal::derive(move || ChartData::Forecast {
        days: days.get(),
        limit: report.with(|report| report.budget.as_ref().map(|budget| budget.limit_nano_usd)),
    });
    let summary = Signal::derive(move || report.with(|report| report.forecast.as_ref().map(forecast_in_words).unwrap_or_default()));
    view! { <ChartFigure id="forecast-chart" title="Forecast" data summary height=ChartHeight::Low/> }
}

/// Where the days of the month are not all in the report, so that there is nothing to draw.
#[component]
fn ForecastWords(report: Signal<UsageReport>) -> impl IntoView {
    let words = move || {
        report.with(|report| report.forecast.as_ref().map_or_else(
            || "There will be a forecast after three days of use.".to_string(),
            forecast_in_words,
        ))
    };
    view! {
        <div>
            <h2 class="chart-title">"Forecast"</h2>
            <p class="chart-summary">{words}</p>
        </div>
    }
}

fn forecast_in_words(forecast: &Forecast) -> String {
    let (expected, low, high) = (&forecast.expected_formatted, &forecast.low_formatted, &forecast.high_formatted);
    format!("{expected} by the end of {}, likely between {low} and {high}.", month_name(&forecast.month))
}

fn method_in_words(forecast: &Forecast) -> String {
    let method = match forecast.is_weekday_aware {
        true => format!("Each weekday by its own habit, from {} days of history.", forecast.history_days),
        false => format!("All days taken alike: there are only {} days of history.", forecast.history_days),
    };
    match past_errors(&forecast.past_errors) {
        Some(past) => format!("{method} {past}"),
        None => method,
    }
}

/// `On the same day it would have been 4.2 % too high in October and 1.0 % too low in September.`
fn past_errors(errors: &[PastError]) -> Option<String> {
    let one = |error: &PastError| {
        let direction = if error.percent < 0.0 { "too low" } else { "too high" };
        format!("{} {direction} in {}", percent(error.percent.abs()), month_name(&error.month))
    };
    let told: Vec<String> = errors.iter().take(3).map(one).collect();
    (!told.is_empty()).then(|| format!("On the same day it would have been {}.", told.join(", ")))
}

/// The month's spend added up day by day, and an even way from today to where the forecast ends. Empty unless the report
/// has every day of the month so far and they add up to what the forecast starts from.
fn forecast_days(report: &UsageReport) -> Vec<ForecastDay> {
    let Some(forecast) = &report.forecast else { return Vec::new() };
    let Ok(first) = format!("{}-01", forecast.month).parse::<NaiveDate>() else { return Vec::new() };
    if report.aggregation != Aggregation::Daily {
        return Vec::new();
    }
    let mut spent = NanoUsd::ZERO;
    let mut days = Vec::new();
    for point in report.time_series.iter().filter(|point| point.date.starts_with(&forecast.month)) {
        spent = NanoUsd(spent.0.saturating_add(point.cost_nano_usd.0));
        days.push(ForecastDay { label: day_label(first, days.len()), actual: Some(spent), expected: None, low: spent, high: spent });
    }
    let is_whole = report.time_series.iter().any(|point| point.date == first.to_string()) && spent == forecast.spent_so_far;
    let Some(today) = days.last_mut().filter(|_| is_whole) else { return Vec::new() };
    today.expected = Some(spent);
    let passed = days.len();
    let to_come = days_in_month(first).saturating_sub(passed);
    for day in 1..=to_come {
        let part = |end: NanoUsd| between(spent, end, day, to_come);
        days.push(ForecastDay {
            label: day_label(first, passed + day - 1),
            actual: None,
            expected: Some(part(forecast.expected)),
            low: part(forecast.low),
            high: part(forecast.high),
        });
    }
    days
}

fn between(from: NanoUsd, to: NanoUsd, step: usize, steps: usize) -> NanoUsd {
    let way = i128::from(to.0) - i128::from(from.0);
    let gone = way * step as i128 / steps.max(1) as i128;
    NanoUsd((i128::from(from.0) + gone) as i64)
}

fn day_label(first: NaiveDate, index: usize) -> String {
    let date = first.checked_add_days(Days::new(index as u64)).unwrap_or(first);
    format!("{} {}", date.day(), &month_name(&first.to_string())[..3])
}

fn days_in_month(first: NaiveDate) -> usize {
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    usize::try_from((next - first).num_days()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_forecast_is_even_and_ends_there() {
        let (from, to) = (NanoUsd(100), NanoUsd(200));
        assert_eq!(between(from, to, 1, 4), NanoUsd(125));
        assert_eq!(between(from, to, 4, 4), NanoUsd(200));
    }

    #[test]
    fn months_have_their_days() {
        let february = NaiveDate::from_ymd_opt(2028, 2, 1).unwrap_or_default();
        assert_eq!(days_in_month(february), 29);
        assert_eq!(day_label(february, 28), "29 Feb");
    }

    #[test]
    fn past_errors_say_which_way_they_were_off() {
        let error = |month: &str, percent| PastError { month: month.into(), forecast: NanoUsd(1), actual: NanoUsd(1), percent };
        let said = past_errors(&[error("2026-10", 4.2), error("2026-09", -1.0)]);
        let expected = "On the same day it would have been 4.2\u{202f}% too high in October, 1.0\u{202f}% too low in September.";
        assert_eq!(said.as_deref(), Some(expected));
        assert_eq!(past_errors(&[]), None);
    }
}
