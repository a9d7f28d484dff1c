//! Calls that were on their way to the ledger when a backup was made are in the backup.

use super::*;
use crate::ledger::backup::back_up;
use crate::ledger::restore::{RestorePlace, restore};

#[tokio::test]
async fn a_backup_holds_the_calls_that_wait_for_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    std::fs::create_dir(&here).unwrap();
    std::fs::create_dir(&there).unwrap();
    let recorder = recorder_in(&here).await;
    recorder.start(&call_start("call-recorded")).await;
    recorder.end("call-recorded", &[record_of("call-recorded", 1_000, 500)]);
    recorder.drained().await;
    // From now on the ledger takes nothing: one call waits for it, one is still running.
    let held = recorder.shared.ledger.hold_for_test().await;
    for call_id in ["call-waiting", "call-running"] {
        recorder.start(&call_start(call_id)).await;
    }
    recorder.end("call-waiting", &[record_of("call-waiting", 100, 10)]);
    recorder.usage("call-running", &record_of("call-running", 70, 1));
    wait_for_frames(&recorder, 4).await;

    let backup = folder.path().join("backup.db");
    let summary = back_up(&here.join("ledger.db"), &here.join("spool.db"), &backup, NOW_MS).await.unwrap();
    assert_eq!((summary.events, summary.frames), (1, 4));
    drop(held);
    kill(recorder).await;

    let (ledger, spool, time_zone) = (there.join("ledger.db"), there.join("spool.db"), Zone::UTC);
    let place = RestorePlace { ledger: &ledger, spool: &spool, time_zone: &time_zone };
    let restored = restore(&backup, place, false, "before").await.unwrap();
    assert_eq!((restored.events, restored.frames, restored.kept), (1, 4, None));
    let recorder = recorder_in(&there).await;
    recorder.drained().await;
    let event = |id| {
        let ledger = recorder.shared.ledger.clone();
        async move { ledger.event(&owner(), id).await.unwrap().unwrap() }
    };
    assert_eq!(event("call-recorded").await.cost.unwrap().0, 10_500_000);
    assert_eq!(event("call-waiting").await.record.tokens.input, 100);
    // As after a crash: what is known of it, and that it did not end well.
    let running = event("call-running").await;
    assert_eq!((running.record.tokens.input, running.pricing_state), (70, PricingState::Estimated));
    assert_eq!(running.record.outcome.error_message.as_deref(), Some("interrupted"));
    assert_eq!(recorder.shared.ledger.verify_rollups().await.unwrap().events, 3);
    recorder.close().await;
}
