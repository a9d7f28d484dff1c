//! How the recorder is doing, for `/readyz` and the dashboard. The recorder itself is in `capture`.

use serde::{Deserialize, Serialize};

/// Since this process started, except where it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecorderHealth {
    /// Finished calls that are in the spool and not in the ledger yet.
    pub spool_depth: u64,
    /// How long the oldest of them has been waiting.
    pub lag_ms: u64,
    /// Calls that were sent to the provider before the spool had them: a crash in that moment would have lost them.
    pub late: u64,
    /// When the last one of them was, in UTC milliseconds.
    pub last_late_at_ms: Option<i64>,
    /// Why the spool cannot be written at the moment; none while it can.
    pub spool_fault: Option<SpoolFault>,
    /// Finished calls of which no record could be kept, also those of earlier runs: for 30 days after the last of them, and until the
    /// next start.
    pub lost: LostCalls,
    /// What went wrong last, if anything did. Not for `/readyz`, which asks nobody who they are: it may name a file or quote the
    /// database.
    #[serde(skip)]
    pub last_error: Option<String>,
    pub last_error_at_ms: Option<i64>,
}

/// Why calls wait in memory instead of in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpoolFault {
    /// It is at its limit, or the disk is full.
    Full,
    Unavailable,
}

impl RecorderHealth {
    /// Another number than before once more calls are late, lost or refused.
    pub fn news(&self) -> u64 {
        self.late + self.lost.total()
    }
}

/// Lost calls by what lost them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LostCalls {
    /// The spool was at its limit or the disk was full, and memory held all that it may.
    pub spool_full: u64,
    /// The spool could not be written for another reason, and memory held all that it may.
    pub spool_unavailable: u64,
    /// Calls ended faster than the spool could be written.
    pub overloaded: u64,
    /// The ledger refuses what the call says. Kept aside in the spool, and counted for as long as it is there.
    pub rejected: u64,
}

impl LostCalls {
    pub fn total(&self) -> u64 {
        [self.spool_full, self.spool_unavailable, self.overloaded, self.rejected].iter().sum()
    }
}
