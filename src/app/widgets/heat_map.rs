//! When the money goes: spend by hour of the week. It is fetched by itself, so it can fail by itself.

use crate::app::charts::{ChartData, ChartFigure, ChartHeight};
use crate::app::kit::card::{CardEmpty, Panel};
use crate::app::server_fns::error::AppError;
use crate::domain::heat_map::HeatMap;
use leptos::prelude::*;

/// `heat_map` is none while the first answer is on its way.
#[component]
pub fn HeatMapCard(#[prop(into)] heat_map: Signal<Option<Result<HeatMap, AppError>>>) -> impl IntoView {
    let is_ready = Memo::new(move |_| heat_map.with(|answer| matches!(answer, Some(Ok(_)))));
    let data = Signal::derive(move || heat_map.with(|answer| chart_data(answer.as_ref())));
    let content = move || {
        if is_ready.get() {
            return Ok(
                view! { <ChartFigure id="heat-map-chart" title="Hours of the week" data height=ChartHeight::Middle/> }
                    .into_any(),
            );
        }
        heat_map.with(|answer| match answer {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(view! { <CardEmpty message="Adding up the hours of the week"/> }.into_any()),
        })
    };
    view! {
        <Panel id="heat-map" class="span-6 fill">{content}</Panel>
    }
}

fn chart_data(answer: Option<&Result<HeatMap, AppError>>) -> ChartData {
    let cells = answer.and_then(|answer| answer.as_ref().ok()).map(|heat_map| heat_map.cost);
    ChartData::HourOfWeek(Box::new(cells.unwrap_or_default()))
}
