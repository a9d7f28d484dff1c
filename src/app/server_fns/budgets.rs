//! What the Budgets page asks for beside the first budget: all of them with what they would have told, and to make, change
//! and delete one.
#![allow(clippy::too_many_arguments, reason = "a plain form sends each of its fields")]

use super::codec::Json;
use super::error::AppError;
use crate::app::state::budget_form::BudgetFault;
use crate::app::state::named_budget_form::NamedBudgetForm;
use crate::domain::budget::{AtLimit, BudgetPeriod, BudgetStanding, CrossingDay};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A budget as the page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownBudget {
    pub id: String,
    pub name: String,
    /// `Project shop, sonnet only`.
    pub counts: String,
    pub period: BudgetPeriod,
    pub time_zone: String,
    pub thresholds: Vec<u32>,
    pub at_limit: AtLimit,
    pub raise: Option<ShownRaise>,
    pub standing: BudgetStanding,
    /// Of the last 30 days, oldest first.
    pub crossings: Vec<CrossingDay>,
}

/// A raise that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRaise {
    /// The limit that holds again after it.
    pub usual_limit: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    pub until: String,
}

/// The form of one of several budgets as the page first shows it, with what is wrong in it and what it offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedBudgetDraft {
    pub form: NamedBudgetForm,
    pub fault: Option<BudgetFault>,
    /// Ids and names of the keys that work.
    pub keys: Vec<(String, String)>,
    /// Suggestions: families, then the models that were called.
    pub models: Vec<String>,
}

/// The user's budgets; the first is the one that everybody has.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_budgets() -> Result<Vec<ShownBudget>, AppError> {
    use super::error::refuse;
    use crate::domain::budget::hindsight_interval;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let now_ms = state.clock.now_ms();
    let keys = state.ledger.keys(&user).await.map_err(refuse)?;
    let mut shown = Vec::new();
    for budget in state.ledger.budgets(&user).await.map_err(refuse)? {
        let interval = hindsight_interval(&budget, now_ms);
        let days = state.ledger.days_of(&budget, interval).await.map_err(refuse)?;
        shown.push(shown::budget(budget, &days, &keys, now_ms));
    }
    Ok(shown)
}

/// The form of the budget with this id, a blank one for an empty id, or what was entered and could not be taken.
///
/// # Errors
/// [`AppError::NotFound`] if there is no such budget.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_named_budget_draft(
    id: String,
    entered: Option<NamedBudgetForm>,
) -> Result<NamedBudgetDraft, AppError> {
    use super::error::{refuse, refused};
    use crate::domain::budget::DEFAULT_BUDGET;
    use crate::domain::usage::Scope;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let now_ms = state.clock.now_ms();
    let (form, fault) = match entered {
        Some(form) => {
            let fault = parse_reachable(&state, &form, &user, now_ms).await?.err();
            (form, fault)
        }
        None if id.is_empty() => {
            let first = state.ledger.budget(&user).await.map_err(refuse)?;
            (NamedBudgetForm::blank(&first.time_zone), None)
        }
        None => {
            let stored = state.ledger.budget_by_id(&user, &id).await.map_err(refuse)?;
            let Some(budget) = stored.filter(|budget| budget.id != DEFAULT_BUDGET) else {
                return Err(refused(AppError::NotFound));
            };
            (NamedBudgetForm::of(&budget, now_ms), None)
        }
    };
    let keys = state.ledger.keys(&user).await.map_err(refuse)?.into_iter().filter(|key| !key.is_revoked());
    let called = state.ledger.models(&Scope::User(user)).await.map_err(refuse)?;
    let families = ["sonnet", "opus", "haiku"].map(str::to_owned);
    Ok(NamedBudgetDraft {
        form,
        fault,
        keys: keys.map(|key| (key.id, key.name)).collect(),
        models: families.into_iter().chain(called).collect(),
    })
}

/// Makes a budget (with an empty id) or changes one. A plain form is sent back to its page, with what was entered if that
/// could not be taken.
///
/// # Errors
/// [`AppError::Invalid`] names the field by its name in the form; [`AppError::NotFound`] if there is no such budget.
#[server(prefix = "/_fn")]
pub async fn save_named_budget(
    budget_id: String,
    budget_name: String,
    budget_scope: String,
    budget_project: String,
    budget_model: String,
    budget_period: String,
    budget_limit: String,
    budget_thresholds: String,
    budget_time_zone: String,
    budget_at_limit: String,
    raised_limit: String,
    raised_until: String,
) -> Result<(), AppError> {
    use super::error::{answer_with_status, refuse};
    use super::form::{go_on_if, go_on_to};
    use crate::app::state::named_budget_form::CHANGED_HREF;
    use crate::domain::budget::{DEFAULT_BUDGET, NamedBudget};
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let now_ms = state.clock.now_ms();
    let form = NamedBudgetForm {
        id: budget_id,
        name: budget_name,
        scope: budget_scope,
        project: budget_project,
        model: budget_model,
        period: budget_period,
        limit: budget_limit,
        thresholds: budget_thresholds,
        time_zone: budget_time_zone,
        at_limit: budget_at_limit,
        raised_limit,
        raised_until,
    };
    let is_there = form.id.is_empty()
        || form.id != DEFAULT_BUDGET && state.ledger.budget_by_id(&user, &form.id).await.map_err(refuse)?.is_some();
    if !is_there {
        return go_on_if(false, "/budgets");
    }
    let budget = match parse_reachable(&state, &form, &user, now_ms).await? {
        Ok(budget) => budget,
        Err(fault) => {
            answer_with_status(400);
            go_on_to(&form.to_href());
            return Err(fault.into());
        }
    };
    let id = if form.id.is_empty() { uuid::Uuid::now_v7().to_string() } else { form.id };
    let budget = NamedBudget { id, ..budget };
    let actor = super::principal::actor()?;
    state.ledger.save_named_budget(&budget, &state.prices, &actor, now_ms).await.map_err(refuse)?;
    go_on_to(CHANGED_HREF);
    Ok(())
}

/// Deletes a budget. A plain form is sent back to the page.
///
/// # Errors
/// [`AppError::NotFound`] if there is no such budget, or it is the one that everybody has.
#[server(prefix = "/_fn")]
pub async fn delete_budget(id: String) -> Result<(), AppError> {
    use super::error::refuse;
    use super::form::go_on_if;
    use crate::app::state::named_budget_form::CHANGED_HREF;
    use crate::domain::budget::DEFAULT_BUDGET;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let (actor, now_ms) = (super::principal::actor()?, state.clock.now_ms());
    let is_deleted =
        id != DEFAULT_BUDGET && state.ledger.delete_budget(&user, &id, &actor, now_ms).await.map_err(refuse)?;
    go_on_if(is_deleted, if is_deleted { CHANGED_HREF } else { "/budgets" })
}

/// The form's budget, or what is wrong with it, what only the ledger knows included.
#[cfg(feature = "ssr")]
async fn parse_reachable(
    state: &crate::http::state::AppState,
    form: &NamedBudgetForm,
    user: &crate::domain::usage::UserId,
    now_ms: i64,
) -> Result<Result<crate::domain::budget::NamedBudget, BudgetFault>, AppError> {
    use crate::ledger::LedgerError;
    let budget = match form.parse(user, now_ms) {
        Ok(budget) => budget,
        Err(fault) => return Ok(Err(fault)),
    };
    match state.ledger.check_budget(&budget, &state.prices).await {
        Ok(()) => Ok(Ok(budget)),
        Err(LedgerError::Query(error)) => Ok(Err(form.fault_of(&error))),
        Err(error) => Err(super::error::refuse(error)),
    }
}

#[cfg(feature = "ssr")]
mod shown {
    use super::{ShownBudget, ShownRaise};
    use crate::app::format::capitalised;
    use crate::domain::api_key::ApiKey;
    use crate::domain::budget::{BudgetScope, BudgetStanding, DaySpend, NamedBudget, crossing_days};
    use crate::domain::money::format_cost;
    use crate::domain::period::{Zone, local_date};

    pub(super) fn budget(budget: NamedBudget, days: &[DaySpend], keys: &[ApiKey], now_ms: i64) -> ShownBudget {
        let zone = Zone::parse(&budget.time_zone).unwrap_or(Zone::UTC);
        let raise = budget.raise.filter(|raise| now_ms < raise.until_ms).map(|raise| ShownRaise {
            usual_limit: format_cost(budget.limit),
            until: local_date(&zone, raise.until_ms - 1).to_string(),
        });
        ShownBudget {
            counts: counts(&budget, keys),
            standing: BudgetStanding::of(&budget, days, now_ms),
            crossings: crossing_days(&budget, days, now_ms),
            raise,
            id: budget.id,
            name: budget.name,
            period: budget.period,
            time_zone: budget.time_zone,
            thresholds: budget.thresholds,
            at_limit: budget.at_limit,
        }
    }

    fn counts(budget: &NamedBudget, keys: &[ApiKey]) -> String {
        let scope = match &budget.scope {
            BudgetScope::ApiKey(id) => match keys.iter().find(|key| key.id == *id) {
                Some(key) if key.is_revoked() => format!("key {} (revoked)", key.name),
                Some(key) => format!("key {}", key.name),
                None => "a key that is gone".into(),
            },
            scope => scope.words(),
        };
        let model = budget.model.as_ref().map(|model| format!(", {model} only")).unwrap_or_default();
        capitalised(&scope) + &model
    }
}
