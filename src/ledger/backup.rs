//! A copy of the ledger and of the calls that wait for it, in one file, taken while a server writes both.
//!
//! The copy is a ledger like any other with two more tables: `spool_frame` holds the spool's frames as they are, `backup` what the
//! copy has to hold. A call goes from the spool into the ledger and is taken out of the spool only then. So the spool's
//! snapshot is taken first and the ledger's second: a call may be in both, where its dedup key tells, and never in neither.

use super::db::{beside, keep_private, open_alone, open_to_read};
use super::{Ledger, LedgerError, RollupCheck, migrate};
use futures::TryStreamExt;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, QueryBuilder, Sqlite};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// How many frames one statement writes.
const FRAMES_AT_ONCE: usize = 100;

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct BackupSummary {
    /// UTC milliseconds.
    pub made_at_ms: i64,
    pub events: i64,
    /// What the spool held: parts of calls that the ledger did not have yet.
    pub frames: i64,
}

/// Why a backup could not be made or put back. Nothing of the ledger was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already, and nothing is written over", .0.display())]
    Exists(PathBuf),
    #[error("another backup is being written to {}", .0.display())]
    UnderWay(PathBuf),
    #[error("{} cannot be used: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is not the ledger of a Tollbridge", .0.display())]
    NoLedger(PathBuf),
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{} holds usage already; with --force it is replaced, and kept beside", .0.display())]
    NotEmpty(PathBuf),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Copies the ledger and its spool into the file `to`, which must not be there, and opens the copy again to prove it. Others
/// may write meanwhile and are not held up. Until everything is on disk the file has another name.
pub async fn back_up(ledger: &Path, spool: &Path, to: &Path, now_ms: i64) -> Result<BackupSummary, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let partial = beside(to, "partial");
    let _lock = begin_file(&partial)?;
    let written = match write_copy(ledger, spool, &partial, now_ms).await {
        Ok(()) => prove(&partial).await,
        Err(error) => Err(error),
    };
    let finished = written.and_then(|summary| {
        move_into_place(&partial, to)?;
        Ok(summary)
    });
    if finished.is_err() {
        // What is left of it helps nobody; the error above says what went wrong.
        std::fs::remove_file(&partial).ok();
    }
    finished
}

/// Creates the file, for its owner alone, or takes over one that a broken-off backup left.
fn begin_file(partial: &Path) -> Result<File, BackupError> {
    let failed = |source| BackupError::File { path: partial.to_owned(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(partial).map_err(failed)?;
    file.try_lock().map_err(|_| BackupError::UnderWay(partial.to_owned()))?;
    keep_private(partial)?;
    // SQLite copies into an empty file only.
    file.set_len(0).map_err(failed)?;
    Ok(file)
}

async fn write_copy(ledger: &Path, spool: &Path, partial: &Path, now_ms: i64) -> Result<(), BackupError> {
    check_ledger(ledger).await?;
    let mut waiting = if spool.exists() { Some(open_to_read(spool).await?) } else { None };
    let mut snapshot = match &mut waiting {
        Some(connection) => Some(connection.begin().await.map_err(LedgerError::from)?),
        None => None,
    };
    if let Some(snapshot) = &mut snapshot {
        // The first read is what the snapshot begins with.
        sqlx::query("select count(*) from frame").execute(&mut **snapshot).await.map_err(LedgerError::from)?;
    }
    copy_database(ledger, partial).await?;
    let mut copy = open_alone(partial).await?;
    sqlx::raw_sql(BACKUP_TABLES).execute(&mut copy).await.map_err(LedgerError::from)?;
    if let Some(snapshot) = &mut snapshot {
        copy_frames(snapshot, &mut copy).await?;
    }
    sqlx::query(
        "insert into backup (made_at_ms, events, frames) \
         select $1, (select count(*) from usage_event), (select count(*) from spool_frame)",
    )
    .bind(now_ms)
    .execute(&mut copy)
    .await
    .map_err(LedgerError::from)?;
    copy.close().await.map_err(LedgerError::from)?;
    Ok(())
}

/// `spool_frame` is the spool's `frame` by another name.
const BACKUP_TABLES: &str = "create table spool_frame (number integer primary key, kind integer not null, \
    call_id text not null, at_ms integer not null, payload text not null) strict; \
    create table backup (made_at_ms integer not null, events integer not null, frames integer not null) strict";

/// In their order, which their numbers are.
async fn copy_frames(from: &mut SqliteConnection, to: &mut SqliteConnection) -> Result<(), LedgerError> {
    type FrameRow = (i64, i64, String, i64, String);
    let mut tx = to.begin().await?;
    let mut rows =
        sqlx::query_as::<_, FrameRow>("select number, kind, call_id, at_ms, payload from frame order by number")
            .fetch(from)
            .try_chunks(FRAMES_AT_ONCE);
    while let Some(chunk) = rows.try_next().await.map_err(|error| error.1)? {
        let mut insert =
            QueryBuilder::<Sqlite>::new("insert into spool_frame (number, kind, call_id, at_ms, payload) ");
        insert.push_values(chunk, |mut row, (number, kind, call_id, at_ms, payload)| {
            row.push_bind(number).push_bind(kind);
            row.push_bind(call_id).push_bind(at_ms).push_bind(payload);
        });
        insert.build().execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Opens the copy as what it is going to be: its pages are sound, its rollups equal its events, and all that was to be in it
/// is.
async fn prove(partial: &Path) -> Result<BackupSummary, BackupError> {
    let ledger = Ledger::open_as_it_is(&format!("sqlite:{}", partial.display())).await?;
    let verdict = ledger.verify_rollups().await;
    ledger.close().await;
    expect_equal(&verdict?, partial)?;
    let mut copy = open_alone(partial).await?;
    check_pages(&mut copy, partial).await?;
    let summary = summary_of(&mut copy).await?.ok_or_else(|| BackupError::NoLedger(partial.to_owned()))?;
    copy.close().await.map_err(LedgerError::from)?;
    Ok(summary)
}

/// What a backup says that it holds, if the file is one.
pub(super) async fn summary_of(copy: &mut SqliteConnection) -> Result<Option<BackupSummary>, LedgerError> {
    let is_backup: bool = sqlx::query_scalar("select count(*) > 0 from sqlite_master where name = 'backup'")
        .fetch_one(&mut *copy)
        .await?;
    if !is_backup {
        return Ok(None);
    }
    Ok(Some(sqlx::query_as("select made_at_ms, events, frames from backup").fetch_one(copy).await?))
}

/// Refuses a file in which a rollup differs from its events.
pub(super) fn expect_equal(check: &RollupCheck, path: &Path) -> Result<(), BackupError> {
    match check.difference() {
        0 => Ok(()),
        differing => Err(BackupError::Damaged {
            path: path.to_owned(),
            reason: format!("{differing} of its sums differ from their events"),
        }),
    }
}

/// Refuses a file that is missing, is no ledger, or is one of a newer Tollbridge.
pub(super) async fn check_ledger(path: &Path) -> Result<(), BackupError> {
    if let Err(source) = File::open(path) {
        return Err(BackupError::File { path: path.to_owned(), source });
    }
    let mut file = open_to_read(path).await?;
    let tables: i64 = sqlx::query_scalar(
        "select count(*) from sqlite_master where type = 'table' and name in ('usage_event', 'usage_rollup', '_sqlx_migrations')",
    )
    .fetch_one(&mut file)
    .await
    .map_err(LedgerError::from)?;
    if tables < 3 {
        return Err(BackupError::NoLedger(path.to_owned()));
    }
    let found: i64 =
        sqlx::query_scalar(migrate::SCHEMA_VERSION).fetch_one(&mut file).await.map_err(LedgerError::from)?;
    file.close().await.map_err(LedgerError::from)?;
    let known = migrate::newest_version();
    if found > known {
        return Err(LedgerError::NewerSchema { found, known }.into());
    }
    Ok(())
}

/// SQLite's own check of every page, row and index.
pub(super) async fn check_pages(file: &mut SqliteConnection, path: &Path) -> Result<(), BackupError> {
    let found: String =
        sqlx::query_scalar("pragma integrity_check(1)").fetch_one(file).await.map_err(LedgerError::from)?;
    if found == "ok" {
        return Ok(());
    }
    Err(BackupError::Damaged { path: path.to_owned(), reason: found })
}

/// A consistent copy, whoever writes meanwhile. `to` is missing or empty.
pub(super) async fn copy_database(from: &Path, to: &Path) -> Result<(), LedgerError> {
    let to = to.to_str().ok_or_else(|| LedgerError::Address("the path is not UTF-8".into()))?;
    let mut source = open_to_read(from).await?;
    sqlx::query("vacuum into $1").bind(to).execute(&mut source).await?;
    source.close().await?;
    Ok(())
}

/// Gives a finished file its name, so that a loss of power leaves all of it or nothing.
pub(super) fn move_into_place(from: &Path, to: &Path) -> Result<(), BackupError> {
    let failed = |source| BackupError::File { path: to.to_owned(), source };
    File::open(from).and_then(|file| file.sync_all()).map_err(failed)?;
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    std::fs::rename(from, to).map_err(failed)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
