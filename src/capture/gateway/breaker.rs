//! The breaker: a session that spends too much within a minute is paused until somebody resumes it; nothing else is held
//! up by it. What sessions have spent is in memory (`window`), who is paused in the ledger.
//!
//! What counts is what calls cost that have ended, at the moment of their end. What calls under way may cost is left out:
//! all of `max_tokens` and all of the input fresh is a bound that an agent whose input is cached stays far below, and would
//! pause who is not too fast. So a session goes beyond its limit by the calls that are under way when it reaches it.

mod window;

use super::allowance::cost_of;
use super::question::{Asked, LEDGER_WAITS, Question};
use super::refusal::Refusal;
use crate::capture::recorder::CallStart;
use crate::domain::money::NanoUsd;
use crate::domain::pause::SessionPause;
use crate::domain::price::PriceBook;
use crate::domain::usage::{Scope, UsageRecord, UserId};
use crate::ledger::{Ledger, LedgerError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use window::Windows;

/// A pause that the ledger did not take is tried again, after a second and then at ever longer intervals up to this one.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// When sessions are paused, and where they are resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerOptions {
    pub limit_per_minute: NanoUsd,
    /// The dashboard's address, without a slash at its end.
    pub dashboard_url: String,
}

/// The breaker of one gateway. Cheap to clone; none inside: switched off.
#[derive(Clone)]
pub struct Breaker(Option<Watcher>);

/// What the breaker says of a call.
#[derive(Debug)]
pub enum Verdict {
    Passes,
    Paused(Refusal),
    /// Its request has not told its session yet, and the user has one that is paused.
    NotYetKnown,
}

#[derive(Clone)]
struct Watcher {
    shared: Arc<Shared>,
    question: Question,
}

struct Shared {
    options: BreakerOptions,
    ledger: Ledger,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    windows: Windows,
    /// As the ledger had them when it was last asked. Each has cost somebody the limit, so there are not many.
    paused: HashMap<SessionKey, SessionPause>,
    /// Paused here, and not yet written down.
    unwritten: HashMap<SessionKey, SessionPause>,
    /// When the ledger was last asked for its pauses.
    asked: Option<Asked>,
}

/// Whose session it is: two users may name theirs alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SessionKey {
    user_id: UserId,
    session_id: String,
}

impl Breaker {
    pub fn new(options: Option<BreakerOptions>, ledger: Ledger) -> Self {
        Self(options.map(|options| Watcher::new(Shared { options, ledger, book: Mutex::default() })))
    }

    /// Whether sessions can be paused at all.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a call may pass, by what is known of its session so far.
    pub async fn judge(&self, call: &CallStart) -> Verdict {
        let Some(watcher) = &self.0 else { return Verdict::Passes };
        watcher.renew(call.started_at_ms).await;
        let (user, session_id) = (&call.user_id, call.context.session_id.as_deref());
        match session_id {
            Some(_) => self.check(user, session_id).map_or_else(Verdict::Paused, |()| Verdict::Passes),
            None if watcher.shared.lock().has_paused(user) => Verdict::NotYetKnown,
            None => Verdict::Passes,
        }
    }

    /// As [`Self::judge`], once all of a request is known, and without asking anybody.
    pub fn check(&self, user: &UserId, session_id: Option<&str>) -> Result<(), Refusal> {
        let (Some(Watcher { shared, .. }), Some(session_id)) = (&self.0, session_id) else { return Ok(()) };
        let key = SessionKey { user_id: user.clone(), session_id: session_id.to_owned() };
        let book = shared.lock();
        let pause = book.pause_of(&key);
        pause.map_or(Ok(()), |pause| Err(Refusal::of_pause(pause, &shared.options.dashboard_url)))
    }

    /// A call has ended at `ended_ms`, with these records. Pauses its session if that was too much.
    pub fn settle(&self, prices: &PriceBook, records: &[UsageRecord], ended_ms: i64) {
        let (Some(Watcher { shared, .. }), Some(record)) = (&self.0, records.first()) else { return };
        let Some(session_id) = record.context.session_id.clone() else { return };
        let cost = cost_of(prices, records);
        if cost == NanoUsd::ZERO {
            return;
        }
        let key = SessionKey { user_id: record.user_id.clone(), session_id };
        let pause = shared.lock().add(&key, cost, ended_ms, shared.options.limit_per_minute);
        // Without a runtime the process is about to end; then nobody can call any more.
        if let (Some(pause), Ok(runtime)) = (pause, Handle::try_current()) {
            runtime.spawn(shared.clone().write_down(key, pause));
        }
    }
}

impl Watcher {
    fn new(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let asking = shared.clone();
        let question = Question::about("which sessions are paused", move |_| {
            let shared = asking.clone();
            async move { shared.ask().await }
        });
        Self { shared, question }
    }

    /// Asks the ledger who is paused, unless that is known.
    async fn renew(&self, now_ms: i64) {
        let shared = &self.shared;
        let reliability = || Asked::reliability(shared.lock().asked, shared.ledger.pause_version());
        self.question.renew(reliability, LEDGER_WAITS, now_ms).await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self) -> Result<(), LedgerError> {
        let asked = Asked { at: Instant::now(), version: self.ledger.pause_version() };
        let open = self.ledger.open_pauses(&Scope::Everyone, None).await?;
        let mut book = self.lock();
        book.asked = Some(asked);
        book.learn(open);
        Ok(())
    }

    /// The session is paused from the moment on at which it was seen; this makes it known to others and after a restart.
    async fn write_down(self: Arc<Self>, key: SessionKey, pause: SessionPause) {
        tracing::warn!(session_id = key.session_id, spent = %pause.spent, limit = %pause.limit, "a session is paused");
        let mut wait = Duration::from_secs(1);
        while let Err(error) = self.ledger.pause_session(&pause).await {
            tracing::warn!(%error, "a pause could not be written down yet");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        let mut book = self.lock();
        book.unwritten.remove(&key);
        book.paused.insert(key, pause);
    }
}

impl Book {
    fn pause_of(&self, key: &SessionKey) -> Option<&SessionPause> {
        self.unwritten.get(key).or_else(|| self.paused.get(key))
    }

    fn has_paused(&self, user: &UserId) -> bool {
        self.unwritten.keys().chain(self.paused.keys()).any(|key| key.user_id == *user)
    }

    /// Takes the ledger's word. The minute of those that were resumed begins anew.
    fn learn(&mut self, open: Vec<SessionPause>) {
        let paused: HashMap<SessionKey, SessionPause> =
            open.into_iter().map(|pause| (SessionKey::of(&pause), pause)).collect();
        for key in self.paused.keys().filter(|key| !paused.contains_key(key)) {
            self.windows.begin_anew(key);
        }
        self.paused = paused;
    }

    /// Adds a spend. Gives a pause if it is to be written down.
    fn add(&mut self, key: &SessionKey, cost: NanoUsd, at_ms: i64, limit: NanoUsd) -> Option<SessionPause> {
        let spent = self.windows.add(key, cost, at_ms);
        if spent < limit || self.pause_of(key).is_some() {
            return None;
        }
        let pause = SessionPause {
            id: uuid::Uuid::now_v7().to_string(),
            user_id: key.user_id.clone(),
            session_id: key.session_id.clone(),
            paused_at_ms: at_ms,
            spent,
            limit,
            resumed: None,
        };
        self.unwritten.insert(key.clone(), pause.clone());
        Some(pause)
    }
}

impl SessionKey {
    fn of(pause: &SessionPause) -> Self {
        Self { user_id: pause.user_id.clone(), session_id: pause.session_id.clone() }
    }
}
