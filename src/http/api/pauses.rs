//! `GET /api/analytics/pauses`: sessions that spent too fast, the newest first; `POST …/{id}/resume` lets one go on.

use super::{Params, moment};
use crate::domain::audit::Actor;
use crate::domain::money::NanoUsd;
use crate::domain::pause::SessionPause;
use crate::domain::query::QueryError;
use crate::domain::usage::UserId;
use crate::http::auth::Principal;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;

#[derive(Debug, Serialize)]
pub struct PauseList {
    pauses: Vec<PauseAnswer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PauseAnswer {
    id: String,
    user_id: UserId,
    session_id: String,
    paused_at: Option<String>,
    spent_nano_usd: NanoUsd,
    limit_nano_usd: NanoUsd,
    resumed_at: Option<String>,
    resumed_by: Option<UserId>,
}

pub async fn list(
    State(state): State<AppState>,
    principal: Principal,
    params: Params,
) -> Result<Json<PauseList>, ApiError> {
    let (scope, limit) = (principal.pause_scope(), params.limit(DEFAULT_LIMIT, MAX_LIMIT)?);
    let pauses = match params.get("state") {
        None | Some("all") => state.ledger.pauses(&scope, limit).await?,
        Some("open") => state.ledger.open_pauses(&scope, Some(limit)).await?,
        Some(_) => return Err(QueryError::new("state", "must be open or all").into()),
    };
    Ok(Json(PauseList { pauses: pauses.into_iter().map(PauseAnswer::from).collect() }))
}

/// Repeating it changes nothing: the first one counts.
pub async fn resume(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<PauseAnswer>, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let resumed = state.ledger.resume_session(&principal.pause_scope(), &id, &actor, state.clock.now_ms()).await?;
    resumed.map(|pause| Json(pause.into())).ok_or(ApiError::NotFound)
}

impl From<SessionPause> for PauseAnswer {
    fn from(pause: SessionPause) -> Self {
        Self {
            id: pause.id,
            user_id: pause.user_id,
            session_id: pause.session_id,
            paused_at: moment(pause.paused_at_ms),
            spent_nano_usd: pause.spent,
            limit_nano_usd: pause.limit,
            resumed_at: pause.resumed.as_ref().and_then(|one| moment(one.at_ms)),
            resumed_by: pause.resumed.map(|one| one.by),
        }
    }
}
