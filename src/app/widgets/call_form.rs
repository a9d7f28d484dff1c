//! The Calculator's question: a call's tokens and the models to compare. A GET form, so the answer has an address.

use crate::app::kit::card::Card;
use crate::app::kit::field::TextField;
use crate::app::kit::icon::{Icon, IconView};
use crate::app::state::calculator_address::{CalculatorAddress, MOST_MODELS, USUAL_MODELS};
use crate::domain::tokens::TokenBucket;
use leptos::prelude::*;
use leptos_router::components::Form;

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
    view! {
        <Card id="call" title="A call">
            <Form method="GET" action="/calculator" noscroll=true attr:class="form call-form">
                <fieldset class="form-group">
                    <legend class="visually-hidden">"Tokens"</legend>
                    <div class="form-row form-row-6">
                        {TokenBucket::ALL.into_iter().enumerate().map(field).collect_view()}
                    </div>
                </fieldset>
                <fieldset class="form-group">
                    <legend>{format!("Models, up to {MOST_MODELS}")}</legend>
                    <div class="choices">{move || address.with(choices)}</div>
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
                        <select name="against">{move || address.with(measures)}</select>
                    </label>
                    <button class="button">"Compare"</button>
                    <a class="quiet-link" href="/calculator" data-noscroll="">"Start over"</a>
                </div>
            </Form>
        </Card>
    }
    .into_any()
}

/// The chosen models, then what else is on offer: each a box that looks like a chip.
fn choices(address: &CalculatorAddress) -> impl IntoView + use<> {
    let chosen = address.models.clone();
    let offered = USUAL_MODELS.into_iter().chain(OTHER_MODELS).map(String::from);
    let offered: Vec<String> = offered.filter(|model| !chosen.contains(model)).collect();
    let choice = |(model, is_chosen): (String, bool)| {
        view! {
            <label class="choice">
                <input type="checkbox" name="model" value=model.clone() checked=is_chosen/>
                <span>{model}</span>
            </label>
        }
    };
    let chosen = chosen.into_iter().map(|model| (model, true));
    chosen.chain(offered.into_iter().map(|model| (model, false))).map(choice).collect_view()
}

fn measures(address: &CalculatorAddress) -> impl IntoView + use<> {
    let chosen = address.against.clone();
    let is_dearest = chosen.is_none();
    let model = |model: String| {
        let is_chosen = chosen.as_ref() == Some(&model);
        view! { <option value=model.clone() selected=is_chosen>{model.clone()}</option> }
    };
    view! {
        <option value="" selected=is_dearest>"the dearest"</option>
        {address.models.clone().into_iter().map(model).collect_view()}
    }
}
