//! Who asks a server function.

use super::error::{AppError, answer_with_status};
use crate::http::auth::Principal;
use leptos::prelude::use_context;

/// Who acts, as the gate has found it out.
///
/// # Errors
/// [`AppError::LoggedOut`] outside of the gate.
pub fn principal() -> Result<Principal, AppError> {
    use_context().ok_or_else(|| refused(AppError::LoggedOut))
}

/// As [`principal`], for what concerns the machine that the server runs on.
///
/// # Errors
/// [`AppError::Forbidden`] for who does not manage the server.
pub fn manager() -> Result<Principal, AppError> {
    let principal = principal()?;
    if principal.manages_server() { Ok(principal) } else { Err(refused(AppError::Forbidden)) }
}

fn refused(error: AppError) -> AppError {
    answer_with_status(error.status());
    error
}
