//! `GET /api/analytics/events` and `/{id}`: single events, newest first, page by page.

use super::Params;
use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::period::{self, Zone};
use crate::domain::query::{QueryError, UsageQuery};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{PricingState, Scope, ServiceTerms, Source, UsageEvent, UserId};
use crate::http::auth::Principal;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::ledger::EventFilter;
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::Value;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;

/// One page. `next` is the path of the following one; none on the last.
#[derive(Debug, Serialize)]
pub struct EventList {
    events: Vec<EventAnswer>,
    next: Option<String>,
}

/// An event with the names of the tracking input, and what the ledger knows beside.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventAnswer {
    id: String,
    user_id: UserId,
    occurred_at: Option<String>,
    source: Source,
    provider: String,
    model: String,
    model_family: String,
    /// The provider's usage object as it came.
    usage: Option<Value>,
    tokens: TokenCounts,
    thinking_tokens: u64,
    web_search_count: u64,
    #[serde(flatten)]
    terms: ServiceTerms,
    conversation_id: Option<String>,
    agent_slug: Option<String>,
    session_id: Option<String>,
    project: Option<String>,
    tools_used: Vec<String>,
    tags: Vec<String>,
    request_id: Option<String>,
    message_id: Option<String>,
    success: bool,
    status_code: Option<u16>,
    error_message: Option<String>,
    response_time_ms: Option<u64>,
    first_token_ms: Option<u64>,
    stop_reason: Option<String>,
    cost_nano_usd: Option<NanoUsd>,
    cost_usd: Option<String>,
    cost_parts: CostParts,
    pricing_state: PricingState,
    price_card_id: Option<String>,
    /// Whether it is a sub-inference of another event, which has tokens and cost but is no call of its own.
    is_part: bool,
}

pub async fn list(
    State(state): State<AppState>,
    principal: Principal,
    params: Params,
) -> Result<Json<EventList>, ApiError> {
    let query = query_of(&params)?;
    let scope = principal.choose_scope(&query.whose, &state.ledger).await?;
    let filter = filter(&state, &scope, query, &params).await?;
    let page = state.ledger.events(&scope, &filter).await?;
    let next = page.next.map(|cursor| params.path_of_next("/api/analytics/events", &cursor));
    Ok(Json(EventList { events: page.events.into_iter().map(EventAnswer::from).collect(), next }))
}

pub async fn show(
    State(state): State<AppState>,
    principal: Principal,
    id: Result<Path<String>, PathRejection>,
    params: Params,
) -> Result<Json<EventAnswer>, ApiError> {
    // What cannot be an id is the id of nothing.
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let scope = principal.choose_scope(&query_of(&params)?.whose, &state.ledger).await?;
    let event = state.ledger.event(&scope, &id).await?;
    event.map(|event| Json(event.into())).ok_or(ApiError::NotFound)
}

/// The same `range`, `from`, `to`, `model`, `tz` and `user` as the report's.
fn query_of(params: &Params) -> Result<UsageQuery, QueryError> {
    UsageQuery::from_params(params.0.iter().map(|(name, value)| (name, value)))
}

/// Without a range, all events.
async fn filter(state: &AppState, scope: &Scope, query: UsageQuery, params: &Params) -> Result<EventFilter, ApiError> {
    let is_limited = ["range", "from", "to"].iter().any(|name| params.get(name).is_some());
    let (start_ms, end_ms) = if is_limited {
        // Like the report's: the zone that is named, or else the budget's.
        let zone = Zone::of_query(&query, state.ledger.zone_of(scope).await?)?;
        let period = period::resolve(&query, &zone, state.clock.now_ms())?;
        (Some(period.start_ms), Some(period.end_ms))
    } else {
        (None, None)
    };
    let (limit, after) = (params.limit(DEFAULT_LIMIT, MAX_LIMIT)?, params.get("after").map(str::to_owned));
    Ok(EventFilter { model: query.model, start_ms, end_ms, limit, after })
}

impl From<UsageEvent> for EventAnswer {
    fn from(event: UsageEvent) -> Self {
        let UsageEvent { id, record, model_family, cost, cost_parts, pricing_state, price_card_id } = event;
        let at = DateTime::from_timestamp_millis(record.occurred_at_ms);
        Self {
            id,
            user_id: record.user_id,
            occurred_at: at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            source: record.source,
            provider: record.provider,
            model: record.model,
            model_family,
            usage: record.usage_json.and_then(|text| serde_json::from_str(&text).ok()),
            tokens: record.tokens,
            thinking_tokens: record.tokens.thinking,
            web_search_count: record.web_search_count,
            terms: record.terms,
            conversation_id: record.context.conversation_id,
            agent_slug: record.context.agent_slug,
            session_id: record.context.session_id,
            project: record.context.project,
            tools_used: record.context.tools_used,
            tags: record.context.tags,
            request_id: record.context.request_id,
            message_id: record.context.message_id,
            success: record.outcome.success,
            status_code: record.outcome.status_code,
            error_message: record.outcome.error_message,
            response_time_ms: record.outcome.response_time_ms,
            first_token_ms: record.outcome.first_token_ms,
            stop_reason: record.outcome.stop_reason,
            cost_nano_usd: cost,
            cost_usd: cost.map(NanoUsd::to_decimal),
            cost_parts,
            pricing_state,
            price_card_id,
            is_part: record.part_of.is_some(),
        }
    }
}
