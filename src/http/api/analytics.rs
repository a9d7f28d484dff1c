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
    let scope = principal.choose_scope(&query.whose, &state.ledger).await?;
    Ok(Json(state.ledger.report(&scope, &query, state.clock.now_ms()).await?))
}
