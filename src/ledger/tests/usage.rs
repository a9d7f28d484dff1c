//! Questions: the right rows, in the right zone, from the right grain.

use super::*;
use crate::domain::budget::Budget;
use crate::domain::query::{Aggregation, Range, UsageQuery};
use crate::ledger::SourceUse;

/// A call on each of the last 20 days at noon, and one an hour before midnight of 9 March in Berlin.
async fn fill(ledger: &Ledger) {
    let mut events: Vec<_> = (0..20).map(|day| event(alice(), &format!("day_{day}"), NOON_MS - day * DAY_MS)).collect();
    let mut late = event(alice(), "late", NOON_MS - 13 * HOUR_MS);
    late.record.model = "claude-opus-5".into();
    late.model_family = "opus".into();
    events.push(late);
    ledger.apply(events).await.unwrap();
}

on_both!(ranges_count_local_days, |ledger| {
    fill(&ledger).await;
    for (range, calls) in [(Range::Day, 1), (Range::Week, 8), (Range::Month, 21), (Range::Year, 21)] {
        let query = UsageQuery { range, ..UsageQuery::default() };
        let report = ledger.report(&only(alice()), &query, NOON_MS).await.unwrap();
        assert_eq!(report.summary.total_calls, calls, "{range:?}");
        let in_series: u64 = report.time_series.iter().map(|point| point.calls).sum();
        assert_eq!(in_series, calls, "{range:?}");
    }
});

on_both!(every_aggregation_adds_up_to_the_same, |ledger| {
    fill(&ledger).await;
    for aggregation in Aggregation::ALL {
        let query = UsageQuery { aggregation: Some(aggregation), ..UsageQuery::default() };
        let report = ledger.report(&only(alice()), &query, NOON_MS).await.unwrap();
        let tokens: u64 = report.time_series.iter().map(|point| point.tokens).sum();
        assert_eq!((report.summary.total_tokens, tokens), (2310, 2310), "{aggregation:?}");
    }
});

on_both!(another_zone_cuts_its_own_days, |ledger| {
    fill(&ledger).await;
    // 23:00 of 9 March in Berlin is 10 March in Tokyo (07:00) and 9 March in New York (18:00).
    for (zone, calls_today) in [("Europe/Berlin", 1), ("Asia/Tokyo", 2), ("America/New_York", 1)] {
        let query = UsageQuery { range: Range::Day, time_zone: Some(zone.into()), ..UsageQuery::default() };
        let report = ledger.report(&only(alice()), &query, NOON_MS).await.unwrap();
        assert_eq!(report.summary.total_calls, calls_today, "{zone}");
    }
});

on_both!(a_model_filter_takes_a_family_or_an_id, |ledger| {
    fill(&ledger).await;
    for (model, calls) in [("opus", 1), ("claude-opus-5", 1), ("sonnet", 20), ("claude", 0), ("claude-sonnet", 0)] {
        let query = UsageQuery { model: Some(model.into()), ..UsageQuery::default() };
        let report = ledger.report(&only(alice()), &query, NOON_MS).await.unwrap();
        assert_eq!(report.summary.total_calls, calls, "{model:?}");
    }
});

on_both!(the_previous_period_is_the_one_just_before, |ledger| {
    fill(&ledger).await;
    let query = UsageQuery { range: Range::Week, ..UsageQuery::default() };
    let report = ledger.report(&only(alice()), &query, NOON_MS).await.unwrap();
    assert_eq!(report.summary.previous.unwrap().total_calls, 7);
});

on_both!(an_empty_ledger_answers_with_zeros, |ledger| {
    let report = ledger.report(&only(alice()), &UsageQuery::default(), NOON_MS).await.unwrap();
    assert_eq!((report.summary.total_calls, report.time_series.len()), (0, 30));
    assert!(report.models.is_empty() && report.alerts.is_empty() && report.anomalies.is_empty());
    assert_eq!(report.budget.unwrap().spent, 0);
});

on_both!(the_budget_counts_its_own_month, |ledger| {
    fill(&ledger).await;
    // Ten noons of March and the late call: eleven cents of a 14-cent budget, 78.57 %: cut, not rounded, so that no threshold shows before it is crossed.
    let budget = Budget::parse(14, [50, 75, 90], "Europe/Berlin").unwrap();
    ledger.save_budget(&alice(), &budget, &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(ledger.budget(&alice()).await.unwrap(), budget);
    let status = ledger.budget_status(&alice(), NOON_MS).await.unwrap();
    assert_eq!((status.spent, status.limit, status.remaining, status.percent_used), (11, 14, 3, 78.5));
    let report = ledger.report(&only(alice()), &UsageQuery::default(), NOON_MS).await.unwrap();
    assert_eq!(report.alerts.len(), 2);
});

on_both!(the_heat_map_uses_the_local_clock, |ledger| {
    fill(&ledger).await;
    let map = ledger.heat_map(&only(alice()), &UsageQuery::default(), NOON_MS).await.unwrap();
    let calls: u64 = map.calls.iter().flatten().sum();
    assert_eq!(calls, 21);
    assert_eq!(map.calls[0][23], 1, "Monday, 23:00");
    assert_eq!(map.calls[1][12], 3, "three Tuesdays at noon");
});

on_both!(days_are_cut_again_when_the_zone_changes, |ledger| {
    fill(&ledger).await;
    let tokyo = crate::domain::period::Zone::parse("Asia/Tokyo").unwrap();
    ledger.set_time_zone(&tokyo).await.unwrap();
    assert_eq!(ledger.verify_rollups().await.unwrap().difference(), 0);
    let query = UsageQuery {
        range: Range::Day,
        aggregation: Some(Aggregation::Daily),
        time_zone: Some("Asia/Tokyo".into()),
        ..UsageQuery::default()
    };
    let report = ledger.report(&only(alice()), &query, NOON_MS).await.unwrap();
    assert_eq!(report.summary.total_calls, 2);
});

on_both!(each_source_tells_its_first_call, |ledger| {
    assert_eq!(ledger.first_use_by_source(&only(alice())).await.unwrap(), []);
    fill(&ledger).await;
    let mut imported = event(alice(), "imported", NOON_MS - 40 * DAY_MS + 123);
    imported.record.source = Source::Import;
    let mut later = event(alice(), "imported later", NOON_MS - 40 * DAY_MS + 456);
    later.record.source = Source::Import;
    let mut part = event(alice(), "part", NOON_MS - 40 * DAY_MS + 124);
    part.record.source = Source::Import;
    part.record.part_of = Some("imported".into());
    let mut of_bob = event(UserId("bob".into()), "of bob", NOON_MS - 90 * DAY_MS);
    of_bob.record.source = Source::Demo;
    ledger.apply(vec![imported, part, later, of_bob]).await.unwrap();

    let told = |source, first_at_ms, calls| SourceUse { source, first_at_ms, calls };
    let api = told(Source::Api, NOON_MS - 19 * DAY_MS, 21);
    let import = told(Source::Import, NOON_MS - 40 * DAY_MS + 123, 2);
    assert_eq!(ledger.first_use_by_source(&only(alice())).await.unwrap(), [api, import]);
    let everyone = ledger.first_use_by_source(&Scope::Everyone).await.unwrap();
    assert_eq!(everyone, [api, import, told(Source::Demo, NOON_MS - 90 * DAY_MS, 1)]);
});
