//! One's own password: set for the first time, which makes everybody log in, or changed.

use crate::app::kit::card::Card;
use crate::app::kit::field::TextField;
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::error::AppError;
use crate::app::server_fns::people::ChangePassword;
use crate::app::widgets::own_password_field::PasswordOwner;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

#[component]
pub fn PasswordCard(
    /// What who looks logs in with; none while nobody has to.
    login: Option<String>,
    /// Whether they have one. Who logs in through a provider may not.
    has_password: bool,
    change: ServerAction<ChangePassword>,
) -> impl IntoView {
    // A form that was sent without scripts comes back with the name of the field alone.
    let address = use_query_map();
    let fault_at = move |wanted: &'static str| match change.value().get() {
        Some(Err(AppError::Invalid { field, message })) if field == wanted => Some(message),
        Some(_) => None,
        None => address.with(|query| query.get("wrong").is_some_and(|wrong| wrong == wanted)).then(|| advice(wanted)),
    };
    let outcome = move || match change.value().get()? {
        Ok(()) => Some(view! { <SignedOut/> }.into_any()),
        // Without the field it stands here.
        Err(AppError::Invalid { field, message }) if field == "current" && !has_password => {
            Some(view! { <Notice level=Level::Critical word="Not set:" message=message/> }.into_any())
        }
        Err(AppError::Invalid { .. }) => None,
        Err(error) => {
            Some(view! { <Notice level=Level::Critical word="Not changed." message=error.to_string()/> }.into_any())
        }
    };
    let name = login.clone().unwrap_or_else(|| "owner".into());
    let lead = match login {
        Some(login) if !has_password => {
            format!("You are logged in as {login} and have no password. Within 5 minutes of logging in you can set one.")
        }
        Some(login) => format!("You are logged in as {login}. A new password ends all your sessions, this one too."),
        None => "Nobody has to log in yet. Once you set a password, everybody does, as “owner” for you, and every client needs a key."
            .into(),
    };
    let nothing = Signal::derive(String::new);
    view! {
        <Card id="password" title="Your password">
            <p class="card-lead">{lead}</p>
            <ActionForm action=change attr:class="form" attr:novalidate="">
                <PasswordOwner login=name/>
                {has_password.then(|| view! {
                    <TextField name="current" label="Current password" input_type="password" autocomplete="current-password"
                        value=nothing fault=Signal::derive(move || fault_at("current"))/>
                })}
                <TextField name="password" label="New password" input_type="password" autocomplete="new-password"
                    value=nothing fault=Signal::derive(move || fault_at("password"))
                    hint="At least 15 characters; a few words will do."/>
                <TextField name="again" label="Once more" input_type="password" autocomplete="new-password"
                    value=nothing fault=Signal::derive(|| None::<String>)/>
                <div class="form-foot">
                    <button class="button" aria-busy=move || change.pending().get().then_some("true")>
                        {if has_password { "Change it" } else { "Set it" }}
                    </button>
                    <div class="form-outcome" role="status">{outcome}</div>
                </div>
            </ActionForm>
        </Card>
    }
    .into_any()
}

/// What a field asks for, where it is only known that this was not met.
fn advice(field: &'static str) -> String {
    match field {
        "current" => "is not your password, or was wrong too often".into(),
        _ => "must have at least 15 characters, be no common one and be the same twice".into(),
    }
}

#[component]
fn SignedOut() -> impl IntoView {
    view! {
        <p class="form-saved level-good">
            "Set. "
            // The login is no page of the dashboard's own.
            <a class="inline-link" href="/login" rel="external">"Log in with it"</a>
        </p>
    }
}
