//! Budgets: what a month may cost, where it stands, and from where on to be told; then the others, each of its own scope.
//! Saving, changing and deleting need no scripts.

use crate::app::kit::card::{Card, CardSkeleton};
use crate::app::kit::failure::FailureNote;
use crate::app::server_fns::budget::{BudgetDraft, SaveBudget, get_budget_draft};
use crate::app::server_fns::budgets::{
    DeleteBudget, SaveNamedBudget, ShownBudget, get_budgets, get_named_budget_draft,
};
use crate::app::server_fns::error::AppError;
use crate::app::server_fns::report::get_report;
use crate::app::state::budget_form::BudgetForm;
use crate::app::state::named_budget_form::{CHANGED_HREF, EDIT, NEW, NamedBudgetForm};
use crate::app::widgets::alerts_strip::AlertsStrip;
use crate::app::widgets::budget_card::BudgetCard;
use crate::app::widgets::budget_form::BudgetFormCard;
use crate::app::widgets::budget_list::BudgetListCard;
use crate::app::widgets::named_budget_form::NamedBudgetFormCard;
use crate::domain::query::UsageQuery;
use crate::domain::report::UsageReport;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};
use leptos_router::params::ParamsMap;

#[component]
pub fn Budgets() -> impl IntoView {
    let params = use_query_map();
    let entered = Memo::new(move |_| params.with(BudgetForm::from_params));
    let came_from_saving = Memo::new(move |_| params.with(|params| params.get_str("saved").is_some()));
    let save = ServerAction::<SaveBudget>::new();
    let draft = Resource::new(move || entered.get(), get_budget_draft);
    // Asked again after each attempt to save, so that bar and alerts follow at once.
    let report = Resource::new(move || save.version().get(), |_| get_report(UsageQuery::default()));
    let save_named = ServerAction::<SaveNamedBudget>::new();
    let delete = ServerAction::<DeleteBudget>::new();
    let attempts = move || (save.version().get(), save_named.version().get(), delete.version().get());
    let budgets = Resource::new(attempts, |_| get_budgets());
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
                    <MonthlyForm draft budgets save came_from_saving/>
                </Transition>
                <WhatHappens/>
                <Others budgets save=save_named delete/>
            </div>
        </div>
    }
    .into_any()
}

/// The form of the first budget, with what that would have told.
#[component]
fn MonthlyForm(
    draft: Resource<Result<BudgetDraft, AppError>>,
    budgets: Resource<Result<Vec<ShownBudget>, AppError>>,
    save: ServerAction<SaveBudget>,
    came_from_saving: Memo<bool>,
) -> impl IntoView {
    let saved = Memo::new(move |_| budgets.get().and_then(Result::ok).and_then(|all| all.into_iter().next()));
    // Apart from what they are, so that the form is not made anew, with all that was typed, when they change.
    let are_known = Memo::new(move |_| budgets.get().is_some());
    move || {
        let (draft, are_known) = (draft.get(), are_known.get());
        draft.filter(|_| are_known).map(|draft| match draft {
            Ok(draft) => view! { <BudgetFormCard draft save came_from_saving saved/> }.into_any(),
            Err(error) => view! {
                <Card id="budget-form" title="Monthly limit" class="span-8"><FailureNote message=error.to_string()/></Card>
            }
            .into_any(),
        })
    }
}

/// The budgets beside the first one, and the form of the one that the address names.
#[component]
fn Others(
    budgets: Resource<Result<Vec<ShownBudget>, AppError>>,
    save: ServerAction<SaveNamedBudget>,
    delete: ServerAction<DeleteBudget>,
) -> impl IntoView {
    let params = use_query_map();
    let came_from_changing = Memo::new(move |_| params.with(|params| params.get_str("changed").is_some()));
    let edited = Memo::new(move |_| params.with(Edited::from_params));
    let draft = Resource::new(
        move || edited.get(),
        |edited| async move {
            match edited {
                Some(Edited { id, entered }) => Some(get_named_budget_draft(id, entered).await),
                None => None,
            }
        },
    );
    let navigate = use_navigate();
    Effect::new(move |before: Option<()>| {
        // As a plain form would: back to the list, which says that it is done.
        if matches!(save.value().get(), Some(Ok(()))) && before.is_some() {
            navigate(CHANGED_HREF, NavigateOptions { replace: true, ..NavigateOptions::default() });
        }
    });
    view! {
        <Transition fallback=|| view! { <CardSkeleton/> }>
            {move || budgets.get().map(|budgets| match budgets {
                Ok(all) => {
                    let budgets = all.into_iter().skip(1).collect();
                    view! { <BudgetListCard budgets delete came_from_changing/> }.into_any()
                }
                Err(error) => view! {
                    <Card id="more-budgets" title="More budgets"><FailureNote message=error.to_string()/></Card>
                }.into_any(),
            })}
            {move || draft.get().flatten().map(|draft| match draft {
                Ok(draft) => view! { <NamedBudgetFormCard draft save/> }.into_any(),
                Err(error) => view! {
                    <Card id="budget-edit" title="Budget" class="span-8"><FailureNote message=error.to_string()/></Card>
                }.into_any(),
            })}
        </Transition>
    }
}

/// Which budget the address asks to change, and what was entered for it. An empty id is one that is to be made.
#[derive(Clone, Debug, PartialEq)]
struct Edited {
    id: String,
    entered: Option<NamedBudgetForm>,
}

impl Edited {
    fn from_params(params: &ParamsMap) -> Option<Self> {
        let id = params.get_str(EDIT)?;
        let id = if id == NEW { String::new() } else { id.to_owned() };
        Some(Self { id, entered: NamedBudgetForm::from_params(params) })
    }
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
