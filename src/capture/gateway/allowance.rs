//! What budgets that block still allow: asked before a call is sent, settled when it ends. All of it is in memory and made
//! anew from the ledger at each start; the ledger keeps the spend, and no reservation is ever written down.
//!
//! The spend of a budget is what the ledger had when it was last asked, and the calls held here: those under way, with what
//! they may cost at most, and those that have ended, with what they did cost, until a later answer of the ledger has them
//! for certain. A call is so counted twice for a moment, but never less than once.

use super::credential::Caller;
use super::question::{FIRST_WAITS, LEDGER_WAITS, Question};
use super::refusal::Refusal;
use crate::capture::provider::request_scan::RequestFields;
use crate::capture::recorder::Recorder;
use crate::domain::budget::{CallScope, NamedBudget};
use crate::domain::cost::{UsageInput, price_record, price_usage};
use crate::domain::money::NanoUsd;
use crate::domain::period::Interval;
use crate::domain::price::{ModelName, PriceBook};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{ServiceTerms, UsageRecord};
use crate::ledger::{Ledger, LedgerError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer of the ledger is believed: spend from elsewhere, and budgets set by another process, count after it.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// At that age an answer is asked for anew beside the calls, so that few of them ever wait for it.
const RENEWED_AFTER: Duration = Duration::from_millis(500);
/// How long the first question waits for the calls that an earlier process left in the spool.
const SPOOL_WAITS: Duration = Duration::from_secs(2);
/// A token is taken to have three bytes of the request: few have less, and keys and quotes of JSON count too.
const BYTES_PER_TOKEN: u64 = 3;

/// The allowances of one gateway. Cheap to clone.
#[derive(Clone)]
pub struct Allowance {
    shared: Arc<Shared>,
    question: Question,
}

struct Shared {
    ledger: Ledger,
    recorder: Recorder,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    budgets: Vec<Watched>,
    calls: HashMap<String, HeldCall>,
    /// When the ledger was last asked, and which version of its budgets there was.
    asked: Option<(Instant, u64)>,
    /// Grows with every question to the ledger.
    questions: u64,
    /// The last one that was answered.
    answered: u64,
}

/// A budget that blocks, and what the ledger said of it.
struct Watched {
    budget: NamedBudget,
    /// As the budget has it, read once.
    model: Option<ModelName>,
    interval: Interval,
    spent: NanoUsd,
}

struct HeldCall {
    scope: CallScope,
    at_ms: i64,
    model: ModelName,
    amount: NanoUsd,
    state: CallState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CallState {
    UnderWay,
    Ended,
    /// The ledger has it; an answer to a question later than this one does too.
    Recorded {
        after_question: u64,
    },
}

impl Allowance {
    pub fn new(ledger: Ledger, recorder: Recorder) -> Self {
        let shared = Arc::new(Shared { ledger, recorder, book: Mutex::default() });
        let noted = Arc::downgrade(&shared);
        shared.recorder.tell_recorded(move |call_ids| {
            if let Some(shared) = noted.upgrade() {
                shared.lock().note_recorded(call_ids);
            }
        });
        let asking = shared.clone();
        let question = Question::about("what budgets have spent", move |now_ms| {
            let shared = asking.clone();
            async move { shared.ask(now_ms).await }
        });
        Self { shared, question }
    }

    /// Whether any budget may block this call, so that it has to be asked for. Costs nothing worth naming while none does.
    pub async fn may_block(&self, call: &CallScope, now_ms: i64) -> bool {
        let Self { shared, question } = self;
        let age = || shared.lock().age(shared.ledger.budget_version());
        let (has_asked, is_any) = {
            let book = shared.lock();
            (book.asked.is_some(), !book.budgets.is_empty())
        };
        match age() {
            Some(age) if age < RENEWED_AFTER => {}
            // What still holds is renewed beside the call. Where nothing blocked a second ago, that is soon enough to find out
            // whether another process has set something.
            Some(age) if age < BELIEVED_FOR || !is_any => question.ask(now_ms),
            _ => {
                let is_believed = || age().is_some_and(|age| age < BELIEVED_FOR);
                let waits = if has_asked { LEDGER_WAITS } else { FIRST_WAITS };
                question.wait_until(is_believed, waits, now_ms).await;
            }
        }
        shared.lock().budgets.iter().any(|watched| watched.budget.counts_calls_of(call))
    }

    /// Holds a call for which nothing is reserved yet, so that its end is noticed whenever it comes.
    pub fn hold(&self, call_id: &str, scope: CallScope, now_ms: i64) {
        let call = HeldCall {
            scope,
            at_ms: now_ms,
            model: ModelName::of(""),
            amount: NanoUsd::ZERO,
            state: CallState::UnderWay,
        };
        self.shared.lock().calls.insert(call_id.to_owned(), call);
    }

    pub fn holds(&self, call_id: &str) -> bool {
        self.shared.lock().calls.contains_key(call_id)
    }

    /// Reserves what a held call may cost at most, or says which budget has no room for it. Before it is refused on an old
    /// answer, the ledger is asked anew; if that does not answer, what is known decides.
    pub async fn reserve(&self, call_id: &str, fields: &RequestFields, bytes: u64, now_ms: i64) -> Result<(), Refusal> {
        let requested = fields.model.as_deref().unwrap_or_default();
        let most = most_it_costs(self.shared.recorder.prices(), requested, fields.max_tokens, bytes, now_ms);
        let model = ModelName::of(requested);
        let questions = match self.shared.lock().try_reserve(call_id, &model, most, now_ms) {
            Ok(()) => return Ok(()),
            Err((_, questions)) => questions,
        };
        let is_asked_anew = || self.shared.lock().answered > questions;
        self.question.wait_until(is_asked_anew, LEDGER_WAITS, now_ms).await;
        self.shared.lock().try_reserve(call_id, &model, most, now_ms).map_err(|(refusal, _)| *refusal)
    }

    /// The call has ended, and this is what it did cost. Before it is handed to the recorder.
    pub fn settle(&self, call_id: &str, records: &[UsageRecord]) {
        let mut book = self.shared.lock();
        let Some(call) = book.calls.get_mut(call_id) else { return };
        let cost = cost_of(self.shared.recorder.prices(), records);
        if cost == NanoUsd::ZERO {
            book.calls.remove(call_id);
            return;
        }
        if let Some(record) = records.first() {
            call.model = ModelName::of(&record.model);
        }
        call.amount = cost;
        call.state = CallState::Ended;
    }

    /// The call is not sent, or not asked for any more.
    pub fn release(&self, call_id: &str) {
        self.shared.lock().calls.remove(call_id);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, now_ms: i64) -> Result<(), LedgerError> {
        let is_first = self.lock().asked.is_none();
        let mut asked = self.learn(now_ms).await?;
        if is_first && !self.lock().budgets.is_empty() {
            // What an earlier process had not handed over counts too. Meanwhile calls are refused by what the ledger has.
            tokio::time::timeout(SPOOL_WAITS, self.recorder.drained()).await.ok();
            asked = self.learn(now_ms).await?;
        }
        self.lock().asked = Some(asked);
        Ok(())
    }

    /// Takes in what the ledger has. Says when it was asked, and for which version of its budgets.
    async fn learn(&self, now_ms: i64) -> Result<(Instant, u64), LedgerError> {
        let asked = (Instant::now(), self.ledger.budget_version());
        let question = {
            let mut book = self.lock();
            book.questions += 1;
            book.questions
        };
        let budgets = self.ledger.blocking_budgets().await?;
        let mut watched = Vec::with_capacity(budgets.len());
        for budget in budgets {
            let interval = budget.interval_at(now_ms);
            let spent = self.ledger.spent_of(&budget, interval).await?;
            watched.push(Watched { model: budget.model_filter(), budget, interval, spent });
        }
        let mut book = self.lock();
        book.answered = question;
        book.calls.retain(|_, call| !call.is_known_to(question));
        book.budgets = watched;
        book.forget_past_calls();
        Ok(asked)
    }
}

impl Book {
    /// Of what is known; none if it is not of that version.
    fn age(&self, version: u64) -> Option<Duration> {
        self.asked.filter(|(_, known)| *known == version).map(|(at, _)| at.elapsed())
    }

    /// On refusal also how many questions the ledger had been asked by then.
    fn try_reserve(
        &mut self,
        call_id: &str,
        model: &ModelName,
        most: NanoUsd,
        now_ms: i64,
    ) -> Result<(), (Box<Refusal>, u64)> {
        let Some(held) = self.calls.get(call_id) else { return Ok(()) };
        for watched in self.budgets.iter().filter(|one| one.counts(&held.scope, model)) {
            let (spent, reserved) = self.standing_of(watched, now_ms);
            let limit = watched.budget.limit_at(now_ms);
            let taken = spent.0.saturating_add(reserved.0);
            if taken >= limit.0 || taken.saturating_add(most.0) > limit.0 {
                let refusal = Refusal::new(&watched.budget, spent, reserved, most, now_ms);
                return Err((Box::new(refusal), self.questions));
            }
        }
        if let Some(held) = self.calls.get_mut(call_id).filter(|held| held.state == CallState::UnderWay) {
            held.model = model.clone();
            held.amount = most;
        }
        Ok(())
    }

    /// What is spent in the period that now is in, and what calls under way hold of it.
    fn standing_of(&self, watched: &Watched, now_ms: i64) -> (NanoUsd, NanoUsd) {
        let interval = watched.budget.interval_at(now_ms);
        // Of a period that has begun since, the ledger has told nothing yet.
        let mut spent = if interval == watched.interval { watched.spent.0 } else { 0 };
        let mut reserved = 0_i64;
        let is_counted = |call: &&HeldCall| interval.contains(call.at_ms) && watched.counts(&call.scope, &call.model);
        for call in self.calls.values().filter(is_counted) {
            let sum = if call.state == CallState::UnderWay { &mut reserved } else { &mut spent };
            *sum = sum.saturating_add(call.amount.0);
        }
        (NanoUsd(spent), NanoUsd(reserved))
    }

    fn note_recorded(&mut self, call_ids: &[&str]) {
        for id in call_ids {
            if let Some(call) = self.calls.get_mut(*id) {
                call.state = CallState::Recorded { after_question: self.questions };
            }
        }
    }

    /// Ended calls that no budget's period has any more: those that the ledger refused would stay for ever.
    fn forget_past_calls(&mut self) {
        let Some(first_ms) = self.budgets.iter().map(|watched| watched.interval.start_ms).min() else {
            self.calls.retain(|_, call| call.state == CallState::UnderWay);
            return;
        };
        self.calls.retain(|_, call| call.state == CallState::UnderWay || call.at_ms >= first_ms);
    }
}

impl Watched {
    fn counts(&self, scope: &CallScope, model: &ModelName) -> bool {
        self.budget.counts_calls_of(scope) && self.model.as_ref().is_none_or(|filter| filter.means(model))
    }
}

impl HeldCall {
    fn is_known_to(&self, question: u64) -> bool {
        matches!(self.state, CallState::Recorded { after_question } if after_question < question)
    }
}

/// Whose call it is, as budgets tell calls apart.
pub fn scope_of(caller: &Caller, project: Option<&str>) -> CallScope {
    CallScope {
        user_id: caller.user_id.clone(),
        api_key_id: caller.api_key_id.clone(),
        project: project.map(str::to_owned),
    }
}

/// What a call cost, with its parts. What has no price counts nothing.
pub fn cost_of(prices: &PriceBook, records: &[UsageRecord]) -> NanoUsd {
    let costs = records.iter().filter_map(|record| price_record(prices, record).cost);
    NanoUsd(costs.fold(0, |sum, cost| sum.saturating_add(cost.0)))
}

/// The whole request as input, fresh or written to the 5-minute cache, whichever is dearer, and as much output as it allows.
/// Zero where there is no price, and without output where the request names no `max_tokens`.
fn most_it_costs(prices: &PriceBook, model: &str, max_tokens: Option<u64>, bytes: u64, at_ms: i64) -> NanoUsd {
    let input = bytes.div_ceil(BYTES_PER_TOKEN);
    let output = max_tokens.unwrap_or(0);
    let fresh = TokenCounts { input, output, ..TokenCounts::default() };
    let cached = TokenCounts { cache_write_5m: input, output, ..TokenCounts::default() };
    let cost_of = |tokens: &TokenCounts| {
        let usage = UsageInput {
            provider: Some(super::call::PROVIDER),
            model,
            at_ms,
            tokens,
            terms: &ServiceTerms::default(),
            web_search_count: 0,
            has_usage: true,
            is_estimated: true,
        };
        price_usage(prices, &usage).cost.unwrap_or_default()
    };
    cost_of(&fresh).max(cost_of(&cached))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_is_the_dearest_that_the_request_allows() {
        let prices = PriceBook::builtin();
        let most = |model, max_tokens| most_it_costs(&prices, model, max_tokens, 3_000_000, 1_790_000_000_000);
        // A million tokens written to the cache at $3.75 and a million of output at $15, where the prompt is no longer than
        // what the card has one price for; above that, the tier's.
        assert!(most("claude-sonnet-4-20250514", Some(1_000_000)) >= NanoUsd(18_750_000_000));
        assert!(most("claude-sonnet-4-20250514", None) >= NanoUsd(3_750_000_000));
        assert_eq!(most("nobody-knows-this", Some(1_000_000)), NanoUsd::ZERO, "unknown prices reserve nothing");
    }
}
