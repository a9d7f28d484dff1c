//! Budgets: what a month may cost, where it stands, and from where on to be told. Saving needs no scripts.

use crate::app::kit::card::{Card, CardSkeleton};
use crate::app::kit::failure::FailureNote;
use crate::app::server_fns::budget::{SaveBudget, get_budget_draft};
use crate::app::server_fns::error::AppError;
use crate::app::server_fns::report::get_report;
use crate::app::state::budget_form::BudgetForm;
use crate::app::widgets::alerts_strip::AlertsStrip;
use crate::app::widgets::budget_card::BudgetCard;
use crate::app::widgets::budget_form::BudgetFormCard;
use crate::domain::query::UsageQuery;
use crate::domain::report::UsageReport;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

#[component]
pub fn Budgets() -> impl IntoView {
    let params = use_query_map();
    let entered = Memo::new(move |_| params.with(BudgetForm::from_params));
    let came_from_saving = Memo::new(move |_| params.with(|params| params.get_str("saved").is_some()));
    let save = ServerAction::<SaveBudget>::new();
    let draft = Resource::new(move || entered.get(), get_budget_draft);
    // Asked again after each attempt to save, so that bar and alerts follow at once.
    let report = Resource::new(move || save.version().get(), |_| get_report(UsageQuery::default()));
    view! {
        <Title text="Budgets · Tollbridge"/>
        <header class="page-head">
            <div class="page-title"><h1>"Budgets"</h1></div>
        </header>
        <div class="answer">
            <Transition fallback=|| view! { <CardSkeleton class="budget"/> }>
                <Standing report/>
            </Transition>
            <div class="cards">
                <Transition fallback=|| view! { <CardSkeleton class="span-8"/> }>
                    {move || draft.get().map(|draft| match draft {
                        Ok(draft) => view! { <BudgetFormCard draft save came_from_saving/> }.into_any(),
                        Err(error) => view! {
                            <Card id="budget-form" title="Monthly limit" class="span-8"><FailureNote message=error.to_string()/></Card>
                        }.into_any(),
                    })}
                </Transition>
                <WhatHappens/>
            </div>
        </div>
    }
    .into_any()
}

/// Where the running month stands, with its alerts: as on the Overview.
#[component]
fn Standing(report: Resource<Result<UsageReport, AppError>>) -> impl IntoView {
    let kept = Memo::new(move |before: Option<&Option<UsageReport>>| match report.get() {
        Some(Ok(report)) => Some(report),
        _ => before.cloned().flatten(),
    });
    let has_report = Memo::new(move |_| kept.with(Option::is_some));
    let failure = Memo::new(move |_| report.get().and_then(Result::err));
    move || {
        if has_report.get() {
            let standing = kept.get_untracked().map(|first| {
                let report = Signal::derive(move || kept.get().unwrap_or_else(|| first.clone()));
                let budget_alerts = Signal::derive(move || UsageReport { anomalies: Vec::new(), ..report.get() });
                view! { <AlertsStrip report=budget_alerts/><BudgetCard report is_filtered=false/> }
            });
            return standing.into_any();
        }
        let note = failure.get().map(|error| {
            view! { <Card id="budget" title="Budget" class="budget"><FailureNote message=error.to_string()/></Card> }
        });
        note.into_any()
    }
}

/// Said plainly, so that nobody relies on what is not there.
#[component]
fn WhatHappens() -> impl IntoView {
    view! {
        <Card id="at-the-limit" title="What a limit does" class="span-4">
            <ul class="plain-list">
                <li>
                    <strong>"It tells you."</strong>
                    " Each threshold that the month crosses stands on the Overview until the month ends."
                </li>
                <li>
                    <strong>"It blocks only if you say so."</strong>
                    " At 100 % your calls go on, unless the budget is set to block: then the gateway refuses them until the month ends."
                </li>
                <li>
                    <strong>"It never resets."</strong>
                    " A month is counted from what was recorded in it, so a call that arrives late still counts in its own month."
                </li>
            </ul>
            <p class="small">
                <a class="inline-link" href=crate::app::state::channel_form::PAGE>"Choose where alerts go"</a>
                <span class="quiet">": mail, Slack, Discord or a webhook."</span>
            </p>
        </Card>
    }
}
