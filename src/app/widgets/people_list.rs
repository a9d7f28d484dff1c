//! The people there are, and what a manager can do about each.

use crate::app::format::capitalised;
use crate::app::kit::card::Card;
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::people::{ChangePerson, PersonChange, ShownPerson};
use crate::app::widgets::own_password_field::{OWN_PASSWORD_HINT, PasswordOwner, own_password_fault};
use crate::domain::account::Role;
use leptos::form::ActionForm;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

#[component]
pub fn PeopleCard(
    people: Vec<ShownPerson>,
    change: ServerAction<ChangePerson>,
    /// Whose account was last to be changed, and how.
    sent: RwSignal<Option<(String, PersonChange)>>,
    /// Whether who looks has logged in, and may have to show their password again.
    has_login: bool,
) -> impl IntoView {
    let changing = Changing { action: change, sent, has_login };
    let failure = move || {
        let error = change.value().get().and_then(Result::err)?;
        if own_password_fault(error.clone()).is_some() {
            return None;
        }
        Some(view! { <Notice level=Level::Critical word="Not changed." message=error.to_string()/> })
    };
    view! {
        <Card id="people" title="People" class="span-8" aside=|| view! { <a class="inline-link" href="/settings/audit">"Audit log"</a> }>
            <ul class="key-list">{people.into_iter().map(|person| view! { <PersonItem person changing/> }).collect_view()}</ul>
            <div role="status">{failure}</div>
        </Card>
    }
    .into_any()
}

/// How accounts are changed here.
#[derive(Clone, Copy)]
struct Changing {
    action: ServerAction<ChangePerson>,
    sent: RwSignal<Option<(String, PersonChange)>>,
    has_login: bool,
}

#[component]
fn PersonItem(person: ShownPerson, changing: Changing) -> impl IntoView {
    let ShownPerson { user_id, login, role, has_password, is_shut_out, is_you } = person;
    let state = match (is_shut_out, has_password) {
        (true, _) => "Shut out: sessions are over and keys refused.",
        (false, false) => "No password yet.",
        (false, true) if is_you => "You.",
        (false, true) => "",
    };
    let can_be_changed = role != Role::Owner && !is_you;
    let change_role = if role == Role::Admin { PersonChange::MakeMember } else { PersonChange::MakeAdmin };
    let change_access = if is_shut_out { PersonChange::LetIn } else { PersonChange::ShutOut };
    let actions = can_be_changed.then(|| {
        let changes = [change_role, change_access, PersonChange::Delete, PersonChange::Erase];
        changes
            .map(|what| view! { <PersonAction user_id=user_id.clone() login=login.clone() what changing/> })
            .collect_view()
    });
    view! {
        <li class="key-item">
            <div class="key-what">
                <p class="key-name"><strong>{login}</strong></p>
                <ul class="tags" aria-label="Role"><li class="tag">{role.name()}</li></ul>
                <p class="quiet small">{state}</p>
            </div>
            <div class="key-end">{actions}</div>
        </li>
    }
    .into_any()
}

#[component]
fn PersonAction(user_id: String, login: String, what: PersonChange, changing: Changing) -> impl IntoView {
    let Changing { action, sent, has_login } = changing;
    let fault = fault_of(&user_id, what, changing);
    let this = (user_id.clone(), what);
    let own_password = (has_login && what.needs_password()).then(|| {
        let id = format!("{}-{user_id}", what.name());
        view! { <OwnPassword id fault/> }
    });
    let (label, consequence) = words(what);
    let spoken = format!("{label} {login}");
    let is_final = matches!(what, PersonChange::Delete | PersonChange::Erase);
    let class = if is_final { "button button-danger" } else { "button" };
    view! {
        <details class="confirm" open=fault.get_untracked().is_some()>
            <summary class="button button-plain" aria-label=spoken>{label}"…"</summary>
            <ActionForm action attr:class="confirm-body">
                <input type="hidden" name="user_id" value=user_id/>
                <input type="hidden" name="change" value=what.name()/>
                <p class="small">{consequence}</p>
                {own_password}
                // The Enter key clicks it too.
                <button class=class on:click=move |_| sent.set(Some(this.clone()))
                    aria-busy=move || action.pending().get().then_some("true")>{label}</button>
            </ActionForm>
        </details>
    }
    .into_any()
}

#[component]
fn OwnPassword(id: String, fault: Signal<Option<String>>) -> impl IntoView {
    let (input_id, fault_id) = (format!("own-password-{id}"), format!("own-password-{id}-fault"));
    let is_wrong = move || fault.with(Option::is_some);
    view! {
        <PasswordOwner/>
        <div class="form-field" class:form-field-wrong=is_wrong>
            <label for=input_id.clone()>"Your password"</label>
            <div class="input-box">
                <input id=input_id name="your_password" type="password" maxlength="256" autocomplete="current-password"
                    aria-describedby=fault_id.clone() aria-invalid=move || is_wrong().then_some("true")/>
            </div>
            <p class="field-hint">{OWN_PASSWORD_HINT}</p>
            <p id=fault_id class="field-fault" aria-live="polite">{move || fault.get().map(|text| format!("{}.", capitalised(&text)))}</p>
        </div>
    }
    .into_any()
}

/// What is wrong with the password that was sent with this change. A form that was sent without scripts comes back with the
/// names of the change and the account alone.
fn fault_of(user_id: &str, what: PersonChange, changing: Changing) -> Signal<Option<String>> {
    let (address, user_id) = (use_query_map(), user_id.to_owned());
    Signal::derive(move || {
        let Some(answer) = changing.action.value().get() else {
            let came_back = address.with(|query| {
                query.get_str("wrong") == Some(what.name()) && query.get_str("of") == Some(user_id.as_str())
            });
            return came_back.then(|| "is needed here, and was missing, wrong, or wrong too often".into());
        };
        let is_this =
            changing.sent.with(|sent| sent.as_ref().is_some_and(|(of, sent)| *of == user_id && *sent == what));
        answer.err().filter(|_| is_this).and_then(own_password_fault)
    })
}

/// What the button says, and what follows.
fn words(what: PersonChange) -> (&'static str, &'static str) {
    match what {
        PersonChange::MakeAdmin => ("Make admin", "They may manage people and imports. Their sessions end."),
        PersonChange::MakeMember => ("Make member", "They see their own usage and manage nobody. Their sessions end."),
        PersonChange::ShutOut => {
            ("Shut out", "Their sessions end and their keys are refused at once. It can be undone.")
        }
        PersonChange::LetIn => ("Let in", "They can log in again, and their keys work again."),
        PersonChange::Delete => {
            ("Delete", "Account and keys are gone for good. The usage stays, under an id that names nobody.")
        }
        PersonChange::Erase => (
            "Erase",
            "Account, keys and usage are gone for good, out of everyone's figures too. Only backups still have them.",
        ),
    }
}
