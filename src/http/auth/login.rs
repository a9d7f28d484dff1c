//! `/login` and `/logout`. Whether an account exists is never told: an unknown name takes as long, counts as much and is
//! answered in the same words as a wrong password.

use super::form::{Peer, Sent, client_address, fields, let_in, page, see_other, wait_page, whole_seconds};
use super::gate::person;
use super::session_cookie;
use crate::app::door::{Door, LoginDoor};
use crate::domain::account::Account;
use crate::domain::audit::Actor;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::ledger::LedgerError;
use axum::extract::{Query, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;

/// For who comes while others are being looked at, in milliseconds.
pub(super) const BUSY_WAIT_MS: i64 = 2_000;

pub(super) const BUSY: &str = "Too many are logging in at this moment. Try again in a few seconds.";

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct LoginForm {
    login: String,
    password: String,
    /// Where to go afterwards.
    next: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct NextPage {
    next: String,
}

/// The form, for who is not let in already.
pub async fn show(
    State(state): State<AppState>,
    Query(NextPage { next }): Query<NextPage>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let next = local_path(&next);
    if person(&state, &headers).await?.is_some() {
        return Ok(see_other(next));
    }
    let door = LoginDoor {
        next,
        provider: state.access.provider_name(),
        lacks_password: !state.ledger.needs_login(state.clock.now_ms()).await?,
        ..LoginDoor::default()
    };
    Ok(page(&state, &headers, StatusCode::OK, Door::Login(door)))
}

/// Lets in who knows the password.
pub async fn log_in(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    sent: Sent<LoginForm>,
) -> Result<Response, ApiError> {
    let LoginForm { login, password, next } = fields(sent)?;
    let next = local_path(&next);
    let name = Account::check_login(&login).unwrap_or_default();
    let provider = state.access.provider_name();
    let again =
        |problem: String| Door::Login(LoginDoor { login: &name, next, problem, provider, lacks_password: false });
    let limits = &state.access.limits;
    let address = client_address(peer, &headers, &state.access);
    if let Err(wait_ms) = limits.admit(address, &name, state.clock.now_ms()) {
        return Ok(wait_page(&state, &headers, wait_ms, again(too_often(wait_ms))));
    }
    let actor = Actor::nobody(address);
    match state.ledger.check_password(&name, &password, &actor, state.clock.now_ms()).await {
        Ok(Some(account)) => {
            limits.forgive(&name);
            tracing::info!(user_id = account.user_id.0, "logged in");
            let_in(&state, &headers, &account.user_id, &actor, next).await
        }
        Ok(None) => {
            tracing::warn!("a login was refused");
            let problem = "The name or the password is wrong.".to_owned();
            Ok(page(&state, &headers, StatusCode::UNAUTHORIZED, again(problem)))
        }
        Err(LedgerError::Busy) => Ok(wait_page(&state, &headers, BUSY_WAIT_MS, again(BUSY.to_owned()))),
        Err(error) => Err(error.into()),
    }
}

/// Ends the session.
pub async fn log_out(State(state): State<AppState>, peer: Peer, headers: HeaderMap) -> Result<Response, ApiError> {
    if let Some(token) = session_cookie::read(&headers, &state.access) {
        let actor = Actor::nobody(client_address(peer, &headers, &state.access));
        state.ledger.end_session(&token, &actor, state.clock.now_ms()).await?;
    }
    let mut response = see_other("/login");
    if let Some(cookie) = session_cookie::forget(&headers, &state.access) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Leads to the login and from there back to where somebody wanted to go.
pub(super) fn redirect_to_login(wanted: &Uri) -> Response {
    let next = wanted.path_and_query().map_or("/", |path| path.as_str());
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    see_other(&if next == "/" { "/login".to_owned() } else { format!("/login?{query}") })
}

/// The form as the answer to something else that needs a login.
pub(super) fn ask(state: &AppState, headers: &HeaderMap, next: &str) -> Response {
    let problem = "You are logged out, and what you sent was not done. Log in, then send it again.".to_owned();
    let door =
        LoginDoor { next: local_path(next), problem, provider: state.access.provider_name(), ..LoginDoor::default() };
    page(state, headers, StatusCode::UNAUTHORIZED, Door::Login(door))
}

/// The path, if it is one of ours: an address that a link names must not lead to another site. Browsers take a backslash for
/// a slash, and drop control characters.
pub(super) fn local_path(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.chars().any(|c| c == '\\' || c.is_control())
        && !["/login", "/logout", "/setup", "/join", "/_fn/"].iter().any(|door| next.starts_with(door));
    if is_local { next } else { "/" }
}

pub(super) fn too_often(wait_ms: i64) -> String {
    match whole_seconds(wait_ms) {
        1 => "Too many attempts. Try again in a second.".to_owned(),
        seconds @ 2..120 => format!("Too many attempts. Try again in {seconds} seconds."),
        seconds => format!("Too many attempts. Try again in {} minutes.", (seconds + 59) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_gone_on_to() {
        for ours in ["/", "/budgets", "/?range=week&model=opus", "/keys#new"] {
            assert_eq!(local_path(ours), ours);
        }
        for foreign in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "\\/evil.example",
            "javascript:alert(1)",
            "evil",
            "/login?next=/login",
            "/logout",
            "/_fn/save_budget",
        ] {
            assert_eq!(local_path(foreign), "/", "{foreign:?}");
        }
    }

    #[test]
    fn a_wait_is_told_in_words() {
        assert_eq!(too_often(900), "Too many attempts. Try again in a second.");
        assert_eq!(too_often(30_000), "Too many attempts. Try again in 30 seconds.");
        assert_eq!(too_often(3_600_000), "Too many attempts. Try again in 60 minutes.");
    }
}
