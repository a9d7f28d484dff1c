//! Several budgets: kept, counted by their scope, and refused where no call can reach them.

use super::*;
use crate::domain::api_key::KeyScope;
use crate::domain::budget::{AtLimit, Budget, BudgetPeriod, BudgetScope, NamedBudget, Raise};

fn named(id: &str, scope: BudgetScope, model: Option<&str>) -> NamedBudget {
    NamedBudget {
        id: id.into(),
        name: "Team".into(),
        scope,
        model: model.map(Into::into),
        period: BudgetPeriod::Day,
        thresholds: vec![10, 20, 30, 100],
        at_limit: AtLimit::Block,
        raise: Some(Raise { limit: NanoUsd(200_000_000_000), until_ms: NOON_MS }),
        ..NamedBudget::of_default(&alice(), &Budget::default_in(&berlin()))
    }
}

on_both!(budgets_come_back_as_they_were_set, |ledger| {
    let team = named("a", BudgetScope::Project("shop".into()), Some("sonnet"));
    ledger.save_named_budget(&team, NOON_MS).await.unwrap();
    let budgets = ledger.budgets(&alice()).await.unwrap();
    assert_eq!(budgets.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["default", "a"]);
    assert_eq!(budgets[1], team);
    assert_eq!(ledger.blocking_budgets().await.unwrap(), std::slice::from_ref(&team));
    assert!(ledger.delete_budget(&alice(), "a").await.unwrap());
    assert!(!ledger.delete_budget(&alice(), "a").await.unwrap());
});

on_both!(a_budget_counts_what_its_scope_names, |ledger| {
    let mut in_shop = event(alice(), "one", NOON_MS);
    in_shop.record.context.project = Some("shop".into());
    let mut of_key = event(alice(), "two", NOON_MS);
    of_key.record.api_key_id = Some("k".into());
    let of_bob = event(UserId("bob".into()), "three", NOON_MS);
    let yesterday = event(alice(), "four", NOON_MS - DAY_MS);
    ledger.apply(vec![in_shop, of_key, of_bob, yesterday]).await.unwrap();
    for (budget, cents) in [
        (named("a", BudgetScope::User, None), 2),
        (named("a", BudgetScope::Project("shop".into()), None), 1),
        (named("a", BudgetScope::ApiKey("k".into()), None), 1),
        (named("a", BudgetScope::Everyone, None), 3),
        (named("a", BudgetScope::Everyone, Some("sonnet")), 3),
        (named("a", BudgetScope::Everyone, Some("opus")), 0),
        (named("a", BudgetScope::User, Some("claude-sonnet-5-5-20261001")), 2),
        (named("a", BudgetScope::User, Some("claude-sonnet-5.5")), 2),
        (named("a", BudgetScope::User, Some("claude-sonnet-5")), 0),
        (NamedBudget { period: BudgetPeriod::Month, ..named("a", BudgetScope::User, None) }, 3),
    ] {
        let spent = ledger.spent_of(&budget, budget.interval_at(NOON_MS)).await.unwrap();
        assert_eq!(spent, NanoUsd(cents * 10_000_000), "{budget:?}");
    }
});

on_both!(a_budget_that_no_call_can_reach_is_refused, |ledger| {
    let made = ledger.create_key(&alice(), "laptop", &[KeyScope::Proxy], NOON_MS).await.unwrap();
    let of_key = named("a", BudgetScope::ApiKey(made.key.id.clone()), None);
    ledger.save_named_budget(&of_key, NOON_MS).await.unwrap();
    ledger.revoke_key(&alice(), &made.key.id, NOON_MS).await.unwrap();
    let refused = ledger.save_named_budget(&of_key, NOON_MS).await.unwrap_err();
    assert_eq!(refused.to_string(), "scopeId: is a revoked key: no call can reach this budget");
    let unknown = named("b", BudgetScope::ApiKey("nobody".into()), None);
    assert!(ledger.save_named_budget(&unknown, NOON_MS).await.is_err());
});
