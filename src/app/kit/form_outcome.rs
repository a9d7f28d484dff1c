//! What stands beside a form's button once it was sent.

use crate::app::kit::icon::{Icon, IconView};
use crate::app::kit::notice::{Level, Notice};
use leptos::prelude::*;

/// Says whether the form was saved. A wrong field comes first: its own message stands at the field.
#[component]
pub fn FormOutcome(
    #[prop(into)] has_fault: Signal<bool>,
    /// What the server made of it, as far as no field is to blame.
    result: Signal<Option<Result<(), String>>>,
    #[prop(into)] is_pending: Signal<bool>,
    /// A plain form was saved and has come back to its page.
    #[prop(optional)]
    came_from_saving: Option<Memo<bool>>,
    #[prop(default = "Saved.")] saved_words: &'static str,
) -> impl IntoView {
    let outcome = move || {
        if has_fault.get() {
            return Some(
                view! { <Notice level=Level::Warning word="Not saved." message="One field needs another look."/> }
                    .into_any(),
            );
        }
        match result.get() {
            Some(Err(message)) => Some(view! { <Notice level=Level::Critical word="Not saved." message/> }.into_any()),
            None if !came_from_saving.is_some_and(|came| came.get()) => None,
            _ if is_pending.get() => None,
            _ => Some(
                view! { <p class="form-saved level-good"><IconView icon=Icon::Check/>{saved_words}</p> }.into_any(),
            ),
        }
    };
    view! { <div class="form-outcome" role="status">{outcome}</div> }
}
