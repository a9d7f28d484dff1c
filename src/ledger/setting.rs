//! Named settings of the instance, and the change of its time zone.

use super::apply::queue_writers;
use super::db::{Tx, with_reader, with_tx};
use super::rollup::{DAY, QUARTER, plain, rollup_columns, summed};
use super::{Ledger, LedgerError};
use crate::domain::period::{Zone, day_bounds, local_date};

pub(super) const TIME_ZONE: &str = "time_zone";

impl Ledger {
    pub(super) async fn setting(&self, name: &str) -> Result<Option<String>, LedgerError> {
        let value = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select value from setting where name = $1").bind(name).fetch_optional(pool).await?
        });
        Ok(value)
    }

    /// Cuts days in another zone: every day rollup is made again from quarter hours, in one transaction.
    pub async fn set_time_zone(&self, zone: &Zone) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        rebuild_days(&mut tx, zone).await?;
        write_setting(&mut tx, TIME_ZONE, zone.name()).await?;
        tx.commit().await?;
        self.cut_days_in(*zone);
        Ok(())
    }
}

/// A setting, as the transaction sees it.
pub(super) async fn setting_in(tx: &mut Tx, name: &str) -> Result<Option<String>, LedgerError> {
    Ok(with_tx!(tx, |connection| {
        sqlx::query_scalar("select value from setting where name = $1").bind(name).fetch_optional(connection).await?
    }))
}

pub(super) async fn write_setting(tx: &mut Tx, name: &str, value: &str) -> Result<(), LedgerError> {
    with_tx!(tx, |connection| {
        sqlx::query(
            "insert into setting (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value",
        )
        .bind(name)
        .bind(value)
        .execute(connection)
        .await?;
    });
    Ok(())
}

async fn rebuild_days(tx: &mut Tx, zone: &Zone) -> Result<(), LedgerError> {
    let users: Vec<String> = with_tx!(tx, |connection| {
        sqlx::query("delete from usage_rollup where grain = $1").bind(DAY).execute(&mut *connection).await?;
        sqlx::query_scalar("select distinct user_id from series").fetch_all(&mut *connection).await?
    });
    for user in users {
        rebuild_days_of(tx, &user, zone).await?;
    }
    Ok(())
}

async fn rebuild_days_of(tx: &mut Tx, user: &str, zone: &Zone) -> Result<(), LedgerError> {
    let (first, last): (Option<i64>, Option<i64>) = with_tx!(tx, |connection| {
        sqlx::query_as(
            "select min(bucket_at_ms), max(bucket_at_ms) from usage_rollup where user_id = $1 and grain = $2",
        )
        .bind(user)
        .bind(QUARTER)
        .fetch_one(connection)
        .await?
    });
    let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
    let mut date = local_date(zone, first);
    while date <= local_date(zone, last) {
        let day = day_bounds(zone, date);
        with_tx!(tx, |connection| {
            sqlx::query(concat!(
                "insert into usage_rollup (user_id, grain, bucket_at_ms, series_id, ",
                rollup_columns!(plain),
                ") select r.user_id, cast($1 as bigint), cast($2 as bigint), r.series_id, ",
                rollup_columns!(summed),
                " from usage_rollup r where r.user_id = $3 and r.grain = $4 and r.bucket_at_ms >= $2 \
                 and r.bucket_at_ms < $5 group by r.user_id, r.series_id"
            ))
            .bind(DAY)
            .bind(day.start_ms)
            .bind(user)
            .bind(QUARTER)
            .bind(day.end_ms)
            .execute(connection)
            .await?;
        });
        let Some(next) = date.succ_opt() else { break };
        date = next;
    }
    Ok(())
}
