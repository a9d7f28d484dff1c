//! What the plain forms of this room have in common.

use super::{Access, session_cookie};
use crate::app::door::Door;
use crate::domain::audit::Actor;
use crate::domain::usage::UserId;
use crate::http::connections::PeerAddress;
use crate::http::error::ApiError;
use crate::http::headers;
use crate::http::router::theme_of;
use crate::http::state::AppState;
use axum::extract::rejection::FormRejection;
use axum::http::header::{CONTENT_SECURITY_POLICY, LOCATION, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Form};
use std::net::IpAddr;

/// A form as it was sent, or why it cannot be read.
pub(super) type Sent<T> = Result<Form<T>, FormRejection>;
/// Where the connection comes from, if it is one.
pub(super) type Peer = Option<Extension<PeerAddress>>;

pub(super) fn fields<T>(sent: Sent<T>) -> Result<T, ApiError> {
    sent.map(|Form(fields)| fields).map_err(|error| ApiError::bad_request(error.body_text()))
}

/// A page of the door, in the reader's theme.
pub(super) fn page(state: &AppState, request: &HeaderMap, status: StatusCode, door: Door) -> Response {
    let html = door.render(&state.leptos_options, theme_of(request));
    let mut response = (status, Html(html)).into_response();
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(headers::POLICY_FOR_FORM_PAGE));
    response
}

/// As [`page`], for who has to wait before the next attempt.
pub(super) fn wait_page(state: &AppState, request: &HeaderMap, wait_ms: i64, door: Door) -> Response {
    let mut response = page(state, request, StatusCode::TOO_MANY_REQUESTS, door);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait_ms)));
    response
}

/// In how many seconds it can be tried again, rounded up.
pub(super) fn whole_seconds(wait_ms: i64) -> i64 {
    (wait_ms.max(0) + 999) / 1_000
}

/// Sends a browser on to a path of ours.
pub(super) fn see_other(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/")));
    response
}

/// Opens a session under a new id, ends the one that the browser had, and sends it on.
pub(super) async fn let_in(
    state: &AppState,
    request: &HeaderMap,
    user: &UserId,
    actor: &Actor,
    path: &str,
) -> Result<Response, ApiError> {
    let now_ms = state.clock.now_ms();
    if let Some(former) = session_cookie::read(request, &state.access) {
        state.ledger.end_session(&former, actor, now_ms).await?;
    }
    let token = state.ledger.open_session(user, actor, now_ms).await?;
    let mut response = see_other(path);
    if let Some(cookie) = session_cookie::keep(&token, request, &state.access) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Where a request comes from. A proxy on this machine says for whom it asks, in the last place of `X-Forwarded-For`;
/// nobody else is believed.
pub(super) fn client_address(peer: Peer, headers: &HeaderMap, access: &Access) -> Option<IpAddr> {
    let Extension(PeerAddress(peer)) = peer?;
    let asks_for = || {
        let forwarded = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        forwarded.rsplit(',').next()?.trim().parse().ok()
    };
    let is_proxy = peer.is_loopback() && access.public_url().is_some();
    Some(if is_proxy { asks_for().unwrap_or(peer) } else { peer })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PublicUrl;

    /// Who guesses writes another address into each request, so that none has had too many attempts.
    #[test]
    fn attack_24_nobody_chooses_the_address_that_is_counted() {
        let public = PublicUrl::parse("https://tolls.example.org").unwrap();
        let behind_proxy = Access::new("127.0.0.1:3000".parse().unwrap(), Some(public));
        let forged: HeaderMap = [("x-forwarded-for", "192.0.2.1, 198.51.100.7")]
            .into_iter()
            .map(|(name, value)| (name.parse::<axum::http::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        let counted = |peer: &str, access: &Access| {
            let peer: IpAddr = peer.parse().unwrap();
            client_address(Some(Extension(PeerAddress(peer))), &forged, access).unwrap().to_string()
        };
        assert_eq!(counted("203.0.113.9", &behind_proxy), "203.0.113.9", "another machine is no proxy of ours");
        assert_eq!(counted("127.0.0.1", &Access::default()), "127.0.0.1", "without a public address there is no proxy");
        assert_eq!(counted("127.0.0.1", &behind_proxy), "198.51.100.7", "what the proxy added, not what it was sent");
    }
}
