//! A question to the ledger that is asked beside the calls: once at a time, and again until it is answered. A call waits a moment
//! for the answer, and does not wait at all once the ledger has owed it for that long: a ledger that is down or hangs holds
//! up the calls of that one moment, and none after them.

use crate::ledger::{LedgerError, Reliability};
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// How long a call waits for the ledger. Then what is known decides, until the ledger answers again.
pub const LEDGER_WAITS: Duration = Duration::from_millis(250);
/// How long it waits where nothing was ever known.
pub const FIRST_WAITS: Duration = Duration::from_secs(1);
/// How long an answer is believed: others, and other processes, change things too.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// At that age an answer is asked for anew beside the calls, so that few of them ever wait for it.
const RENEWED_AFTER: Duration = Duration::from_millis(500);
/// A question that has no answer by then is asked anew: its connection may lead nowhere.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(5);
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Cheap to clone; all clones are one question.
#[derive(Clone)]
pub struct Question {
    /// What a warning says that there is no answer to.
    about: &'static str,
    ask: Ask,
    /// Not the lane's that a call is on: a lane may have to wait for the disk, and no answer for it.
    runtime: Handle,
    state: watch::Sender<State>,
}

/// When the ledger was asked, and which version of what it was asked about there was.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub at: Instant,
    pub version: u64,
}

/// Given the time in UTC milliseconds, asks and takes in the answer.
type Ask = Arc<dyn Fn(i64) -> BoxFuture<'static, Result<(), LedgerError>> + Send + Sync>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is being asked.
    Answered,
    Asked {
        since: Instant,
    },
    /// There was no answer. It is asked again, and nobody waits for it.
    Silent,
}

/// Ends with the asking, however that ends.
struct Asking(watch::Sender<State>);

impl Question {
    /// A question that is asked on the runtime at hand.
    pub fn about<F>(about: &'static str, ask: impl Fn(i64) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), LedgerError>> + Send + 'static,
    {
        let ask: Ask = Arc::new(move |now_ms| Box::pin(ask(now_ms)));
        Self { about, ask, runtime: Handle::current(), state: watch::Sender::new(State::Answered) }
    }

    /// Begins to ask, unless that is being done.
    pub fn ask(&self, now_ms: i64) {
        let since = Instant::now();
        let begins = self.state.send_if_modified(|state| {
            let begins = *state == State::Answered;
            if begins {
                *state = State::Asked { since };
            }
            begins
        });
        if begins {
            let (about, ask, asking) = (self.about, self.ask.clone(), Asking(self.state.clone()));
            self.runtime.spawn(async move {
                while let Err(error) = in_time(ask(now_ms.saturating_add_unsigned(ms_since(since)))).await {
                    asking.note_silence(about, &error);
                    tokio::time::sleep(ASKED_AGAIN_AFTER).await;
                }
            });
        }
    }

    /// Asks anew what is due beside the call, and waits until what is old is renewed, for as long as a call may.
    pub async fn renew(&self, reliability: impl Fn() -> Reliability + Send + Sync, waits: Duration, now_ms: i64) {
        match reliability() {
            Reliability::Sure => {}
            Reliability::Due => self.ask(now_ms),
            Reliability::Old => self.wait_until(|| reliability() != Reliability::Old, waits, now_ms).await,
        }
    }

    /// Asks until `is_known`, for as long as a call may wait. Boxed, so that calls that need not wait do not carry its size.
    pub fn wait_until<'a>(
        &'a self,
        is_known: impl Fn() -> bool + Send + 'a,
        waits: Duration,
        now_ms: i64,
    ) -> BoxFuture<'a, ()> {
        let began = Instant::now();
        Box::pin(async move {
            // Twice: what is being asked already may have begun before what is to be known.
            for _ in 0..2 {
                if is_known() {
                    return;
                }
                self.ask(now_ms);
                let mut state = self.state.subscribe();
                let since = match *state.borrow() {
                    State::Asked { since } => since,
                    State::Answered => continue,
                    State::Silent => return,
                };
                let answered = state.wait_for(|state| !matches!(state, State::Asked { .. }));
                let give_up = began.min(since) + waits;
                if tokio::time::timeout_at(give_up.into(), answered).await.is_err() {
                    return;
                }
            }
        })
    }
}

impl Asked {
    /// How far the answer can be relied on; not at all if there is another version by now.
    pub fn reliability(asked: Option<Self>, version: u64) -> Reliability {
        match asked.filter(|asked| asked.version == version).map(|asked| asked.at.elapsed()) {
            Some(age) if age < RENEWED_AFTER => Reliability::Sure,
            Some(age) if age < BELIEVED_FOR => Reliability::Due,
            _ => Reliability::Old,
        }
    }
}

impl Asking {
    fn note_silence(&self, about: &str, error: &LedgerError) {
        if self.0.send_replace(State::Silent) != State::Silent {
            tracing::warn!(%error, "the ledger does not say {about}; what is known decides");
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.send_replace(State::Answered);
    }
}

async fn in_time(answer: impl Future<Output = Result<(), LedgerError>>) -> Result<(), LedgerError> {
    let late = |_| LedgerError::Unavailable(format!("no answer within {} s", GIVEN_UP_AFTER.as_secs()));
    tokio::time::timeout(GIVEN_UP_AFTER, answer).await.map_err(late)?
}

fn ms_since(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}
