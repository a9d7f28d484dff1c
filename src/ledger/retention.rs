//! Removing raw events that are old, while their sums stay. docs/decisions/0014 has the reasons.
//!
//! A line in time parts them: from it on events are complete; what is before it is counted and settled. The line moves first and
//! only forward, then what is behind it is removed bit by bit.

use super::apply::queue_writers;
use super::db::{Tx, with_reader, with_tx};
use super::rollup::quarter_of;
use super::setting::{setting_in, write_setting};
use super::{Ledger, LedgerError, LedgerSizes};
use crate::domain::period::DAY_MS;

const EVENTS_FROM: &str = "events_from_ms";
/// Two sightings of a call do not agree to the millisecond when it happened. Whatever is removed is older by a day than anything
/// that is still taken.
const MARGIN_MS: i64 = DAY_MS;

/// From when on events are kept for so many days; 0: all are. Counted from the newest event where the clock is further on, so
/// that a clock that is set years ahead removes nothing.
pub fn keep_from_ms(sizes: &LedgerSizes, now_ms: i64, events_days: u32) -> Option<i64> {
    if events_days == 0 {
        return None;
    }
    Some(sizes.newest_event_at_ms?.min(now_ms) - i64::from(events_days) * DAY_MS)
}

impl Ledger {
    /// How many events happened before a moment. Looks at every one.
    pub async fn events_before(&self, at_ms: i64) -> Result<i64, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select count(*) from usage_event where occurred_at_ms < $1")
                .bind(at_ms)
                .fetch_one(pool)
                .await?
        }))
    }

    /// From when on events are complete (UTC milliseconds). None while none were ever removed.
    pub async fn events_from_ms(&self) -> Result<Option<i64>, LedgerError> {
        self.setting(EVENTS_FROM).await?.map(|value| parse(&value)).transpose()
    }

    /// Draws the line at the quarter hour of `at_ms`, unless it is further on already. Events that happened before it or within a
    /// day after it are no longer taken, so that what is removed from now on is never counted again. Gives the line.
    pub async fn settle_events_before(&self, at_ms: i64) -> Result<i64, LedgerError> {
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        let before = events_from(&mut tx).await?;
        let line = before.unwrap_or(i64::MIN).max(quarter_of(at_ms));
        if before != Some(line) {
            write_setting(&mut tx, EVENTS_FROM, &line.to_string()).await?;
        }
        tx.commit().await?;
        Ok(line)
    }

    /// Removes up to `at_most` events from before the line in one transaction. The number of them; 0 when none is left.
    pub async fn remove_settled_events(&self, at_most: u32) -> Result<u64, LedgerError> {
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        let Some(line) = events_from(&mut tx).await? else { return Ok(0) };
        let users: Vec<String> = with_tx!(&mut tx, |connection| {
            sqlx::query_scalar("select distinct user_id from series where user_id <> ''").fetch_all(connection).await?
        });
        let mut removed = 0;
        for user in users {
            removed = remove_some(&mut tx, &user, line, at_most).await?;
            if removed > 0 {
                break;
            }
        }
        tx.commit().await?;
        Ok(removed)
    }
}

/// The first moment from which an unknown event is taken.
pub(super) async fn taken_from_ms(tx: &mut Tx) -> Result<i64, LedgerError> {
    Ok(events_from(tx).await?.map_or(i64::MIN, |line| line.saturating_add(MARGIN_MS)))
}

pub(super) async fn events_from(tx: &mut Tx) -> Result<Option<i64>, LedgerError> {
    setting_in(tx, EVENTS_FROM).await?.map(|value| parse(&value)).transpose()
}

/// One user's oldest ones, found by the index on user and time.
async fn remove_some(tx: &mut Tx, user: &str, line: i64, at_most: u32) -> Result<u64, LedgerError> {
    let removed = with_tx!(tx, |connection| {
        sqlx::query(
            "delete from usage_event where user_id = $1 and id in (select id from usage_event \
             where user_id = $1 and occurred_at_ms < $2 order by occurred_at_ms limit $3)",
        )
        .bind(user)
        .bind(line)
        .bind(i64::from(at_most))
        .execute(connection)
        .await?
        .rows_affected()
    });
    Ok(removed)
}

fn parse(value: &str) -> Result<i64, LedgerError> {
    value.parse().map_err(|_| LedgerError::OutOfRange("setting.events_from_ms"))
}
