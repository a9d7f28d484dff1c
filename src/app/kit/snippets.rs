//! Code to copy, one language at a time. Choosing one needs no scripts, copying does.

use leptos::prelude::*;

/// One way to write it. `id` is `shell`, `typescript` or `python`: the stylesheet shows the chosen one by its name.
pub struct Snippet {
    pub id: &'static str,
    pub label: &'static str,
    pub code: String,
}

/// The first one is chosen. `group` tells several on a page apart.
#[component]
pub fn Snippets(group: &'static str, snippets: Vec<Snippet>) -> impl IntoView {
    let choice = |(index, snippet): (usize, &Snippet)| {
        view! {
            <label class="segment">
                <input type="radio" name=format!("{group}-language") value=snippet.id checked=index == 0 autocomplete="off"/>
                {snippet.label}
            </label>
        }
    };
    let choices = snippets.iter().enumerate().map(choice).collect_view();
    let block = |Snippet { id, label, code }: Snippet| {
        let target = format!("{group}-{id}");
        view! {
            <div class=format!("snippet snippet-{id}")>
                <pre id=target.clone() tabindex="0" role="region" aria-label=format!("{group} with {label}")><code>{code}</code></pre>
                <button type="button" class="copy-button" data-copies=target>
                    <span class="copy-idle">"Copy"</span>
                    <span class="copy-done" role="status"></span>
                </button>
            </div>
        }
    };
    view! {
        <div class="snippets">
            <div class="segments segments-small" role="radiogroup" aria-label="Language">{choices}</div>
            {snippets.into_iter().map(block).collect_view()}
        </div>
    }
    .into_any()
}
