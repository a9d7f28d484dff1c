//! `GET /api/analytics/alerts`, newest first, page by page; `POST …/{id}/acknowledge` and `POST …/{id}/normal`.

use super::{Params, moment};
use crate::domain::alert::{Alert, AlertKind, AlertSubject, Evidence};
use crate::domain::anomaly::AnomalyRule;
use crate::domain::budget::{AlertLevel, BudgetPeriod};
use crate::domain::query::QueryError;
use crate::domain::usage::UserId;
use crate::http::auth::Principal;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::ledger::{AlertAbout, AlertFilter};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde::Serialize;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;

/// One page. `next` is the path of the following one; none on the last.
#[derive(Debug, Serialize)]
pub struct AlertList {
    alerts: Vec<AlertAnswer>,
    next: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertAnswer {
    id: String,
    kind: AlertKind,
    level: AlertLevel,
    fired_at: Option<String>,
    message: String,
    #[serde(flatten)]
    subject: SubjectAnswer,
    evidence: Evidence,
    acknowledged_at: Option<String>,
    acknowledged_by: Option<UserId>,
    is_normal: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum SubjectAnswer {
    Budget { budget_id: String, period: BudgetPeriod, period_start: String, threshold: u32 },
    Anomaly { day: String, rule: AnomalyRule },
    Runaway { pause_id: String },
}

pub async fn list(
    State(state): State<AppState>,
    principal: Principal,
    params: Params,
) -> Result<Json<AlertList>, ApiError> {
    let filter = filter(&params)?;
    let page = state.ledger.alerts(&principal.user_id(), &filter).await?;
    let next = page.next.map(|cursor| params.path_of_next("/api/analytics/alerts", &cursor));
    Ok(Json(AlertList { alerts: page.alerts.into_iter().map(AlertAnswer::from).collect(), next }))
}

/// Says that the alert was seen. Repeating it changes nothing: the first one counts.
pub async fn acknowledge(
    State(state): State<AppState>,
    principal: Principal,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<AlertAnswer>, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let user = principal.user_id();
    let is_there = state.ledger.acknowledge_alert(&user, &id, &user, state.clock.now_ms()).await?;
    answer(&state, &user, &id, is_there).await
}

/// Says that an anomaly was none. There is nothing to say so of a budget: its alerts are not found here.
pub async fn mark_normal(
    State(state): State<AppState>,
    principal: Principal,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<AlertAnswer>, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    let user = principal.user_id();
    let is_there = state.ledger.mark_alert_normal(&user, &id, &user, state.clock.now_ms()).await?;
    answer(&state, &user, &id, is_there).await
}

async fn answer(state: &AppState, user: &UserId, id: &str, is_there: bool) -> Result<Json<AlertAnswer>, ApiError> {
    if !is_there {
        return Err(ApiError::NotFound);
    }
    let alert = state.ledger.alert(user, id).await?;
    alert.map(|alert| Json(alert.into())).ok_or(ApiError::NotFound)
}

fn filter(params: &Params) -> Result<AlertFilter, QueryError> {
    let is_open = match params.get("state") {
        None | Some("all") => None,
        Some("open") => Some(true),
        Some("acknowledged") => Some(false),
        Some(_) => return Err(QueryError::new("state", "must be open, acknowledged or all")),
    };
    let about = match params.get("kind") {
        None => None,
        Some("budget") => Some(AlertAbout::Budgets),
        Some("anomaly") => Some(AlertAbout::Anomalies),
        Some("runaway") => Some(AlertAbout::Runaways),
        Some(_) => return Err(QueryError::new("kind", "must be budget, anomaly or runaway")),
    };
    let limit = params.limit(DEFAULT_LIMIT, MAX_LIMIT)?;
    Ok(AlertFilter { is_open, about, limit, after: params.get("after").map(str::to_owned) })
}

impl From<Alert> for AlertAnswer {
    fn from(alert: Alert) -> Self {
        let kind = alert.subject.kind();
        let subject = match alert.subject {
            AlertSubject::Budget { budget_id, period, period_start, threshold } => {
                SubjectAnswer::Budget { budget_id, period, period_start: period_start.to_string(), threshold }
            }
            AlertSubject::Anomaly { day, rule, .. } => SubjectAnswer::Anomaly { day: day.to_string(), rule },
            AlertSubject::Runaway { pause_id } => SubjectAnswer::Runaway { pause_id },
        };
        Self {
            id: alert.id,
            kind,
            level: alert.level,
            fired_at: moment(alert.fired_at_ms),
            message: alert.message,
            subject,
            evidence: alert.evidence,
            acknowledged_at: alert.acknowledged.as_ref().and_then(|one| moment(one.at_ms)),
            acknowledged_by: alert.acknowledged.map(|one| one.by),
            is_normal: alert.is_normal,
        }
    }
}
