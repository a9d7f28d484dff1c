//! What the recorder counts, and what went wrong last.

use super::Clock;
use crate::domain::recorder_health::{LostCalls, RecorderHealth, SpoolFault};
use crate::ledger::LedgerError;
use crate::ledger::spool::Losses;
use std::fmt::Display;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(in crate::capture) struct Counters {
    now_ms: Clock,
    depth: AtomicU64,
    /// 0: nothing waits.
    oldest_at_ms: AtomicI64,
    late: AtomicU64,
    /// 0: none was.
    last_late_at_ms: AtomicI64,
    lost_to: [AtomicU64; 3],
    /// When the last of them ended.
    lost_at_ms: AtomicI64,
    /// How many of them the spool knows of.
    kept_losses: AtomicU64,
    rejected: AtomicU64,
    /// Why the spool cannot be written at the moment: an index into `lost_to`.
    spool_state: AtomicU8,
    /// And when.
    last_error: Mutex<Option<(String, i64)>>,
}

const WRITABLE: u8 = 0;
const FULL: u8 = 1;
const UNAVAILABLE: u8 = 2;

impl Counters {
    pub(in crate::capture) fn new(now_ms: Clock) -> Self {
        Self {
            now_ms,
            depth: AtomicU64::default(),
            oldest_at_ms: AtomicI64::default(),
            late: AtomicU64::default(),
            last_late_at_ms: AtomicI64::default(),
            lost_to: Default::default(),
            lost_at_ms: AtomicI64::default(),
            kept_losses: AtomicU64::default(),
            rejected: AtomicU64::default(),
            spool_state: AtomicU8::default(),
            last_error: Mutex::default(),
        }
    }

    /// What an earlier process left in the spool.
    pub(in crate::capture) fn note_found(&self, ended: u64, rejected: u64) {
        self.depth.fetch_add(ended, Relaxed);
        self.rejected.fetch_add(rejected, Relaxed);
    }

    /// What earlier processes lost.
    pub(in crate::capture) fn note_found_losses(&self, losses: &Losses) {
        let lost = &losses.calls;
        for (state, calls) in
            [(FULL, lost.spool_full), (UNAVAILABLE, lost.spool_unavailable), (WRITABLE, lost.overloaded)]
        {
            self.lost_to[usize::from(state)].fetch_add(calls, Relaxed);
        }
        self.lost_at_ms.store(losses.last_at_ms, Relaxed);
        self.note_losses_kept(losses);
    }

    /// A call is sent although its start is not written yet. Should it be lost in a crash, the log has its id.
    pub(in crate::capture) fn note_late(&self, call_id: &str) {
        self.late.fetch_add(1, Relaxed);
        tracing::debug!(call_id, "a call goes on before its start is written");
        self.last_late_at_ms.store((self.now_ms)(), Relaxed);
    }

    pub(in crate::capture) fn note_ended(&self) {
        self.depth.fetch_add(1, Relaxed);
    }

    pub(in crate::capture) fn note_drained(&self, calls: u64) {
        self.take_from_depth(calls);
    }

    /// A call that had ended could not be kept, not even in memory.
    pub(in crate::capture) fn note_lost(&self, call_id: &str, at_ms: i64) {
        self.take_from_depth(1);
        self.lost_at_ms.store(at_ms, Relaxed);
        self.lost_to[usize::from(self.spool_state.load(Relaxed))].fetch_add(1, Relaxed);
        tracing::error!(call_id, "a call is lost: neither the spool nor memory can take it");
    }

    /// It could not be kept who created a batch. Its results are not lost by that.
    pub(in crate::capture) fn note_claim_lost(&self, batch_id: &str) {
        self.take_from_depth(1);
        tracing::error!(
            batch_id,
            "neither the spool nor memory can take who created a batch: who fetches its results has them"
        );
    }

    /// The number of lost calls, if the spool does not know it.
    pub(in crate::capture) fn losses_to_keep(&self) -> Option<Losses> {
        let losses = Losses { calls: self.lost(), last_at_ms: self.lost_at_ms.load(Relaxed) };
        (losses.calls.total() != self.kept_losses.load(Relaxed)).then_some(losses)
    }

    pub(in crate::capture) fn note_losses_kept(&self, losses: &Losses) {
        self.kept_losses.store(losses.calls.total(), Relaxed);
    }

    /// Calls that have ended, which only their start is known of when the process ends.
    pub(in crate::capture) fn note_cut_off(&self, calls: u64) {
        self.take_from_depth(calls);
        tracing::error!(
            calls,
            "the ends of calls cannot be written; the next start records these calls as interrupted"
        );
    }

    pub(in crate::capture) fn note_rejected(&self, call_id: &str, error: &dyn Display) {
        self.take_from_depth(1);
        self.rejected.fetch_add(1, Relaxed);
        tracing::error!(call_id, %error, "a call is not recorded: it is kept aside in the spool");
        self.set_last_error(format!("a call is not recorded: {error}"));
    }

    /// When the oldest waiting call ended.
    pub(in crate::capture) fn note_oldest(&self, at_ms: Option<i64>) {
        self.oldest_at_ms.store(at_ms.unwrap_or(0), Relaxed);
    }

    pub(in crate::capture) fn note_spool_writable(&self) {
        self.spool_state.store(WRITABLE, Relaxed);
    }

    pub(in crate::capture) fn note_spool_error(&self, error: &LedgerError) {
        self.spool_state.store(if matches!(error, LedgerError::Full) { FULL } else { UNAVAILABLE }, Relaxed);
        self.note_error("the spool cannot be written", error);
    }

    /// Logged only if it is not the same as the one before: a fault that lasts is met again and again.
    pub(in crate::capture) fn note_error(&self, what: &str, error: &dyn Display) {
        let text = format!("{what}: {error}");
        if self.set_last_error(text.clone()) {
            tracing::error!("{text}");
        }
    }

    pub(in crate::capture) fn depth(&self) -> u64 {
        self.depth.load(Relaxed)
    }

    pub(in crate::capture) fn health(&self) -> RecorderHealth {
        let time_in = |at_ms: &AtomicI64| Some(at_ms.load(Relaxed)).filter(|at_ms| *at_ms != 0);
        let lag_ms = time_in(&self.oldest_at_ms).map_or(0, |oldest_at_ms| (self.now_ms)().saturating_sub(oldest_at_ms));
        let (last_error, last_error_at_ms) = self.last_error().clone().unzip();
        RecorderHealth {
            spool_depth: self.depth(),
            lag_ms: u64::try_from(lag_ms).unwrap_or(0),
            late: self.late.load(Relaxed),
            last_late_at_ms: time_in(&self.last_late_at_ms),
            spool_fault: match self.spool_state.load(Relaxed) {
                WRITABLE => None,
                FULL => Some(SpoolFault::Full),
                _ => Some(SpoolFault::Unavailable),
            },
            lost: LostCalls { rejected: self.rejected.load(Relaxed), ..self.lost() },
            last_error,
            last_error_at_ms,
        }
    }

    /// Without those that the ledger refuses.
    fn lost(&self) -> LostCalls {
        let lost_to = |state: u8| self.lost_to[usize::from(state)].load(Relaxed);
        LostCalls {
            spool_full: lost_to(FULL),
            spool_unavailable: lost_to(UNAVAILABLE),
            overloaded: lost_to(WRITABLE),
            rejected: 0,
        }
    }

    fn take_from_depth(&self, calls: u64) {
        // Saturating: what could not be taken out of the spool may be handed over twice.
        self.depth.fetch_update(Relaxed, Relaxed, |depth| Some(depth.saturating_sub(calls))).ok();
    }

    /// Whether it is another one than before.
    fn set_last_error(&self, text: String) -> bool {
        let mut last_error = self.last_error();
        let is_another = last_error.as_ref().is_none_or(|(before, _)| *before != text);
        *last_error = Some((text, (self.now_ms)()));
        is_another
    }

    fn last_error(&self) -> MutexGuard<'_, Option<(String, i64)>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
