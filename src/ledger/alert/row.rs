//! An alert as the rows of its table.

use crate::domain::alert::{Acknowledgement, Alert, AlertKind, AlertSubject};
use crate::domain::anomaly::AnomalyRule;
use crate::domain::query::read_date;
use crate::domain::usage::UserId;
use crate::ledger::LedgerError;
use chrono::NaiveDate;

macro_rules! alert_columns {
    () => {
        "user_id, id, kind, level, budget_id, period, period_start, threshold, day, rule, pause_id, fired_at_ms, \
         message, evidence, acknowledged_at_ms, acknowledged_by, is_normal"
    };
}

pub(super) use alert_columns;

/// A subject as its columns.
pub(super) struct SubjectColumns<'a> {
    pub(super) kind: &'static str,
    pub(super) budget_id: Option<&'a str>,
    pub(super) period: Option<&'static str>,
    pub(super) period_start: Option<String>,
    pub(super) threshold: Option<i64>,
    pub(super) day: Option<String>,
    pub(super) rule: Option<&'static str>,
    pub(super) pause_id: Option<&'a str>,
}

impl<'a> SubjectColumns<'a> {
    pub(super) fn of(subject: &'a AlertSubject) -> Self {
        let none = Self {
            kind: subject.kind().name(),
            budget_id: None,
            period: None,
            period_start: None,
            threshold: None,
            day: None,
            rule: None,
            pause_id: None,
        };
        match subject {
            AlertSubject::Budget { budget_id, period, period_start, threshold } => Self {
                budget_id: Some(budget_id),
                period: Some(period.name()),
                period_start: Some(period_start.to_string()),
                threshold: Some(i64::from(*threshold)),
                ..none
            },
            AlertSubject::Anomaly { day, rule, .. } => {
                Self { day: Some(day.to_string()), rule: Some(rule.name()), ..none }
            }
            AlertSubject::Runaway { pause_id } => Self { pause_id: Some(pause_id), ..none },
        }
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct AlertRow {
    user_id: String,
    id: String,
    kind: String,
    level: String,
    budget_id: Option<String>,
    period: Option<String>,
    period_start: Option<String>,
    threshold: Option<i64>,
    day: Option<String>,
    rule: Option<String>,
    pause_id: Option<String>,
    fired_at_ms: i64,
    message: String,
    evidence: String,
    acknowledged_at_ms: Option<i64>,
    acknowledged_by: Option<String>,
    is_normal: bool,
}

impl AlertRow {
    fn subject(&self) -> Result<AlertSubject, LedgerError> {
        let missing = || LedgerError::OutOfRange("alert.kind");
        let kind: AlertKind = self.kind.parse().map_err(|_| missing())?;
        if kind == AlertKind::Runaway {
            return Ok(AlertSubject::Runaway { pause_id: self.pause_id.clone().ok_or_else(missing)? });
        }
        let Some(kind) = kind.anomaly() else {
            let period = self.period.as_deref().ok_or_else(missing)?;
            return Ok(AlertSubject::Budget {
                budget_id: self.budget_id.clone().ok_or_else(missing)?,
                period: period.parse().map_err(|_| LedgerError::OutOfRange("alert.period"))?,
                period_start: stored_date(self.period_start.as_deref().ok_or_else(missing)?)?,
                threshold: u32::try_from(self.threshold.ok_or_else(missing)?)
                    .map_err(|_| LedgerError::OutOfRange("alert.threshold"))?,
            });
        };
        let rule: AnomalyRule =
            self.rule.as_deref().ok_or_else(missing)?.parse().map_err(|_| LedgerError::OutOfRange("alert.rule"))?;
        Ok(AlertSubject::Anomaly { day: stored_date(self.day.as_deref().ok_or_else(missing)?)?, kind, rule })
    }
}

impl TryFrom<AlertRow> for Alert {
    type Error = LedgerError;

    fn try_from(row: AlertRow) -> Result<Self, LedgerError> {
        let acknowledged = row.acknowledged_at_ms.zip(row.acknowledged_by.clone());
        Ok(Self {
            subject: row.subject()?,
            level: row.level.parse().map_err(|_| LedgerError::OutOfRange("alert.level"))?,
            evidence: serde_json::from_str(&row.evidence).map_err(|_| LedgerError::OutOfRange("alert.evidence"))?,
            acknowledged: acknowledged.map(|(at_ms, by)| Acknowledgement { at_ms, by: UserId(by) }),
            id: row.id,
            user_id: UserId(row.user_id),
            fired_at_ms: row.fired_at_ms,
            message: row.message,
            is_normal: row.is_normal,
        })
    }
}

pub(super) fn stored_date(text: &str) -> Result<NaiveDate, LedgerError> {
    read_date(text).ok_or(LedgerError::OutOfRange("a date of an alert"))
}
