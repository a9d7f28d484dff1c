//! What stands in place of the figures while nothing is recorded yet: the ways in.

use crate::app::kit::icon::{Icon, IconView};
use leptos::prelude::*;

const WAYS: [(&str, &str, &str); 4] = [
    (
        "/start#gateway",
        "Point a client at it",
        "Set ANTHROPIC_BASE_URL, and every call of an SDK or of Claude Code is counted as it happens.",
    ),
    (
        "/start#import",
        "Import Claude Code logs",
        "Reads the logs that Claude Code has already written on this machine.",
    ),
    ("/start#api", "Post usage yourself", "One HTTP request per call, or a thousand at once, from any language."),
    ("/start#sample", "Look around first", "Loads sample data, and takes every trace of it out again when you ask."),
];

#[component]
pub fn FirstStart() -> impl IntoView {
    let way = |(href, title, text): (&'static str, &'static str, &'static str)| {
        view! {
            <li>
                <a class="way" href=href>
                    <strong>{title}<IconView icon=Icon::ChevronRight/></strong>
                    <span class="quiet">{text}</span>
                </a>
            </li>
        }
    };
    view! {
        <section class="first-start">
            <p class="headline">"Nothing is recorded yet. There are four ways in; each takes a minute."</p>
            <ol class="ways">{WAYS.map(way).into_iter().collect_view()}</ol>
            <p class="quiet">"Prompts and answers are never stored, only what they cost. Tollbridge itself sends nothing to anybody."</p>
        </section>
    }
    .into_any()
}
