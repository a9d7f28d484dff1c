//! Everyone's figures are the users' together, and what they are measured by.

use super::account::join;
use super::*;
use crate::domain::account::Role;
use crate::domain::audit::Actor;
use crate::domain::budget::{Budget, BudgetPeriod, BudgetScope, NamedBudget};
use crate::domain::price::PriceBook;
use crate::domain::query::{Aggregation, Range, UsageQuery};
use crate::domain::report::UsageReport;
use crate::ledger::{EventFilter, UsageOwner};

fn users() -> [UserId; 3] {
    ["alice", "bob", "carol"].map(|name| UserId(name.into()))
}

/// Ninety calls of three users over ten days, of two models, two sources and two projects, some failed, some unpriced.
fn mixed() -> Vec<UsageEvent> {
    let of = |n: i64| {
        let mut one = event(users()[n as usize % 3].clone(), &format!("req_{n}"), NOON_MS - n * 8_000_000);
        if n % 2 == 0 {
            one.record.model = "claude-opus-5".into();
            one.model_family = "opus".into();
        }
        if n % 5 == 0 {
            one = UsageEvent { cost: None, pricing_state: PricingState::Unpriced, ..one };
        }
        one.record.source = if n % 7 == 0 { Source::Gateway } else { Source::Api };
        one.record.context.project = (n % 4 == 0).then(|| "shop".into());
        one.record.api_key_id = Some(format!("key-{}", n % 3));
        one.record.outcome.success = n % 11 != 0;
        one.record.outcome.response_time_ms = Some(100 + n as u64);
        one
    };
    (0..90).map(of).collect()
}

async fn report(ledger: &Ledger, scope: &Scope, query: &UsageQuery) -> UsageReport {
    ledger.report(scope, query, NOON_MS).await.unwrap()
}

on_both!(everyones_figures_are_the_users_together, |ledger| {
    ledger.apply(mixed()).await.unwrap();
    // By days, and by hours of a zone that day rollups are not cut in.
    let daily = UsageQuery::default();
    let hourly = UsageQuery {
        range: Range::Custom { from: "2026-03-01".parse().unwrap(), to: "2026-03-10".parse().unwrap() },
        aggregation: Some(Aggregation::Hourly),
        time_zone: Some("Asia/Kathmandu".into()),
        ..UsageQuery::default()
    };
    for query in [daily.clone(), hourly, UsageQuery { model: Some("opus".into()), ..daily }] {
        let everyone = report(&ledger, &Scope::Everyone, &query).await;
        let mut calls = 0;
        let mut cost = NanoUsd::ZERO;
        let mut tokens = vec![0; everyone.time_series.len()];
        let mut unpriced = 0;
        for user in users() {
            let own = report(&ledger, &only(user), &query).await;
            assert!(own.summary.total_calls > 0);
            calls += own.summary.total_calls;
            unpriced += own.summary.unpriced_calls;
            cost = cost.checked_add(own.summary.total_cost_nano_usd).unwrap();
            for (sum, point) in tokens.iter_mut().zip(&own.time_series) {
                *sum += point.tokens;
            }
        }
        assert_eq!((everyone.summary.total_calls, everyone.summary.unpriced_calls), (calls, unpriced), "{query}");
        assert_eq!(everyone.summary.total_cost_nano_usd, cost, "{query}");
        assert_eq!(everyone.time_series.iter().map(|point| point.tokens).collect::<Vec<_>>(), tokens, "{query}");
    }
    let hours = ledger.heat_map(&Scope::Everyone, &UsageQuery::default(), NOON_MS).await.unwrap();
    assert_eq!(hours.calls.iter().flatten().sum::<u64>(), 90);
});

on_both!(everyones_events_follow_each_other_whosever_they_are, |ledger| {
    let mut events = mixed();
    // Two of different users at one moment.
    events.push(event(alice(), "same moment", NOON_MS));
    ledger.apply(events.clone()).await.unwrap();
    events.sort_by_key(|event| std::cmp::Reverse((event.record.occurred_at_ms, event.id.clone())));
    for (limit, model) in [(1, None), (7, None), (500, None), (7, Some("opus"))] {
        let model = model.map(str::to_owned);
        let mut filter = EventFilter { limit, model: model.clone(), ..EventFilter::default() };
        let mut seen = Vec::new();
        loop {
            let page = ledger.events(&Scope::Everyone, &filter).await.unwrap();
            assert!(page.events.len() <= limit as usize);
            seen.extend(page.events.into_iter().map(|event| event.id));
            let Some(next) = page.next else { break };
            filter.after = Some(next);
        }
        let wanted = events.iter().filter(|event| model.as_ref().is_none_or(|model| event.model_family == *model));
        assert_eq!(seen, wanted.map(|event| event.id.clone()).collect::<Vec<_>>(), "{limit} {model:?}");
    }
    assert_eq!(ledger.newest_event_ms(&Scope::Everyone).await.unwrap(), Some(NOON_MS));
    assert_eq!(ledger.newest_event_ms(&only(users()[1].clone())).await.unwrap(), Some(NOON_MS - 8_000_000));
    let of_carol = events.iter().find(|event| event.record.user_id == users()[2]).unwrap();
    assert!(ledger.event(&Scope::Everyone, &of_carol.id).await.unwrap().is_some());
    assert!(ledger.event(&only(alice()), &of_carol.id).await.unwrap().is_none());
});

on_both!(who_can_be_asked_for_has_an_account_or_usage, |ledger| {
    let ann = join(&ledger, "ann", Role::Admin).await;
    ledger
        .apply(vec![event(alice(), "of nobody", NOON_MS), event(ann.user_id.clone(), "of ann", NOON_MS)])
        .await
        .unwrap();
    let with_login = |user_id: UserId, login: &str| UsageOwner { user_id, login: Some(login.into()) };
    let gone = UsageOwner { user_id: alice(), login: None };
    let ann_then = with_login(ann.user_id.clone(), "ann");
    assert_eq!(ledger.usage_owners().await.unwrap(), [with_login(UserId::owner(), "owner"), ann_then, gone.clone()]);
    assert_eq!(ledger.role_of(&ann.user_id).await.unwrap(), Some(Role::Admin));
    ledger.delete_account(&ann.user_id, &Actor::command_line(), NOON_MS).await.unwrap();
    let nameless = UsageOwner { user_id: ann.user_id.clone(), login: None };
    let owners = ledger.usage_owners().await.unwrap();
    assert!(owners.len() == 3 && owners.contains(&nameless) && owners.contains(&gone), "{owners:?}");
    assert_eq!(ledger.role_of(&ann.user_id).await.unwrap(), None);
    for (user, is_known) in
        [(alice(), true), (ann.user_id, true), (UserId::owner(), true), (UserId("bob".into()), false)]
    {
        assert_eq!(ledger.knows_user(&user).await.unwrap(), is_known, "{user:?}");
    }
});

on_both!(everyone_is_measured_by_the_lowest_monthly_budget_that_is_for_everyone, |ledger| {
    ledger.apply(mixed()).await.unwrap();
    let without = report(&ledger, &Scope::Everyone, &UsageQuery::default()).await;
    assert_eq!((without.budget, without.alerts, without.time_zone.as_str()), (None, vec![], "Europe/Berlin"));
    let of_everyone = |id: &str, limit: i64| NamedBudget {
        id: id.into(),
        name: "House".into(),
        scope: BudgetScope::Everyone,
        limit: NanoUsd(limit * 10_000_000),
        thresholds: vec![50],
        time_zone: "Asia/Tokyo".into(),
        ..NamedBudget::of_default(&UserId::owner(), &Budget::default_in(&berlin()))
    };
    let daily = NamedBudget { period: BudgetPeriod::Day, ..of_everyone("daily", 1) };
    let of_model = NamedBudget { model: Some("opus".into()), ..of_everyone("of-model", 1) };
    for budget in [of_everyone("high", 9_000), of_everyone("low", 100), daily, of_model] {
        ledger.save_named_budget(&budget, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    }
    let measured = report(&ledger, &Scope::Everyone, &UsageQuery::default()).await;
    let status = measured.budget.unwrap();
    assert_eq!((status.limit, measured.time_zone.as_str()), (100, "Asia/Tokyo"));
    assert_eq!(status.spent_nano_usd, measured.summary.total_cost_nano_usd, "all of it happened in March");
    assert_eq!(measured.alerts.iter().map(|alert| alert.threshold).collect::<Vec<_>>(), [50]);
    // A user is measured by their own, whoever looks.
    let own = report(&ledger, &only(alice()), &UsageQuery::default()).await;
    assert_eq!((own.budget.unwrap().limit, own.time_zone.as_str()), (10_000, "Europe/Berlin"));
});
