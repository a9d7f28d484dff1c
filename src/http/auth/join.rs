//! `/join`: where an invitation becomes an account.

use super::form::{Peer, Sent, client_address, fields, let_in, page, wait_page};
use super::password::chosen_password;
use super::setup::LinkToken;
use crate::app::door::{Door, JoinDoor};
use crate::domain::account::Account;
use crate::domain::audit::Actor;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::ledger::invite::Joined;
use crate::ledger::token::Token;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct JoinForm {
    token: String,
    login: String,
    password: String,
    again: String,
}

/// The form. Whether the invitation still holds is told when it is sent.
pub async fn show(
    State(state): State<AppState>,
    Query(LinkToken { token }): Query<LinkToken>,
    headers: HeaderMap,
) -> Response {
    if Token::parse(&token).is_none() {
        return page(&state, &headers, StatusCode::GONE, Door::InviteIsOver);
    }
    let door = JoinDoor { token: &token, provider: state.access.provider_name(), ..JoinDoor::default() };
    page(&state, &headers, StatusCode::OK, Door::Join(door))
}

/// Makes the account and lets them in.
pub async fn join(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    sent: Sent<JoinForm>,
) -> Result<Response, ApiError> {
    let JoinForm { token, login, password, again } = fields(sent)?;
    let provider = state.access.provider_name();
    let door = |login_fault, password_fault| {
        Door::Join(JoinDoor { token: &token, login: &login, provider, login_fault, password_fault })
    };
    let now_ms = state.clock.now_ms();
    let address = client_address(peer, &headers, &state.access);
    if let Err(wait_ms) = state.access.limits.admit_link(address, now_ms) {
        let door = door(None, Some("was sent too often; try again in a minute"));
        return Ok(wait_page(&state, &headers, wait_ms, door));
    }
    let Some(invite) = Token::parse(&token) else {
        return Ok(page(&state, &headers, StatusCode::GONE, Door::InviteIsOver));
    };
    let (login, password) = match (Account::check_login(&login), chosen_password([&password, &again])) {
        (Ok(login), Ok(password)) => (login, password),
        (login, password) => {
            return Ok(page(&state, &headers, StatusCode::BAD_REQUEST, door(login.err(), password.err())));
        }
    };
    let actor = Actor::nobody(address);
    match state.ledger.accept_invite(&invite, &login, &password, &actor, now_ms).await? {
        Joined::Account(account) => let_in(&state, &headers, &account.user_id, &actor, "/").await,
        Joined::InviteIsOver => Ok(page(&state, &headers, StatusCode::GONE, Door::InviteIsOver)),
        Joined::LoginIsTaken => {
            Ok(page(&state, &headers, StatusCode::CONFLICT, door(Some("is taken; choose another"), None)))
        }
    }
}
