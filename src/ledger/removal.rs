//! Taking usage out again. Only whole sources can be taken out, and only sample data is, so far.

use super::alert::remove_of_demo_data;
use super::apply::queue_writers;
use super::db::with_tx;
use super::rollup::{EVERYONE, plain, rollup_columns, summed};
use super::{Ledger, LedgerError};
use crate::domain::usage::{Source, UserId};

impl Ledger {
    /// Deletes all of a user's events from one source, with what they added to the rollups, in one transaction; sample
    /// data takes the alerts along that fired while it was there. Gives the number of events.
    pub async fn remove_source(&self, user: &UserId, source: Source) -> Result<u64, LedgerError> {
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        let removed = with_tx!(&mut tx, |connection| {
            let removed = sqlx::query("delete from usage_event where user_id = $1 and source = $2")
                .bind(&user.0)
                .bind(source.name())
                .execute(&mut *connection)
                .await?
                .rows_affected();
            // The source is part of a series, so whole series go: the user's for good, everyone's to be added up again
            // from the users that are left.
            for owner in [user.0.as_str(), EVERYONE] {
                sqlx::query(
                    "delete from usage_rollup where user_id = $1 and series_id in \
                     (select id from series where user_id = $1 and source = $2)",
                )
                .bind(owner)
                .bind(source.name())
                .execute(&mut *connection)
                .await?;
            }
            sqlx::query("delete from series where user_id = $1 and source = $2")
                .bind(&user.0)
                .bind(source.name())
                .execute(&mut *connection)
                .await?;
            sqlx::query(concat!(
                "insert into usage_rollup (user_id, grain, bucket_at_ms, series_id, ",
                rollup_columns!(plain),
                ") select e.user_id, r.grain, r.bucket_at_ms, e.id, ",
                rollup_columns!(summed),
                " from usage_rollup r join series s on s.user_id = r.user_id and s.id = r.series_id \
                 join series e on e.user_id = '' and e.provider = s.provider and e.model = s.model \
                 and e.source = s.source and e.project = s.project \
                 where r.user_id <> '' and s.source = $1 group by e.user_id, r.grain, r.bucket_at_ms, e.id"
            ))
            .bind(source.name())
            .execute(&mut *connection)
            .await?;
            sqlx::query(
                "delete from series where user_id = '' and source = $1 and not exists \
                 (select 1 from series s where s.user_id <> '' and s.source = series.source \
                 and s.provider = series.provider and s.model = series.model and s.project = series.project)",
            )
            .bind(source.name())
            .execute(&mut *connection)
            .await?;
            removed
        });
        self.sign_moved(&mut tx, &[user]).await?;
        if source == Source::Demo {
            remove_of_demo_data(&mut tx, user).await?;
        }
        tx.commit().await?;
        self.note_moved([user]);
        Ok(removed)
    }
}
