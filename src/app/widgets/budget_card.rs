//! The month's budget: how much of it is spent, where an even pace would be, and whether it will last. The bar is SVG
//! drawn by the server, so that it is there before any script.

use crate::app::format::{counted, day_of_month, month_name, percent};
use crate::app::kit::card::{Card, CardEmpty};
use crate::app::kit::notice::{Level, Pill};
use crate::domain::budget::BudgetStatus;
use crate::domain::forecast::Forecast;
use crate::domain::money::NanoUsd;
use crate::domain::report::UsageReport;
use leptos::prelude::*;

/// `is_filtered`: the rest of the page shows some models only; the budget never does, and then says so.
#[component]
pub fn BudgetCard(report: Signal<UsageReport>, #[prop(into)] is_filtered: Signal<bool>) -> impl IntoView {
    let title = Signal::derive(move || report.with(|report| title_of(report.budget.as_ref())));
    let pill = move || {
        report.with(|report| {
            let (level, label) = verdict(report.budget.as_ref()?, report.forecast.as_ref());
            Some(view! { <Pill level label/> })
        })
    };
    let content = move || {
        report.with(|report| match report.budget.clone() {
            Some(status) => view! { <BudgetStanding status forecast=report.forecast.clone()/> }.into_any(),
            // Everybody has one of their own.
            None => view! { <CardEmpty message="There is no monthly budget for everyone."/> }.into_any(),
        })
    };
    let scope = move || is_filtered.get().then(|| view! { <span class="quiet budget-scope">"all models"</span> });
    view! { <Card id="budget" title class="budget" aside=move || view! { {scope}{pill} }>{content}</Card> }
}

#[component]
fn BudgetStanding(status: BudgetStatus, forecast: Option<Forecast>) -> impl IntoView {
    let remaining = if status.is_over_budget {
        format!("{} over", NanoUsd(status.spent_nano_usd.0.saturating_sub(status.limit_nano_usd.0)))
    } else {
        format!("{} left", status.remaining_formatted)
    };
    let unpriced = (status.unpriced_calls > 0)
        .then(|| view! { <span class="quiet">{format!(" · {} unpriced", counted(status.unpriced_calls, "call", "calls"))}</span> });
    let forecast_words = forecast.as_ref().map(|forecast| {
        let (expected, low, high) = (&forecast.expected_formatted, &forecast.low_formatted, &forecast.high_formatted);
        view! {
            <span class="key key-forecast">
                <span>"Forecast "<strong class="figure">{expected.clone()}</strong>{format!(", likely {low} to {high}")}</span>
            </span>
        }
    });
    view! {
        <div class="budget-figures">
            <p>
                <strong class="budget-spent figure">{status.spent_formatted.clone()}</strong>
                <span class="quiet">{format!(" of {}", status.limit_formatted)}</span>
                {unpriced}
            </p>
            <p class="budget-percent">
                <strong class="figure">{percent(status.percent_used)}</strong>
                <span class="quiet figure">{remaining}</span>
            </p>
        </div>
        <BudgetBar bar=BarLayout::of(&status, forecast.as_ref())/>
        <p class="keys-line">
            <span class="key key-spent">"Spent"</span>
            {forecast_words}
            <span class="key key-pace">{format!("Even pace: {} of the month has passed", percent(status.percent_of_period))}</span>
        </p>
    }
    .into_any()
}

/// Where everything on the bar is, in percent of its width.
#[derive(Clone, Debug, PartialEq)]
struct BarLayout {
    spent: f64,
    /// Where the forecast's middle, low and high end are.
    forecast: Option<[f64; 3]>,
    pace: f64,
    limit: f64,
    limit_label: String,
    thresholds: Vec<ThresholdMark>,
    class: &'static str,
    summary: String,
}

#[derive(Clone, Debug, PartialEq)]
struct ThresholdMark {
    at: f64,
    percent: u32,
    /// Too near to its right neighbour to be named on a narrow screen.
    is_tight: bool,
}

impl BarLayout {
    /// The limit's mark stays well visible: a forecast far above it leaves the bar at the right.
    fn of(status: &BudgetStatus, forecast: Option<&Forecast>) -> Self {
        let limit = status.limit_nano_usd.to_chart_usd().max(f64::MIN_POSITIVE);
        let spent = status.spent_nano_usd.to_chart_usd();
        let reach = forecast.map_or(0.0, |forecast| forecast.high.to_chart_usd() * 1.02).min(limit * 1.6);
        let end = limit.max(reach).max(spent * 1.02);
        let place = |amount: f64| (amount / end * 100.0).clamp(0.0, 100.0);
        let neighbours = status.thresholds.iter().skip(1).copied().chain([100]);
        let marks = status.thresholds.iter().zip(neighbours).filter(|(threshold, _)| **threshold < 100);
        let thresholds = marks.map(|(threshold, next)| ThresholdMark {
            at: place(limit * f64::from(*threshold) / 100.0),
            percent: *threshold,
            is_tight: place(limit * f64::from(next.saturating_sub(*threshold)) / 100.0) < 16.0,
        });
        Self {
            spent: place(spent),
            forecast: forecast.map(|f| [f.expected, f.low, f.high].map(|amount| place(amount.to_chart_usd()))),
            pace: place(limit * status.percent_of_period / 100.0),
            limit: place(limit),
            limit_label: status.limit_formatted.clone(),
            thresholds: thresholds.collect(),
            class: level_of(status).class(),
            summary: summary_of(status, forecast),
        }
    }
}

#[component]
fn BudgetBar(bar: BarLayout) -> impl IntoView {
    let at = |place: f64| format!("{place:.2}%");
    let width = |from: f64, to: f64| format!("{:.2}%", (to - from).max(0.0));
    let forecast = bar.forecast.map(|[expected, low, high]| {
        view! {
            <rect class="bar-band" x=at(low.max(bar.spent)) width=width(low.max(bar.spent), high) y="18" height="16"></rect>
            <rect class="bar-forecast" x=at(bar.spent) width=width(bar.spent, expected) y="18" height="16" fill="url(#hatch)"></rect>
            <line class="bar-expected" x1=at(expected) x2=at(expected) y1="18" y2="34"></line>
        }
    });
    let thresholds = bar.thresholds.iter().map(|mark| {
        let class = if mark.is_tight { "bar-label bar-label-tight" } else { "bar-label" };
        view! {
            <line class="bar-tick" x1=at(mark.at) x2=at(mark.at) y1="18" y2="38"></line>
            <text class=class x=at(mark.at) y="51" text-anchor="middle">{format!("{} %", mark.percent)}</text>
        }
    });
    let limit_anchor = if bar.limit > 94.0 { "end" } else { "middle" };
    view! {
        <svg class=format!("budget-bar {}", bar.class) width="100%" height="54" role="img" aria-label=bar.summary.clone()>
            <defs>
                <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
                    <rect class="hatch-ground" width="6" height="6"></rect>
                    <rect class="hatch-line" width="2" height="6"></rect>
                </pattern>
                <clipPath id="bar-shape"><rect x="0" y="18" width="100%" height="16" rx="5"></rect></clipPath>
            </defs>
            <g clip-path="url(#bar-shape)">
                <rect class="bar-track" x="0" y="18" width="100%" height="16"></rect>
                {forecast}
                <rect class="bar-spent" x="0" y="18" width=at(bar.spent) height="16"></rect>
            </g>
            {thresholds.collect_view()}
            <line class="bar-limit" x1=at(bar.limit) x2=at(bar.limit) y1="14" y2="38"></line>
            <text class="bar-label bar-label-limit" x=at(bar.limit) y="51" text-anchor=limit_anchor>{bar.limit_label.clone()}</text>
            <svg x=at(bar.pace) y="7" overflow="visible"><path class="bar-pace" d="M-5 0h10L0 7Z"></path></svg>
        </svg>
    }
    .into_any()
}

fn title_of(status: Option<&BudgetStatus>) -> String {
    status.map_or_else(|| "Budget".into(), |status| format!("{} budget", month_name(&status.period_start)))
}

/// Amber above the last threshold but one, red when over.
fn level_of(status: &BudgetStatus) -> Level {
    match status {
        _ if status.is_over_budget => Level::Critical,
        _ if is_amber(status) => Level::Warning,
        _ => Level::Good,
    }
}

fn is_amber(status: &BudgetStatus) -> bool {
    let warning = status.thresholds.iter().rev().nth(1).or(status.thresholds.last());
    warning.is_some_and(|percent| status.percent_used >= f64::from(*percent))
}

/// Whether it is fine, in a few words.
fn verdict(status: &BudgetStatus, forecast: Option<&Forecast>) -> (Level, String) {
    let level = level_of(status);
    match &status.runs_out_on {
        _ if status.is_over_budget => (level, "Over budget".into()),
        Some(day) => (level.max(Level::Warning), format!("Runs out on the {}", day_of_month(day))),
        None => match forecast {
            Some(forecast) if forecast.high > status.limit_nano_usd => {
                (level.max(Level::Info), "Should just last".into())
            }
            Some(_) => (Level::Good, format!("Lasts through {}", month_name(&status.period_start))),
            None => (level, "Within budget".into()),
        },
    }
}

fn summary_of(status: &BudgetStatus, forecast: Option<&Forecast>) -> String {
    let spent = format!(
        "{} of {} spent, {}, with {} of the month passed",
        status.spent_formatted,
        status.limit_formatted,
        percent(status.percent_used),
        percent(status.percent_of_period)
    );
    match forecast {
        Some(forecast) => format!("{spent}; {} expected by the end of the month.", forecast.expected_formatted),
        None => format!("{spent}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(spent_cents: i64, percent_used: f64) -> BudgetStatus {
        BudgetStatus {
            spent: spent_cents,
            spent_formatted: "$80.00".into(),
            limit: 10_000,
            limit_formatted: "$100.00".into(),
            remaining: (10_000 - spent_cents).max(0),
            remaining_formatted: "$20.00".into(),
            percent_used,
            is_over_budget: spent_cents > 10_000,
            spent_nano_usd: NanoUsd(spent_cents * 10_000_000),
            limit_nano_usd: NanoUsd(100_000_000_000),
            thresholds: vec![50, 75, 90],
            time_zone: "UTC".into(),
            period_start: "2026-11-01".into(),
            period_end: "2026-12-01".into(),
            percent_of_period: 60.0,
            runs_out_on: None,
            unpriced_calls: 0,
        }
    }

    fn forecast(high_usd: i64) -> Forecast {
        Forecast {
            month: "2026-11".into(),
            spent_so_far: NanoUsd(80_000_000_000),
            expected: NanoUsd(85_000_000_000),
            low: NanoUsd(82_000_000_000),
            high: NanoUsd(high_usd * 1_000_000_000),
            expected_formatted: "$85.00".into(),
            low_formatted: "$82.00".into(),
            high_formatted: String::new(),
            spent_by_day: Vec::new(),
            days: Vec::new(),
            history_days: 30,
            is_weekday_aware: true,
            past_errors: Vec::new(),
        }
    }

    #[test]
    fn the_forecast_is_a_place_on_the_bar() {
        let bar = BarLayout::of(&status(8_000, 80.0), Some(&forecast(125)));
        let [expected, low, high] = bar.forecast.expect("a forecast");
        // 125 × 1.02 = 127.5 dollars is the right end.
        assert!((expected - 66.67).abs() < 0.01 && (low - 64.31).abs() < 0.01 && (high - 98.04).abs() < 0.01);
        assert!((bar.limit - 78.43).abs() < 0.01);
    }

    #[test]
    fn without_a_forecast_the_limit_is_the_right_end() {
        let bar = BarLayout::of(&status(8_000, 80.0), None);
        assert_eq!((bar.spent, bar.pace, bar.limit), (80.0, 60.0, 100.0));
        assert_eq!(bar.thresholds.iter().map(|mark| mark.at).collect::<Vec<_>>(), [50.0, 75.0, 90.0]);
        assert_eq!(bar.thresholds.iter().map(|mark| mark.is_tight).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(bar.class, "level-warning");
    }

    #[test]
    fn overspending_moves_the_limit_to_the_left() {
        let bar = BarLayout::of(&status(20_000, 200.0), None);
        assert!((bar.limit - 49.0).abs() < 0.1, "100 of 204 dollars: {}", bar.limit);
        assert_eq!(bar.class, "level-critical");
    }

    #[test]
    fn the_verdict_says_when_it_runs_out() {
        let runs_out = BudgetStatus { runs_out_on: Some("2026-11-24".into()), ..status(4_000, 40.0) };
        assert_eq!(verdict(&runs_out, None), (Level::Warning, "Runs out on the 24th".into()));
        assert_eq!(verdict(&status(4_000, 40.0), None), (Level::Good, "Within budget".into()));
        let (sure, close) = (forecast(90), forecast(105));
        assert_eq!(verdict(&status(8_000, 80.0), Some(&sure)), (Level::Good, "Lasts through November".into()));
        assert_eq!(verdict(&status(8_000, 80.0), Some(&close)), (Level::Warning, "Should just last".into()));
        assert_eq!(verdict(&status(12_000, 120.0), None), (Level::Critical, "Over budget".into()));
    }
}
