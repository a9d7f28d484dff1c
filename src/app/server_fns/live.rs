//! What the Overview is told of the server itself: the version of the numbers it shows, and how recording is going.

use super::codec::Json;
use super::error::AppError;
use crate::domain::recorder_health::RecorderHealth;
use leptos::prelude::*;

/// The version of the user's numbers. `/api/live` tells each later one.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_live_version() -> Result<u64, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let scope = super::principal::principal()?.scope();
    Ok(*state.ledger.follow(&scope).borrow())
}

/// How the recorder is doing.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_recorder_health() -> Result<RecorderHealth, AppError> {
    Ok(expect_context::<crate::http::state::AppState>().recorder.health())
}
