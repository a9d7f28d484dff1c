//! Keys: recognised by nothing less than the whole key, and gone within a second of being revoked.

use super::*;
use crate::domain::api_key::{KeyScope, KeyText, RANDOM_DIGITS};
use crate::ledger::caller::KnownCallers;
use crate::ledger::key::CreatedKey;
use crate::ledger::{Known, Reliability};
use std::time::Duration;

const SECOND_MS: i64 = 1_000;

on_both!(a_key_is_shown_once_and_recognised_ever_after, |ledger| {
    assert!(!ledger.has_keys(NOON_MS).await.unwrap());
    let created = ledger
        .create_key(&alice(), "laptop", &[KeyScope::Proxy, KeyScope::Ingest], &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    assert!(ledger.has_keys(NOON_MS).await.unwrap());
    let text = KeyText::parse(created.text.reveal()).unwrap();
    let found = ledger.authenticate(&text, NOON_MS).await.unwrap().unwrap();
    assert_eq!((found.id.as_str(), &found.user_id, found.name.as_str()), (created.key.id.as_str(), &alice(), "laptop"));
    assert!(found.allows(KeyScope::Proxy) && found.allows(KeyScope::Ingest) && !found.allows(KeyScope::Read));
    let listed = ledger.keys(&alice()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(!format!("{listed:?}{created:?}").contains(created.text.reveal()), "no text of ours holds the key");
    assert_eq!(ledger.keys(&UserId("bob".into())).await.unwrap(), [], "invariant 6");
    let another = KeyText::from_digits([7; RANDOM_DIGITS]);
    assert_eq!(ledger.authenticate(&another, NOON_MS).await.unwrap(), None);
});

// Row 25: a disabled key of a peer worked until its cache forgot it.
on_both!(a_revoked_key_works_no_longer_at_once, |ledger| {
    let created =
        ledger.create_key(&alice(), "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    assert!(ledger.authenticate(&created.text, NOON_MS).await.unwrap().is_some());
    assert!(!ledger.revoke_key(&UserId("bob".into()), &created.key.id, &Actor::command_line(), NOON_MS).await.unwrap());
    assert!(ledger.authenticate(&created.text, NOON_MS).await.unwrap().is_some());
    assert!(ledger.revoke_key(&alice(), &created.key.id, &Actor::command_line(), NOON_MS).await.unwrap());
    assert_eq!(ledger.authenticate(&created.text, NOON_MS).await.unwrap(), None);
    assert!(!ledger.has_keys(NOON_MS).await.unwrap());
    assert!(
        !ledger.revoke_key(&alice(), &created.key.id, &Actor::command_line(), NOON_MS).await.unwrap(),
        "it was revoked before"
    );
    assert_eq!(ledger.keys(&alice()).await.unwrap()[0].revoked_at_ms, Some(NOON_MS));
});

#[tokio::test]
async fn a_key_that_another_process_revoked_works_no_longer_after_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let server = open_sqlite(folder.path()).await;
    let command = open_sqlite(folder.path()).await;
    let created =
        command.create_key(&alice(), "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    assert!(server.authenticate(&created.text, NOON_MS).await.unwrap().is_some());
    command.revoke_key(&alice(), &created.key.id, &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(server.authenticate(&created.text, NOON_MS + SECOND_MS).await.unwrap(), None);
    // A clock that was set back makes nobody believe longer.
    assert_eq!(server.authenticate(&created.text, NOON_MS - 60 * SECOND_MS).await.unwrap(), None);
}

#[tokio::test]
async fn a_known_key_still_works_while_the_database_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open_sqlite(folder.path()).await;
    let known =
        ledger.create_key(&alice(), "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    let unknown =
        ledger.create_key(&alice(), "phone", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.authenticate(&known.text, NOON_MS).await.unwrap();
    ledger.close().await;
    assert!(ledger.authenticate(&known.text, NOON_MS + HOUR_MS).await.unwrap().is_some());
    assert!(ledger.authenticate(&unknown.text, NOON_MS).await.is_err(), "not known is not let in");
}

on_both!(what_was_relied_on_is_asked_for_anew_all_at_once, |ledger| {
    // As another process has it, that knows of no change here.
    let server = Ledger { callers: KnownCallers::default(), ..ledger.clone() };
    let old_ms = NOON_MS + SECOND_MS;
    assert_eq!(server.known_need_of_key(NOON_MS), None);
    assert!(!server.needs_key(NOON_MS).await.unwrap());
    let mut made = Vec::new();
    for name in ["kept", "revoked", "unused"] {
        let actor = Actor::command_line();
        made.push(ledger.create_key(&alice(), name, &[KeyScope::Proxy], &actor, NOON_MS).await.unwrap());
    }
    let [kept, revoked, unused] = &*made else { unreachable!() };
    assert_eq!(server.known_key(&kept.text, NOON_MS), None, "nobody was asked");
    for key in &made {
        server.authenticate(&key.text, NOON_MS).await.unwrap();
    }
    let reliability = |key: &CreatedKey, now_ms| server.known_key(&key.text, now_ms).map(|known| known.reliability);
    assert_eq!(reliability(kept, NOON_MS), Some(Reliability::Sure));
    assert_eq!(reliability(kept, NOON_MS + 500), Some(Reliability::Due));
    assert_eq!(reliability(kept, old_ms), Some(Reliability::Old));
    assert_eq!(reliability(revoked, old_ms), Some(Reliability::Old));
    assert_eq!(server.known_need_of_key(old_ms), Some(Known { what: false, reliability: Reliability::Old }));

    assert!(ledger.revoke_key(&alice(), &revoked.key.id, &Actor::command_line(), NOON_MS).await.unwrap());
    server.renew_known_callers(old_ms).await.unwrap();
    assert_eq!(server.known_need_of_key(old_ms), Some(Known { what: true, reliability: Reliability::Sure }));
    assert_eq!(reliability(kept, old_ms), Some(Reliability::Sure));
    assert_eq!(reliability(revoked, old_ms), None, "the next one who shows it is looked up");
    assert_eq!(reliability(unused, old_ms), Some(Reliability::Old));
    server.renew_known_callers(old_ms).await.unwrap();
    assert_eq!(reliability(unused, old_ms), Some(Reliability::Sure));
});

on_both!(no_report_is_before_the_question_who_calls, |ledger| {
    let mut busy = Vec::new();
    while let Ok(Ok(report)) = tokio::time::timeout(Duration::from_millis(500), ledger.db.begin_reading()).await {
        busy.push(report);
    }
    let asked = tokio::time::timeout(Duration::from_secs(5), ledger.needs_key(NOON_MS)).await;
    assert!(!asked.expect("it is answered").unwrap());
    let unknown = KeyText::from_digits([7; RANDOM_DIGITS]);
    let asked = tokio::time::timeout(Duration::from_secs(5), ledger.authenticate(&unknown, NOON_MS)).await;
    assert_eq!(asked.expect("it is answered").unwrap(), None);
    assert!(busy.len() >= 4);
});

// Row 2: a peer's cache took the first 20 characters for the key.
#[tokio::test]
async fn no_near_prefix_is_taken_for_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open_sqlite(folder.path()).await;
    let created =
        ledger.create_key(&alice(), "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.authenticate(&created.text, NOON_MS).await.unwrap();
    let text = created.text.reveal();
    let mut tried = 0;
    for index in 0..100_000_usize {
        let mut near = text.as_bytes().to_vec();
        // Another character behind the 20th, and now and then in two places.
        let at = 20 + index % 32;
        near[at] = b"0123456789abcdefghijklmnopqrstuv"[index / 32 % 32];
        near[45] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[index / 1024 % 26];
        let near = String::from_utf8(near).unwrap();
        if near != text {
            tried += 1;
            assert!(KeyText::parse(&near).is_none_or(|near| !ledger.is_believed_for_test(&near)), "{near}");
        }
    }
    assert!(tried > 90_000);
    // The same with a checksum that holds.
    for index in 0..2_000_usize {
        let digits: [u8; RANDOM_DIGITS] =
            std::array::from_fn(|at| if at < 20 { 0 } else { (index >> (at - 20).min(40) & 1) as u8 });
        assert!(!ledger.is_believed_for_test(&KeyText::from_digits(digits)));
    }
    assert!(ledger.is_believed_for_test(&created.text));
}

#[tokio::test]
async fn the_last_use_is_noted_to_the_minute() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open_sqlite(folder.path()).await;
    let created =
        ledger.create_key(&alice(), "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    for at_ms in [NOON_MS, NOON_MS + 2 * SECOND_MS, NOON_MS + 61 * SECOND_MS] {
        ledger.authenticate(&created.text, at_ms).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let noted = ledger.keys(&alice()).await.unwrap()[0].last_used_at_ms;
        assert_eq!(noted, Some(if at_ms < NOON_MS + 60 * SECOND_MS { NOON_MS } else { at_ms }));
    }
}
