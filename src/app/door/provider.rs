//! What somebody sees who logs in through another provider: why they are not let in, and the question for their password before
//! an account is linked. What the provider writes is on none of these pages, but for the e-mail address.

use super::{DoorField, DoorNotice};
use leptos::prelude::*;

/// Why somebody who comes from the provider is not let in.
pub struct ProviderDoor<'a> {
    /// What people call the provider.
    pub provider: &'a str,
    pub problem: ProviderProblem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderProblem {
    /// The provider's answer belongs to no login that this browser has begun.
    Over,
    /// The provider did not let them in, or they did not want to.
    Declined,
    NotVerified,
    NoAccount,
    Unreachable,
    /// The provider's answer is wrong, or not certainly the provider's.
    NotBelieved,
}

/// Asks for the password of the account that is to be linked.
pub struct LinkDoor<'a> {
    pub provider: &'a str,
    /// The account's.
    pub login: &'a str,
    /// Who they are at the provider.
    pub email: &'a str,
    /// What was wrong, as a sentence; empty if nothing was.
    pub problem: String,
}

/// The way to the provider, under a form for a password.
pub(super) fn provider_button(provider: &str, words: &str, query: &str) -> AnyView {
    view! {
        <p class="door-or">"or"</p>
        <a class="button button-plain" href=format!("/login/oidc{query}")>{format!("{words} with {provider}")}</a>
    }
    .into_any()
}

pub(super) fn provider_problem(door: &ProviderDoor<'_>) -> AnyView {
    view! {
        <DoorNotice message=door.problem.words(door.provider)/>
        <a class="button" href="/login/oidc">{format!("Try again with {}", door.provider)}</a>
        <a class="button button-plain" href="/login">"Go to the login"</a>
    }
    .into_any()
}

pub(super) fn link_form(door: LinkDoor<'_>) -> AnyView {
    let LinkDoor { provider, login, email, problem } = door;
    let problem = (!problem.is_empty()).then(|| view! { <DoorNotice message=problem/> });
    view! {
        {problem}
        <p class="quiet">
            "You are " <strong>{email.to_owned()}</strong> {format!(" at {provider}. To log in that way as ")}
            <strong>{login.to_owned()}</strong> ", show once that this account is yours."
        </p>
        <form class="form" method="post" action="/login/oidc/link">
            // Password managers look for the name that stands beside it.
            <input type="text" name="login" value=login.to_owned() autocomplete="username" readonly hidden/>
            <DoorField name="password" label="Password of this account" kind="password" autocomplete="current-password"
                hint="If you never chose one, ask whoever manages this Tollbridge."/>
            <button class="button">"Link and log in"</button>
        </form>
    }
    .into_any()
}

impl ProviderProblem {
    fn words(self, provider: &str) -> String {
        match self {
            Self::Over => {
                "This login is over. It began in another browser or more than 10 minutes ago, or was used already. \
                           Begin again."
                    .into()
            }
            Self::Declined => format!("{provider} did not log you in."),
            Self::NotVerified => {
                format!(
                    "{provider} does not say that it has verified your e-mail address. Without that you cannot come in."
                )
            }
            Self::NoAccount => format!(
                "{provider} knows you, but nobody here may log in as that. Ask whoever manages this Tollbridge for an invitation."
            ),
            Self::Unreachable => {
                format!("{provider} cannot be reached just now. Try again in a minute; a password works as before.")
            }
            Self::NotBelieved => format!(
                "{provider} gave an answer that cannot be trusted, so nobody was logged in. If it happens again, whoever manages \
                 this Tollbridge finds the reason in its log."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::door::Door;
    use crate::app::state::theme::Theme;
    use leptos::config::LeptosOptions;

    #[test]
    fn what_the_provider_says_somebody_is_called_is_text_and_never_markup() {
        let attack = "\"><script>alert(1)</script>";
        let options = LeptosOptions::builder().output_name("tollbridge").build();
        let link = LinkDoor { provider: attack, login: attack, email: attack, problem: attack.into() };
        let refused = ProviderDoor { provider: attack, problem: ProviderProblem::NoAccount };
        for door in [Door::Link(link), Door::Provider(refused)] {
            let html = door.render(&options, Theme::Dark);
            assert!(!html.contains("<script") && html.contains("&lt;script"), "{html}");
        }
    }
}
