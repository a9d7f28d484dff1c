//! Changing one's own password, with the old one at hand.

use super::Principal;
use crate::domain::account::NewPassword;
use crate::http::state::AppState;
use crate::ledger::LedgerError;

/// Why a password stays as it is.
#[derive(Debug)]
pub enum NotChanged {
    /// A field of the form, and what is wrong with it.
    Wrong(&'static str, &'static str),
    /// Too many wrong ones: in so many milliseconds again.
    TooOften(i64),
    Ledger(LedgerError),
}

/// Sets the password of who acts, and ends all their sessions, this one too. Who has logged in has to know the current one.
pub async fn change_password(
    state: &AppState,
    principal: &Principal,
    current: &str,
    typed: [&str; 2],
) -> Result<(), NotChanged> {
    let password = chosen_password(typed).map_err(|problem| NotChanged::Wrong("password", problem))?;
    if let Some(login) = principal.login() {
        state.access.limits.admit_name(login, state.clock.now_ms()).map_err(NotChanged::TooOften)?;
        if state.ledger.check_password(login, current).await?.is_none() {
            return Err(NotChanged::Wrong("current", "is not your password"));
        }
        state.access.limits.forgive(login);
    }
    state.ledger.set_password(&principal.user_id(), &password).await?;
    Ok(())
}

/// A password that was typed twice, or what is wrong with it.
pub(super) fn chosen_password([first, second]: [&str; 2]) -> Result<NewPassword, &'static str> {
    let password = NewPassword::parse(first)?;
    if first == second { Ok(password) } else { Err("was not typed the same twice") }
}

impl From<LedgerError> for NotChanged {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}
