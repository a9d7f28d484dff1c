//! A conversation of the Chat page: its turns, and what they came to. It lives in the tab and nowhere else.

use crate::domain::chat::TurnUsage;
use crate::domain::money::NanoUsd;
use leptos::prelude::*;
use serde::Serialize;

/// One question and its answer, which grows while it is written.
#[derive(Clone)]
pub struct Turn {
    /// From 1 on; unique in the page.
    pub number: usize,
    pub question: String,
    pub answer: ArcRwSignal<String>,
    pub state: ArcRwSignal<TurnState>,
    /// None until the call is recorded.
    pub usage: ArcRwSignal<Option<TurnUsage>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnState {
    Answering,
    Done,
    /// The reader wanted no more of it.
    Stopped,
    /// Why there is no answer, or only a part of one.
    Failed(String),
}

/// What all turns came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Total {
    pub answers: u64,
    pub tokens: u64,
    /// A lower bound where some turn has no price.
    pub cost: NanoUsd,
    pub has_unpriced: bool,
}

/// The body of `POST /api/chat`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Question<'a> {
    pub message: &'a str,
    pub model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<&'a str>,
    pub history: Vec<PastMessage>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct PastMessage {
    role: &'static str,
    content: String,
}

impl Turn {
    pub fn new(number: usize, question: String) -> Self {
        Self {
            number,
            question,
            answer: ArcRwSignal::new(String::new()),
            state: ArcRwSignal::new(TurnState::Answering),
            usage: ArcRwSignal::new(None),
        }
    }
}

impl Total {
    pub fn of(turns: &[Turn]) -> Self {
        turns.iter().filter_map(|turn| turn.usage.get()).fold(Self::default(), |sum, usage| Self {
            answers: sum.answers + 1,
            tokens: sum.tokens.saturating_add(usage.tokens.total()),
            cost: NanoUsd(sum.cost.0.saturating_add(usage.cost.unwrap_or_default().0)),
            has_unpriced: sum.has_unpriced || usage.cost.is_none(),
        })
    }
}

/// What was said before, for the provider. Questions without any answer are left out, so that the roles take turns.
pub fn history(turns: &[Turn]) -> Vec<PastMessage> {
    let answered = turns.iter().map(|turn| (&turn.question, turn.answer.get_untracked()));
    let answered = answered.filter(|(_, answer)| !answer.trim().is_empty());
    answered
        .flat_map(|(question, answer)| {
            [
                PastMessage { role: "user", content: question.clone() },
                PastMessage { role: "assistant", content: answer },
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tokens::TokenCounts;
    use crate::domain::usage::PricingState;

    fn turn(number: usize, question: &str, answer: &str) -> Turn {
        let turn = Turn::new(number, question.into());
        turn.answer.set(answer.into());
        turn
    }

    fn usage(cost: Option<i64>) -> TurnUsage {
        TurnUsage {
            call_id: "call".into(),
            conversation_id: None,
            model: "m".into(),
            tokens: TokenCounts { input: 7, output: 3, ..TokenCounts::default() },
            cost: cost.map(NanoUsd),
            cost_formatted: None,
            saved_by_cache: None,
            pricing_state: PricingState::Exact,
            stop_reason: None,
        }
    }

    #[test]
    fn a_question_without_an_answer_is_not_sent_again() {
        let turns = [turn(1, "Hi", "Hello"), turn(2, "Broken off", " "), turn(3, "And?", "So.")];
        let contents: Vec<_> = history(&turns).into_iter().map(|one| (one.role, one.content)).collect();
        let expected = [("user", "Hi"), ("assistant", "Hello"), ("user", "And?"), ("assistant", "So.")];
        assert_eq!(contents, expected.map(|(role, content)| (role, content.to_owned())));
    }

    #[test]
    fn the_total_adds_what_is_known_and_says_what_is_not() {
        let turns = [turn(1, "a", "b"), turn(2, "c", "d"), turn(3, "e", "")];
        turns[0].usage.set(Some(usage(Some(1_500))));
        turns[1].usage.set(Some(usage(None)));
        let total = Total::of(&turns);
        assert_eq!(total, Total { answers: 2, tokens: 20, cost: NanoUsd(1_500), has_unpriced: true });
    }
}
