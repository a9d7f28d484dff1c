//! Alerts: which sessions are paused, what happened, why, and whether somebody has seen it. Filters are links and everything
//! that can be said of an alert is a form, so the page needs no scripts.

use crate::app::kit::card::{Card, CardSkeleton};
use crate::app::kit::failure::FailureNote;
use crate::app::server_fns::alerts::{AcknowledgeAlert, MarkAlertNormal, ResumeSession, get_alerts};
use crate::app::state::alerts_address::{AlertShow, AlertsAddress};
use crate::app::widgets::alert_list::AlertListCard;
use crate::app::widgets::live_dot::follow_moves;
use crate::app::widgets::paused_sessions::PausedSessions;
use crate::domain::query::UsageQuery;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

#[component]
pub fn Alerts() -> impl IntoView {
    let params = use_query_map();
    let address = Memo::new(move |_| params.with(AlertsAddress::from_params));
    let acknowledge = ServerAction::<AcknowledgeAlert>::new();
    let mark_normal = ServerAction::<MarkAlertNormal>::new();
    let resume = ServerAction::<ResumeSession>::new();
    let alerts = Resource::new(
        move || (address.get(), acknowledge.version().get(), mark_normal.version().get(), resume.version().get()),
        |(AlertsAddress { show, after }, ..)| get_alerts(show, after),
    );
    follow_moves(Signal::stored(UsageQuery::default()), move || alerts.refetch());
    view! {
        <Title text="Alerts · Tollbridge"/>
        <header class="page-head">
            <div class="page-title"><h1>"Alerts"</h1></div>
            <div class="page-controls"><ShowSwitch address/></div>
        </header>
        <div class="answer">
            <Transition fallback=|| view! { <CardSkeleton class="alerts-card"/> }>
                {move || alerts.get().map(|alerts| match alerts {
                    Ok(list) => view! {
                        <PausedSessions pauses=list.pauses.clone() show=address.get_untracked().show resume/>
                        <AlertListCard list address=address.get_untracked() acknowledge mark_normal/>
                    }.into_any(),
                    Err(error) => view! {
                        <Card id="alert-list" title="Alerts" class="alerts-card"><FailureNote message=error.to_string()/></Card>
                    }.into_any(),
                })}
            </Transition>
        </div>
    }
    .into_any()
}

#[component]
fn ShowSwitch(address: Memo<AlertsAddress>) -> impl IntoView {
    let choice = move |show: AlertShow| {
        let label = match show {
            AlertShow::Open => "Open",
            AlertShow::All => "All",
            AlertShow::Budgets => "Budgets",
            AlertShow::Anomalies => "Anomalies",
        };
        let is_chosen = move || address.with(|address| address.show == show);
        view! {
            <a href=show.href() data-noscroll="" aria-current=move || is_chosen().then_some("true")>{label}</a>
        }
    };
    view! {
        <div class="segments" role="group" aria-label="Which alerts">{AlertShow::ALL.map(choice).into_iter().collect_view()}</div>
    }
}
