//! The two tasks beside the spool's file: one writes the frames that no call has taken along, the other flushes what was
//! written.

use super::queue::{FrameQueue, GATHER};
use crate::capture::recorder::counters::Counters;
use crate::ledger::spool::SpoolFile;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How long nothing may get into the file at the end, before what is left is given up.
const STOP_WAITS: Duration = Duration::from_secs(5);
/// After so many looks at an empty queue the task sleeps until it is told.
const QUIET_LOOKS: u32 = 8;
/// From the beginning of one flush to that of the next, at least.
const FLUSH_EVERY: Duration = Duration::from_millis(20);

/// Writes what others leave in the queue, until `stop` becomes true, and then the rest. A group that cannot be written is
/// tried again until it can, and at the end for [`STOP_WAITS`].
pub(in crate::capture) async fn write_frames(queue: Arc<FrameQueue>, mut stop: watch::Receiver<bool>) {
    let mut quiet_looks = 0;
    loop {
        tokio::select! {
            () = queue.has_work() => {}
            // While frames come, looking now and then costs less than being woken for each.
            () = tokio::time::sleep(GATHER), if quiet_looks < QUIET_LOOKS => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        while queue.is_due() && !*stop.borrow() {
            if !write_some(&queue).await {
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
        if *stop.borrow() {
            return write_rest(&queue).await;
        }
        quiet_looks += 1;
        if queue.set_watched(quiet_looks < QUIET_LOOKS) {
            quiet_looks = 0;
        }
    }
}

/// Flushes what was written, whenever something was, until `stop` becomes true; not more often than [`FLUSH_EVERY`].
pub(in crate::capture) async fn flush_frames(
    file: SpoolFile,
    counters: Arc<Counters>,
    has_written: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        // Made before the flush, so that it also hears of what is written meanwhile.
        let more_written = has_written.notified();
        let next = Instant::now() + FLUSH_EVERY;
        let flushed = file.flush().await;
        if let Err(error) = &flushed {
            counters.note_error("the spool could not be flushed", error);
        }
        if *stop.borrow() {
            return;
        }
        tokio::select! {
            () = more_written => {}
            () = tokio::time::sleep(RETRY_AFTER), if flushed.is_err() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        // Only the time matters, and that the wait can be cut short.
        tokio::time::timeout_at(next, stop.wait_for(|stop| *stop)).await.ok();
    }
}

/// Takes no more frames, and writes those that are left. Meanwhile the drain goes on and makes room.
async fn write_rest(queue: &Arc<FrameQueue>) {
    let mut give_up_at = Instant::now() + STOP_WAITS;
    while queue.close() && Instant::now() < give_up_at {
        if write_some(queue).await {
            give_up_at = Instant::now() + STOP_WAITS;
        } else {
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
    let queue = queue.clone();
    // Only a panic in it would be an error.
    tokio::task::spawn_blocking(move || queue.give_up()).await.ok();
}

async fn write_some(queue: &Arc<FrameQueue>) -> bool {
    let queue = queue.clone();
    tokio::task::spawn_blocking(move || queue.write_some().is_ok()).await.unwrap_or(false)
}
