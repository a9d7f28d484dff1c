//! The audit log: one row for each change, in the change's own transaction, and no more of them than are kept.

use super::*;
use crate::domain::account::{NewPassword, Role};
use crate::domain::api_key::KeyScope;
use crate::domain::audit::{ActorKind, AuditAction, AuditEntry, AuditGroup, AuditNote, AuditTarget};
use crate::domain::budget::{Budget, BudgetPeriod, NamedBudget};
use crate::domain::channel::{Channel, Digest, Target};
use crate::domain::notification::Topic;
use crate::domain::price::PriceBook;
use crate::domain::secret::Secret;
use crate::ledger::db::with_tx;
use crate::ledger::invite::Joined;
use crate::ledger::{AuditFilter, AuditLimits};

const WORDS: &str = "four words of mine";
const HOOK: &str = "https://hooks.example.com/services/T0/B0/veryveryverysecret";
const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HOME: &str = "203.0.113.9";

/// An admin at home.
fn ada() -> Actor {
    Actor::account(&UserId::owner(), HOME.parse().ok())
}

fn all() -> AuditFilter {
    AuditFilter { limit: 1_000, ..AuditFilter::default() }
}

/// Oldest first.
async fn rows(ledger: &Ledger) -> Vec<AuditEntry> {
    let mut entries = ledger.audit_log(&all()).await.unwrap().entries;
    entries.reverse();
    entries
}

fn channel(url: &str, secrets: &[&str]) -> Channel {
    Channel {
        user_id: UserId::owner(),
        id: "c1".into(),
        name: "Pager".into(),
        target: Target::Webhook {
            url: Secret::new(url),
            signing_secrets: secrets.iter().map(|text| Secret::new(*text)).collect(),
        },
        min_level: crate::domain::budget::AlertLevel::Info,
        topics: vec![Topic::Budget],
        quiet_hours: None,
        digest: Digest::None,
        time_zone: "UTC".into(),
        created_at_ms: NOON_MS,
        disabled_at_ms: None,
        disabled_reason: None,
    }
}

on_both!(each_change_of_an_account_is_one_row, |ledger| {
    let password = NewPassword::parse(WORDS).unwrap();
    let owner = UserId::owner();
    ledger.set_password(&owner, &password, &ada(), NOON_MS).await.unwrap();
    let invite = ledger.create_invite(Role::Member, &ada(), NOON_MS).await.unwrap();
    let guest = Actor::nobody("198.51.100.7".parse().ok());
    let Joined::Account(ann) = ledger.accept_invite(&invite, "ann", &password, &guest, NOON_MS).await.unwrap() else {
        panic!("nobody joined")
    };
    let ann = ann.user_id;
    let session = ledger.open_session(&ann, &guest, NOON_MS).await.unwrap();
    ledger.end_session(&session, &guest, NOON_MS).await.unwrap();
    ledger.end_session(&session, &guest, NOON_MS).await.unwrap();
    ledger.set_role(&ann, Role::Admin, &ada(), NOON_MS).await.unwrap();
    ledger.set_disabled(&ann, true, &ada(), NOON_MS).await.unwrap();
    ledger.set_disabled(&ann, false, &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.delete_account(&ann, &ada(), NOON_MS + 1).await.unwrap();
    let told: Vec<_> = rows(&ledger)
        .await
        .into_iter()
        .map(|row| {
            let who = row.actor_login.unwrap_or_else(|| row.actor_kind.name().into());
            let AuditNote { action, target, detail } = row.note;
            assert_eq!(row.at_ms, if action == AuditAction::UserDeleted { NOON_MS + 1 } else { NOON_MS });
            format!("{who} {action:?} {} {detail} {}", target.name, row.came_from.unwrap_or_default())
        })
        .collect();
    assert_eq!(
        told,
        [
            "owner PasswordChanged owner  203.0.113.9",
            "owner UserInvited  for a member 203.0.113.9",
            "ann UserJoined ann as a member 198.51.100.7",
            "ann Login ann  198.51.100.7",
            "ann Logout ann  198.51.100.7",
            "owner UserRoleChanged ann now an admin 203.0.113.9",
            "owner UserDisabled ann  203.0.113.9",
            "command_line UserEnabled ann  command line",
            "owner UserDeleted ann their keys are revoked 203.0.113.9",
        ]
    );
});

on_both!(each_change_of_keys_budgets_and_channels_is_one_row, |ledger| {
    let (owner, prices) = (UserId::owner(), PriceBook::builtin());
    let scopes = [KeyScope::Read, KeyScope::Admin];
    let key = ledger.create_key(&owner, "laptop", &scopes, &ada(), NOON_MS).await.unwrap().key;
    let by_key = Actor::key(&owner, &key.id, None);
    let budget = Budget::default_in(&Zone::UTC);
    ledger.save_budget(&owner, &budget, &Actor::library(), NOON_MS).await.unwrap();
    let half = Budget { monthly_limit: NanoUsd(50_000_000_000), ..budget.clone() };
    ledger.save_budget(&owner, &half, &by_key, NOON_MS).await.unwrap();
    let daily = NamedBudget {
        id: "b1".into(),
        name: "Daily".into(),
        period: BudgetPeriod::Day,
        ..NamedBudget::of_default(&owner, &budget)
    };
    ledger.save_named_budget(&daily, &prices, &by_key, NOON_MS).await.unwrap();
    ledger.delete_budget(&owner, "b1", &by_key, NOON_MS).await.unwrap();
    ledger.save_channel(&channel(HOOK, &[SIGNING]), &ada(), NOON_MS).await.unwrap();
    ledger.save_channel(&channel(HOOK, &[SIGNING, "whsec_other"]), &ada(), NOON_MS).await.unwrap();
    let elsewhere = channel("https://example.net/short", &[SIGNING, "whsec_other"]);
    ledger.save_channel(&elsewhere, &ada(), NOON_MS).await.unwrap();
    ledger.disable_channel(&owner, "c1", "gone", &Actor::server(), NOON_MS).await.unwrap();
    ledger.save_channel(&elsewhere, &ada(), NOON_MS).await.unwrap();
    ledger.delete_channel(&owner, "c1", &ada(), NOON_MS).await.unwrap();
    ledger.revoke_key(&owner, &key.id, &ada(), NOON_MS).await.unwrap();
    let rows = rows(&ledger).await;
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let AuditNote { action, target, detail } = &row.note;
            format!("{} {action:?} {} {} {detail}", row.actor_kind.name(), target.kind.name(), target.name)
        })
        .collect();
    let terms = "a month for all calls, alerts at 50, 75, 90 %, at the limit: notify, UTC";
    assert_eq!(
        told,
        [
            format!("account KeyCreated key laptop {} (read, admin)", key.shown()),
            format!("library BudgetChanged budget {} $100.00 {terms}", daily_name(&rows, 1)),
            format!("key BudgetChanged budget {} $50.00 {terms}; before: $100.00 {terms}", daily_name(&rows, 2)),
            "key BudgetCreated budget Daily $100.00 a day for all calls, alerts at 50, 75, 90 %, at the limit: notify, UTC"
                .into(),
            "key BudgetDeleted budget Daily ".into(),
            "account ChannelCreated channel Pager webhook to https://hooks.example.com/…cret".into(),
            "account ChannelSecretRotated channel Pager webhook to https://hooks.example.com/…cret".into(),
            "account ChannelChanged channel Pager webhook to https://example.net/…, another address or login".into(),
            "server ChannelChanged channel Pager switched off: gone".into(),
            "account ChannelChanged channel Pager webhook to https://example.net/…, switched on".into(),
            "account ChannelDeleted channel Pager ".into(),
            "account KeyRevoked key laptop ".into(),
        ]
    );
    assert_eq!(rows[2].actor_key_id.as_deref(), Some(&*key.id), "which key");
    assert_eq!(rows[2].actor_login.as_deref(), Some("owner"), "and whose");
    assert_eq!(rows[8].came_from, None);
});

/// What the budget that everybody has is called.
fn daily_name(rows: &[AuditEntry], at: usize) -> String {
    rows[at].note.target.name.clone()
}

on_both!(what_changes_nothing_leaves_no_row, |ledger| {
    let (owner, nobody) = (UserId::owner(), UserId("nobody".into()));
    let password = NewPassword::parse(WORDS).unwrap();
    let invite = ledger.create_invite(Role::Member, &ada(), NOON_MS).await.unwrap();
    let taken = ledger.accept_invite(&invite, "owner", &password, &ada(), NOON_MS).await.unwrap();
    assert_eq!(taken, Joined::LoginIsTaken);
    assert!(!ledger.set_password(&nobody, &password, &ada(), NOON_MS).await.unwrap());
    assert!(!ledger.set_role(&nobody, Role::Admin, &ada(), NOON_MS).await.unwrap());
    assert!(!ledger.set_role(&owner, Role::Member, &ada(), NOON_MS).await.unwrap());
    assert!(!ledger.set_disabled(&owner, true, &ada(), NOON_MS).await.unwrap());
    assert!(!ledger.delete_account(&nobody, &ada(), NOON_MS).await.unwrap());
    assert!(!ledger.revoke_key(&owner, "none", &ada(), NOON_MS).await.unwrap());
    assert!(!ledger.delete_budget(&owner, "none", &ada(), NOON_MS).await.unwrap());
    assert!(!ledger.delete_channel(&owner, "none", &ada(), NOON_MS).await.unwrap());
    assert!(!ledger.disable_channel(&owner, "none", "gone", &ada(), NOON_MS).await.unwrap());
    let actions: Vec<AuditAction> = rows(&ledger).await.into_iter().map(|row| row.note.action).collect();
    assert_eq!(actions, [AuditAction::UserInvited]);
});

// A reference that is looked at when the transaction ends makes the very last step fail.
on_both!(a_change_that_is_rolled_back_leaves_no_row_and_one_without_its_row_is_rolled_back, |ledger| {
    let mut tx = ledger.db.begin().await.unwrap();
    with_tx!(&mut tx, |connection| {
        sqlx::query("create table above (id text primary key)").execute(&mut *connection).await.unwrap();
        let below = "create table below (id text references above (id) deferrable initially deferred)";
        sqlx::query(below).execute(connection).await.unwrap();
    });
    tx.commit().await.unwrap();
    let note = || AuditNote::new(AuditAction::KeyCreated, AuditTarget::user(&alice(), "alice"), "");
    let actor = ada();
    let mut change = ledger.begin_change(&actor, NOON_MS).await.unwrap();
    with_tx!(change.tx(), |connection| {
        sqlx::query("insert into below (id) values ('hangs in the air')").execute(connection).await.unwrap();
    });
    change.commit(note()).await.unwrap_err();
    assert_eq!(rows(&ledger).await, []);

    let mut tx = ledger.db.begin().await.unwrap();
    with_tx!(&mut tx, |connection| {
        sqlx::query("drop table below").execute(&mut *connection).await.unwrap();
        sqlx::query("alter table audit_log rename to audit_log_elsewhere").execute(connection).await.unwrap();
    });
    tx.commit().await.unwrap();
    ledger.create_key(&alice(), "laptop", &[KeyScope::Read], &actor, NOON_MS).await.unwrap_err();
    assert_eq!(ledger.keys(&alice()).await.unwrap(), [], "what cannot be written down is not done");
});

on_both!(failed_logins_are_written_down_and_what_was_typed_is_not, |ledger| {
    let password = NewPassword::parse(WORDS).unwrap();
    let home = Actor::nobody(HOME.parse().ok());
    for (login, text, reason) in [
        ("owner", WORDS, "no password is set"),
        ("owner", "not the words", "wrong password"),
        // Typed into the wrong field.
        (WORDS, "", "unknown name"),
        ("my-own-password-15", "", "unknown name"),
        ("owner", WORDS, ""),
    ] {
        if reason == "wrong password" {
            ledger.set_password(&UserId::owner(), &password, &ada(), NOON_MS).await.unwrap();
        }
        let before = rows(&ledger).await.len();
        let is_let_in = ledger.check_password(login, text, &home, NOON_MS).await.unwrap().is_some();
        let new = rows(&ledger).await.split_off(before);
        assert_eq!((is_let_in, new.is_empty()), (reason.is_empty(), reason.is_empty()), "{login}");
        for row in new {
            let name = if reason == "unknown name" { "" } else { "owner" };
            assert_eq!((row.actor_kind, row.note.action), (ActorKind::Nobody, AuditAction::LoginFailed));
            assert_eq!((&*row.note.target.name, &*row.note.detail), (name, reason));
            assert_eq!(row.came_from.as_deref(), Some(HOME));
        }
    }
});

on_both!(no_secret_stands_in_the_audit_log, |ledger| {
    let owner = UserId::owner();
    ledger.set_password(&owner, &NewPassword::parse(WORDS).unwrap(), &ada(), NOON_MS).await.unwrap();
    let key = ledger.create_key(&owner, "laptop", &[KeyScope::Read], &ada(), NOON_MS).await.unwrap();
    let invite = ledger.create_invite(Role::Member, &ada(), NOON_MS).await.unwrap();
    let session = ledger.open_session(&owner, &ada(), NOON_MS).await.unwrap();
    ledger.save_channel(&channel(HOOK, &[SIGNING]), &ada(), NOON_MS).await.unwrap();
    ledger.save_channel(&channel(HOOK, &["whsec_another"]), &ada(), NOON_MS).await.unwrap();
    ledger.check_password("owner", "a secret guess", &ada(), NOON_MS).await.unwrap();
    ledger.end_session(&session, &ada(), NOON_MS).await.unwrap();
    let text = format!("{:?}", rows(&ledger).await);
    assert!(text.matches("AuditEntry").count() == 8, "{text}");
    let secrets = [WORDS, "a secret guess", "veryveryverysecret", SIGNING, "whsec_another"];
    for secret in secrets.into_iter().chain([key.text.reveal(), invite.reveal(), session.reveal()]) {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
});

on_both!(the_log_is_read_newest_first_page_by_page_and_by_group_and_person, |ledger| {
    let password = NewPassword::parse(WORDS).unwrap();
    let invite = ledger.create_invite(Role::Member, &ada(), NOON_MS).await.unwrap();
    let joined = ledger.accept_invite(&invite, "ann", &password, &Actor::nobody(None), NOON_MS).await.unwrap();
    let Joined::Account(ann) = joined else { panic!("{joined:?}") };
    let ann = ann.user_id;
    for minute in 0..7 {
        let by = Actor::account(&ann, None);
        ledger.create_key(&ann, &format!("k{minute}"), &[KeyScope::Read], &by, NOON_MS + minute).await.unwrap();
    }
    ledger.set_disabled(&ann, true, &ada(), NOON_MS + 9).await.unwrap();
    let mut filter = AuditFilter { limit: 4, ..AuditFilter::default() };
    let mut pages = Vec::new();
    loop {
        let page = ledger.audit_log(&filter).await.unwrap();
        pages.push(page.entries.len());
        assert!(page.entries.iter().all(|row| row.at_ms >= NOON_MS));
        assert!(page.entries.is_sorted_by_key(|row| std::cmp::Reverse(row.at_ms)));
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, [4, 4, 2]);
    let of = async |group: Option<AuditGroup>, person: Option<&str>| {
        let filter = AuditFilter { group, person: person.map(str::to_owned), ..all() };
        ledger.audit_log(&filter).await.unwrap().entries.len()
    };
    assert_eq!(of(Some(AuditGroup::Keys), None).await, 7);
    assert_eq!(of(Some(AuditGroup::Users), None).await, 3);
    assert_eq!(of(None, Some("ann")).await, 9, "what she did, and what was done to her");
    assert_eq!(of(Some(AuditGroup::Users), Some("ann")).await, 2);
    assert_eq!(of(None, Some("owner")).await, 2);
    assert_eq!(of(None, Some("bob")).await, 0);
    let wrong = ledger.audit_log(&AuditFilter { after: Some("nonsense".into()), ..all() }).await;
    assert!(wrong.is_err_and(|error| error.to_string().starts_with("after:")));
});

on_both!(pruning_keeps_the_newest_and_failed_logins_push_nothing_out, |ledger| {
    let made = |n: i64| format!("k{n}");
    for n in 0..6 {
        ledger.create_key(&alice(), &made(n), &[KeyScope::Read], &ada(), NOON_MS + n).await.unwrap();
    }
    for n in 0..20 {
        ledger.check_password("owner", "guess", &Actor::nobody(None), NOON_MS + 10 + n).await.unwrap();
    }
    let prune = async |limits: AuditLimits, now_ms: i64| {
        let mut removed = 0;
        loop {
            match ledger.prune_audit_log(&limits, 3, now_ms).await.unwrap() {
                0 => break removed,
                some => {
                    assert!(some <= 3, "a few at a time");
                    removed += some;
                }
            }
        }
    };
    let names = async || -> Vec<String> {
        let kept = rows(&ledger).await.into_iter().filter(|row| row.note.action == AuditAction::KeyCreated);
        kept.map(|row| row.note.target.name).collect()
    };
    let limits = AuditLimits { days: 365, rows: 100, failed_logins: 5 };
    assert_eq!(prune(limits, NOON_MS + 100).await, 15);
    assert_eq!(names().await.len(), 6, "they had to go first");
    assert_eq!(rows(&ledger).await.last().map(|row| row.at_ms), Some(NOON_MS + 29));
    // Eight rows: the five failures, and the newest keys.
    assert_eq!(prune(AuditLimits { rows: 8, ..limits }, NOON_MS + 100).await, 3);
    assert_eq!(names().await, [made(3), made(4), made(5)]);
    assert_eq!(prune(limits, NOON_MS + 999 * DAY_MS).await, 0, "a clock that is set years ahead");
    ledger.create_key(&alice(), "later", &[KeyScope::Read], &ada(), NOON_MS + 5 + 365 * DAY_MS).await.unwrap();
    assert_eq!(prune(limits, NOON_MS + 5 + 365 * DAY_MS).await, 2, "a year to the millisecond");
    assert_eq!(names().await, [made(5), "later".into()]);
});

on_both!(other_prices_are_noted_once, |ledger| {
    for (cards, is_other) in [("one", true), ("one", false), ("two", true), ("two", false), ("one", true)] {
        let noted = ledger.note_prices(cards, &format!("cards {cards}"), &Actor::server(), NOON_MS).await.unwrap();
        assert_eq!(noted, is_other, "{cards}");
    }
    let rows = rows(&ledger).await;
    let told: Vec<_> = rows.iter().map(|row| (row.note.action, &*row.note.detail)).collect();
    let changed = AuditAction::PricesChanged;
    assert_eq!(told, [(changed, "cards one"), (changed, "cards two"), (changed, "cards one")]);
});
