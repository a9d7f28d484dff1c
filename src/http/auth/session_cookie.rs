//! The cookie that holds a session's id, and the one of a login through the provider that is under way. Scripts cannot read
//! them, and other sites' requests do not carry them along, but for links that are followed.
//!
//! On the public address they are `__Host-sid` and `__Host-oidc`, which browsers take from this host alone and over https
//! alone. On this machine's own addresses there is no https, and they are `sid` and `oidc`.

use super::Access;
use crate::config::PublicUrl;
use crate::domain::host;
use crate::ledger::token::Token;
use axum::http::header::{COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue};

const SESSION: &str = "sid";
const PROVIDER_LOGIN: &str = "oidc";
/// In front of each name on the public address.
const HOST_PREFIX: &str = "__Host-";

/// The session's id that the request carries.
pub(super) fn read(headers: &HeaderMap, access: &Access) -> Option<Token> {
    read_named(SESSION, headers, access)
}

/// Has the browser keep the id until it is closed; the server ends the session earlier.
pub(super) fn keep(token: &Token, headers: &HeaderMap, access: &Access) -> Option<HeaderValue> {
    cookie(SESSION, token.reveal(), "", headers, access)
}

/// Has the browser forget the id.
pub(super) fn forget(headers: &HeaderMap, access: &Access) -> Option<HeaderValue> {
    cookie(SESSION, "", "; Max-Age=0", headers, access)
}

/// What ties a login through the provider to this browser.
pub(super) fn read_provider_login(headers: &HeaderMap, access: &Access) -> Option<Token> {
    read_named(PROVIDER_LOGIN, headers, access)
}

/// Has the browser keep that for so long.
pub(super) fn keep_provider_login(
    token: &Token,
    lasts_s: i64,
    headers: &HeaderMap,
    access: &Access,
) -> Option<HeaderValue> {
    cookie(PROVIDER_LOGIN, token.reveal(), &format!("; Max-Age={lasts_s}"), headers, access)
}

pub(super) fn forget_provider_login(headers: &HeaderMap, access: &Access) -> Option<HeaderValue> {
    cookie(PROVIDER_LOGIN, "", "; Max-Age=0", headers, access)
}

fn read_named(name: &str, headers: &HeaderMap, access: &Access) -> Option<Token> {
    let prefix = if is_public(headers, access) { HOST_PREFIX } else { "" };
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    let pairs = cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(found, _)| found.strip_prefix(prefix) == Some(name));
    named.find_map(|(_, value)| Token::parse(value))
}

fn cookie(name: &str, value: &str, more: &str, headers: &HeaderMap, access: &Access) -> Option<HeaderValue> {
    let (prefix, secure) = if is_public(headers, access) { (HOST_PREFIX, "; Secure") } else { ("", "") };
    let mut cookie =
        HeaderValue::from_str(&format!("{prefix}{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax{more}")).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

fn is_public(headers: &HeaderMap, access: &Access) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    host::is_public(host, access.public_url().map(PublicUrl::authority))
}
