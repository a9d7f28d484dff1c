//! Calls that have ended, until an answer of the ledger has them for certain. While the ledger is gone these may be very many, and each
//! reservation asks what they cost, so they are kept as sums.

use crate::domain::budget::CallScope;
use crate::domain::money::NanoUsd;
use crate::domain::period::QUARTER_MS;
use crate::domain::price::ModelName;
use std::collections::HashMap;

#[derive(Default)]
pub struct EndedCalls {
    calls: HashMap<String, EndedCall>,
    sums: HashMap<Kind, Sum>,
}

/// What budgets tell calls apart by. Their periods begin on a quarter hour.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    pub scope: CallScope,
    pub model: ModelName,
    /// When the quarter hour began in which they did.
    pub quarter_at_ms: i64,
}

struct EndedCall {
    kind: Kind,
    amount: NanoUsd,
    /// The ledger has it, and tells of it whenever it is asked after this question.
    known_after: Option<u64>,
}

#[derive(Default)]
struct Sum {
    amount: i64,
    calls: u64,
}

impl Kind {
    pub fn new(scope: CallScope, model: ModelName, at_ms: i64) -> Self {
        Self { scope, model, quarter_at_ms: at_ms.div_euclid(QUARTER_MS) * QUARTER_MS }
    }
}

impl EndedCalls {
    pub fn add(&mut self, call_id: String, kind: Kind, amount: NanoUsd) {
        let sum = self.sums.entry(kind.clone()).or_default();
        sum.amount = sum.amount.saturating_add(amount.0);
        sum.calls += 1;
        self.calls.insert(call_id, EndedCall { kind, amount, known_after: None });
    }

    /// What calls of these kinds did cost.
    pub fn sum_of(&self, counts: impl Fn(&Kind) -> bool) -> NanoUsd {
        let counted = self.sums.iter().filter(|(kind, _)| counts(kind));
        NanoUsd(counted.fold(0, |total: i64, (_, sum)| total.saturating_add(sum.amount)))
    }

    /// The ledger has the call since it was last asked.
    pub fn note_recorded(&mut self, call_id: &str, last_question: u64) {
        if let Some(call) = self.calls.get_mut(call_id) {
            call.known_after = Some(last_question);
        }
    }

    /// Those that the answer to this question holds.
    pub fn forget_known_to(&mut self, question: u64) {
        self.forget(|call| call.known_after.is_some_and(|known_after| known_after < question));
    }

    /// Those from before a moment; without one, all.
    pub fn forget_before(&mut self, first_ms: Option<i64>) {
        self.forget(|call| first_ms.is_none_or(|first_ms| call.kind.quarter_at_ms < first_ms));
    }

    fn forget(&mut self, is_over: impl Fn(&EndedCall) -> bool) {
        for (_, call) in self.calls.extract_if(|_, call| is_over(call)) {
            let Some(sum) = self.sums.get_mut(&call.kind) else { continue };
            sum.amount = sum.amount.saturating_sub(call.amount.0);
            sum.calls -= 1;
            if sum.calls == 0 {
                self.sums.remove(&call.kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::usage::UserId;

    const NOON_MS: i64 = 1_795_003_200_000;

    fn kind(model: &str, at_ms: i64) -> Kind {
        let scope = CallScope { user_id: UserId("alice".into()), api_key_id: None, project: None };
        Kind::new(scope, ModelName::of(model), at_ms)
    }

    #[test]
    fn a_call_counts_until_a_later_answer_has_it() {
        let mut ended = EndedCalls::default();
        ended.add("one".into(), kind("claude-opus-5", NOON_MS), NanoUsd(7));
        ended.add("two".into(), kind("claude-opus-5", NOON_MS + 1), NanoUsd(5));
        ended.note_recorded("one", 3);
        ended.forget_known_to(3);
        assert_eq!(ended.sum_of(|_| true), NanoUsd(12), "the third question may have been before it");
        ended.forget_known_to(4);
        assert_eq!(ended.sum_of(|_| true), NanoUsd(5));
        ended.note_recorded("two", 4);
        ended.forget_known_to(5);
        assert!(ended.sums.is_empty() && ended.calls.is_empty());
    }

    #[test]
    fn what_is_asked_for_is_counted_and_what_is_past_forgotten() {
        let mut ended = EndedCalls::default();
        for index in 0..1_000 {
            ended.add(format!("old-{index}"), kind("claude-opus-5", NOON_MS - QUARTER_MS + index), NanoUsd(1));
            ended.add(format!("new-{index}"), kind("claude-haiku-4-5", NOON_MS + index), NanoUsd(2));
        }
        assert_eq!(ended.sums.len(), 2, "however many there are");
        assert_eq!(ended.sum_of(|kind| kind.quarter_at_ms >= NOON_MS), NanoUsd(2_000));
        assert_eq!(ended.sum_of(|kind| kind.model == ModelName::of("claude-opus-5")), NanoUsd(1_000));
        ended.forget_before(Some(NOON_MS));
        assert_eq!((ended.sum_of(|_| true), ended.calls.len()), (NanoUsd(2_000), 1_000));
        ended.forget_before(None);
        assert!(ended.sums.is_empty());
    }
}
