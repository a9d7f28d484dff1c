//! Keys: what clients show to be let in. Listing and revoking need no scripts; making one does, because its text is shown
//! once and stands in no address.

use crate::app::kit::card::{Card, CardSkeleton};
use crate::app::kit::failure::FailureNote;
use crate::app::server_fns::keys::{CreateKey, RevokeKey, get_keys};
use crate::app::server_fns::people::get_people;
use crate::app::server_fns::start::get_base_url;
use crate::app::widgets::key_form::KeyFormCard;
use crate::app::widgets::key_list::KeyListCard;
use leptos::prelude::*;
use leptos_meta::Title;

#[component]
pub fn Keys() -> impl IntoView {
    let create = ServerAction::<CreateKey>::new();
    let revoke = ServerAction::<RevokeKey>::new();
    let keys = Resource::new(move || (create.version().get(), revoke.version().get()), |_| get_keys());
    let base_url = Resource::new(|| (), |()| get_base_url());
    let people = Resource::new(|| (), |()| get_people());
    view! {
        <Title text="Keys · Tollbridge"/>
        <header class="page-head">
            <div class="page-title"><h1>"Keys"</h1></div>
        </header>
        <div class="answer">
            <div class="cards">
                <Transition fallback=|| view! { <CardSkeleton class="span-4"/><CardSkeleton class="span-8"/> }>
                    {move || base_url.get().zip(people.get()).map(|(base_url, people)| {
                        let has_login = people.is_ok_and(|people| people.login.is_some());
                        view! { <KeyFormCard create base_url=base_url.unwrap_or_default() has_login/> }
                    })}
                    {move || keys.get().map(|keys| match keys {
                        Ok(list) => view! { <KeyListCard list revoke/> }.into_any(),
                        Err(error) => view! {
                            <Card id="keys" title="Keys" class="span-8"><FailureNote message=error.to_string()/></Card>
                        }.into_any(),
                    })}
                </Transition>
            </div>
        </div>
    }
    .into_any()
}
