//! Pointing a client at the gateway: the one line, ready to copy, with this server's own address.

use super::sample_data::ArrivalPill;
use crate::app::kit::card::Card;
use crate::app::kit::snippets::{Snippet, Snippets};
use crate::app::server_fns::start::Arrival;
use leptos::prelude::*;

#[component]
pub fn GatewaySnippetsCard(base_url: String, arrival: Memo<Option<Arrival>>) -> impl IntoView {
    let snippets = vec![
        Snippet { id: "shell", label: "Claude Code", code: format!("ANTHROPIC_BASE_URL={base_url} claude") },
        Snippet {
            id: "typescript",
            label: "TypeScript",
            code: format!("const client = new Anthropic({{ baseURL: \"{base_url}\" }});"),
        },
        Snippet {
            id: "python",
            label: "Python",
            code: format!("client = anthropic.Anthropic(base_url=\"{base_url}\")"),
        },
    ];
    view! {
        <Card id="gateway" title="Point a client at it" aside=move || view! { <ArrivalPill arrival/> }>
            <p class="card-lead">
                "Calls to Anthropic pass through unchanged, with the client's own key, and each is here a moment later with its exact cost."
            </p>
            <Snippets group="gateway" snippets/>
        </Card>
    }
    .into_any()
}
