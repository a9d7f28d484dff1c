//! Where in a request a key stands.

use crate::domain::api_key::KeyText;
use crate::http::error::ApiError;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};

/// Clients whose `Authorization` is for the provider use the last one.
const KEY_HEADERS: [HeaderName; 3] =
    [AUTHORIZATION, HeaderName::from_static("x-api-key"), HeaderName::from_static("x-tollbridge-key")];

/// The key that the request shows. Anything else where a key belongs is refused before the database is asked.
pub(super) fn shown_key(headers: &HeaderMap) -> Result<Option<KeyText>, ApiError> {
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
