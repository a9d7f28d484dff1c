//! Who calls: the owner of a key, or, as long as nobody has made a key, whoever is on this machine.

use super::error::ApiError;
use super::state::AppState;
use crate::domain::api_key::{KeyScope, KeyText};
use crate::domain::usage::UserId;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};

/// Where a key may stand. Clients whose `Authorization` is for the provider use the last one.
const KEY_HEADERS: [HeaderName; 3] =
    [AUTHORIZATION, HeaderName::from_static("x-api-key"), HeaderName::from_static("x-tollbridge-key")];

/// Whose usage a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user_id: UserId,
    /// The key that it shows, if any.
    pub api_key_id: Option<String>,
}

/// The caller, if it may do what `scope` allows.
pub async fn caller_with(scope: KeyScope, state: &AppState, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let now_ms = state.clock.now_ms();
    let Some(text) = shown_key(headers)? else {
        return match state.ledger.has_keys(now_ms).await? {
            true => Err(ApiError::NoKey),
            false => Ok(Caller { user_id: UserId::owner(), api_key_id: None }),
        };
    };
    let key = state.ledger.authenticate(&text, now_ms).await?.ok_or(ApiError::NoKey)?;
    if !key.allows(scope) {
        return Err(ApiError::KeyLacksScope { scope });
    }
    Ok(Caller { user_id: key.user_id, api_key_id: Some(key.id) })
}

/// The key that the request shows. Anything else where a key belongs is refused before the database is asked.
fn shown_key(headers: &HeaderMap) -> Result<Option<KeyText>, ApiError> {
    let mut shown = KEY_HEADERS.into_iter().flat_map(|name| headers.get_all(name));
    let Some(value) = shown.next() else { return Ok(None) };
    if shown.next().is_some() {
        return Err(ApiError::NoKey);
    }
    let text = value.to_str().map_err(|_| ApiError::NoKey)?;
    let text = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => text,
    };
    KeyText::parse(text).map(Some).ok_or(ApiError::NoKey)
}
