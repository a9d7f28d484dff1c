//! Versions grow when a user's numbers move, and only then.

use super::*;
use crate::ledger::db::Db;
use crate::ledger::live::Versions;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

on_both!(a_version_grows_with_its_own_users_numbers, |ledger| {
    let mut of_alice = ledger.follow(&only(alice()));
    let mut of_bob = ledger.follow(&only(UserId("bob".into())));
    let mut of_everyone = ledger.follow(&Scope::Everyone);
    let first = *of_alice.borrow_and_update();
    ledger.apply(vec![event(alice(), "req_1", NOON_MS), event(alice(), "req_2", NOON_MS)]).await.unwrap();
    assert_eq!(*of_alice.borrow_and_update(), first + 1);
    assert!(of_everyone.has_changed().unwrap());
    of_everyone.mark_unchanged();
    assert!(!of_bob.has_changed().unwrap());
    ledger.apply(vec![event(alice(), "req_1", NOON_MS)]).await.unwrap();
    assert!(!of_alice.has_changed().unwrap(), "a duplicate moves nothing");
    assert!(!of_everyone.has_changed().unwrap());
    let budget = ledger.budget(&alice()).await.unwrap();
    ledger.save_budget(&alice(), &budget, &Actor::command_line(), NOON_MS).await.unwrap();
    assert!(of_alice.has_changed().unwrap());
    of_bob.mark_unchanged();
});

on_both!(what_another_process_moves_is_told_within_two_seconds, |ledger| {
    let other = another_process(&ledger).await;
    let mut of_alice = ledger.follow(&only(alice()));
    let of_bob = ledger.follow(&only(UserId("bob".into())));
    let mut of_everyone = ledger.follow(&Scope::Everyone);
    let first = *of_alice.borrow();
    let telling = ledger.clone();
    let telling = tokio::spawn(async move { telling.tell_of_others().await });
    let within = Duration::from_secs(2);
    other.apply(vec![event(alice(), "req_1", NOON_MS)]).await.unwrap();
    timeout(within, of_alice.changed()).await.expect("an event is told").unwrap();
    assert_eq!(*of_alice.borrow_and_update(), first + 1);
    assert!(timeout(within, of_everyone.changed()).await.is_ok());

    let budget = other.budget(&alice()).await.unwrap();
    other.save_budget(&alice(), &budget, &Actor::command_line(), NOON_MS).await.unwrap();
    timeout(within, of_alice.changed()).await.expect("a budget is told").unwrap();
    assert_eq!(*of_alice.borrow_and_update(), first + 2);
    other.remove_source(&alice(), Source::Api).await.unwrap();
    timeout(within, of_alice.changed()).await.expect("a removal is told").unwrap();
    assert_eq!(*of_alice.borrow_and_update(), first + 3);
    assert!(!of_bob.has_changed().unwrap(), "nobody moved Bob's");

    ledger.apply(vec![event(alice(), "req_2", NOON_MS)]).await.unwrap();
    other.apply(vec![event(alice(), "req_2", NOON_MS)]).await.unwrap();
    assert_eq!(*of_alice.borrow_and_update(), first + 4);
    let more = timeout(Duration::from_millis(1_500), of_alice.changed()).await;
    assert!(more.is_err(), "neither our own move nor a duplicate is told again");
    telling.abort();
});

on_both!(what_was_moved_before_somebody_listens_is_no_news, |ledger| {
    another_process(&ledger).await.apply(vec![event(alice(), "req_1", NOON_MS)]).await.unwrap();
    let started_later = another_process(&ledger).await;
    let mut of_alice = started_later.follow(&only(alice()));
    let telling = tokio::spawn(async move { started_later.tell_of_others().await });
    assert!(timeout(Duration::from_millis(1_500), of_alice.changed()).await.is_err());
    telling.abort();
});

/// The same database as another process has it open.
async fn another_process(ledger: &Ledger) -> Ledger {
    match &ledger.db {
        Db::Sqlite { path, .. } => open_sqlite(path.parent().unwrap_or(Path::new("."))).await,
        Db::Postgres { .. } => {
            let other = Ledger { versions: Versions::default(), ..ledger.clone() };
            other.begin_to_look().await.unwrap();
            other
        }
    }
}
