//! The card: a titled box that stands on its own. What fails inside it leaves its neighbours alone.

use crate::app::kit::icon::{Icon, IconView};
use leptos::prelude::*;

/// A titled section. An error thrown by its content (a `Result` in the view) is shown inside it.
#[component]
pub fn Card(
    /// Anchor of the card, and the base of its heading's id.
    id: &'static str,
    #[prop(into)] title: Signal<String>,
    /// Beside the title: a short remark or a control.
    #[prop(optional, into)]
    aside: ViewFnOnce,
    /// Extra classes, such as how many columns it takes.
    #[prop(optional)]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-title");
    let labelled_by = heading.clone();
    view! {
        <section id=id class=format!("card {class}") aria-labelledby=labelled_by>
            <header class="card-head">
                <h2 id=heading>{move || title.get()}</h2>
                <div class="card-aside">{aside.run()}</div>
            </header>
            <ErrorBoundary fallback=|errors| view! { <CardFailure errors/> }>{children()}</ErrorBoundary>
        </section>
    }
    .into_any()
}

/// A card that needs no head of its own, because its content (a chart) has a title.
#[component]
pub fn Panel(id: &'static str, #[prop(optional)] class: &'static str, children: Children) -> impl IntoView {
    view! {
        <div id=id class=format!("card {class}")>
            <ErrorBoundary fallback=|errors| view! { <CardFailure errors/> }>{children()}</ErrorBoundary>
        </div>
    }
    .into_any()
}

/// In place of a card's content when that could not be had.
#[component]
fn CardFailure(errors: ArcRwSignal<Errors>) -> impl IntoView {
    let message = move || errors.with(|errors| errors.iter().map(|(_, error)| error.to_string()).next());
    view! {
        <div class="card-state" role="alert">
            <IconView icon=Icon::Warning/>
            <p>{message}</p>
            <p class="quiet">"The other cards are not affected. Reload the page to try again."</p>
        </div>
    }
}

/// In place of a card's content when there is nothing to show.
#[component]
pub fn CardEmpty(#[prop(into)] message: String) -> impl IntoView {
    view! { <div class="card-state"><p class="quiet">{message}</p></div> }
}

/// In place of a card while its content is on the way: the same size, so that nothing jumps.
#[component]
pub fn CardSkeleton(#[prop(optional)] class: &'static str) -> impl IntoView {
    view! {
        <div class=format!("card skeleton {class}") aria-hidden="true">
            <span class="skeleton-line"></span>
            <span class="skeleton-block"></span>
        </div>
    }
}
