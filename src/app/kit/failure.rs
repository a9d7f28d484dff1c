//! In place of what could not be had: what happened, in the words of the error.

use crate::app::kit::icon::{Icon, IconView};
use leptos::prelude::*;

#[component]
pub fn FailureNote(#[prop(into)] message: String) -> impl IntoView {
    view! {
        <div class="card-state" role="alert">
            <IconView icon=Icon::Warning/>
            <p>{message}</p>
            <p class="quiet">"What was recorded is safe. Reload the page to try again."</p>
        </div>
    }
}
