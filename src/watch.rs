//! What looks by itself: whether budgets cross their thresholds and whether today is unusual, each written down once as
//! an alert, and whether calls were lost, which is told once. What crosses and what is unusual are rules of `domain`; that
//! an alert is there once, whoever looks how often, is the ledger's doing (`ledger::alert`). Nothing here is
//! kept in memory that a restart would miss.

mod anomaly;
mod budget;
mod evaluator;
mod losses;
#[cfg(feature = "ssr")]
pub mod notify;
#[cfg(test)]
mod tests;

pub use evaluator::Watch;
pub use losses::keep_telling_losses;

use crate::domain::alert::Alert;
use crate::domain::usage::UserId;
use crate::ledger::{Ledger, LedgerError};

/// Looks at everybody's budgets and today's usage as of `now_ms`, and gives the alerts that are new.
///
/// # Errors
/// The first one; everybody is looked at all the same.
pub async fn evaluate_once(ledger: &Ledger, now_ms: i64) -> Result<Vec<Alert>, LedgerError> {
    let users = ledger.users().await?;
    let outcomes = evaluate(ledger, &users, now_ms).await?;
    let mut alerts = Vec::new();
    for (_, outcome) in outcomes {
        alerts.extend(outcome?);
    }
    Ok(alerts)
}

type Outcome = Result<Vec<Alert>, LedgerError>;

/// One user after the other, so that one whose figures cannot be read costs nobody else an alert.
async fn evaluate(ledger: &Ledger, users: &[UserId], now_ms: i64) -> Result<Vec<(UserId, Outcome)>, LedgerError> {
    let _turn = ledger.take_watch_turn().await?;
    let mut outcomes = Vec::with_capacity(users.len());
    for user in users {
        outcomes.push((user.clone(), evaluate_user(ledger, user, now_ms).await));
    }
    Ok(outcomes)
}

async fn evaluate_user(ledger: &Ledger, user: &UserId, now_ms: i64) -> Outcome {
    let mut seen = budget::new_alerts(ledger, user, now_ms).await?;
    seen.extend(anomaly::new_alerts(ledger, user, now_ms).await?);
    ledger.record_alerts(seen).await
}
