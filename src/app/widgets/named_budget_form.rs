//! The form that makes or changes one of several budgets. Both sides check it; what was typed stays, and the message stands
//! at its field.

use super::budget_form::at_limit_choices;
use crate::app::kit::card::Card;
use crate::app::kit::field::{Choice, SelectField, TextField};
use crate::app::kit::form_outcome::FormOutcome;
use crate::app::server_fns::budgets::{NamedBudgetDraft, SaveNamedBudget};
use crate::app::state::budget_form::BudgetFault;
use crate::app::state::named_budget_form::{
    AT_LIMIT, LIMIT, MODEL, NAME, NamedBudgetForm, PERIOD, PROJECT, RAISED_LIMIT, RAISED_UNTIL, SCOPE, THRESHOLDS,
    TIME_ZONE,
};
use leptos::ev::SubmitEvent;
use leptos::form::{ActionForm, FromFormData};
use leptos::prelude::*;

#[component]
pub fn NamedBudgetFormCard(draft: NamedBudgetDraft, save: ServerAction<SaveNamedBudget>) -> impl IntoView {
    let NamedBudgetDraft { form, fault, keys, models } = draft;
    let fault = RwSignal::new(fault);
    Effect::new(move |before: Option<()>| {
        let result = save.value().get();
        // The first run finds how the form before this one went.
        if before.is_some() {
            fault.set(result.and_then(Result::err).as_ref().and_then(BudgetFault::of_error));
        }
    });
    let check_first = move |event: SubmitEvent| {
        let Ok(sent) = SaveNamedBudget::from_event(&event) else { return };
        if let Err(found) = form_of(sent).check() {
            event.prevent_default();
            fault.set(Some(found));
        }
    };
    let at = move |field: &'static str| {
        Signal::derive(move || {
            fault.with(|fault| fault.as_ref().filter(|fault| fault.field == field).map(|fault| fault.message.clone()))
        })
    };
    let has_fault = Signal::derive(move || fault.with(Option::is_some));
    // After a save the page shows the list instead of the form, so failures alone are told.
    let result = Signal::derive(move || {
        let error = save.value().get().and_then(Result::err)?;
        BudgetFault::of_error(&error).is_none().then(|| Err(error.to_string()))
    });
    let title = if form.id.is_empty() { "A new budget".to_owned() } else { format!("Change “{}”", form.name) };
    let button = if form.id.is_empty() { "Add budget" } else { "Save changes" };
    let periods = [("day", "Day"), ("week", "Week, from Monday"), ("month", "Month")].map(Choice::of).into();
    let scopes = scopes_of(&keys, &form.scope);
    view! {
        <Card id="budget-edit" title class="span-8">
            <ActionForm action=save on:submit:capture=check_first attr:class="form" attr:novalidate=true>
                <input type="hidden" name="budget_id" value=form.id/>
                <div class="form-row">
                    <TextField name=NAME label="Name" placeholder="Website" value=form.name fault=at(NAME)/>
                    <TextField name=LIMIT label="Spend limit" before="$" inputmode="decimal" value=form.limit fault=at(LIMIT)/>
                </div>
                <div class="form-row">
                    <SelectField name=SCOPE label="Counts" choices=scopes chosen=form.scope fault=at(SCOPE)/>
                    <TextField name=PROJECT label="Project" value=form.project fault=at(PROJECT)
                        hint="For one project's calls; as calls name it."/>
                </div>
                <div class="form-row">
                    <TextField name=MODEL label="Model" list="budget-models" placeholder="All models" value=form.model
                        fault=at(MODEL) hint="A family such as sonnet, or one model."/>
                    <datalist id="budget-models">
                        {models.into_iter().map(|model| view! { <option value=model></option> }).collect_view()}
                    </datalist>
                    <TextField name=THRESHOLDS label="Tell me at" behind="%" value=form.thresholds fault=at(THRESHOLDS)
                        hint="Up to ten, with commas between, or none."/>
                </div>
                <div class="form-row">
                    <SelectField name=PERIOD label="In each" choices=periods chosen=form.period fault=at(PERIOD)/>
                    <TextField name=TIME_ZONE label="Zone of its days" list="time-zones" value=form.time_zone fault=at(TIME_ZONE)/>
                </div>
                <fieldset class="form-group options">
                    <legend>"When all of it is spent"</legend>
                    {at_limit_choices(AT_LIMIT, &form.at_limit)}
                    <p class="field-fault" aria-live="polite">{at(AT_LIMIT)}</p>
                </fieldset>
                <fieldset class="form-group">
                    <legend>"Raise it for a while"</legend>
                    <div class="form-row">
                        <TextField name=RAISED_LIMIT label="Raised limit" before="$" inputmode="decimal" value=form.raised_limit
                            fault=at(RAISED_LIMIT) hint="Empty: not raised."/>
                        <TextField name=RAISED_UNTIL input_type="date" label="Last day" value=form.raised_until fault=at(RAISED_UNTIL)
                            hint="The day after, the usual limit holds again."/>
                    </div>
                </fieldset>
                <div class="form-foot">
                    <button class="button" aria-busy=move || save.pending().get().then_some("true")>{button}</button>
                    <a class="quiet-link" href="/budgets" data-noscroll="">"Cancel"</a>
                    <FormOutcome has_fault result is_pending=save.pending()/>
                </div>
            </ActionForm>
        </Card>
    }
    .into_any()
}

/// The scope that a budget has stays a choice when its key does not work any more.
fn scopes_of(keys: &[(String, String)], chosen: &str) -> Vec<Choice> {
    let usual =
        [("user", "All my calls"), ("project", "One project"), ("everyone", "Everyone's calls")].map(Choice::of);
    let of_keys = keys.iter().map(|(id, name)| Choice { value: format!("key:{id}"), label: format!("Key {name}") });
    let mut scopes: Vec<Choice> = usual.into_iter().chain(of_keys).collect();
    if chosen.starts_with("key:") && scopes.iter().all(|scope| scope.value != chosen) {
        scopes.push(Choice { value: chosen.to_owned(), label: "A key that is revoked".into() });
    }
    scopes
}

fn form_of(sent: SaveNamedBudget) -> NamedBudgetForm {
    NamedBudgetForm {
        id: sent.budget_id,
        name: sent.budget_name,
        scope: sent.budget_scope,
        project: sent.budget_project,
        model: sent.budget_model,
        period: sent.budget_period,
        limit: sent.budget_limit,
        thresholds: sent.budget_thresholds,
        time_zone: sent.budget_time_zone,
        at_limit: sent.budget_at_limit,
        raised_limit: sent.raised_limit,
        raised_until: sent.raised_until,
    }
}
