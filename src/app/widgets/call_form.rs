//! The Calculator's question: a call's tokens and the models to compare. A GET form, so the answer has an address.

use crate::app::kit::card::Card;
use crate::app::kit::field::TextField;
use crate::app::kit::icon::{Icon, IconView};
use crate::app::state::calculator_address::{CalculatorAddress, MOST_MODELS, USUAL_MODELS, use_go_to};
use crate::domain::tokens::TokenBucket;
use leptos::ev::SubmitEvent;
use leptos::form::form_data_from_event;
use leptos::prelude::*;

/// Offered beside the usual ones while there is room.
const OTHER_MODELS: [&str; 4] = ["claude-opus-5", "claude-sonnet-5", "gpt-5", "gemini-2.5-pro"];

#[component]
pub fn CallForm(
    address: Memo<CalculatorAddress>,
    /// Suggestions for the field that adds a model.
    names: Vec<String>,
) -> impl IntoView {
    let fault = Memo::new(move |_| address.with(|address| address.tokens().err()));
    let field = move |(index, bucket): (usize, TokenBucket)| {
        let value = Signal::derive(move || address.with(|address| address.counts[index].clone()));
        let wrong = Signal::derive(move || {
            fault.with(|fault| {
                fault.as_ref().filter(|fault| fault.field == bucket.name()).map(|fault| fault.message.clone())
            })
        });
        view! { <TextField name=bucket.name() label=bucket.label() inputmode="numeric" placeholder="0" value fault=wrong/> }
    };
    let go_to = use_go_to();
    let ask = move |event: SubmitEvent| {
        let Ok(data) = form_data_from_event(&event) else { return };
        event.prevent_default();
        let text = |name: &str| data.get(name).as_string().unwrap_or_default();
        let kept = address.get_untracked();
        go_to(&CalculatorAddress {
            counts: TokenBucket::ALL.map(|bucket| text(bucket.name())),
            models: data.get_all("model").iter().filter_map(|model| model.as_string()).collect(),
            against: Some(text("against")),
            search: kept.search,
        });
    };
    view! {
        <Card id="call" title="A call">
            <form method="get" action="/calculator" class="form call-form" on:submit=ask>
                <fieldset class="form-group">
                    <legend class="visually-hidden">"Tokens"</legend>
                    <div class="form-row form-row-6">
                        {TokenBucket::ALL.into_iter().enumerate().map(field).collect_view()}
                    </div>
                </fieldset>
                <fieldset class="form-group">
                    <legend>{format!("Up to {MOST_MODELS} models; one more takes the place of the first")}</legend>
                    <div class="choices">
                        <For each=move || address.with(choices_of) key=Choice::clone children=choice_view/>
                    </div>
                </fieldset>
                <div class="form-foot">
                    <label class="search search-wide">
                        <IconView icon=Icon::Search/>
                        <span class="visually-hidden">"Add a model"</span>
                        <input type="search" name="model" list="model-names" placeholder="Add a model" maxlength="200"
                            autocomplete="off" prop:value=move || { address.track(); "" }/>
                    </label>
                    <datalist id="model-names">
                        {names.into_iter().map(|name| view! { <option value=name></option> }).collect_view()}
                    </datalist>
                    <label class="field field-inline">
                        "Savings against"
                        <select name="against">
                            <For each=move || address.with(measures_of) key=Choice::clone children=measure_view/>
                        </select>
                    </label>
                    <button class="button">"Compare"</button>
                    <a class="quiet-link" href="/calculator" data-noscroll="">"Start over"</a>
                </div>
            </form>
        </Card>
    }
    .into_any()
}

/// A model on offer, and the address for which it is: another address makes new boxes, so that none keeps the tick that
/// a reader gave to what stood there before.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Choice {
    model: String,
    is_chosen: bool,
    href: String,
}

/// The chosen models, then what else is on offer.
fn choices_of(address: &CalculatorAddress) -> Vec<Choice> {
    let href = address.to_href();
    let offered = USUAL_MODELS.into_iter().chain(OTHER_MODELS).map(String::from);
    let offered = offered.filter(|model| !address.models.contains(model)).map(|model| (model, false));
    let chosen = address.models.iter().map(|model| (model.clone(), true));
    chosen.chain(offered).map(|(model, is_chosen)| Choice { model, is_chosen, href: href.clone() }).collect()
}

/// A box that looks like a chip.
fn choice_view(choice: Choice) -> impl IntoView {
    view! {
        <label class="choice">
            <input type="checkbox" name="model" value=choice.model.clone() checked=choice.is_chosen/>
            <span>{choice.model}</span>
        </label>
    }
}

/// What savings can be measured against; the empty name is the dearest.
fn measures_of(address: &CalculatorAddress) -> Vec<Choice> {
    let href = address.to_href();
    let chosen = address.against.clone().unwrap_or_default();
    let all = std::iter::once(String::new()).chain(address.models.iter().cloned());
    all.map(|model| Choice { is_chosen: model == chosen, model, href: href.clone() }).collect()
}

fn measure_view(choice: Choice) -> impl IntoView {
    let label = if choice.model.is_empty() { "the dearest".into() } else { choice.model.clone() };
    view! { <option value=choice.model selected=choice.is_chosen>{label}</option> }
}
