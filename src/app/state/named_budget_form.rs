//! One of several budgets as a form holds it: texts, as they were typed. Its fields have names of their own, because the
//! form of the first budget is on the same page. Whether a time zone exists and a call can reach the budget only the
//! server knows.

use crate::app::state::budget_form::BudgetFault;
use crate::domain::budget::{AtLimit, BudgetScope, NamedBudget, Raise};
use crate::domain::money::{NanoUsd, parse_cents};
use crate::domain::query::{QueryError, percent_encode, read_date};
use crate::domain::usage::UserId;
use chrono::NaiveDate;
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

/// Where a form ends up that was saved, or deleted its budget.
pub const CHANGED_HREF: &str = "/budgets?changed=1#more-budgets";
/// The address's word for which budget is changed; [`NEW`] for one that is to be made.
pub const EDIT: &str = "edit";
pub const NEW: &str = "new";

/// The fields' names, in the form, in the address and in the server function alike.
pub const NAME: &str = "budget_name";
pub const SCOPE: &str = "budget_scope";
pub const PROJECT: &str = "budget_project";
pub const MODEL: &str = "budget_model";
pub const PERIOD: &str = "budget_period";
pub const LIMIT: &str = "budget_limit";
pub const THRESHOLDS: &str = "budget_thresholds";
pub const TIME_ZONE: &str = "budget_time_zone";
pub const AT_LIMIT: &str = "budget_at_limit";
pub const RAISED_LIMIT: &str = "raised_limit";
pub const RAISED_UNTIL: &str = "raised_until";

/// What a scope's value begins with that is one key; its id follows.
const OF_KEY: &str = "key:";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedBudgetForm {
    /// Empty for one that is to be made.
    pub id: String,
    pub name: String,
    /// `user`, `everyone`, `project`, or `key:` and a key's id.
    pub scope: String,
    /// For the scope `project`.
    pub project: String,
    /// A family or an id; empty: all models.
    pub model: String,
    /// `day`, `week` or `month`.
    pub period: String,
    /// Dollars: `100.00`.
    pub limit: String,
    /// Percent, with commas or blanks between: `50, 75, 90`.
    pub thresholds: String,
    pub time_zone: String,
    /// `notify` or `block`.
    pub at_limit: String,
    /// Dollars; empty: not raised.
    pub raised_limit: String,
    /// `YYYY-MM-DD`, the last day of the raise.
    pub raised_until: String,
}

impl NamedBudgetForm {
    /// What was entered and sent back in the address; none where the address says nothing of it.
    pub fn from_params(params: &ParamsMap) -> Option<Self> {
        params.get_str(NAME)?;
        let text = |name: &str| params.get_str(name).unwrap_or_default().to_owned();
        Some(Self {
            id: Some(text(EDIT)).filter(|id| id != NEW).unwrap_or_default(),
            name: text(NAME),
            scope: text(SCOPE),
            project: text(PROJECT),
            model: text(MODEL),
            period: text(PERIOD),
            limit: text(LIMIT),
            thresholds: text(THRESHOLDS),
            time_zone: text(TIME_ZONE),
            at_limit: text(AT_LIMIT),
            raised_limit: text(RAISED_LIMIT),
            raised_until: text(RAISED_UNTIL),
        })
    }

    /// The page's address with all that was entered.
    pub fn to_href(&self) -> String {
        let id = if self.id.is_empty() { NEW } else { &self.id };
        let pairs = [
            (EDIT, id),
            (NAME, &self.name),
            (SCOPE, &self.scope),
            (PROJECT, &self.project),
            (MODEL, &self.model),
            (PERIOD, &self.period),
            (LIMIT, &self.limit),
            (THRESHOLDS, &self.thresholds),
            (TIME_ZONE, &self.time_zone),
            (AT_LIMIT, &self.at_limit),
            (RAISED_LIMIT, &self.raised_limit),
            (RAISED_UNTIL, &self.raised_until),
        ];
        let pairs: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        format!("/budgets?{}#budget-edit", pairs.join("&"))
    }

    /// All checks but those that need the server. What is given back is nobody's budget yet, and its raise has no end.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<NamedBudget, BudgetFault> {
        let budget = NamedBudget {
            user_id: UserId(String::new()),
            id: self.id.clone(),
            name: self.name.trim().to_owned(),
            scope: self.scope()?,
            model: Some(self.model.trim().to_owned()).filter(|model| !model.is_empty()),
            period: self.period.parse().map_err(|_| fault(PERIOD, "must be day, week or month"))?,
            limit: dollars(LIMIT, &self.limit)?,
            thresholds: self.thresholds()?,
            time_zone: self.time_zone.trim().to_owned(),
            at_limit: AtLimit::parse(&self.at_limit).map_err(|error| fault(AT_LIMIT, error.message))?,
            raise: self.raise()?.map(|(limit, _)| Raise { limit, until_ms: i64::MAX }),
        };
        budget.check_but_zone().map_err(|error| self.fault_of(&error))?;
        if budget.time_zone.is_empty() {
            return Err(fault(TIME_ZONE, "must be named, such as Europe/Berlin"));
        }
        Ok(budget)
    }

    /// A fault that the domain or the ledger found, at the field that it is about here.
    pub fn fault_of(&self, error: &QueryError) -> BudgetFault {
        let bounds = "must be from $0.01 to $10,000,000.00";
        let in_dollars = if error.message.ends_with("cents") { bounds } else { &error.message };
        match error.field {
            "name" => fault(NAME, &error.message),
            "scopeId" if self.scope == "project" => fault(PROJECT, &error.message),
            "scope" | "scopeId" => fault(SCOPE, &error.message),
            "model" => fault(MODEL, &error.message),
            "limitCents" => fault(LIMIT, in_dollars),
            "raise.limitCents" => fault(RAISED_LIMIT, in_dollars),
            "thresholds" => fault(THRESHOLDS, &error.message),
            _ => fault(TIME_ZONE, &error.message),
        }
    }

    fn scope(&self) -> Result<BudgetScope, BudgetFault> {
        let project = self.project.trim();
        if !project.is_empty() && self.scope != "project" {
            return Err(fault(PROJECT, "belongs to the choice “One project” only"));
        }
        match self.scope.strip_prefix(OF_KEY) {
            Some(id) => Ok(BudgetScope::ApiKey(id.to_owned())),
            None if self.scope == "api_key" => Err(fault(SCOPE, "must name a key")),
            None => BudgetScope::parse(&self.scope, project).map_err(|_| fault(SCOPE, "must be one of the choices")),
        }
    }

    fn thresholds(&self) -> Result<Vec<u32>, BudgetFault> {
        let words = self.thresholds.split([',', ';', ' ', '%']).filter(|word| !word.is_empty());
        let percents = words.map(|word| word.parse().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit())));
        let wrong = || fault(THRESHOLDS, "must be whole percents with commas between, such as 50, 75, 90");
        percents.collect::<Option<_>>().ok_or_else(wrong)
    }

    /// The raised limit and the last day on which it holds.
    fn raise(&self) -> Result<Option<(NanoUsd, NaiveDate)>, BudgetFault> {
        match (self.raised_limit.trim(), self.raised_until.trim()) {
            ("", "") => Ok(None),
            ("", _) => Err(fault(RAISED_LIMIT, "must be given with its last day")),
            (_, "") => Err(fault(RAISED_UNTIL, "must be given with a raised limit")),
            (limit, until) => {
                let limit = dollars(RAISED_LIMIT, limit)?;
                let until = read_date(until).ok_or_else(|| fault(RAISED_UNTIL, "must be a date such as 2026-11-30"))?;
                Ok(Some((limit, until)))
            }
        }
    }
}

#[cfg(any(feature = "ssr", test))]
impl NamedBudgetForm {
    /// A blank one, in the zone of the user's first budget.
    pub fn blank(time_zone: &str) -> Self {
        Self {
            scope: BudgetScope::User.name().into(),
            period: "month".into(),
            thresholds: "50, 75, 90".into(),
            time_zone: time_zone.into(),
            at_limit: AtLimit::Notify.name().into(),
            ..Self::default()
        }
    }

    /// A raise that is over is not shown.
    pub fn of(budget: &NamedBudget, now_ms: i64) -> Self {
        use crate::domain::money::cents_to_text;
        use crate::domain::period::{Zone, local_date};
        let zone = Zone::parse(&budget.time_zone).unwrap_or(Zone::UTC);
        let raise = budget.raise.filter(|raise| now_ms < raise.until_ms);
        let percents: Vec<String> = budget.thresholds.iter().map(u32::to_string).collect();
        let (scope, project) = match &budget.scope {
            BudgetScope::ApiKey(id) => (format!("{OF_KEY}{id}"), String::new()),
            BudgetScope::Project(project) => (budget.scope.name().into(), project.clone()),
            BudgetScope::User | BudgetScope::Everyone => (budget.scope.name().into(), String::new()),
        };
        Self {
            id: budget.id.clone(),
            name: budget.name.clone(),
            scope,
            project,
            model: budget.model.clone().unwrap_or_default(),
            period: budget.period.name().into(),
            limit: cents_to_text(budget.limit.to_cents()),
            thresholds: percents.join(", "),
            time_zone: budget.time_zone.clone(),
            at_limit: budget.at_limit.name().into(),
            raised_limit: raise.map(|raise| cents_to_text(raise.limit.to_cents())).unwrap_or_default(),
            raised_until: raise.map(|raise| local_date(&zone, raise.until_ms - 1).to_string()).unwrap_or_default(),
        }
    }

    /// The budget with all that it needs but what only the ledger knows. One that is to be made gets no id here.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn parse(&self, user: &UserId, now_ms: i64) -> Result<NamedBudget, BudgetFault> {
        use crate::domain::period::{Zone, day_bounds};
        let checked = self.check()?;
        let zone = Zone::parse(&checked.time_zone).map_err(|error| fault(TIME_ZONE, error.message))?;
        let raise = self.raise()?.map(|(limit, last)| Raise { limit, until_ms: day_bounds(&zone, last).end_ms });
        if raise.is_some_and(|raise| raise.until_ms <= now_ms) {
            return Err(fault(RAISED_UNTIL, "must be today or later"));
        }
        Ok(NamedBudget { user_id: user.clone(), raise, ..checked })
    }
}

fn dollars(field: &str, text: &str) -> Result<NanoUsd, BudgetFault> {
    let cents = parse_cents(text).map_err(|error| fault(field, error.to_string()))?;
    Ok(NanoUsd::from_cents(cents).unwrap_or(NanoUsd(i64::MAX)))
}

fn fault(field: &str, message: impl Into<String>) -> BudgetFault {
    BudgetFault { field: field.into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::budget::BudgetPeriod;

    /// 18 November 2026, 12:00 UTC.
    const NOON_MS: i64 = 1_795_003_200_000;

    fn good() -> NamedBudgetForm {
        NamedBudgetForm { name: "Team".into(), limit: "100".into(), ..NamedBudgetForm::blank("Europe/Berlin") }
    }

    #[test]
    fn a_good_form_is_a_budget_and_shows_as_it_was_meant() {
        let entered = NamedBudgetForm {
            id: "a".into(),
            name: " Shop ".into(),
            scope: "project".into(),
            project: " shop ".into(),
            model: " sonnet ".into(),
            period: "week".into(),
            limit: "$1,250.5".into(),
            thresholds: "40 %,80,  95%".into(),
            at_limit: "block".into(),
            raised_limit: "2000".into(),
            raised_until: "2026-11-30".into(),
            ..good()
        };
        let budget = entered.parse(&UserId("ada".into()), NOON_MS).unwrap();
        assert_eq!((budget.scope.clone(), budget.period), (BudgetScope::Project("shop".into()), BudgetPeriod::Week));
        assert_eq!((budget.model.as_deref(), budget.thresholds.as_slice()), (Some("sonnet"), &[40, 80, 95][..]));
        assert_eq!((budget.at_limit, budget.limit.to_cents()), (AtLimit::Block, 125_050));
        // The end of 30 November in Berlin.
        assert_eq!(budget.raise, Some(Raise { limit: NanoUsd(2_000_000_000_000), until_ms: 1_796_079_600_000 }));
        let shown = NamedBudgetForm::of(&budget, NOON_MS);
        assert_eq!((shown.name.as_str(), shown.project.as_str(), shown.limit.as_str()), ("Shop", "shop", "1250.50"));
        assert_eq!((shown.thresholds.as_str(), shown.raised_until.as_str()), ("40, 80, 95", "2026-11-30"));
        assert_eq!(shown.parse(&UserId("ada".into()), NOON_MS), Ok(budget.clone()));
        assert_eq!(NamedBudgetForm::of(&budget, 1_796_079_600_000).raised_limit, "", "the raise is over");
    }

    #[test]
    fn a_scope_may_be_a_key_and_thresholds_may_be_none() {
        let of_key = NamedBudgetForm { scope: "key:k1".into(), thresholds: " ".into(), ..good() };
        let budget = of_key.parse(&UserId("ada".into()), NOON_MS).unwrap();
        assert_eq!((budget.scope.clone(), budget.thresholds.len()), (BudgetScope::ApiKey("k1".into()), 0));
        assert_eq!(NamedBudgetForm::of(&budget, NOON_MS).scope, "key:k1");
    }

    #[test]
    fn each_fault_of_one_of_several_is_told_at_its_own_field() {
        let today = NamedBudgetForm { raised_limit: "200".into(), raised_until: "2026-11-18".into(), ..good() };
        assert!(today.parse(&UserId("ada".into()), NOON_MS).is_ok(), "a raise may be for today");
        for (entered, field) in [
            (NamedBudgetForm { name: " ".into(), ..good() }, NAME),
            (NamedBudgetForm { scope: "team".into(), ..good() }, SCOPE),
            (NamedBudgetForm { scope: "api_key".into(), ..good() }, SCOPE),
            (NamedBudgetForm { scope: "key:".into(), ..good() }, SCOPE),
            (NamedBudgetForm { scope: "project".into(), ..good() }, PROJECT),
            (NamedBudgetForm { project: "shop".into(), ..good() }, PROJECT),
            (NamedBudgetForm { model: "x".repeat(201), ..good() }, MODEL),
            (NamedBudgetForm { period: "year".into(), ..good() }, PERIOD),
            (NamedBudgetForm { limit: "12,50".into(), ..good() }, LIMIT),
            (NamedBudgetForm { limit: "0".into(), ..good() }, LIMIT),
            (NamedBudgetForm { limit: "10000000.01".into(), ..good() }, LIMIT),
            (NamedBudgetForm { thresholds: "50, 50".into(), ..good() }, THRESHOLDS),
            (NamedBudgetForm { thresholds: "0".into(), ..good() }, THRESHOLDS),
            (NamedBudgetForm { thresholds: "half".into(), ..good() }, THRESHOLDS),
            (NamedBudgetForm { thresholds: "+50".into(), ..good() }, THRESHOLDS),
            (NamedBudgetForm { thresholds: "1 2 3 4 5 6 7 8 9 10 11".into(), ..good() }, THRESHOLDS),
            (NamedBudgetForm { time_zone: " ".into(), ..good() }, TIME_ZONE),
            (NamedBudgetForm { at_limit: "stop".into(), ..good() }, AT_LIMIT),
            (NamedBudgetForm { raised_limit: "200".into(), ..good() }, RAISED_UNTIL),
            (NamedBudgetForm { raised_until: "2026-11-30".into(), ..good() }, RAISED_LIMIT),
            (NamedBudgetForm { raised_limit: "100".into(), ..today.clone() }, RAISED_LIMIT),
            (NamedBudgetForm { raised_until: "soon".into(), ..today.clone() }, RAISED_UNTIL),
        ] {
            assert_eq!(entered.check().unwrap_err().field, field, "{entered:?}");
            assert_eq!(entered.parse(&UserId("ada".into()), NOON_MS).unwrap_err().field, field, "{entered:?}");
        }
    }

    #[test]
    fn what_only_the_server_knows_of_a_form_is_left_to_it() {
        let mars = NamedBudgetForm { time_zone: "Mars/Olympus".into(), ..good() };
        assert!(mars.check().is_ok());
        assert_eq!(mars.parse(&UserId("ada".into()), NOON_MS).unwrap_err().field, TIME_ZONE);
        let over = NamedBudgetForm { raised_limit: "200".into(), raised_until: "2026-11-17".into(), ..good() };
        assert!(over.check().is_ok());
        assert_eq!(over.parse(&UserId("ada".into()), NOON_MS).unwrap_err().field, RAISED_UNTIL);
    }

    #[test]
    fn all_that_was_entered_survives_the_address() {
        for id in ["", "a"] {
            let entered =
                NamedBudgetForm { id: id.into(), name: "a=b#c & é".into(), thresholds: "5 %".into(), ..good() };
            let href = entered.to_href();
            let (_, query) = href.split_once('?').unwrap();
            let mut params = ParamsMap::new();
            for (name, value) in
                query.trim_end_matches("#budget-edit").split('&').filter_map(|pair| pair.split_once('='))
            {
                params.insert(name.to_owned(), value.to_owned());
            }
            assert_eq!(NamedBudgetForm::from_params(&params), Some(entered));
        }
        assert_eq!(NamedBudgetForm::from_params(&ParamsMap::new()), None);
    }
}
