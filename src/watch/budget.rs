//! Which thresholds of a user's budgets the running periods have crossed. Nothing is reset: the next period has no
//! alerts because its own spend has crossed nothing yet.

use crate::domain::alert::{AlertSubject, NewAlert};
use crate::domain::budget::{NamedBudget, crossings};
use crate::domain::usage::UserId;
use crate::ledger::{Ledger, LedgerError};

/// The crossed thresholds that the user has had no alert about.
pub(super) async fn new_alerts(ledger: &Ledger, user: &UserId, now_ms: i64) -> Result<Vec<NewAlert>, LedgerError> {
    let mut alerts = Vec::new();
    for budget in ledger.budgets(user).await? {
        alerts.extend(new_alerts_of(ledger, &budget, now_ms).await?);
    }
    Ok(alerts)
}

async fn new_alerts_of(ledger: &Ledger, budget: &NamedBudget, now_ms: i64) -> Result<Vec<NewAlert>, LedgerError> {
    let interval = budget.interval_at(now_ms);
    let spent = ledger.spent_of(budget, interval).await?;
    let mut new = Vec::new();
    for crossing in crossings(budget, spent, now_ms) {
        if !ledger.has_alert(&budget.user_id, &AlertSubject::of_crossing(budget, &crossing)).await? {
            new.push(crossing);
        }
    }
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let spread = ledger.spread_of(budget, interval).await?;
    Ok(new.iter().map(|crossing| NewAlert::of_crossing(budget, crossing, &spread, now_ms)).collect())
}
