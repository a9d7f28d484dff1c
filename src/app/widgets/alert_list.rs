//! The alerts there are: each with its sentence, the figures that it rests on, what brought it about, and what can be
//! said of it.

use crate::app::kit::card::{Card, CardEmpty};
use crate::app::kit::icon::IconView;
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::alerts::{AcknowledgeAlert, AlertList, MarkAlertNormal, ShownAlert, ShownContributor};
use crate::app::state::alerts_address::{AlertShow, AlertsAddress};
use crate::domain::alert::AlertKind;
use crate::domain::query::percent_encode;
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn AlertListCard(
    list: AlertList,
    address: AlertsAddress,
    acknowledge: ServerAction<AcknowledgeAlert>,
    mark_normal: ServerAction<MarkAlertNormal>,
) -> impl IntoView {
    let AlertList { alerts, next, time_zone, .. } = list;
    let AlertsAddress { show, after } = address;
    let none = alerts.is_empty().then(|| view! { <CardEmpty message=nothing_to_show(show, after.is_some())/> });
    let failure = move || {
        let of_one = acknowledge.value().get().and_then(Result::err);
        let error = of_one.or_else(|| mark_normal.value().get().and_then(Result::err))?;
        Some(view! { <Notice level=Level::Critical word="Not saved." message=error.to_string()/> })
    };
    let older = next.map(|cursor| {
        let separator = if show == AlertShow::default() { "?" } else { "&" };
        let href = format!("{}{separator}after={}", show.href(), percent_encode(&cursor));
        view! { <a class="button button-plain" href=href>"Older alerts"</a> }
    });
    let newest = after.map(|_| view! { <a class="button button-plain" href=show.href()>"Back to the newest"</a> });
    view! {
        <Card id="alert-list" title=title_of(show) class="alerts-card" aside=move || view! { <span class="quiet">{format!("Times of {time_zone}")}</span> }>
            {none}
            <ul class="alert-list">
                {alerts.into_iter().map(|alert| view! { <AlertItem alert show acknowledge mark_normal/> }).collect_view()}
            </ul>
            <div role="status">{failure}</div>
            <nav class="alert-pages" aria-label="Pages of alerts">{newest}{older}</nav>
        </Card>
    }
    .into_any()
}

/// What an alert is called, in two or three words.
pub fn word_of(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Budget => "Budget",
        AlertKind::Spike => "Token spike",
        AlertKind::HighCost => "High cost",
        AlertKind::UnusualPattern => "Unusual number of calls",
        AlertKind::Runaway => "Runaway session",
    }
}

fn title_of(show: AlertShow) -> &'static str {
    match show {
        AlertShow::Open => "Open alerts",
        AlertShow::All => "All alerts",
        AlertShow::Budgets => "Crossed thresholds",
        AlertShow::Anomalies => "Anomalies",
    }
}

fn nothing_to_show(show: AlertShow, is_later_page: bool) -> &'static str {
    match show {
        _ if is_later_page => "Nothing older is there.",
        AlertShow::Open => "Nothing needs looking at. What was acknowledged stands under All.",
        AlertShow::All => "Nothing has happened yet: no budget has crossed a threshold, and no day was unusual.",
        AlertShow::Budgets => "No budget has crossed a threshold yet.",
        AlertShow::Anomalies => "No day was unusual yet.",
    }
}

#[component]
fn AlertItem(
    alert: ShownAlert,
    show: AlertShow,
    acknowledge: ServerAction<AcknowledgeAlert>,
    mark_normal: ServerAction<MarkAlertNormal>,
) -> impl IntoView {
    let ShownAlert {
        id,
        kind,
        level,
        message,
        fired,
        figures,
        measured_against,
        contributors,
        href,
        acknowledged,
        is_normal,
    } = alert;
    let level = Level::of_alert(level);
    let figures = figures.into_iter().map(|(name, value)| {
        view! { <div><dt>{name}</dt><dd class="figure">{value}</dd></div> }
    });
    let against =
        measured_against.map(|what| view! { <p class="quiet small">{format!("Measured against {what}.")}</p> });
    let is_anomaly = kind.anomaly().is_some();
    let seen = match (&acknowledged, is_normal) {
        (Some(at), true) => Some(format!("Called normal {at}")),
        (Some(at), false) => Some(format!("Acknowledged {at}")),
        (None, _) => None,
    };
    let seen = seen.map(|text| view! { <span class="quiet small">{text}</span> });
    let acknowledging = acknowledged.is_none().then(|| {
        let fields = fields_of(&id, show);
        let label = format!("Acknowledge: {message}");
        let is_busy = move || acknowledge.pending().get().then_some("true");
        view! {
            <ActionForm action=acknowledge>
                {fields}
                <button class="button button-plain" aria-label=label aria-busy=is_busy>"Acknowledge"</button>
            </ActionForm>
        }
    });
    let calling_normal = (is_anomaly && !is_normal).then(|| {
        let fields = fields_of(&id, show);
        let label = format!("This is normal: {message}");
        let is_busy = move || mark_normal.pending().get().then_some("true");
        view! {
            <ActionForm action=mark_normal>
                {fields}
                <button class="button button-plain" aria-label=label aria-busy=is_busy>"This is normal"</button>
            </ActionForm>
        }
    });
    view! {
        <li class=format!("alert-item {}", level.class()) class:alert-seen=acknowledged.is_some()>
            <IconView icon=level.icon()/>
            <div class="alert-what">
                <p class="alert-head">
                    <strong>{word_of(kind)}</strong>
                    <span class="alert-level">{level.word()}</span>
                    <span class="quiet small figure">{fired}</span>
                </p>
                <p>{message}</p>
                <dl class="alert-figures">{figures.collect_view()}</dl>
                {against}
                <Contributors contributors/>
                <a class="inline-link small" href=href>"See those days on the Overview"</a>
            </div>
            <div class="alert-end">{seen}{acknowledging}{calling_normal}</div>
        </li>
    }
    .into_any()
}

/// What a form says beside its button: about which alert or pause, and what the page shows, to come back to.
pub fn fields_of(id: &str, show: AlertShow) -> impl IntoView + use<> {
    view! {
        <input type="hidden" name="id" value=id.to_owned()/>
        <input type="hidden" name="show" value=show.name()/>
    }
}

#[component]
fn Contributors(contributors: Vec<ShownContributor>) -> impl IntoView {
    let line = |ShownContributor { what, name, cost, href }: ShownContributor| {
        let name = match href {
            Some(href) => view! { <a class="inline-link" href=href>{name}</a> }.into_any(),
            None => view! { <span>{name}</span> }.into_any(),
        };
        view! { <li><span class="quiet">{what}</span>{name}<span class="figure">{cost}</span></li> }
    };
    (!contributors.is_empty()).then(|| {
        view! {
            <details class="contributors">
                <summary>"What it was spent on"</summary>
                <ul>{contributors.into_iter().map(line).collect_view()}</ul>
            </details>
        }
    })
}
