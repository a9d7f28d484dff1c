//! Who asks a server function.

use super::error::{AppError, answer_with_status, refuse, refused};
use crate::domain::audit::Actor;
use crate::domain::query::UsageQuery;
use crate::domain::usage::Scope;
use crate::http::auth::{Principal, ScopeError, password};
use crate::http::state::AppState;
use axum::http::request::Parts;
use leptos::prelude::{expect_context, use_context};

/// Who acts, as the gate has found it out.
///
/// # Errors
/// [`AppError::LoggedOut`] outside of the gate.
pub fn principal() -> Result<Principal, AppError> {
    use_context().ok_or_else(|| refused(AppError::LoggedOut))
}

/// Who acts and from where, for what changes something.
///
/// # Errors
/// [`AppError::LoggedOut`] outside of the gate.
pub fn actor() -> Result<Actor, AppError> {
    let found = use_context::<Parts>().and_then(|parts| parts.extensions.get().cloned());
    found.ok_or_else(|| refused(AppError::LoggedOut))
}

/// As [`principal`], for what concerns the machine that the server runs on.
///
/// # Errors
/// [`AppError::Forbidden`] for who does not manage the server.
pub fn manager() -> Result<Principal, AppError> {
    let principal = principal()?;
    if principal.manages_server() { Ok(principal) } else { Err(refused(AppError::Forbidden)) }
}

/// Whose usage a question of who asks is about.
///
/// # Errors
/// [`AppError::Forbidden`] for who may not ask about others; [`AppError::Invalid`] if there is no such user.
pub async fn scope_of(query: &UsageQuery) -> Result<Scope, AppError> {
    let state = expect_context::<AppState>();
    principal()?.choose_scope(&query.whose, &state.ledger).await.map_err(|error| match error {
        ScopeError::OwnOnly => refused(AppError::Forbidden),
        ScopeError::Ledger(error) => refuse(error),
    })
}

/// Makes certain that it is still who has logged in that acts, by what they typed as `your_password`. Nothing typed will do
/// soon after logging in.
///
/// # Errors
/// [`AppError::Invalid`] names the field.
pub async fn confirm(principal: &Principal, your_password: &str) -> Result<(), AppError> {
    let state = expect_context::<AppState>();
    let headers = use_context::<Parts>().map(|parts| parts.headers).unwrap_or_default();
    let Err(problem) = password::confirm(&state, principal, &actor()?, &headers, your_password).await else {
        return Ok(());
    };
    let (status, message) = problem.told().map_err(refuse)?;
    answer_with_status(status);
    Err(AppError::Invalid { field: "your_password".into(), message })
}
