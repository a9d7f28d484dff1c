//! The plain projection: the daily average of the period, and thirty days of it.

use crate::app::kit::card::Card;
use crate::domain::money::group_thousands;
use crate::domain::projection::Projection;
use crate::domain::report::UsageReport;
use leptos::prelude::*;

#[component]
pub fn ProjectionCard(report: Signal<UsageReport>) -> impl IntoView {
    view! {
        <Card id="projection" title="Projection" class="span-4">
            <p class="projection-month">
                <strong class="figure">{move || report.with(|report| report.projection.monthly_cost_formatted.clone())}</strong>
                <span class="quiet">" a month at this rate"</span>
            </p>
            {move || report.with(|report| projection_table(&report.projection))}
        </Card>
    }
}

fn projection_table(projection: &Projection) -> impl IntoView + use<> {
    let daily = &projection.daily_average;
    let row = |name: &'static str, day: String, month: String| {
        view! { <tr><th scope="row">{name}</th><td>{day}</td><td>{month}</td></tr> }
    };
    view! {
        <table class="plain-table">
            <thead>
                <tr>
                    <th scope="col"><span class="visually-hidden">"Figure"</span></th>
                    <th scope="col">"Daily average"</th>
                    <th scope="col">"× 30 days"</th>
                </tr>
            </thead>
            <tbody>
                {row("Cost", daily.cost_formatted.clone(), projection.monthly_cost_formatted.clone())}
                {row("Calls", format!("{:.1}", daily.calls), group_thousands(projection.monthly_calls))}
                {row("Tokens", daily.tokens_formatted.clone(), projection.monthly_tokens_formatted.clone())}
            </tbody>
        </table>
    }
}
