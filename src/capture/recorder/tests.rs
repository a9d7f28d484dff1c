//! What the recorder promises of calls that it is in the middle of: none is lost, none is counted twice, none is held up.

mod backup;
mod batch;
mod full;

use super::*;
use crate::domain::account::{NewPassword, Role};
use crate::domain::audit::Actor;
use crate::domain::period::Zone;
use crate::domain::query::UsageQuery;
use crate::domain::recorder_health::LostCalls;
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{CallContext, CallOutcome, PricingState, Scope, ServiceTerms, Source, UserId};
use crate::ledger::invite::Joined;
use crate::ledger::spool::Frame;
use std::path::Path;
use std::time::Instant;

/// 2026-11-24 09:30 UTC.
const NOW_MS: i64 = 1_795_512_600_000;

async fn ledger_in(folder: &Path) -> Ledger {
    let url = format!("sqlite:{}", folder.join("ledger.db").display());
    Ledger::open(&url, &Zone::parse("UTC").unwrap()).await.unwrap()
}

fn options_in(folder: &Path) -> RecorderOptions {
    RecorderOptions {
        spool_path: folder.join("spool.db"),
        spool_max_bytes: 1024 * 1024 * 1024,
        queue_max_bytes: QUEUE_MAX_BYTES,
        now_ms: Arc::new(|| NOW_MS),
    }
}

async fn recorder_in(folder: &Path) -> Recorder {
    Recorder::open(ledger_in(folder).await, PriceBook::builtin(), options_in(folder)).await.unwrap()
}

fn owner() -> Scope {
    Scope::User(UserId::owner())
}

fn call_start(call_id: &str) -> CallStart {
    CallStart {
        call_id: call_id.into(),
        user_id: UserId::owner(),
        api_key_id: Some("key-1".into()),
        started_at_ms: NOW_MS,
        source: Source::Gateway,
        provider: "anthropic".into(),
        model_requested: "claude-sonnet-4-20250514".into(),
        context: CallContext { project: Some("atlas".into()), ..CallContext::default() },
    }
}

fn record_of(call_id: &str, input: u64, output: u64) -> UsageRecord {
    UsageRecord {
        user_id: UserId::owner(),
        occurred_at_ms: NOW_MS,
        source: Source::Gateway,
        dedup_key: format!("req_{call_id}"),
        part_of: None,
        is_sidechain: false,
        provider: "anthropic".into(),
        model: "claude-sonnet-4-20250514".into(),
        tokens: TokenCounts { input, output, ..TokenCounts::default() },
        has_usage: true,
        is_estimated: false,
        web_search_count: 0,
        terms: ServiceTerms::default(),
        api_key_id: Some("key-1".into()),
        context: CallContext::default(),
        outcome: CallOutcome::default(),
        usage_json: None,
    }
}

/// Until the spool holds so many frames, rejected ones not counted.
async fn wait_for_frames(recorder: &Recorder, frames: u64) {
    loop {
        let mut found = 0;
        for kind in [FrameKind::Start, FrameKind::Usage, FrameKind::End] {
            found += recorder.shared.file.count(kind).await.unwrap();
        }
        if found == frames {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Ends a recorder as `kill -9` would: nothing is finished, the file stays as it is.
async fn kill(recorder: Recorder) {
    let tasks = recorder.shared.tasks.lock().unwrap().take().unwrap();
    for task in [tasks.writer, tasks.flush, tasks.drain] {
        task.abort();
        task.await.ok();
    }
    let file = recorder.shared.file.clone();
    drop(recorder);
    file.abandon_for_test().await;
}

#[tokio::test]
async fn a_call_is_priced_and_in_the_ledger_under_its_own_id() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder_in(folder.path()).await;
    recorder.start(&call_start("call-1")).await;
    recorder.usage("call-1", &record_of("call-1", 1_000, 1));
    recorder.end("call-1", &[record_of("call-1", 1_000, 500)]);
    recorder.drained().await;
    let event = recorder.shared.ledger.event(&owner(), "call-1").await.unwrap().unwrap();
    // $3 and $15 per million: 1,000 × 3,000 + 500 × 15,000 nano-dollars.
    assert_eq!(event.cost.unwrap().0, 10_500_000);
    assert_eq!(event.record.api_key_id.as_deref(), Some("key-1"));
    wait_for_frames(&recorder, 0).await;
    let health = recorder.health();
    assert_eq!((health.spool_depth, health.lost.total(), health.last_error), (0, 0, None));
    recorder.close().await;
}

/// Of somebody who is erased while two of their calls are under way, one ends and one is cut off with the server.
#[tokio::test]
async fn calls_under_way_of_somebody_erased_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger_in(folder.path()).await;
    let invite = ledger.create_invite(Role::Member, &Actor::command_line(), NOW_MS).await.unwrap();
    let password = NewPassword::parse("four words of mine").unwrap();
    let Joined::Account(ann) =
        ledger.accept_invite(&invite, "ann", &password, &Actor::command_line(), NOW_MS).await.unwrap()
    else {
        panic!()
    };
    let of_ann = |call_id: &str| CallStart { user_id: ann.user_id.clone(), ..call_start(call_id) };

    let recorder = recorder_in(folder.path()).await;
    recorder.start(&of_ann("ends")).await;
    recorder.start(&of_ann("is cut off")).await;
    ledger.erase_account(&ann.user_id, &Actor::command_line(), NOW_MS).await.unwrap().unwrap();
    recorder.end("ends", &[UsageRecord { user_id: ann.user_id.clone(), ..record_of("ends", 1_000, 500) }]);
    recorder.drained().await;
    wait_for_frames(&recorder, 1).await;
    kill(recorder).await;

    let recorder = recorder_in(folder.path()).await;
    recorder.drained().await;
    for kind in [FrameKind::Start, FrameKind::End, FrameKind::Rejected] {
        assert_eq!(recorder.shared.file.count(kind).await.unwrap(), 0, "{kind:?}");
    }
    assert_eq!(recorder.health().lost.total(), 0, "nothing that anybody misses");
    assert_eq!(ledger.newest_event_ms(&Scope::Everyone).await.unwrap(), None);
    assert_eq!(ledger.newest_event_ms(&Scope::User(ann.user_id)).await.unwrap(), None);
    recorder.close().await;
}

/// The task that writes what nobody waits for goes to sleep in between, at some moment or other.
#[tokio::test]
async fn a_call_that_ends_after_any_silence_is_written_though_nothing_follows() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder_in(folder.path()).await;
    for silence_ms in 0..20 {
        tokio::time::sleep(Duration::from_millis(silence_ms)).await;
        let id = format!("call-{silence_ms}");
        recorder.end(&id, &[record_of(&id, 1, 1)]);
        let drained = tokio::time::timeout(Duration::from_secs(20), recorder.drained()).await;
        assert!(drained.is_ok(), "after {silence_ms} ms: {:?}", recorder.health());
    }
}

/// Nobody else writes here: there are no tasks beside this queue.
#[tokio::test]
async fn a_start_takes_the_ends_along_that_wait() {
    let folder = tempfile::tempdir().unwrap();
    let file = SpoolFile::open(&folder.path().join("spool.db"), u64::MAX).await.unwrap();
    let counters = Arc::new(Counters::new(Arc::new(|| NOW_MS)));
    let queue = FrameQueue::new(file.clone(), counters, Arc::default(), QUEUE_MAX_BYTES);
    queue.write(start_frame(&call_start("one")).unwrap()).await.unwrap();
    queue.push(end_frame("one", NOW_MS, &[record_of("one", 1, 1)]).unwrap()).unwrap();
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 0);
    queue.write(start_frame(&call_start("next")).unwrap()).await.unwrap();
    assert_eq!(file.count(FrameKind::End).await.unwrap(), 1);
    assert_eq!(file.count(FrameKind::Start).await.unwrap(), 2);
}

#[tokio::test]
async fn parts_follow_their_call() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder_in(folder.path()).await;
    let call = record_of("call-1", 100, 10);
    let advisor = UsageRecord {
        dedup_key: "req_call-1:advisor:0".into(),
        part_of: Some(call.dedup_key.clone()),
        ..record_of("call-1", 7, 3)
    };
    recorder.end("call-1", &[call, advisor]);
    recorder.drained().await;
    let summary = recorder.shared.ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!((summary.total_calls, summary.total_tokens), (1, 120));
}

#[tokio::test]
async fn calls_that_a_crash_left_open_are_ended_once_with_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder_in(folder.path()).await;
    assert!(write_all(&recorder, &["begun", "counted", "ended"]).await);
    recorder.usage("counted", &record_of("counted", 2_000, 3));
    recorder.end("ended", &[record_of("ended", 10, 20)]);
    recorder.drained().await;
    kill(recorder).await;

    for start in 1..=2 {
        let recorder = recorder_in(folder.path()).await;
        recorder.drained().await;
        let ledger = recorder.shared.ledger.clone();
        let begun = ledger.event(&owner(), "begun").await.unwrap().unwrap();
        assert_eq!(begun.pricing_state, PricingState::NoUsage);
        assert_eq!(begun.cost, None);
        assert_eq!(begun.record.dedup_key, "call:begun");
        assert_eq!(begun.record.context.project.as_deref(), Some("atlas"));
        assert_eq!(begun.record.outcome.error_message.as_deref(), Some("interrupted"));
        let counted = ledger.event(&owner(), "counted").await.unwrap().unwrap();
        assert_eq!(counted.pricing_state, PricingState::Estimated);
        assert_eq!((counted.record.tokens.input, counted.record.tokens.output), (2_000, 3));
        assert!(!counted.record.outcome.success);
        let ended = ledger.event(&owner(), "ended").await.unwrap().unwrap();
        assert!(ended.record.outcome.success);
        let summary = ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
        assert_eq!((summary.total_calls, summary.failed_calls), (3, 2), "start {start}");
        recorder.close().await;
    }
}

#[tokio::test]
async fn running_calls_of_this_process_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder_in(folder.path()).await;
    assert!(write_all(&recorder, &["running"]).await);
    assert_eq!(recorder.shared.file.left_open().await.unwrap(), []);
    assert_eq!(interrupted_ends(&recorder.shared.file, NOW_MS).await.unwrap(), []);
}

#[tokio::test]
async fn a_crash_between_ledger_and_spool_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    // As after such a crash: the ledger has the call, the spool has it still.
    let ledger = ledger_in(folder.path()).await;
    let event = to_event(&PriceBook::builtin(), Some("call-1".into()), record_of("call-1", 10, 20));
    ledger.apply(vec![event]).await.unwrap();
    let file = SpoolFile::open(&folder.path().join("spool.db"), u64::MAX).await.unwrap();
    let frames = [
        start_frame(&call_start("call-1")).unwrap(),
        end_frame("call-1", NOW_MS, &[record_of("call-1", 10, 20)]).unwrap(),
    ];
    file.writer().append(frames.iter()).unwrap();
    drop(file);
    let recorder = recorder_in(folder.path()).await;
    assert_eq!(recorder.health().spool_depth, 1);
    recorder.drained().await;
    let summary = ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!((summary.total_calls, summary.total_tokens), (1, 30));
    assert_eq!(ledger.verify_rollups().await.unwrap().difference(), 0);
}

#[tokio::test]
async fn a_ledger_that_is_stuck_holds_up_no_call_and_gets_all_of_them_later() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder_in(folder.path()).await;
    let other_process = ledger_in(folder.path()).await;
    let held = other_process.hold_for_test().await;
    let began = Instant::now();
    for index in 0..50 {
        let id = format!("call-{index}");
        recorder.start(&call_start(&id)).await;
        recorder.end(&id, &[record_of(&id, 10, 20)]);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // So long that the ledger gives up waiting, and the calls have to be handed over once more.
    wait_until(|| recorder.health().last_error.is_some_and(|error| error.contains("cannot be handed over"))).await;
    assert_eq!(recorder.health().spool_depth, 50);
    drop(held);
    let drained = tokio::time::timeout(Duration::from_secs(20), recorder.drained()).await;
    assert!(drained.is_ok(), "all are handed over: {:?}", recorder.health());
    let summary = other_process.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!((summary.total_calls, summary.total_tokens), (50, 1_500));
    assert_eq!(recorder.health().lost.total(), 0);
}

#[tokio::test]
async fn what_no_version_can_read_is_kept_aside_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = SpoolFile::open(&folder.path().join("spool.db"), u64::MAX).await.unwrap();
    let unreadable =
        Frame { kind: FrameKind::End, call_id: "strange".into(), at_ms: NOW_MS, payload: "{\"new\":1}".into() };
    let good = end_frame("good", NOW_MS, &[record_of("good", 1, 1)]).unwrap();
    // A count that does not fit the ledger's integers is refused by it.
    let huge = end_frame("huge", NOW_MS, &[record_of("huge", u64::MAX, 1)]).unwrap();
    file.writer().append([unreadable, huge, good].iter()).unwrap();
    drop(file);
    for start in 1..=2 {
        let recorder = recorder_in(folder.path()).await;
        recorder.drained().await;
        assert_eq!(recorder.health().lost.rejected, 2, "start {start}");
        assert!(
            recorder.shared.ledger.event(&owner(), "good").await.unwrap().is_some(),
            "it does not hold up the others"
        );
        recorder.close().await;
    }
}

#[tokio::test]
async fn a_call_that_waited_until_its_events_are_no_longer_kept_is_counted_as_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger_in(folder.path()).await;
    ledger.settle_events_before(NOW_MS).await.unwrap();
    let recorder = recorder_in(folder.path()).await;
    let next_week = UsageRecord { occurred_at_ms: NOW_MS + 7 * 24 * 3_600_000, ..record_of("new", 1, 1) };
    recorder.end("old", &[record_of("old", 1, 1)]);
    recorder.end("new", &[next_week]);
    recorder.drained().await;
    assert!(ledger.event(&owner(), "new").await.unwrap().is_some(), "it does not hold up the others");
    assert_eq!(ledger.event(&owner(), "old").await.unwrap(), None);
    assert_eq!(recorder.health().lost.rejected, 1);
    recorder.close().await;
}

#[tokio::test]
async fn a_full_spool_loses_nothing_until_memory_is_full_too_and_counts_what_it_loses() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger_in(folder.path()).await;
    let held = ledger.hold_for_test().await;
    let options =
        RecorderOptions { spool_max_bytes: 256 * 1024, queue_max_bytes: 2 * 1024 * 1024, ..options_in(folder.path()) };
    let recorder = Recorder::open(ledger_in(folder.path()).await, PriceBook::builtin(), options).await.unwrap();
    let long = UsageRecord { usage_json: Some("x".repeat(64 * 1024)), ..record_of("", 1, 1) };
    let end = |index: usize| {
        let id = format!("call-{index}");
        recorder.end(&id, &[UsageRecord { dedup_key: id.clone(), ..long.clone() }]);
    };
    // 64 KiB each: 2 fit into the file, about 31 into memory.
    (0..20).for_each(end);
    wait_until(|| recorder.health().last_error.is_some_and(|error| error.contains("no space"))).await;
    assert_eq!(recorder.health().lost.total(), 0);
    (20..80).for_each(end);
    let lost = recorder.health().lost;
    assert!(lost.spool_full > 40 && lost.total() == lost.spool_full, "{lost:?}");
    drop(held);
    recorder.drained().await;
    let summary = ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!(summary.total_calls as u64, 80 - lost.total(), "all others are recorded");
    kill(recorder).await;
    let recorder = recorder_in(folder.path()).await;
    assert_eq!(recorder.health().lost, lost, "and the next start still tells");
}

#[tokio::test]
async fn a_second_recorder_on_the_same_spool_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = recorder_in(folder.path()).await;
    let two = Recorder::open(ledger_in(folder.path()).await, PriceBook::builtin(), options_in(folder.path())).await;
    assert!(matches!(two, Err(LedgerError::Locked { .. })), "{two:?}");
    one.close().await;
}

#[tokio::test]
async fn closing_hands_over_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder_in(folder.path()).await;
    let ledger = recorder.shared.ledger.clone();
    for index in 0..700 {
        let id = format!("call-{index}");
        recorder.end(&id, &[record_of(&id, 1, 1)]);
    }
    recorder.close().await;
    assert_eq!(recorder.health().spool_depth, 0);
    let summary = ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!(summary.total_calls, 700);
}

/// Begins the calls and waits until all of them are written, however slow the disk is.
async fn write_all(recorder: &Recorder, call_ids: &[&str]) -> bool {
    let write = async |id: &&str| {
        let watching = recorder.shared.queue.write(start_frame(&call_start(id)).unwrap()).await;
        watching.unwrap().await.is_ok()
    };
    futures::future::join_all(call_ids.iter().map(write)).await.into_iter().all(|is_written| is_written)
}

async fn wait_until(is_true: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_true() {
        assert!(Instant::now() < deadline, "it does not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
