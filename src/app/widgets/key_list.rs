//! The keys there are: each with what it allows, when it was last used, and the way to end it.

use crate::app::format::counted;
use crate::app::kit::card::{Card, CardEmpty};
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::keys::{KeyList, RevokeKey, ShownKey};
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn KeyListCard(list: KeyList, revoke: ServerAction<RevokeKey>) -> impl IntoView {
    let KeyList { keys, time_zone } = list;
    let (working, revoked): (Vec<ShownKey>, Vec<ShownKey>) = keys.into_iter().partition(|key| key.revoked.is_none());
    let none = working.is_empty().then(|| {
        view! { <CardEmpty message="No key works yet. While there is none and nobody has to log in, every program on this machine is let in without."/> }
    });
    let failure = move || {
        let error = revoke.value().get().and_then(Result::err)?;
        Some(view! { <Notice level=Level::Critical word="Not revoked." message=error.to_string()/> })
    };
    let ended = (!revoked.is_empty()).then(|| {
        view! {
            <details class="ended-keys">
                <summary>{counted(revoked.len() as u64, "revoked key", "revoked keys")}</summary>
                <ul class="key-list">{revoked.into_iter().map(|key| view! { <KeyItem key revoke/> }).collect_view()}</ul>
            </details>
        }
    });
    view! {
        <Card id="keys" title="Your keys" class="span-8" aside=move || view! { <span class="quiet">{format!("Times of {time_zone}")}</span> }>
            {none}
            <ul class="key-list">{working.into_iter().map(|key| view! { <KeyItem key revoke/> }).collect_view()}</ul>
            {ended}
            <div role="status">{failure}</div>
        </Card>
    }
    .into_any()
}

#[component]
fn KeyItem(key: ShownKey, revoke: ServerAction<RevokeKey>) -> impl IntoView {
    let ShownKey { id, name, shown, scopes, created, last_used, revoked } = key;
    let used = last_used.map_or_else(|| "never used".to_owned(), |at| format!("last used {at}"));
    let scopes = scopes.into_iter().map(|scope| view! { <li class="tag">{scope.name()}</li> }).collect_view();
    let label = format!("Revoke the key {name}");
    let end = match revoked {
        Some(at) => view! { <span class="quiet small">{format!("Revoked {at}")}</span> }.into_any(),
        None => view! {
            <details class="confirm">
                <summary class="button button-plain" aria-label=label>"Revoke…"</summary>
                <ActionForm action=revoke attr:class="confirm-body">
                    <input type="hidden" name="id" value=id/>
                    <p class="small">"Programs that show it are refused within a second. It cannot be undone."</p>
                    <button class="button button-danger" aria-busy=move || revoke.pending().get().then_some("true")>"Revoke it"</button>
                </ActionForm>
            </details>
        }
        .into_any(),
    };
    view! {
        <li class="key-item">
            <div class="key-what">
                <p class="key-name"><strong>{name}</strong>" "<code>{shown}</code></p>
                <ul class="tags" aria-label="It may">{scopes}</ul>
                <p class="quiet small">{format!("Made {created}, {used}")}</p>
            </div>
            <div class="key-end">
                {end}
            </div>
        </li>
    }
    .into_any()
}
