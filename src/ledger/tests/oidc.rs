//! Logins through another provider: one answer to each, one account to each identity, and the password before a link.

use super::*;
use crate::domain::account::{Account, NewPassword, Role};
use crate::ledger::invite::Joined;
use crate::ledger::oidc::{Admission, Identity, LOGIN_LASTS_MS};
use crate::ledger::token::Token;

const ISSUER: &str = "https://login.example.org";

fn identity(subject: &str) -> Identity {
    Identity { issuer: ISSUER.into(), subject: subject.into(), email: format!("{subject}@example.org") }
}

async fn join_with(ledger: &Ledger, subject: &str) -> Account {
    let identity = identity(subject);
    match ledger
        .join_with_identity(Admission::Domain, &identity.email, &identity, &Actor::command_line(), NOON_MS)
        .await
        .unwrap()
    {
        Joined::Account(account) => account,
        other => panic!("{other:?}"),
    }
}

on_both!(a_login_through_the_provider_is_answered_once_and_within_ten_minutes, |ledger| {
    let invite = ledger.create_invite(Role::Admin, &Actor::command_line(), NOON_MS).await.unwrap();
    let token = ledger.begin_login("/keys", Some(&invite), NOON_MS).await.unwrap();
    let late = ledger.begin_login("/", None, NOON_MS).await.unwrap();
    assert_eq!(ledger.take_login(&Token::random(), NOON_MS).await.unwrap(), None);
    assert_eq!(ledger.take_login(&late, NOON_MS + LOGIN_LASTS_MS).await.unwrap(), None);
    let login = ledger.take_login(&token, NOON_MS + LOGIN_LASTS_MS - 1).await.unwrap().unwrap();
    assert_eq!(login.next, "/keys");
    assert_eq!(ledger.take_login(&token, NOON_MS + 1).await.unwrap(), None, "the second answer finds nothing");
    let admission = Admission::Invite(login.invite.as_ref().unwrap());
    let joined = ledger
        .join_with_identity(admission, "ann@example.org", &identity("ann"), &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    let Joined::Account(ann) = joined else { panic!("{joined:?}") };
    assert_eq!((ann.role, ann.has_password), (Role::Admin, false));
    let again = ledger
        .join_with_identity(admission, "bob@example.org", &identity("bob"), &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    assert_eq!(again, Joined::InviteIsOver);
    let taken = ledger
        .join_with_identity(Admission::Domain, "ann@example.org", &identity("eve"), &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    assert_eq!(taken, Joined::LoginIsTaken);
});

on_both!(an_identity_has_one_account_and_an_account_one_identity, |ledger| {
    let (ann, bob) = (join_with(&ledger, "ann").await, join_with(&ledger, "bob").await);
    assert_eq!(ledger.linked_account(ISSUER, "ann").await.unwrap(), Some(ann.clone()));
    assert_eq!(ledger.linked_account("https://other.example.org", "ann").await.unwrap(), None);
    assert!(
        !ledger.link(&bob, &identity("ann"), &Actor::command_line(), NOON_MS).await.unwrap(),
        "it is somebody else's"
    );
    assert!(
        !ledger.link(&bob, &identity("bobby"), &Actor::command_line(), NOON_MS).await.unwrap(),
        "there is one already"
    );
    assert_eq!(ledger.linked_email(&bob.user_id, ISSUER).await.unwrap(), Some("bob@example.org".into()));
    assert!(
        !ledger.unlink(&ann, ISSUER, &Actor::command_line(), NOON_MS).await.unwrap(),
        "without a password nobody could log in"
    );
    ledger
        .set_password(&ann.user_id, &NewPassword::parse("four words of mine").unwrap(), &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    assert!(ledger.unlink(&ann, ISSUER, &Actor::command_line(), NOON_MS).await.unwrap());
    assert_eq!(ledger.linked_account(ISSUER, "ann").await.unwrap(), None);
    assert!(ledger.link(&ann, &identity("ann"), &Actor::command_line(), NOON_MS).await.unwrap());
    let waits = ledger.begin_link(&ann.user_id, &identity("ann"), "/", NOON_MS).await.unwrap();
    assert!(ledger.delete_account(&ann.user_id, &Actor::command_line(), NOON_MS).await.unwrap());
    assert_eq!(ledger.linked_account(ISSUER, "ann").await.unwrap(), None, "what goes with the account");
    assert_eq!(ledger.pending_link(&waits, NOON_MS).await.unwrap(), None);
});

on_both!(a_link_waits_ten_minutes_for_the_password_and_is_made_once, |ledger| {
    let owner = UserId::owner();
    let token = ledger.begin_link(&owner, &identity("ann"), "/settings", NOON_MS).await.unwrap();
    assert_eq!(ledger.pending_link(&token, NOON_MS + LOGIN_LASTS_MS).await.unwrap(), None);
    let link = ledger.pending_link(&token, NOON_MS).await.unwrap().unwrap();
    assert_eq!((link.login.as_str(), link.next.as_str()), ("owner", "/settings"));
    assert_eq!(ledger.linked_account(ISSUER, "ann").await.unwrap(), None, "not before");
    assert!(!ledger.finish_link(&token, &link, &Actor::command_line(), NOON_MS + LOGIN_LASTS_MS).await.unwrap());
    assert!(ledger.finish_link(&token, &link, &Actor::command_line(), NOON_MS).await.unwrap());
    assert!(!ledger.finish_link(&token, &link, &Actor::command_line(), NOON_MS).await.unwrap());
    assert_eq!(ledger.linked_account(ISSUER, "ann").await.unwrap().unwrap().user_id, owner);
});
