//! Where the month is heading: the forecast, its band, and the error it had in past months.

use crate::app::charts::{ChartData, ChartFigure, ChartHeight, MonthDay, month_days};
use crate::app::format::{month_name, percent};
use crate::app::kit::card::Panel;
use crate::domain::forecast::{Forecast, PastError};
use crate::domain::report::UsageReport;
use leptos::prelude::*;

#[component]
pub fn ForecastCard(report: Signal<UsageReport>) -> impl IntoView {
    let days = Memo::new(move |_| report.with(|report| report.forecast.as_ref().map(month_days).unwrap_or_default()));
    let has_days = Memo::new(move |_| days.with(|days| !days.is_empty()));
    let content = move || match has_days.get() {
        true => view! { <ForecastChart report days/> }.into_any(),
        false => view! { <NoForecast/> }.into_any(),
    };
    view! {
        <Panel id="forecast" class="span-8 stack">
            {content}
            <p class="quiet">{move || report.with(|report| report.forecast.as_ref().map(method_in_words))}</p>
        </Panel>
    }
}

#[component]
fn ForecastChart(report: Signal<UsageReport>, days: Memo<Vec<MonthDay>>) -> impl IntoView {
    let data = Signal::derive(move || ChartData::Forecast {
        days: days.get(),
        limit: report.with(|report| report.budget.as_ref().map(|budget| budget.limit_nano_usd)),
    });
    let summary = Signal::derive(move || {
        report.with(|report| report.forecast.as_ref().map(forecast_in_words).unwrap_or_default())
    });
    view! { <ChartFigure id="forecast-chart" title="Forecast" data summary height=ChartHeight::Low/> }
}

#[component]
fn NoForecast() -> impl IntoView {
    view! {
        <div>
            <h2 class="chart-title">"Forecast"</h2>
            <p class="chart-summary">"There will be a forecast after three days of use."</p>
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::NanoUsd;

    #[test]
    fn past_errors_say_which_way_they_were_off() {
        let error =
            |month: &str, percent| PastError { month: month.into(), forecast: NanoUsd(1), actual: NanoUsd(1), percent };
        let said = past_errors(&[error("2026-10", 4.2), error("2026-09", -1.0)]);
        let expected =
            "On the same day it would have been 4.2\u{202f}% too high in October, 1.0\u{202f}% too low in September.";
        assert_eq!(said.as_deref(), Some(expected));
        assert_eq!(past_errors(&[]), None);
    }
}
