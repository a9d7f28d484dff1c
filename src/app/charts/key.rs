//! A chart's key as HTML, there before any script is: beside a ring, each part's colour, name and share; above other
//! charts, what their colours and lines mean, in as many rows as the width needs.

use super::data::{BAND, ChartData, CostPart, EXPECTED, LIMIT, SPENT, by_calls, shown_models, used_buckets};
use super::palette::model_colour_index;
use crate::domain::money::group_thousands;
use crate::domain::report::ModelShare;
use crate::domain::tokens::TokenBucket;
use leptos::prelude::*;

/// One part of the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyEntry {
    name: String,
    count: String,
    share: String,
    /// A class of style/charts.css that gives the colour; a style attribute would need a laxer Content-Security-Policy.
    swatch_class: String,
}

/// The key of a ring; nothing for other charts.
#[component]
pub fn ChartKey(data: Signal<ChartData>) -> impl IntoView {
    let entries = Memo::new(move |_| key_of(&data.read()));
    view! {
        <ul class="chart-key" hidden=move || entries.read().is_empty()>
            {move || entries.get().into_iter().map(entry_row).collect_view()}
        </ul>
    }
}

/// The legend of a chart of bars and lines; nothing for a ring and for a heat map.
#[component]
pub fn ChartLegend(data: Signal<ChartData>) -> impl IntoView {
    let entries = Memo::new(move |_| legend_of(&data.read()));
    let row = |(name, swatch): (&'static str, &'static str)| {
        view! {
            <li>
                <span class=swatch aria-hidden="true"></span>
                {name}
            </li>
        }
    };
    view! {
        <ul class="chart-legend" hidden=move || entries.read().is_empty()>
            {move || entries.get().into_iter().map(row).collect_view()}
        </ul>
    }
}

fn entry_row(entry: KeyEntry) -> impl IntoView {
    view! {
        <li class="chart-key-entry">
            <span class=entry.swatch_class aria-hidden="true"></span>
            <span class="chart-key-name">{entry.name}</span>
            <span class="chart-key-count">{entry.count}</span>
            <span class="chart-key-share">{entry.share}</span>
        </li>
    }
}

fn key_of(data: &ChartData) -> Vec<KeyEntry> {
    let ChartData::UsageByModel(shares) = data else { return Vec::new() };
    let families: Vec<&str> = shares.iter().map(|share| share.model.as_str()).collect();
    let entry = |share: &ModelShare| KeyEntry {
        name: share.model.clone(),
        count: group_thousands(share.calls),
        share: format!("{:.1} %", share.percent_of_calls),
        swatch_class: format!("swatch swatch-{}", model_colour_index(&share.model, &families) + 1),
    };
    by_calls(shares).into_iter().map(entry).collect()
}

/// Names, and classes of style/charts.css that show how each is drawn.
fn legend_of(data: &ChartData) -> Vec<(&'static str, &'static str)> {
    let bucket = |bucket: TokenBucket| (bucket.label(), bucket_swatch(bucket));
    match data {
        _ if data.is_empty() => Vec::new(),
        ChartData::UsageOverTime(points) => {
            used_buckets(points).into_iter().map(bucket).chain([("Cost", "swatch swatch-line")]).collect()
        }
        ChartData::CostByModel(models) => {
            let entry = |part| match part {
                CostPart::Bucket(of) => bucket(of),
                CostPart::Fees => (part.label(), "swatch swatch-fees"),
            };
            CostPart::used_by(shown_models(models)).into_iter().map(entry).collect()
        }
        ChartData::Forecast { limit, .. } => {
            let lines =
                [(SPENT, "swatch swatch-spent"), (EXPECTED, "swatch swatch-expected"), (BAND, "swatch swatch-band")];
            lines.into_iter().chain(limit.map(|_| (LIMIT, "swatch swatch-limit"))).collect()
        }
        ChartData::UsageByModel(_) | ChartData::HourOfWeek(_) => Vec::new(),
    }
}

fn bucket_swatch(bucket: TokenBucket) -> &'static str {
    match bucket {
        TokenBucket::Input => "swatch swatch-input",
        TokenBucket::CacheWrite5m => "swatch swatch-cache-write-5m",
        TokenBucket::CacheWrite1h => "swatch swatch-cache-write-1h",
        TokenBucket::CacheRead => "swatch swatch-cache-read",
        TokenBucket::Output => "swatch swatch-output",
        TokenBucket::Thinking => "swatch swatch-thinking",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::charts::fixtures::{point, usage};
    use crate::domain::cost::CostParts;
    use crate::domain::money::NanoUsd;
    use crate::domain::tokens::TokenCounts;

    fn names(data: &ChartData) -> Vec<&'static str> {
        legend_of(data).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_legend_names_only_what_was_used() {
        let tokens = TokenCounts { input: 1_000, output: 50, ..Default::default() };
        let over_time = ChartData::UsageOverTime(vec![point("2026-11-24", tokens, NanoUsd(1_500_000_000))]);
        assert_eq!(names(&over_time), ["Input", "Output", "Cost"]);
        let parts = CostParts { cache_read: NanoUsd(2), fees: NanoUsd(1), ..Default::default() };
        let mut costly = usage("opus", parts);
        costly.totals.cost = NanoUsd(3);
        assert_eq!(names(&ChartData::CostByModel(vec![costly])), ["Cache read", "Tool fees"]);
        assert!(names(&ChartData::UsageByModel(Vec::new())).is_empty());
    }

    #[test]
    fn every_swatch_has_a_colour() {
        let style = include_str!("../../../style/charts.css");
        let buckets = TokenBucket::ALL.map(bucket_swatch);
        let others = ["fees", "line", "spent", "expected", "band", "limit"].map(|name| format!("swatch-{name}"));
        let all = buckets.iter().map(|class| class.trim_start_matches("swatch ").to_string()).chain(others);
        all.for_each(|class| assert!(style.contains(&format!(".{class} {{")), "{class}"));
    }
}
