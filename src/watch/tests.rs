//! The watch, stepped by hand and running: one alert for each threshold and period, whatever happens.

use super::{Watch, evaluate_once, keep_telling_losses};
use crate::domain::alert::{Alert, AlertSubject, Dimension, Measured};
use crate::domain::anomaly::{AnomalyKind, AnomalyRule};
use crate::domain::audit::Actor;
use crate::domain::budget::{Budget, BudgetPeriod, BudgetScope, NamedBudget, Raise};
use crate::domain::money::NanoUsd;
use crate::domain::price::PriceBook;
use crate::domain::recorder_health::{LostCalls, RecorderHealth};
use crate::domain::usage::{UsageEvent, UserId};
use crate::ledger::tests::{
    DAY_MS, HOUR_MS, NOON_MS, alice, berlin, channel, event, on_both, open_at, postgres_url, sqlite_url,
};
use crate::ledger::{AlertFilter, Ledger};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// 1 April 2026, 00:00 in Berlin.
const APRIL_MS: i64 = 1_774_994_400_000;

/// A call that cost as many cents.
fn spend(key: &str, at_ms: i64, cents: i64) -> UsageEvent {
    UsageEvent { cost: NanoUsd::from_cents(cents), ..event(alice(), key, at_ms) }
}

/// A dollar a month, told at 50, 75 and 90 %.
async fn set_a_dollar_a_month(ledger: &Ledger) {
    set_limit(ledger, 100).await;
}

async fn set_limit(ledger: &Ledger, cents: i64) {
    let budget = Budget::parse(cents, [50, 75, 90], "Europe/Berlin").unwrap();
    ledger.save_budget(&alice(), &budget, &Actor::command_line(), NOON_MS).await.unwrap();
}

fn thresholds(alerts: &[Alert]) -> Vec<u32> {
    let of = |alert: &Alert| match &alert.subject {
        AlertSubject::Budget { threshold, .. } => Some(*threshold),
        AlertSubject::Anomaly { .. } | AlertSubject::Runaway { .. } => None,
    };
    alerts.iter().filter_map(of).collect()
}

async fn kept(ledger: &Ledger) -> Vec<Alert> {
    ledger.alerts(&alice(), &AlertFilter { limit: 100, ..AlertFilter::default() }).await.unwrap().alerts
}

on_both!(each_threshold_fires_once_however_often_it_is_looked_at, |ledger| {
    set_a_dollar_a_month(&ledger).await;
    assert_eq!(evaluate_once(&ledger, NOON_MS).await.unwrap(), []);
    ledger.apply(vec![spend("one", NOON_MS, 49)]).await.unwrap();
    assert_eq!(evaluate_once(&ledger, NOON_MS).await.unwrap(), []);
    ledger.apply(vec![spend("two", NOON_MS, 1)]).await.unwrap();
    let fired = evaluate_once(&ledger, NOON_MS).await.unwrap();
    assert_eq!(thresholds(&fired), [50]);
    assert_eq!(fired[0].message, "Monthly budget: $0.50 of $1.00 spent this month (50.0 %), past the mark of 50 %.");
    assert_eq!(fired[0].evidence.contributors[0].name, "claude-sonnet-5-5");
    assert!(matches!(&fired[0].evidence.measured, Measured::Spend { spent_nano_usd: NanoUsd(500_000_000), .. }));
    for later in 0..5 {
        assert_eq!(evaluate_once(&ledger, NOON_MS + later).await.unwrap(), []);
    }
    ledger.apply(vec![spend("three", NOON_MS, 300)]).await.unwrap();
    assert_eq!(thresholds(&evaluate_once(&ledger, NOON_MS).await.unwrap()), [75, 90]);
    assert_eq!(kept(&ledger).await.len(), 3);
});

on_both!(a_clock_that_jumps_over_a_months_end_and_back_fires_nothing_twice, |ledger| {
    set_a_dollar_a_month(&ledger).await;
    ledger.apply(vec![spend("march", APRIL_MS - HOUR_MS, 80), spend("april", APRIL_MS + HOUR_MS, 60)]).await.unwrap();
    let (march_ms, april_ms) = (APRIL_MS - 1, APRIL_MS);
    assert_eq!(thresholds(&evaluate_once(&ledger, march_ms).await.unwrap()), [50, 75]);
    assert_eq!(thresholds(&evaluate_once(&ledger, april_ms).await.unwrap()), [50], "April's own");
    for now_ms in [march_ms, april_ms, march_ms - 20 * DAY_MS, april_ms + DAY_MS, march_ms] {
        assert_eq!(thresholds(&evaluate_once(&ledger, now_ms).await.unwrap()), [0; 0]);
    }
    assert_eq!(thresholds(&kept(&ledger).await).len(), 3);
});

on_both!(a_changed_limit_fires_what_it_newly_crosses_and_nothing_again, |ledger| {
    set_limit(&ledger, 1_000).await;
    ledger.apply(vec![spend("one", NOON_MS, 60)]).await.unwrap();
    assert_eq!(evaluate_once(&ledger, NOON_MS).await.unwrap(), []);
    set_a_dollar_a_month(&ledger).await;
    assert_eq!(thresholds(&evaluate_once(&ledger, NOON_MS).await.unwrap()), [50]);
    set_limit(&ledger, 1_000).await;
    set_limit(&ledger, 70).await;
    assert_eq!(thresholds(&evaluate_once(&ledger, NOON_MS).await.unwrap()), [75], "50 % stays the one it was");
    let in_tokyo = Budget::parse(70, [50, 75, 90], "Asia/Tokyo").unwrap();
    ledger.save_budget(&alice(), &in_tokyo, &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(thresholds(&evaluate_once(&ledger, NOON_MS).await.unwrap()), [0; 0], "still the same March");
});

on_both!(every_budget_of_every_user_is_watched_in_its_own_period_and_scope, |ledger| {
    let team = NamedBudget {
        id: "team".into(),
        name: "Shop".into(),
        scope: BudgetScope::Project("shop".into()),
        period: BudgetPeriod::Day,
        limit: NanoUsd::from_cents(10).unwrap(),
        thresholds: vec![80],
        raise: Some(Raise { limit: NanoUsd::from_cents(100).unwrap(), until_ms: NOON_MS }),
        ..NamedBudget::of_default(&alice(), &Budget::default_in(&berlin()))
    };
    ledger.save_named_budget(&team, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    let mut in_shop = spend("one", NOON_MS - HOUR_MS, 9);
    in_shop.record.context.project = Some("shop".into());
    let mut of_bob = spend("two", NOON_MS, 9_500);
    of_bob.record.user_id = UserId("bob".into());
    ledger.apply(vec![in_shop, of_bob]).await.unwrap();

    let raised = evaluate_once(&ledger, NOON_MS - 1).await.unwrap();
    assert_eq!(raised.iter().map(|one| one.user_id.0.as_str()).collect::<Vec<_>>(), ["bob"; 3]);
    let fired = evaluate_once(&ledger, NOON_MS).await.unwrap();
    assert_eq!(fired[0].message, "Shop: $0.09 of $0.10 spent today (90.0 %), past the mark of 80 %.");
    assert_eq!((fired.len(), &fired[0].user_id), (1, &alice()));
    assert_eq!(evaluate_once(&ledger, NOON_MS + DAY_MS).await.unwrap(), [], "a new day has spent nothing");
});

on_both!(calls_without_a_price_make_it_a_lower_bound, |ledger| {
    set_a_dollar_a_month(&ledger).await;
    let mut unpriced = spend("one", NOON_MS, 0);
    unpriced.cost = None;
    unpriced.pricing_state = crate::domain::usage::PricingState::Unpriced;
    ledger.apply(vec![unpriced, spend("two", NOON_MS, 50)]).await.unwrap();
    let fired = evaluate_once(&ledger, NOON_MS).await.unwrap();
    assert!(fired[0].message.contains("At least $0.50 of $1.00"), "{}", fired[0].message);
    assert_eq!(fired[0].evidence.unpriced_calls, 1);
});

/// A call of $2 at noon on each of the Tuesdays before, and $30 today.
async fn spend_on_tuesdays(ledger: &Ledger) {
    let mut events: Vec<_> = (1..=5).map(|week| spend(&format!("{week}"), NOON_MS - week * 7 * DAY_MS, 200)).collect();
    let mut dear = spend("today", NOON_MS, 3_000);
    dear.record.context.session_id = Some("runaway".into());
    dear.record.context.project = Some("shop".into());
    events.push(dear);
    ledger.apply(events).await.unwrap();
}

fn anomalies(alerts: &[Alert]) -> Vec<(AnomalyKind, AnomalyRule)> {
    let of = |alert: &Alert| match alert.subject {
        AlertSubject::Anomaly { kind, rule, .. } => Some((kind, rule)),
        AlertSubject::Budget { .. } | AlertSubject::Runaway { .. } => None,
    };
    alerts.iter().filter_map(of).collect()
}

on_both!(an_unusual_day_is_one_alert_with_what_brought_it_about, |ledger| {
    spend_on_tuesdays(&ledger).await;
    let fired = evaluate_once(&ledger, NOON_MS).await.unwrap();
    // By the mean of the week too: tokens and calls are as always, the cost is not.
    let expected = [(AnomalyKind::HighCost, AnomalyRule::Robust)];
    let robust: Vec<_> = fired.iter().filter(|one| anomalies(std::slice::from_ref(one)) == expected).collect();
    assert_eq!(robust.len(), 1, "{fired:?}");
    assert_eq!(
        robust[0].message,
        "$30.00 spent so far today. On the 5 Tuesdays before, it was $2.00 by 13:00, give or take $0.00."
    );
    let named: Vec<_> = robust[0].evidence.contributors.iter().map(|one| (one.dimension, one.name.as_str())).collect();
    assert_eq!(
        named,
        [(Dimension::Model, "claude-sonnet-5-5"), (Dimension::Project, "shop"), (Dimension::Session, "runaway")]
    );
    assert_eq!(evaluate_once(&ledger, NOON_MS + HOUR_MS).await.unwrap(), []);
    // The next Tuesday is another day.
    ledger.apply(vec![spend("next", NOON_MS + 7 * DAY_MS, 3_000)]).await.unwrap();
    let next = evaluate_once(&ledger, NOON_MS + 7 * DAY_MS).await.unwrap();
    assert!(anomalies(&next).contains(&expected[0]), "{next:?}");
});

on_both!(what_was_called_normal_is_not_told_again, |ledger| {
    spend_on_tuesdays(&ledger).await;
    for alert in evaluate_once(&ledger, NOON_MS).await.unwrap() {
        ledger.mark_alert_normal(&alice(), &alert.id, &alice(), NOON_MS).await.unwrap();
    }
    ledger.apply(vec![spend("next", NOON_MS + 7 * DAY_MS, 3_000)]).await.unwrap();
    let next = evaluate_once(&ledger, NOON_MS + 7 * DAY_MS).await.unwrap();
    assert!(!anomalies(&next).iter().any(|(_, rule)| *rule == AnomalyRule::Robust), "{next:?}");
});

/// The same ledger, opened several times.
async fn check_that_several_ledgers_fire_once(one: Ledger, open: impl AsyncFn() -> Ledger) {
    set_a_dollar_a_month(&one).await;
    one.apply(vec![spend("one", NOON_MS, 80)]).await.unwrap();
    let two = open().await;
    let (first, second) = tokio::join!(evaluate_once(&one, NOON_MS), evaluate_once(&two, NOON_MS));
    let mut fired = thresholds(&[first.unwrap(), second.unwrap()].concat());
    fired.sort_unstable();
    assert_eq!(fired, [50, 75], "each by one of the two");
    one.close().await;
    two.close().await;
    let reopened = open().await;
    assert_eq!(evaluate_once(&reopened, NOON_MS).await.unwrap(), []);
    assert_eq!(thresholds(&kept(&reopened).await).len(), 2);
    reopened.apply(vec![spend("two", NOON_MS, 15)]).await.unwrap();
    assert_eq!(thresholds(&evaluate_once(&reopened, NOON_MS).await.unwrap()), [90]);
}

#[tokio::test]
async fn two_evaluators_and_a_restart_fire_once_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(folder.path());
    let open = async || open_at(&url).await;
    check_that_several_ledgers_fire_once(open().await, open).await;
}

#[tokio::test]
async fn two_evaluators_and_a_restart_fire_once_postgres() {
    let Some(url) = postgres_url() else { return };
    let open = async || open_at(&url).await;
    check_that_several_ledgers_fire_once(open().await, open).await;
}

#[tokio::test]
async fn instances_on_postgres_take_turns() {
    let Some(url) = postgres_url() else { return };
    let (one, two) = (open_at(&url).await, open_at(&url).await);
    let turn = one.take_watch_turn().await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(300), two.take_watch_turn()).await;
    assert!(waiting.is_err(), "the other one waits");
    drop(turn);
    tokio::time::timeout(Duration::from_secs(5), two.take_watch_turn()).await.unwrap().unwrap();
}

/// The newest alerts as soon as there are so many; fails after ten seconds.
async fn wait_for_alerts(ledger: &Ledger, count: usize) -> Vec<Alert> {
    for _ in 0..200 {
        let alerts = kept(ledger).await;
        if alerts.len() >= count {
            return alerts;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} of {count} alerts", kept(ledger).await.len());
}

on_both!(lost_calls_are_told_as_soon_as_the_server_runs, |ledger| {
    ledger.save_channel(&channel(UserId::owner(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    let lost = LostCalls { overloaded: 2, ..LostCalls::default() };
    let health = move || RecorderHealth { lost, ..RecorderHealth::default() };
    let telling = tokio::spawn(keep_telling_losses(ledger.clone(), "spool".into(), health, || NOON_MS));
    for _ in 0..200 {
        if ledger.next_delivery_at_ms().await.unwrap().is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    telling.abort();
    let told = ledger.deliveries(&UserId::owner(), "c1", 10).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].notification.title, "2 calls could not be recorded");
});

on_both!(a_running_watch_follows_the_numbers_and_stops, |ledger| {
    let clock = Arc::new(AtomicI64::new(NOON_MS));
    let now = clock.clone();
    set_a_dollar_a_month(&ledger).await;
    ledger.apply(vec![spend("one", NOON_MS, 60)]).await.unwrap();
    let watch = Watch::start(ledger.clone(), move || now.load(Ordering::Relaxed));
    assert_eq!(thresholds(&wait_for_alerts(&ledger, 1).await), [50], "what was there at the start");
    ledger.apply(vec![spend("two", NOON_MS, 20)]).await.unwrap();
    assert_eq!(thresholds(&wait_for_alerts(&ledger, 2).await), [75, 50]);
    set_limit(&ledger, 85).await;
    assert_eq!(thresholds(&wait_for_alerts(&ledger, 3).await), [90, 75, 50]);
    let stopping = std::time::Instant::now();
    watch.stop().await;
    assert!(stopping.elapsed() < Duration::from_millis(500), "{:?}", stopping.elapsed());
    clock.store(APRIL_MS, Ordering::Relaxed);
    ledger.apply(vec![spend("april", APRIL_MS, 90)]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    assert_eq!(kept(&ledger).await.len(), 3, "it has stopped");
});
