//! `GET /api/audit`: who changed what, newest first, page by page. For the owner and the admins.

use super::Params;
use crate::domain::audit::{ActorKind, AuditAction, AuditEntry, AuditTarget};
use crate::domain::query::QueryError;
use crate::domain::usage::UserId;
use crate::http::auth::Principal;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::ledger::AuditFilter;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 500;

/// One page. `next` is the path of the following one; none on the last.
#[derive(Debug, Serialize)]
pub struct AuditAnswer {
    entries: Vec<EntryAnswer>,
    next: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryAnswer {
    id: String,
    at: Option<String>,
    actor: ActorAnswer,
    action: AuditAction,
    target: AuditTarget,
    detail: String,
    from: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ActorAnswer {
    kind: ActorKind,
    user_id: Option<UserId>,
    login: Option<String>,
    key_id: Option<String>,
}

pub async fn list(
    State(state): State<AppState>,
    principal: Principal,
    params: Params,
) -> Result<Json<AuditAnswer>, ApiError> {
    if !principal.sees_everyone(&state.ledger).await? {
        return Err(ApiError::NotForMembers);
    }
    let page = state.ledger.audit_log(&filter(&params)?).await?;
    let next = page.next.map(|cursor| params.path_of_next("/api/audit", &cursor));
    Ok(Json(AuditAnswer { entries: page.entries.into_iter().map(EntryAnswer::from).collect(), next }))
}

fn filter(params: &Params) -> Result<AuditFilter, QueryError> {
    let wrong_group = |_| QueryError::new("group", "must be logins, keys, users, budgets, channels or prices");
    Ok(AuditFilter {
        group: params.get("group").map(str::parse).transpose().map_err(wrong_group)?,
        person: params.get("person").map(|login| login.trim().to_lowercase()),
        limit: params.limit(DEFAULT_LIMIT, MAX_LIMIT)?,
        after: params.get("after").map(str::to_owned),
    })
}

impl From<AuditEntry> for EntryAnswer {
    fn from(entry: AuditEntry) -> Self {
        let at = DateTime::from_timestamp_millis(entry.at_ms);
        Self {
            id: entry.id,
            at: at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            actor: ActorAnswer {
                kind: entry.actor_kind,
                user_id: entry.actor_user_id,
                login: entry.actor_login,
                key_id: entry.actor_key_id,
            },
            action: entry.note.action,
            target: entry.note.target,
            detail: entry.note.detail,
            from: entry.came_from,
        }
    }
}
