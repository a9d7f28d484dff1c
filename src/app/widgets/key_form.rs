//! Making a key: what it is for, what it allows, and then its text, this once, with how a client shows it.

use crate::app::kit::card::Card;
use crate::app::kit::field::TextField;
use crate::app::kit::notice::{Level, Notice};
use crate::app::kit::snippets::{Snippet, Snippets};
use crate::app::server_fns::error::AppError;
use crate::app::server_fns::keys::{CreateKey, NewKey};
use crate::app::widgets::own_password_field::OwnPasswordField;
use crate::domain::api_key::KeyScope;
use leptos::ev::SubmitEvent;
use leptos::form::FromFormData;
use leptos::prelude::*;

#[component]
pub fn KeyFormCard(
    create: ServerAction<CreateKey>,
    base_url: String,
    /// Whether who makes a key has logged in, and may have to show their password again.
    has_login: bool,
) -> impl IntoView {
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        if let Ok(sent) = CreateKey::from_event(&event) {
            create.dispatch(sent);
        }
    };
    let fault = Memo::new(move |_| create.value().get().and_then(Result::err));
    let fault_at = move |wanted: &'static str| {
        fault.get().and_then(|error| match error {
            AppError::Invalid { field, message } if field == wanted => Some(message),
            _ => None,
        })
    };
    let other_fault = move || {
        let error = fault.get().filter(|error| !matches!(error, AppError::Invalid { .. }))?;
        Some(view! { <Notice level=Level::Critical word="Not made." message=error.to_string()/> })
    };
    // The form begins anew once its key is made.
    let name = Memo::new(move |before: Option<&(usize, String)>| {
        let made = create.value().with(|value| matches!(value, Some(Ok(_))));
        (before.map_or(0, |(count, _)| count + usize::from(made)), String::new())
    });
    view! {
        <Card id="key-form" title="New key" class="span-4">
            <p class="card-lead">"One for each client or machine, so that each can be told apart and ended by itself."</p>
            <p class="notice level-info without-scripts">
                "Without JavaScript, make one on the command line: " <code>"tollbridge keys create --name laptop --scope proxy"</code>
            </p>
            <form class="form needs-scripts" on:submit=submit novalidate>
                <TextField name="name" label="Name" placeholder="laptop"
                    value=Signal::derive(move || name.get().1)
                    fault=Signal::derive(move || fault_at("name"))
                    hint="What or who will use it."/>
                <fieldset class="form-group options" aria-describedby="scopes-fault">
                    <legend>"It may"</legend>
                    {KeyScope::ALL.map(|scope| view! { <ScopeChoice scope/> }).into_iter().collect_view()}
                    <p id="scopes-fault" class="field-fault" aria-live="polite">
                        {move || fault_at("scopes").map(|_| "Choose at least one.")}
                    </p>
                </fieldset>
                {has_login.then(|| view! { <OwnPasswordField error=fault/> })}
                <div class="form-foot">
                    <button class="button" aria-busy=move || create.pending().get().then_some("true")>"Make key"</button>
                    <div class="form-outcome" role="status">{other_fault}</div>
                </div>
            </form>
        </Card>
        <div class="new-key" role="status">
            {move || match create.value().get() {
                Some(Ok(made)) => Some(view! { <NewKeyCard made base_url=base_url.clone()/> }),
                _ => None,
            }}
        </div>
    }
    .into_any()
}

/// A sentence for what a scope allows.
pub fn scope_sentence(scope: KeyScope) -> &'static str {
    match scope {
        KeyScope::Proxy => "Send calls to the provider through the gateway, and chat.",
        KeyScope::Ingest => "Report usage to the API.",
        KeyScope::Read => "Read reports and single calls.",
        KeyScope::Admin => {
            "Change budgets and channels, acknowledge alerts, resume sessions; an admin's also reads the audit log."
        }
    }
}

#[component]
fn ScopeChoice(scope: KeyScope) -> impl IntoView {
    let hint_id = format!("scope-{}-hint", scope.name());
    view! {
        <label class="option">
            <input type="checkbox" name="scopes[]" value=scope.name() checked=scope == KeyScope::Proxy
                aria-describedby=hint_id.clone() autocomplete="off"/>
            <span class="option-name">{scope.name()}</span>
            <span id=hint_id class="quiet small">{scope_sentence(scope)}</span>
        </label>
    }
}

/// The only place where a key's text ever stands.
#[component]
fn NewKeyCard(made: NewKey, base_url: String) -> impl IntoView {
    let NewKey { key, text } = made;
    let snippets = snippets_of(&key.scopes, &base_url, &text);
    view! {
        <Card id="new-key" title=format!("The key “{}”", key.name) class="new-key-card">
            <p class="card-lead"><strong>"Copy it now: it is shown this once."</strong>" Only its fingerprint is kept."</p>
            <div class="snippet key-text">
                <pre id="new-key-text" tabindex="0" role="region" aria-label="The new key"><code>{text}</code></pre>
                <button type="button" class="copy-button" data-copies="new-key-text">
                    <span class="copy-idle">"Copy"</span>
                    <span class="copy-done" role="status"></span>
                </button>
            </div>
            {(!snippets.is_empty()).then(|| view! { <Snippets group="new-key" snippets/> })}
        </Card>
    }
}

/// How a client shows the key, for what it allows.
fn snippets_of(scopes: &[KeyScope], base_url: &str, text: &str) -> Vec<Snippet> {
    if scopes.contains(&KeyScope::Proxy) {
        return vec![
            Snippet {
                id: "shell",
                label: "Claude Code",
                code: format!(
                    "ANTHROPIC_BASE_URL={base_url} \\\nANTHROPIC_CUSTOM_HEADERS='x-tollbridge-key: {text}' \\\nclaude"
                ),
            },
            Snippet {
                id: "typescript",
                label: "TypeScript",
                code: format!(
                    "const client = new Anthropic({{\n  baseURL: \"{base_url}\",\n  defaultHeaders: {{ \"x-tollbridge-key\": \"{text}\" \
                     }},\n}});"
                ),
            },
            Snippet {
                id: "python",
                label: "Python",
                code: format!(
                    "client = anthropic.Anthropic(\n    base_url=\"{base_url}\",\n    default_headers={{\"x-tollbridge-key\": \
                     \"{text}\"}},\n)"
                ),
            },
        ];
    }
    let bearer = format!("-H 'authorization: Bearer {text}'");
    let code = match scopes {
        _ if scopes.contains(&KeyScope::Ingest) => format!(
            "curl {base_url}/api/analytics/usage \\\n  {bearer} \\\n  -H 'content-type: application/json' \\\n  -d '{{\"model\": \
             \"claude-sonnet-4-20250514\", \"usage\": {{\"input_tokens\": 1000, \"output_tokens\": 500}}}}'"
        ),
        _ if scopes.contains(&KeyScope::Read) => {
            format!("curl '{base_url}/api/analytics/tokens?range=month' \\\n  {bearer}")
        }
        _ => return Vec::new(),
    };
    vec![Snippet { id: "shell", label: "Shell", code }]
}
