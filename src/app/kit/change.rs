//! How a figure moved: an arrow, a percentage and, for screen readers, a word.

use crate::app::format::{Change, percent};
use leptos::prelude::*;

#[component]
pub fn ChangeView(change: Option<Change>) -> impl IntoView {
    let (arrow, text, spoken) = match change {
        None => ("", "–".into(), "nothing to compare with"),
        Some(Change::New) => ("", "new".into(), "nothing in the period before"),
        Some(Change::Same) => ("", "no change".into(), ""),
        Some(Change::Up(by)) => ("↑", percent(by), "more than the period before"),
        Some(Change::Down(by)) => ("↓", percent(by), "less than the period before"),
    };
    view! {
        <span class="change">
            <span class="change-arrow" aria-hidden="true">{arrow}</span>
            {text}
            <span class="visually-hidden">{format!(" {spoken}")}</span>
        </span>
    }
}
