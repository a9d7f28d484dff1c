//! `/healthz`: the process runs. `/readyz`: it can also reach its ledger; how the recorder is doing, whether it can or not; and
//! how much there is, as it was measured last (`serve` does that every hour, because it counts every event).

use super::error::RETRY_AFTER_S;
use super::request_id;
use super::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::time::Duration;

/// How long the ledger may take to answer: less than the second that probes wait as a rule.
const PING_WAITS: Duration = Duration::from_millis(800);

pub async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

pub async fn readyz(State(state): State<AppState>) -> Response {
    let pinged = tokio::time::timeout(PING_WAITS, state.ledger.ping()).await;
    let (recorder, sizes) = (state.recorder.health(), state.ledger.measured());
    let cause = match pinged {
        Ok(Ok(())) => {
            return Json(json!({ "status": "ready", "recorder": recorder, "sizes": sizes })).into_response();
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it does not answer".into(),
    };
    tracing::warn!(cause, "the ledger is unavailable");
    let body = json!({
        "status": "unavailable",
        "error": "the ledger cannot be reached at the moment",
        "requestId": request_id::current(),
        "recorder": recorder,
        "sizes": sizes,
    });
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_AFTER_S.to_string())], Json(body)).into_response()
}
