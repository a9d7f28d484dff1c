//! From a client's logs into the ledger: reads with [`super::import`], prices and stores with [`super::recorder`], and
//! remembers which files are done only after what they held is on disk.

use super::import::claude_code::import_claude_code;
use super::import::{FileStamp, ImportBatch, ImportError, ImportSummary, Outcome, Progress};
use super::recorder;
use crate::domain::price::PriceBook;
use crate::domain::usage::UserId;
use crate::ledger::{ApplyOutcome, FileMark, Ledger, LedgerError};
use std::path::PathBuf;

/// Imports the Claude Code logs below `roots` (folders that hold `projects/`). Repeating it adds nothing; files that
/// have grown are read again.
pub async fn import_claude_code_logs(
    ledger: &Ledger,
    book: &PriceBook,
    user: &UserId,
    roots: Vec<PathBuf>,
    on_progress: impl FnMut(Progress),
) -> Result<ImportSummary, ImportError<LedgerError>> {
    let marks = ledger.import_files(user).await.map_err(ImportError::Keep)?;
    let read_files = marks.into_iter().map(|(path, mark)| (path, stamp_of(mark))).collect();
    let keep = |batch: ImportBatch| keep_batch(ledger, book, user, batch);
    import_claude_code(roots, user.clone(), read_files, keep, on_progress).await
}

async fn keep_batch(
    ledger: &Ledger,
    book: &PriceBook,
    user: &UserId,
    batch: ImportBatch,
) -> Result<Vec<Outcome>, LedgerError> {
    let applied = recorder::record(ledger, book, batch.records).await?;
    for (path, stamp) in &batch.finished_files {
        ledger.save_import_file(user, path, mark_of(*stamp)).await?;
    }
    Ok(applied.iter().map(|applied| outcome_of(applied.outcome)).collect())
}

fn outcome_of(outcome: ApplyOutcome) -> Outcome {
    match outcome {
        ApplyOutcome::Inserted => Outcome::Inserted,
        ApplyOutcome::Updated => Outcome::Updated,
        ApplyOutcome::Duplicate => Outcome::Duplicate,
    }
}

fn stamp_of(mark: FileMark) -> FileStamp {
    FileStamp { size_bytes: u64::try_from(mark.size_bytes).unwrap_or(0), modified_at_ms: mark.modified_at_ms }
}

fn mark_of(stamp: FileStamp) -> FileMark {
    FileMark { size_bytes: i64::try_from(stamp.size_bytes).unwrap_or(i64::MAX), modified_at_ms: stamp.modified_at_ms }
}
