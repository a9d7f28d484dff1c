//! `GET` and `POST /api/analytics/budget`: the monthly budget and where the running month stands.

use crate::capture::json_fields::{FieldError, object_with};
use crate::domain::audit::Actor;
use crate::domain::budget::{AtLimit, Budget, BudgetStatus};
use crate::domain::usage::UserId;
use crate::http::auth::Principal;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Map, Value};

const FIELDS: [&str; 6] =
    ["monthlyLimitCents", "alertThreshold1", "alertThreshold2", "alertThreshold3", "timeZone", "atLimit"];

/// The budget as it is set, and its status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetAnswer {
    monthly_limit_cents: i64,
    #[serde(rename = "alertThreshold1")]
    alert_threshold_1: u32,
    #[serde(rename = "alertThreshold2")]
    alert_threshold_2: u32,
    #[serde(rename = "alertThreshold3")]
    alert_threshold_3: u32,
    time_zone: String,
    at_limit: AtLimit,
    status: BudgetStatus,
}

pub async fn show(State(state): State<AppState>, principal: Principal) -> Result<Json<BudgetAnswer>, ApiError> {
    let user = principal.user_id();
    let budget = state.ledger.budget(&user).await?;
    answer(&state, &user, &budget).await
}

/// Changes the fields that are given; the others stay as they are.
pub async fn change(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<BudgetAnswer>, ApiError> {
    let fields = object_with(&body, &FIELDS)?;
    if fields.is_empty() {
        return Err(ApiError::bad_request(format!("the body changes nothing; it may have {}", FIELDS.join(", "))));
    }
    let user = principal.user_id();
    let budget = changed(&state.ledger.budget(&user).await?, fields)?;
    state.ledger.save_budget(&user, &budget, &actor, state.clock.now_ms()).await?;
    answer(&state, &user, &budget).await
}

fn changed(current: &Budget, fields: &Map<String, Value>) -> Result<Budget, ApiError> {
    let limit_cents = whole(fields, "monthlyLimitCents")?.unwrap_or_else(|| current.monthly_limit.to_cents());
    let mut thresholds = current.thresholds.map(i64::from);
    for (threshold, name) in thresholds.iter_mut().zip(&FIELDS[1..4]) {
        *threshold = whole(fields, name)?.unwrap_or(*threshold);
    }
    let time_zone = match fields.get("timeZone") {
        None => current.time_zone.as_str(),
        Some(Value::String(name)) => name,
        Some(_) => return Err(ApiError::invalid("timeZone", "must be an IANA name such as Europe/Berlin")),
    };
    let at_limit = match fields.get("atLimit") {
        None => current.at_limit,
        Some(name) => AtLimit::parse(name.as_str().unwrap_or_default())?,
    };
    Ok(Budget::parse(limit_cents, thresholds, time_zone)?.with_at_limit(at_limit))
}

fn whole(fields: &Map<String, Value>, name: &str) -> Result<Option<i64>, FieldError> {
    let Some(value) = fields.get(name) else { return Ok(None) };
    let wrong = || FieldError { field: name.to_owned(), message: "must be a whole number".into() };
    value.as_i64().map(Some).ok_or_else(wrong)
}

async fn answer(state: &AppState, user: &UserId, budget: &Budget) -> Result<Json<BudgetAnswer>, ApiError> {
    let status = state.ledger.budget_status(user, state.clock.now_ms()).await?;
    let [alert_threshold_1, alert_threshold_2, alert_threshold_3] = budget.thresholds;
    Ok(Json(BudgetAnswer {
        monthly_limit_cents: budget.monthly_limit.to_cents(),
        alert_threshold_1,
        alert_threshold_2,
        alert_threshold_3,
        time_zone: budget.time_zone.clone(),
        at_limit: budget.at_limit,
        status,
    }))
}
