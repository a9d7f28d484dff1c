//! Whether today is unusual for a user, by TheBridge's rules and by the robust one. Days are those of the user's budget's
//! zone.

use crate::domain::alert::{AlertSubject, NewAlert, Spread};
use crate::domain::anomaly::{Anomaly, AnomalyRule, robust};
use crate::domain::budget::NamedBudget;
use crate::domain::period::{Zone, day_bounds, local_date, local_hour_of_week};
use crate::domain::usage::UserId;
use crate::ledger::{Ledger, LedgerError};
use chrono::{NaiveDate, TimeDelta};

/// Today's anomalies that the user has had no alert about.
pub(super) async fn new_alerts(ledger: &Ledger, user: &UserId, now_ms: i64) -> Result<Vec<NewAlert>, LedgerError> {
    let budget = NamedBudget::of_default(user, &ledger.budget(user).await?);
    let zone = Zone::parse(&budget.time_zone)?;
    let today = local_date(&zone, now_ms);
    let of_week = ledger.anomalies(user, now_ms).await?.into_iter().map(|one| (AnomalyRule::WeeklyMean, one));
    let robust = unusual_cost(ledger, user, &zone, now_ms).await?.map(|one| (AnomalyRule::Robust, one));

    let mut new = Vec::new();
    for (rule, anomaly) in of_week.chain(robust) {
        let subject = AlertSubject::Anomaly { day: today, kind: anomaly.kind, rule };
        if !ledger.has_alert(user, &subject).await? {
            new.push((rule, anomaly));
        }
    }
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let spread = spread_of_day(ledger, &budget, &zone, today).await?;
    let alert = |(rule, anomaly)| NewAlert::of_anomaly(user, today, rule, anomaly, &spread, now_ms);
    Ok(new.into_iter().map(alert).collect())
}

async fn unusual_cost(
    ledger: &Ledger,
    user: &UserId,
    zone: &Zone,
    now_ms: i64,
) -> Result<Option<Anomaly>, LedgerError> {
    let today = local_date(zone, now_ms);
    let first = today - TimeDelta::days(robust::BASELINE_DAYS);
    let days = ledger.hourly_costs(user, zone, first, today).await?;
    let Some(of_today) = days.iter().find(|day| day.date == today) else { return Ok(None) };
    let normal_days = ledger.normal_days(user, first).await?;
    let (_, hour) = local_hour_of_week(zone, now_ms);
    Ok(robust::detect(of_today, hour, &days, &normal_days))
}

/// The models, projects and sessions that a day's spend went to.
async fn spread_of_day(
    ledger: &Ledger,
    budget: &NamedBudget,
    zone: &Zone,
    day: NaiveDate,
) -> Result<Spread, LedgerError> {
    let interval = day_bounds(zone, day);
    let mut spread = ledger.spread_of(budget, interval).await?;
    spread.contributors.extend(ledger.dearest_sessions(&budget.user_id, interval).await?);
    Ok(spread)
}
