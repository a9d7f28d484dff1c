//! Sessions that were paused because they spent too fast: each pause is a row for good, with the alert that tells of it.
//! When to pause is decided in `capture::gateway`.

use super::alert::{acknowledge_of_pause, record_in};
use super::apply::queue_writers;
use super::db::{Tx, with_reader, with_tx};
use super::erasure::erased_users;
use super::{Ledger, LedgerError};
use crate::domain::alert::NewAlert;
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget, AuditTargetKind};
use crate::domain::money::NanoUsd;
use crate::domain::pause::{Resumption, SessionPause};
use crate::domain::usage::{Scope, UserId};
use sqlx::QueryBuilder;
use std::sync::atomic::Ordering;

macro_rules! pause_columns {
    () => {
        "user_id, id, session_id, paused_at_ms, spent_nano_usd, limit_nano_usd, resumed_at_ms, resumed_by"
    };
}

impl Ledger {
    /// Writes a pause down, in one transaction with its alert and the messages that tell of that. Says whether it did: a
    /// session that is paused already is not paused again, nor one of somebody who was erased.
    pub async fn pause_session(&self, pause: &SessionPause) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        if erased_users(&mut tx).await?.contains(&pause.user_id.0) {
            return Ok(false);
        }
        let is_new = insert(&mut tx, pause).await?;
        if is_new {
            record_in(&mut tx, NewAlert::of_pause(pause)).await?;
            self.sign_moved(&mut tx, &[&pause.user_id]).await?;
        }
        tx.commit().await?;
        if is_new {
            self.note_pauses_changed(&pause.user_id);
        }
        Ok(is_new)
    }

    /// The pauses that nobody has ended, the newest first; all of them, or so many.
    pub async fn open_pauses(&self, scope: &Scope, limit: Option<u32>) -> Result<Vec<SessionPause>, LedgerError> {
        self.select_pauses(scope, true, limit).await
    }

    /// The newest pauses, also those that are over, the newest first.
    pub async fn pauses(&self, scope: &Scope, limit: u32) -> Result<Vec<SessionPause>, LedgerError> {
        self.select_pauses(scope, false, Some(limit)).await
    }

    /// Lets a paused session go on, which also acknowledges its alert. The first one who does counts. Gives the pause, if
    /// there is such a one in the scope.
    pub async fn resume_session(
        &self,
        scope: &Scope,
        id: &str,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<Option<SessionPause>, LedgerError> {
        let Some(by) = actor.user_id() else { return Ok(None) };
        let mut change = self.begin_change(actor, now_ms).await?;
        let tx = change.tx();
        queue_writers(tx).await?;
        let Some(pause) = find(tx, scope, id).await? else { return Ok(None) };
        if pause.resumed.is_some() {
            return Ok(Some(pause));
        }
        with_tx!(tx, |connection| {
            sqlx::query("update session_pause set resumed_at_ms = $1, resumed_by = $2 where user_id = $3 and id = $4")
                .bind(now_ms)
                .bind(&by.0)
                .bind(&pause.user_id.0)
                .bind(id)
                .execute(connection)
                .await?;
        });
        acknowledge_of_pause(tx, &pause, by, now_ms).await?;
        self.sign_moved(tx, &[&pause.user_id]).await?;
        let target = AuditTarget::new(AuditTargetKind::Session, &*pause.id, &*pause.session_id);
        change.commit(AuditNote::new(AuditAction::SessionResumed, target, "")).await?;
        self.note_pauses_changed(&pause.user_id);
        Ok(Some(SessionPause { resumed: Some(Resumption { at_ms: now_ms, by: by.clone() }), ..pause }))
    }

    /// Grows with every pause that begins or ends in this process. What others do is found by asking.
    pub fn pause_version(&self) -> u64 {
        self.pause_version.load(Ordering::Acquire)
    }

    pub(super) fn note_pauses_changed(&self, user: &UserId) {
        self.pause_version.fetch_add(1, Ordering::Release);
        self.note_moved([user]);
    }

    async fn select_pauses(
        &self,
        scope: &Scope,
        is_open: bool,
        limit: Option<u32>,
    ) -> Result<Vec<SessionPause>, LedgerError> {
        let rows: Vec<PauseRow> = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(concat!("select ", pause_columns!(), " from session_pause where true"));
            if let Scope::User(user) = scope {
                select.push(" and user_id = ").push_bind(&user.0);
            }
            if is_open {
                select.push(" and resumed_at_ms is null");
            }
            select.push(" order by paused_at_ms desc, id desc");
            if let Some(limit) = limit {
                select.push(" limit ").push_bind(i64::from(limit));
            }
            select.build_query_as().fetch_all(pool).await?
        });
        Ok(rows.into_iter().map(SessionPause::from).collect())
    }
}

/// Says whether the session was not paused yet.
async fn insert(tx: &mut Tx, pause: &SessionPause) -> Result<bool, LedgerError> {
    let inserted = with_tx!(tx, |connection| {
        sqlx::query(concat!(
            "insert into session_pause (",
            pause_columns!(),
            ") values ($1, $2, $3, $4, $5, $6, null, null) on conflict do nothing"
        ))
        .bind(&pause.user_id.0)
        .bind(&pause.id)
        .bind(&pause.session_id)
        .bind(pause.paused_at_ms)
        .bind(pause.spent.0)
        .bind(pause.limit.0)
        .execute(connection)
        .await?
        .rows_affected()
    });
    Ok(inserted > 0)
}

async fn find(tx: &mut Tx, scope: &Scope, id: &str) -> Result<Option<SessionPause>, LedgerError> {
    let row: Option<PauseRow> = with_tx!(tx, |connection| {
        let mut select = QueryBuilder::new(concat!("select ", pause_columns!(), " from session_pause where id = "));
        select.push_bind(id);
        if let Scope::User(user) = scope {
            select.push(" and user_id = ").push_bind(&user.0);
        }
        select.build_query_as().fetch_optional(connection).await?
    });
    Ok(row.map(SessionPause::from))
}

#[derive(sqlx::FromRow)]
struct PauseRow {
    user_id: String,
    id: String,
    session_id: String,
    paused_at_ms: i64,
    spent_nano_usd: i64,
    limit_nano_usd: i64,
    resumed_at_ms: Option<i64>,
    resumed_by: Option<String>,
}

impl From<PauseRow> for SessionPause {
    fn from(row: PauseRow) -> Self {
        let resumed = row.resumed_at_ms.zip(row.resumed_by);
        Self {
            id: row.id,
            user_id: UserId(row.user_id),
            session_id: row.session_id,
            paused_at_ms: row.paused_at_ms,
            spent: NanoUsd(row.spent_nano_usd),
            limit: NanoUsd(row.limit_nano_usd),
            resumed: resumed.map(|(at_ms, by)| Resumption { at_ms, by: UserId(by) }),
        }
    }
}
