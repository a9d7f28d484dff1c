//! Keys: listed, made, revoked. A key's text is in the answer to its making and nowhere else.

use super::codec::Json;
use super::error::AppError;
use crate::domain::api_key::{ApiKey, KeyScope};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A new key with its text, which nobody can show again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewKey {
    pub key: ApiKey,
    pub text: String,
}

/// The user's keys, revoked ones too, the newest first.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_keys() -> Result<Vec<ApiKey>, AppError> {
    use crate::domain::usage::UserId;
    let state = expect_context::<crate::http::state::AppState>();
    state.ledger.keys(&UserId::owner()).await.map_err(super::error::refuse)
}

/// Makes a key.
///
/// # Errors
/// [`AppError::Invalid`] for a name that is empty, longer than 100 characters or not printable, and for no scope.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn create_key(name: String, scopes: Vec<KeyScope>) -> Result<NewKey, AppError> {
    use super::error::{answer_with_status, refuse};
    use crate::domain::usage::UserId;
    let invalid = |field: &str, message: &str| {
        answer_with_status(400);
        AppError::Invalid { field: field.into(), message: message.into() }
    };
    let name = ApiKey::check_name(&name).map_err(|problem| invalid("name", problem))?;
    if scopes.is_empty() {
        return Err(invalid("scopes", "choose at least one"));
    }
    let state = expect_context::<crate::http::state::AppState>();
    let now_ms = state.clock.now_ms();
    let created = state.ledger.create_key(&UserId::owner(), &name, &scopes, now_ms).await.map_err(refuse)?;
    Ok(NewKey { text: created.text.reveal().to_owned(), key: created.key })
}

/// Ends a key.
///
/// # Errors
/// [`AppError::NotFound`] if no key that works has this id.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn revoke_key(id: String) -> Result<(), AppError> {
    use super::error::{answer_with_status, refuse};
    use crate::domain::usage::UserId;
    let state = expect_context::<crate::http::state::AppState>();
    let now_ms = state.clock.now_ms();
    if state.ledger.revoke_key(&UserId::owner(), &id, now_ms).await.map_err(refuse)? {
        return Ok(());
    }
    answer_with_status(404);
    Err(AppError::NotFound)
}
