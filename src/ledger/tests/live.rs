//! Versions grow when a user's numbers move, and only then.

use super::*;

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
    ledger.save_budget(&alice(), &budget, NOON_MS).await.unwrap();
    assert!(of_alice.has_changed().unwrap());
    of_bob.mark_unchanged();
});
