//! What the Budgets page asks for: the budget as it is set, and to set another.

use super::codec::Json;
use super::error::AppError;
use crate::app::state::budget_form::{BudgetFault, BudgetForm};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The form as the page first shows it, with what is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetDraft {
    pub form: BudgetForm,
    pub fault: Option<BudgetFault>,
}

/// The budget in force, or what was entered in its place and could not be taken.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_budget_draft(entered: Option<BudgetForm>) -> Result<BudgetDraft, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    if let Some(form) = entered {
        let fault = form.parse().err();
        return Ok(BudgetDraft { form, fault });
    }
    let budget = state.ledger.budget(&user).await.map_err(super::error::refuse)?;
    Ok(BudgetDraft { form: BudgetForm::of(&budget), fault: None })
}

/// Sets the user's budget. A plain form is sent back to its page, with what was entered if that could not be taken.
///
/// # Errors
/// [`AppError::Invalid`] names the field by its name in the form.
#[server(prefix = "/_fn")]
pub async fn save_budget(
    limit: String,
    threshold_1: String,
    threshold_2: String,
    threshold_3: String,
    time_zone: String,
    at_limit: String,
) -> Result<(), AppError> {
    use super::error::{answer_with_status, refuse};
    use super::form::go_on_to;
    use crate::app::state::budget_form::SAVED_HREF;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let form = BudgetForm { limit, thresholds: [threshold_1, threshold_2, threshold_3], time_zone, at_limit };
    let budget = match form.parse() {
        Ok(budget) => budget,
        Err(fault) => {
            answer_with_status(400);
            go_on_to(&form.to_href());
            return Err(fault.into());
        }
    };
    let actor = super::principal::actor()?;
    state.ledger.save_budget(&user, &budget, &actor, state.clock.now_ms()).await.map_err(refuse)?;
    go_on_to(SAVED_HREF);
    Ok(())
}
