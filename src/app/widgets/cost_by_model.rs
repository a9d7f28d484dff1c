//! What each model cost, split by what was paid for: input, cache, output, thinking, fees.

use crate::app::charts::{ChartData, ChartFigure, ChartHeight};
use crate::app::kit::card::Panel;
use crate::domain::report::UsageReport;
use leptos::prelude::*;

#[component]
pub fn CostByModel(report: Signal<UsageReport>) -> impl IntoView {
    let data = Signal::derive(move || report.with(|report| ChartData::CostByModel(report.models.clone())));
    view! {
        <Panel id="cost-by-model" class="span-6 fill">
            <ChartFigure id="cost-by-model-chart" title="Cost by model" data height=ChartHeight::Middle/>
        </Panel>
    }
}
