//! Budgets as set by users. What the running month has spent is a question for `usage`.

use super::db::{with_reader, with_tx};
use super::{Ledger, LedgerError};
use crate::domain::budget::Budget;
use crate::domain::money::NanoUsd;
use crate::domain::usage::UserId;

/// A user's one budget, until there can be several.
const DEFAULT: &str = "default";

impl Ledger {
    /// The user's budget, or the default one in the instance's zone.
    pub async fn budget(&self, user: &UserId) -> Result<Budget, LedgerError> {
        let row: Option<(i64, String, String)> = with_reader!(&self.db, |pool| {
            sqlx::query_as("select limit_nano_usd, thresholds, time_zone from budget where user_id = $1 and id = $2")
                .bind(&user.0)
                .bind(DEFAULT)
                .fetch_optional(pool)
                .await?
        });
        let Some((limit_nano_usd, thresholds, time_zone)) = row else {
            return Ok(Budget::default_in(&self.time_zone()));
        };
        let thresholds = serde_json::from_str(&thresholds).map_err(|_| LedgerError::OutOfRange("budget.thresholds"))?;
        Ok(Budget { monthly_limit: NanoUsd(limit_nano_usd), thresholds, time_zone })
    }

    /// Sets the user's budget. `now_ms` is kept as the time of the change.
    pub async fn save_budget(&self, user: &UserId, budget: &Budget, now_ms: i64) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        with_tx!(&mut tx, |connection| {
            sqlx::query(
                "insert into budget (user_id, id, limit_nano_usd, thresholds, time_zone, updated_at_ms) \
                 values ($1, $2, $3, $4, $5, $6) on conflict (user_id, id) do update set \
                 limit_nano_usd = excluded.limit_nano_usd, thresholds = excluded.thresholds, \
                 time_zone = excluded.time_zone, updated_at_ms = excluded.updated_at_ms",
            )
            .bind(&user.0)
            .bind(DEFAULT)
            .bind(budget.monthly_limit.0)
            .bind(serde_json::Value::from(budget.thresholds.to_vec()).to_string())
            .bind(&budget.time_zone)
            .bind(now_ms)
            .execute(connection)
            .await?;
        });
        tx.commit().await?;
        self.note_moved([user]);
        Ok(())
    }
}
