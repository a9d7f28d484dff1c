//! The one way in. Calls that Tollbridge is in the middle of are written down step by step, in the spool, without ever
//! holding one up; usage that others report is priced and written into the ledger at once. Where calls come from is in the
//! neighbouring modules, what they cost in [`crate::domain::cost`].

pub(in crate::capture) mod counters;
#[cfg(test)]
mod tests;

pub use super::spool::{CallStart, own_dedup_key};

use self::counters::Counters;
use super::spool::drain::Drain;
use super::spool::queue::FrameQueue;
use super::spool::writer::{flush_frames, write_frames};
use super::spool::{batch_frame, end_frame, interrupted_ends, start_frame, usage_frame};
use crate::domain::cost::price_record;
use crate::domain::price::{PriceBook, model_family};
use crate::domain::recorder_health::RecorderHealth;
use crate::domain::usage::{UsageEvent, UsageRecord};
use crate::ledger::spool::{Frame, FrameKind, SpoolFile};
use crate::ledger::{Applied, BatchClaim, Ledger, LedgerError};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How long a call waits for its start to be written.
const START_WAITS: Duration = Duration::from_millis(2);
/// How long closing waits for the ledger to take what the spool has. The rest is taken at the next start.
const CLOSE_WAITS: Duration = Duration::from_secs(5);

/// For how long after the last lost call a new start still tells the number of lost calls.
const LOSSES_STAY_MS: i64 = 30 * 24 * 3_600_000;

/// What memory may hold of calls while the spool cannot be written, unless said otherwise.
pub const QUEUE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Tells the time in UTC milliseconds.
pub(in crate::capture) type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Where the spool is, how large it may get, and what time it is.
#[derive(Clone)]
pub struct RecorderOptions {
    pub spool_path: PathBuf,
    pub spool_max_bytes: u64,
    /// What memory may hold while the spool cannot be written.
    pub queue_max_bytes: usize,
    /// UTC milliseconds.
    pub now_ms: Clock,
}

/// The recorder of this process. Cheap to clone; all clones share the spool.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Ledger,
    prices: Arc<PriceBook>,
    file: SpoolFile,
    queue: Arc<FrameQueue>,
    counters: Arc<Counters>,
    now_ms: Clock,
    recorded: RecordedListener,
    tasks: Mutex<Option<Tasks>>,
}

/// Who is told which calls the ledger has taken from the spool.
pub(in crate::capture) type RecordedListener = Arc<OnceLock<Box<dyn Fn(&[&str]) + Send + Sync>>>;

struct Tasks {
    stop_writing: watch::Sender<bool>,
    stop_draining: watch::Sender<bool>,
    writer: JoinHandle<()>,
    flush: JoinHandle<()>,
    drain: JoinHandle<()>,
}

impl Recorder {
    /// Opens the spool and begins to hand over what is there. Calls that a crash left open in it are ended as interrupted, as
    /// soon as that can be written. One process at a time can: a second one gets [`LedgerError::Locked`].
    pub async fn open(ledger: Ledger, prices: Arc<PriceBook>, options: RecorderOptions) -> Result<Self, LedgerError> {
        let file = SpoolFile::open(&options.spool_path, options.spool_max_bytes).await?;
        let interrupted = interrupted_ends(&file, (options.now_ms)()).await?;
        let counters = Arc::new(found_in(&file, &interrupted, &options.now_ms).await?);
        let has_written = Arc::new(Notify::new());
        let queue = FrameQueue::new(file.clone(), counters.clone(), has_written.clone(), options.queue_max_bytes);
        let queue = Arc::new(queue);
        let (stop_writing, stop_draining) = (watch::Sender::new(false), watch::Sender::new(false));
        let recorded = RecordedListener::default();
        let drain = Drain {
            file: file.clone(),
            ledger: ledger.clone(),
            prices: prices.clone(),
            counters: counters.clone(),
            recorded: recorded.clone(),
            interrupted,
            position: 0,
        };
        let tasks = Tasks {
            writer: tokio::spawn(write_frames(queue.clone(), stop_writing.subscribe())),
            flush: tokio::spawn(flush_frames(
                file.clone(),
                counters.clone(),
                has_written.clone(),
                stop_draining.subscribe(),
            )),
            drain: tokio::spawn(drain.run(has_written, stop_draining.subscribe())),
            stop_writing,
            stop_draining,
        };
        let now_ms = options.now_ms;
        let tasks = Mutex::new(Some(tasks));
        Ok(Self { shared: Arc::new(Shared { ledger, prices, file, queue, counters, now_ms, recorded, tasks }) })
    }

    /// Writes down that a call is about to be sent. Afterwards a crash cannot lose it. Waits two milliseconds at most, but for
    /// the one call a second that finds out that the disk is slow (decision 0016). Says whether it is written by then. If it
    /// is not, the call is sent all the same and counted as late.
    pub async fn start(&self, call: &CallStart) -> bool {
        let is_written = match start_frame(call) {
            Ok(frame) => self.is_written_in_time(frame).await,
            Err(_) => false,
        };
        if !is_written {
            self.shared.counters.note_late(&call.call_id);
        }
        is_written
    }

    /// Notes what is known of a running call's usage, so that a crash does not lose that. Never waits.
    pub fn usage(&self, call_id: &str, so_far: &UsageRecord) {
        if let Ok(frame) = usage_frame(call_id, (self.shared.now_ms)(), so_far) {
            // Its loss makes an interrupted call less precise and no other call less anything.
            self.shared.queue.push(frame).ok();
        }
    }

    /// Writes down that a call is over, finished or broken off: the call first, then what is billed beside it. Never waits; the
    /// call's event has its id.
    pub fn end(&self, call_id: &str, records: &[UsageRecord]) {
        self.leave_end(call_id, end_frame(call_id, (self.shared.now_ms)(), records));
    }

    /// Writes down who has created a batch, for the ledger to know before it gets a result of it. Waits two
    /// milliseconds at most, as [`Self::start`] does.
    pub async fn claim_batch(&self, claim: &BatchClaim) {
        self.shared.counters.note_ended();
        let written = match batch_frame(&claim.batch_id, claim.at_ms, claim, &[]) {
            Ok(frame) => self.shared.queue.write(frame).await.ok(),
            Err(_) => None,
        };
        match written {
            // If not by then, it is written soon after.
            Some(watching) => drop(tokio::time::timeout(START_WAITS, watching).await),
            None => self.shared.counters.note_claim_lost(&claim.batch_id),
        }
    }

    /// As [`Self::end`], for a result of a batch. Its event is that of the batch's owner, whom the ledger
    /// knows; the claim says who that is if it knows nobody.
    pub fn end_of_batch(&self, call_id: &str, claim: &BatchClaim, records: &[UsageRecord]) {
        self.leave_end(call_id, batch_frame(call_id, (self.shared.now_ms)(), claim, records));
    }

    /// Prices the calls and writes them into the ledger, answering for each in the order given. When it returns, they are
    /// on disk; on an error none of the failing batch is, and all can be sent again.
    pub async fn record(&self, records: Vec<UsageRecord>) -> Result<Vec<Applied>, LedgerError> {
        record(&self.shared.ledger, &self.shared.prices, records).await
    }

    /// Tells the ids of calls as soon as the ledger has them; not those that it refuses. The first listener stays.
    pub fn tell_recorded(&self, listener: impl Fn(&[&str]) + Send + Sync + 'static) {
        self.shared.recorded.set(Box::new(listener)).ok();
    }

    /// What calls are priced by.
    pub fn prices(&self) -> &PriceBook {
        &self.shared.prices
    }

    pub fn health(&self) -> RecorderHealth {
        self.shared.counters.health()
    }

    /// Tells this recorder from those of other servers on the same ledger, also after a restart.
    pub fn spool_id(&self) -> &str {
        self.shared.file.id()
    }

    /// How large the spool is on disk.
    pub fn spool_bytes(&self) -> u64 {
        self.shared.file.bytes()
    }

    /// Returns once every call that has ended is in the ledger.
    pub async fn drained(&self) {
        while self.shared.counters.depth() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Writes what is left, gives the ledger some seconds to take it, and lets go of the spool. Before [`Ledger::close`]. Where
    /// the spool cannot be written, it waits some seconds for that too.
    pub async fn close(&self) {
        let tasks = self.shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(tasks) = tasks else { return };
        tasks.stop_writing.send_replace(true);
        tasks.writer.await.ok();
        tasks.stop_draining.send_replace(true);
        tasks.flush.await.ok();
        let drain = tasks.drain.abort_handle();
        if tokio::time::timeout(CLOSE_WAITS, tasks.drain).await.is_err() {
            drain.abort();
            tracing::warn!("the ledger does not take the last calls; they wait in the spool for the next start");
        }
        if let Err(error) = self.shared.file.close().await {
            tracing::warn!(%error, "the spool's log stays for the next start");
        }
    }

    fn leave_end(&self, call_id: &str, frame: Result<Frame, serde_json::Error>) {
        self.shared.counters.note_ended();
        if !frame.is_ok_and(|frame| self.shared.queue.push(frame).is_ok()) {
            self.shared.counters.note_lost(call_id, (self.shared.now_ms)());
        }
    }

    async fn is_written_in_time(&self, frame: Frame) -> bool {
        let Ok(watching) = self.shared.queue.write(frame).await else { return false };
        matches!(tokio::time::timeout(START_WAITS, watching).await, Ok(Ok(())))
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("health", &self.health()).finish_non_exhaustive()
    }
}

/// Prices the calls and writes them into the ledger, answering for each in the order given. When it returns, they are on
/// disk; calls that were recorded before are not counted again.
pub async fn record(
    ledger: &Ledger,
    prices: &PriceBook,
    records: Vec<UsageRecord>,
) -> Result<Vec<Applied>, LedgerError> {
    let events = records.into_iter().map(|record| to_event(prices, None, record)).collect();
    ledger.apply(events).await
}

/// What earlier processes left in the spool. The ends of interrupted calls wait for the ledger like those that are in the file.
async fn found_in(file: &SpoolFile, interrupted: &[Frame], now_ms: &Clock) -> Result<Counters, LedgerError> {
    let counters = Counters::new(now_ms.clone());
    let interrupted = interrupted.len() as u64;
    if interrupted > 0 {
        tracing::warn!(interrupted, "calls were under way when Tollbridge last ended; they are recorded as failed");
    }
    let ended = file.count(FrameKind::End).await?;
    counters.note_found(ended + interrupted, file.count(FrameKind::Rejected).await?);
    let losses = file.losses().await?;
    if losses.last_at_ms > now_ms() - LOSSES_STAY_MS {
        counters.note_found_losses(&losses);
    }
    Ok(counters)
}

/// `id` is given to a call that has one already.
pub(in crate::capture) fn to_event(prices: &PriceBook, id: Option<String>, record: UsageRecord) -> UsageEvent {
    let priced = price_record(prices, &record);
    UsageEvent {
        id: id.unwrap_or_else(|| Uuid::now_v7().to_string()),
        model_family: model_family(&record.model),
        cost: priced.cost,
        cost_parts: priced.parts,
        pricing_state: priced.state,
        price_card_id: priced.price_card_id,
        record,
    }
}
