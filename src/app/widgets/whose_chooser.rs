//! Whose figures the page shows, for who may choose. A GET form, so that it works before and without WebAssembly; `boot.js`
//! sends it as soon as something is chosen.

use super::range_switch::HiddenParams;
use crate::app::kit::field::Choice;
use crate::app::state::address::{OverviewAddress, use_go_to};
use crate::domain::query::Whose;
use leptos::ev::SubmitEvent;
use leptos::html::Select;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

#[component]
pub fn WhoseChooser(others: Vec<Choice>, address: Signal<OverviewAddress>) -> impl IntoView {
    let path = use_location().pathname;
    let field = NodeRef::<Select>::new();
    let go_to = use_go_to();
    let show = move |event: SubmitEvent| {
        if let Some(Ok(whose)) = field.get_untracked().map(|field| Whose::parse(&field.value())) {
            event.prevent_default();
            go_to(&address.with_untracked(|address| address.with_whose(whose)));
        }
    };
    let option = move |choice: Choice| {
        let value = choice.value.clone();
        let is_chosen = move || address.with(|address| address.question.whose.to_param() == choice.value);
        view! { <option value=value selected=is_chosen() prop:selected=is_chosen>{choice.label}</option> }
    };
    let options = std::iter::once(Choice::of(("", "My usage"))).chain(others).map(option);
    view! {
        <form class="whose" method="get" action=move || path.get() on:submit=show>
            <HiddenParams without=&["user"]/>
            <select name="user" aria-label="Whose usage" autocomplete="off" data-submits="" node_ref=field>
                {options.collect_view()}
            </select>
            <button class="button button-plain without-scripts">"Show"</button>
        </form>
    }
    .into_any()
}

/// How a sentence calls whose figures they are; none for one's own.
pub fn name_of(whose: &Whose, others: &[Choice]) -> Option<String> {
    match whose {
        Whose::Everyone => Some("everyone".into()),
        _ => others.iter().find(|choice| choice.value == whose.to_param()).map(|choice| choice.label.clone()),
    }
}
