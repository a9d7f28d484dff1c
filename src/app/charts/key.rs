//! A chart's key as HTML: beside a ring, each part's colour, name and share, there before any script is.

use super::data::{ChartData, by_calls};
use super::palette::model_colour_index;
use crate::domain::money::group_thousands;
use crate::domain::report::ModelShare;
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

/// The key of a ring; nothing for charts whose legend is in the drawing.
#[component]
pub fn ChartKey(data: Signal<ChartData>) -> impl IntoView {
    let entries = Memo::new(move |_| key_of(&data.read()));
    view! {
        <ul class="chart-key" hidden=move || entries.read().is_empty()>
            {move || entries.get().into_iter().map(entry_row).collect_view()}
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
