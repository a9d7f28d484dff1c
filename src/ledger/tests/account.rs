//! Accounts: who gets in, for how long, and who no longer.

use super::delivery::channel;
use super::*;
use crate::domain::account::{Account, NewPassword, Role};
use crate::domain::api_key::KeyScope;
use crate::domain::budget::{Budget, BudgetScope, NamedBudget};
use crate::domain::price::PriceBook;
use crate::ledger::invite::Joined;
use crate::ledger::token::Token;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const WORDS: &str = "four words of mine";

pub(super) async fn join(ledger: &Ledger, login: &str, role: Role) -> Account {
    let invite = ledger.create_invite(role, &Actor::command_line(), NOON_MS).await.unwrap();
    match ledger
        .accept_invite(&invite, login, &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOON_MS)
        .await
        .unwrap()
    {
        Joined::Account(account) => account,
        other => panic!("{other:?}"),
    }
}

on_both!(the_owner_is_there_from_the_start_and_stays, |ledger| {
    let accounts = ledger.accounts().await.unwrap();
    assert_eq!(accounts.len(), 1);
    assert_eq!((&accounts[0].user_id, accounts[0].role), (&UserId::owner(), Role::Owner));
    assert!(!accounts[0].has_password);
    assert_eq!(
        ledger.check_password("owner", "", &Actor::command_line(), NOON_MS).await.unwrap(),
        None,
        "no password lets nobody in"
    );
    assert!(!ledger.set_role(&UserId::owner(), Role::Member, &Actor::command_line(), NOON_MS).await.unwrap());
    assert!(!ledger.set_disabled(&UserId::owner(), true, &Actor::command_line(), NOON_MS).await.unwrap());
    let ann = join(&ledger, "ann", Role::Member).await;
    assert!(
        !ledger.set_role(&ann.user_id, Role::Owner, &Actor::command_line(), NOON_MS).await.unwrap(),
        "nobody else becomes the owner"
    );
});

// Row 5: a peer took the stored hash for the password.
on_both!(only_the_password_lets_in_and_never_its_hash, |ledger| {
    assert!(
        ledger
            .set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOON_MS)
            .await
            .unwrap()
    );
    assert_eq!(
        ledger.check_password(" Owner ", WORDS, &Actor::command_line(), NOON_MS).await.unwrap().unwrap().user_id,
        UserId::owner()
    );
    assert_eq!(
        ledger.check_password("owner", "four words of mind", &Actor::command_line(), NOON_MS).await.unwrap(),
        None
    );
    assert_eq!(ledger.check_password("nobody", WORDS, &Actor::command_line(), NOON_MS).await.unwrap(), None);
    let stored: String = crate::ledger::db::with_reader!(&ledger.db, |pool| {
        sqlx::query_scalar("select password_hash from account where user_id = 'owner'").fetch_one(pool).await.unwrap()
    });
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_eq!(ledger.check_password("owner", &stored, &Actor::command_line(), NOON_MS).await.unwrap(), None);
});

on_both!(a_session_ends_after_half_an_hour_unused_and_after_eight_hours, |ledger| {
    let owner = UserId::owner();
    let unused = ledger.open_session(&owner, &Actor::command_line(), NOON_MS).await.unwrap();
    let just_before = NOON_MS + 30 * MINUTE_MS - 1;
    assert_eq!(ledger.session_account(&unused, NOON_MS + 30 * MINUTE_MS).await.unwrap(), None);
    assert!(ledger.session_account(&unused, just_before).await.unwrap().is_some());
    let used = ledger.open_session(&owner, &Actor::command_line(), NOON_MS).await.unwrap();
    let mut now_ms = NOON_MS;
    while now_ms < NOON_MS + 8 * HOUR_MS {
        assert!(ledger.session_account(&used, now_ms).await.unwrap().is_some());
        now_ms += 20 * MINUTE_MS;
    }
    assert_eq!(ledger.session_account(&used, NOON_MS + 8 * HOUR_MS).await.unwrap(), None);
    assert_eq!(Token::parse(used.reveal()), Some(used.clone()));
    assert!(!format!("{used:?}").contains(used.reveal()));
});

// Row 23: sessions of a peer outlived a change of password.
on_both!(whatever_takes_access_away_ends_every_session, |ledger| {
    let ann = join(&ledger, "ann", Role::Admin).await;
    let password = NewPassword::parse("other words of mine").unwrap();
    for step in 0..3 {
        let one = ledger.open_session(&ann.user_id, &Actor::command_line(), NOON_MS).await.unwrap();
        let other = ledger.open_session(&ann.user_id, &Actor::command_line(), NOON_MS).await.unwrap();
        let of_owner = ledger.open_session(&UserId::owner(), &Actor::command_line(), NOON_MS).await.unwrap();
        assert!(ledger.session_account(&one, NOON_MS).await.unwrap().is_some());
        assert!(match step {
            0 => ledger.set_password(&ann.user_id, &password, &Actor::command_line(), NOON_MS).await.unwrap(),
            1 => ledger.set_role(&ann.user_id, Role::Member, &Actor::command_line(), NOON_MS).await.unwrap(),
            _ => ledger.set_disabled(&ann.user_id, true, &Actor::command_line(), NOON_MS).await.unwrap(),
        });
        // Let in again, the old sessions stay over.
        ledger.set_disabled(&ann.user_id, false, &Actor::command_line(), NOON_MS).await.unwrap();
        for session in [&one, &other] {
            assert_eq!(ledger.session_account(session, NOON_MS).await.unwrap(), None, "{step}");
        }
        assert!(ledger.session_account(&of_owner, NOON_MS).await.unwrap().is_some(), "others stay");
        ledger.end_session(&of_owner, &Actor::command_line(), NOON_MS).await.unwrap();
        assert_eq!(ledger.session_account(&of_owner, NOON_MS).await.unwrap(), None);
    }
    ledger.set_disabled(&ann.user_id, true, &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(
        ledger.check_password("ann", "other words of mine", &Actor::command_line(), NOON_MS).await.unwrap(),
        None
    );
    let late = ledger.open_session(&ann.user_id, &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(ledger.session_account(&late, NOON_MS).await.unwrap(), None);
});

// Row 25: a member whom a peer had removed kept access through his keys.
on_both!(the_keys_of_a_disabled_account_are_refused_at_once, |ledger| {
    let ann = join(&ledger, "ann", Role::Member).await;
    let made =
        ledger.create_key(&ann.user_id, "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    assert!(ledger.authenticate(&made.text, NOON_MS).await.unwrap().is_some());
    assert!(ledger.set_disabled(&ann.user_id, true, &Actor::command_line(), NOON_MS).await.unwrap());
    assert_eq!(ledger.authenticate(&made.text, NOON_MS).await.unwrap(), None);
    assert!(ledger.set_disabled(&ann.user_id, false, &Actor::command_line(), NOON_MS).await.unwrap());
    assert!(ledger.authenticate(&made.text, NOON_MS).await.unwrap().is_some());
});

on_both!(an_invitation_makes_one_account_within_a_week, |ledger| {
    let password = NewPassword::parse(WORDS).unwrap();
    let invite = ledger.create_invite(Role::Member, &Actor::command_line(), NOON_MS).await.unwrap();
    let taken = ledger.accept_invite(&invite, "owner", &password, &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(taken, Joined::LoginIsTaken);
    let late =
        ledger.accept_invite(&invite, "ann", &password, &Actor::command_line(), NOON_MS + 7 * DAY_MS).await.unwrap();
    assert_eq!(late, Joined::InviteIsOver);
    let in_time = ledger
        .accept_invite(&invite, "ann", &password, &Actor::command_line(), NOON_MS + 7 * DAY_MS - 1)
        .await
        .unwrap();
    assert!(matches!(in_time, Joined::Account(Account { role: Role::Member, .. })), "{in_time:?}");
    let again = ledger.accept_invite(&invite, "bob", &password, &Actor::command_line(), NOON_MS + 1).await.unwrap();
    assert_eq!(again, Joined::InviteIsOver);
    assert_eq!(ledger.accounts().await.unwrap().len(), 2);
});

on_both!(a_login_is_needed_from_the_owners_first_password_on, |ledger| {
    assert!(!ledger.needs_login(NOON_MS).await.unwrap());
    let ann = join(&ledger, "ann", Role::Admin).await;
    assert!(!ledger.needs_login(NOON_MS).await.unwrap(), "others' passwords lock nobody out");
    assert_eq!(ledger.account("ann").await.unwrap(), Some(ann));
    assert_eq!(ledger.account("bob").await.unwrap(), None);
    ledger
        .set_password(&UserId::owner(), &NewPassword::parse(WORDS).unwrap(), &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    assert!(ledger.needs_login(NOON_MS).await.unwrap());
});

on_both!(looking_at_a_session_is_no_use_of_it, |ledger| {
    let session = ledger.open_session(&UserId::owner(), &Actor::command_line(), NOON_MS).await.unwrap();
    for minute in [10, 20, 29] {
        assert!(ledger.peek_session(&session, NOON_MS + minute * MINUTE_MS).await.unwrap().is_some());
    }
    assert_eq!(ledger.peek_session(&session, NOON_MS + 30 * MINUTE_MS).await.unwrap(), None);
});

on_both!(a_deleted_account_leaves_its_usage_and_nothing_else, |ledger| {
    let ann = join(&ledger, "ann", Role::Member).await;
    let session = ledger.open_session(&ann.user_id, &Actor::command_line(), NOON_MS).await.unwrap();
    let made =
        ledger.create_key(&ann.user_id, "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    assert!(ledger.authenticate(&made.text, NOON_MS).await.unwrap().is_some());
    let call = event(ann.user_id.clone(), "of-ann", NOON_MS);
    ledger.apply(vec![call.clone()]).await.unwrap();
    assert!(ledger.delete_account(&ann.user_id, &Actor::command_line(), NOON_MS).await.unwrap());
    assert!(!ledger.delete_account(&ann.user_id, &Actor::command_line(), NOON_MS).await.unwrap(), "once");
    assert!(
        !ledger.delete_account(&UserId::owner(), &Actor::command_line(), NOON_MS).await.unwrap(),
        "the owner stays"
    );
    assert_eq!(ledger.session_account(&session, NOON_MS).await.unwrap(), None);
    assert_eq!(ledger.authenticate(&made.text, NOON_MS).await.unwrap(), None);
    assert_eq!(ledger.check_password("ann", WORDS, &Actor::command_line(), NOON_MS).await.unwrap(), None);
    assert_eq!(ledger.account("ann").await.unwrap(), None);
    assert_eq!(ledger.event(&only(ann.user_id), &call.id).await.unwrap().map(|kept| kept.id), Some(call.id));
});

on_both!(what_somebody_has_left_behind_acts_for_nobody, |ledger| {
    let actor = Actor::command_line();
    let password = NewPassword::parse(WORDS).unwrap();
    for change in ["made a member", "shut out", "deleted"] {
        let ann = join(&ledger, "ann", Role::Admin).await;
        let invite = ledger.create_invite(Role::Admin, &Actor::account(&ann.user_id, None), NOON_MS).await.unwrap();
        ledger.save_channel(&channel(ann.user_id.clone(), "c1"), &actor, NOON_MS).await.unwrap();
        let house = NamedBudget {
            id: change.into(),
            name: change.into(),
            scope: BudgetScope::Everyone,
            ..NamedBudget::of_default(&ann.user_id, &Budget::default_in(&berlin()))
        };
        ledger.save_named_budget(&house, &PriceBook::builtin(), &actor, NOON_MS).await.unwrap();
        match change {
            "made a member" => ledger.set_role(&ann.user_id, Role::Member, &actor, NOON_MS).await.unwrap(),
            "shut out" => ledger.set_disabled(&ann.user_id, true, &actor, NOON_MS).await.unwrap(),
            _ => ledger.delete_account(&ann.user_id, &actor, NOON_MS).await.unwrap(),
        };
        let joined = ledger.accept_invite(&invite, "bob", &password, &actor, NOON_MS).await.unwrap();
        assert_eq!(joined, Joined::InviteIsOver, "{change}");
        ledger.delete_account(&ann.user_id, &actor, NOON_MS).await.unwrap();
        assert_eq!(ledger.channels(&ann.user_id).await.unwrap(), [], "nobody could end it");
        let budgets = ledger.budgets(&UserId::owner()).await.unwrap();
        assert!(budgets.iter().any(|budget| budget.name == change), "the limit still protects the others");
    }
});
