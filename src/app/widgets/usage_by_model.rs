//! Which models were called: each family's share of the calls.

use crate::app::charts::{ChartData, ChartFigure, ChartHeight};
use crate::app::kit::card::Panel;
use crate::domain::report::UsageReport;
use leptos::prelude::*;

#[component]
pub fn UsageByModel(report: Signal<UsageReport>) -> impl IntoView {
    let data = Signal::derive(move || report.with(|report| ChartData::UsageByModel(report.model_breakdown.clone())));
    view! {
        <Panel id="usage-by-model" class="span-4">
            <ChartFigure id="usage-by-model-chart" title="Usage by model" data height=ChartHeight::Low/>
        </Panel>
    }
}
