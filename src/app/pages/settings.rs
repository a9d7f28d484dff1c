//! Settings: one's own password, and, for who manages them, how recording goes, the people and the system. All of it but inviting works without
//! scripts; the link of an invitation is shown once and stands in no address.

use crate::app::kit::card::{Card, CardSkeleton};
use crate::app::kit::failure::FailureNote;
use crate::app::server_fns::error::AppError;
use crate::app::server_fns::people::{
    ChangePassword, ChangePerson, InvitePerson, People, PersonChange, UnlinkProvider, get_people,
};
use crate::app::server_fns::recorder::{ShownRecorder, get_recorder};
use crate::app::server_fns::system::get_system;
use crate::app::widgets::invite_form::InviteCard;
use crate::app::widgets::password_form::PasswordCard;
use crate::app::widgets::people_list::PeopleCard;
use crate::app::widgets::provider_card::ProviderCard;
use crate::app::widgets::recorder_card::RecorderCard;
use leptos::prelude::*;
use leptos_meta::Title;
use std::time::Duration;

/// How often the page asks how recording goes.
const LOOK_EVERY: Duration = Duration::from_secs(5);

#[component]
pub fn Settings() -> impl IntoView {
    let password = ServerAction::<ChangePassword>::new();
    let invite = ServerAction::<InvitePerson>::new();
    let change = ServerAction::<ChangePerson>::new();
    let unlink = ServerAction::<UnlinkProvider>::new();
    // Kept here: the list is made anew after each change.
    let sent = RwSignal::new(None::<(String, PersonChange)>);
    let people = Resource::new(move || (change.version().get(), unlink.version().get()), |_| get_people());
    let system = Resource::new(|| (), |()| get_system());
    let recorder = Resource::new(|| (), |()| get_recorder());
    look_again(recorder);
    let cards = move |answer: People| {
        let People { login, has_password, provider, people } = answer;
        let has_login = login.is_some();
        view! {
            <div class="stack span-4">
                <PasswordCard login has_password change=password/>
                {provider.map(|link| view! { <ProviderCard link has_password unlink/> })}
                {people.is_some().then(|| view! { <InviteCard invite has_login/> })}
            </div>
            {people.map(|people| view! { <PeopleCard people change sent has_login/> })}
        }
    };
    view! {
        <Title text="Settings · Tollbridge"/>
        <header class="page-head">
            <div class="page-title"><h1>"Settings"</h1></div>
        </header>
        <div class="answer">
            <div class="cards">
                <Transition fallback=|| view! { <CardSkeleton class="span-4"/><CardSkeleton class="span-8"/> }>
                    <RecorderCard recorder/>
                    {move || people.get().map(|people| match people {
                        Ok(people) => cards(people).into_any(),
                        Err(error) => view! {
                            <Card id="settings" title="Settings" class="span-8"><FailureNote message=error.to_string()/></Card>
                        }.into_any(),
                    })}
                    {move || system.get().and_then(Result::ok).flatten().map(system_card)}
                </Transition>
            </div>
        </div>
    }
    .into_any()
}

/// Asks again a while after each answer, as long as the page is open and shows one. Effects run in the browser only.
fn look_again(recorder: Resource<Result<Option<ShownRecorder>, AppError>>) {
    Effect::new(move |_| {
        let is_shown = recorder.with(|answer| !matches!(answer, Some(Ok(None))));
        if is_shown && let Ok(timer) = set_timeout_with_handle(move || recorder.refetch(), LOOK_EVERY) {
            on_cleanup(move || timer.clear());
        }
    });
}

fn system_card(facts: Vec<(String, String)>) -> impl IntoView {
    let facts = facts.into_iter().map(|(name, value)| view! { <div><dt>{name}</dt><dd>{value}</dd></div> });
    view! { <Card id="system" title="System"><dl class="system-facts">{facts.collect_view()}</dl></Card> }
}
