//! Channels and the outbox: what enters, who gets it, and that nothing is told twice at the same time or lost.

use super::*;
use crate::domain::budget::AlertLevel;
use crate::domain::channel::{Channel, Digest, MailEncryption, MailLogin, MailTarget, QuietHours, Target};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::notification::{Notification, Topic};
use crate::domain::secret::Secret;
use crate::ledger::delivery::enqueue_in;
use crate::ledger::{LedgerError, Outcome};

const MINUTE_MS: i64 = 60_000;

pub(crate) fn channel(user: UserId, id: &str) -> Channel {
    Channel {
        user_id: user,
        id: id.into(),
        name: "Team".into(),
        target: Target::Webhook {
            url: Secret::new("https://example.com/hook"),
            signing_secrets: vec![Secret::new("whsec_new"), Secret::new("whsec_old")],
        },
        min_level: AlertLevel::Info,
        topics: Topic::CHOICES.to_vec(),
        quiet_hours: None,
        digest: Digest::None,
        time_zone: "Europe/Berlin".into(),
        created_at_ms: NOON_MS,
        disabled_at_ms: None,
        disabled_reason: None,
    }
}

pub(super) fn notification(level: AlertLevel) -> Notification {
    Notification { topic: Topic::Budget, level, title: "Over".into(), ..Notification::test("x", NOON_MS) }
}

fn failed(next_attempt_at_ms: i64) -> Outcome {
    Outcome { state: DeliveryState::Pending, next_attempt_at_ms, status: Some(500), answer: "é".repeat(900) }
}

fn delivered() -> Outcome {
    Outcome { state: DeliveryState::Delivered, next_attempt_at_ms: 0, status: Some(204), answer: String::new() }
}

async fn only_delivery(ledger: &Ledger) -> Delivery {
    let mut listed = ledger.deliveries(&alice(), "c1", 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    listed.remove(0)
}

on_both!(a_channel_comes_back_as_it_was_saved, |ledger| {
    let mail = Target::Email(MailTarget {
        host: "smtp.example.com".into(),
        port: 465,
        encryption: MailEncryption::Tls,
        login: Some(MailLogin { username: "me".into(), password: Secret::new("hunter2") }),
        from: "a@example.com".into(),
        to: vec!["b@example.com".into(), "c@example.com".into()],
    });
    let hook = channel(alice(), "c1");
    let quiet = Channel {
        target: mail,
        min_level: AlertLevel::Critical,
        topics: vec![Topic::Anomaly],
        quiet_hours: Some(QuietHours::parse("22:00", "7:00").unwrap()),
        digest: Digest::Weekly,
        ..channel(alice(), "c2")
    };
    ledger.save_channel(&hook, &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.save_channel(&quiet, &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(ledger.channels(&alice()).await.unwrap(), [hook.clone(), quiet]);
    assert_eq!(ledger.channels(&UserId("bob".into())).await.unwrap(), [], "invariant 6");
    assert_eq!(ledger.channel(&UserId("bob".into()), "c1").await.unwrap(), None);
    let renamed = Channel { name: "Other".into(), ..hook };
    ledger.save_channel(&renamed, &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(ledger.channel(&alice(), "c1").await.unwrap(), Some(renamed.clone()));
    let nameless =
        ledger.save_channel(&Channel { name: String::new(), ..renamed }, &Actor::command_line(), NOON_MS).await;
    assert!(matches!(nameless, Err(LedgerError::Query(_))), "{nameless:?}");
});

on_both!(a_message_goes_to_the_channels_that_take_it, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger
        .save_channel(
            &Channel { min_level: AlertLevel::Critical, ..channel(alice(), "c2") },
            &Actor::command_line(),
            NOON_MS,
        )
        .await
        .unwrap();
    ledger.save_channel(&channel(UserId("bob".into()), "c3"), &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(ledger.enqueue(&alice(), &notification(AlertLevel::Warning), NOON_MS).await.unwrap(), 1);
    let due = ledger.take_due(NOON_MS, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].channel.id.as_str(), due[0].delivery.attempts), ("c1", 1));
    assert_eq!(due[0].delivery.notification, notification(AlertLevel::Warning).trimmed());
    assert_eq!(ledger.enqueue(&alice(), &notification(AlertLevel::Critical), NOON_MS).await.unwrap(), 2);
});

on_both!(a_message_is_there_with_what_it_tells_or_not_at_all, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    let mut tx = ledger.db.begin().await.unwrap();
    assert_eq!(enqueue_in(&mut tx, &alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap(), 1);
    drop(tx);
    assert_eq!(ledger.next_delivery_at_ms().await.unwrap(), None);
    let mut tx = ledger.db.begin().await.unwrap();
    enqueue_in(&mut tx, &alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(ledger.next_delivery_at_ms().await.unwrap(), Some(NOON_MS));
});

on_both!(who_takes_a_delivery_has_it_alone_until_the_lease_runs_out, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.enqueue(&alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    assert_eq!(ledger.take_due(NOON_MS - 1, 10).await.unwrap().len(), 0);
    let first = ledger.take_due(NOON_MS, 10).await.unwrap().remove(0);
    assert_eq!(ledger.take_due(NOON_MS + MINUTE_MS, 10).await.unwrap().len(), 0);
    let second = ledger.take_due(NOON_MS + 3 * MINUTE_MS, 10).await.unwrap().remove(0);
    assert_eq!((second.delivery.id.as_str(), second.delivery.attempts), (first.delivery.id.as_str(), 2));
    // The first one comes too late: the second attempt decides.
    ledger.record_outcome(&first.delivery, &failed(NOON_MS)).await.unwrap();
    assert_eq!(only_delivery(&ledger).await.last_status, None);
    ledger.record_outcome(&second.delivery, &delivered()).await.unwrap();
    let told = only_delivery(&ledger).await;
    assert_eq!((told.state, told.last_status, told.attempts), (DeliveryState::Delivered, Some(204), 2));
    assert_eq!(ledger.take_due(NOON_MS + DAY_MS, 10).await.unwrap().len(), 0);
});

on_both!(two_who_take_at_once_get_different_deliveries, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    for _ in 0..20 {
        ledger.enqueue(&alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    }
    let taken = futures::future::join_all((0..4).map(|_| ledger.take_due(NOON_MS, 10))).await;
    let mut ids: Vec<String> = taken.into_iter().flat_map(Result::unwrap).map(|due| due.delivery.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "one was taken twice");
});

on_both!(a_failed_delivery_keeps_what_the_receiver_said_and_comes_again, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.enqueue(&alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    let due = ledger.take_due(NOON_MS, 10).await.unwrap().remove(0);
    ledger.record_outcome(&due.delivery, &failed(NOON_MS + 5_000)).await.unwrap();
    let kept = only_delivery(&ledger).await;
    assert_eq!(
        (kept.state, kept.last_status, kept.last_attempt_at_ms),
        (DeliveryState::Pending, Some(500), Some(NOON_MS))
    );
    assert_eq!(kept.last_answer.map(|answer| answer.chars().count()), Some(500));
    assert_eq!(ledger.next_delivery_at_ms().await.unwrap(), Some(NOON_MS + 5_000));
    assert_eq!(ledger.take_due(NOON_MS + 4_999, 10).await.unwrap().len(), 0);
    assert_eq!(ledger.take_due(NOON_MS + 5_000, 10).await.unwrap()[0].delivery.attempts, 2);
});

on_both!(an_attempt_that_never_ends_is_not_begun_for_ever, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.enqueue(&alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    let mut begun = 0;
    for hour in 0..20 {
        begun += ledger.take_due(NOON_MS + hour * HOUR_MS, 10).await.unwrap().len();
    }
    assert_eq!(begun, 10);
    assert_eq!(only_delivery(&ledger).await.state, DeliveryState::Dead);
});

on_both!(what_was_given_up_can_be_sent_again_by_its_owner, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.enqueue(&alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    assert!(ledger.disable_channel(&alice(), "c1", "gone", &Actor::command_line(), NOON_MS).await.unwrap());
    let given_up = only_delivery(&ledger).await;
    assert_eq!(given_up.state, DeliveryState::Dead);
    assert!(!ledger.send_again(&alice(), &given_up.id, NOON_MS).await.unwrap(), "its channel is disabled");
    assert_eq!(ledger.enqueue(&alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap(), 0);
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    assert!(!ledger.send_again(&UserId("bob".into()), &given_up.id, NOON_MS).await.unwrap());
    assert!(ledger.send_again(&alice(), &given_up.id, NOON_MS + HOUR_MS).await.unwrap());
    let due = ledger.take_due(NOON_MS + HOUR_MS, 10).await.unwrap();
    assert_eq!((due[0].delivery.id.as_str(), due[0].delivery.attempts), (given_up.id.as_str(), 1));
    assert!(!ledger.send_again(&alice(), &given_up.id, NOON_MS).await.unwrap(), "it is under way");
});

on_both!(a_digest_is_one_message_of_all_that_waited, |ledger| {
    ledger
        .save_channel(&Channel { digest: Digest::Daily, ..channel(alice(), "c1") }, &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    for level in [AlertLevel::Info, AlertLevel::Warning, AlertLevel::Critical] {
        ledger.enqueue(&alice(), &notification(level), NOON_MS).await.unwrap();
    }
    let now = ledger.take_due(NOON_MS, 10).await.unwrap();
    assert_eq!(now.len(), 1, "a critical alert does not wait");
    ledger.record_outcome(&now[0].delivery, &delivered()).await.unwrap();
    let eight = NOON_MS + 20 * HOUR_MS;
    assert_eq!(ledger.next_delivery_at_ms().await.unwrap(), Some(eight));
    ledger.gather_digests(eight - 1).await.unwrap();
    assert_eq!(ledger.take_due(eight - 1, 10).await.unwrap().len(), 0);
    ledger.gather_digests(eight).await.unwrap();
    ledger.gather_digests(eight).await.unwrap();
    let due = ledger.take_due(eight, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    let digest = &due[0].delivery.notification;
    assert_eq!((digest.topic, digest.sentence.as_str()), (Topic::Digest, "No calls. 1 warning, 1 note."));
});

on_both!(a_digest_tells_what_was_spent_also_without_an_alert, |ledger| {
    let weekly = Channel { digest: Digest::Weekly, min_level: AlertLevel::Critical, ..channel(alice(), "c1") };
    ledger.save_channel(&weekly, &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.save_channel(&channel(alice(), "c2"), &Actor::command_line(), NOON_MS).await.unwrap();
    let monday = NOON_MS + 6 * DAY_MS - 4 * HOUR_MS;
    // Two in the week, one in the week before it, one on the day of the digest, one of somebody else.
    let mut opus = event(alice(), "a", NOON_MS + DAY_MS);
    opus.record.model = "claude-opus-5".into();
    opus.cost = Some(NanoUsd(30_000_000));
    let others =
        [(alice(), "b", monday - DAY_MS), (alice(), "c", monday - 9 * DAY_MS), (alice(), "d", monday - HOUR_MS)];
    let others = others.into_iter().chain([(UserId("bob".into()), "e", NOON_MS)]);
    let events = others.map(|(user, key, at_ms)| event(user, key, at_ms)).chain([opus]);
    ledger.apply(events.collect()).await.unwrap();

    ledger.gather_digests(monday - 1).await.unwrap();
    assert_eq!(ledger.take_due(monday - 1, 10).await.unwrap().len(), 0);
    let at_once = futures::future::join_all((0..4).map(|_| ledger.gather_digests(monday))).await;
    at_once.into_iter().for_each(|outcome| outcome.unwrap());
    let told = only_delivery(&ledger).await.notification;
    assert_eq!(told.title, "$0.04 from 9 to 15 March 2026");
    assert_eq!(told.sentence, "2 calls, 300 % more than the week before.");
    assert_eq!(told.link.as_deref(), Some("/?from=2026-03-09&to=2026-03-15&tz=Europe/Berlin"));
    let lines: Vec<String> = told.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value)).collect();
    let expected = ["Spent: $0.04", "The week before: $0.01", "Calls: 2", "Model: claude-opus-5 · $0.03"];
    assert_eq!(lines[..4], expected, "{lines:?}");
    assert!(lines[5].contains("$0.06 of"), "of the budget's month: {lines:?}");
    for now_ms in [monday + HOUR_MS, monday + 3 * DAY_MS] {
        ledger.gather_digests(now_ms).await.unwrap();
    }
    only_delivery(&ledger).await;
    ledger.gather_digests(monday + 7 * DAY_MS + 11 * HOUR_MS).await.unwrap();
    assert_eq!(ledger.deliveries(&alice(), "c1", 10).await.unwrap().len(), 2, "a server that was off is late");
    ledger.gather_digests(monday + 14 * DAY_MS + 12 * HOUR_MS).await.unwrap();
    assert_eq!(ledger.deliveries(&alice(), "c1", 10).await.unwrap().len(), 2, "and at last too late");
});

on_both!(a_deleted_channel_takes_its_secrets_and_deliveries_along, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.enqueue(&alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    assert!(!ledger.delete_channel(&UserId("bob".into()), "c1", &Actor::command_line(), NOON_MS).await.unwrap());
    assert!(ledger.delete_channel(&alice(), "c1", &Actor::command_line(), NOON_MS).await.unwrap());
    assert_eq!(ledger.channels(&alice()).await.unwrap(), []);
    assert_eq!(ledger.next_delivery_at_ms().await.unwrap(), None);
});

on_both!(what_is_over_is_forgotten_and_what_waits_is_not, |ledger| {
    ledger.save_channel(&channel(alice(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    for _ in 0..2 {
        ledger.enqueue(&alice(), &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    }
    let due = ledger.take_due(NOON_MS, 1).await.unwrap().remove(0);
    ledger.record_outcome(&due.delivery, &delivered()).await.unwrap();
    assert_eq!(ledger.forget_deliveries(NOON_MS).await.unwrap(), 0);
    assert_eq!(ledger.forget_deliveries(NOON_MS + 1).await.unwrap(), 1);
    assert_eq!(only_delivery(&ledger).await.state, DeliveryState::Pending);
});
