//! The spool's file: what stays in it, what leaves it, and how one of an earlier version goes on.

use crate::domain::recorder_health::LostCalls;
use crate::ledger::LedgerError;
use crate::ledger::spool::{Frame, FrameKind, Losses, SpoolFile, SpoolState};
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

const PLENTY: u64 = 1 << 30;
const SMALL: u64 = 512 * 1024;

fn frame(kind: FrameKind, call: usize) -> Frame {
    Frame { kind, call_id: format!("call-{call}"), at_ms: call as i64, payload: format!("{{\"call\":{call}}}") }
}

async fn open_in(folder: &TempDir) -> SpoolFile {
    open_with(folder, PLENTY).await
}

async fn open_with(folder: &TempDir, max_bytes: u64) -> SpoolFile {
    SpoolFile::open(&folder.path().join("spool.db"), max_bytes).await.unwrap()
}

/// Writes such frames, one call each, until no more fit. How many calls there are then.
fn fill(file: &SpoolFile, from: usize, of_call: impl Fn(usize) -> Frame) -> usize {
    for call in from.. {
        match file.writer().append([of_call(call)].iter()) {
            Ok(()) => {}
            Err(LedgerError::Full) => return call,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

fn long_end(call: usize) -> Frame {
    Frame { payload: "x".repeat(2_000), ..frame(FrameKind::End, call) }
}

/// Starts these calls, with usage for every third, in groups as they come about under load.
fn start(file: &SpoolFile, calls: std::ops::Range<usize>) {
    let of_call = |call: usize| {
        let usage = call.is_multiple_of(3).then(|| frame(FrameKind::Usage, call));
        std::iter::once(frame(FrameKind::Start, call)).chain(usage)
    };
    for group in calls.collect::<Vec<_>>().chunks(50) {
        let frames: Vec<_> = group.iter().copied().flat_map(of_call).collect();
        file.writer().append(frames.iter()).unwrap();
    }
}

fn end(file: &SpoolFile, calls: impl Iterator<Item = usize>) {
    for group in calls.collect::<Vec<_>>().chunks(50) {
        let frames: Vec<_> = group.iter().map(|call| frame(FrameKind::End, *call)).collect();
        file.writer().append(frames.iter()).unwrap();
    }
}

/// The calls that a process which starts now finds open, and the number of their frames.
async fn left_open(folder: &TempDir) -> (BTreeSet<String>, usize) {
    let frames = open_in(folder).await.left_open().await.unwrap();
    (frames.iter().map(|stored| stored.frame.call_id.clone()).collect(), frames.len())
}

async fn last_ended(file: &SpoolFile) -> i64 {
    file.ended_after(0, u32::MAX).await.unwrap().last().unwrap().number
}

fn names(calls: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
    calls.into_iter().map(|call| format!("call-{call}")).collect()
}

#[tokio::test]
async fn what_the_ledger_has_leaves_the_spool_and_running_calls_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_in(&folder).await;
    start(&file, 0..10);
    end(&file, 0..8);
    assert!(!file.forget(last_ended(&file).await).await.unwrap(), "nothing is left to be taken out");
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 0);
    assert_eq!(file.count(FrameKind::Start).await.unwrap(), 2);
    // They end later, and nothing of them stays either.
    drop(file);
    assert_eq!(left_open(&folder).await, (names([8, 9]), 3));
    let file = open_in(&folder).await;
    end(&file, 8..10);
    file.forget(last_ended(&file).await).await.unwrap();
    file.close().await.unwrap();
    let state = SpoolState::look(&folder.path().join("spool.db")).await.unwrap();
    assert_eq!((state.waiting, state.oldest_waiting_at_ms), (0, None));
    drop(file);
    assert_eq!(left_open(&folder).await, (names([]), 0));
}

#[tokio::test]
async fn what_the_ledger_does_not_have_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_in(&folder).await;
    start(&file, 0..20);
    end(&file, (0..20).rev());
    let ended = file.ended_after(0, 100).await.unwrap();
    let order: Vec<_> = ended.iter().map(|stored| stored.frame.at_ms).collect();
    assert_eq!(order, Vec::from_iter((0..20).rev()), "in the order in which they ended");
    assert!(file.forget(ended[11].number).await.unwrap());
    let rest = file.ended_after(ended[11].number, 100).await.unwrap();
    assert_eq!(rest, ended[12..]);
    assert_eq!(file.ended_after(ended[11].number, 3).await.unwrap(), ended[12..15]);
    // A new process is given them, and perhaps some that the ledger knows; a close does not change that.
    file.close().await.unwrap();
    drop(file);
    let file = open_in(&folder).await;
    let again = file.ended_after(0, 100).await.unwrap();
    assert_eq!(again[again.len() - 8..], ended[12..]);
}

/// Frames go on being written while those before them wait for the ledger, and while they are taken out.
#[tokio::test]
async fn a_spool_that_grew_large_is_emptied_without_losing_a_running_call() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_in(&folder).await;
    let is_running = |call: usize| call.is_multiple_of(100);
    start(&file, 0..6_000);
    end(&file, (0..6_000).filter(|call| !is_running(*call)));
    let mut position = 0;
    let mut handed_over = Vec::new();
    for new in 6_000..6_100 {
        let ended = file.ended_after(position, 100).await.unwrap();
        position = ended.last().map_or(position, |last| last.number);
        handed_over.extend(ended.into_iter().map(|stored| stored.frame.call_id));
        file.forget(position).await.unwrap();
        start(&file, new..new + 1);
        end(&file, std::iter::once(new));
    }
    assert_eq!(handed_over.len(), handed_over.iter().collect::<BTreeSet<_>>().len(), "none comes twice");
    let all = names((0..6_000).filter(|call| !is_running(*call)).chain(6_000..6_100));
    let waiting: BTreeSet<_> =
        file.ended_after(position, 1_000).await.unwrap().into_iter().map(|stored| stored.frame.call_id).collect();
    assert_eq!(&BTreeSet::from_iter(handed_over) | &waiting, all, "and none is missing");
    file.forget(last_ended(&file).await).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 0);
    drop(file);
    assert_eq!(left_open(&folder).await, (names((0..6_000).step_by(100)), 80));
}

#[tokio::test]
async fn few_calls_leave_the_spool_after_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_in(&folder).await;
    for call in 0..2 {
        start(&file, call..call + 1);
        end(&file, std::iter::once(call));
        file.forget(last_ended(&file).await).await.unwrap();
    }
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 1, "the second waits for company");
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    assert!(!file.forget(last_ended(&file).await).await.unwrap());
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 0);
}

#[tokio::test]
async fn a_full_spool_takes_frames_again_when_the_ledger_has_some() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_with(&folder, SMALL).await;
    start(&file, 0..10);
    let calls = fill(&file, 10, long_end);
    assert!(calls > 100, "{calls}");
    file.forget(last_ended(&file).await).await.unwrap();
    end(&file, 0..9);
    assert_eq!(file.ended_after(0, 100).await.unwrap().len(), 9);
    drop(file);
    assert_eq!(left_open(&folder).await, (names([9]), 2), "what ran while it was full is still known");
}

#[tokio::test]
async fn a_rejected_call_stays_aside_whatever_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_in(&folder).await;
    start(&file, 0..3);
    end(&file, 0..3);
    let ended = file.ended_after(0, 10).await.unwrap();
    file.set_aside(ended[1].number).await.unwrap();
    file.forget(ended[2].number).await.unwrap();
    file.close().await.unwrap();
    drop(file);
    let file = open_in(&folder).await;
    assert_eq!(file.ended_after(0, 10).await.unwrap(), []);
    assert_eq!((file.count(FrameKind::Rejected).await.unwrap(), file.count(FrameKind::Start).await.unwrap()), (1, 0));
    assert_eq!(file.left_open().await.unwrap(), []);
}

/// In a file without a free page, the frames that are moved may take a page more than they leave.
#[tokio::test]
async fn a_full_spool_is_emptied_around_running_calls() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_with(&folder, SMALL).await;
    end(&file, 0..3);
    let calls = fill(&file, 3, |call| frame(FrameKind::Start, call));
    assert!(calls > 2_500, "{calls}: too few for a segment that is emptied in parts");
    file.forget(last_ended(&file).await).await.unwrap();
    file.close().await.unwrap();
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 0);
    drop(file);
    assert_eq!(left_open(&folder).await, (names(3..calls), calls - 3));
}

#[tokio::test]
async fn calls_left_open_end_in_a_spool_that_holds_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let calls = fill(&open_with(&folder, SMALL).await, 0, |call| frame(FrameKind::Start, call));
    let file = open_with(&folder, SMALL).await;
    assert_eq!(file.left_open().await.unwrap().len(), calls);
    let ends: Vec<_> = (0..calls).map(long_end).collect();
    file.end_left_open(ends.clone()).await.unwrap();
    let ended = file.ended_after(0, u32::MAX).await.unwrap();
    assert_eq!(ended.into_iter().map(|stored| stored.frame).collect::<Vec<_>>(), ends);
    assert_eq!(file.left_open().await.unwrap(), []);
    let after = fill(&file, calls, long_end);
    assert!(after <= calls + 1, "no more than fits into the last page: {}", after - calls);
    file.forget(last_ended(&file).await).await.unwrap();
    start(&file, after..after + 1);
}

#[tokio::test]
async fn a_call_is_set_aside_where_the_spool_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_with(&folder, SMALL).await;
    let calls = fill(&file, 0, long_end);
    for stored in file.ended_after(0, 5).await.unwrap() {
        file.set_aside(stored.number).await.unwrap();
    }
    file.forget(last_ended(&file).await).await.unwrap();
    file.close().await.unwrap();
    assert_eq!((file.count(FrameKind::Rejected).await.unwrap(), file.count(FrameKind::End).await.unwrap()), (5, 0));
    start(&file, calls..calls + 1);
}

#[tokio::test]
async fn a_full_spool_keeps_how_many_calls_were_lost() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_with(&folder, SMALL).await;
    assert_eq!(file.losses().await.unwrap(), Losses::default());
    fill(&file, 0, long_end);
    let calls = LostCalls { spool_full: u64::from(u32::MAX), spool_unavailable: 2, overloaded: 1, rejected: 0 };
    let losses = Losses { calls, last_at_ms: 1_795_512_600_000 };
    file.writer().keep_losses(&losses).unwrap();
    drop(file);
    assert_eq!(open_with(&folder, SMALL).await.losses().await.unwrap(), losses);
}

/// Without the log beside it, the file has all of it: the log's part of the disk is not relied on any more.
#[tokio::test]
async fn what_was_written_before_a_failed_flush_is_copied_out_of_the_log() {
    let (folder, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = open_in(&folder).await;
    start(&file, 0..3);
    file.flush().await.unwrap();
    start(&file, 3..5);
    // Where a flush looks for it. The open connections still have it.
    std::fs::remove_file(folder.path().join("spool.db-wal")).unwrap();
    let failed = file.flush().await;
    assert!(matches!(failed, Err(LedgerError::Unavailable(_))), "whoever asks is told: {failed:?}");
    std::fs::copy(folder.path().join("spool.db"), alone.path().join("spool.db")).unwrap();
    assert_eq!(left_open(&alone).await, (names(0..5), 7));
}

/// The writer keeps a read transaction open, which must not keep the log from being filled from its beginning again.
#[tokio::test]
async fn the_log_does_not_grow_with_what_was_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_in(&folder).await;
    let mut log_bytes = Vec::new();
    for round in 0..4 {
        // More pages than the log keeps: each write is at least one.
        (0..2_200).for_each(|call| file.writer().append([frame(FrameKind::End, round * 2_200 + call)].iter()).unwrap());
        file.flush().await.unwrap();
        log_bytes.push(std::fs::metadata(folder.path().join("spool.db-wal")).unwrap().len());
    }
    assert!(log_bytes[3] < 2 * log_bytes[0], "{log_bytes:?}");
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 8_800);
}

#[tokio::test]
async fn the_spool_of_an_earlier_version_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool.db");
    write_old_spool(&path);
    let before = SpoolState::look(&path).await.unwrap();
    assert_eq!((before.waiting, before.rejected, before.oldest_waiting_at_ms), (1, 1, Some(12)));
    let file = open_in(&folder).await;
    let open: Vec<_> = file.left_open().await.unwrap().into_iter().map(|stored| stored.frame).collect();
    assert_eq!(open, [frame(FrameKind::Start, 3)]);
    let ended = file.ended_after(0, 10).await.unwrap();
    assert_eq!(ended.iter().map(|stored| stored.number).collect::<Vec<_>>(), [12]);
    end(&file, std::iter::once(3));
    assert!(last_ended(&file).await > 14, "later frames have larger numbers");
    file.forget(last_ended(&file).await).await.unwrap();
    file.close().await.unwrap();
    let after = SpoolState::look(&path).await.unwrap();
    assert_eq!((after.waiting, after.rejected), (0, 1));
}

/// One call that waits, one that was refused, one that was under way.
fn write_old_spool(path: &Path) {
    let old = rusqlite::Connection::open(path).unwrap();
    old.execute_batch(
        "create table frame (number integer primary key, epoch text not null, kind integer not null, \
             call_id text not null, at_ms integer not null, payload text not null) strict; \
         create index frame_call on frame (call_id); \
         insert into frame values (11, 'e', 1, 'call-1', 11, '{}'), (12, 'e', 3, 'call-1', 12, '{}'), \
             (13, 'e', 4, 'call-2', 13, '{}'), (14, 'e', 1, 'call-3', 3, '{\"call\":3}')",
    )
    .unwrap();
}
