//! The frame of a chart: title, sentence, drawing, table. The same HTML on server and browser; only the inside of the
//! drawing's node belongs to ECharts.

use super::data::ChartData;
use super::key::{ChartKey, ChartLegend};
use super::table::ChartTable;
use leptos::html::Div;
use leptos::prelude::*;

/// How much room the drawing takes. Fixed, so that nothing moves when it appears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChartHeight {
    /// 220 px
    Low,
    /// 280 px
    #[default]
    Middle,
    /// 340 px
    Tall,
}

impl ChartHeight {
    fn class(self) -> &'static str {
        match self {
            Self::Low => "chart-drawing chart-low",
            Self::Middle => "chart-drawing chart-middle",
            Self::Tall => "chart-drawing chart-tall",
        }
    }
}

/// A chart with its title, its sentence and its figures as a table. `id` is unique on the page; `summary` replaces the
/// sentence that the figures give; `on_click` is told the position in the figures (point, model, or
/// weekday × 24 + hour) that was clicked.
#[component]
pub fn ChartFigure(
    #[prop(into)] id: String,
    #[prop(into)] title: String,
    #[prop(into)] data: Signal<ChartData>,
    #[prop(optional, into)] summary: Option<Signal<String>>,
    #[prop(optional)] height: ChartHeight,
    #[prop(optional, into)] on_click: Option<Callback<u32>>,
) -> impl IntoView {
    let node = NodeRef::<Div>::new();
    let is_failed = RwSignal::new(false);
    let summary = summary.unwrap_or_else(|| Signal::derive(move || data.read().summary()));
    let is_empty = Memo::new(move |_| data.read().is_empty());
    let note = move || match (is_empty.get(), is_failed.get()) {
        (true, _) => "No usage in this period".into(),
        (false, true) => "The chart could not be drawn; its figures are below".into(),
        (false, false) => data.read().whole().unwrap_or_default(),
    };
    let title_id = format!("{id}-title");
    let summary_id = format!("{id}-summary");

    #[cfg(feature = "hydrate")]
    super::live::keep_drawn(node, data, on_click, is_failed);
    #[cfg(not(feature = "hydrate"))]
    let _ = on_click;

    view! {
        <figure class="chart" id=id aria-labelledby=title_id.clone()>
            <figcaption class="chart-caption">
                <h2 class="chart-title" id=title_id.clone()>{title}</h2>
                <p class="chart-summary" id=summary_id.clone()>{move || summary.get()}</p>
            </figcaption>
            <ChartLegend data/>
            <div class="chart-body">
                <div class="chart-stage" class:is-empty=move || is_empty.get()>
                    <div
                        class=height.class()
                        node_ref=node
                        role="img"
                        aria-labelledby=title_id.clone()
                        aria-describedby=summary_id
                    ></div>
                    <p class="chart-note">{note}</p>
                </div>
                <ChartKey data/>
            </div>
            <details class="chart-figures">
                <summary>"Figures"</summary>
                <FiguresTable data/>
            </details>
        </figure>
    }
    .into_any()
}

#[component]
fn FiguresTable(data: Signal<ChartData>) -> impl IntoView {
    let table = Memo::new(move |_| ChartTable::of(&data.read()));
    view! {
        <div class="chart-table-box" tabindex="0" role="region" aria-label="Figures">
            <table class="chart-table">
                <thead>
                    <tr>{move || table.read().headers.iter().map(|header| header_cell(header)).collect_view()}</tr>
                </thead>
                <tbody>{move || table.read().rows.iter().map(|row| table_row(row)).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn header_cell(header: &str) -> impl IntoView + use<> {
    view! { <th scope="col">{header.to_owned()}</th> }
}

fn table_row(row: &[String]) -> impl IntoView + use<> {
    let (name, figures) = row.split_first().map(|(name, rest)| (name.clone(), rest.to_vec())).unwrap_or_default();
    let cells = figures.into_iter().map(|figure| view! { <td>{figure}</td> }).collect_view();
    view! {
        <tr>
            <th scope="row">{name}</th>
            {cells}
        </tr>
    }
}
