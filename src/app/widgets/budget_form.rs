//! The form that sets the budget. Both sides check it; what was typed stays, and the message stands at its field.

use super::budget_hindsight::HindsightList;
use crate::app::kit::card::Card;
use crate::app::kit::field::TextField;
use crate::app::kit::form_outcome::FormOutcome;
use crate::app::kit::icon::IconView;
use crate::app::kit::notice::Level;
use crate::app::server_fns::budget::{BudgetDraft, SaveBudget};
use crate::app::server_fns::budgets::ShownBudget;
use crate::app::state::budget_form::{AT_LIMIT, BudgetFault, BudgetForm, LIMIT, THRESHOLDS, TIME_ZONE};
use crate::domain::budget::{AtLimit, HINDSIGHT_DAYS};
use leptos::ev::SubmitEvent;
use leptos::form::{ActionForm, FromFormData};
use leptos::prelude::*;

/// What each threshold is called, in rising order.
const LEVELS: [(Level, &str, &str); 3] = [
    (Level::Info, "Note", "Note, percent of the limit"),
    (Level::Warning, "Warning", "Warning, percent of the limit"),
    (Level::Critical, "Critical", "Critical, percent of the limit"),
];

/// Suggestions only: any IANA zone can be typed.
const COMMON_ZONES: [&str; 38] = [
    "UTC",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Africa/Nairobi",
    "America/Bogota",
    "America/Chicago",
    "America/Denver",
    "America/Halifax",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Phoenix",
    "America/Sao_Paulo",
    "America/Toronto",
    "Asia/Bangkok",
    "Asia/Dubai",
    "Asia/Hong_Kong",
    "Asia/Jakarta",
    "Asia/Jerusalem",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Perth",
    "Australia/Sydney",
    "Europe/Amsterdam",
    "Europe/Berlin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Paris",
    "Europe/Rome",
    "Europe/Warsaw",
    "Europe/Zurich",
    "Pacific/Auckland",
];

#[component]
pub fn BudgetFormCard(
    draft: BudgetDraft,
    save: ServerAction<SaveBudget>,
    /// A plain form was saved and has come back to its page.
    came_from_saving: Memo<bool>,
    /// The budget as it is saved; none where it cannot be had.
    saved: Memo<Option<ShownBudget>>,
) -> impl IntoView {
    let fault = RwSignal::new(draft.fault);
    Effect::new(move |_| {
        if let Some(result) = save.value().get() {
            fault.set(result.err().as_ref().and_then(BudgetFault::of_error));
        }
    });
    let check_first = move |event: SubmitEvent| {
        let Ok(sent) = SaveBudget::from_event(&event) else { return };
        let entered = form_of(sent);
        if let Err(found) = entered.check() {
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
    let result = Signal::derive(move || save.value().get().map(|r| r.map(drop).map_err(|error| error.to_string())));
    let BudgetForm { limit, thresholds: [first, second, third], time_zone, at_limit } = draft.form;
    let thresholds = THRESHOLDS.into_iter().zip(LEVELS).zip([first, second, third]);
    view! {
        <Card id="budget-form" title="Monthly limit" class="span-8">
            <ActionForm action=save on:submit:capture=check_first attr:class="form" attr:novalidate=true>
                <div class="form-row">
                    <TextField name=LIMIT label="Limit" before="$" inputmode="decimal" value=limit fault=at(LIMIT)
                        hint="For a calendar month, in US dollars."/>
                    <TextField name=TIME_ZONE label="Time zone" list="time-zones" value=time_zone fault=at(TIME_ZONE)
                        hint="The month begins at midnight there."/>
                    <datalist id="time-zones">
                        {COMMON_ZONES.map(|zone| view! { <option value=zone></option> }).into_iter().collect_view()}
                    </datalist>
                </div>
                <fieldset class="form-group">
                    <legend>"Tell me when this much of it is spent"</legend>
                    <div class="form-row form-row-3">
                        {thresholds
                            .map(|((name, (level, label, spoken_label)), value)| view! {
                                <div class=format!("threshold {}", level.class())>
                                    <IconView icon=level.icon()/>
                                    <TextField name label spoken_label behind="%" inputmode="numeric" value fault=at(name)/>
                                </div>
                            })
                            .collect_view()}
                    </div>
                </fieldset>
                <fieldset class="form-group options">
                    <legend>"When all of it is spent"</legend>
                    {at_limit_choices(AT_LIMIT, &at_limit)}
                    <p class="field-fault" aria-live="polite">{at(AT_LIMIT)}</p>
                </fieldset>
                <div class="form-foot">
                    <button class="button" aria-busy=move || save.pending().get().then_some("true")>"Save budget"</button>
                    <FormOutcome has_fault result is_pending=save.pending() came_from_saving saved_words="Saved. The figures above follow it."/>
                </div>
            </ActionForm>
            {move || saved.get().map(|saved| view! { <Hindsight saved/> })}
        </Card>
    }
    .into_any()
}

/// What the saved budget would have told.
#[component]
fn Hindsight(saved: ShownBudget) -> impl IntoView {
    let ShownBudget { crossings, period, at_limit, .. } = saved;
    view! {
        <section class="hindsight-section" aria-labelledby="hindsight-title">
            <h3 id="hindsight-title">{format!("These would have fired in the last {HINDSIGHT_DAYS} days")}</h3>
            <HindsightList crossings period at_limit/>
            <p class="quiet small">"With the budget as it is saved now."</p>
        </section>
    }
}

/// What happens at a limit, to choose from; `field` is its name in the form.
pub fn at_limit_choices(field: &'static str, chosen: &str) -> impl IntoView + use<> {
    AtLimit::ALL
        .map(|choice| view! { <AtLimitChoice field choice is_chosen=choice.name() == chosen/> })
        .into_iter()
        .collect_view()
}

#[component]
fn AtLimitChoice(field: &'static str, choice: AtLimit, is_chosen: bool) -> impl IntoView {
    let (name, sentence) = match choice {
        AtLimit::Notify => ("Let calls go on", "You are told; nothing is refused."),
        AtLimit::Block => {
            ("Refuse calls", "The gateway answers with an error until the period ends or the limit is raised.")
        }
    };
    view! {
        <label class="option">
            <input type="radio" name=field value=choice.name() checked=is_chosen autocomplete="off"/>
            <span class="option-name">{name}</span>
            <span class="quiet small">{sentence}</span>
        </label>
    }
}

fn form_of(sent: SaveBudget) -> BudgetForm {
    let SaveBudget { limit, threshold_1, threshold_2, threshold_3, time_zone, at_limit } = sent;
    BudgetForm { limit, thresholds: [threshold_1, threshold_2, threshold_3], time_zone, at_limit }
}
