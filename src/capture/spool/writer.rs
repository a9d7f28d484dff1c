//! Frames on their way into the spool's file. Whoever has a frame puts it into a queue and goes on; one task writes what
//! is in the queue together, and another flushes what was written.

use crate::capture::recorder::counters::Counters;
use crate::ledger::LedgerError;
use crate::ledger::spool::{Frame, SpoolFile};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

/// Frames that share a commit at most.
const GROUP_FRAMES: usize = 256;
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How long frames that nobody waits for gather before they are written; a frame that somebody waits for takes them along.
const GATHER: Duration = Duration::from_millis(1);
/// From the beginning of one flush to that of the next, at least: writes beside a flush are slow.
const FLUSH_EVERY: Duration = Duration::from_millis(20);

/// The way into the spool. Cheap to clone.
#[derive(Clone, Debug)]
pub(in crate::capture) struct FrameQueue {
    sender: mpsc::UnboundedSender<Queued>,
    queued_bytes: Arc<AtomicUsize>,
    max_bytes: usize,
}

/// The other end of a [`FrameQueue`].
pub(in crate::capture) struct QueuedFrames {
    receiver: mpsc::UnboundedReceiver<Queued>,
    queued_bytes: Arc<AtomicUsize>,
}

/// The queue holds all that it may, or its writer has ended.
#[derive(Debug)]
pub(in crate::capture) struct QueueFull;

#[derive(Debug)]
struct Queued {
    frame: Frame,
    written: Option<oneshot::Sender<()>>,
}

/// A queue that holds at most `max_bytes` while the file cannot be written.
pub(in crate::capture) fn frame_queue(max_bytes: usize) -> (FrameQueue, QueuedFrames) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let queued_bytes = Arc::new(AtomicUsize::new(0));
    (FrameQueue { sender, queued_bytes: queued_bytes.clone(), max_bytes }, QueuedFrames { receiver, queued_bytes })
}

impl FrameQueue {
    /// Leaves the frame to be written.
    pub(in crate::capture) fn push(&self, frame: Frame) -> Result<(), QueueFull> {
        self.queue(frame, None)
    }

    /// As [`Self::push`]; what is given back is told when the frame is written.
    pub(in crate::capture) fn push_and_watch(&self, frame: Frame) -> Result<oneshot::Receiver<()>, QueueFull> {
        let (written, watching) = oneshot::channel();
        self.queue(frame, Some(written))?;
        Ok(watching)
    }

    fn queue(&self, frame: Frame, written: Option<oneshot::Sender<()>>) -> Result<(), QueueFull> {
        let bytes = bytes_of(&frame);
        if self.queued_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.max_bytes {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(QueueFull);
        }
        self.sender.send(Queued { frame, written }).map_err(|_| QueueFull)
    }
}

/// Writes what is queued until `stop` becomes true, then what is left. While a group is being written the next one
/// gathers, so that the group grows with the load. A group that cannot be written is tried again until it can.
pub(in crate::capture) async fn write_frames(
    mut queue: QueuedFrames,
    file: Arc<SpoolFile>,
    counters: Arc<Counters>,
    has_written: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    let mut group = Vec::with_capacity(GROUP_FRAMES);
    loop {
        let taken = tokio::select! {
            biased;
            taken = queue.receiver.recv_many(&mut group, GROUP_FRAMES) => taken,
            _ = stop.wait_for(|stop| *stop), if !queue.receiver.is_closed() => {
                queue.receiver.close();
                continue;
            }
        };
        if taken == 0 {
            return;
        }
        gather(&mut queue, &mut group).await;
        let (frames, watchers): (Vec<Frame>, Vec<_>) =
            group.drain(..).map(|queued| (queued.frame, queued.written)).unzip();
        if !write_group(&file, &frames, &counters, &has_written, &stop).await {
            return;
        }
        queue.queued_bytes.fetch_sub(frames.iter().map(bytes_of).sum(), Ordering::Relaxed);
        for written in watchers.into_iter().flatten() {
            // Whoever waited may have gone on by now.
            written.send(()).ok();
        }
    }
}

/// Flushes what was written, whenever something was, until `stop` becomes true; not more often than [`FLUSH_EVERY`].
pub(in crate::capture) async fn flush_frames(
    file: Arc<SpoolFile>,
    counters: Arc<Counters>,
    has_written: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        // Made before the flush, so that it also hears of what is written meanwhile.
        let more_written = has_written.notified();
        let next = Instant::now() + FLUSH_EVERY;
        if let Err(error) = file.flush().await {
            counters.note_error("the spool could not be flushed", &error);
        }
        if *stop.borrow() {
            return;
        }
        tokio::select! {
            () = more_written => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        // Only the time matters, and that the wait can be cut short.
        tokio::time::timeout_at(next, stop.wait_for(|stop| *stop)).await.ok();
    }
}

/// Waits for company while nobody waits for what is there: at low load, the end of a call is so written with the start of
/// the next.
async fn gather(queue: &mut QueuedFrames, group: &mut Vec<Queued>) {
    let until = Instant::now() + GATHER;
    let mut seen = 0;
    while group.len() < GROUP_FRAMES && group[seen..].iter().all(|queued| queued.written.is_none()) {
        seen = group.len();
        let more = queue.receiver.recv_many(group, GROUP_FRAMES - seen);
        if !matches!(tokio::time::timeout_at(until, more).await, Ok(taken) if taken > 0) {
            return;
        }
    }
}

/// Whether all frames were written; not before they are, unless it was asked to stop. Where a group does not fit, its
/// parts may.
async fn write_group(
    file: &SpoolFile,
    mut frames: &[Frame],
    counters: &Counters,
    has_written: &Notify,
    stop: &watch::Receiver<bool>,
) -> bool {
    let mut at_once = frames.len();
    while !frames.is_empty() {
        let (now, later) = frames.split_at(at_once.min(frames.len()));
        let Err(error) = file.append(now).await else {
            frames = later;
            has_written.notify_waiters();
            continue;
        };
        if at_once > 1 && matches!(error, LedgerError::Full) {
            at_once = (now.len() / 2).max(1);
            continue;
        }
        counters.note_spool_error(&error);
        if *stop.borrow() {
            return false;
        }
        tokio::time::sleep(RETRY_AFTER).await;
    }
    counters.note_spool_writable();
    true
}

fn bytes_of(frame: &Frame) -> usize {
    frame.payload.len() + frame.call_id.len() + size_of::<Queued>()
}
