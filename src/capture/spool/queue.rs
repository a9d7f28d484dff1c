//! Frames on their way into the spool's file. Whoever has a frame puts it here. A call that is about to be sent then writes
//! what is here itself, its own frame and those of others: that takes some ten microseconds, and waking another thread for
//! it takes longer. What no call takes along, and all while the disk is slow, is left to the task in `writer`.

use crate::capture::recorder::counters::Counters;
use crate::ledger::LedgerError;
use crate::ledger::spool::{Frame, FrameKind, FrameWriter, SpoolFile};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, oneshot};

/// Frames that share a commit at most.
const GROUP_FRAMES: usize = 256;
/// How many groups one call writes, while others keep coming: its thread has connections of its own.
const GROUPS_BY_ONE_CALL: usize = 4;
/// How long frames that nobody waits for gather before they are written; a frame that somebody waits for takes them along.
pub(super) const GATHER: Duration = Duration::from_millis(1);
/// A write that takes longer was held up by the disk, and not by a busy processor.
const SLOW: Duration = Duration::from_millis(20);
/// For how long calls then leave the writing to the task, so that one call at most is held up in that time.
const SLOW_FOR: Duration = Duration::from_secs(1);

/// The way into the spool.
pub(in crate::capture) struct FrameQueue {
    file: SpoolFile,
    counters: Arc<Counters>,
    /// What memory may hold while the file cannot be written.
    max_bytes: usize,
    waiting: Mutex<Waiting>,
    /// There is something for the task to write.
    has_work: Notify,
    has_written: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Queued>,
    /// How many of the frames somebody waits for.
    awaited: usize,
    /// Calls that have begun and not ended.
    running: usize,
    /// Of the frames, and of a group that is being written.
    bytes: usize,
    is_closed: bool,
    /// The task looks by itself, and need not be told.
    is_watched: bool,
    /// A call writes. It looks whether more has come when it has written.
    is_written_by_call: bool,
    /// The disk held a call up a moment ago.
    slow_until: Option<Instant>,
}

#[derive(Debug)]
struct Queued {
    frame: Frame,
    since: Instant,
    written: Option<oneshot::Sender<()>>,
}

/// The queue holds all that it may, or it is closed.
#[derive(Debug)]
pub(in crate::capture) struct QueueFull;

impl FrameQueue {
    /// A queue that holds at most `max_bytes` while `file` cannot be written. `has_written` hears of every group.
    pub(in crate::capture) fn new(
        file: SpoolFile,
        counters: Arc<Counters>,
        has_written: Arc<Notify>,
        max_bytes: usize,
    ) -> Self {
        Self { file, counters, max_bytes, waiting: Mutex::default(), has_work: Notify::new(), has_written }
    }

    /// Leaves the frame to be written.
    pub(in crate::capture) fn push(&self, frame: Frame) -> Result<(), QueueFull> {
        let is_watched = {
            let mut waiting = self.waiting();
            waiting.add(frame, None, self.max_bytes)?;
            std::mem::replace(&mut waiting.is_watched, true)
        };
        if !is_watched {
            self.has_work.notify_one();
        }
        Ok(())
    }

    /// Has the start of a call written, as a rule before it returns. What is given back is told when it is.
    pub(in crate::capture) async fn write(&self, frame: Frame) -> Result<oneshot::Receiver<()>, QueueFull> {
        let (written, watching) = oneshot::channel();
        let has_company = {
            let mut waiting = self.waiting();
            waiting.add(frame, Some(written), self.max_bytes)?;
            waiting.running > 1
        };
        if has_company {
            // Calls that begin at the same moment share a commit.
            tokio::task::yield_now().await;
        }
        self.write_now();
        Ok(watching)
    }

    /// Returns when there is something to write that does not wait for company any more.
    pub(super) async fn has_work(&self) {
        self.has_work.notified().await;
    }

    /// Writes one group, blocking the thread for as long as the disk takes.
    pub(super) fn write_some(&self) -> Result<(), LedgerError> {
        let mut writer = self.file.writer();
        let written = self.write_group(&mut writer);
        self.keep_losses(&mut writer);
        written
    }

    /// Gives up the frames that are left. A call whose start is in the file is recorded as interrupted at the next start; any
    /// other is lost.
    pub(super) fn give_up(&self) {
        let mut writer = self.file.writer();
        let left = self.waiting().take(usize::MAX);
        let ended = left.iter().map(|queued| &queued.frame).filter(|frame| frame.kind == FrameKind::End);
        let (cut_off, lost): (Vec<_>, Vec<_>) = ended.partition(|frame| writer.has_open(&frame.call_id));
        for frame in lost {
            self.counters.note_lost(&frame.call_id, frame.at_ms);
        }
        if !cut_off.is_empty() {
            self.counters.note_cut_off(cut_off.len() as u64);
        }
        self.keep_losses(&mut writer);
    }

    /// Whether something has to be written now: it has waited for company long enough, or somebody waits for it.
    pub(super) fn is_due(&self) -> bool {
        let waiting = self.waiting();
        waiting.awaited > 0 || waiting.frames.front().is_some_and(|oldest| oldest.since.elapsed() >= GATHER)
    }

    /// Tells whoever leaves a frame whether the task has to be told. Says whether there is one already.
    pub(super) fn set_watched(&self, is_watched: bool) -> bool {
        let mut waiting = self.waiting();
        waiting.is_watched = is_watched;
        !waiting.frames.is_empty()
    }

    /// Takes no more frames. Says whether some are left, or just being written by a call.
    pub(super) fn close(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.is_closed = true;
        waiting.bytes > 0
    }

    /// Writes what calls wait for, unless another call is at it, which then writes this too. It is left to the task while
    /// the disk is slow, and where the file has something else to do.
    fn write_now(&self) {
        let is_slow = {
            let waiting = self.waiting();
            if waiting.awaited == 0 || waiting.is_written_by_call {
                return;
            }
            waiting.is_disk_slow()
        };
        match self.file.try_writer() {
            Some(mut writer) if !is_slow => self.write_for_calls(&mut writer),
            None if self.waiting().is_written_by_call => {}
            _ => self.has_work.notify_one(),
        }
    }

    /// Until no call waits any more, the disk turns out to be slow, or this call has done its share for the others.
    fn write_for_calls(&self, writer: &mut FrameWriter<'_>) {
        self.waiting().is_written_by_call = true;
        for groups_left in (0..GROUPS_BY_ONE_CALL).rev() {
            let began = Instant::now();
            let written = self.write_group(writer);
            let mut waiting = self.waiting();
            let is_slow = written.is_err() || began.elapsed() > SLOW;
            if is_slow {
                waiting.slow_until = Some(Instant::now() + SLOW_FOR);
            }
            if is_slow || waiting.awaited == 0 || groups_left == 0 {
                waiting.is_written_by_call = false;
                if is_slow || waiting.awaited > 0 {
                    self.has_work.notify_one();
                }
                return;
            }
        }
    }

    /// Writes the oldest frames. If that fails they are still there.
    fn write_group(&self, writer: &mut FrameWriter<'_>) -> Result<(), LedgerError> {
        let mut at_most = GROUP_FRAMES;
        loop {
            let group = self.waiting().take(at_most);
            if group.is_empty() {
                return Ok(());
            }
            let Err(error) = writer.append(group.iter().map(|queued| &queued.frame)) else {
                self.note_written(group);
                return Ok(());
            };
            // Where a group does not fit, its parts may.
            at_most = group.len() / 2;
            self.waiting().put_back(group);
            if at_most == 0 || !matches!(error, LedgerError::Full) {
                self.counters.note_spool_error(&error);
                return Err(error);
            }
        }
    }

    /// Tells the file how many calls were lost, if it does not know. What cannot be kept now is kept with the next group.
    fn keep_losses(&self, writer: &mut FrameWriter<'_>) {
        if let Some(losses) = self.counters.losses_to_keep()
            && writer.keep_losses(&losses).is_ok()
        {
            self.counters.note_losses_kept(&losses);
        }
    }

    fn note_written(&self, group: Vec<Queued>) {
        self.counters.note_spool_writable();
        self.waiting().bytes -= group.iter().map(|queued| bytes_of(&queued.frame)).sum::<usize>();
        self.has_written.notify_waiters();
        for written in group.into_iter().filter_map(|queued| queued.written) {
            // Whoever waited may have gone on by now.
            written.send(()).ok();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, frame: Frame, written: Option<oneshot::Sender<()>>, max_bytes: usize) -> Result<(), QueueFull> {
        let bytes = bytes_of(&frame);
        if self.is_closed || self.bytes + bytes > max_bytes {
            return Err(QueueFull);
        }
        self.bytes += bytes;
        self.awaited += usize::from(written.is_some());
        match frame.kind {
            FrameKind::Start => self.running += 1,
            FrameKind::End => self.running = self.running.saturating_sub(1),
            FrameKind::Usage | FrameKind::Rejected => {}
        }
        self.frames.push_back(Queued { frame, since: Instant::now(), written });
        Ok(())
    }

    fn is_disk_slow(&self) -> bool {
        self.slow_until.is_some_and(|until| Instant::now() < until)
    }

    fn take(&mut self, at_most: usize) -> Vec<Queued> {
        let count = self.frames.len().min(at_most);
        let group: Vec<Queued> = self.frames.drain(..count).collect();
        self.awaited -= awaited_of(&group);
        group
    }

    fn put_back(&mut self, group: Vec<Queued>) {
        self.awaited += awaited_of(&group);
        for queued in group.into_iter().rev() {
            self.frames.push_front(queued);
        }
    }
}

fn awaited_of(group: &[Queued]) -> usize {
    group.iter().filter(|queued| queued.written.is_some()).count()
}

fn bytes_of(frame: &Frame) -> usize {
    frame.payload.len() + frame.call_id.len() + size_of::<Queued>()
}
