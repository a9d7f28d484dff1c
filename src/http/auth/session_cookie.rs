//! The cookie that holds a session's id. Scripts cannot read it, and other sites' requests do not carry it along, but for
//! links that are followed.
//!
//! On the public address it is `__Host-sid`, which browsers take from this host alone and over https alone. On this
//! machine's own addresses there is no https, and it is `sid`.

use super::Access;
use crate::ledger::token::Token;
use axum::http::header::{COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue};

const PUBLIC: &str = "__Host-sid";
const LOCAL: &str = "sid";

/// The session's id that the request carries.
pub(super) fn read(headers: &HeaderMap, access: &Access) -> Option<Token> {
    let name = if is_public(headers, access) { PUBLIC } else { LOCAL };
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    let pairs = cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(found, _)| *found == name);
    named.find_map(|(_, value)| Token::parse(value))
}

/// Has the browser keep the id until it is closed; the server ends the session earlier.
pub(super) fn keep(token: &Token, headers: &HeaderMap, access: &Access) -> Option<HeaderValue> {
    cookie(token.reveal(), "", headers, access)
}

/// Has the browser forget the id.
pub(super) fn forget(headers: &HeaderMap, access: &Access) -> Option<HeaderValue> {
    cookie("", "; Max-Age=0", headers, access)
}

fn cookie(value: &str, more: &str, headers: &HeaderMap, access: &Access) -> Option<HeaderValue> {
    let (name, secure) = if is_public(headers, access) { (PUBLIC, "; Secure") } else { (LOCAL, "") };
    let mut cookie =
        HeaderValue::from_str(&format!("{name}={value}; Path=/{secure}; HttpOnly; SameSite=Lax{more}")).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

fn is_public(headers: &HeaderMap, access: &Access) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    access.public_url().is_some_and(|url| url.authority().eq_ignore_ascii_case(host))
}
