//! The version of the numbers that a page shows.

use super::codec::Json;
use super::error::AppError;
use crate::domain::query::UsageQuery;
use leptos::prelude::*;

/// The version of the numbers that the question is about. `/api/live` tells each later one.
///
/// # Errors
/// [`AppError::Forbidden`] if they are others' and who asks may not know.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_live_version(query: UsageQuery) -> Result<u64, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let scope = super::principal::scope_of(&query).await?;
    Ok(*state.ledger.follow(&scope).borrow())
}
