//! Inviting somebody: what they may do, and then the link, this once.

use crate::app::kit::card::Card;
use crate::app::kit::notice::{Level, Notice};
use crate::app::server_fns::people::InvitePerson;
use crate::app::widgets::own_password_field::{OwnPasswordField, own_password_fault};
use crate::domain::account::Role;
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn InviteCard(
    invite: ServerAction<InvitePerson>,
    /// Whether who invites has logged in, and may have to show their password again.
    has_login: bool,
) -> impl IntoView {
    let error = Signal::derive(move || invite.value().get().and_then(Result::err));
    let outcome = move || match invite.value().get()? {
        Ok(link) => Some(view! { <InviteLink link/> }.into_any()),
        Err(error) if own_password_fault(error.clone()).is_some() => None,
        Err(error) => {
            Some(view! { <Notice level=Level::Critical word="Not invited." message=error.to_string()/> }.into_any())
        }
    };
    view! {
        <Card id="invite" title="Invite somebody">
            <p class="card-lead">"The link makes one account, within a week. Whoever opens it chooses name and password."</p>
            <p class="notice level-info without-scripts">
                "Without JavaScript, make one on the command line: " <code>"tollbridge users invite --role member"</code>
            </p>
            <ActionForm action=invite attr:class="form needs-scripts">
                <label class="field">
                    "May"
                    <select name="role">
                        <option value=Role::Member.name()>{role_sentence(Role::Member)}</option>
                        <option value=Role::Admin.name()>{role_sentence(Role::Admin)}</option>
                    </select>
                </label>
                {has_login.then(|| view! { <OwnPasswordField error/> })}
                <div class="form-foot">
                    <button class="button" aria-busy=move || invite.pending().get().then_some("true")>"Make link"</button>
                </div>
                <div role="status">{outcome}</div>
            </ActionForm>
        </Card>
    }
    .into_any()
}

/// What a role may do, in a few words.
pub fn role_sentence(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner: everything, for good",
        Role::Admin => "admin: manage people and imports",
        Role::Member => "member: their own usage",
    }
}

/// The only place where an invitation's link ever stands.
#[component]
fn InviteLink(link: String) -> impl IntoView {
    view! {
        <p class="small"><strong>"Copy it now: it is shown this once."</strong></p>
        <div class="snippet key-text">
            <pre id="invite-link" tabindex="0" role="region" aria-label="The invitation's link"><code>{link}</code></pre>
            <button type="button" class="copy-button" data-copies="invite-link">
                <span class="copy-idle">"Copy"</span>
                <span class="copy-done" role="status"></span>
            </button>
        </div>
    }
}
