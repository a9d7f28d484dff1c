//! One of several budgets: whose spend it counts, over which period, and what happens at its limit. Where the month of a
//! user's first budget stands in TheBridge's shape is in the module above.

use super::{AtLimit, Budget, MAX_LIMIT_CENTS};
use crate::domain::money::NanoUsd;
use crate::domain::period::{Interval, Zone, day_bounds, local_date, month_of, week_of};
use crate::domain::price::ModelName;
use crate::domain::query::QueryError;
use crate::domain::usage::{UnknownName, UserId};
use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// The id of the budget that every user has.
pub const DEFAULT_BUDGET: &str = "default";
const MAX_THRESHOLDS: usize = 10;
const MAX_NAME_CHARS: usize = 80;
const MAX_SCOPE_CHARS: usize = 200;

/// A budget among several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBudget {
    /// Who set it.
    pub user_id: UserId,
    pub id: String,
    pub name: String,
    pub scope: BudgetScope,
    /// A family, or a model in any spelling of its id; none: all models.
    pub model: Option<String>,
    pub period: BudgetPeriod,
    pub limit: NanoUsd,
    /// Percent of the limit, rising, up to ten of them, 1 to 100 each.
    pub thresholds: Vec<u32>,
    /// IANA zone in which the period begins and ends.
    pub time_zone: String,
    pub at_limit: AtLimit,
    pub raise: Option<Raise>,
}

/// Whose calls a budget counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetScope {
    /// All of the user's own.
    User,
    /// Those of one of the user's keys, by its id.
    ApiKey(String),
    /// Those of one of the user's projects.
    Project(String),
    /// Everybody's.
    Everyone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetPeriod {
    Day,
    /// From Monday on.
    Week,
    Month,
}

/// A higher limit for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raise {
    pub limit: NanoUsd,
    /// UTC milliseconds; from then on the usual limit holds again.
    pub until_ms: i64,
}

/// What a budget asks of a call to know whether it is one of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallScope {
    pub user_id: UserId,
    pub api_key_id: Option<String>,
    pub project: Option<String>,
}

impl NamedBudget {
    /// Checks every part that can be checked without the ledger. The error names the field as the API does.
    pub fn check(&self) -> Result<(), QueryError> {
        self.check_but_zone()?;
        Zone::parse(&self.time_zone).map(drop).map_err(|error| QueryError { field: "timeZone", ..error })
    }

    /// The part of [`NamedBudget::check`] that needs no list of time zones, so that a browser can check a form by it.
    pub fn check_but_zone(&self) -> Result<(), QueryError> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
            return Err(QueryError::new("name", format!("must be 1 to {MAX_NAME_CHARS} printable characters")));
        }
        if let BudgetScope::ApiKey(id) | BudgetScope::Project(id) = &self.scope {
            check_text("scopeId", id)?;
        }
        if let Some(model) = &self.model {
            check_text("model", model)?;
        }
        check_limit("limitCents", self.limit)?;
        check_thresholds(&self.thresholds)?;
        if let Some(raise) = &self.raise {
            check_limit("raise.limitCents", raise.limit)?;
            if raise.limit <= self.limit {
                return Err(QueryError::new("raise.limitCents", "must be above the limit"));
            }
        }
        Ok(())
    }

    /// The user's one budget, TheBridge's, as one among several.
    pub fn of_default(user: &UserId, budget: &Budget) -> Self {
        Self {
            user_id: user.clone(),
            id: DEFAULT_BUDGET.into(),
            name: "Monthly budget".into(),
            scope: BudgetScope::User,
            model: None,
            period: BudgetPeriod::Month,
            limit: budget.monthly_limit,
            thresholds: budget.thresholds.to_vec(),
            time_zone: budget.time_zone.clone(),
            at_limit: budget.at_limit,
            raise: None,
        }
    }

    /// The limit that holds at an instant.
    pub fn limit_at(&self, now_ms: i64) -> NanoUsd {
        self.raise.filter(|raise| now_ms < raise.until_ms).map_or(self.limit, |raise| raise.limit)
    }

    /// The period that an instant is in. Nothing is reset: the next one begins by itself (invariant 7).
    pub fn interval_at(&self, now_ms: i64) -> Interval {
        let zone = Zone::parse(&self.time_zone).unwrap_or(Zone::UTC);
        match self.period {
            BudgetPeriod::Day => day_bounds(&zone, local_date(&zone, now_ms)),
            BudgetPeriod::Week => week_of(&zone, now_ms),
            BudgetPeriod::Month => month_of(&zone, now_ms).interval,
        }
    }

    /// Whether calls of this scope count, whatever their model.
    pub fn counts_calls_of(&self, call: &CallScope) -> bool {
        let is_own = self.user_id == call.user_id;
        match &self.scope {
            BudgetScope::Everyone => true,
            BudgetScope::User => is_own,
            BudgetScope::ApiKey(id) => is_own && call.api_key_id.as_ref() == Some(id),
            BudgetScope::Project(project) => is_own && call.project.as_ref() == Some(project),
        }
    }

    /// What a call's model must be for it to count; none: any.
    pub fn model_filter(&self) -> Option<ModelName> {
        self.model.as_deref().map(ModelName::of)
    }
}

impl BudgetScope {
    pub fn name(&self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey(_) => "api_key",
            Self::Project(_) => "project",
            Self::Everyone => "everyone",
        }
    }

    /// The key's id or the project's name; empty for the others.
    pub fn id(&self) -> &str {
        match self {
            Self::ApiKey(id) | Self::Project(id) => id,
            Self::User | Self::Everyone => "",
        }
    }

    pub fn parse(name: &str, id: &str) -> Result<Self, UnknownName> {
        match name {
            "user" => Ok(Self::User),
            "everyone" => Ok(Self::Everyone),
            "api_key" => Ok(Self::ApiKey(id.to_owned())),
            "project" => Ok(Self::Project(id.to_owned())),
            _ => Err(UnknownName { what: "budget scope", name: name.into() }),
        }
    }

    /// For a sentence: `all calls`, `project website`.
    pub fn words(&self) -> String {
        match self {
            Self::User => "all calls".into(),
            Self::ApiKey(id) => format!("key {id}"),
            Self::Project(project) => format!("project {project}"),
            Self::Everyone => "everyone's calls".into(),
        }
    }
}

impl BudgetPeriod {
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the period that a day is in.
    pub fn first_day(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Week => day - Days::new(u64::from(day.weekday().num_days_from_monday())),
            Self::Month => day - Days::new(u64::from(day.day0())),
        }
    }

    /// `daily`, as clients of a gateway read it.
    pub fn adverb(self) -> &'static str {
        match self {
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
        }
    }
}

impl FromStr for BudgetPeriod {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|period| period.name() == name);
        found.ok_or_else(|| UnknownName { what: "budget period", name: name.into() })
    }
}

fn check_text(field: &'static str, text: &str) -> Result<(), QueryError> {
    let is_good =
        !text.trim().is_empty() && text.chars().count() <= MAX_SCOPE_CHARS && !text.chars().any(char::is_control);
    is_good
        .then_some(())
        .ok_or_else(|| QueryError::new(field, format!("must be 1 to {MAX_SCOPE_CHARS} printable characters")))
}

fn check_limit(field: &'static str, limit: NanoUsd) -> Result<(), QueryError> {
    let highest = NanoUsd::from_cents(MAX_LIMIT_CENTS).unwrap_or(NanoUsd(i64::MAX));
    let is_in_bounds = limit > NanoUsd::ZERO && limit <= highest;
    is_in_bounds
        .then_some(())
        .ok_or_else(|| QueryError::new(field, format!("must be from 1 to {MAX_LIMIT_CENTS} cents")))
}

fn check_thresholds(thresholds: &[u32]) -> Result<(), QueryError> {
    let wrong = |message: String| Err(QueryError::new("thresholds", message));
    if thresholds.len() > MAX_THRESHOLDS {
        return wrong(format!("must be at most {MAX_THRESHOLDS} percents"));
    }
    if thresholds.iter().any(|percent| !(1..=100).contains(percent)) {
        return wrong("must be from 1 to 100 percent each".into());
    }
    if thresholds.windows(2).any(|pair| pair[0] >= pair[1]) {
        return wrong("must rise, each above the one before".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 18 November 2026, 12:00 UTC, a Wednesday.
    const NOON_MS: i64 = 1_795_003_200_000;

    fn budget() -> NamedBudget {
        NamedBudget::of_default(&UserId::owner(), &Budget::default_in(&Zone::UTC))
    }

    #[test]
    fn a_wrong_budget_among_several_names_its_field() {
        assert_eq!(budget().check(), Ok(()));
        assert_eq!(NamedBudget { thresholds: vec![], ..budget() }.check(), Ok(()));
        for (wrong, field) in [
            (NamedBudget { name: " ".into(), ..budget() }, "name"),
            (NamedBudget { scope: BudgetScope::Project(String::new()), ..budget() }, "scopeId"),
            (NamedBudget { model: Some(String::new()), ..budget() }, "model"),
            (NamedBudget { limit: NanoUsd::ZERO, ..budget() }, "limitCents"),
            (NamedBudget { thresholds: vec![50, 50], ..budget() }, "thresholds"),
            (NamedBudget { thresholds: vec![101], ..budget() }, "thresholds"),
            (NamedBudget { thresholds: (1..=11).collect(), ..budget() }, "thresholds"),
            (NamedBudget { time_zone: "Mars/Olympus".into(), ..budget() }, "timeZone"),
            (NamedBudget { raise: Some(Raise { limit: budget().limit, until_ms: 1 }), ..budget() }, "raise.limitCents"),
        ] {
            assert_eq!(wrong.check().unwrap_err().field, field, "{wrong:?}");
        }
    }

    #[test]
    fn periods_begin_at_midnight_on_monday_and_on_the_first() {
        let days = |period| {
            let interval = NamedBudget { period, ..budget() }.interval_at(NOON_MS);
            (Zone::UTC.format_instant(interval.start_ms), (interval.end_ms - interval.start_ms) / 86_400_000)
        };
        assert_eq!(days(BudgetPeriod::Day), ("2026-11-18T00:00:00+00:00".into(), 1));
        assert_eq!(days(BudgetPeriod::Week), ("2026-11-16T00:00:00+00:00".into(), 7));
        assert_eq!(days(BudgetPeriod::Month), ("2026-11-01T00:00:00+00:00".into(), 30));
        let first_days = BudgetPeriod::ALL.map(|period| period.first_day("2026-11-18".parse().unwrap()).to_string());
        assert_eq!(first_days, ["2026-11-18", "2026-11-16", "2026-11-01"]);
    }

    #[test]
    fn a_raise_ends_by_itself() {
        let raise = Some(Raise { limit: NanoUsd(2), until_ms: NOON_MS });
        let budget = NamedBudget { limit: NanoUsd(1), raise, ..budget() };
        assert_eq!((budget.limit_at(NOON_MS - 1), budget.limit_at(NOON_MS)), (NanoUsd(2), NanoUsd(1)));
    }

    #[test]
    fn a_budget_counts_its_own_calls_alone() {
        let call = |user: &str, key: Option<&str>, project: Option<&str>| CallScope {
            user_id: UserId(user.into()),
            api_key_id: key.map(Into::into),
            project: project.map(Into::into),
        };
        let counts = |scope, call| NamedBudget { scope, ..budget() }.counts_calls_of(&call);
        assert!(counts(BudgetScope::User, call("owner", None, None)));
        assert!(!counts(BudgetScope::User, call("other", None, None)));
        assert!(counts(BudgetScope::Everyone, call("other", None, None)));
        assert!(counts(BudgetScope::ApiKey("k".into()), call("owner", Some("k"), None)));
        assert!(!counts(BudgetScope::ApiKey("k".into()), call("owner", None, None)));
        assert!(counts(BudgetScope::Project("p".into()), call("owner", None, Some("p"))));
        assert!(!counts(BudgetScope::Project("p".into()), call("other", None, Some("p"))));
    }
}
