//! `POST /api/analytics/usage`: tracking, one event or up to 1,000. It answers only once they are on disk (invariant 3).

use super::{current_scope, current_user};
use crate::capture::ingest::{self, FieldError, MAX_EVENTS};
use crate::capture::recorder;
use crate::domain::money::NanoUsd;
use crate::domain::usage::{PricingState, UsageRecord};
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

pub async fn track(State(state): State<AppState>, JsonBody(body): JsonBody<Value>) -> Result<Response, ApiError> {
    match body {
        Value::Array(items) => track_batch(&state, &items).await,
        item => track_one(&state, &item).await,
    }
}

async fn track_one(state: &AppState, item: &Value) -> Result<Response, ApiError> {
    let records = ingest::parse_event(item, &current_user(), state.clock.now_ms(), &state.prices)?;
    let applied = recorder::record(&state.ledger, &state.prices, records).await?;
    let kept = kept_item(state, applied.first()).await?;
    let status = if kept.status == "recorded" { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(kept)).into_response())
}

/// 201 if something new was recorded, 200 if all was known before, 207 if part of it was rejected, 400 if all was.
async fn track_batch(state: &AppState, items: &[Value]) -> Result<Response, ApiError> {
    if items.is_empty() {
        return Err(ApiError::bad_request("the array holds no event"));
    }
    if items.len() > MAX_EVENTS {
        let message = format!("one request may report at most {MAX_EVENTS} events; these are {}", items.len());
        return Err(ApiError::TooLarge { message });
    }
    let (user, now_ms) = (current_user(), state.clock.now_ms());
    let parsed: Vec<Result<Vec<UsageRecord>, FieldError>> =
        items.iter().map(|item| ingest::parse_event(item, &user, now_ms, &state.prices)).collect();
    let records = parsed.iter().flatten().flatten().cloned().collect();
    let applied = recorder::record(&state.ledger, &state.prices, records).await?;

    let mut results = Vec::with_capacity(items.len());
    let mut next = 0;
    for (item, parsed) in items.iter().zip(&parsed) {
        results.push(match parsed {
            Ok(records) => {
                let call = applied.get(next);
                next += records.len();
                ItemAnswer::Kept(kept_item(state, call).await?)
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
async fn kept_item(state: &AppState, applied: Option<&Applied>) -> Result<KeptItem, ApiError> {
    let applied =
        applied.ok_or_else(|| ApiError::internal("the ledger answered for fewer events than it was given"))?;
    let event = state.ledger.event(&current_scope(), &applied.id).await?;
    let event = event.ok_or_else(|| ApiError::internal("the ledger lost an event that it acknowledged"))?;
    Ok(KeptItem {
        status: match applied.outcome {
            ApplyOutcome::Inserted => "recorded",
            ApplyOutcome::Updated => "updated",
            ApplyOutcome::Duplicate => "duplicate",
        },
        cost_usd: event.cost.map(NanoUsd::to_decimal),
        cost_nano_usd: event.cost,
        pricing_state: event.pricing_state,
        id: event.id,
    })
}

fn rejected_item(item: &Value, error: &FieldError) -> RejectedItem {
    RejectedItem {
        id: item.get("id").and_then(Value::as_str).map(|id| id.chars().take(200).collect()),
        status: "rejected",
        error: error.to_string(),
        field: error.field.clone(),
    }
}
