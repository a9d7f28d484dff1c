//! People: who may use the dashboard, what they may do, and one's own password.

use super::codec::Json;
use super::error::AppError;
use crate::domain::account::Role;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Who there is, as far as who asks may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct People {
    /// What who asks logs in with; none while nobody has to.
    pub login: Option<String>,
    /// Whether who asks has a password.
    pub has_password: bool,
    /// The provider that people may log in through, for who has logged in.
    pub provider: Option<OwnLink>,
    /// Everyone, the oldest account first; none for who does not manage people.
    pub people: Option<Vec<ShownPerson>>,
}

/// How one's own account and the provider are linked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnLink {
    /// What people call the provider.
    pub provider: String,
    /// Who one was there when the link was made; none without a link.
    pub email: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPerson {
    pub user_id: String,
    pub login: String,
    pub role: Role,
    pub has_password: bool,
    pub is_shut_out: bool,
    /// Whether it is who asks.
    pub is_you: bool,
}

/// What can be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonChange {
    MakeAdmin,
    MakeMember,
    ShutOut,
    LetIn,
    /// The usage stays.
    Delete,
    /// The usage goes too.
    Erase,
}

impl PersonChange {
    /// As in a form.
    pub fn name(self) -> &'static str {
        match self {
            Self::MakeAdmin => "make_admin",
            Self::MakeMember => "make_member",
            Self::ShutOut => "shut_out",
            Self::LetIn => "let_in",
            Self::Delete => "delete",
            Self::Erase => "erase",
        }
    }

    /// Whether it gives or ends what a session left open should not be enough for. Shutting out must be quick.
    pub fn needs_password(self) -> bool {
        matches!(self, Self::MakeAdmin | Self::MakeMember | Self::Delete | Self::Erase)
    }
}

/// Who may use the dashboard.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_people() -> Result<People, AppError> {
    use crate::http::auth::{Principal, oidc};
    let state = expect_context::<crate::http::state::AppState>();
    let principal = super::principal::principal()?;
    let login = principal.login().map(str::to_owned);
    let provider = oidc::own_link(&state, &principal).await.map_err(super::error::refuse)?;
    let provider = provider.map(|(provider, email)| OwnLink { provider, email });
    let has_password = matches!(&principal, Principal::Account(account) if account.has_password);
    if !principal.manages_server() {
        return Ok(People { login, has_password, provider, people: None });
    }
    let accounts = state.ledger.accounts().await.map_err(super::error::refuse)?;
    let people = accounts.into_iter().map(|account| ShownPerson {
        is_you: account.user_id == principal.user_id(),
        user_id: account.user_id.0,
        login: account.login,
        role: account.role,
        has_password: account.has_password,
        is_shut_out: account.disabled_at_ms.is_some(),
    });
    Ok(People { login, has_password, provider, people: Some(people.collect()) })
}

/// Makes a link with which one more person makes their account, within a week. It is in this answer and nowhere else.
///
/// # Errors
/// [`AppError::Forbidden`] for who does not manage people; [`AppError::Invalid`] for another owner, and for who logged in a
/// while ago and does not show their password.
#[server(prefix = "/_fn", output = Json)]
pub async fn invite_person(role: Role, #[server(default)] your_password: String) -> Result<String, AppError> {
    use super::error::{answer_with_status, refuse};
    let state = expect_context::<crate::http::state::AppState>();
    let manager = super::principal::manager()?;
    if role == Role::Owner {
        answer_with_status(400);
        return Err(AppError::Invalid { field: "role".into(), message: "there is one owner".into() });
    }
    super::principal::confirm(&manager, &your_password).await?;
    let actor = super::principal::actor()?;
    let token = state.ledger.create_invite(role, &actor, state.clock.now_ms()).await.map_err(refuse)?;
    Ok(format!("{}/join?token={}", super::start::get_base_url().await?, token.reveal()))
}

/// Changes what somebody may do. A plain form is sent back to the page, with what was asked for if the password is wrong.
///
/// # Errors
/// [`AppError::Forbidden`] for who does not manage people, and for the owner's and one's own account;
/// [`AppError::NotFound`] if there is no such account; [`AppError::Invalid`] for who logged in a while ago and does not show
/// their password, where [`PersonChange::needs_password`].
#[server(prefix = "/_fn")]
pub async fn change_person(
    user_id: String,
    change: PersonChange,
    #[server(default)] your_password: String,
) -> Result<(), AppError> {
    use super::error::{refuse, refused};
    use crate::domain::query::percent_encode;
    use crate::domain::usage::UserId;
    let state = expect_context::<crate::http::state::AppState>();
    let manager = super::principal::manager()?;
    let (user, now_ms) = (UserId(user_id), state.clock.now_ms());
    // Nobody locks themselves out, or makes the last admin a member.
    if manager.user_id() == user {
        return Err(refused(AppError::Forbidden));
    }
    if change.needs_password()
        && let Err(error) = super::principal::confirm(&manager, &your_password).await
    {
        super::form::go_on_to(&format!("/settings?wrong={}&of={}", change.name(), percent_encode(&user.0)));
        return Err(error);
    }
    let (ledger, actor) = (&state.ledger, super::principal::actor()?);
    let is_done = match change {
        PersonChange::MakeAdmin => ledger.set_role(&user, Role::Admin, &actor, now_ms).await,
        PersonChange::MakeMember => ledger.set_role(&user, Role::Member, &actor, now_ms).await,
        PersonChange::ShutOut => ledger.set_disabled(&user, true, &actor, now_ms).await,
        PersonChange::LetIn => ledger.set_disabled(&user, false, &actor, now_ms).await,
        PersonChange::Delete => ledger.delete_account(&user, &actor, now_ms).await,
        PersonChange::Erase => ledger.erase_account(&user, &actor, now_ms).await.map(|erased| erased.is_some()),
    };
    let is_done = is_done.map_err(refuse)?;
    super::form::go_on_if(is_done, "/settings")
}

/// Sets one's own password and ends all one's sessions. A plain form is sent on to the login, or back to the page with the
/// name of the field that is wrong.
///
/// # Errors
/// [`AppError::Invalid`] names the field.
#[server(prefix = "/_fn")]
pub async fn change_password(
    // Who has none yet leaves it out.
    #[server(default)] current: String,
    password: String,
    again: String,
) -> Result<(), AppError> {
    use super::error::{answer_with_status, refuse};
    use super::form::go_on_to;
    use crate::http::auth::password::{self, NotChanged};
    let state = expect_context::<crate::http::state::AppState>();
    let principal = super::principal::principal()?;
    let actor = super::principal::actor()?;
    let headers = use_context::<axum::http::request::Parts>().map(|parts| parts.headers).unwrap_or_default();
    let typed = [&*password, &*again];
    let (status, field, message) =
        match password::change_password(&state, &principal, &actor, &headers, &current, typed).await {
            Ok(()) => {
                go_on_to("/login");
                return Ok(());
            }
            Err(NotChanged::Password(problem)) => (400, "password", problem.to_owned()),
            Err(NotChanged::Current(problem)) => {
                let (status, message) = problem.told().map_err(refuse)?;
                (status, "current", message)
            }
            Err(NotChanged::Ledger(error)) => return Err(refuse(error)),
        };
    answer_with_status(status);
    go_on_to(&format!("/settings?wrong={field}"));
    Err(AppError::Invalid { field: field.into(), message })
}

/// Ends the link of one's own account and the provider. A plain form is sent back to the page.
///
/// # Errors
/// [`AppError::NotFound`] if there is none, or no password to log in with afterwards.
#[server(prefix = "/_fn")]
pub async fn unlink_provider() -> Result<(), AppError> {
    use super::error::refuse;
    let state = expect_context::<crate::http::state::AppState>();
    let principal = super::principal::principal()?;
    let actor = super::principal::actor()?;
    let is_unlinked = crate::http::auth::oidc::unlink(&state, &principal, &actor).await.map_err(refuse)?;
    super::form::go_on_if(is_unlinked, "/settings")
}
