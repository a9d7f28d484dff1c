//! `/setup`: where the owner's first password is made on a server that other machines can reach. The link to it is printed
//! when such a server starts without one. It holds for a quarter of an hour and for one password.

use super::Principal;
use super::form::{Peer, Sent, client_address, fields, let_in, page, wait_page};
use super::password::chosen_password;
use crate::app::door::{Door, SetupDoor};
use crate::domain::audit::Actor;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::ledger::token::Token;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const LASTS_MS: i64 = 15 * 60_000;

/// The link that is open, if one is. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SetupLink(Arc<Mutex<Option<OpenLink>>>);

#[derive(Clone, Debug)]
struct OpenLink {
    token: Token,
    expires_at_ms: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct LinkToken {
    pub(super) token: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct SetupForm {
    token: String,
    password: String,
    again: String,
}

impl SetupLink {
    /// Opens the link; its token is for the address.
    pub fn open(&self, now_ms: i64) -> Token {
        let token = Token::random();
        *self.lock() = Some(OpenLink { token: token.clone(), expires_at_ms: now_ms + LASTS_MS });
        token
    }

    fn holds(&self, token: &str, now_ms: i64) -> bool {
        self.lock().as_ref().is_some_and(|link| link.is(token, now_ms))
    }

    /// Closes the link, and gives it to the one who closed it.
    fn take(&self, token: &str, now_ms: i64) -> Option<OpenLink> {
        self.lock().take_if(|link| link.is(token, now_ms))
    }

    fn put_back(&self, link: OpenLink) {
        *self.lock() = Some(link);
    }

    fn lock(&self) -> MutexGuard<'_, Option<OpenLink>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenLink {
    fn is(&self, token: &str, now_ms: i64) -> bool {
        now_ms < self.expires_at_ms && Token::parse(token).is_some_and(|token| token.is(&self.token))
    }
}

pub async fn show(
    State(state): State<AppState>,
    Query(LinkToken { token }): Query<LinkToken>,
    headers: HeaderMap,
) -> Response {
    if !state.access.setup.holds(&token, state.clock.now_ms()) {
        return over(&state, &headers);
    }
    page(&state, &headers, StatusCode::OK, Door::Setup(SetupDoor { token: &token, fault: None }))
}

/// Sets the owner's password and lets them in.
pub async fn set_up(
    State(state): State<AppState>,
    peer: Peer,
    headers: HeaderMap,
    sent: Sent<SetupForm>,
) -> Result<Response, ApiError> {
    let SetupForm { token, password, again } = fields(sent)?;
    let now_ms = state.clock.now_ms();
    let address = client_address(peer, &headers, &state.access);
    if let Err(wait_ms) = state.access.limits.admit_link(address, now_ms) {
        let fault = Some("was sent too often; try again in a minute");
        return Ok(wait_page(&state, &headers, wait_ms, Door::Setup(SetupDoor { token: &token, fault })));
    }
    if !state.access.setup.holds(&token, now_ms) {
        return Ok(over(&state, &headers));
    }
    let password = match chosen_password([&password, &again]) {
        Ok(password) => password,
        Err(fault) => {
            let door = Door::Setup(SetupDoor { token: &token, fault: Some(fault) });
            return Ok(page(&state, &headers, StatusCode::BAD_REQUEST, door));
        }
    };
    // Set on the command line meanwhile, it is not to be replaced from here.
    if state.ledger.needs_login(now_ms).await? {
        return Ok(over(&state, &headers));
    }
    let Some(link) = state.access.setup.take(&token, now_ms) else { return Ok(over(&state, &headers)) };
    let owner = Principal::LocalOwner.user_id();
    // Whoever has the link is the owner.
    let actor = Actor::account(&owner, address);
    if let Err(error) = state.ledger.set_password(&owner, &password, &actor, now_ms).await {
        state.access.setup.put_back(link);
        return Err(error.into());
    }
    tracing::info!("the owner's password was set through the set-up link");
    let_in(&state, &headers, &owner, &actor, "/").await
}

fn over(state: &AppState, headers: &HeaderMap) -> Response {
    page(state, headers, StatusCode::GONE, Door::SetupIsOver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_holds_for_a_quarter_of_an_hour_and_once() {
        const NOW_MS: i64 = 1_795_512_600_000;
        let setup = SetupLink::default();
        assert!(!setup.holds("", NOW_MS) && !setup.holds(&"0".repeat(64), NOW_MS));
        let token = setup.open(NOW_MS);
        assert!(setup.holds(token.reveal(), NOW_MS + LASTS_MS - 1));
        assert!(!setup.holds(token.reveal(), NOW_MS + LASTS_MS));
        assert!(!setup.holds(&"0".repeat(64), NOW_MS));
        assert!(setup.take(&"0".repeat(64), NOW_MS).is_none(), "a wrong token does not close it");
        assert!(setup.take(token.reveal(), NOW_MS).is_some());
        assert!(setup.take(token.reveal(), NOW_MS).is_none());
    }
}
