//! The file in which calls wait for the ledger: frames in a small SQLite database of their own, so that a call can be
//! written down while the ledger is busy, full or gone. How its tables are filled and emptied is in `segments`, what the
//! frames mean is `capture::spool`'s business.
//!
//! Writing and flushing are two steps. A written frame is in the write-ahead log and survives the end of this process
//! (`kill -9`); it takes well under a millisecond. A flushed one survives the end of the machine's power; a flush takes
//! several milliseconds and runs beside the writes ([`SpoolFile::flush`]), so that no call waits for a disk.

mod losses;
mod segments;

pub use losses::Losses;
pub(super) use segments::{FRAME_TABLES, MOVE_REJECTED};

use self::segments::{Segments, open_frames, read_id};
use super::LedgerError;
use super::db::{LedgerLock, bytes_of, claim_file, keep_private, log_of, open_to_read};
use rusqlite::{Connection, Row, params};
use sqlx::Connection as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

/// How long a connection waits for a lock. Only a program that looks into the file from outside could hold one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages that each connection keeps; the frames that are at work are few.
const CACHE_KIB: u64 = 512;
const PAGE_BYTES: u64 = 4096;
/// The smallest limit there is, whatever is asked for.
const MIN_PAGES: u64 = 16;
/// Beyond it, 2 MiB, the log is copied into the file, by the flush. A page that is written again and again, as the last one of
/// a table is, makes each of its writes look through all earlier ones in the log's index: with four times as many, some 8 %
/// fewer calls a second.
const LOG_PAGES: u64 = 512;

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
    id: String,
    /// Frames with smaller numbers are of earlier processes.
    first_number: i64,
    segments: Mutex<Segments>,
    /// Reads, and copies the log into the file.
    reader: Mutex<Connection>,
    is_flushing: AtomicBool,
    /// A flush failed, so that what is in the log may never reach the disk.
    is_log_in_doubt: AtomicBool,
    _lock: LedgerLock,
}

/// The right to write frames: one at a time has it.
pub struct FrameWriter<'a>(MutexGuard<'a, Segments>);

/// What waits in a spool, seen from outside while its recorder may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolState {
    pub bytes: u64,
    /// Finished calls that the ledger does not have yet, or has had for a second or so.
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
    /// Opens the file, creating it if it is not there. It takes no more frames beyond `max_bytes`; what has to be written so
    /// that frames can leave goes beyond it. A second process is refused with [`LedgerError::Locked`].
    pub async fn open(path: &Path, max_bytes: u64) -> Result<Self, LedgerError> {
        let path = path.to_owned();
        off_runtime(move || OpenFile::open(path, max_bytes).map(|file| Self(Arc::new(file)))).await
    }

    /// The right to write, if nobody else has it and no flush is under way, beside which a write can take long.
    pub fn try_writer(&self) -> Option<FrameWriter<'_>> {
        if self.0.is_flushing.load(Ordering::Relaxed) {
            return None;
        }
        let segments = match self.0.segments.try_lock() {
            Ok(segments) => segments,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(FrameWriter(segments))
    }

    /// The right to write. Blocks the thread until nobody else has it.
    pub fn writer(&self) -> FrameWriter<'_> {
        self.0.writer()
    }

    /// Writes the ends of calls that earlier processes left open, all or none, also where the file is full: without them
    /// nothing of these calls could ever leave it.
    pub async fn end_left_open(&self, ends: Vec<Frame>) -> Result<(), LedgerError> {
        self.run(move |file| lock(&file.segments).append_beyond_limit(&ends)).await
    }

    /// Makes what was written before survive a loss of power, and keeps the log short. After an error that is not so, and this
    /// has to be called again.
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
                "select number, kind, call_id, at_ms, payload from frame_1 where number > ?1 and kind = ?2 \
                 union all select number, kind, call_id, at_ms, payload from frame_2 where number > ?1 and kind = ?2 \
                 order by number limit ?3",
            )?;
            ended.query_and_then(params![number, FrameKind::End as i64, limit], stored_frame)?.collect()
        })
        .await
    }

    /// The frames of calls that earlier processes began and did not end, each call's in their order.
    pub async fn left_open(&self) -> Result<Vec<StoredFrame>, LedgerError> {
        self.run(|file| {
            let mut open = open_frames(&lock(&file.reader))?;
            open.retain(|stored| stored.number < file.first_number);
            Ok(open)
        })
        .await
    }

    /// Tells this spool from those of other servers on the same ledger.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// On disk, with its log.
    pub fn bytes(&self) -> u64 {
        bytes_of(&self.0.path)
    }

    /// How many frames of this kind there are.
    pub async fn count(&self, kind: FrameKind) -> Result<u64, LedgerError> {
        self.run(move |file| {
            let count = "select count(*) from frame where kind = ?1";
            Ok(lock(&file.reader).query_one(count, [kind as i64], |row| row.get::<_, i64>(0))?.unsigned_abs())
        })
        .await
    }

    /// The calls that were lost, as it was kept last.
    pub async fn losses(&self) -> Result<Losses, LedgerError> {
        self.run(|file| losses::read(&lock(&file.reader))).await
    }

    /// Takes calls out that ended up to this number, and their earlier frames: the ledger has them. Not all at once, because
    /// many together cost less; a crash before that has them handed over once more. Says whether some are left, for which
    /// this has to be called again.
    pub async fn forget(&self, until: i64) -> Result<bool, LedgerError> {
        self.run(move |file| {
            lock(&file.segments).note_handed_over(until);
            file.empty(false)?;
            Ok(lock(&file.segments).has_remains())
        })
        .await
    }

    /// Keeps a frame that the ledger refuses, without trying it again.
    pub async fn set_aside(&self, number: i64) -> Result<(), LedgerError> {
        self.run(move |file| lock(&file.segments).set_aside(number)).await
    }

    /// Leaves what waits in the file, and nothing else, nor anything in the log.
    pub async fn close(&self) -> Result<(), LedgerError> {
        self.run(|file| {
            file.empty(true)?;
            lock(&file.segments).truncate_log()
        })
        .await
    }

    /// Keeps everybody from writing until it is dropped.
    #[cfg(test)]
    pub(crate) fn hold_for_test(&self) -> Connection {
        let other = connect(&self.0.path).unwrap();
        other.execute_batch("begin immediate").unwrap();
        other
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
    pub fn append<'a>(&mut self, frames: impl Iterator<Item = &'a Frame> + Clone) -> Result<(), LedgerError> {
        self.0.append(frames)
    }

    /// Whether the file has the start of this call and not its end.
    pub fn has_open(&self, call_id: &str) -> bool {
        self.0.has_open(call_id)
    }

    /// Keeps how many calls were lost, also where the file is full.
    pub fn keep_losses(&mut self, losses: &Losses) -> Result<(), LedgerError> {
        self.0.keep_losses(losses)
    }
}

impl OpenFile {
    fn open(path: PathBuf, max_bytes: u64) -> Result<Self, LedgerError> {
        let lock = claim_file(&path)?;
        let writer = connect(&path)?;
        keep_private(&path)?;
        let segments = Segments::open(writer, (max_bytes / PAGE_BYTES).max(MIN_PAGES))?;
        let reader = connect(&path)?;
        Ok(Self {
            id: read_id(&reader)?,
            path,
            first_number: segments.next_number(),
            segments: Mutex::new(segments),
            reader: Mutex::new(reader),
            is_flushing: AtomicBool::new(false),
            is_log_in_doubt: AtomicBool::new(false),
            _lock: lock,
        })
    }

    fn writer(&self) -> FrameWriter<'_> {
        FrameWriter(lock(&self.segments))
    }

    fn flush(&self) -> Result<(), LedgerError> {
        // A descriptor of its own each time: after a failed flush the kernel says so once, and only to the old one.
        let flushed = File::open(log_of(&self.path)).and_then(|log| log.sync_data());
        if flushed.is_err() {
            self.is_log_in_doubt.store(true, Ordering::Relaxed);
        }
        if self.is_log_in_doubt.load(Ordering::Relaxed) {
            self.leave_log()?;
        }
        flushed.map_err(|error| LedgerError::Unavailable(error.to_string()))?;
        // The length of the log's file tells nothing: it is filled again from its beginning, and never cut.
        let reader = lock(&self.reader);
        let in_log = |row: &Row<'_>| Ok((row.get(1)?, row.get(2)?));
        let (pages, copied): (i64, i64) = reader.query_one("pragma wal_checkpoint(noop)", [], in_log)?;
        if (pages - copied).unsigned_abs() > LOG_PAGES {
            lock(&self.segments).let_go()?;
            reader.query_one("pragma wal_checkpoint(passive)", [], |_| Ok(()))?;
            lock(&self.segments).let_go()?;
        }
        Ok(())
    }

    /// Begins a new log. What is in the old one is copied into the file, which is flushed by that: after a failed flush the
    /// system still has it in memory, and does not try again to get it to the disk.
    fn leave_log(&self) -> Result<(), LedgerError> {
        let reader = lock(&self.reader);
        // Kept until it is done: nobody may read or write meanwhile.
        let mut segments = lock(&self.segments);
        segments.let_go()?;
        let is_busy = reader.query_one("pragma wal_checkpoint(truncate)", [], |row| row.get(0))?;
        if is_busy {
            return Err(LedgerError::Busy);
        }
        self.is_log_in_doubt.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Lets others write in between.
    fn empty(&self, has_to_be: bool) -> Result<(), LedgerError> {
        while lock(&self.segments).empty_some(has_to_be)? {}
        Ok(())
    }
}

impl FrameKind {
    fn from_stored(kind: i64) -> Result<Self, LedgerError> {
        let all = [Self::Start, Self::Usage, Self::End, Self::Rejected];
        all.into_iter().find(|known| *known as i64 == kind).ok_or(LedgerError::OutOfRange("spool.frame.kind"))
    }
}

fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(&format!(
        "pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -{CACHE_KIB}; \
         pragma wal_autocheckpoint = {}",
        4 * LOG_PAGES,
    ))?;
    Ok(connection)
}

fn stored_frame(row: &Row<'_>) -> Result<StoredFrame, LedgerError> {
    let kind = FrameKind::from_stored(row.get(1)?)?;
    let frame = Frame { kind, call_id: row.get(2)?, at_ms: row.get(3)?, payload: row.get(4)? };
    Ok(StoredFrame { number: row.get(0)?, frame })
}

/// A panic in between leaves no more than a transaction that was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn off_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LedgerError> + Send + 'static,
) -> Result<T, LedgerError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| LedgerError::Unavailable(error.to_string()))?
}
