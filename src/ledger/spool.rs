//! The file in which calls wait for the ledger: frames in a small SQLite database of their own, so that a call can be
//! written down while the ledger is busy, full or gone. What the frames mean is `capture::spool`'s business.
//!
//! Writing and flushing are two steps. A written frame is in the write-ahead log and survives the end of this process
//! (`kill -9`); it takes well under a millisecond. A flushed one survives the end of the machine's power; a flush takes
//! several milliseconds and runs beside the writes ([`SpoolFile::flush`]), so that no call waits for a disk.

use super::LedgerError;
use super::db::{LedgerLock, bytes_of, claim_file, keep_private, log_of, open_to_read};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

const PAGE_BYTES: u64 = 4096;
/// Beyond it the log is copied into the file, by the flush.
const LOG_BYTES: u64 = 4 * 1024 * 1024;
/// How many calls one statement takes out: few, because a frame that is to be written waits meanwhile.
const FORGET_AT_ONCE: usize = 64;

pub(super) const FRAME_TABLE: &str = "create table if not exists frame (number integer primary key, \
    epoch text not null, kind integer not null, call_id text not null, at_ms integer not null, payload text not null) strict; \
    create index if not exists frame_call on frame (call_id)";

/// What a frame says of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// It is about to be sent.
    Start = 1,
    /// What is known of its usage so far.
    Usage = 2,
    /// It is over.
    End = 3,
    /// It is over, and the ledger refuses what it says.
    Rejected = 4,
}

/// A frame to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: FrameKind,
    pub call_id: String,
    pub at_ms: i64,
    pub payload: String,
}

/// A frame in the file. Later frames have larger numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFrame {
    pub number: i64,
    pub frame: Frame,
}

/// The open spool. One process at a time has it.
#[derive(Debug)]
pub struct SpoolFile {
    path: PathBuf,
    /// Tells the frames of this process from those of earlier ones.
    epoch: String,
    next_number: AtomicI64,
    writer: SqlitePool,
    /// Reads, and copies the log into the file.
    reader: SqlitePool,
    _lock: LedgerLock,
}

/// What waits in a spool, seen from outside while its recorder may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolState {
    pub bytes: u64,
    /// Finished calls that the ledger does not have yet.
    pub waiting: u64,
    /// Calls that the ledger refuses.
    pub rejected: u64,
    /// UTC milliseconds.
    pub oldest_waiting_at_ms: Option<i64>,
}

impl SpoolState {
    /// Looks into the file at `path`, which must be there.
    pub async fn look(path: &Path) -> Result<Self, LedgerError> {
        let mut file = open_to_read(path).await?;
        let (waiting, rejected, oldest_waiting_at_ms): (i64, i64, Option<i64>) = sqlx::query_as(
            "select count(*) filter (where kind = $1), count(*) filter (where kind = $2), \
             min(at_ms) filter (where kind = $1) from frame",
        )
        .bind(FrameKind::End as i64)
        .bind(FrameKind::Rejected as i64)
        .fetch_one(&mut file)
        .await?;
        file.close().await?;
        let (waiting, rejected) = (waiting.unsigned_abs(), rejected.unsigned_abs());
        Ok(Self { bytes: bytes_of(path), waiting, rejected, oldest_waiting_at_ms })
    }
}

impl SpoolFile {
    /// Opens the file, creating it if it is not there. It refuses to grow beyond `max_bytes`. A second process is
    /// refused with [`LedgerError::Locked`].
    pub async fn open(path: &Path, max_bytes: u64) -> Result<Self, LedgerError> {
        let lock = claim_file(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("max_page_count", (max_bytes / PAGE_BYTES).max(16).to_string())
            .pragma("wal_autocheckpoint", (4 * LOG_BYTES / PAGE_BYTES).to_string())
            .disable_statement_logging();
        let one = || {
            SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None).test_before_acquire(false)
        };
        let writer = one().connect_with(options.clone()).await?;
        keep_private(path)?;
        sqlx::raw_sql(FRAME_TABLE).execute(&writer).await?;
        let last: i64 = sqlx::query_scalar("select coalesce(max(number), 0) from frame").fetch_one(&writer).await?;
        let reader = one().connect_with(options).await?;
        Ok(Self {
            path: path.to_owned(),
            epoch: uuid::Uuid::now_v7().to_string(),
            next_number: AtomicI64::new(last + 1),
            writer,
            reader,
            _lock: lock,
        })
    }

    /// Writes the frames, all or none. Afterwards they survive the end of this process.
    pub async fn append(&self, frames: &[Frame]) -> Result<(), LedgerError> {
        if frames.is_empty() {
            return Ok(());
        }
        let mut insert = sqlx::query(insert_of(frames.len().next_power_of_two()));
        for frame in frames {
            insert = insert
                .bind(self.next_number.fetch_add(1, Ordering::Relaxed))
                .bind(&self.epoch)
                .bind(frame.kind as i64)
                .bind(&frame.call_id)
                .bind(frame.at_ms)
                .bind(&frame.payload);
        }
        insert.execute(&self.writer).await?;
        Ok(())
    }

    /// Makes what was written before survive a loss of power, and keeps the log short.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        let log = log_of(&self.path);
        // A descriptor of its own each time: after a failed flush the kernel says so once, and only to the old one.
        let flushed = tokio::task::spawn_blocking(move || {
            let log = File::open(log)?;
            log.sync_data()?;
            log.metadata().map(|log| log.len())
        });
        let unavailable = |error: &dyn std::fmt::Display| LedgerError::Unavailable(error.to_string());
        let log_bytes = flushed.await.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))?;
        if log_bytes > LOG_BYTES {
            sqlx::query("pragma wal_checkpoint(passive)").execute(&self.reader).await?;
        }
        Ok(())
    }

    /// The next calls that are over, in the order in which they ended.
    pub async fn ended_after(&self, number: i64, limit: u32) -> Result<Vec<StoredFrame>, LedgerError> {
        let rows = sqlx::query_as(
            "select number, kind, call_id, at_ms, payload from frame where number > $1 and kind = $2 \
             order by number limit $3",
        )
        .bind(number)
        .bind(FrameKind::End as i64)
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        stored_frames(rows)
    }

    /// The frames of calls that earlier processes began and did not end, each call's in their order.
    pub async fn left_open(&self) -> Result<Vec<StoredFrame>, LedgerError> {
        let rows = sqlx::query_as(
            "select number, kind, call_id, at_ms, payload from frame where epoch <> $1 and call_id not in \
             (select call_id from frame where kind in ($2, $3)) order by call_id, number",
        )
        .bind(&self.epoch)
        .bind(FrameKind::End as i64)
        .bind(FrameKind::Rejected as i64)
        .fetch_all(&self.reader)
        .await?;
        stored_frames(rows)
    }

    /// How many frames of this kind there are.
    pub async fn count(&self, kind: FrameKind) -> Result<u64, LedgerError> {
        let count: i64 = sqlx::query_scalar("select count(*) from frame where kind = $1")
            .bind(kind as i64)
            .fetch_one(&self.reader)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// Takes all frames of these calls out. Call it when the ledger has them.
    pub async fn forget(&self, call_ids: &[&str]) -> Result<(), LedgerError> {
        for chunk in call_ids.chunks(FORGET_AT_ONCE) {
            let list = serde_json::to_string(chunk).map_err(|_| LedgerError::OutOfRange("spool.frame.call_id"))?;
            sqlx::query("delete from frame where call_id in (select value from json_each($1))")
                .bind(list)
                .execute(&self.writer)
                .await?;
        }
        Ok(())
    }

    /// Keeps a frame that the ledger refuses, without trying it again.
    pub async fn set_aside(&self, number: i64) -> Result<(), LedgerError> {
        sqlx::query("update frame set kind = $1 where number = $2")
            .bind(FrameKind::Rejected as i64)
            .bind(number)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Finishes what is under way and lets go of the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

impl FrameKind {
    fn from_stored(kind: i64) -> Result<Self, LedgerError> {
        let all = [Self::Start, Self::Usage, Self::End, Self::Rejected];
        all.into_iter().find(|known| *known as i64 == kind).ok_or(LedgerError::OutOfRange("spool.frame.kind"))
    }
}

fn stored_frames(rows: Vec<(i64, i64, String, i64, String)>) -> Result<Vec<StoredFrame>, LedgerError> {
    let frames = rows.into_iter().map(|(number, kind, call_id, at_ms, payload)| {
        let kind = FrameKind::from_stored(kind)?;
        Ok(StoredFrame { number, frame: Frame { kind, call_id, at_ms, payload } })
    });
    frames.collect()
}

/// Inserts up to `rows` frames; what is not bound is null and left out. So a few statements serve groups of every size,
/// and stay prepared.
fn insert_of(rows: usize) -> sqlx::AssertSqlSafe<String> {
    let list = vec!["(?, ?, ?, ?, ?, ?)"; rows].join(", ");
    sqlx::AssertSqlSafe(format!(
        "insert into frame (number, epoch, kind, call_id, at_ms, payload) \
         select * from (values {list}) where column1 is not null"
    ))
}
