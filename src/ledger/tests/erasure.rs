//! Somebody is erased: nothing of them is left, the others' figures are what they were, and nothing comes back.

use super::account::join;
use super::alert::crossed;
use super::delivery::{channel, notification};
use super::pause::paused;
use super::*;
use crate::domain::account::{Account, Role};
use crate::domain::alert::NewAlert;
use crate::domain::api_key::{KeyScope, KeyText};
use crate::domain::audit::Actor;
use crate::domain::budget::{AlertLevel, Budget, BudgetScope, NamedBudget};
use crate::domain::pause::SessionPause;
use crate::domain::price::PriceBook;
use crate::domain::query::{Range, UsageQuery};
use crate::domain::report::UsageReport;
use crate::ledger::db::{Db, with_reader};
use crate::ledger::oidc::Identity;
use crate::ledger::{BatchClaim, BatchOwner, FileMark};
use sqlx::AssertSqlSafe;

const TODAY_MS: i64 = NOON_MS + 20 * DAY_MS;

/// Twenty days of Ann's and of two others' calls. Most share series and quarter hours; some of Ann's have a model, a project
/// and a day to themselves.
fn calls(ann: &UserId) -> Vec<UsageEvent> {
    let users = [ann.clone(), alice(), UserId("bob".into())];
    let mut events: Vec<UsageEvent> = (0..120)
        .map(|n| event(users[n as usize % 3].clone(), &format!("req_{n}"), NOON_MS + n / 6 * DAY_MS + n % 2 * 60_000))
        .collect();
    for n in 0..5 {
        let mut alone = event(ann.clone(), &format!("alone_{n}"), NOON_MS - 40 * DAY_MS + n * HOUR_MS);
        alone.record.model = "claude-of-ann".into();
        alone.record.context.project = Some("of ann".into());
        events.push(alone);
    }
    // In no sum: a part without tokens.
    let mut part = event(ann.clone(), "part", NOON_MS);
    part.record.part_of = Some("req_0".into());
    part.record.tokens = TokenCounts::default();
    events.push(UsageEvent { cost: Some(NanoUsd::ZERO), cost_parts: CostParts::default(), ..part });
    events
}

/// An admin with one of everything that the ledger keeps of a person.
async fn ann_in(ledger: &Ledger) -> (Account, KeyText) {
    let ann = join(ledger, "ann", Role::Admin).await;
    let user = &ann.user_id;
    ledger.apply(calls(user)).await.unwrap();
    let key =
        ledger.create_key(user, "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap().text;
    assert!(ledger.authenticate(&key, NOON_MS).await.unwrap().is_some());
    ledger.open_session(user, &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.create_invite(Role::Admin, &Actor::account(user, None), NOON_MS).await.unwrap();
    ledger.save_budget(user, &Budget::default_in(&berlin()), &Actor::command_line(), NOON_MS).await.unwrap();
    let of_everyone = NamedBudget {
        id: "house".into(),
        name: "House".into(),
        scope: BudgetScope::Everyone,
        ..NamedBudget::of_default(user, &Budget::default_in(&berlin()))
    };
    ledger.save_named_budget(&of_everyone, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.save_channel(&channel(user.clone(), "c1"), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.record_alerts(vec![NewAlert { user_id: user.clone(), ..crossed(50, NOON_MS) }]).await.unwrap();
    ledger.enqueue(user, &notification(AlertLevel::Info), NOON_MS).await.unwrap();
    ledger.save_import_file(user, "a.jsonl", FileMark { size_bytes: 1, modified_at_ms: 1 }).await.unwrap();
    let identity =
        Identity { issuer: "https://id.example.org".into(), subject: "1".into(), email: "ann@example.org".into() };
    assert!(ledger.link(&ann, &identity, &Actor::command_line(), NOON_MS).await.unwrap());
    ledger.begin_link(user, &identity, "/", NOON_MS).await.unwrap();
    ledger.claim_batch(&batch_of(user)).await.unwrap();
    ledger.pause_session(&SessionPause { user_id: user.clone(), ..paused("s-1", NOON_MS) }).await.unwrap();
    (ann, key)
}

fn batch_of(user: &UserId) -> BatchClaim {
    let owner = BatchOwner { user_id: user.clone(), api_key_id: None, context: CallContext::default() };
    BatchClaim { batch_id: "b1".into(), owner, at_ms: NOON_MS }
}

async fn report(ledger: &Ledger, scope: &Scope) -> UsageReport {
    let query = UsageQuery { range: Range::Year, ..UsageQuery::default() };
    ledger.report(scope, &query, TODAY_MS).await.unwrap()
}

async fn assert_sound(ledger: &Ledger) {
    let check = ledger.verify_rollups().await.unwrap();
    assert_eq!(check.difference(), 0, "{check:?}");
}

/// How many rows each table has of a user. A table without the column is not there.
async fn rows_of(ledger: &Ledger, user: &UserId) -> Vec<(String, i64)> {
    let tables: Vec<String> = match &ledger.db {
        Db::Sqlite { reader, .. } => sqlx::query_scalar(
            "select m.name from sqlite_master m, pragma_table_info(m.name) p where m.type = 'table' and p.name = 'user_id' \
             order by 1",
        )
        .fetch_all(reader)
        .await
        .unwrap(),
        Db::Postgres { pool, .. } => sqlx::query_scalar(
            "select table_name::text from information_schema.columns where table_schema = 'public' \
             and column_name = 'user_id' order by 1",
        )
        .fetch_all(pool)
        .await
        .unwrap(),
    };
    let mut rows = Vec::new();
    for table in tables {
        let count = format!("select count(*) from {table} where user_id = $1");
        let count: i64 = with_reader!(&ledger.db, |pool| {
            sqlx::query_scalar(AssertSqlSafe(count)).bind(&user.0).fetch_one(pool).await.unwrap()
        });
        rows.push((table, count));
    }
    rows
}

on_both!(who_is_erased_leaves_nothing_and_the_others_as_they_were, |ledger| {
    let (ann, key) = ann_in(&ledger).await;
    // Some events are gone already, and their sums are there.
    ledger.settle_events_before(NOON_MS + 5 * DAY_MS).await.unwrap();
    while ledger.remove_settled_events(100).await.unwrap() > 0 {}
    let before = rows_of(&ledger, &ann.user_id).await;
    let untouched: Vec<&str> = before
        .iter()
        .filter(|(table, count)| *count == 0 && table != "erased_user")
        .map(|(table, _)| table.as_str())
        .collect();
    assert_eq!(untouched, [""; 0], "the test has something of everything");
    let others = [only(alice()), only(UserId("bob".into()))];
    let figures = [report(&ledger, &others[0]).await, report(&ledger, &others[1]).await];
    let mut of_everyone = ledger.follow(&Scope::Everyone);
    of_everyone.mark_unchanged();

    assert_eq!(
        ledger.erase_account(&ann.user_id, &Actor::command_line(), TODAY_MS).await.unwrap(),
        Some(30),
        "events that were still there"
    );

    let left = rows_of(&ledger, &ann.user_id).await;
    assert_eq!(left.iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), [&("erased_user".to_owned(), 1)]);
    assert_sound(&ledger).await;
    assert_eq!([report(&ledger, &others[0]).await, report(&ledger, &others[1]).await], figures);
    let everyone = report(&ledger, &Scope::Everyone).await;
    assert_eq!(everyone.summary.total_calls, 80);
    let cost: i64 = figures.iter().map(|figures| figures.summary.total_cost_nano_usd.0).sum();
    assert_eq!(everyone.summary.total_cost_nano_usd, NanoUsd(cost));
    assert_eq!(ledger.models(&Scope::Everyone).await.unwrap(), ["claude-sonnet-5-5"], "what was Ann's alone is gone");
    assert!(of_everyone.has_changed().unwrap());

    assert_eq!(ledger.authenticate(&key, NOON_MS).await.unwrap(), None);
    assert_eq!(ledger.account("ann").await.unwrap(), None);
    let invites: i64 = with_reader!(&ledger.db, |pool| {
        sqlx::query_scalar("select count(*) from invite where used_at_ms is null").fetch_one(pool).await.unwrap()
    });
    assert_eq!(invites, 0, "a link of hers makes no account");
    // The limit that she set for everyone still protects the others.
    let budgets = ledger.budgets(&UserId::owner()).await.unwrap();
    assert_eq!(budgets.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["Monthly budget", "House"]);
    assert_eq!(ledger.erase_account(&ann.user_id, &Actor::command_line(), TODAY_MS).await.unwrap(), None, "once");
    assert_eq!(
        ledger.erase_account(&UserId::owner(), &Actor::command_line(), TODAY_MS).await.unwrap(),
        None,
        "the owner stays"
    );
});

on_both!(an_erasure_that_is_broken_off_leaves_a_sound_ledger_and_goes_on, |ledger| {
    let (ann, key) = ann_in(&ledger).await;
    let of_alice = report(&ledger, &only(alice())).await;
    assert!(ledger.lock_out_for_good(&ann.user_id, &Actor::command_line(), TODAY_MS).await.unwrap().is_some());
    assert_eq!(ledger.authenticate(&key, NOON_MS).await.unwrap(), None, "access ends first");
    let mut days = 0;
    while ledger.erase_first_day(&ann.user_id).await.unwrap().is_some() {
        days += 1;
        assert_sound(&ledger).await;
        assert_eq!(report(&ledger, &only(alice())).await, of_alice);
        // Here the power goes, twice.
        if days == 3 {
            break;
        }
    }
    assert_eq!(days, 3);
    let account = ledger.account("ann").await.unwrap().unwrap();
    assert!(account.disabled_at_ms.is_some(), "she is there, and shut out");
    let late = event(ann.user_id.clone(), "late", TODAY_MS);
    let better = UsageEvent { id: "x".into(), ..event(ann.user_id.clone(), "req_117", NOON_MS + 19 * DAY_MS + 60_000) };
    let applied = ledger.apply(vec![late.clone(), better]).await.unwrap();
    assert_eq!(outcomes(&applied), [ApplyOutcome::Erased, ApplyOutcome::Erased]);
    // Whoever lets her in again has changed their mind.
    assert!(ledger.set_disabled(&ann.user_id, false, &Actor::command_line(), TODAY_MS).await.unwrap());
    assert_eq!(outcomes(&ledger.apply(vec![late]).await.unwrap()), [ApplyOutcome::Inserted]);
    assert!(ledger.erase_account(&ann.user_id, &Actor::command_line(), TODAY_MS).await.unwrap().unwrap() > 0);
    assert_sound(&ledger).await;
    assert_eq!(report(&ledger, &only(alice())).await, of_alice);
    assert_eq!(ledger.account("ann").await.unwrap(), None);
});

on_both!(nothing_of_an_erased_user_comes_back, |ledger| {
    let (ann, _) = ann_in(&ledger).await;
    ledger.erase_account(&ann.user_id, &Actor::command_line(), TODAY_MS).await.unwrap();
    let before = report(&ledger, &Scope::Everyone).await;
    let mut again = calls(&ann.user_id);
    again.push(event(alice(), "new", TODAY_MS));
    let applied = outcomes(&ledger.apply(again).await.unwrap());
    let count = |outcome| applied.iter().filter(|one| **one == outcome).count();
    assert_eq!(
        (count(ApplyOutcome::Erased), count(ApplyOutcome::Duplicate), count(ApplyOutcome::Inserted)),
        (46, 80, 1)
    );
    let alerts = ledger.record_alerts(vec![NewAlert { user_id: ann.user_id.clone(), ..crossed(75, NOON_MS) }]).await;
    assert_eq!(alerts.unwrap(), []);
    ledger.claim_batch(&batch_of(&ann.user_id)).await.unwrap();
    assert_eq!(report(&ledger, &Scope::Everyone).await.summary.total_calls, before.summary.total_calls + 1);
    let left = rows_of(&ledger, &ann.user_id).await;
    assert_eq!(left.iter().filter(|(_, count)| *count > 0).count(), 1);
});
