//! Tokens and cost over the period, bucket by bucket.

use crate::app::charts::{ChartData, ChartFigure, ChartHeight};
use crate::app::kit::card::Panel;
use crate::domain::report::UsageReport;
use leptos::prelude::*;

#[component]
pub fn UsageOverTime(report: Signal<UsageReport>) -> impl IntoView {
    let data = Signal::derive(move || report.with(|report| ChartData::UsageOverTime(report.time_series.clone())));
    view! {
        <Panel id="usage-over-time" class="span-8">
            <ChartFigure id="usage-over-time-chart" title="Usage over time" data height=ChartHeight::Tall/>
        </Panel>
    }
}
