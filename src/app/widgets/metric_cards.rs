//! The four key figures, each with its change against the period before, its run, and what is uncertain about it.

use crate::app::charts::Sparkline;
use crate::app::format::{Change, change, counted};
use crate::app::kit::change::ChangeView;
use crate::domain::money::{format_cost, group_thousands};
use crate::domain::report::{Summary, TimePoint, UsageReport};
use crate::domain::tokens::{TokenBucket, format_tokens};
use leptos::prelude::*;

/// One figure of a summary and how to say it.
#[derive(Clone, Copy)]
struct Metric {
    label: &'static str,
    shown: fn(&Summary) -> String,
    /// The full figure, on hover.
    exact: fn(&Summary) -> String,
    /// For the change and the run only.
    value: fn(&Summary) -> f64,
    run: fn(&TimePoint) -> f64,
    /// What is uncertain, or good to know.
    remark: fn(&Summary) -> Option<String>,
}

const METRICS: [Metric; 4] = [
    Metric {
        label: "Total cost",
        shown: |summary| format_cost(summary.total_cost_nano_usd),
        exact: |summary| format!("${}", summary.total_cost_usd),
        value: |summary| summary.total_cost_nano_usd.to_chart_usd(),
        run: |point| point.cost_nano_usd.to_chart_usd(),
        remark: cost_remark,
    },
    Metric {
        label: "Total calls",
        shown: |summary| group_thousands(summary.total_calls),
        exact: |summary| group_thousands(summary.total_calls),
        value: |summary| summary.total_calls as f64,
        run: |point| point.calls as f64,
        remark: |summary| {
            (summary.failed_calls > 0).then(|| format!("{} failed", group_thousands(summary.failed_calls)))
        },
    },
    Metric {
        label: "Total tokens",
        shown: |summary| format_tokens(summary.total_tokens),
        exact: |summary| group_thousands(summary.total_tokens),
        value: |summary| summary.total_tokens as f64,
        run: |point| point.tokens as f64,
        remark: cache_remark,
    },
    Metric {
        label: "Average cost per call",
        shown: |summary| format_cost(summary.avg_cost_per_call_nano_usd),
        exact: |summary| format!("${}", summary.avg_cost_per_call_usd),
        value: |summary| summary.avg_cost_per_call_nano_usd.to_chart_usd(),
        run: |point| if point.calls == 0 { 0.0 } else { point.cost_nano_usd.to_chart_usd() / point.calls as f64 },
        remark: |summary| {
            (summary.total_calls > 0).then(|| format!("{} tokens per call", format_tokens(summary.avg_tokens_per_call)))
        },
    },
];

#[component]
pub fn MetricCards(report: Signal<UsageReport>, #[prop(into)] compare: Signal<bool>) -> impl IntoView {
    let cards = METRICS.map(|metric| view! { <MetricCard metric report compare/> });
    view! { <section id="figures" class="card metrics" aria-label="Key figures">{cards.into_iter().collect_view()}</section> }
    .into_any()
}

#[component]
fn MetricCard(metric: Metric, report: Signal<UsageReport>, compare: Signal<bool>) -> impl IntoView {
    let summary = move |say: fn(&Summary) -> String| report.with(|report| say(&report.summary));
    let run =
        Signal::derive(move || report.with(|report| report.time_series.iter().map(metric.run).collect::<Vec<f64>>()));
    let before = move || {
        let before = report.with(|report| report.summary.previous.as_deref().map(metric.shown));
        before
            .filter(|_| compare.get())
            .map(|before| view! { <span class="metric-before">{format!("{before} before")}</span> })
    };
    view! {
        <div class="metric">
            <h2 class="metric-label">{metric.label}</h2>
            <p class="metric-figure figure" title=move || summary(metric.exact)>{move || summary(metric.shown)}</p>
            <p class="metric-change">
                {move || { let change = report.with(|report| change_of(&metric, &report.summary)); view! { <ChangeView change/> } }}
                {before}
            </p>
            <p class="metric-remark">{move || report.with(|report| (metric.remark)(&report.summary))}</p>
            <Sparkline values=run/>
        </div>
    }
    .into_any()
}

fn change_of(metric: &Metric, now: &Summary) -> Option<Change> {
    let before = now.previous.as_deref()?;
    change((metric.value)(now), (metric.value)(before))
}

/// Unknown is not zero: a total says so when part of it is missing or a guess.
fn cost_remark(summary: &Summary) -> Option<String> {
    let unpriced =
        (summary.unpriced_calls > 0).then(|| format!("{} unpriced", counted(summary.unpriced_calls, "call", "calls")));
    let estimated =
        (summary.estimated_calls > 0).then(|| format!("{} estimated", group_thousands(summary.estimated_calls)));
    let remarks: Vec<String> = unpriced.into_iter().chain(estimated).collect();
    (!remarks.is_empty()).then(|| remarks.join(" · "))
}

fn cache_remark(summary: &Summary) -> Option<String> {
    let prompt = summary.tokens.prompt();
    let read = summary.tokens.of(TokenBucket::CacheRead);
    (prompt > 0 && read > 0).then(|| {
        let share = u128::from(read) * 100 / u128::from(prompt);
        format!("{share}\u{202f}% of the prompts from cache")
    })
}
