//! Several budgets: kept, counted by their scope, and refused where no call can reach them.

use super::*;
use crate::domain::api_key::KeyScope;
use crate::domain::budget::{
    AtLimit, Budget, BudgetPeriod, BudgetScope, DaySpend, NamedBudget, Raise, hindsight_interval,
};
use crate::domain::price::PriceBook;

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
    ledger.save_named_budget(&team, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    let budgets = ledger.budgets(&alice()).await.unwrap();
    assert_eq!(budgets.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["default", "a"]);
    assert_eq!(budgets[1], team);
    assert_eq!(ledger.blocking_budgets().await.unwrap(), std::slice::from_ref(&team));
    assert!(ledger.delete_budget(&alice(), "a", &Actor::command_line(), NOON_MS).await.unwrap());
    assert!(!ledger.delete_budget(&alice(), "a", &Actor::command_line(), NOON_MS).await.unwrap());
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

on_both!(the_days_of_a_budget_are_those_of_its_zone, |ledger| {
    let mut in_shop = event(alice(), "one", NOON_MS);
    in_shop.record.context.project = Some("shop".into());
    let mut unpriced = event(alice(), "two", NOON_MS - DAY_MS);
    (unpriced.cost, unpriced.pricing_state) = (None, PricingState::Unpriced);
    let second = event(alice(), "three", NOON_MS - DAY_MS);
    // 23:30 in Berlin: the next morning in Tokyo.
    let late = event(alice(), "four", NOON_MS - DAY_MS + 11 * HOUR_MS + HOUR_MS / 2);
    let long_ago = event(alice(), "five", NOON_MS - 60 * DAY_MS);
    ledger.apply(vec![in_shop, unpriced, second, late, long_ago]).await.unwrap();
    let days = async |budget: &NamedBudget| {
        let days = ledger.days_of(budget, hindsight_interval(budget, NOON_MS)).await.unwrap();
        days.iter().map(|day| (day.date.to_string(), day.cost.0 / 10_000_000, day.unpriced_calls)).collect::<Vec<_>>()
    };
    let all = named("a", BudgetScope::User, None);
    assert_eq!(days(&all).await, [("2026-03-09".into(), 2, 1), ("2026-03-10".into(), 1, 0)]);
    let of_shop = named("a", BudgetScope::Project("shop".into()), Some("sonnet"));
    assert_eq!(days(&of_shop).await, [("2026-03-10".into(), 1, 0)]);
    let in_tokyo = NamedBudget { time_zone: "Asia/Tokyo".into(), ..all.clone() };
    assert_eq!(days(&in_tokyo).await, [("2026-03-09".into(), 1, 1), ("2026-03-10".into(), 2, 0)]);
    assert_eq!(days(&named("a", BudgetScope::User, Some("opus"))).await, []);
    let one = ledger.days_of(&all, all.interval_at(NOON_MS)).await.unwrap();
    let today = DaySpend { date: "2026-03-10".parse().unwrap(), cost: NanoUsd(10_000_000), unpriced_calls: 0 };
    assert_eq!(one, [today]);
});

on_both!(a_budget_that_no_call_can_reach_is_refused, |ledger| {
    let made =
        ledger.create_key(&alice(), "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap();
    let of_key = named("a", BudgetScope::ApiKey(made.key.id.clone()), None);
    ledger.save_named_budget(&of_key, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    ledger.revoke_key(&alice(), &made.key.id, &Actor::command_line(), NOON_MS).await.unwrap();
    let refused =
        ledger.save_named_budget(&of_key, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap_err();
    assert_eq!(refused.to_string(), "scopeId: is a revoked key: no call can reach this budget");
    let unknown = named("b", BudgetScope::ApiKey("nobody".into()), None);
    assert!(ledger.save_named_budget(&unknown, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.is_err());
});

on_both!(a_budget_of_a_model_that_nobody_knows_is_refused, |ledger| {
    let save = async |model: &str| {
        let budget = named("a", BudgetScope::User, Some(model));
        ledger
            .save_named_budget(&budget, &PriceBook::builtin(), &Actor::command_line(), NOON_MS)
            .await
            .map_err(|error| error.to_string())
    };
    let reason = "model: is in no price card and in no recorded call: no call can reach this budget";
    assert_eq!(save("acme-llm-9").await, Err(reason.into()));
    for known in ["sonnet", "claude-sonnet-4-latest", "gpt-5"] {
        assert_eq!(save(known).await, Ok(()), "{known}");
    }
    let mut of_acme = event(alice(), "one", NOON_MS);
    (of_acme.record.model, of_acme.model_family) = ("acme-llm-9".into(), "acme-llm-9".into());
    ledger.apply(vec![of_acme]).await.unwrap();
    assert_eq!(save("acme-llm-9").await, Ok(()));
});

on_both!(only_an_owner_or_an_admin_limits_everyone, |ledger| {
    let of_alice = named("a", BudgetScope::Everyone, None);
    let of_owner = NamedBudget { user_id: UserId::owner(), ..of_alice.clone() };
    let refused =
        ledger.save_named_budget(&of_alice, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap_err();
    assert_eq!(refused.to_string(), "scope: everyone's calls are limited by an owner or an admin");
    ledger.save_named_budget(&of_owner, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
});
