//! That calls could not be recorded, told once to each channel of those who manage the server. How many were told of is kept for each
//! spool, so that no restart tells it again, and servers on one ledger do not take each other's for their own.

use super::delivery::enqueue_in;
use super::setting::write_setting;
use super::{Ledger, LedgerError};
use crate::domain::notification::Notification;
use crate::domain::recorder_health::LostCalls;
use crate::domain::usage::UserId;
use serde::{Deserialize, Serialize};

/// A fault that lasts loses calls all the time.
const TOLD_AT_MOST_EVERY_MS: i64 = 60 * 60_000;

/// What was told last.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Told {
    calls: u64,
    at_ms: i64,
}

impl Ledger {
    /// Puts a message into the outbox if more calls are lost than it was told of, at most once an hour. `lost` are those that the
    /// recorder with this spool knows of.
    pub async fn tell_losses(&self, spool_id: &str, lost: &LostCalls, now_ms: i64) -> Result<(), LedgerError> {
        let setting = format!("told_losses:{spool_id}");
        let told = self.told(&setting).await?;
        let calls = lost.total();
        let was_just_told = (0..TOLD_AT_MOST_EVERY_MS).contains(&(now_ms - told.at_ms));
        if calls == told.calls || calls > told.calls && was_just_told {
            return Ok(());
        }
        let managers = self.managers().await?;
        let mut tx = self.db.begin().await?;
        let mut now_told = Told { calls, ..told };
        // Fewer: some are not counted any more.
        if calls > told.calls {
            let notification = Notification::of_losses(lost, calls - told.calls, now_ms);
            for user in &managers {
                enqueue_in(&mut tx, user, &notification, now_ms).await?;
            }
            now_told.at_ms = now_ms;
        }
        let told = serde_json::to_string(&now_told).map_err(|_| LedgerError::OutOfRange("setting.told_losses"))?;
        write_setting(&mut tx, &setting, &told).await?;
        tx.commit().await
    }

    async fn told(&self, setting: &str) -> Result<Told, LedgerError> {
        let kept = self.setting(setting).await?;
        let told = kept.map(|json| serde_json::from_str(&json)).transpose();
        told.map(Option::unwrap_or_default).map_err(|_| LedgerError::OutOfRange("setting.told_losses"))
    }

    async fn managers(&self) -> Result<Vec<UserId>, LedgerError> {
        let accounts = self.accounts().await?.into_iter();
        let managers = accounts.filter(|account| account.role.sees_everyone() && account.disabled_at_ms.is_none());
        Ok(managers.map(|account| account.user_id).collect())
    }
}
