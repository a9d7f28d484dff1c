//! Importing the logs that clients already wrote: what every import hands over and reports. Each log format has a
//! file of its own below; what becomes of the records is the ledger's business.

pub mod claude_code;
pub mod job;
mod lines;

use crate::domain::usage::UsageRecord;
use crate::ledger::{ApplyOutcome, FileMark};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How many records an import hands over at once.
pub const BATCH_RECORDS: usize = 500;
/// How many broken lines a summary names; the rest are only counted.
pub const BROKEN_LINES_KEPT: usize = 20;

/// The files that earlier imports of this user read to their end, by full path.
pub type ReadFiles = HashMap<String, FileMark>;

/// Records to be kept, and the files that are complete once they are kept. Storing both in one transaction makes an
/// import that is broken off at any point go on where it stopped.
#[derive(Clone, Debug, Default)]
pub struct ImportBatch {
    /// At most [`BATCH_RECORDS`]; a record's parts stand right behind it, but perhaps in the next batch.
    pub records: Vec<UsageRecord>,
    /// Full paths with what they were like before they were read.
    pub finished_files: Vec<(String, FileMark)>,
}

/// How far an import is. Unchanged files count as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub files_done: u64,
    pub files_total: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub records: u64,
}

/// What an import found; `records` is `inserted + updated + duplicates + too_old`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportSummary {
    pub files: u64,
    pub files_unchanged: u64,
    pub lines: u64,
    pub records: u64,
    pub inserted: u64,
    pub updated: u64,
    pub duplicates: u64,
    /// From before the time from which the ledger keeps events: they are not counted anew.
    pub too_old: u64,
    /// Messages that the client made up itself, such as API errors: nobody is charged for them.
    pub synthetic_skipped: u64,
    /// The first [`BROKEN_LINES_KEPT`] of them.
    pub broken: Vec<BrokenLine>,
    pub broken_count: u64,
}

/// A line that could not be read. The import went on behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLine {
    pub file: String,
    /// Counted from 1; 0 means the whole file.
    pub line: u64,
    /// Never quotes the line, which may hold a prompt.
    pub reason: String,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError<E> {
    /// The batch could not be kept. Files finished before it stay done.
    #[error("cannot keep the imported records: {0}")]
    Keep(E),
    #[error("the log reader stopped: {0}")]
    Reader(#[from] tokio::task::JoinError),
}

impl ImportSummary {
    fn add_outcomes(&mut self, outcomes: &[ApplyOutcome]) {
        for outcome in outcomes {
            match outcome {
                ApplyOutcome::Inserted => self.inserted += 1,
                ApplyOutcome::Updated => self.updated += 1,
                ApplyOutcome::Duplicate => self.duplicates += 1,
                // Nobody is left to be told the difference.
                ApplyOutcome::TooOld | ApplyOutcome::Erased => self.too_old += 1,
            }
        }
    }

    fn add_broken(&mut self, file: &str, line: u64, reason: String) {
        self.broken_count += 1;
        if self.broken.len() < BROKEN_LINES_KEPT {
            self.broken.push(BrokenLine { file: file.into(), line, reason });
        }
    }
}
