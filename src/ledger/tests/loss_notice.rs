//! Lost calls are told once, to those who manage the server.

use super::*;
use crate::domain::budget::AlertLevel;
use crate::domain::notification::{Fact, Notification, Topic};
use crate::domain::recorder_health::LostCalls;

const HOUR_MS: i64 = 3_600_000;
const SPOOL: &str = "a";

fn lost(spool_full: u64) -> LostCalls {
    LostCalls { spool_full, rejected: 1, ..LostCalls::default() }
}

async fn told(ledger: &Ledger, user: &UserId) -> Vec<Notification> {
    let deliveries = ledger.deliveries(user, "c1", 10).await.unwrap();
    deliveries.into_iter().map(|delivery| delivery.notification).collect()
}

on_both!(lost_calls_are_told_once_to_who_manages_the_server, |ledger| {
    for user in [UserId::owner(), alice()] {
        ledger.save_channel(&channel(user, "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    }
    ledger.tell_losses(SPOOL, &LostCalls::default(), NOON_MS).await.unwrap();
    assert_eq!(told(&ledger, &UserId::owner()).await, []);

    ledger.tell_losses(SPOOL, &lost(2), NOON_MS).await.unwrap();
    ledger.tell_losses(SPOOL, &lost(2), NOON_MS + 2 * HOUR_MS).await.unwrap();
    let notifications = told(&ledger, &UserId::owner()).await;
    assert_eq!(notifications.len(), 1);
    let notification = &notifications[0];
    assert_eq!((notification.topic, notification.level), (Topic::Health, AlertLevel::Critical));
    assert_eq!(notification.title, "3 calls could not be recorded");
    assert_eq!(notification.facts, [Fact::new("No space was left", "2 calls"), Fact::new("Refused", "1 call")]);
    assert_eq!(told(&ledger, &alice()).await, [], "she is no admin");
});

on_both!(more_losses_are_told_an_hour_later_with_how_many_are_new, |ledger| {
    ledger.save_channel(&channel(UserId::owner(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.tell_losses(SPOOL, &lost(2), NOON_MS).await.unwrap();
    ledger.tell_losses(SPOOL, &lost(5), NOON_MS + HOUR_MS - 1).await.unwrap();
    assert_eq!(told(&ledger, &UserId::owner()).await.len(), 1);
    ledger.tell_losses(SPOOL, &lost(6), NOON_MS + HOUR_MS).await.unwrap();
    let notifications = told(&ledger, &UserId::owner()).await;
    assert_eq!(notifications[0].title, "4 more calls could not be recorded");
    assert_eq!(notifications[0].facts[0], Fact::new("No space was left", "6 calls"));
});

on_both!(losses_that_are_not_counted_any_more_are_no_news_and_the_next_one_is, |ledger| {
    ledger.save_channel(&channel(UserId::owner(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.tell_losses(SPOOL, &lost(9), NOON_MS).await.unwrap();
    ledger.tell_losses(SPOOL, &LostCalls::default(), NOON_MS + HOUR_MS).await.unwrap();
    assert_eq!(told(&ledger, &UserId::owner()).await.len(), 1);
    ledger.tell_losses(SPOOL, &lost(0), NOON_MS + HOUR_MS).await.unwrap();
    assert_eq!(told(&ledger, &UserId::owner()).await[0].title, "1 call could not be recorded");
});

on_both!(two_servers_on_one_ledger_tell_their_own_losses_once_each, |ledger| {
    ledger.save_channel(&channel(UserId::owner(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    for hours in 0..4 {
        let now_ms = NOON_MS + hours * HOUR_MS;
        ledger.tell_losses(SPOOL, &lost(4), now_ms).await.unwrap();
        ledger.tell_losses("b", &LostCalls::default(), now_ms).await.unwrap();
        ledger.tell_losses("c", &lost(1), now_ms).await.unwrap();
    }
    let titles: Vec<String> = told(&ledger, &UserId::owner()).await.into_iter().map(|told| told.title).collect();
    assert_eq!(titles, ["2 calls could not be recorded", "5 calls could not be recorded"]);
});
