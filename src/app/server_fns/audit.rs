//! What the page of the audit log asks for: a page of rows as they are shown.

use super::codec::Json;
use super::error::AppError;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A page of the audit log, the newest row first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditList {
    pub rows: Vec<ShownAuditRow>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
    /// IANA name of the zone of the moments.
    pub time_zone: String,
    /// Who may be asked for: everybody's login.
    pub people: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownAuditRow {
    /// RFC 3339.
    pub instant: String,
    pub at: String,
    pub who: String,
    pub action: String,
    pub target: String,
    pub detail: String,
    pub from: String,
}

/// The log, of one group of actions (an empty name or one that is none: of all) and of one person (an empty login: of
/// everybody).
///
/// # Errors
/// [`AppError::Forbidden`] for who manages nobody; [`AppError::Invalid`] if `after` is no cursor of such a page.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_audit_log(group: String, person: String, after: Option<String>) -> Result<AuditList, AppError> {
    use super::error::refuse;
    use crate::domain::audit::AuditGroup;
    use crate::domain::period::local_date;
    use crate::ledger::AuditFilter;
    super::principal::manager()?;
    let state = expect_context::<crate::http::state::AppState>();
    let person = Some(person.trim().to_lowercase()).filter(|person| !person.is_empty());
    let filter = AuditFilter { group: group.parse::<AuditGroup>().ok(), person, limit: 50, after };
    let page = state.ledger.audit_log(&filter).await.map_err(refuse)?;
    let zone = state.ledger.time_zone();
    let today = local_date(&zone, state.clock.now_ms());
    let rows = page.entries.into_iter().map(|entry| shown::row(entry, &zone, today)).collect();
    let people = state.ledger.accounts().await.map_err(refuse)?.into_iter().map(|account| account.login).collect();
    Ok(AuditList { rows, next: page.next, time_zone: zone.name().into(), people })
}

#[cfg(feature = "ssr")]
mod shown {
    use super::ShownAuditRow;
    use crate::app::format::{capitalised, moment};
    use crate::domain::audit::{ActorKind, AuditEntry, AuditTarget, AuditTargetKind};
    use crate::domain::period::Zone;
    use chrono::NaiveDate;

    pub(super) fn row(entry: AuditEntry, zone: &Zone, today: NaiveDate) -> ShownAuditRow {
        let instant = zone.format_instant(entry.at_ms);
        ShownAuditRow {
            at: moment(&instant, today),
            instant,
            who: who(&entry),
            action: capitalised(&entry.note.action.name().replace('_', " ")),
            target: target(&entry.note.target),
            detail: entry.note.detail,
            from: entry.came_from.unwrap_or_default(),
        }
    }

    fn who(entry: &AuditEntry) -> String {
        // An account that is not there has no login: its id is all that is known.
        let id = entry.actor_user_id.as_ref().map_or("", |user| &user.0);
        let login = entry.actor_login.as_deref().unwrap_or(id);
        match entry.actor_kind {
            ActorKind::Account => login.into(),
            ActorKind::Key => format!("{login}, key {}", entry.actor_key_id.as_deref().unwrap_or_default()),
            ActorKind::LocalOwner => "whoever was on this machine".into(),
            ActorKind::CommandLine => "the command line".into(),
            ActorKind::Nobody => "somebody".into(),
            ActorKind::Library => "a program with the library".into(),
            ActorKind::Server => "Tollbridge".into(),
        }
    }

    fn target(target: &AuditTarget) -> String {
        match target.kind {
            AuditTargetKind::Key => format!("key {}", target.name),
            AuditTargetKind::Budget => format!("budget {}", target.name),
            AuditTargetKind::Session => format!("session {}", target.name),
            AuditTargetKind::Channel => format!("channel {}", target.name),
            AuditTargetKind::User | AuditTargetKind::Invitation | AuditTargetKind::Prices => target.name.clone(),
        }
    }
}
