//! From an alert to what the page shows of it: words, amounts, moments and where to look.

use super::{ShownAlert, ShownContributor, ShownPause};
use crate::app::format::{moment, percent};
use crate::domain::account::Account;
use crate::domain::alert::{Alert, AlertSubject, Contributor, Dimension, Measured};
use crate::domain::anomaly::{AnomalyKind, AnomalyRule};
use crate::domain::budget::BudgetPeriod;
use crate::domain::money::{NanoUsd, format_cost, group_thousands};
use crate::domain::pause::SessionPause;
use crate::domain::period::{Zone, local_date};
use crate::domain::query::{Range, UsageQuery};
use crate::domain::usage::UserId;
use chrono::{Days, NaiveDate};

pub(super) fn shown_alert(alert: Alert, zone: &Zone, today: NaiveDate) -> ShownAlert {
    let fired_on = local_date(zone, alert.fired_at_ms);
    let (from, to) = days_of(&alert.subject, fired_on);
    let model = match &alert.evidence.measured {
        Measured::Spend { model, .. } => model.clone(),
        Measured::Figure { .. } | Measured::Minute { .. } => None,
    };
    let contributors = alert.evidence.contributors.iter().map(|one| shown_contributor(one, from, to)).collect();
    let measured_against = match &alert.subject {
        AlertSubject::Anomaly { rule: AnomalyRule::WeeklyMean, .. } => Some("the mean of the seven days before"),
        AlertSubject::Anomaly { rule: AnomalyRule::Robust, .. } => Some("days like it, by the same hour"),
        AlertSubject::Budget { .. } | AlertSubject::Runaway { .. } => None,
    };
    let at = |at_ms: i64| moment(&zone.format_instant(at_ms), today);
    ShownAlert {
        kind: alert.subject.kind(),
        level: alert.level,
        figures: figures_of(&alert),
        measured_against: measured_against.map(Into::into),
        contributors,
        href: overview_of(from, to, model),
        fired: at(alert.fired_at_ms),
        acknowledged: alert.acknowledged.as_ref().map(|one| at(one.at_ms)),
        is_normal: alert.is_normal,
        id: alert.id,
        message: alert.message,
    }
}

/// With a name where it is not the session of who looks.
pub(super) fn shown_pause(
    pause: SessionPause,
    viewer: &UserId,
    accounts: &[Account],
    zone: &Zone,
    today: NaiveDate,
) -> ShownPause {
    let at = moment(&zone.format_instant(pause.paused_at_ms), today);
    let login = accounts.iter().find(|account| account.user_id == pause.user_id).map(|account| account.login.as_str());
    let whose = match login {
        _ if pause.user_id == *viewer => String::new(),
        login => format!(" It is {}'s.", login.unwrap_or("somebody else")),
    };
    ShownPause { message: format!("{} Paused at {at}.{whose}", pause.message()), id: pause.id }
}

/// The days that an alert is about: of a budget's period those up to the day on which it fired.
fn days_of(subject: &AlertSubject, fired_on: NaiveDate) -> (NaiveDate, NaiveDate) {
    match subject {
        AlertSubject::Anomaly { day, .. } => (*day, *day),
        AlertSubject::Runaway { .. } => (fired_on, fired_on),
        AlertSubject::Budget { period, period_start, .. } => {
            let longest = match period {
                BudgetPeriod::Day => 1,
                BudgetPeriod::Week => 7,
                BudgetPeriod::Month => 31,
            };
            let last = *period_start + Days::new(longest - 1);
            (*period_start, fired_on.clamp(*period_start, last))
        }
    }
}

fn figures_of(alert: &Alert) -> Vec<(String, String)> {
    let named = |name: &str, value: String| (name.to_owned(), value);
    match &alert.evidence.measured {
        Measured::Spend { spent_nano_usd, limit_nano_usd, percent_used, .. } => vec![
            named("Spent", format_cost(*spent_nano_usd)),
            named("Limit", format_cost(*limit_nano_usd)),
            named("Used", percent(*percent_used)),
        ],
        Measured::Figure { current_value, normal_value, difference } => {
            let AlertSubject::Anomaly { kind, .. } = &alert.subject else { return Vec::new() };
            let mut figures =
                vec![named("Then", amount(*kind, *current_value)), named("Normal", amount(*kind, *normal_value))];
            if *normal_value > 0.0 {
                figures.push(named("Above", percent(*difference)));
            }
            figures
        }
        Measured::Minute { spent_nano_usd, limit_nano_usd, .. } => vec![
            named("Spent within a minute", format_cost(*spent_nano_usd)),
            named("Limit", format_cost(*limit_nano_usd)),
        ],
    }
}

/// Cents of money, or a whole number of tokens or calls.
fn amount(kind: AnomalyKind, value: f64) -> String {
    let whole = |value: f64| value.round().clamp(0.0, 9e18);
    match kind {
        AnomalyKind::HighCost => format_cost(NanoUsd(whole(value * 10_000_000.0) as i64)),
        AnomalyKind::Spike => format!("{} tokens", group_thousands(whole(value) as u64)),
        AnomalyKind::UnusualPattern => format!("{} calls", group_thousands(whole(value) as u64)),
    }
}

fn shown_contributor(contributor: &Contributor, from: NaiveDate, to: NaiveDate) -> ShownContributor {
    let (what, href) = match contributor.dimension {
        Dimension::Model => ("Model", Some(overview_of(from, to, Some(contributor.name.clone())))),
        Dimension::Project => ("Project", None),
        Dimension::Session => ("Session", None),
    };
    ShownContributor {
        what: what.into(),
        name: contributor.name.clone(),
        cost: format_cost(contributor.cost_nano_usd),
        href,
    }
}

fn overview_of(from: NaiveDate, to: NaiveDate, model: Option<String>) -> String {
    let query = UsageQuery { range: Range::Custom { from, to }, model, ..UsageQuery::default() };
    format!("/?{}", query.to_query_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn an_alert_leads_to_its_own_days() {
        let of_budget = |period, start: &str, fired_on: &str| {
            let subject =
                AlertSubject::Budget { budget_id: "default".into(), period, period_start: date(start), threshold: 50 };
            let (from, to) = days_of(&subject, date(fired_on));
            overview_of(from, to, None)
        };
        let (day, week, month) = (BudgetPeriod::Day, BudgetPeriod::Week, BudgetPeriod::Month);
        assert_eq!(of_budget(month, "2026-11-01", "2026-11-24"), "/?from=2026-11-01&to=2026-11-24");
        assert_eq!(of_budget(day, "2026-11-24", "2026-11-25"), "/?from=2026-11-24&to=2026-11-24");
        assert_eq!(of_budget(week, "2026-11-23", "2026-11-20"), "/?from=2026-11-23&to=2026-11-23", "a clock set back");
        let model = overview_of(date("2026-11-24"), date("2026-11-24"), Some("claude-opus-5".into()));
        assert_eq!(model, "/?from=2026-11-24&to=2026-11-24&model=claude-opus-5");
    }

    #[test]
    fn amounts_follow_their_kind() {
        assert_eq!(amount(AnomalyKind::HighCost, 1_250.0), "$12.50");
        assert_eq!(amount(AnomalyKind::Spike, 60_000.4), "60,000 tokens");
        assert_eq!(amount(AnomalyKind::UnusualPattern, 3.5), "4 calls");
    }
}
