//! What the server does by itself every hour: it measures how much there is, looks whether the clock was set, and removes events
//! and rows of the audit log that are no longer kept.

use crate::http::state::Clock;
use crate::ledger::{AuditLimits, Ledger, LedgerError, keep_from_ms};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(60 * 60);
/// Few at a time and with a pause in between, so that a call that is to be recorded waits for milliseconds.
const REMOVED_AT_ONCE: u32 = 500;
const PAUSE: Duration = Duration::from_millis(50);
/// What a clock may be set by in an hour without a word.
const CLOCK_JUMP_MS: i64 = 60_000;

/// Never ends by itself. `events_days` are the days for which events are kept; 0: for good.
pub(super) async fn keep_house(ledger: Ledger, spool: PathBuf, clock: Clock, events_days: u32) {
    loop {
        if let Err(error) = tidy(&ledger, &spool, clock.now_ms(), events_days).await {
            tracing::warn!(%error, "housekeeping is put off for an hour");
        }
        let (wall_ms, running) = (clock.now_ms(), Instant::now());
        tokio::time::sleep(EVERY).await;
        let jump_ms = jump(clock.now_ms() - wall_ms, running.elapsed());
        if jump_ms.abs() > CLOCK_JUMP_MS {
            tracing::warn!(jump_ms, "the clock was set; days and budgets follow it");
        }
    }
}

async fn tidy(ledger: &Ledger, spool: &Path, now_ms: i64, events_days: u32) -> Result<(), LedgerError> {
    prune_audit_log(ledger, now_ms).await?;
    let sizes = ledger.measure(spool, now_ms).await?;
    let Some(line) = keep_from_ms(&sizes, now_ms, events_days) else { return Ok(()) };
    ledger.settle_events_before(line).await?;
    let mut removed = 0;
    loop {
        match ledger.remove_settled_events(REMOVED_AT_ONCE).await? {
            0 => break,
            some => removed += some,
        }
        tokio::time::sleep(PAUSE).await;
    }
    if removed > 0 {
        tracing::info!(removed, "events that are no longer kept were removed; their sums stay");
        ledger.measure(spool, now_ms).await?;
    }
    Ok(())
}

async fn prune_audit_log(ledger: &Ledger, now_ms: i64) -> Result<(), LedgerError> {
    while ledger.prune_audit_log(&AuditLimits::KEPT, REMOVED_AT_ONCE, now_ms).await? > 0 {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// How far the clock has run ahead of the time that has passed; below zero: behind.
fn jump(by_clock_ms: i64, passed: Duration) -> i64 {
    by_clock_ms - i64::try_from(passed.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_told_in_both_directions() {
        let hour = Duration::from_secs(3_600);
        assert_eq!(jump(3_600_000, hour), 0);
        assert_eq!(jump(2 * 3_600_000, hour), 3_600_000);
        assert_eq!(jump(0, hour), -3_600_000);
    }
}
