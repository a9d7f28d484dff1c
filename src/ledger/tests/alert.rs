//! Alerts: once each, in pages, acknowledged, taught, and gone with the sample data that they were about.

use super::*;
use crate::domain::alert::{AlertSubject, Contributor, Dimension, Evidence, Measured, NewAlert};
use crate::domain::anomaly::{AnomalyKind, AnomalyRule};
use crate::domain::budget::{AlertLevel, Budget, BudgetPeriod, BudgetScope, NamedBudget};
use crate::ledger::{AlertAbout, AlertFilter};
use chrono::NaiveDate;

pub(super) fn crossed(threshold: u32, at_ms: i64) -> NewAlert {
    let period_start = "2026-03-01".parse().unwrap();
    alert(
        AlertSubject::Budget { budget_id: "default".into(), period: BudgetPeriod::Month, period_start, threshold },
        at_ms,
    )
}

fn unusual(day: &str, rule: AnomalyRule, at_ms: i64) -> NewAlert {
    alert(AlertSubject::Anomaly { day: date(day), kind: AnomalyKind::HighCost, rule }, at_ms)
}

fn alert(subject: AlertSubject, at_ms: i64) -> NewAlert {
    NewAlert {
        user_id: alice(),
        subject,
        level: AlertLevel::Warning,
        fired_at_ms: at_ms,
        message: "Look at this.".into(),
        evidence: Evidence {
            measured: Measured::Figure { current_value: 900.5, normal_value: 300.0, difference: 200.2 },
            contributors: vec![Contributor {
                dimension: Dimension::Model,
                name: "claude-opus-5".into(),
                cost_nano_usd: NanoUsd(7),
            }],
            unpriced_calls: 1,
        },
    }
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn all(limit: u32) -> AlertFilter {
    AlertFilter { limit, ..AlertFilter::default() }
}

on_both!(an_alert_is_written_down_once_and_comes_back_as_it_was, |ledger| {
    let both = vec![crossed(50, NOON_MS), unusual("2026-03-10", AnomalyRule::Robust, NOON_MS + 1)];
    let recorded = ledger.record_alerts(both.clone()).await.unwrap();
    assert_eq!(recorded.len(), 2);
    // Later, together with one that is new, and twice in one call.
    let again = vec![crossed(50, NOON_MS + 5), crossed(75, NOON_MS + 5), crossed(75, NOON_MS + 5)];
    let new = ledger.record_alerts(again).await.unwrap();
    assert_eq!(new.iter().map(|one| &one.subject).collect::<Vec<_>>(), [&crossed(75, 0).subject]);
    let of_other_rule = unusual("2026-03-10", AnomalyRule::WeeklyMean, NOON_MS);
    assert_eq!(ledger.record_alerts(vec![of_other_rule]).await.unwrap().len(), 1);

    let page = ledger.alerts(&alice(), &all(9)).await.unwrap();
    assert_eq!((page.alerts.len(), page.next), (4, None));
    assert_eq!(ledger.alert(&alice(), &recorded[1].id).await.unwrap().as_ref(), Some(&recorded[1]));
    for one in both {
        assert!(ledger.has_alert(&alice(), &one.subject).await.unwrap());
        assert!(!ledger.has_alert(&UserId("bob".into()), &one.subject).await.unwrap());
    }
    assert!(!ledger.has_alert(&alice(), &crossed(90, 0).subject).await.unwrap());
});

on_both!(alerts_are_listed_newest_first_page_by_page, |ledger| {
    // Three of the same millisecond: the id decides.
    let subjects = [10, 20, 30, 40, 50].map(|threshold| crossed(threshold, NOON_MS + i64::from(threshold / 40)));
    ledger.record_alerts(subjects.to_vec()).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = ledger.alerts(&alice(), &AlertFilter { after, ..all(2) }).await.unwrap();
        seen.extend(page.alerts);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let thresholds: Vec<_> = seen.iter().map(|one| one.subject.clone()).collect();
    let expected: Vec<_> = [50, 40, 30, 20, 10].map(|threshold| crossed(threshold, 0).subject).to_vec();
    assert_eq!(thresholds, expected);
    let refused = ledger.alerts(&alice(), &AlertFilter { after: Some("x".into()), ..all(2) }).await.unwrap_err();
    assert_eq!(refused.to_string(), "after: is not the cursor of a page");
});

on_both!(the_first_acknowledgement_counts, |ledger| {
    let recorded = ledger
        .record_alerts(vec![crossed(50, NOON_MS), unusual("2026-03-10", AnomalyRule::Robust, NOON_MS)])
        .await
        .unwrap();
    assert_eq!(ledger.open_alerts(&alice()).await.unwrap(), 2);
    let (bob, id) = (UserId("bob".into()), recorded[0].id.as_str());
    assert!(!ledger.acknowledge_alert(&bob, id, &bob, NOON_MS).await.unwrap(), "it is not his");
    assert!(ledger.acknowledge_alert(&alice(), id, &bob, NOON_MS + 1).await.unwrap());
    assert!(ledger.acknowledge_alert(&alice(), id, &alice(), NOON_MS + 2).await.unwrap());
    let acknowledged = ledger.alert(&alice(), id).await.unwrap().unwrap().acknowledged.unwrap();
    assert_eq!((acknowledged.by, acknowledged.at_ms), (bob, NOON_MS + 1));

    let (budgets, anomalies) = (Some(AlertAbout::Budgets), Some(AlertAbout::Anomalies));
    let listed = |is_open, about| {
        let (ledger, filter) = (ledger.clone(), AlertFilter { is_open, about, ..all(9) });
        async move { ledger.alerts(&alice(), &filter).await.unwrap().alerts.len() }
    };
    assert_eq!((listed(Some(true), None).await, listed(Some(false), None).await), (1, 1));
    assert_eq!((listed(None, budgets).await, listed(None, anomalies).await), (1, 1));
    assert_eq!(listed(Some(true), budgets).await, 0);
    assert_eq!(ledger.open_alerts(&alice()).await.unwrap(), 1);
});

on_both!(an_anomaly_can_be_called_normal_and_a_budget_cannot, |ledger| {
    let recorded = ledger
        .record_alerts(vec![crossed(50, NOON_MS), unusual("2026-03-10", AnomalyRule::WeeklyMean, NOON_MS)])
        .await
        .unwrap();
    assert!(!ledger.mark_alert_normal(&alice(), &recorded[0].id, &alice(), NOON_MS).await.unwrap());
    assert_eq!(ledger.normal_days(&alice(), date("2026-01-01")).await.unwrap(), []);
    assert!(ledger.mark_alert_normal(&alice(), &recorded[1].id, &alice(), NOON_MS).await.unwrap());
    let marked = ledger.alert(&alice(), &recorded[1].id).await.unwrap().unwrap();
    assert!(marked.is_normal && marked.acknowledged.is_some());
    assert_eq!(ledger.normal_days(&alice(), date("2026-03-10")).await.unwrap(), [date("2026-03-10")]);
    assert_eq!(ledger.normal_days(&alice(), date("2026-03-11")).await.unwrap(), []);
});

on_both!(alerts_about_sample_data_go_with_it, |ledger| {
    ledger.record_alerts(vec![crossed(50, NOON_MS)]).await.unwrap();
    let mut made_up = event(alice(), "demo:1", NOON_MS);
    made_up.record.source = Source::Demo;
    ledger.apply(vec![made_up]).await.unwrap();
    ledger.record_alerts(vec![crossed(75, NOON_MS)]).await.unwrap();
    ledger.remove_source(&alice(), Source::Api).await.unwrap();
    assert_eq!(ledger.open_alerts(&alice()).await.unwrap(), 2);
    ledger.remove_source(&alice(), Source::Demo).await.unwrap();
    let left = ledger.alerts(&alice(), &all(9)).await.unwrap().alerts;
    assert_eq!(left.iter().map(|one| &one.subject).collect::<Vec<_>>(), [&crossed(50, 0).subject]);
});

on_both!(a_new_alert_moves_the_users_numbers, |ledger| {
    let mut of_alice = ledger.follow(&only(alice()));
    of_alice.mark_unchanged();
    ledger.record_alerts(vec![crossed(50, NOON_MS)]).await.unwrap();
    assert!(of_alice.has_changed().unwrap());
    of_alice.mark_unchanged();
    ledger.record_alerts(vec![crossed(50, NOON_MS)]).await.unwrap();
    assert!(!of_alice.has_changed().unwrap(), "it was there already");
});

on_both!(a_spend_tells_what_brought_it_about, |ledger| {
    let call = |key: &str, model: &str, project: Option<&str>, session: Option<&str>, cents: i64| {
        let mut call = event(alice(), key, NOON_MS);
        call.record.model = model.into();
        call.cost = NanoUsd::from_cents(cents);
        call.record.context.project = project.map(Into::into);
        call.record.context.session_id = session.map(Into::into);
        call
    };
    let mut unpriced = call("five", "acme", None, None, 0);
    unpriced.cost = None;
    unpriced.pricing_state = PricingState::Unpriced;
    ledger
        .apply(vec![
            call("one", "opus", Some("shop"), Some("a"), 5),
            call("two", "opus", None, Some("b"), 3),
            call("three", "haiku", Some("shop"), Some("b"), 4),
            call("four", "sonnet", Some("docs"), None, 1),
            unpriced,
        ])
        .await
        .unwrap();
    let budget = NamedBudget::of_default(&alice(), &Budget::default_in(&berlin()));
    let told = |contributors: &[Contributor]| -> Vec<(Dimension, String, i64)> {
        contributors.iter().map(|one| (one.dimension, one.name.clone(), one.cost_nano_usd.to_cents())).collect()
    };
    let interval = budget.interval_at(NOON_MS);
    let spread = ledger.spread_of(&budget, interval).await.unwrap();
    let (model, project) = (Dimension::Model, Dimension::Project);
    assert_eq!(
        told(&spread.contributors),
        [
            (model, "opus".into(), 8),
            (model, "haiku".into(), 4),
            (model, "sonnet".into(), 1),
            (project, "shop".into(), 9),
            (project, "docs".into(), 1)
        ]
    );
    assert_eq!(spread.unpriced_calls, 1);
    let of_shop = NamedBudget { scope: BudgetScope::Project("shop".into()), ..budget };
    let spread = ledger.spread_of(&of_shop, interval).await.unwrap();
    assert_eq!(told(&spread.contributors)[..2], [(model, "opus".into(), 5), (model, "haiku".into(), 4)]);
    let sessions = ledger.dearest_sessions(&alice(), interval).await.unwrap();
    assert_eq!(told(&sessions), [(Dimension::Session, "b".into(), 7), (Dimension::Session, "a".into(), 5)]);
});

on_both!(a_day_is_told_hour_by_hour_on_the_local_clock, |ledger| {
    let at = |key: &str, at_ms| event(alice(), key, at_ms);
    ledger
        .apply(vec![at("a", NOON_MS), at("b", NOON_MS + HOUR_MS / 2), at("c", NOON_MS - 13 * HOUR_MS)])
        .await
        .unwrap();
    let (first, last) = (date("2026-03-01"), date("2026-03-10"));
    let days = ledger.hourly_costs(&alice(), &berlin(), first, last).await.unwrap();
    assert_eq!(days.iter().map(|day| day.date).collect::<Vec<_>>(), [date("2026-03-09"), last]);
    assert_eq!((days[0].hours[23].to_cents(), days[1].hours[12].to_cents()), (1, 2));
    assert_eq!(ledger.users().await.unwrap(), [alice()]);
});
