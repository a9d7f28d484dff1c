//! Proves that rollups equal events (invariant 4), with sums of its own: the database adds the events up in SQL, and
//! each difference in either direction is counted.

use super::db::{Db, Tx, with_tx};
use super::retention::events_from;
use super::rollup::{DAY, QUARTER, Sums, day_of, plain, read_sums, rollup_columns, summed};
use super::{Ledger, LedgerError};
use crate::domain::period::Zone;
use sqlx::Row;
use std::collections::BTreeMap;

/// What the comparison found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollupCheck {
    pub events: i64,
    /// From when on events are complete; before it only sums are left. None: they all are.
    pub events_from_ms: Option<i64>,
    pub rollup_rows: i64,
    /// Users' quarter hours that differ from their events.
    pub differing_quarters: i64,
    /// Days that differ from their quarter hours.
    pub differing_days: i64,
    /// Everyone's rows that differ from the users'.
    pub differing_everyone: i64,
}

impl RollupCheck {
    /// Rows that are not what they should be; 0 in a sound ledger.
    pub fn difference(&self) -> i64 {
        self.differing_quarters + self.differing_days + self.differing_everyone
    }
}

impl Ledger {
    /// Adds up every event again and compares with every rollup, all as of one moment. Reads the whole ledger.
    pub async fn verify_rollups(&self) -> Result<RollupCheck, LedgerError> {
        let mut tx = self.db.begin_reading().await?;
        let events_from_ms = events_from(&mut tx).await?;
        Ok(RollupCheck {
            events: count(&mut tx, "select count(*) from usage_event").await?,
            events_from_ms,
            rollup_rows: count(&mut tx, "select count(*) from usage_rollup").await?,
            differing_quarters: differing_quarters(&mut tx, events_from_ms.unwrap_or(i64::MIN)).await?,
            differing_days: differing_days(&mut tx, &self.time_zone()).await?,
            differing_everyone: count(&mut tx, DIFFERING_EVERYONE).await?,
        })
    }

    /// SQLite's own check of every page, row and index: the first fault, if there is one. PostgreSQL has no such question.
    pub async fn find_damage(&self) -> Result<Option<String>, LedgerError> {
        let Db::Sqlite { reader, .. } = &self.db else { return Ok(None) };
        let found: String = sqlx::query_scalar("pragma integrity_check(1)").fetch_one(reader).await?;
        Ok(Some(found).filter(|found| found != "ok"))
    }
}

async fn count(tx: &mut Tx, query: &'static str) -> Result<i64, LedgerError> {
    Ok(with_tx!(tx, |connection| sqlx::query_scalar(query).fetch_one(connection).await?))
}

/// Of the quarter hours whose events are complete.
async fn differing_quarters(tx: &mut Tx, events_from_ms: i64) -> Result<i64, LedgerError> {
    Ok(with_tx!(tx, |connection| {
        sqlx::query_scalar(DIFFERING_QUARTERS).bind(events_from_ms).fetch_one(connection).await?
    }))
}

async fn differing_days(tx: &mut Tx, zone: &Zone) -> Result<i64, LedgerError> {
    let users: Vec<String> = with_tx!(tx, |connection| {
        sqlx::query_scalar("select distinct user_id from series").fetch_all(connection).await?
    });
    let mut differing = 0;
    for user in users {
        let mut days: BTreeMap<(i64, i64), Sums> = BTreeMap::new();
        for (at_ms, series_id, sums) in rows_of(tx, &user, QUARTER).await? {
            let day = days.entry((day_of(zone, at_ms), series_id)).or_insert([0; 22]);
            for (total, sum) in day.iter_mut().zip(sums) {
                *total = total.checked_add(sum).ok_or(LedgerError::OutOfRange("a day's sum"))?;
            }
        }
        for (at_ms, series_id, sums) in rows_of(tx, &user, DAY).await? {
            if days.remove(&(at_ms, series_id)).unwrap_or([0; 22]) != sums {
                differing += 1;
            }
        }
        differing += days.values().filter(|sums| **sums != [0; 22]).count() as i64;
    }
    Ok(differing)
}

async fn rows_of(tx: &mut Tx, user: &str, grain: i64) -> Result<Vec<(i64, i64, Sums)>, LedgerError> {
    let rows = with_tx!(tx, |connection| {
        let rows = sqlx::query(concat!(
            "select bucket_at_ms, series_id, ",
            rollup_columns!(plain),
            " from usage_rollup where user_id = $1 and grain = $2"
        ))
        .bind(user)
        .bind(grain)
        .fetch_all(connection)
        .await?;
        let read = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, read_sums(row, 2)?)));
        read.collect::<Result<Vec<_>, sqlx::Error>>()?
    });
    Ok(rows)
}

/// Each side minus the other: a row that differs stands in both halves, so halves are not added but the larger taken.
macro_rules! difference_of {
    ($one:expr, $two:expr) => {
        concat!(
            "with one as (",
            $one,
            "), two as (",
            $two,
            ") select case when a.n > b.n then a.n else b.n end from \
             (select count(*) as n from (select * from one except select * from two) as x) as a, \
             (select count(*) as n from (select * from two except select * from one) as y) as b"
        )
    };
}

const DIFFERING_QUARTERS: &str = difference_of!(
    "select user_id, occurred_at_ms / 900000 * 900000 as at_ms, provider, model, coalesce(api_key_id, '') as k, source, \
     coalesce(project, '') as p, \
     cast(sum(case when part_of is null then 1 else 0 end) as bigint) as c01, \
     cast(sum(case when part_of is null and success = false then 1 else 0 end) as bigint) as c02, \
     cast(sum(case when pricing_state = 'unpriced' or (pricing_state = 'no_usage' and success = true) then 1 else 0 end) \
     as bigint) as c03, \
     cast(sum(case when pricing_state = 'estimated' then 1 else 0 end) as bigint) as c04, \
     cast(sum(input) as bigint) as c05, cast(sum(cache_write_5m) as bigint) as c06, \
     cast(sum(cache_write_1h) as bigint) as c07, cast(sum(cache_read) as bigint) as c08, \
     cast(sum(output) as bigint) as c09, cast(sum(thinking) as bigint) as c10, \
     cast(sum(coalesce(output_thinking, 0)) as bigint) as c11, cast(sum(web_search_count) as bigint) as c12, \
     cast(sum(coalesce(cost_nano_usd, 0)) as bigint) as c13, cast(sum(cost_input_nano_usd) as bigint) as c14, \
     cast(sum(cost_cache_write_5m_nano_usd) as bigint) as c15, \
     cast(sum(cost_cache_write_1h_nano_usd) as bigint) as c16, \
     cast(sum(cost_cache_read_nano_usd) as bigint) as c17, cast(sum(cost_output_nano_usd) as bigint) as c18, \
     cast(sum(cost_thinking_nano_usd) as bigint) as c19, cast(sum(cost_fees_nano_usd) as bigint) as c20, \
     cast(sum(case when part_of is null and response_time_ms is not null then 1 else 0 end) as bigint) as c21, \
     cast(sum(case when part_of is null then coalesce(response_time_ms, 0) else 0 end) as bigint) as c22 \
     from usage_event where occurred_at_ms >= $1 group by 1, 2, 3, 4, 5, 6, 7",
    concat!(
        "select r.user_id, r.bucket_at_ms, s.provider, s.model, s.api_key_id, s.source, s.project, ",
        rollup_columns!(summed),
        " from usage_rollup r join series s on s.user_id = r.user_id and s.id = r.series_id \
         where r.grain = 1 and r.user_id <> '' and r.bucket_at_ms >= $1 group by 1, 2, 3, 4, 5, 6, 7 having sum(r.calls) <> 0 \
         or sum(r.input + r.cache_write_5m + r.cache_write_1h + r.cache_read + r.output + r.thinking) <> 0 \
         or sum(r.unpriced_calls) <> 0"
    )
);

const DIFFERING_EVERYONE: &str = difference_of!(
    concat!(
        "select r.grain, r.bucket_at_ms, s.provider, s.model, s.source, s.project, ",
        rollup_columns!(summed),
        " from usage_rollup r join series s on s.user_id = r.user_id and s.id = r.series_id \
         where r.user_id <> '' group by 1, 2, 3, 4, 5, 6"
    ),
    concat!(
        "select r.grain, r.bucket_at_ms, s.provider, s.model, s.source, s.project, ",
        rollup_columns!(summed),
        " from usage_rollup r join series s on s.user_id = r.user_id and s.id = r.series_id \
         where r.user_id = '' group by 1, 2, 3, 4, 5, 6"
    )
);
