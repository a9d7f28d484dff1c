//! The task that looks whenever numbers move, at most once a second, and at everybody each minute: periods begin and
//! raises end without any number moving, and other processes write too.

use super::evaluate;
use crate::domain::usage::{Scope, UserId};
use crate::ledger::{Ledger, LedgerError};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

const AT_MOST_EVERY: Duration = Duration::from_secs(1);
const EVERYBODY_EVERY: Duration = Duration::from_secs(60);

/// The running watch of one process.
#[derive(Debug)]
pub struct Watch {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What the task knows of each user: up to which version it has looked.
struct Looked {
    by_user: HashMap<UserId, watch::Receiver<u64>>,
}

impl Watch {
    /// Begins with a look at everybody. `now_ms` gives UTC milliseconds.
    pub fn start(ledger: Ledger, now_ms: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = keep_looking(&ledger, now_ms) => {}
                // A look that is cut off leaves nothing half done: alerts are written in one transaction.
                _ = stopped.wait_for(|is_stopped| *is_stopped) => {}
            }
        });
        Self { stop, task }
    }

    /// Ends it; returns when it no longer uses the ledger.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the watch broke off");
        }
    }
}

async fn keep_looking(ledger: &Ledger, now_ms: impl Fn() -> i64) {
    let mut moves = ledger.follow(&Scope::Everyone);
    let mut looked = Looked { by_user: HashMap::new() };
    let mut everybody = interval(EVERYBODY_EVERY);
    everybody.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_everybodys_turn = tokio::select! {
            _ = everybody.tick() => true,
            moved = moves.changed() => match moved {
                Ok(()) => false,
                Err(_) => return,
            },
        };
        if let Err(error) = look(ledger, &mut looked, is_everybodys_turn, now_ms()).await {
            tracing::warn!(%error, "budgets and anomalies could not be looked at; trying again within a minute");
        }
        sleep(AT_MOST_EVERY).await;
    }
}

/// Looks at those whose numbers have moved, or at everybody.
async fn look(ledger: &Ledger, looked: &mut Looked, is_everybodys_turn: bool, now_ms: i64) -> Result<(), LedgerError> {
    let mut users = looked.note_versions(ledger, ledger.users().await?);
    users.retain(|(_, has_moved)| *has_moved || is_everybodys_turn);
    let users: Vec<UserId> = users.into_iter().map(|(user, _)| user).collect();
    if users.is_empty() {
        return Ok(());
    }
    for (user, outcome) in evaluate(ledger, &users, now_ms).await? {
        match outcome {
            Ok(alerts) => alerts.iter().for_each(|alert| {
                tracing::info!(alert_id = alert.id, kind = alert.subject.kind().name(), "an alert has fired");
            }),
            Err(error) => tracing::warn!(%error, user = user.0, "a user's budgets and usage could not be looked at"),
        }
    }
    Ok(())
}

impl Looked {
    /// Whether each user's numbers have moved since the last time that it was asked. Someone new has moved.
    fn note_versions(&mut self, ledger: &Ledger, users: Vec<UserId>) -> Vec<(UserId, bool)> {
        users
            .into_iter()
            .map(|user| {
                let has_moved = match self.by_user.get_mut(&user) {
                    Some(version) => {
                        let has_moved = version.has_changed().unwrap_or(true);
                        version.mark_unchanged();
                        has_moved
                    }
                    None => {
                        self.by_user.insert(user.clone(), ledger.follow(&Scope::User(user.clone())));
                        true
                    }
                };
                (user, has_moved)
            })
            .collect()
    }
}
