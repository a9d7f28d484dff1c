//! `/healthz`: the process runs. `/readyz`: it can also reach its ledger; how the recorder is doing; and how much there is, as it was
//! measured last (`serve` does that every hour, because it counts every event).

use super::error::ApiError;
use super::state::AppState;
use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

pub async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

pub async fn readyz(State(state): State<AppState>) -> Result<Json<Value>, ApiError> {
    state.ledger.ping().await.map_err(|error| ApiError::Unavailable { cause: error.to_string() })?;
    Ok(Json(json!({ "status": "ready", "recorder": state.recorder.health(), "sizes": state.ledger.measured() })))
}
