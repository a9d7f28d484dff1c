//! From a client's logs into the ledger: reads with [`super::import`], prices and stores with [`super::recorder`], and
//! remembers which files are done only after what they held is on disk.

use super::import::claude_code::import_claude_code;
use super::import::{ImportBatch, ImportError, ImportSummary, Progress};
use super::recorder;
use crate::domain::price::PriceBook;
use crate::domain::usage::UserId;
use crate::ledger::{ApplyOutcome, Ledger, LedgerError};
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
    let read_files = ledger.import_files(user).await.map_err(ImportError::Keep)?;
    let keep = |batch: ImportBatch| keep_batch(ledger, book, user, batch);
    import_claude_code(roots, user.clone(), read_files, keep, on_progress).await
}

async fn keep_batch(
    ledger: &Ledger,
    book: &PriceBook,
    user: &UserId,
    batch: ImportBatch,
) -> Result<Vec<ApplyOutcome>, LedgerError> {
    let applied = recorder::record(ledger, book, batch.records).await?;
    for (path, mark) in &batch.finished_files {
        ledger.save_import_file(user, path, *mark).await?;
    }
    Ok(applied.iter().map(|applied| applied.outcome).collect())
}
