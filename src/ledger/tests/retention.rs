//! Events are removed and their sums stay; nothing that was removed is counted again.

use super::*;
use crate::domain::query::{Range, UsageQuery};
use crate::domain::report::UsageReport;
use crate::ledger::{LedgerSizes, keep_from_ms};

const TODAY_MS: i64 = NOON_MS + 20 * DAY_MS;

/// Five events a day for twenty days, of two users.
fn twenty_days() -> Vec<UsageEvent> {
    let of = |n: i64| {
        let user = if n % 5 == 0 { UserId("bob".into()) } else { alice() };
        event(user, &format!("req_{n}"), NOON_MS + n / 5 * DAY_MS + n % 5 * HOUR_MS)
    };
    (0..100).map(of).collect()
}

async fn report(ledger: &Ledger) -> UsageReport {
    let query = UsageQuery { range: Range::Year, ..UsageQuery::default() };
    ledger.report(&Scope::Everyone, &query, TODAY_MS).await.unwrap()
}

on_both!(removed_events_stay_in_every_sum, |ledger| {
    ledger.apply(twenty_days()).await.unwrap();
    let before = report(&ledger).await;
    assert_eq!(before.summary.total_calls, 100);
    let line = ledger.settle_events_before(NOON_MS + 10 * DAY_MS + 1).await.unwrap();
    assert_eq!(line, NOON_MS + 10 * DAY_MS);
    let mut left = 100;
    loop {
        let removed = ledger.remove_settled_events(7).await.unwrap();
        assert!(removed <= 7, "{removed}");
        left -= removed as i64;
        // In the middle of it as much as at the end.
        let check = ledger.verify_rollups().await.unwrap();
        assert_eq!((check.difference(), check.events, check.events_from_ms), (0, left, Some(line)));
        assert_eq!(report(&ledger).await, before);
        if removed == 0 {
            break;
        }
    }
    assert_eq!(left, 50);
});

on_both!(what_was_removed_is_not_counted_again, |ledger| {
    ledger.apply(twenty_days()).await.unwrap();
    let before = report(&ledger).await;
    let line = ledger.settle_events_before(NOON_MS + 10 * DAY_MS).await.unwrap();
    while ledger.remove_settled_events(100).await.unwrap() > 0 {}

    let again = outcomes(&ledger.apply(twenty_days()).await.unwrap());
    let count = |outcome| again.iter().filter(|one| **one == outcome).count();
    assert_eq!((count(ApplyOutcome::TooOld), count(ApplyOutcome::Duplicate)), (50, 50));
    // Another sighting of a removed call, which puts it a little later: behind the line, and still not taken.
    let later = event(alice(), "req_49", line + DAY_MS - 1);
    assert_eq!(outcomes(&ledger.apply(vec![later]).await.unwrap()), [ApplyOutcome::TooOld]);
    assert_eq!(report(&ledger).await, before);
    assert_eq!(ledger.verify_rollups().await.unwrap().difference(), 0);

    let fresh = event(alice(), "fresh", line + DAY_MS);
    assert_eq!(outcomes(&ledger.apply(vec![fresh]).await.unwrap()), [ApplyOutcome::Inserted]);
    assert_eq!(report(&ledger).await.summary.total_calls, 101);
});

on_both!(the_line_never_moves_back, |ledger| {
    assert_eq!(ledger.events_from_ms().await.unwrap(), None);
    assert_eq!(ledger.remove_settled_events(100).await.unwrap(), 0);
    ledger.settle_events_before(NOON_MS).await.unwrap();
    assert_eq!(ledger.settle_events_before(NOON_MS - DAY_MS).await.unwrap(), NOON_MS);
    assert_eq!(ledger.events_from_ms().await.unwrap(), Some(NOON_MS));
});

on_both!(doctor_sees_an_event_that_is_missing_behind_the_line, |ledger| {
    ledger.apply(twenty_days()).await.unwrap();
    ledger.settle_events_before(NOON_MS + 10 * DAY_MS).await.unwrap();
    let mut tx = ledger.db.begin().await.unwrap();
    crate::ledger::db::with_tx!(&mut tx, |connection| {
        sqlx::query("delete from usage_event where dedup_key = 'req_51'").execute(connection).await.unwrap();
    });
    tx.commit().await.unwrap();
    assert_eq!(ledger.verify_rollups().await.unwrap().differing_quarters, 1);
});

#[test]
fn a_clock_that_is_years_ahead_removes_nothing() {
    let now_ms = 1_795_512_600_000;
    let sizes = LedgerSizes { newest_event_at_ms: Some(now_ms - DAY_MS), ..LedgerSizes::default() };
    let line = Some(now_ms - 91 * DAY_MS);
    assert_eq!(keep_from_ms(&sizes, now_ms, 90), line);
    assert_eq!(keep_from_ms(&sizes, now_ms + 3_650 * DAY_MS, 90), line);
    // A client's clock that is ahead does not count either.
    let ahead = LedgerSizes { newest_event_at_ms: Some(now_ms + 999 * DAY_MS), ..LedgerSizes::default() };
    assert_eq!(keep_from_ms(&ahead, now_ms, 90), Some(now_ms - 90 * DAY_MS));
    assert_eq!(keep_from_ms(&sizes, now_ms, 0), None);
    assert_eq!(keep_from_ms(&LedgerSizes::default(), now_ms, 90), None);
}
