//! Posting usage: the request, ready to copy, with this server's own address.

use super::sample_data::ArrivalPill;
use crate::app::kit::card::Card;
use crate::app::kit::snippets::{Snippet, Snippets};
use crate::app::server_fns::start::Arrival;
use leptos::prelude::*;

#[component]
pub fn UsageSnippetsCard(base_url: String, arrival: Memo<Option<Arrival>>) -> impl IntoView {
    let snippets = vec![
        Snippet { id: "shell", label: "Shell", code: curl(&base_url) },
        Snippet { id: "typescript", label: "TypeScript", code: typescript(&base_url) },
        Snippet { id: "python", label: "Python", code: python(&base_url) },
    ];
    view! {
        <Card id="api" title="Post usage yourself" class="span-8" aside=move || view! { <ArrivalPill arrival/> }>
            <p class="card-lead">
                "One request per call, with the usage object as your provider sent it: Anthropic, OpenAI and Gemini are told apart. The answer says what the call cost."
            </p>
            <Snippets group="usage" snippets/>
            <p class="quiet small">
                "Give each call its " <code>"id"</code> ", and sending it twice counts it once. An array of up to 1,000 calls is one request, too."
            </p>
        </Card>
    }
    .into_any()
}

fn curl(base_url: &str) -> String {
    format!(
        "curl {base_url}/api/analytics/usage \\\n  -H 'content-type: application/json' \\\n  -d '{{\n    \"model\": \
         \"claude-sonnet-4-20250514\",\n    \"usage\": {{\"input_tokens\": 1000, \"output_tokens\": 500}}\n  }}'"
    )
}

fn typescript(base_url: &str) -> String {
    format!(
        "const message = await anthropic.messages.create({{ /* your call */ }});\n\nawait fetch(\"{base_url}/api/analytics/usage\", \
         {{\n  method: \"POST\",\n  headers: {{ \"content-type\": \"application/json\" }},\n  body: JSON.stringify({{\n    id: \
         message.id,\n    model: message.model,\n    usage: message.usage,\n  }}),\n}});"
    )
}

fn python(base_url: &str) -> String {
    format!(
        "import json\nfrom urllib.request import Request, urlopen\n\nmessage = client.messages.create(...)  # your call\n\nevent = \
         {{\n    \"id\": message.id,\n    \"model\": message.model,\n    \"usage\": message.usage.to_dict(),\n}}\nurlopen(Request(\n    \
         \"{base_url}/api/analytics/usage\",\n    data=json.dumps(event).encode(),\n    headers={{\"content-type\": \
         \"application/json\"}},\n))"
    )
}
