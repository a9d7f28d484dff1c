//! How one's own account and the provider that people may log in through are linked.

use crate::app::kit::card::Card;
use crate::app::server_fns::people::{OwnLink, UnlinkProvider};
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn ProviderCard(
    link: OwnLink,
    /// Who has none cannot do without the link.
    has_password: bool,
    unlink: ServerAction<UnlinkProvider>,
) -> impl IntoView {
    let OwnLink { provider, email } = link;
    let title = format!("Logging in with {provider}");
    let body = match email {
        Some(email) => view! {
            <p class="card-lead">{format!("You log in with {provider}, where you were {email} when the two were linked.")}</p>
            {if has_password {
                view! {
                    <ActionForm action=unlink attr:class="form">
                        <div class="form-foot">
                            <button class="button button-plain" aria-busy=move || unlink.pending().get().then_some("true")>
                                "Unlink"
                            </button>
                        </div>
                    </ActionForm>
                }
                .into_any()
            } else {
                view! { <p class="quiet">"Set a password first if you want to end that."</p> }.into_any()
            }}
        }
        .into_any(),
        None => view! {
            <p class="card-lead">{format!("Log in with {provider} once, then show your password, and from then on {provider} will do.")}</p>
            // No page of the dashboard's own.
            <a class="button button-plain" href="/login/oidc?next=/settings" rel="external">{format!("Link {provider}")}</a>
        }
        .into_any(),
    };
    view! { <Card id="provider" title=title>{body}</Card> }.into_any()
}
