//! `/api/analytics/budgets`: all budgets of a user, each with where its running period stands. The first one, which
//! everybody has, is only shown here: `budget` changes it.

use crate::capture::json_fields::{FieldError, object_with};
use crate::domain::audit::Actor;
use crate::domain::budget::{
    AtLimit, Budget, BudgetPeriod, BudgetScope, BudgetStanding, DEFAULT_BUDGET, NamedBudget, Raise,
};
use crate::domain::money::NanoUsd;
use crate::http::auth::Principal;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

const FIELDS: [&str; 10] =
    ["name", "scope", "scopeId", "model", "period", "limitCents", "thresholds", "timeZone", "atLimit", "raise"];
const RAISE_FIELDS: [&str; 2] = ["limitCents", "until"];

#[derive(Debug, Serialize)]
pub struct BudgetList {
    budgets: Vec<BudgetAnswer>,
}

/// A budget as it is set, and where its running period stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BudgetAnswer {
    id: String,
    name: String,
    scope: &'static str,
    /// The key's id or the project's name.
    scope_id: Option<String>,
    model: Option<String>,
    period: BudgetPeriod,
    limit_cents: i64,
    limit_nano_usd: NanoUsd,
    thresholds: Vec<u32>,
    time_zone: String,
    at_limit: AtLimit,
    raise: Option<RaiseAnswer>,
    status: BudgetStanding,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RaiseAnswer {
    limit_cents: i64,
    limit_nano_usd: NanoUsd,
    until: Option<String>,
}

pub async fn list(State(state): State<AppState>, principal: Principal) -> Result<Json<BudgetList>, ApiError> {
    let mut budgets = Vec::new();
    for budget in state.ledger.budgets(&principal.user_id()).await? {
        budgets.push(answer(&state, budget).await?);
    }
    Ok(Json(BudgetList { budgets }))
}

pub async fn make(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    JsonBody(body): JsonBody<Value>,
) -> Result<(StatusCode, Json<BudgetAnswer>), ApiError> {
    let fields = object_with(&body, &FIELDS)?;
    let user = principal.user_id();
    let default = state.ledger.budget(&user).await?;
    // What has to be named is empty here, so that its check names it.
    let blank = NamedBudget {
        id: Uuid::now_v7().to_string(),
        name: String::new(),
        limit: NanoUsd::ZERO,
        ..NamedBudget::of_default(&user, &Budget { at_limit: AtLimit::Notify, ..default })
    };
    Ok((StatusCode::CREATED, Json(save(&state, blank, fields, &actor).await?)))
}

/// Changes the fields that are given; the others stay as they are.
pub async fn change(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    id: Result<Path<String>, PathRejection>,
    JsonBody(body): JsonBody<Value>,
) -> Result<Json<BudgetAnswer>, ApiError> {
    let id = own_id(id, "the default budget is changed at /api/analytics/budget")?;
    let fields = object_with(&body, &FIELDS)?;
    if fields.is_empty() {
        return Err(ApiError::bad_request(format!("the body changes nothing; it may have {}", FIELDS.join(", "))));
    }
    let current = state.ledger.budget_by_id(&principal.user_id(), &id).await?.ok_or(ApiError::NotFound)?;
    save(&state, current, fields, &actor).await.map(Json)
}

pub async fn remove(
    State(state): State<AppState>,
    principal: Principal,
    actor: Actor,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let id = own_id(id, "the default budget cannot be deleted: everybody has one")?;
    let was_there = state.ledger.delete_budget(&principal.user_id(), &id, &actor, state.clock.now_ms()).await?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound) }
}

/// The id of a budget that may be changed here; `refusal` says why the default one may not.
fn own_id(id: Result<Path<String>, PathRejection>, refusal: &'static str) -> Result<String, ApiError> {
    match id {
        Ok(Path(id)) if id == DEFAULT_BUDGET => Err(ApiError::Conflict { message: refusal }),
        Ok(Path(id)) => Ok(id),
        // What cannot be an id is the id of nothing.
        Err(_) => Err(ApiError::NotFound),
    }
}

async fn save(
    state: &AppState,
    current: NamedBudget,
    fields: &Map<String, Value>,
    actor: &Actor,
) -> Result<BudgetAnswer, ApiError> {
    let now_ms = state.clock.now_ms();
    let budget = changed(current, fields, now_ms)?;
    state.ledger.save_named_budget(&budget, &state.prices, actor, now_ms).await?;
    answer(state, budget).await
}

async fn answer(state: &AppState, budget: NamedBudget) -> Result<BudgetAnswer, ApiError> {
    let now_ms = state.clock.now_ms();
    let days = state.ledger.days_of(&budget, budget.interval_at(now_ms)).await?;
    let status = BudgetStanding::of(&budget, &days, now_ms);
    let raise = budget.raise.map(|raise| RaiseAnswer {
        limit_cents: raise.limit.to_cents(),
        limit_nano_usd: raise.limit,
        until: DateTime::from_timestamp_millis(raise.until_ms)
            .map(|until| until.to_rfc3339_opts(SecondsFormat::Millis, true)),
    });
    Ok(BudgetAnswer {
        scope: budget.scope.name(),
        scope_id: Some(budget.scope.id().to_owned()).filter(|id| !id.is_empty()),
        id: budget.id,
        name: budget.name,
        model: budget.model,
        period: budget.period,
        limit_cents: budget.limit.to_cents(),
        limit_nano_usd: budget.limit,
        thresholds: budget.thresholds,
        time_zone: budget.time_zone,
        at_limit: budget.at_limit,
        raise,
        status,
    })
}

fn changed(current: NamedBudget, fields: &Map<String, Value>, now_ms: i64) -> Result<NamedBudget, ApiError> {
    // A raise that is over is nobody's choice any more.
    let raise = match fields.get("raise") {
        None => current.raise.filter(|raise| now_ms < raise.until_ms),
        Some(value) => raise(value, now_ms)?,
    };
    let period = match text(fields, "period")? {
        None => current.period,
        Some(name) => name.parse().map_err(|_| ApiError::invalid("period", "must be day, week or month"))?,
    };
    let model = match fields.get("model") {
        Some(Value::Null) => None,
        _ => text(fields, "model")?.map(|model| model.trim().to_owned()).or(current.model),
    };
    Ok(NamedBudget {
        name: text(fields, "name")?.map_or(current.name, |name| name.trim().to_owned()),
        scope: scope(current.scope, fields)?,
        model,
        period,
        limit: cents(fields, "limitCents", "limitCents")?.unwrap_or(current.limit),
        thresholds: thresholds(fields)?.unwrap_or(current.thresholds),
        time_zone: text(fields, "timeZone")?.map_or(current.time_zone, str::to_owned),
        at_limit: text(fields, "atLimit")?.map_or(Ok(current.at_limit), AtLimit::parse)?,
        raise,
        ..current
    })
}

fn scope(current: BudgetScope, fields: &Map<String, Value>) -> Result<BudgetScope, ApiError> {
    let name = text(fields, "scope")?.unwrap_or(current.name());
    let given_id = match fields.get("scopeId") {
        None | Some(Value::Null) => None,
        Some(_) => text(fields, "scopeId")?.map(str::trim),
    };
    let kept_id = if name == current.name() { current.id() } else { "" };
    let scope = BudgetScope::parse(name, given_id.unwrap_or(kept_id))
        .map_err(|_| ApiError::invalid("scope", "must be user, api_key, project or everyone"))?;
    match (&scope, given_id) {
        (BudgetScope::User | BudgetScope::Everyone, Some(_)) => {
            Err(ApiError::invalid("scopeId", "belongs to the scopes api_key and project only"))
        }
        _ => Ok(scope),
    }
}

fn raise(value: &Value, now_ms: i64) -> Result<Option<Raise>, ApiError> {
    if value.is_null() {
        return Ok(None);
    }
    let fields = object_with(value, &RAISE_FIELDS).map_err(|error| match error.field.as_str() {
        "" => {
            FieldError { field: "raise".into(), message: "must be null or an object with limitCents and until".into() }
        }
        field => FieldError { field: format!("raise.{field}"), ..error },
    })?;
    let limit = cents(fields, "limitCents", "raise.limitCents")?;
    let limit = limit.ok_or_else(|| ApiError::invalid("raise.limitCents", "is missing"))?;
    let until_ms = match fields.get("until") {
        Some(Value::String(text)) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis()),
        other => other.and_then(Value::as_i64),
    };
    let until_ms = until_ms.ok_or_else(|| {
        ApiError::invalid("raise.until", "must be a time such as 2026-11-24T09:30:00Z, or UTC milliseconds")
    })?;
    if until_ms <= now_ms {
        return Err(ApiError::invalid("raise.until", "must be in the future"));
    }
    Ok(Some(Raise { limit, until_ms }))
}

fn thresholds(fields: &Map<String, Value>) -> Result<Option<Vec<u32>>, ApiError> {
    let Some(value) = fields.get("thresholds") else { return Ok(None) };
    let percents: Option<Vec<u32>> = value.as_array().and_then(|list| {
        list.iter().map(|percent| percent.as_u64().and_then(|percent| u32::try_from(percent).ok())).collect()
    });
    let wrong = || ApiError::invalid("thresholds", "must be a list of whole percents, such as [50, 75, 90]");
    percents.map(Some).ok_or_else(wrong)
}

/// Whole cents; those that are more than an amount can hold are out of every bound, and the budget's check says so.
fn cents(fields: &Map<String, Value>, key: &str, named: &str) -> Result<Option<NanoUsd>, ApiError> {
    let Some(value) = fields.get(key) else { return Ok(None) };
    let cents = value.as_i64().ok_or_else(|| ApiError::invalid(named, "must be a whole number of cents"))?;
    Ok(Some(NanoUsd::from_cents(cents).unwrap_or(NanoUsd(i64::MAX))))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, ApiError> {
    match fields.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| ApiError::invalid(name, "must be a text")),
    }
}
