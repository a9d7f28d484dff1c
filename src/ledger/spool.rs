//! The file in which calls wait for the ledger: frames in a small SQLite database of their own, so that a call can be
//! written down while the ledger is busy, full or gone. What the frames mean is `capture::spool`'s business.
//!
//! Writing and flushing are two steps. A written frame is in the write-ahead log and survives the end of this process
//! (`kill -9`); it takes well under a millisecond. A flushed one survives the end of the machine's power; a flush takes
//! several milliseconds and runs beside the writes ([`SpoolFile::flush`]), so that no call waits for a disk.

use super::LedgerError;
use super::db::{LedgerLock, bytes_of, claim_file, keep_private, log_of, open_to_read};
use rusqlite::{Connection, Row, params};
use sqlx::Connection as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

const PAGE_BYTES: u64 = 4096;
/// Pages that each connection keeps; the frames that are at work are few.
const CACHE_KIB: u64 = 512;
/// Beyond it the log is copied into the file, by the flush.
const LOG_BYTES: u64 = 8 * 1024 * 1024;
/// How long a connection waits for a lock. Only a program that looks into the file from outside could hold one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many calls one transaction takes out: few, because a frame that is to be written waits meanwhile.
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

/// The open spool. One process at a time has it. Cheap to clone; all clones share the file.
#[derive(Clone, Debug)]
pub struct SpoolFile(Arc<OpenFile>);

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    /// Tells the frames of this process from those of earlier ones.
    epoch: String,
    next_number: AtomicI64,
    writer: Mutex<Connection>,
    /// Reads, and copies the log into the file.
    reader: Mutex<Connection>,
    is_flushing: AtomicBool,
    /// About how much has been written since the log was last copied into the file. The log's own length tells nothing: it is
    /// filled again from its beginning, and never cut.
    log_bytes: AtomicU64,
    _lock: LedgerLock,
}

/// The right to write frames: one at a time has it.
pub struct FrameWriter<'a> {
    file: &'a OpenFile,
    connection: MutexGuard<'a, Connection>,
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
        let path = path.to_owned();
        off_runtime(move || OpenFile::open(path, max_bytes).map(|file| Self(Arc::new(file)))).await
    }

    /// The right to write, if nobody else has it and no flush is under way, beside which a write can take long.
    pub fn try_writer(&self) -> Option<FrameWriter<'_>> {
        if self.0.is_flushing.load(Ordering::Relaxed) {
            return None;
        }
        let connection = match self.0.writer.try_lock() {
            Ok(connection) => connection,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(FrameWriter { file: &self.0, connection })
    }

    /// The right to write. Blocks the thread until nobody else has it.
    pub fn writer(&self) -> FrameWriter<'_> {
        self.0.writer()
    }

    /// Writes the frames, all or none, as [`FrameWriter::append`] does.
    pub async fn append(&self, frames: Vec<Frame>) -> Result<(), LedgerError> {
        self.run(move |file| file.writer().append(&frames)).await
    }

    /// Makes what was written before survive a loss of power, and keeps the log short.
    pub async fn flush(&self) -> Result<(), LedgerError> {
        self.run(|file| {
            file.is_flushing.store(true, Ordering::Relaxed);
            let flushed = file.flush();
            file.is_flushing.store(false, Ordering::Relaxed);
            flushed
        })
        .await
    }

    /// The next calls that are over, in the order in which they ended.
    pub async fn ended_after(&self, number: i64, limit: u32) -> Result<Vec<StoredFrame>, LedgerError> {
        self.run(move |file| {
            let reader = lock(&file.reader);
            let mut ended = reader.prepare_cached(
                "select number, kind, call_id, at_ms, payload from frame where number > ?1 and kind = ?2 \
                 order by number limit ?3",
            )?;
            ended.query_and_then(params![number, FrameKind::End as i64, limit], stored_frame)?.collect()
        })
        .await
    }

    /// The frames of calls that earlier processes began and did not end, each call's in their order.
    pub async fn left_open(&self) -> Result<Vec<StoredFrame>, LedgerError> {
        self.run(|file| {
            let reader = lock(&file.reader);
            let mut left_open = reader.prepare(
                "select number, kind, call_id, at_ms, payload from frame where epoch <> ?1 and call_id not in \
                 (select call_id from frame where kind in (?2, ?3)) order by call_id, number",
            )?;
            let over = (FrameKind::End as i64, FrameKind::Rejected as i64);
            left_open.query_and_then(params![file.epoch, over.0, over.1], stored_frame)?.collect()
        })
        .await
    }

    /// How many frames of this kind there are.
    pub async fn count(&self, kind: FrameKind) -> Result<u64, LedgerError> {
        self.run(move |file| {
            let count = "select count(*) from frame where kind = ?1";
            Ok(lock(&file.reader).query_one(count, [kind as i64], |row| row.get::<_, i64>(0))?.unsigned_abs())
        })
        .await
    }

    /// Takes all frames of these calls out. Call it when the ledger has them.
    pub async fn forget(&self, call_ids: Vec<String>) -> Result<(), LedgerError> {
        self.run(move |file| {
            for some in call_ids.chunks(FORGET_AT_ONCE) {
                let mut writer = lock(&file.writer);
                let transaction = writer.transaction()?;
                let mut forget = transaction.prepare_cached("delete from frame where call_id = ?1")?;
                for call_id in some {
                    forget.execute([call_id])?;
                }
                drop(forget);
                transaction.commit()?;
                file.note_in_log(some.len());
            }
            Ok(())
        })
        .await
    }

    /// Keeps a frame that the ledger refuses, without trying it again.
    pub async fn set_aside(&self, number: i64) -> Result<(), LedgerError> {
        self.run(move |file| {
            let set_aside = "update frame set kind = ?1 where number = ?2";
            lock(&file.writer).execute(set_aside, params![FrameKind::Rejected as i64, number])?;
            Ok(())
        })
        .await
    }

    /// Finishes what is under way and leaves nothing in the log, so that the file alone holds what waits.
    pub async fn close(&self) -> Result<(), LedgerError> {
        self.run(|file| Ok(lock(&file.writer).query_one("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?)).await
    }

    /// Waits until nobody else has the file, and lets go of it without finishing anything.
    #[cfg(test)]
    pub(crate) async fn abandon_for_test(self) {
        while Arc::strong_count(&self.0) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Where waiting for the disk holds nobody up.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&OpenFile) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let file = self.0.clone();
        off_runtime(move || work(&file)).await
    }
}

impl FrameWriter<'_> {
    /// Writes the frames, all or none. Afterwards they survive the end of this process. Some ten microseconds a frame where
    /// the disk is not in the way.
    pub fn append<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame>) -> Result<(), LedgerError> {
        self.execute("begin immediate")?;
        let written = self.insert(frames).and_then(|()| self.execute("commit"));
        // Where SQLite did not do so by itself, as it does when the disk is full.
        if written.is_err() && !self.connection.is_autocommit() {
            self.execute("rollback")?;
        }
        written
    }

    fn insert<'a>(&mut self, frames: impl IntoIterator<Item = &'a Frame>) -> Result<(), LedgerError> {
        let mut insert = self.connection.prepare_cached(
            "insert into frame (number, epoch, kind, call_id, at_ms, payload) values (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut rows = 0;
        for frame in frames {
            rows += 1;
            let number = self.file.next_number.fetch_add(1, Ordering::Relaxed);
            let Frame { kind, call_id, at_ms, payload } = frame;
            insert.execute(params![number, self.file.epoch, *kind as i64, call_id, at_ms, payload])?;
        }
        self.file.note_in_log(rows);
        Ok(())
    }

    fn execute(&mut self, statement: &str) -> Result<(), LedgerError> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }
}

impl OpenFile {
    fn open(path: PathBuf, max_bytes: u64) -> Result<Self, LedgerError> {
        let lock = claim_file(&path)?;
        let writer = connect(&path, max_bytes)?;
        keep_private(&path)?;
        writer.execute_batch(FRAME_TABLE)?;
        let last: i64 = writer.query_one("select coalesce(max(number), 0) from frame", [], |row| row.get(0))?;
        let reader = connect(&path, max_bytes)?;
        Ok(Self {
            path,
            epoch: uuid::Uuid::now_v7().to_string(),
            next_number: AtomicI64::new(last + 1),
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            is_flushing: AtomicBool::new(false),
            log_bytes: AtomicU64::new(0),
            _lock: lock,
        })
    }

    fn writer(&self) -> FrameWriter<'_> {
        FrameWriter { file: self, connection: lock(&self.writer) }
    }

    fn flush(&self) -> Result<(), LedgerError> {
        // A descriptor of its own each time: after a failed flush the kernel says so once, and only to the old one.
        let flushed = File::open(log_of(&self.path)).and_then(|log| log.sync_data());
        flushed.map_err(|error| LedgerError::Unavailable(error.to_string()))?;
        if self.log_bytes.load(Ordering::Relaxed) > LOG_BYTES {
            lock(&self.reader).query_one("pragma wal_checkpoint(passive)", [], |_| Ok(()))?;
            self.log_bytes.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// A transaction was written that touched `rows`: each one page of the table or the index, and those above them.
    fn note_in_log(&self, rows: usize) {
        self.log_bytes.fetch_add((rows as u64 + 2) * PAGE_BYTES, Ordering::Relaxed);
    }
}

impl FrameKind {
    fn from_stored(kind: i64) -> Result<Self, LedgerError> {
        let all = [Self::Start, Self::Usage, Self::End, Self::Rejected];
        all.into_iter().find(|known| *known as i64 == kind).ok_or(LedgerError::OutOfRange("spool.frame.kind"))
    }
}

fn connect(path: &Path, max_bytes: u64) -> Result<Connection, LedgerError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(&format!(
        "pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -{CACHE_KIB}; \
         pragma max_page_count = {}; pragma wal_autocheckpoint = {}",
        (max_bytes / PAGE_BYTES).max(16),
        4 * LOG_BYTES / PAGE_BYTES,
    ))?;
    Ok(connection)
}

fn stored_frame(row: &Row<'_>) -> Result<StoredFrame, LedgerError> {
    let kind = FrameKind::from_stored(row.get(1)?)?;
    let frame = Frame { kind, call_id: row.get(2)?, at_ms: row.get(3)?, payload: row.get(4)? };
    Ok(StoredFrame { number: row.get(0)?, frame })
}

/// A panic in between leaves no more than a transaction that was rolled back.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| LedgerError::Unavailable(error.to_string()))?
}
