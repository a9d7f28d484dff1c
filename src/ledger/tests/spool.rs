//! The spool's file: what stays in it, what leaves it, and how one of an earlier version goes on.

use crate::ledger::LedgerError;
use crate::ledger::spool::{Frame, FrameKind, SpoolFile, SpoolState};
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

const PLENTY: u64 = 1 << 30;

fn frame(kind: FrameKind, call: usize) -> Frame {
    Frame { kind, call_id: format!("call-{call}"), at_ms: call as i64, payload: format!("{{\"call\":{call}}}") }
}

async fn open_in(folder: &TempDir) -> SpoolFile {
    SpoolFile::open(&folder.path().join("spool.db"), PLENTY).await.unwrap()
}

/// Starts these calls, with usage for every third, in groups as they come about under load.
async fn start(file: &SpoolFile, calls: std::ops::Range<usize>) {
    let of_call = |call: usize| {
        let usage = call.is_multiple_of(3).then(|| frame(FrameKind::Usage, call));
        std::iter::once(frame(FrameKind::Start, call)).chain(usage)
    };
    for group in calls.collect::<Vec<_>>().chunks(50) {
        file.append(group.iter().copied().flat_map(of_call).collect()).await.unwrap();
    }
}

async fn end(file: &SpoolFile, calls: impl Iterator<Item = usize>) {
    for group in calls.collect::<Vec<_>>().chunks(50) {
        file.append(group.iter().map(|call| frame(FrameKind::End, *call)).collect()).await.unwrap();
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
    start(&file, 0..10).await;
    end(&file, 0..8).await;
    assert!(!file.forget(last_ended(&file).await).await.unwrap(), "nothing is left to be taken out");
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 0);
    assert_eq!(file.count(FrameKind::Start).await.unwrap(), 2);
    // They end later, and nothing of them stays either.
    drop(file);
    assert_eq!(left_open(&folder).await, (names([8, 9]), 3));
    let file = open_in(&folder).await;
    end(&file, 8..10).await;
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
    start(&file, 0..20).await;
    end(&file, (0..20).rev()).await;
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
    start(&file, 0..6_000).await;
    end(&file, (0..6_000).filter(|call| !is_running(*call))).await;
    let mut position = 0;
    let mut handed_over = Vec::new();
    for new in 6_000..6_100 {
        let ended = file.ended_after(position, 100).await.unwrap();
        position = ended.last().map_or(position, |last| last.number);
        handed_over.extend(ended.into_iter().map(|stored| stored.frame.call_id));
        file.forget(position).await.unwrap();
        start(&file, new..new + 1).await;
        end(&file, std::iter::once(new)).await;
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
        start(&file, call..call + 1).await;
        end(&file, std::iter::once(call)).await;
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
    let file = SpoolFile::open(&folder.path().join("spool.db"), 512 * 1024).await.unwrap();
    start(&file, 0..10).await;
    let mut calls = 10;
    let full = loop {
        let mut ended = frame(FrameKind::End, calls);
        ended.payload = "x".repeat(2_000);
        match file.append(vec![ended]).await {
            Ok(()) => calls += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, LedgerError::Full) && calls > 100, "{full:?} after {calls}");
    file.forget(last_ended(&file).await).await.unwrap();
    end(&file, 0..9).await;
    assert_eq!(file.ended_after(0, 100).await.unwrap().len(), 9);
    drop(file);
    assert_eq!(left_open(&folder).await, (names([9]), 2), "what ran while it was full is still known");
}

#[tokio::test]
async fn a_rejected_call_stays_aside_whatever_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let file = open_in(&folder).await;
    start(&file, 0..3).await;
    end(&file, 0..3).await;
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
    end(&file, std::iter::once(3)).await;
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
