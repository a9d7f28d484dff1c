//! Puts a backup in the place of the ledger. Everything is made ready and proved beside it first; then files change their
//! names. What was there before keeps its content under another name.

use super::backup::{
    BackupError, BackupSummary, check_ledger, check_pages, copy_database, expect_equal, move_into_place, summary_of,
};
use super::db::{beside, claim_file, keep_private, open_alone, open_to_read};
use super::spool::{FRAME_TABLES, MOVE_REJECTED};
use super::{Ledger, LedgerError};
use crate::domain::period::Zone;
use sqlx::Connection;
use std::fs::DirBuilder;
use std::path::{Path, PathBuf};

/// What was put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made; none for the file of a ledger that no `backup` made.
    pub made_at_ms: Option<i64>,
    pub events: i64,
    pub frames: i64,
    /// Where the ledger from before is now, if there was one.
    pub kept: Option<PathBuf>,
}

/// Where a ledger is, and how it is cut into days.
#[derive(Clone, Copy, Debug)]
pub struct RestorePlace<'a> {
    pub ledger: &'a Path,
    pub spool: &'a Path,
    pub time_zone: &'a Zone,
}

/// Puts `from` in the place of the ledger and its spool. A running server is refused ([`LedgerError::Locked`]), and so is a ledger
/// that holds something, unless `force` says that it may be replaced; it is then kept beside, its name ending in `label`.
pub async fn restore(from: &Path, place: RestorePlace<'_>, force: bool, label: &str) -> Result<Restored, BackupError> {
    let RestorePlace { ledger, spool, time_zone } = place;
    let _nobody_serves = (claim_file(ledger)?, claim_file(spool)?);
    if !force && holds_something(ledger, spool).await {
        return Err(BackupError::NotEmpty(ledger.to_owned()));
    }
    check_ledger(from).await?;
    let mut source = open_to_read(from).await?;
    check_pages(&mut source, from).await?;
    source.close().await.map_err(LedgerError::from)?;

    let workshop = Workshop::open(ledger)?;
    let (new_ledger, new_spool) = (workshop.0.join("ledger.db"), workshop.0.join("spool.db"));
    copy_database(from, &new_ledger).await?;
    let promised = take_frames_out(&new_ledger, &new_spool).await?;
    let events = bring_up_to_date(&new_ledger, time_zone).await?;
    if let Some(wrong) = promised.map(|summary| summary.events).filter(|promised| *promised != events) {
        let reason = format!("it was made with {wrong} events and holds {events}");
        return Err(BackupError::Damaged { path: from.to_owned(), reason });
    }
    let kept = put_in_place(&new_ledger, &new_spool, place, label)?;
    Ok(Restored {
        made_at_ms: promised.map(|summary| summary.made_at_ms),
        events,
        frames: promised.map_or(0, |summary| summary.frames),
        kept,
    })
}

/// A folder beside the ledger, for its owner alone, that goes when this is dropped.
struct Workshop(PathBuf);

impl Workshop {
    fn open(ledger: &Path) -> Result<Self, BackupError> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = beside(ledger, "restoring");
        // Ours alone by the claim, so it can only be what a broken-off restore left.
        std::fs::remove_dir_all(&folder).ok();
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|source| BackupError::File { path: folder.clone(), source })?;
        Ok(Self(folder))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Whether there is something that a restore would take away. What cannot be read may be something.
async fn holds_something(ledger: &Path, spool: &Path) -> bool {
    const IN_LEDGER: &str = "select exists (select 1 from usage_event) or exists (select 1 from usage_rollup) \
        or exists (select 1 from budget) or exists (select 1 from api_key)";
    const IN_SPOOL: &str = "select exists (select 1 from frame)";
    is_there(ledger, IN_LEDGER).await || is_there(spool, IN_SPOOL).await
}

async fn is_there(path: &Path, question: &'static str) -> bool {
    if !path.exists() {
        return false;
    }
    let Ok(mut file) = open_to_read(path).await else { return true };
    sqlx::query_scalar(question).fetch_one(&mut file).await.unwrap_or(true)
}

/// Moves the frames of a backup into a spool of their own. What the backup says it holds; none for a plain ledger.
async fn take_frames_out(ledger: &Path, spool: &Path) -> Result<Option<BackupSummary>, LedgerError> {
    let mut copy = open_alone(ledger).await?;
    let promised = summary_of(&mut copy).await?;
    copy.close().await?;
    let mut frames = open_alone(spool).await?;
    sqlx::raw_sql(FRAME_TABLES).execute(&mut frames).await?;
    if promised.is_some() {
        let copy = ledger.to_str().ok_or_else(|| LedgerError::Address("the path is not UTF-8".into()))?;
        sqlx::query("attach database $1 as copy").bind(copy).execute(&mut frames).await?;
        sqlx::raw_sql(
            "insert into main.frame_1 (number, kind, call_id, at_ms, payload) \
             select number, kind, call_id, at_ms, payload from copy.spool_frame order by number; \
             drop table copy.spool_frame; drop table copy.backup",
        )
        .execute(&mut frames)
        .await?;
        sqlx::raw_sql(MOVE_REJECTED).execute(&mut frames).await?;
    }
    frames.close().await?;
    Ok(promised)
}

/// Opens the copy as the server is going to, and adds everything up. The number of its events.
async fn bring_up_to_date(ledger: &Path, time_zone: &Zone) -> Result<i64, BackupError> {
    let opened = Ledger::open(&format!("sqlite:{}", ledger.display()), time_zone).await?;
    let verdict = opened.verify_rollups().await;
    opened.close().await;
    let check = verdict?;
    expect_equal(&check, ledger)?;
    Ok(check.events)
}

/// The spool first: a ledger without its spool would look whole and not be.
fn put_in_place(
    new_ledger: &Path,
    new_spool: &Path,
    place: RestorePlace<'_>,
    label: &str,
) -> Result<Option<PathBuf>, BackupError> {
    let kept = keep_beside(place.ledger, label)?;
    keep_beside(place.spool, label)?;
    for (new, path) in [(new_spool, place.spool), (new_ledger, place.ledger)] {
        keep_private(new)?;
        move_into_place(new, path)?;
    }
    Ok(kept)
}

/// Renames a database with what SQLite keeps beside it. The log goes first: a log that outlives its database is read into
/// whatever comes to stand in its place.
fn keep_beside(path: &Path, label: &str) -> Result<Option<PathBuf>, BackupError> {
    let kept = beside(path, label);
    let with = |path: &Path, ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let was_there = path.exists();
    for ending in ["-wal", "-shm", ""] {
        let (from, to) = (with(path, ending), with(&kept, ending));
        if to.exists() {
            return Err(BackupError::Exists(to));
        }
        if from.exists() {
            std::fs::rename(&from, &to).map_err(|source| BackupError::File { path: from, source })?;
        }
    }
    Ok(was_there.then_some(kept))
}
