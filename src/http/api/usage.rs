//! `POST /api/analytics/usage`: tracking, one event or up to 1,000. It answers only once they are on disk (invariant 3).

use crate::capture::ingest::{self, MAX_EVENTS};
use crate::capture::json_fields::FieldError;
use crate::domain::money::NanoUsd;
use crate::domain::usage::{PricingState, Scope, UsageRecord, UserId};
use crate::http::auth::Principal;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::ledger::{Applied, ApplyOutcome};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// What became of one event.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ItemAnswer {
    Kept(KeptItem),
    Rejected(RejectedItem),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KeptItem {
    /// The event's id in the ledger, as `/api/analytics/events/{id}` takes it.
    id: String,
    status: &'static str,
    cost_usd: Option<String>,
    cost_nano_usd: Option<NanoUsd>,
    pricing_state: PricingState,
}

#[derive(Debug, Serialize)]
struct RejectedItem {
    /// The reporter's own id, if it gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    status: &'static str,
    error: String,
    field: String,
}

#[derive(Debug, Serialize)]
struct BatchAnswer {
    results: Vec<ItemAnswer>,
}

pub async fn track(
    State(state): State<AppState>,
    principal: Principal,
    JsonBody(body): JsonBody<Value>,
) -> Result<Response, ApiError> {
    match body {
        Value::Array(items) => track_batch(&state, &principal, &items).await,
        item => track_one(&state, &principal, &item).await,
    }
}

async fn track_one(state: &AppState, principal: &Principal, item: &Value) -> Result<Response, ApiError> {
    let records = read_event(state, principal, item)?;
    let applied = state.recorder.record(records).await?;
    if let Some(refusal) = applied.first().and_then(refusal_of) {
        return Err(refusal.into());
    }
    let kept = kept_item(state, &principal.user_id(), applied.first()).await?;
    let status = if kept.status == "recorded" { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(kept)).into_response())
}

/// One reported event as the principal's usage.
fn read_event(state: &AppState, principal: &Principal, item: &Value) -> Result<Vec<UsageRecord>, FieldError> {
    let records = ingest::parse_event(item, &principal.user_id(), state.clock.now_ms(), &state.prices)?;
    let of_key = |record| UsageRecord { api_key_id: principal.api_key_id().map(str::to_owned), ..record };
    Ok(records.into_iter().map(of_key).collect())
}

/// 201 if something new was recorded, 200 if all was known before, 207 if part of it was rejected, 400 if all was.
async fn track_batch(state: &AppState, principal: &Principal, items: &[Value]) -> Result<Response, ApiError> {
    if items.is_empty() {
        return Err(ApiError::bad_request("the array holds no event"));
    }
    if items.len() > MAX_EVENTS {
        let message = format!("one request may report at most {MAX_EVENTS} events; these are {}", items.len());
        return Err(ApiError::TooLarge { message });
    }
    let parsed: Vec<Result<Vec<UsageRecord>, FieldError>> =
        items.iter().map(|item| read_event(state, principal, item)).collect();
    let records = parsed.iter().flatten().flatten().cloned().collect();
    let applied = state.recorder.record(records).await?;

    let user = principal.user_id();
    let mut results = Vec::with_capacity(items.len());
    let mut next = 0;
    for (item, parsed) in items.iter().zip(&parsed) {
        results.push(match parsed {
            Ok(records) => {
                let call = applied.get(next);
                next += records.len();
                match call.and_then(refusal_of) {
                    Some(refusal) => ItemAnswer::Rejected(rejected_item(item, &refusal)),
                    None => ItemAnswer::Kept(kept_item(state, &user, call).await?),
                }
            }
            Err(error) => ItemAnswer::Rejected(rejected_item(item, error)),
        });
    }
    Ok((batch_status(&results), Json(BatchAnswer { results })).into_response())
}

fn batch_status(results: &[ItemAnswer]) -> StatusCode {
    let rejected = results.iter().filter(|result| matches!(result, ItemAnswer::Rejected(_))).count();
    let is_new = |result: &ItemAnswer| matches!(result, ItemAnswer::Kept(kept) if kept.status == "recorded");
    match rejected {
        0 if results.iter().any(is_new) => StatusCode::CREATED,
        0 => StatusCode::OK,
        all if all == results.len() => StatusCode::BAD_REQUEST,
        _ => StatusCode::MULTI_STATUS,
    }
}

/// What the ledger now holds for the call, which for a duplicate is what it held before.
async fn kept_item(state: &AppState, user: &UserId, applied: Option<&Applied>) -> Result<KeptItem, ApiError> {
    let applied =
        applied.ok_or_else(|| ApiError::internal("the ledger answered for fewer events than it was given"))?;
    let event = state.ledger.event(&Scope::User(user.clone()), &applied.id).await?;
    let event = event.ok_or_else(|| ApiError::internal("the ledger lost an event that it acknowledged"))?;
    Ok(KeptItem {
        status: match applied.outcome {
            ApplyOutcome::Inserted => "recorded",
            ApplyOutcome::Updated => "updated",
            ApplyOutcome::Duplicate => "duplicate",
            // Told before: there is no event to show.
            ApplyOutcome::TooOld | ApplyOutcome::Erased => "rejected",
        },
        cost_usd: event.cost.map(NanoUsd::to_decimal),
        cost_nano_usd: event.cost,
        pricing_state: event.pricing_state,
        id: event.id,
    })
}

/// Why the ledger does not take an event, if it does not.
fn refusal_of(applied: &Applied) -> Option<FieldError> {
    let (field, message) = match applied.outcome {
        ApplyOutcome::Inserted | ApplyOutcome::Updated | ApplyOutcome::Duplicate => return None,
        // Nothing can tell it from an event that was removed and counted.
        ApplyOutcome::TooOld => {
            ("occurredAt", "is before the time from which this ledger keeps events, so it may be counted already")
        }
        // The key that it came with is gone as well.
        ApplyOutcome::Erased => ("", "is usage of somebody who was erased"),
    };
    Some(FieldError { field: field.into(), message: message.into() })
}

fn rejected_item(item: &Value, error: &FieldError) -> RejectedItem {
    RejectedItem {
        id: item.get("id").and_then(Value::as_str).map(|id| id.chars().take(200).collect()),
        status: "rejected",
        error: error.to_string(),
        field: error.field.clone(),
    }
}
