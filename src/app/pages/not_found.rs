//! The answer to an address that is no page.

use crate::app::server_fns::error::answer_with_status;
use leptos::prelude::*;

#[component]
pub fn NotFound() -> impl IntoView {
    answer_with_status(404);
    view! {
        <div class="blank-page">
            <p class="blank-code" aria-hidden="true">"404"</p>
            <h1>"There is no page at this address"</h1>
            <p class="quiet">"It may have moved, or the link has a slip of the pen."</p>
            <a class="button" href="/">"Go to the Overview"</a>
        </div>
    }
    .into_any()
}
