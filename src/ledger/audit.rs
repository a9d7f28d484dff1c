//! The audit log. A [`Change`] commits together with the row that says who made it, so that there is never one without the
//! other. Rows are pruned: what is old, and what is too much, so that nobody fills the disk by failing to log in.

use super::db::{Tx, with_reader, with_tx};
use super::page::{page_of, parse_cursor};
use super::{Ledger, LedgerError};
use crate::domain::audit::{Actor, AuditAction, AuditEntry, AuditGroup, AuditNote, AuditTarget};
use crate::domain::period::DAY_MS;
use crate::domain::usage::UserId;
use sqlx::QueryBuilder;

/// A change of somebody's. Dropped without `commit`, nothing of it is left.
pub(super) struct Change<'a> {
    tx: Tx,
    actor: &'a Actor,
    at_ms: i64,
}

/// Which rows to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub group: Option<AuditGroup>,
    /// The login of who did it, or of whom it was done to.
    pub person: Option<String>,
    /// How many at most.
    pub limit: u32,
    /// [`AuditPage::next`] of the page before.
    pub after: Option<String>,
}

/// One page of the log, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
}

/// How much of the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditLimits {
    pub days: i64,
    pub rows: i64,
    /// Of the rows. Anybody can write these, and may not push the others out with them.
    pub failed_logins: i64,
}

impl AuditLimits {
    pub const KEPT: Self = Self { days: 365, rows: 100_000, failed_logins: 10_000 };
}

impl Ledger {
    /// One page of the audit log.
    ///
    /// # Errors
    /// `after` is no cursor of such a page ([`LedgerError::Query`]).
    pub async fn audit_log(&self, filter: &AuditFilter) -> Result<AuditPage, LedgerError> {
        let after = filter.after.as_deref().map(parse_cursor).transpose()?;
        let limit = i64::from(filter.limit);
        let rows: Vec<AuditRow> = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(
                "select id, at_ms, actor_kind, actor_user_id, actor_login, actor_key_id, action, target_kind, target_id, \
                 target_name, detail, came_from from audit_log where true",
            );
            if let Some(group) = filter.group {
                select.push(" and action in (");
                let mut list = select.separated(", ");
                for action in AuditAction::ALL.into_iter().filter(|action| action.group() == group) {
                    list.push_bind(action.name());
                }
                select.push(")");
            }
            if let Some(person) = &filter.person {
                select.push(" and (actor_login = ").push_bind(person);
                select.push(" or (target_kind = 'user' and target_name = ").push_bind(person).push("))");
            }
            if let Some((at_ms, id)) = &after {
                select.push(" and (at_ms, id) < (").push_bind(*at_ms).push(", ").push_bind(id).push(")");
            }
            select.push(" order by at_ms desc, id desc limit ").push_bind(limit + 1);
            select.build_query_as().fetch_all(pool).await?
        });
        let (entries, next) = page_of(rows, filter.limit, |entry: &AuditEntry| (entry.at_ms, &entry.id))?;
        Ok(AuditPage { entries, next })
    }

    /// Removes up to `at_most` rows that are beyond the limits, the oldest first, in one transaction. The number of them; 0
    /// when none is left. Days are counted from the newest row where the clock is further on, so that a clock that is set
    /// years ahead removes nothing.
    pub async fn prune_audit_log(&self, limits: &AuditLimits, at_most: u32, now_ms: i64) -> Result<u64, LedgerError> {
        let newest: Option<i64> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select max(at_ms) from audit_log").fetch_one(pool).await?
        });
        let Some(newest) = newest else { return Ok(0) };
        let (last_at_ms, last_id) = self.newest_beyond(limits.rows, None).await?;
        let failed = Some(AuditAction::LoginFailed);
        let (last_failed_at_ms, last_failed_id) = self.newest_beyond(limits.failed_logins, failed).await?;
        let mut tx = self.db.begin().await?;
        let removed = with_tx!(&mut tx, |connection| {
            sqlx::query(
                "delete from audit_log where id in (select id from audit_log where at_ms < $1 or (at_ms, id) <= ($2, $3) \
                 or (action = $4 and (at_ms, id) <= ($5, $6)) order by at_ms, id limit $7)",
            )
            .bind(newest.min(now_ms) - limits.days * DAY_MS)
            .bind(last_at_ms)
            .bind(last_id)
            .bind(AuditAction::LoginFailed.name())
            .bind(last_failed_at_ms)
            .bind(last_failed_id)
            .bind(i64::from(at_most))
            .execute(connection)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(removed)
    }

    /// Begins a change. It ends with [`Change::commit`], which writes down what was done and by whom.
    pub(super) async fn begin_change<'a>(&self, actor: &'a Actor, now_ms: i64) -> Result<Change<'a>, LedgerError> {
        Ok(Change { tx: self.db.begin().await?, actor, at_ms: now_ms })
    }

    /// The newest row that is one too many, or what is older than every row.
    async fn newest_beyond(&self, kept: i64, action: Option<AuditAction>) -> Result<(i64, String), LedgerError> {
        let row: Option<(i64, String)> = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new("select at_ms, id from audit_log where true");
            if let Some(action) = action {
                select.push(" and action = ").push_bind(action.name());
            }
            select.push(" order by at_ms desc, id desc limit 1 offset ").push_bind(kept);
            select.build_query_as().fetch_optional(pool).await?
        });
        Ok(row.unwrap_or((i64::MIN, String::new())))
    }
}

impl Change<'_> {
    pub(super) fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// Commits what was done and the row that says so.
    pub(super) async fn commit(self, note: AuditNote) -> Result<(), LedgerError> {
        let Self { mut tx, actor, at_ms } = self;
        let AuditNote { action, target, detail } = note;
        with_tx!(&mut tx, |connection| {
            sqlx::query(
                "insert into audit_log (id, at_ms, actor_kind, actor_user_id, actor_login, actor_key_id, action, \
                 target_kind, target_id, target_name, detail, came_from) values ($1, $2, $3, $4, \
                 (select login from account where user_id = $4), $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(uuid::Uuid::now_v7().to_string())
            .bind(at_ms)
            .bind(actor.kind().name())
            .bind(actor.user_id().map(|user| &*user.0))
            .bind(actor.key_id())
            .bind(action.name())
            .bind(target.kind.name())
            .bind(target.id)
            .bind(target.name)
            .bind(detail)
            .bind(actor.came_from())
            .execute(connection)
            .await?;
        });
        tx.commit().await
    }
}

#[derive(sqlx::FromRow)]
struct AuditRow {
    id: String,
    at_ms: i64,
    actor_kind: String,
    actor_user_id: Option<String>,
    actor_login: Option<String>,
    actor_key_id: Option<String>,
    action: String,
    target_kind: String,
    target_id: String,
    target_name: String,
    detail: String,
    came_from: Option<String>,
}

impl TryFrom<AuditRow> for AuditEntry {
    type Error = LedgerError;

    fn try_from(row: AuditRow) -> Result<Self, LedgerError> {
        let target_kind = row.target_kind.parse().map_err(|_| LedgerError::OutOfRange("audit_log.target_kind"))?;
        Ok(Self {
            id: row.id,
            at_ms: row.at_ms,
            actor_kind: row.actor_kind.parse().map_err(|_| LedgerError::OutOfRange("audit_log.actor_kind"))?,
            actor_user_id: row.actor_user_id.map(UserId),
            actor_login: row.actor_login,
            actor_key_id: row.actor_key_id,
            note: AuditNote {
                action: row.action.parse().map_err(|_| LedgerError::OutOfRange("audit_log.action"))?,
                target: AuditTarget::new(target_kind, row.target_id, row.target_name),
                detail: row.detail,
            },
            came_from: row.came_from,
        })
    }
}
