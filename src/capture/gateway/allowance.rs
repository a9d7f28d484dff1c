//! What budgets that block still allow: asked before a call is sent, settled when it ends. All of it is in memory and made
//! anew from the ledger at each start; the ledger keeps the spend, and no reservation is ever written down.
//!
//! The spend of a budget is what the ledger had when it was last asked, and the calls held here: those under way, with what
//! they may cost at most, and those that have ended, with what they did cost, until a later answer of the ledger has them
//! for certain. A call is so counted twice for a moment, but never less than once.

mod ended_calls;

use self::ended_calls::{EndedCalls, Kind};
use super::question::{Asked, FIRST_WAITS, LEDGER_WAITS, Question};
use super::refusal::Refusal;
use crate::capture::provider::request_scan::RequestFields;
use crate::capture::recorder::{CallStart, Recorder};
use crate::domain::budget::{CallScope, NamedBudget};
use crate::domain::cost::{UsageInput, price_record, price_usage};
use crate::domain::money::NanoUsd;
use crate::domain::period::Interval;
use crate::domain::price::{ModelName, PriceBook};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{ServiceTerms, UsageRecord};
use crate::ledger::{Ledger, LedgerError, Reliability};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
    under_way: HashMap<String, HeldCall>,
    ended: EndedCalls,
    /// When the ledger was last asked for its budgets. Spend from elsewhere counts with the next answer.
    asked: Option<Asked>,
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
    /// What it may cost at most.
    amount: NanoUsd,
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

    /// The scope of a call that a budget may block, so that it has to be asked for. Costs nothing worth naming while none does.
    pub async fn scope_if_limited(&self, call: &CallStart) -> Option<CallScope> {
        let Self { shared, question } = self;
        let reliability = || shared.lock().reliability(shared.ledger.budget_version());
        let waits = if shared.lock().asked.is_some() { LEDGER_WAITS } else { FIRST_WAITS };
        question.renew(reliability, waits, call.started_at_ms).await;
        let book = shared.lock();
        if book.budgets.is_empty() {
            return None;
        }
        let scope = scope_of(call);
        book.budgets.iter().any(|watched| watched.budget.counts_calls_of(&scope)).then_some(scope)
    }

    /// Holds a call for which nothing is reserved yet, so that its end is noticed whenever it comes.
    pub fn hold(&self, call: &CallStart, scope: CallScope) {
        let held = HeldCall { scope, at_ms: call.started_at_ms, model: ModelName::of(""), amount: NanoUsd::ZERO };
        self.shared.lock().under_way.insert(call.call_id.clone(), held);
    }

    pub fn holds(&self, call_id: &str) -> bool {
        self.shared.lock().under_way.contains_key(call_id)
    }

    /// Reserves what a held call may cost at most, or says which budget has no room for it. Before it is refused on an old
    /// answer, the ledger is asked anew; if that does not answer, what is known decides.
    pub async fn reserve(&self, call: &CallStart, fields: &RequestFields, bytes: u64) -> Result<(), Refusal> {
        let (call_id, now_ms) = (&call.call_id, call.started_at_ms);
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
        let Some((call_id, call)) = book.under_way.remove_entry(call_id) else { return };
        let cost = cost_of(self.shared.recorder.prices(), records);
        if cost != NanoUsd::ZERO {
            let model = records.first().map_or(call.model, |record| ModelName::of(&record.model));
            book.ended.add(call_id, Kind::new(call.scope, model, call.at_ms), cost);
        }
    }

    /// The call is not sent, or not asked for any more.
    pub fn release(&self, call_id: &str) {
        self.shared.lock().under_way.remove(call_id);
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
    async fn learn(&self, now_ms: i64) -> Result<Asked, LedgerError> {
        let asked = Asked { at: Instant::now(), version: self.ledger.budget_version() };
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
        book.ended.forget_known_to(question);
        book.budgets = watched;
        // Calls that the ledger refused would stay for ever.
        let first_ms = book.budgets.iter().map(|watched| watched.interval.start_ms).min();
        book.ended.forget_before(first_ms);
        Ok(asked)
    }
}

impl Book {
    /// How far what is known of budgets of this version can be relied on.
    fn reliability(&self, version: u64) -> Reliability {
        let blocks_nothing = self.budgets.is_empty() && self.asked.is_some_and(|asked| asked.version == version);
        match Asked::reliability(self.asked, version) {
            // Beside the call is soon enough to find out whether another process has set a budget.
            Reliability::Old if blocks_nothing => Reliability::Due,
            reliability => reliability,
        }
    }

    /// On refusal also how many questions the ledger had been asked by then.
    fn try_reserve(
        &mut self,
        call_id: &str,
        model: &ModelName,
        most: NanoUsd,
        now_ms: i64,
    ) -> Result<(), (Box<Refusal>, u64)> {
        let Some(held) = self.under_way.get(call_id) else { return Ok(()) };
        for watched in self.budgets.iter().filter(|one| one.counts(&held.scope, model)) {
            let (spent, reserved) = self.standing_of(watched, now_ms);
            let limit = watched.budget.limit_at(now_ms);
            let taken = spent.0.saturating_add(reserved.0);
            if taken >= limit.0 || taken.saturating_add(most.0) > limit.0 {
                let refusal = Refusal::new(&watched.budget, spent, reserved, most, now_ms);
                return Err((Box::new(refusal), self.questions));
            }
        }
        if let Some(held) = self.under_way.get_mut(call_id) {
            held.model = model.clone();
            held.amount = most;
        }
        Ok(())
    }

    /// What is spent in the period that now is in, and what calls under way hold of it.
    fn standing_of(&self, watched: &Watched, now_ms: i64) -> (NanoUsd, NanoUsd) {
        let interval = watched.budget.interval_at(now_ms);
        // Of a period that has begun since, the ledger has told nothing yet.
        let told = if interval == watched.interval { watched.spent.0 } else { 0 };
        let is_counted =
            |at_ms: i64, scope: &CallScope, model: &ModelName| interval.contains(at_ms) && watched.counts(scope, model);
        let ended = self.ended.sum_of(|kind| is_counted(kind.quarter_at_ms, &kind.scope, &kind.model));
        let under_way = self.under_way.values().filter(|call| is_counted(call.at_ms, &call.scope, &call.model));
        let reserved = under_way.fold(0_i64, |sum, call| sum.saturating_add(call.amount.0));
        (NanoUsd(told.saturating_add(ended.0)), NanoUsd(reserved))
    }

    fn note_recorded(&mut self, call_ids: &[&str]) {
        for id in call_ids {
            self.ended.note_recorded(id, self.questions);
        }
    }
}

impl Watched {
    fn counts(&self, scope: &CallScope, model: &ModelName) -> bool {
        self.budget.counts_calls_of(scope) && self.model.as_ref().is_none_or(|filter| filter.means(model))
    }
}

/// What a call cost, with its parts. What has no price counts nothing.
pub fn cost_of(prices: &PriceBook, records: &[UsageRecord]) -> NanoUsd {
    let costs = records.iter().filter_map(|record| price_record(prices, record).cost);
    NanoUsd(costs.fold(0, |sum, cost| sum.saturating_add(cost.0)))
}

/// Whose call it is, as budgets tell calls apart.
fn scope_of(call: &CallStart) -> CallScope {
    CallScope {
        user_id: call.user_id.clone(),
        api_key_id: call.api_key_id.clone(),
        project: call.context.project.clone(),
    }
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
