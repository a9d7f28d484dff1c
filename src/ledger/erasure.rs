//! Erasing somebody: the account and all that was ever kept of them. docs/decisions/0015 has the reasons.
//!
//! It goes step by step, so that no call waits long for the writer: first nobody gets in any more, then the usage goes, a day
//! at a time and each with its sums, and at last the rest. Broken off in between, the sums still equal the events, the account
//! is there and shut out, and erasing it again goes on.

use super::account::{let_go, run_each};
use super::apply::queue_writers;
use super::db::{Tx, with_tx};
use super::rollup::{EVERYONE, added, plain, rollup_columns, summed};
use super::{Ledger, LedgerError};
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget};
use crate::domain::period::{Interval, day_bounds, local_date};
use crate::domain::usage::UserId;
use std::collections::HashSet;

macro_rules! negated {
    ($column:literal) => {
        concat!("-", summed!($column))
    };
}

/// What lets somebody in.
const ACCESS: [&str; 3] = [
    "delete from web_session where user_id = $1",
    "delete from api_key where user_id = $1",
    "delete from invite where created_by = $1",
];

/// What is left when usage, access and [`let_go`] are done.
const REST: [&str; 8] = [
    "delete from series where user_id = $1",
    "delete from budget where user_id = $1",
    "delete from alert where user_id = $1",
    "delete from session_pause where user_id = $1",
    "delete from import_file where user_id = $1",
    "delete from message_batch where user_id = $1",
    "delete from usage_version where user_id = $1",
    "delete from account where user_id = $1",
];

/// Everyone's sums without those of user $1 from $2 until $3.
const TAKE_FROM_EVERYONE: &str = concat!(
    "insert into usage_rollup (user_id, grain, bucket_at_ms, series_id, ",
    rollup_columns!(plain),
    ") select e.user_id, r.grain, r.bucket_at_ms, e.id, ",
    rollup_columns!(negated),
    " from usage_rollup r join series s on s.user_id = r.user_id and s.id = r.series_id \
     join series e on e.user_id = '' and e.provider = s.provider and e.model = s.model \
     and e.source = s.source and e.project = s.project \
     where r.user_id = $1 and r.grain in (1, 2) and r.bucket_at_ms >= $2 and r.bucket_at_ms < $3 \
     group by e.user_id, r.grain, r.bucket_at_ms, e.id \
     on conflict (user_id, grain, bucket_at_ms, series_id) do update set ",
    rollup_columns!(added)
);

/// Everyone's rows that are nobody's any more.
const NOBODYS_ROWS: &str = "delete from usage_rollup where user_id = '' and grain in (1, 2) and bucket_at_ms >= $1 \
    and bucket_at_ms < $2 and calls = 0 and cost_nano_usd = 0 and not exists (select 1 from series e \
    join series s on s.user_id <> '' and s.provider = e.provider and s.model = e.model and s.source = e.source \
    and s.project = e.project join usage_rollup r on r.user_id = s.user_id and r.grain = usage_rollup.grain \
    and r.bucket_at_ms = usage_rollup.bucket_at_ms and r.series_id = s.id \
    where e.user_id = '' and e.id = usage_rollup.series_id)";

const NOBODYS_SERIES: &str = "delete from series where user_id = '' and not exists (select 1 from series s \
    where s.user_id <> '' and s.provider = series.provider and s.model = series.model and s.source = series.source \
    and s.project = series.project)";

impl Ledger {
    /// Erases an account with its keys, its budgets and all else of it, and every event, out of everyone's sums too. From then
    /// on nothing of theirs is taken any more ([`ApplyOutcome::Erased`](super::ApplyOutcome::Erased)). It goes on to its end
    /// when nobody waits for it.
    ///
    /// The number of events; none if there is no such account, or it is the owner's, who stays.
    pub async fn erase_account(&self, user: &UserId, actor: &Actor, now_ms: i64) -> Result<Option<u64>, LedgerError> {
        if *user == UserId::owner() {
            return Ok(None);
        }
        let (ledger, user, actor) = (self.clone(), user.clone(), actor.clone());
        let erasing = tokio::spawn(async move { ledger.erase(&user, &actor, now_ms).await });
        erasing.await.map_err(|error| LedgerError::Unavailable(error.to_string()))?
    }

    async fn erase(&self, user: &UserId, actor: &Actor, now_ms: i64) -> Result<Option<u64>, LedgerError> {
        let Some(login) = self.lock_out_for_good(user, actor, now_ms).await? else { return Ok(None) };
        let mut events = 0;
        while let Some(erased) = self.erase_first_day(user).await? {
            events += erased;
        }
        events += self.erase_rest(user, login, actor, now_ms).await?;
        Ok(Some(events))
    }

    /// The login of the account; none if there is no such account.
    pub(super) async fn lock_out_for_good(
        &self,
        user: &UserId,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<Option<String>, LedgerError> {
        let mut change = self.begin_change(actor, now_ms).await?;
        queue_writers(change.tx()).await?;
        let login: Option<String> = with_tx!(change.tx(), |connection| {
            sqlx::query_scalar(
                "update account set disabled_at_ms = coalesce(disabled_at_ms, $1) where user_id = $2 returning login",
            )
            .bind(now_ms)
            .bind(&user.0)
            .fetch_optional(connection)
            .await?
        });
        let Some(login) = login else { return Ok(None) };
        with_tx!(change.tx(), |connection| {
            sqlx::query("insert into erased_user (user_id, erased_at_ms) values ($1, $2) on conflict do nothing")
                .bind(&user.0)
                .bind(now_ms)
                .execute(connection)
                .await?;
        });
        run_each(change.tx(), &ACCESS, user).await?;
        let target = AuditTarget::user(user, login.clone());
        change.commit(AuditNote::new(AuditAction::UserDisabled, target, "to be erased")).await?;
        self.forget_keys_of(user);
        Ok(Some(login))
    }

    /// The first day that has sums, of which single events may be gone already. None when no sum is left.
    pub(super) async fn erase_first_day(&self, user: &UserId) -> Result<Option<u64>, LedgerError> {
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        let first: Option<i64> = with_tx!(&mut tx, |connection| {
            sqlx::query_scalar("select min(bucket_at_ms) from usage_rollup where user_id = $1")
                .bind(&user.0)
                .fetch_one(connection)
                .await?
        });
        let Some(first) = first else { return Ok(None) };
        let zone = self.time_zone();
        let day = day_bounds(&zone, local_date(&zone, first));
        let events = erase_usage(&mut tx, user, day).await?;
        self.sign_moved(&mut tx, &[&UserId(EVERYONE.into())]).await?;
        tx.commit().await?;
        self.note_moved([user]);
        Ok(Some(events))
    }

    async fn erase_rest(&self, user: &UserId, login: String, actor: &Actor, now_ms: i64) -> Result<u64, LedgerError> {
        let mut change = self.begin_change(actor, now_ms).await?;
        queue_writers(change.tx()).await?;
        let events = with_tx!(change.tx(), |connection| {
            // Parts without tokens are in no sum.
            sqlx::query("delete from usage_event where user_id = $1")
                .bind(&user.0)
                .execute(connection)
                .await?
                .rows_affected()
        });
        let_go(change.tx(), user).await?;
        run_each(change.tx(), &REST, user).await?;
        with_tx!(change.tx(), |connection| {
            sqlx::query(NOBODYS_SERIES).execute(connection).await?;
        });
        // Whoever came in before the first step may have left something behind it.
        run_each(change.tx(), &ACCESS, user).await?;
        self.sign_moved(change.tx(), &[&UserId::owner()]).await?;
        change
            .commit(AuditNote::new(AuditAction::UserDeleted, AuditTarget::user(user, login), "their usage is erased"))
            .await?;
        self.note_budget_changed(&UserId::owner());
        self.note_pauses_changed(user);
        Ok(events)
    }
}

/// Of whom nothing is taken any more.
pub(super) async fn erased_users(tx: &mut Tx) -> Result<HashSet<String>, LedgerError> {
    let users: Vec<String> =
        with_tx!(tx, |connection| sqlx::query_scalar("select user_id from erased_user").fetch_all(connection).await?);
    Ok(users.into_iter().collect())
}

/// What is left of somebody stays theirs, and more is taken.
pub(super) async fn give_up_erasure(tx: &mut Tx, user: &UserId) -> Result<(), LedgerError> {
    run_each(tx, &["delete from erased_user where user_id = $1"], user).await
}

/// Events and sums of a whole day. The number of events.
async fn erase_usage(tx: &mut Tx, user: &UserId, day: Interval) -> Result<u64, LedgerError> {
    Ok(with_tx!(tx, |connection| {
        let events =
            sqlx::query("delete from usage_event where user_id = $1 and occurred_at_ms >= $2 and occurred_at_ms < $3")
                .bind(&user.0)
                .bind(day.start_ms)
                .bind(day.end_ms)
                .execute(&mut *connection)
                .await?
                .rows_affected();
        let of_user = "delete from usage_rollup where user_id = $1 and grain in (1, 2) and bucket_at_ms >= $2 \
                       and bucket_at_ms < $3";
        for statement in [TAKE_FROM_EVERYONE, of_user] {
            sqlx::query(statement).bind(&user.0).bind(day.start_ms).bind(day.end_ms).execute(&mut *connection).await?;
        }
        sqlx::query(NOBODYS_ROWS).bind(day.start_ms).bind(day.end_ms).execute(&mut *connection).await?;
        events
    }))
}
