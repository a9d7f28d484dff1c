//! `GET /api/analytics/tokens`: the report.

use super::Params;
use crate::domain::query::UsageQuery;
use crate::domain::report::UsageReport;
use crate::http::auth::Principal;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use axum::Json;
use axum::extract::State;

pub async fn report(
    State(state): State<AppState>,
    principal: Principal,
    Params(params): Params,
) -> Result<Json<UsageReport>, ApiError> {
    let query = UsageQuery::from_params(params)?;
    Ok(Json(state.ledger.report(&principal.scope(), &query, state.clock.now_ms()).await?))
}
