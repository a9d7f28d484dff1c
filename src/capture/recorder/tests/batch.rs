//! Whose a batch is goes through the spool, ahead of its results.

use super::*;
use crate::ledger::{BatchClaim, BatchOwner};

fn claim(user: &str) -> BatchClaim {
    let context = CallContext { project: Some(format!("of {user}")), ..CallContext::default() };
    let owner = BatchOwner { user_id: UserId(user.into()), api_key_id: Some(format!("key of {user}")), context };
    BatchClaim { batch_id: "b1".into(), owner, at_ms: NOW_MS }
}

fn result_of(claim: &BatchClaim) -> [UsageRecord; 2] {
    let context = CallContext {
        message_id: Some("msg_1".into()),
        tools_used: vec!["search".into()],
        ..claim.owner.context.clone()
    };
    let result = UsageRecord {
        user_id: claim.owner.user_id.clone(),
        api_key_id: claim.owner.api_key_id.clone(),
        context,
        ..record_of("one", 100, 10)
    };
    let advisor = UsageRecord {
        dedup_key: "req_one:advisor:0".into(),
        part_of: Some(result.dedup_key.clone()),
        ..result.clone()
    };
    [result, advisor]
}

#[tokio::test]
async fn who_created_a_batch_is_known_though_the_ledger_was_stuck_and_the_server_killed() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder_in(folder.path()).await;
    let ledger = ledger_in(folder.path()).await;
    let held = ledger.hold_for_test().await;
    let (of_ann, of_bob) = (claim("ann"), claim("bob"));
    recorder.claim_batch(&of_ann).await;
    recorder.end_of_batch("result-1", &of_bob, &result_of(&of_bob));
    wait_for_frames(&recorder, 2).await;
    kill(recorder).await;
    drop(held);

    let recorder = recorder_in(folder.path()).await;
    recorder.drained().await;
    let ann = Scope::User(UserId("ann".into()));
    let event = ledger.event(&ann, "result-1").await.unwrap().unwrap();
    let expected = result_of(&of_ann);
    assert_eq!((&event.record.context, &event.record.api_key_id), (&expected[0].context, &expected[0].api_key_id));
    let summary = ledger.report(&ann, &UsageQuery::default(), NOW_MS).await.unwrap().summary;
    assert_eq!((summary.total_calls, summary.total_tokens), (1, 220), "its part is with it");
    assert_eq!(ledger.newest_event_ms(&Scope::User(UserId("bob".into()))).await.unwrap(), None);
    recorder.close().await;
}

#[tokio::test]
async fn a_claim_that_nothing_can_take_is_no_lost_call() {
    let folder = tempfile::tempdir().unwrap();
    let options = RecorderOptions { queue_max_bytes: 0, ..options_in(folder.path()) };
    let recorder = Recorder::open(ledger_in(folder.path()).await, PriceBook::builtin(), options).await.unwrap();
    recorder.claim_batch(&claim("ann")).await;
    let health = recorder.health();
    assert_eq!((health.spool_depth, health.lost.total()), (0, 0));
    recorder.close().await;
}
