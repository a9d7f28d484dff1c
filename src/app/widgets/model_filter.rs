//! Which models the page counts: chips for the families that were used, and a field for anything else.

use super::Answer;
use super::range_switch::HiddenParams;
use crate::app::kit::icon::{Icon, IconView};
use crate::app::state::address::{OverviewAddress, use_go_to};
use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// More chips than this would wrap into a wall; the field finds the rest.
const MOST_CHIPS: usize = 6;

#[component]
pub fn ModelFilter(address: Signal<OverviewAddress>, answer: Signal<Answer>) -> impl IntoView {
    let path = use_location().pathname;
    let chosen = move || address.with(|address| address.question.model.clone());
    let chips = move || {
        let families = match chosen() {
            Some(_) => Vec::new(),
            None => answer.with(families_of),
        };
        let chip = |family: String| {
            let href = address.with(|address| path.with(|path| address.with_model(Some(family.clone())).href(path)));
            view! { <a class="chip" href=href data-noscroll="">{family}</a> }
        };
        families.into_iter().map(chip).collect_view()
    };
    let chosen_chip = move || {
        chosen().map(|model| {
            let href = address.with(|address| path.with(|path| address.with_model(None).href(path)));
            view! {
                <a class="chip chip-on" href=href data-noscroll="">
                    {model}
                    <IconView icon=Icon::Close/>
                    <span class="visually-hidden">" (remove this filter)"</span>
                </a>
            }
        })
    };
    let field = NodeRef::<Input>::new();
    let go_to = use_go_to();
    let filter = move |event: SubmitEvent| {
        let Some(field) = field.get_untracked() else { return };
        let model = field.value().trim().to_owned();
        event.prevent_default();
        field.set_value("");
        go_to(&address.with_untracked(|address| address.with_model((!model.is_empty()).then_some(model))));
    };
    view! {
        <div class="filters" role="group" aria-label="Models">
            {chosen_chip}
            {chips}
            <form method="get" action=move || path.get() on:submit=filter>
                <HiddenParams without=&["model"]/>
                <label class="search">
                    <IconView icon=Icon::Search/>
                    <span class="visually-hidden">"Filter by model"</span>
                    <input type="search" name="model" placeholder="Filter by model" maxlength="200" data-key="/" autocomplete="off" node_ref=field/>
                    <kbd aria-hidden="true">"/"</kbd>
                </label>
            </form>
        </div>
    }
    .into_any()
}

fn families_of(answer: &Answer) -> Vec<String> {
    let shares = &answer.report.model_breakdown;
    if shares.len() < 2 {
        return Vec::new();
    }
    shares.iter().take(MOST_CHIPS).map(|share| share.model.clone()).collect()
}
