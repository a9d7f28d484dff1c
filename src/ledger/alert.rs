//! Alerts: written down once each, listed, acknowledged, and marked as normal. What they are about is decided in `watch`;
//! the figures that it asks for are in `evidence`, how a row is read in `row`.

mod row;

use self::row::{AlertRow, SubjectColumns, alert_columns, stored_date};
use super::apply::queue_writers;
use super::db::{Tx, with_reader, with_tx};
use super::delivery::enqueue_in;
use super::erasure::erased_users;
use super::page::{page_of, parse_cursor};
use super::{Ledger, LedgerError};
use crate::domain::alert::{Alert, AlertSubject, NewAlert};
use crate::domain::notification::Notification;
use crate::domain::pause::SessionPause;
use crate::domain::usage::{Source, UserId};
use chrono::NaiveDate;
use sqlx::QueryBuilder;

/// Which alerts to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only those that nobody has acknowledged, or only the others.
    pub is_open: Option<bool>,
    /// Only those about this.
    pub about: Option<AlertAbout>,
    /// How many at most.
    pub limit: u32,
    /// [`AlertPage::next`] of the page before.
    pub after: Option<String>,
}

/// What alerts can be narrowed down to. Anomalies are of several kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertAbout {
    Budgets,
    Anomalies,
    Runaways,
}

/// One page of alerts, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertPage {
    pub alerts: Vec<Alert>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl Ledger {
    /// Writes alerts down, all in one transaction with the messages that tell of them, and gives those that were not there yet.
    /// However often, from however many processes and in whatever order it is called, there is one row for each subject.
    pub async fn record_alerts(&self, alerts: Vec<NewAlert>) -> Result<Vec<Alert>, LedgerError> {
        if alerts.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        let erased = erased_users(&mut tx).await?;
        let mut recorded: Vec<Alert> = Vec::new();
        for alert in alerts.into_iter().filter(|alert| !erased.contains(&alert.user_id.0)) {
            recorded.extend(record_in(&mut tx, alert).await?);
        }
        let users: Vec<&UserId> = recorded.iter().map(|alert| &alert.user_id).collect();
        self.sign_moved(&mut tx, &users).await?;
        tx.commit().await?;
        self.note_moved(users);
        Ok(recorded)
    }

    /// Whether the user has had the alert about this.
    pub async fn has_alert(&self, user: &UserId, subject: &AlertSubject) -> Result<bool, LedgerError> {
        let columns = SubjectColumns::of(subject);
        let count: i64 = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new("select count(*) from alert where user_id = ");
            select.push_bind(&user.0).push(" and kind = ").push_bind(columns.kind);
            match subject {
                AlertSubject::Budget { .. } => {
                    select.push(" and budget_id = ").push_bind(columns.budget_id);
                    select.push(" and period = ").push_bind(columns.period);
                    select.push(" and period_start = ").push_bind(columns.period_start);
                    select.push(" and threshold = ").push_bind(columns.threshold);
                }
                AlertSubject::Anomaly { .. } => {
                    select.push(" and day = ").push_bind(columns.day);
                    select.push(" and rule = ").push_bind(columns.rule);
                }
                AlertSubject::Runaway { .. } => drop(select.push(" and pause_id = ").push_bind(columns.pause_id)),
            }
            select.build_query_scalar().fetch_one(pool).await?
        });
        Ok(count > 0)
    }

    /// One page of the user's alerts.
    pub async fn alerts(&self, user: &UserId, filter: &AlertFilter) -> Result<AlertPage, LedgerError> {
        let after = filter.after.as_deref().map(parse_cursor).transpose()?;
        let limit = i64::from(filter.limit);
        let rows: Vec<AlertRow> = with_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(concat!("select ", alert_columns!(), " from alert where user_id = "));
            select.push_bind(&user.0);
            if let Some(is_open) = filter.is_open {
                select.push(if is_open {
                    " and acknowledged_at_ms is null"
                } else {
                    " and acknowledged_at_ms is not null"
                });
            }
            if let Some(about) = filter.about {
                select.push(match about {
                    AlertAbout::Budgets => " and budget_id is not null",
                    AlertAbout::Anomalies => " and day is not null",
                    AlertAbout::Runaways => " and pause_id is not null",
                });
            }
            if let Some((at_ms, id)) = &after {
                select.push(" and (fired_at_ms, id) < (").push_bind(*at_ms).push(", ").push_bind(id).push(")");
            }
            select.push(" order by fired_at_ms desc, id desc limit ").push_bind(limit + 1);
            select.build_query_as().fetch_all(pool).await?
        });
        let (alerts, next) = page_of(rows, filter.limit, |alert: &Alert| (alert.fired_at_ms, &alert.id))?;
        Ok(AlertPage { alerts, next })
    }

    /// One of the user's alerts.
    pub async fn alert(&self, user: &UserId, id: &str) -> Result<Option<Alert>, LedgerError> {
        let row: Option<AlertRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!("select ", alert_columns!(), " from alert where user_id = $1 and id = $2"))
                .bind(&user.0)
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        row.map(Alert::try_from).transpose()
    }

    /// How many of the user's alerts nobody has acknowledged.
    pub async fn open_alerts(&self, user: &UserId) -> Result<u64, LedgerError> {
        let count: i64 = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select count(*) from alert where user_id = $1 and acknowledged_at_ms is null")
                .bind(&user.0)
                .fetch_one(pool)
                .await?
        });
        u64::try_from(count).map_err(|_| LedgerError::OutOfRange("a count of alerts"))
    }

    /// Notes who has seen one of the user's alerts. The first one counts. Says whether there is such an alert.
    pub async fn acknowledge_alert(
        &self,
        user: &UserId,
        id: &str,
        by: &UserId,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin().await?;
        let is_there = acknowledge(&mut tx, user, id, by, now_ms).await?;
        tx.commit().await?;
        if is_there {
            self.note_moved([user]);
        }
        Ok(is_there)
    }

    /// Notes that an anomaly was none, which also acknowledges it. Days like it are measured against it from then on
    /// ([`crate::domain::anomaly::robust`]). Says whether there is such an anomaly.
    pub async fn mark_alert_normal(
        &self,
        user: &UserId,
        id: &str,
        by: &UserId,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin().await?;
        let marked = with_tx!(&mut tx, |connection| {
            sqlx::query("update alert set is_normal = $1 where user_id = $2 and id = $3 and day is not null")
                .bind(true)
                .bind(&user.0)
                .bind(id)
                .execute(connection)
                .await?
                .rows_affected()
        });
        if marked > 0 {
            acknowledge(&mut tx, user, id, by, now_ms).await?;
        }
        tx.commit().await?;
        if marked > 0 {
            self.note_moved([user]);
        }
        Ok(marked > 0)
    }

    /// The days whose anomalies somebody called normal, from `since` on.
    pub async fn normal_days(&self, user: &UserId, since: NaiveDate) -> Result<Vec<NaiveDate>, LedgerError> {
        let days: Vec<String> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar(
                "select distinct day from alert where user_id = $1 and is_normal = $2 and day >= $3 order by day",
            )
            .bind(&user.0)
            .bind(true)
            .bind(since.to_string())
            .fetch_all(pool)
            .await?
        });
        days.iter().map(|day| stored_date(day)).collect()
    }
}

/// Takes the alerts out that fired while there was sample data.
pub(super) async fn remove_of_demo_data(tx: &mut Tx, user: &UserId) -> Result<(), LedgerError> {
    with_tx!(tx, |connection| {
        sqlx::query("delete from alert where user_id = $1 and has_demo_data = $2")
            .bind(&user.0)
            .bind(true)
            .execute(connection)
            .await?;
    });
    Ok(())
}

/// Writes an alert down with the messages that tell of it, in a transaction that is under way: all of it or nothing. Gives
/// it back if there was none about the same.
pub(super) async fn record_in(tx: &mut Tx, alert: NewAlert) -> Result<Option<Alert>, LedgerError> {
    let Some(alert) = insert_once(tx, alert).await? else { return Ok(None) };
    enqueue_in(tx, &alert.user_id, &Notification::of_alert(&alert), alert.fired_at_ms).await?;
    Ok(Some(alert))
}

/// The one place where an alert comes into the ledger. Gives it back if there was none about the same.
async fn insert_once(tx: &mut Tx, alert: NewAlert) -> Result<Option<Alert>, LedgerError> {
    let id = uuid::Uuid::now_v7().to_string();
    let columns = SubjectColumns::of(&alert.subject);
    let evidence = serde_json::to_string(&alert.evidence).map_err(|_| LedgerError::OutOfRange("alert.evidence"))?;
    let inserted = with_tx!(tx, |connection| {
        sqlx::query(concat!(
            "insert into alert (",
            alert_columns!(),
            ", has_demo_data) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, null, null, $15, \
             cast($11 as text) is null and exists (select 1 from series where user_id = $1 and source = $16)) \
             on conflict do nothing"
        ))
        .bind(&alert.user_id.0)
        .bind(&id)
        .bind(columns.kind)
        .bind(alert.level.name())
        .bind(columns.budget_id)
        .bind(columns.period)
        .bind(columns.period_start)
        .bind(columns.threshold)
        .bind(columns.day)
        .bind(columns.rule)
        .bind(columns.pause_id)
        .bind(alert.fired_at_ms)
        .bind(&alert.message)
        .bind(evidence)
        .bind(false)
        .bind(Source::Demo.name())
        .execute(connection)
        .await?
        .rows_affected()
    });
    let NewAlert { user_id, subject, level, fired_at_ms, message, evidence } = alert;
    let recorded =
        Alert { id, user_id, subject, level, fired_at_ms, message, evidence, acknowledged: None, is_normal: false };
    Ok((inserted > 0).then_some(recorded))
}

/// Notes that who resumed a session has seen the alert of its pause.
pub(super) async fn acknowledge_of_pause(
    tx: &mut Tx,
    pause: &SessionPause,
    by: &UserId,
    now_ms: i64,
) -> Result<(), LedgerError> {
    let id: Option<String> = with_tx!(tx, |connection| {
        sqlx::query_scalar("select id from alert where user_id = $1 and pause_id = $2")
            .bind(&pause.user_id.0)
            .bind(&pause.id)
            .fetch_optional(connection)
            .await?
    });
    if let Some(id) = id {
        acknowledge(tx, &pause.user_id, &id, by, now_ms).await?;
    }
    Ok(())
}

async fn acknowledge(tx: &mut Tx, user: &UserId, id: &str, by: &UserId, now_ms: i64) -> Result<bool, LedgerError> {
    let updated = with_tx!(tx, |connection| {
        sqlx::query(
            "update alert set acknowledged_at_ms = coalesce(acknowledged_at_ms, $1), \
             acknowledged_by = coalesce(acknowledged_by, $2) where user_id = $3 and id = $4",
        )
        .bind(now_ms)
        .bind(&by.0)
        .bind(&user.0)
        .bind(id)
        .execute(connection)
        .await?
        .rows_affected()
    });
    Ok(updated > 0)
}
