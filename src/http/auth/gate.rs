//! The gate before every route that is not for everyone: it works out who acts, and turns away who may not.
//!
//! Programs show a key with the scope that the route needs; a cookie is no substitute, but for the few routes that the
//! dashboard's own pages call ([`Needs::KeyOrSession`]). People have a session; a key opens no page.

use super::form::client_address;
use super::key_header::shown_key;
use super::{Principal, login, session_cookie};
use crate::app::server_fns::error::AppError;
use crate::domain::account::Account;
use crate::domain::api_key::KeyScope;
use crate::http::connections::PeerAddress;
use crate::http::error::ApiError;
use crate::http::guard::{Strictness, comes_from_here};
use crate::http::state::AppState;
use crate::ledger::LedgerError;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, REFERER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};

/// What a route of the API asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    Key(KeyScope),
    /// The dashboard's pages call it too, from the browser.
    KeyOrSession(KeyScope),
}

impl Needs {
    fn scope(self) -> KeyScope {
        match self {
            Self::Key(scope) | Self::KeyOrSession(scope) => scope,
        }
    }
}

/// The gate of the API.
pub async fn admit_program(
    State((state, needs)): State<(AppState, Needs)>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let principal = program(&state, needs, request.headers()).await?;
    introduce(&mut request, principal, &state);
    Ok(next.run(request).await)
}

/// What pages ask for over and over by themselves.
const BY_ITSELF: [&str; 2] = ["/_fn/get_recorder", "/_fn/get_arrivals"];

/// The gate of pages and server functions.
pub async fn admit_person(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let is_by_itself = BY_ITSELF.iter().any(|path| request.uri().path().starts_with(path));
    let admitted =
        if is_by_itself { onlooker(&state, request.headers()).await } else { person(&state, request.headers()).await };
    match admitted {
        Ok(Some(principal)) => {
            introduce(&mut request, principal, &state);
            next.run(request).await
        }
        Ok(None) => turn_away(&state, &request),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Who looks at a page, if they may.
pub(super) async fn person(state: &AppState, headers: &HeaderMap) -> Result<Option<Principal>, LedgerError> {
    if is_local(state, headers).await? {
        return Ok(Some(Principal::LocalOwner));
    }
    let Some(token) = session_cookie::read(headers, &state.access) else { return Ok(None) };
    let account = state.ledger.session_account(&token, state.clock.now_ms()).await?;
    Ok(account.map(Principal::Account))
}

/// As [`person`], for what a page asks by itself: it keeps no session alive.
async fn onlooker(state: &AppState, headers: &HeaderMap) -> Result<Option<Principal>, LedgerError> {
    if is_local(state, headers).await? {
        return Ok(Some(Principal::LocalOwner));
    }
    let Some(token) = session_cookie::read(headers, &state.access) else { return Ok(None) };
    let account = state.ledger.peek_session(&token, state.clock.now_ms()).await?;
    Ok(account.map(Principal::Account))
}

/// Leaves with the request who acts, and from where.
fn introduce(request: &mut Request, principal: Principal, state: &AppState) {
    let peer = request.extensions().get::<PeerAddress>().copied().map(Extension);
    let actor = principal.actor(client_address(peer, request.headers(), &state.access));
    request.extensions_mut().insert(actor);
    request.extensions_mut().insert(principal);
}

async fn program(state: &AppState, needs: Needs, headers: &HeaderMap) -> Result<Principal, ApiError> {
    let (scope, now_ms) = (needs.scope(), state.clock.now_ms());
    if let Some(text) = shown_key(headers)? {
        let key = state.ledger.authenticate(&text, now_ms).await?.ok_or(ApiError::NoKey)?;
        return if key.allows(scope) { Ok(Principal::Key(key)) } else { Err(ApiError::KeyLacksScope { scope }) };
    }
    if is_local(state, headers).await? {
        // Who has made a key wants to tell reporters apart.
        let needs_key = scope == KeyScope::Ingest && state.ledger.has_keys(now_ms).await?;
        return if needs_key { Err(ApiError::NoKey) } else { Ok(Principal::LocalOwner) };
    }
    match needs {
        Needs::Key(_) => Err(ApiError::NoKey),
        Needs::KeyOrSession(_) => page_account(state, headers).await?.map(Principal::Account).ok_or(ApiError::NoKey),
    }
}

/// Whose page asks. What it asks for by itself does not keep the session alive.
async fn page_account(state: &AppState, headers: &HeaderMap) -> Result<Option<Account>, ApiError> {
    if !comes_from_here(headers, Strictness::Browser, state.access.public_url()) {
        return Ok(None);
    }
    let Some(token) = session_cookie::read(headers, &state.access) else { return Ok(None) };
    Ok(state.ledger.peek_session(&token, state.clock.now_ms()).await?)
}

async fn is_local(state: &AppState, headers: &HeaderMap) -> Result<bool, LedgerError> {
    Ok(state.access.local_user(headers).is_some() && !state.ledger.needs_login(state.clock.now_ms()).await?)
}

/// A page leads to the login and back. A form of a page that was sent without scripts is answered with the login itself,
/// a call of a page's code with data.
fn turn_away(state: &AppState, request: &Request) -> Response {
    let headers = request.headers();
    let is_server_function = request.uri().path().starts_with("/_fn/");
    let wants_page = text_of(headers, ACCEPT).contains("text/html");
    match (is_server_function, wants_page) {
        (false, _) => login::redirect_to_login(request.uri()),
        (true, true) => {
            let page = text_of(headers, REFERER).parse::<Uri>().ok();
            let next = page.as_ref().and_then(Uri::path_and_query).map_or("/", |path| path.as_str());
            login::ask(state, headers, next)
        }
        (true, false) => (StatusCode::UNAUTHORIZED, Json(AppError::LoggedOut)).into_response(),
    }
}

fn text_of(headers: &HeaderMap, name: axum::http::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
