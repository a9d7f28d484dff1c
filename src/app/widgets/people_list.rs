//! The people there are, and what a manager can do about each.

use crate::app::kit::card::Card;
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::people::{ChangePerson, PersonChange, ShownPerson};
use crate::domain::account::Role;
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn PeopleCard(people: Vec<ShownPerson>, change: ServerAction<ChangePerson>) -> impl IntoView {
    let failure = move || {
        let error = change.value().get().and_then(Result::err)?;
        Some(view! { <Notice level=Level::Critical word="Not changed." message=error.to_string()/> })
    };
    view! {
        <Card id="people" title="People" class="span-8">
            <ul class="key-list">{people.into_iter().map(|person| view! { <PersonItem person change/> }).collect_view()}</ul>
            <div role="status">{failure}</div>
        </Card>
    }
    .into_any()
}

#[component]
fn PersonItem(person: ShownPerson, change: ServerAction<ChangePerson>) -> impl IntoView {
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
        let changes = [change_role, change_access, PersonChange::Delete];
        changes
            .map(|what| view! { <PersonAction user_id=user_id.clone() login=login.clone() what change/> })
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
fn PersonAction(
    user_id: String,
    login: String,
    what: PersonChange,
    change: ServerAction<ChangePerson>,
) -> impl IntoView {
    let (label, consequence) = words(what);
    let spoken = format!("{label} {login}");
    let class = if what == PersonChange::Delete { "button button-danger" } else { "button" };
    view! {
        <details class="confirm">
            <summary class="button button-plain" aria-label=spoken>{label}"…"</summary>
            <ActionForm action=change attr:class="confirm-body">
                <input type="hidden" name="user_id" value=user_id/>
                <input type="hidden" name="change" value=what.name()/>
                <p class="small">{consequence}</p>
                <button class=class aria-busy=move || change.pending().get().then_some("true")>{label}</button>
            </ActionForm>
        </details>
    }
    .into_any()
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
    }
}
