//! Invariants 3 and 4: recorded once, and rollups that equal their events.

use super::*;
use crate::domain::query::UsageQuery;
use crate::domain::report::Summary;
use ApplyOutcome::{Duplicate, Inserted, Updated};
use proptest::prelude::*;

async fn month_of_alice(ledger: &Ledger) -> Summary {
    ledger.report(&only(alice()), &UsageQuery::default(), NOON_MS).await.unwrap().summary
}

async fn assert_sound(ledger: &Ledger) {
    let check = ledger.verify_rollups().await.unwrap();
    assert_eq!(check.difference(), 0, "{check:?}");
}

on_both!(a_call_is_counted_once_however_often_it_is_sent, |ledger| {
    let call = event(alice(), "req_1", NOON_MS);
    let first = ledger.apply(vec![call.clone(), call.clone()]).await.unwrap();
    let again = ledger.apply(vec![event(alice(), "req_1", NOON_MS)]).await.unwrap();
    assert_eq!(outcomes(&first), [Inserted, Duplicate]);
    assert_eq!(outcomes(&again), [Duplicate]);
    assert!(first.iter().chain(&again).all(|one| one.id == call.id));
    let summary = month_of_alice(&ledger).await;
    assert_eq!((summary.total_calls, summary.total_tokens), (1, 110));
    assert_eq!(summary.total_cost_usd, "0.01");
    assert_sound(&ledger).await;
});

on_both!(the_same_key_of_two_users_is_two_calls, |ledger| {
    let bob = UserId("bob".into());
    let applied = ledger.apply(vec![event(alice(), "req_1", NOON_MS), event(bob, "req_1", NOON_MS)]).await.unwrap();
    assert_eq!(outcomes(&applied), [Inserted, Inserted]);
    assert_eq!(month_of_alice(&ledger).await.total_calls, 1);
    let everyone = ledger.report(&Scope::Everyone, &UsageQuery::default(), NOON_MS).await.unwrap();
    assert_eq!(everyone.summary.total_calls, 2);
    assert_sound(&ledger).await;
});

on_both!(a_larger_output_replaces_the_placeholder, |ledger| {
    let early = event(alice(), "req_1", NOON_MS);
    let mut late = event(alice(), "req_1", NOON_MS);
    late.record.tokens.output = 260;
    late.cost = Some(NanoUsd(90_000_000));
    late.cost_parts.output = NanoUsd(84_000_000);
    late.record.model = "claude-opus-5".into();
    ledger.apply(vec![early.clone()]).await.unwrap();
    let applied = ledger.apply(vec![late]).await.unwrap();
    assert_eq!(applied, [Applied { id: early.id.clone(), outcome: Updated }]);
    let report = ledger.report(&only(alice()), &UsageQuery::default(), NOON_MS).await.unwrap();
    assert_eq!((report.summary.total_calls, report.summary.tokens.output), (1, 260));
    assert_eq!(report.summary.total_cost_usd, "0.09");
    assert_eq!(report.models.len(), 1, "the model of the placeholder is gone");
    assert_eq!(ledger.event(&only(alice()), &early.id).await.unwrap().unwrap().record.model, "claude-opus-5");
    assert_sound(&ledger).await;
});

on_both!(a_better_source_wins_and_a_lesser_one_changes_nothing, |ledger| {
    let mut imported = event(alice(), "req_1", NOON_MS);
    imported.record.source = Source::Import;
    imported.record.tokens.output = 500;
    let mut seen_by_gateway = event(alice(), "req_1", NOON_MS);
    seen_by_gateway.record.source = Source::Gateway;
    ledger.apply(vec![imported.clone()]).await.unwrap();
    assert_eq!(outcomes(&ledger.apply(vec![seen_by_gateway]).await.unwrap()), [Updated]);
    assert_eq!(outcomes(&ledger.apply(vec![imported]).await.unwrap()), [Duplicate]);
    assert_eq!(month_of_alice(&ledger).await.tokens.output, 10);
    assert_sound(&ledger).await;
});

on_both!(a_side_chain_gives_way_to_its_original_in_either_order, |ledger| {
    for (message, original_first) in [("msg_a", true), ("msg_b", false)] {
        let mut original = event(alice(), &format!("req_of_{message}"), NOON_MS);
        original.record.context.message_id = Some(message.into());
        let mut replay = event(alice(), &format!("req_replay_{message}"), NOON_MS);
        replay.record.context.message_id = Some(message.into());
        replay.record.is_sidechain = true;
        replay.record.tokens.output = 900;
        let order = if original_first { vec![original, replay] } else { vec![replay, original] };
        for one in order {
            ledger.apply(vec![one]).await.unwrap();
        }
    }
    let summary = month_of_alice(&ledger).await;
    assert_eq!((summary.total_calls, summary.tokens.output), (2, 20));
    assert_sound(&ledger).await;
});

on_both!(a_part_of_a_call_has_cost_but_is_no_call, |ledger| {
    let call = event(alice(), "req_1", NOON_MS);
    let mut advisor = event(alice(), "req_1:advisor:0", NOON_MS);
    advisor.record.part_of = Some("req_1".into());
    advisor.record.model = "claude-opus-5".into();
    ledger.apply(vec![call, advisor]).await.unwrap();
    let summary = month_of_alice(&ledger).await;
    assert_eq!((summary.total_calls, summary.total_cost_usd.as_str()), (1, "0.02"));
    assert_sound(&ledger).await;
});

on_both!(unknown_is_not_zero, |ledger| {
    let mut unpriced = event(alice(), "req_1", NOON_MS);
    unpriced.pricing_state = PricingState::Unpriced;
    unpriced.cost = None;
    unpriced.cost_parts = CostParts::default();
    ledger.apply(vec![unpriced.clone(), event(alice(), "req_2", NOON_MS)]).await.unwrap();
    let summary = month_of_alice(&ledger).await;
    assert_eq!((summary.unpriced_calls, summary.total_cost_usd.as_str()), (1, "0.01"));
    assert_eq!(ledger.event(&only(alice()), &unpriced.id).await.unwrap().unwrap().cost, None);
    assert_sound(&ledger).await;
});

on_both!(an_event_comes_back_as_it_went_in, |ledger| {
    let mut full = event(alice(), "req_1", NOON_MS);
    full.record.tokens = TokenCounts {
        input: 1,
        cache_write_5m: 2,
        cache_write_1h: 3,
        cache_read: 4,
        output: 5,
        thinking: 6,
        output_thinking: Some(0),
    };
    full.record.web_search_count = 7;
    full.record.api_key_id = Some("key".into());
    full.record.terms =
        ServiceTerms { service_tier: Some("batch".into()), speed: Some("fast".into()), geo: Some("us".into()) };
    full.record.context = CallContext {
        conversation_id: Some("c".into()),
        agent_slug: Some("a".into()),
        session_id: Some("s".into()),
        project: Some("p".into()),
        tools_used: vec!["Bash".into(), "\"quoted\"".into()],
        tags: vec!["team:data".into(), "\"plain\"".into()],
        request_id: Some("req_1".into()),
        message_id: Some("msg_1".into()),
    };
    full.record.outcome = CallOutcome {
        success: false,
        status_code: Some(529),
        error_message: Some("overloaded".into()),
        response_time_ms: Some(1_234),
        first_token_ms: Some(56),
        stop_reason: Some("end_turn".into()),
    };
    full.record.usage_json = Some("{\"input_tokens\":1}".into());
    ledger.apply(vec![full.clone()]).await.unwrap();
    assert_eq!(ledger.event(&only(alice()), &full.id).await.unwrap(), Some(full.clone()));
    assert_eq!(ledger.event(&only(UserId("bob".into())), &full.id).await.unwrap(), None, "invariant 6");
    assert_sound(&ledger).await;
});

on_both!(removing_a_source_takes_all_of_it_and_nothing_else, |ledger| {
    let bob = UserId("bob".into());
    let demo = |user: UserId, key: &str| {
        let mut one = event(user, key, NOON_MS);
        one.record.source = Source::Demo;
        one
    };
    let real = event(alice(), "req_1", NOON_MS);
    ledger.apply(vec![demo(alice(), "demo:1"), demo(bob.clone(), "demo:1"), real]).await.unwrap();
    assert_eq!(ledger.remove_source(&alice(), Source::Demo).await.unwrap(), 1);
    let report = ledger.report(&only(alice()), &UsageQuery::default(), NOON_MS).await.unwrap();
    assert_eq!((report.summary.total_calls, report.has_demo_data), (1, false));
    let everyone = ledger.report(&Scope::Everyone, &UsageQuery::default(), NOON_MS).await.unwrap();
    assert_eq!((everyone.summary.total_calls, everyone.has_demo_data), (2, true));
    assert_sound(&ledger).await;
    assert_eq!(ledger.remove_source(&bob, Source::Demo).await.unwrap(), 1);
    let everyone = ledger.report(&Scope::Everyone, &UsageQuery::default(), NOON_MS).await.unwrap();
    assert_eq!((everyone.summary.total_calls, everyone.has_demo_data), (1, false));
    assert_sound(&ledger).await;
});

on_both!(a_write_that_fails_half_way_leaves_nothing, |ledger| {
    // The event goes in first; then its rollups find no table.
    let mut tx = ledger.db.begin().await.unwrap();
    crate::ledger::db::with_tx!(&mut tx, |connection| {
        sqlx::query("drop table usage_rollup").execute(connection).await.unwrap();
    });
    tx.commit().await.unwrap();
    let call = event(alice(), "req_1", NOON_MS);
    ledger.apply(vec![call.clone()]).await.unwrap_err();
    assert_eq!(ledger.event(&only(alice()), &call.id).await.unwrap(), None);
});

on_both!(doctor_sees_a_rollup_that_lies, |ledger| {
    ledger.apply(vec![event(alice(), "req_1", NOON_MS)]).await.unwrap();
    let mut tx = ledger.db.begin().await.unwrap();
    crate::ledger::db::with_tx!(&mut tx, |connection| {
        sqlx::query("update usage_rollup set calls = calls + 1 where grain = 1 and user_id <> ''")
            .execute(connection)
            .await
            .unwrap();
    });
    tx.commit().await.unwrap();
    let check = ledger.verify_rollups().await.unwrap();
    assert_eq!((check.differing_quarters, check.differing_days, check.differing_everyone), (1, 1, 1));
});

on_both!(pages_of_events_hold_each_event_once, |ledger| {
    // Several calls in the same millisecond: the cursor must not lose one of them.
    let events = (0..7).map(|n| event(alice(), &format!("req_{n}"), NOON_MS + n / 3)).collect();
    ledger.apply(events).await.unwrap();
    let mut filter = crate::ledger::EventFilter { limit: 3, ..Default::default() };
    let mut keys = Vec::new();
    loop {
        let page = ledger.events(&only(alice()), &filter).await.unwrap();
        keys.extend(page.events.iter().map(|one| (one.record.occurred_at_ms, one.id.clone())));
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }
    assert_eq!(keys.len(), 7);
    assert!(keys.is_sorted_by(|one, two| one > two), "newest first, none twice: {keys:?}");
});

/// Any order of arrival, any duplicates, any batches: the sums are those of the best sighting of each call.
#[test]
fn totals_do_not_depend_on_order_or_repetition() {
    let sighting = (0..12_u32, 1..400_u64, 0..2_usize);
    let strategy = proptest::collection::vec(sighting, 1..60);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    let result = runner.run(&strategy, |sightings| {
        let expected: u64 = {
            let mut best = std::collections::HashMap::new();
            for (call, output, source) in &sightings {
                let merit = (1 - source, *output);
                let kept = best.entry(call).or_insert(merit);
                *kept = merit.max(*kept);
            }
            best.values().map(|(_, output)| output).sum()
        };
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let ledger = open_sqlite(folder.path()).await;
            for batch in sightings.chunks(7) {
                let events = batch.iter().map(|(call, output, source)| {
                    let mut one = event(alice(), &format!("req_{call}"), NOON_MS - i64::from(*call) * HOUR_MS);
                    one.record.tokens.output = *output;
                    one.record.source = [Source::Api, Source::Import][*source];
                    one
                });
                ledger.apply(events.collect()).await.unwrap();
            }
            let summary = month_of_alice(&ledger).await;
            prop_assert_eq!(summary.tokens.output, expected);
            prop_assert_eq!(ledger.verify_rollups().await.unwrap().difference(), 0);
            Ok(())
        })
    });
    result.unwrap();
}
