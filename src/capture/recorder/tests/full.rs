//! A spool that is full stops nothing: no start, no drain, no end. What is lost for all that is counted, and the count stays.

use super::*;

const SMALL: u64 = 256 * 1024;

async fn small_recorder_in(folder: &Path) -> Recorder {
    let options = RecorderOptions { spool_max_bytes: SMALL, queue_max_bytes: 2 * 1024 * 1024, ..options_in(folder) };
    Recorder::open(ledger_in(folder).await, PriceBook::builtin(), options).await.unwrap()
}

/// A spool as a killed process leaves it: three calls are open, and as many have ended as fit. How many those are.
async fn fill_spool(folder: &Path) -> u64 {
    let file = SpoolFile::open(&folder.join("spool.db"), SMALL).await.unwrap();
    let open = OPEN.map(|id| start_frame(&call_start(id)).unwrap());
    file.writer().append(open.iter()).unwrap();
    for ended in 0.. {
        let id = format!("ended-{ended}");
        let frames =
            [start_frame(&call_start(&id)), end_frame(&id, NOW_MS, &[record_of(&id, 1, 1)])].map(Result::unwrap);
        match file.writer().append(frames.iter()) {
            Ok(()) => {}
            Err(LedgerError::Full) => return ended,
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

const OPEN: [&str; 3] = ["open-1", "open-2", "open-3"];

/// All calls of [`fill_spool`] are in the ledger, once, and nothing is in the spool.
async fn all_are_recorded_once(recorder: &Recorder, ended: u64) {
    in_time(recorder.drained()).await;
    in_time(wait_for_frames(recorder, 0)).await;
    let ledger = &recorder.shared.ledger;
    for id in OPEN {
        let event = ledger.event(&owner(), id).await.unwrap().unwrap();
        assert_eq!(event.record.outcome.error_message.as_deref(), Some("interrupted"), "{id}");
    }
    let summary = ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!((summary.total_calls as u64, summary.failed_calls), (ended + 3, 3));
    assert_eq!(recorder.health().lost.total(), 0);
}

/// Ends a call with so much to say that three fill the spool.
fn end_at_length(recorder: &Recorder, id: &str) {
    recorder.end(id, &[UsageRecord { usage_json: Some("x".repeat(64 * 1024)), ..record_of(id, 1, 1) }]);
}

async fn wait_until_full(recorder: &Recorder) {
    wait_until(|| recorder.health().last_error.is_some_and(|error| error.contains("no space"))).await;
}

async fn in_time(done: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(20), done).await.expect("it does not happen");
}

/// Lets go of a recorder that was closed.
async fn drop_closed(recorder: Recorder) {
    let file = recorder.shared.file.clone();
    drop(recorder);
    file.abandon_for_test().await;
}

#[tokio::test]
async fn a_server_starts_with_a_full_spool_and_records_what_is_in_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let ended = fill_spool(folder.path()).await;
    assert!(ended > 50, "{ended}");
    for _ in 0..2 {
        let recorder = small_recorder_in(folder.path()).await;
        all_are_recorded_once(&recorder, ended).await;
        recorder.close().await;
        drop_closed(recorder).await;
    }
}

#[tokio::test]
async fn killed_again_and_again_with_a_full_spool_it_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let ended = fill_spool(folder.path()).await;
    let ledger = ledger_in(folder.path()).await;
    let held = ledger.hold_for_test().await;
    for round in 0..4 {
        let recorder = small_recorder_in(folder.path()).await;
        assert_eq!(recorder.health().spool_depth, ended + 3, "round {round}");
        if round % 2 == 1 {
            // The ends of the interrupted calls are written, though nothing has left the file.
            in_time(async {
                while recorder.shared.file.count(FrameKind::End).await.unwrap() < ended + 3 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            })
            .await;
        }
        kill(recorder).await;
    }
    drop(held);
    let recorder = small_recorder_in(folder.path()).await;
    all_are_recorded_once(&recorder, ended).await;
    recorder.close().await;
}

/// As on a disk that takes nothing at all for a while.
#[tokio::test]
async fn interrupted_calls_whose_ends_cannot_be_written_yet_hold_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let ended = fill_spool(folder.path()).await;
    let file = SpoolFile::open(&folder.path().join("spool.db"), SMALL).await.unwrap();
    let interrupted = interrupted_ends(&file, NOW_MS).await.unwrap();
    let counters = Arc::new(found_in(&file, &interrupted, &(Arc::new(|| NOW_MS) as Clock)).await.unwrap());
    let ledger = ledger_in(folder.path()).await;
    let drain = Drain {
        file: file.clone(),
        ledger: ledger.clone(),
        prices: PriceBook::builtin(),
        counters: counters.clone(),
        recorded: RecordedListener::default(),
        interrupted,
        position: 0,
    };
    let held = file.hold_for_test();
    let stop = watch::Sender::new(false);
    let draining = tokio::spawn(drain.run(Arc::default(), stop.subscribe()));
    wait_until(|| counters.depth() == 3).await;
    drop(held);
    wait_until(|| counters.depth() == 0).await;
    let summary = ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!((summary.total_calls as u64, summary.failed_calls), (ended + 3, 3));
    stop.send_replace(true);
    in_time(async { draining.await.unwrap() }).await;
}

#[tokio::test]
async fn what_memory_holds_at_the_end_is_written_when_the_ledger_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = small_recorder_in(folder.path()).await;
    let ledger = ledger_in(folder.path()).await;
    let held = ledger.hold_for_test().await;
    for index in 0..9 {
        end_at_length(&recorder, &format!("call-{index}"));
    }
    wait_until_full(&recorder).await;
    let release = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(held);
    };
    tokio::join!(recorder.close(), release);
    let summary = ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!((summary.total_calls, summary.failed_calls, recorder.health().lost.total()), (9, 0, 0));
}

#[tokio::test]
async fn what_cannot_be_written_at_the_end_is_recorded_as_interrupted_or_counted_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = small_recorder_in(folder.path()).await;
    let ledger = ledger_in(folder.path()).await;
    let held = ledger.hold_for_test().await;
    let begun: Vec<String> = (0..9).map(|index| format!("call-{index}")).collect();
    assert!(write_all(&recorder, &begun.iter().map(String::as_str).collect::<Vec<_>>()).await);
    for id in &begun {
        end_at_length(&recorder, id);
    }
    wait_until_full(&recorder).await;
    end_at_length(&recorder, "without a start");
    recorder.close().await;
    let lost = recorder.health().lost;
    assert_eq!((lost.spool_full, lost.total()), (1, 1), "nothing of that call is in the spool");
    drop_closed(recorder).await;
    drop(held);

    let recorder = small_recorder_in(folder.path()).await;
    in_time(recorder.drained()).await;
    let summary = ledger.report(&owner(), &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert!(summary.total_calls == 9 && (1..9).contains(&summary.failed_calls), "{summary:?}");
    assert_eq!(recorder.health().lost, lost);
    recorder.close().await;
}

#[tokio::test]
async fn the_number_of_lost_calls_outlives_a_kill_and_is_told_for_thirty_days() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = small_recorder_in(folder.path()).await;
    let held = ledger_in(folder.path()).await;
    let held = held.hold_for_test().await;
    for index in 0..80 {
        end_at_length(&recorder, &format!("call-{index}"));
    }
    let lost = recorder.health().lost;
    assert!(lost.total() > 40, "{lost:?}");
    // The spool is full all the while.
    in_time(async {
        while recorder.shared.file.losses().await.unwrap().calls != lost {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    kill(recorder).await;
    drop(held);
    for (days, told) in [(1, lost), (29, lost), (31, LostCalls::default())] {
        let now_ms = NOW_MS + days * 24 * 3_600_000;
        let options = RecorderOptions { now_ms: Arc::new(move || now_ms), ..options_in(folder.path()) };
        let recorder = Recorder::open(ledger_in(folder.path()).await, PriceBook::builtin(), options).await.unwrap();
        assert_eq!(recorder.health().lost, told, "after {days} days");
        kill(recorder).await;
    }
}
