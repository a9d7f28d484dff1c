//! Batches: the first claim to one holds, whoever comes later, as long as its results can be fetched.

use super::account::join;
use super::*;
use crate::domain::account::Role;
use crate::ledger::{BatchClaim, BatchOwner};

fn claim(user: &UserId, batch_id: &str, at_ms: i64) -> BatchClaim {
    let context = CallContext {
        conversation_id: Some("c-1".into()),
        agent_slug: Some("writer".into()),
        session_id: Some("s-1".into()),
        project: Some(format!("of {}", user.0)),
        tags: vec!["team:Data".into(), "plain".into()],
        ..CallContext::default()
    };
    let owner = BatchOwner { user_id: user.clone(), api_key_id: Some(format!("key of {}", user.0)), context };
    BatchClaim { batch_id: batch_id.into(), owner, at_ms }
}

fn bob() -> UserId {
    UserId("bob".into())
}

/// A claim that others try to take over. Whose the batch is then.
async fn owner_after(ledger: &Ledger, later: &BatchClaim) -> UserId {
    ledger.claim_batch(later).await.unwrap().user_id
}

on_both!(the_first_claim_to_a_batch_holds_with_all_that_it_says, |ledger| {
    let first = claim(&alice(), "b1", NOON_MS);
    for claim in [&first, &claim(&bob(), "b1", NOON_MS - 1), &claim(&bob(), "b1", NOON_MS + 1)] {
        assert_eq!(ledger.claim_batch(claim).await.unwrap(), first.owner);
    }
    assert_eq!(owner_after(&ledger, &claim(&bob(), "b2", NOON_MS)).await, bob(), "another batch");
    let of_nothing = BatchOwner { user_id: bob(), api_key_id: None, context: CallContext::default() };
    let plain = BatchClaim { batch_id: "b3".into(), owner: of_nothing.clone(), at_ms: NOON_MS };
    ledger.claim_batch(&plain).await.unwrap();
    assert_eq!(ledger.claim_batch(&claim(&alice(), "b3", NOON_MS)).await.unwrap(), of_nothing);
});

on_both!(of_claims_at_once_one_holds, |ledger| {
    for round in 0..10 {
        let claims: Vec<_> =
            (0..8).map(|n| claim(&UserId(format!("user {n}")), &format!("b{round}"), NOON_MS)).collect();
        let owners = futures::future::try_join_all(claims.iter().map(|claim| ledger.claim_batch(claim))).await.unwrap();
        assert!(owners.iter().all(|owner| *owner == owners[0]), "{owners:#?}");
    }
});

on_both!(a_batch_stays_that_of_an_account_that_is_gone_but_not_of_one_that_is_erased, |ledger| {
    let (ann, cat) =
        (join(&ledger, "ann", Role::Member).await.user_id, join(&ledger, "cat", Role::Member).await.user_id);
    for (user, batch) in [(&ann, "of ann"), (&cat, "of cat")] {
        ledger.claim_batch(&claim(user, batch, NOON_MS)).await.unwrap();
    }
    assert!(ledger.delete_account(&ann, &Actor::command_line(), NOON_MS).await.unwrap());
    assert_eq!(owner_after(&ledger, &claim(&bob(), "of ann", NOON_MS)).await, ann);

    // Broken off after its first step, the erasure counts already.
    ledger.lock_out_for_good(&cat, &Actor::command_line(), NOON_MS).await.unwrap().unwrap();
    assert_eq!(owner_after(&ledger, &claim(&bob(), "of cat", NOON_MS)).await, bob());
    ledger.erase_account(&cat, &Actor::command_line(), NOON_MS).await.unwrap().unwrap();
    // What came in before and waited: it is dropped with its user, and makes the batch nobody's.
    assert_eq!(owner_after(&ledger, &claim(&cat, "late", NOON_MS)).await, cat);
    assert_eq!(owner_after(&ledger, &claim(&bob(), "late", NOON_MS)).await, bob());
    assert_eq!(owner_after(&ledger, &claim(&alice(), "of cat", NOON_MS)).await, bob());
});

on_both!(claims_leave_when_no_result_can_come_any_more, |ledger| {
    ledger.claim_batch(&claim(&alice(), "old", NOON_MS)).await.unwrap();
    ledger.claim_batch(&claim(&alice(), "later", NOON_MS + 60 * DAY_MS)).await.unwrap();
    assert_eq!(owner_after(&ledger, &claim(&bob(), "old", NOON_MS + 60 * DAY_MS)).await, alice());
    ledger.claim_batch(&claim(&alice(), "latest", NOON_MS + 60 * DAY_MS + 1)).await.unwrap();
    assert_eq!(owner_after(&ledger, &claim(&bob(), "old", NOON_MS + 60 * DAY_MS + 1)).await, bob());
    assert_eq!(owner_after(&ledger, &claim(&bob(), "later", NOON_MS + 60 * DAY_MS + 1)).await, alice());
});
