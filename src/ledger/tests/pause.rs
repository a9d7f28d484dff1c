//! Pauses of sessions: one at a time, each with one alert and its messages, and whoever may can end it.

use super::delivery::channel;
use super::*;
use crate::domain::alert::{Alert, AlertKind, AlertSubject};
use crate::domain::audit::Actor;
use crate::domain::budget::AlertLevel;
use crate::domain::pause::{Resumption, SessionPause};
use crate::ledger::db::with_tx;
use crate::ledger::{AlertAbout, AlertFilter};

pub(super) fn paused(session_id: &str, at_ms: i64) -> SessionPause {
    SessionPause {
        id: Uuid::now_v7().to_string(),
        user_id: alice(),
        session_id: session_id.into(),
        paused_at_ms: at_ms,
        spent: NanoUsd(2_100_000_000),
        limit: NanoUsd(2_000_000_000),
        resumed: None,
    }
}

async fn alerts(ledger: &Ledger) -> Vec<Alert> {
    ledger.alerts(&alice(), &AlertFilter { limit: 9, ..AlertFilter::default() }).await.unwrap().alerts
}

async fn run(ledger: &Ledger, statement: &'static str) {
    let mut tx = ledger.db.begin().await.unwrap();
    with_tx!(&mut tx, |connection| sqlx::query(statement).execute(connection).await.map(|_| ()).unwrap());
    tx.commit().await.unwrap();
}

on_both!(a_pause_comes_with_one_alert_and_the_message_that_tells_of_it, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    let first = paused("s-1", NOON_MS);
    assert!(ledger.pause_session(&first).await.unwrap());
    assert!(!ledger.pause_session(&first).await.unwrap(), "it is written down");
    assert!(!ledger.pause_session(&paused("s-1", NOON_MS + 1)).await.unwrap(), "it is paused, whoever saw it");
    assert_eq!(ledger.open_pauses(&Scope::Everyone, None).await.unwrap(), std::slice::from_ref(&first));

    let alerts = alerts(&ledger).await;
    assert_eq!(alerts.len(), 1);
    let alert = &alerts[0];
    assert_eq!(alert.subject, AlertSubject::Runaway { pause_id: first.id.clone() });
    assert!(ledger.has_alert(&alice(), &alert.subject).await.unwrap());
    assert_eq!((alert.subject.kind(), alert.level), (AlertKind::Runaway, AlertLevel::Critical));
    assert_eq!(
        alert.message,
        "Session s-1 spent $2.10 within a minute; its limit is $2.00. It is paused until somebody resumes it; other \
         sessions go on."
    );
    let deliveries = ledger.deliveries(&alice(), "c1", 9).await.unwrap();
    assert_eq!(deliveries.len(), 1);
    let told = &deliveries[0].notification;
    assert_eq!((told.alert_id.as_deref(), told.link.as_deref()), (Some(alert.id.as_str()), Some("/alerts")));
    assert_eq!((told.title.as_str(), &told.sentence), ("A session is paused", &alert.message));
    assert!(told.facts.iter().any(|fact| fact.label == "Session" && fact.value == "s-1"), "{told:?}");
});

on_both!(a_pause_that_fails_half_way_leaves_neither_pause_nor_alert_nor_message, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    for (away, back) in [
        ("alter table delivery rename to away", "alter table away rename to delivery"),
        ("alter table alert rename to away", "alter table away rename to alert"),
    ] {
        run(&ledger, away).await;
        assert!(ledger.pause_session(&paused("s-1", NOON_MS)).await.is_err(), "{away}");
        run(&ledger, back).await;
        assert_eq!(ledger.pauses(&Scope::Everyone, 9).await.unwrap(), [], "{away}");
        assert_eq!(alerts(&ledger).await, [], "{away}");
        assert_eq!(ledger.deliveries(&alice(), "c1", 9).await.unwrap(), [], "{away}");
    }
    assert!(ledger.pause_session(&paused("s-1", NOON_MS)).await.unwrap(), "now it can");
});

on_both!(a_pause_is_ended_by_its_user_or_for_everyone_and_the_first_one_counts, |ledger| {
    let (bob, first) = (UserId("bob".into()), paused("s-1", NOON_MS));
    ledger.pause_session(&first).await.unwrap();
    ledger.pause_session(&paused("s-2", NOON_MS + 1)).await.unwrap();
    assert_eq!(
        ledger.resume_session(&only(bob.clone()), &first.id, &Actor::account(&bob, None), NOON_MS).await.unwrap(),
        None,
        "not his"
    );
    assert_eq!(
        ledger.resume_session(&Scope::Everyone, "none", &Actor::account(&bob, None), NOON_MS).await.unwrap(),
        None
    );
    assert_eq!(ledger.open_pauses(&only(alice()), None).await.unwrap().len(), 2);
    assert_eq!(ledger.open_pauses(&only(bob.clone()), None).await.unwrap(), []);

    let resumed = SessionPause { resumed: Some(Resumption { at_ms: NOON_MS + 5, by: bob.clone() }), ..first.clone() };
    let by_manager =
        ledger.resume_session(&Scope::Everyone, &first.id, &Actor::account(&bob, None), NOON_MS + 5).await.unwrap();
    assert_eq!(by_manager.as_ref(), Some(&resumed));
    let again =
        ledger.resume_session(&only(alice()), &first.id, &Actor::account(&alice(), None), NOON_MS + 9).await.unwrap();
    assert_eq!(again, by_manager, "the first one counts");
    assert_eq!(ledger.pauses(&only(alice()), 9).await.unwrap()[1], resumed);
    let open = ledger.open_pauses(&only(alice()), Some(9)).await.unwrap();
    assert_eq!(open.iter().map(|one| one.session_id.as_str()).collect::<Vec<_>>(), ["s-2"]);
    let seen: Vec<_> = alerts(&ledger).await.into_iter().map(|alert| alert.acknowledged.map(|one| one.by)).collect();
    assert_eq!(seen, [None, Some(bob)], "its alert is acknowledged with it, and no other");

    assert!(ledger.pause_session(&paused("s-1", NOON_MS + 10)).await.unwrap(), "it ran away again");
    assert_eq!(alerts(&ledger).await.len(), 3);
    assert_eq!(ledger.pauses(&only(alice()), 1).await.unwrap()[0].paused_at_ms, NOON_MS + 10);
});

on_both!(a_pause_moves_its_users_numbers_and_stays_when_sample_data_goes, |ledger| {
    let mut made_up = event(alice(), "demo:1", NOON_MS);
    made_up.record.source = Source::Demo;
    ledger.apply(vec![made_up]).await.unwrap();
    let mut of_alice = ledger.follow(&only(alice()));
    of_alice.mark_unchanged();
    let (first, version) = (paused("s-1", NOON_MS), ledger.pause_version());
    ledger.pause_session(&first).await.unwrap();
    assert!(of_alice.has_changed().unwrap() && ledger.pause_version() > version);
    of_alice.mark_unchanged();
    let version = ledger.pause_version();
    ledger.remove_source(&alice(), Source::Demo).await.unwrap();
    assert_eq!((alerts(&ledger).await.len(), ledger.pauses(&Scope::Everyone, 9).await.unwrap().len()), (1, 1));
    of_alice.mark_unchanged();
    ledger.resume_session(&only(alice()), &first.id, &Actor::account(&alice(), None), NOON_MS).await.unwrap();
    assert!(of_alice.has_changed().unwrap() && ledger.pause_version() > version);
});

on_both!(a_paused_session_is_neither_an_anomaly_nor_a_budgets, |ledger| {
    ledger.pause_session(&paused("s-1", NOON_MS)).await.unwrap();
    for (about, count) in [(AlertAbout::Budgets, 0), (AlertAbout::Anomalies, 0), (AlertAbout::Runaways, 1)] {
        let filter = AlertFilter { about: Some(about), limit: 9, ..AlertFilter::default() };
        assert_eq!(ledger.alerts(&alice(), &filter).await.unwrap().alerts.len(), count, "{about:?}");
    }
    let id = alerts(&ledger).await.remove(0).id;
    assert!(!ledger.mark_alert_normal(&alice(), &id, &alice(), NOON_MS).await.unwrap(), "nothing about it is normal");
});
