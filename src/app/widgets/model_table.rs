//! Every model of the period in one table, sorted by links, so that sorting works without scripts and can be shared.

use crate::app::charts::model_colour_index;
use crate::app::format::{duration, percent};
use crate::app::kit::card::{Card, CardEmpty};
use crate::app::state::address::{ModelColumn, ModelOrder, OverviewAddress};
use crate::domain::money::{NanoUsd, group_thousands};
use crate::domain::report::{ModelUsage, UsageReport};
use crate::domain::tokens::format_tokens;
use leptos::prelude::*;
use leptos_router::hooks::use_location;
use std::cmp::Ordering;

#[component]
pub fn ModelTable(report: Signal<UsageReport>, address: Signal<OverviewAddress>) -> impl IntoView {
    let order = move || address.with(|address| address.order);
    let count = move || report.with(|report| report.models.len());
    let content = move || {
        if count() == 0 {
            return view! { <CardEmpty message="No model was called in this period."/> }.into_any();
        }
        let rows = report.with(|report| {
            let families: Vec<&str> = report.model_breakdown.iter().map(|share| share.model.as_str()).collect();
            let row = |model: &ModelUsage| view! { <ModelRow colour=model_colour_index(&model.family, &families) model=model.clone()/> };
            sorted(&report.models, order()).iter().map(row).collect_view()
        });
        view! {
            <div class="table-box" tabindex="0" role="region" aria-label="Figures by model">
                <table class="model-table">
                    <thead>
                        <tr>{ModelColumn::ALL.map(|column| view! { <ColumnHead column address/> }).into_iter().collect_view()}</tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
        }
        .into_any()
    };
    view! {
        <Card id="models" title="Models" class="models" aside=move || view! { <span class="quiet figure">{count}</span> }>
            {content}
        </Card>
    }
}

#[component]
fn ColumnHead(column: ModelColumn, address: Signal<OverviewAddress>) -> impl IntoView {
    let path = use_location().pathname;
    let href =
        move || address.with(|address| path.with(|path| address.with_order(address.order.clicked(column)).href(path)));
    let sorting = move || match address.with(|address| address.order) {
        ModelOrder { column: sorted, .. } if sorted != column => None,
        ModelOrder { ascending: true, .. } => Some("ascending"),
        ModelOrder { ascending: false, .. } => Some("descending"),
    };
    view! {
        <th scope="col" aria-sort=sorting>
            <a href=href data-noscroll="">{head(column)}<span class="sort-mark" aria-hidden="true"></span></a>
        </th>
    }
}

fn head(column: ModelColumn) -> &'static str {
    match column {
        ModelColumn::Model => "Model",
        ModelColumn::Calls => "Calls",
        ModelColumn::Input => "Tokens in",
        ModelColumn::Output => "Out",
        ModelColumn::Cached => "Cached",
        ModelColumn::Cost => "Cost",
        ModelColumn::AverageCost => "Per call",
        ModelColumn::AverageTime => "Avg. time",
        ModelColumn::Failures => "Failed",
    }
}

/// Model and provider are other people's text: they stand in table cells only, where they are escaped.
#[component]
fn ModelRow(model: ModelUsage, colour: usize) -> impl IntoView {
    let totals = &model.totals;
    let (input, output, cached) = (input_of(&model), output_of(&model), cached_of(&model));
    let unpriced = (totals.unpriced_calls > 0).then(|| format!("{} unpriced", group_thousands(totals.unpriced_calls)));
    let cost = if is_unpriced(&model) { "unknown".into() } else { model.cost_formatted.clone() };
    let average = if is_unpriced(&model) { "–".into() } else { average_cost(&model).to_string() };
    let failed = if totals.failed_calls == 0 { "–".into() } else { group_thousands(totals.failed_calls) };
    view! {
        <tr>
            <th scope="row">
                <span class="model-name">
                    <span class=format!("swatch swatch-{}", colour + 1) aria-hidden="true"></span>
                    <span>{model.model.clone()}</span>
                </span>
                <span class="model-provider quiet">{model.provider.clone()}</span>
            </th>
            <td>{group_thousands(totals.calls)}<ShareBar share=model.percent_of_calls colour/></td>
            <td title=group_thousands(input)>{format_tokens(input)}</td>
            <td title=group_thousands(output)>{format_tokens(output)}</td>
            <td title=group_thousands(cached)>{format_tokens(cached)}</td>
            <td>
                <strong>{cost}</strong>
                {unpriced.map(|unpriced| view! { <span class="cell-remark">{unpriced}</span> })}
                <ShareBar share=model.percent_of_cost colour/>
            </td>
            <td>{average}</td>
            <td>{model.avg_response_time_ms.map_or_else(|| "–".into(), duration)}</td>
            <td>{failed}</td>
        </tr>
    }
    .into_any()
}

/// A share as a short bar; the figure is in its label.
#[component]
fn ShareBar(share: f64, colour: usize) -> impl IntoView {
    view! {
        <svg class="share-bar" width="100%" height="4" role="img" aria-label=percent(share)>
            <rect class="bar-track" width="100%" height="4" rx="2"></rect>
            <rect class=format!("fill-series-{}", colour + 1) width=format!("{:.1}%", share.clamp(0.0, 100.0)) height="4" rx="2"></rect>
        </svg>
    }
}

fn sorted(models: &[ModelUsage], order: ModelOrder) -> Vec<ModelUsage> {
    let mut models = models.to_vec();
    models.sort_by(|one, other| {
        let compared = compare(one, other, order.column);
        let directed = if order.ascending { compared } else { compared.reverse() };
        directed.then_with(|| one.model.cmp(&other.model))
    });
    models
}

fn compare(one: &ModelUsage, other: &ModelUsage, column: ModelColumn) -> Ordering {
    match column {
        ModelColumn::Model => one.model.cmp(&other.model),
        ModelColumn::Calls => one.totals.calls.cmp(&other.totals.calls),
        ModelColumn::Input => input_of(one).cmp(&input_of(other)),
        ModelColumn::Output => output_of(one).cmp(&output_of(other)),
        ModelColumn::Cached => cached_of(one).cmp(&cached_of(other)),
        ModelColumn::Cost => one.totals.cost.cmp(&other.totals.cost),
        ModelColumn::AverageCost => average_cost(one).cmp(&average_cost(other)),
        ModelColumn::AverageTime => one.avg_response_time_ms.cmp(&other.avg_response_time_ms),
        ModelColumn::Failures => one.totals.failed_calls.cmp(&other.totals.failed_calls),
    }
}

/// The uncached prompt and what was written to the cache: all that went in at full price or above.
fn input_of(model: &ModelUsage) -> u64 {
    model.totals.tokens.prompt().saturating_sub(model.totals.tokens.cache_read)
}

fn output_of(model: &ModelUsage) -> u64 {
    model.totals.tokens.output.saturating_add(model.totals.tokens.thinking)
}

fn cached_of(model: &ModelUsage) -> u64 {
    model.totals.tokens.cache_read
}

/// Over the priced calls only: those without a price would make it look cheaper than it is.
fn average_cost(model: &ModelUsage) -> NanoUsd {
    model.totals.cost.divided_by(model.totals.calls.saturating_sub(model.totals.unpriced_calls))
}

fn is_unpriced(model: &ModelUsage) -> bool {
    model.totals.calls > 0 && model.totals.unpriced_calls == model.totals.calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::UsageTotals;

    fn model(name: &str, calls: u64, unpriced_calls: u64, cost: i64) -> ModelUsage {
        ModelUsage {
            model: name.into(),
            family: name.into(),
            provider: "anthropic".into(),
            totals: UsageTotals { calls, unpriced_calls, cost: NanoUsd(cost), ..Default::default() },
            cost_formatted: String::new(),
            percent_of_calls: 0.0,
            percent_of_cost: 0.0,
            avg_response_time_ms: None,
        }
    }

    #[test]
    fn rows_follow_the_chosen_column_and_equal_ones_their_names() {
        let models = [model("b", 1, 0, 5), model("a", 1, 0, 9), model("c", 7, 0, 1)];
        let names = |column, ascending| {
            let rows = sorted(&models, ModelOrder { column, ascending });
            rows.iter().map(|row| row.model.clone()).collect::<Vec<_>>().concat()
        };
        assert_eq!(names(ModelColumn::Cost, false), "abc");
        assert_eq!(names(ModelColumn::Calls, false), "cab");
        assert_eq!(names(ModelColumn::Calls, true), "abc");
        assert_eq!(names(ModelColumn::Model, true), "abc");
    }

    #[test]
    fn the_average_leaves_out_what_has_no_price() {
        assert_eq!(average_cost(&model("a", 10, 5, 1_000)), NanoUsd(200));
        assert_eq!(average_cost(&model("a", 5, 5, 0)), NanoUsd(0));
        assert!(is_unpriced(&model("a", 5, 5, 0)) && !is_unpriced(&model("a", 0, 0, 0)));
    }
}
