//! Whether calls could not be recorded: looked at by itself, and told to those who manage the server. That it is told once is the
//! ledger's doing (`ledger::loss_notice`).

use crate::domain::recorder_health::RecorderHealth;
use crate::ledger::Ledger;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Looks every minute, the first time at once, until it is dropped: at what the recorder with this spool has lost. `now_ms` gives
/// UTC milliseconds.
pub async fn keep_telling_losses(
    ledger: Ledger,
    spool_id: String,
    health: impl Fn() -> RecorderHealth,
    now_ms: impl Fn() -> i64,
) {
    loop {
        let lost = health().lost;
        // What keeps calls from being recorded may keep this from being written too.
        if let Err(error) = ledger.tell_losses(&spool_id, &lost, now_ms()).await
            && lost.total() > 0
        {
            tracing::warn!(%error, "nobody can be told of lost calls at the moment; trying again within a minute");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
