//! Tokens and cost over the period, bucket by bucket.

use crate::app::charts::{ChartData, ChartFigure, ChartHeight};
use crate::app::kit::card::Card;
use crate::domain::query::Aggregation;
use crate::domain::report::UsageReport;
use leptos::prelude::*;

#[component]
pub fn UsageOverTime(report: Signal<UsageReport>) -> impl IntoView {
    let data = Signal::derive(move || report.with(|report| ChartData::UsageOverTime(report.time_series.clone())));
    let width = move || report.with(|report| bucket_width(report.aggregation));
    view! {
        <Card id="usage-over-time" title="Usage over time" class="span-8" aside=move || view! { <span class="quiet">{width}</span> }>
            <ChartFigure id="usage-over-time-chart" title="Usage over time" data height=ChartHeight::Tall/>
        </Card>
    }
}

fn bucket_width(aggregation: Aggregation) -> &'static str {
    match aggregation {
        Aggregation::Hourly => "by the hour",
        Aggregation::Daily => "by day",
        Aggregation::Weekly => "by week",
        Aggregation::Monthly => "by month",
    }
}
