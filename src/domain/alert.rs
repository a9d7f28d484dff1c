//! Alerts as facts: a threshold that was crossed, an anomaly that was seen or a session that ran away, once each and for
//! good. What crosses is decided in [`super::budget`], what is unusual in [`super::anomaly`]; `ledger::alert` keeps them.

use super::anomaly::{Anomaly, AnomalyKind, AnomalyRule, Severity};
use super::budget::{AlertLevel, BudgetPeriod, Crossing, NamedBudget};
use super::money::NanoUsd;
use super::pause::SessionPause;
use super::usage::{UnknownName, UserId};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// An alert as the ledger keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    pub id: String,
    pub user_id: UserId,
    pub subject: AlertSubject,
    pub level: AlertLevel,
    /// UTC milliseconds.
    pub fired_at_ms: i64,
    /// One sentence.
    pub message: String,
    pub evidence: Evidence,
    pub acknowledged: Option<Acknowledgement>,
    /// Somebody said that an anomaly like this one is none.
    pub is_normal: bool,
}

/// An alert before it is known to be the first of its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAlert {
    pub user_id: UserId,
    pub subject: AlertSubject,
    pub level: AlertLevel,
    pub fired_at_ms: i64,
    pub message: String,
    pub evidence: Evidence,
}

/// What an alert is about. No two alerts of a user, ever, are about the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertSubject {
    /// A budget's threshold (percent) in the period that began on a day of the budget's zone.
    Budget { budget_id: String, period: BudgetPeriod, period_start: NaiveDate, threshold: u32 },
    /// An anomaly on a day of the user's zone.
    Anomaly { day: NaiveDate, kind: AnomalyKind, rule: AnomalyRule },
    /// A session that spent too fast and was paused.
    Runaway { pause_id: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    Budget,
    Spike,
    HighCost,
    UnusualPattern,
    Runaway,
}

/// The figures that an alert rests on, as they were when it fired.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    #[serde(flatten)]
    pub measured: Measured,
    /// The dearest first.
    pub contributors: Vec<Contributor>,
    /// Calls among them whose price is not known.
    pub unpriced_calls: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Measured {
    Spend {
        budget_name: String,
        /// The model or family that the budget is for; none: all.
        model: Option<String>,
        spent_nano_usd: NanoUsd,
        limit_nano_usd: NanoUsd,
        /// Of the limit, cut off after one decimal.
        percent_used: f64,
    },
    Figure {
        /// Tokens, cents or calls, by the anomaly's kind.
        current_value: f64,
        normal_value: f64,
        /// Percent above normal.
        difference: f64,
    },
    /// What a session's calls cost that ended within a minute.
    Minute { session_id: String, spent_nano_usd: NanoUsd, limit_nano_usd: NanoUsd },
}

/// A part of the spend that an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Contributor {
    pub dimension: Dimension,
    pub name: String,
    pub cost_nano_usd: NanoUsd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    Model,
    Project,
    Session,
}

/// What brought a spend about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    pub contributors: Vec<Contributor>,
    pub unpriced_calls: u64,
}

/// Who has seen an alert, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub at_ms: i64,
    pub by: UserId,
}

impl NewAlert {
    /// A threshold that the spend of the running period has crossed.
    pub fn of_crossing(budget: &NamedBudget, crossing: &Crossing, spread: &Spread, now_ms: i64) -> Self {
        Self {
            user_id: budget.user_id.clone(),
            subject: AlertSubject::of_crossing(budget, crossing),
            level: crossing.level,
            fired_at_ms: now_ms,
            message: crossing.message(&budget.name, spread.unpriced_calls),
            evidence: Evidence {
                measured: Measured::Spend {
                    budget_name: budget.name.clone(),
                    model: budget.model.clone(),
                    spent_nano_usd: crossing.spent,
                    limit_nano_usd: crossing.limit,
                    percent_used: crossing.percent_used,
                },
                contributors: spread.contributors.clone(),
                unpriced_calls: spread.unpriced_calls,
            },
        }
    }

    /// Something unusual on a day.
    pub fn of_anomaly(
        user: &UserId,
        day: NaiveDate,
        rule: AnomalyRule,
        anomaly: Anomaly,
        spread: &Spread,
        now_ms: i64,
    ) -> Self {
        Self {
            user_id: user.clone(),
            subject: AlertSubject::Anomaly { day, kind: anomaly.kind, rule },
            level: AlertLevel::of_severity(anomaly.severity),
            fired_at_ms: now_ms,
            message: anomaly.description,
            evidence: Evidence {
                measured: Measured::Figure {
                    current_value: anomaly.current_value,
                    normal_value: anomaly.normal_value,
                    difference: anomaly.difference,
                },
                contributors: spread.contributors.clone(),
                unpriced_calls: spread.unpriced_calls,
            },
        }
    }

    /// A session that spends too fast, and waits for somebody to resume it.
    pub fn of_pause(pause: &SessionPause) -> Self {
        Self {
            user_id: pause.user_id.clone(),
            subject: AlertSubject::Runaway { pause_id: pause.id.clone() },
            level: AlertLevel::Critical,
            fired_at_ms: pause.paused_at_ms,
            message: format!("{} It is paused until somebody resumes it; other sessions go on.", pause.message()),
            evidence: Evidence {
                measured: Measured::Minute {
                    session_id: pause.session_id.clone(),
                    spent_nano_usd: pause.spent,
                    limit_nano_usd: pause.limit,
                },
                contributors: Vec::new(),
                unpriced_calls: 0,
            },
        }
    }
}

impl AlertSubject {
    pub fn of_crossing(budget: &NamedBudget, crossing: &Crossing) -> Self {
        Self::Budget {
            budget_id: budget.id.clone(),
            period: crossing.period,
            period_start: crossing.period_start,
            threshold: crossing.threshold,
        }
    }

    pub fn kind(&self) -> AlertKind {
        match self {
            Self::Budget { .. } => AlertKind::Budget,
            Self::Anomaly { kind, .. } => AlertKind::of_anomaly(*kind),
            Self::Runaway { .. } => AlertKind::Runaway,
        }
    }
}

impl AlertKind {
    pub const ALL: [Self; 5] = [Self::Budget, Self::Spike, Self::HighCost, Self::UnusualPattern, Self::Runaway];

    pub fn name(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Spike => "spike",
            Self::HighCost => "high_cost",
            Self::UnusualPattern => "unusual_pattern",
            Self::Runaway => "runaway",
        }
    }

    pub fn of_anomaly(kind: AnomalyKind) -> Self {
        match kind {
            AnomalyKind::Spike => Self::Spike,
            AnomalyKind::HighCost => Self::HighCost,
            AnomalyKind::UnusualPattern => Self::UnusualPattern,
        }
    }

    /// None for what is no anomaly.
    pub fn anomaly(self) -> Option<AnomalyKind> {
        match self {
            Self::Budget | Self::Runaway => None,
            Self::Spike => Some(AnomalyKind::Spike),
            Self::HighCost => Some(AnomalyKind::HighCost),
            Self::UnusualPattern => Some(AnomalyKind::UnusualPattern),
        }
    }
}

impl AlertLevel {
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    pub fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Low => Self::Info,
            Severity::Medium => Self::Warning,
            Severity::High => Self::Critical,
        }
    }
}

impl AnomalyRule {
    pub const ALL: [Self; 2] = [Self::WeeklyMean, Self::Robust];

    pub fn name(self) -> &'static str {
        match self {
            Self::WeeklyMean => "weekly_mean",
            Self::Robust => "robust",
        }
    }
}

impl FromStr for AlertKind {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| UnknownName { what: "kind of alert", name: name.into() })
    }
}

impl FromStr for AlertLevel {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|level| level.name() == name);
        found.ok_or_else(|| UnknownName { what: "level", name: name.into() })
    }
}

impl FromStr for AnomalyRule {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|rule| rule.name() == name);
        found.ok_or_else(|| UnknownName { what: "rule", name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_reads_back_as_it_was_written() {
        let spend = Measured::Spend {
            budget_name: "Team".into(),
            model: None,
            spent_nano_usd: NanoUsd(5),
            limit_nano_usd: NanoUsd(10),
            percent_used: 50.0,
        };
        let figure = Measured::Figure { current_value: 1_250.5, normal_value: 200.0, difference: 525.3 };
        let contributor =
            Contributor { dimension: Dimension::Model, name: "claude-opus-5".into(), cost_nano_usd: NanoUsd(4) };
        let minute =
            Measured::Minute { session_id: "s".into(), spent_nano_usd: NanoUsd(9), limit_nano_usd: NanoUsd(8) };
        for measured in [spend, figure, minute] {
            let evidence = Evidence { measured, contributors: vec![contributor.clone()], unpriced_calls: 2 };
            let text = serde_json::to_string(&evidence).unwrap();
            assert_eq!(serde_json::from_str::<Evidence>(&text).unwrap(), evidence, "{text}");
        }
    }
}
