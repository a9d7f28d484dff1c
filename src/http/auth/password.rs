//! Changing one's own password, with the old one at hand, and showing it again before something that a stolen session must
//! not be enough for.

use super::{Principal, session_cookie};
use crate::domain::account::NewPassword;
use crate::domain::audit::Actor;
use crate::http::state::AppState;
use crate::ledger::LedgerError;
use axum::http::HeaderMap;

/// Why a password stays as it is.
#[derive(Debug)]
pub enum NotChanged {
    /// What is wrong with the new one.
    Password(&'static str),
    Current(NotConfirmed),
    Ledger(LedgerError),
}

/// Why it is not certain that who acts is still who has logged in.
#[derive(Debug)]
pub enum NotConfirmed {
    Missing,
    /// Who acts has none and logs in through the provider; that was too long ago.
    NoPassword,
    Wrong,
    /// Too many wrong ones: in so many milliseconds again.
    TooOften(i64),
    Ledger(LedgerError),
}

impl NotConfirmed {
    /// What is wrong with the field that holds the password, and the status of the answer.
    ///
    /// # Errors
    /// It is not about the field but about the ledger.
    pub fn told(self) -> Result<(u16, String), LedgerError> {
        match self {
            Self::Missing => Ok((400, "is needed: you logged in more than 5 minutes ago".into())),
            Self::NoPassword => {
                Ok((400, "you have none: log out and in again, then there are 5 minutes for this".into()))
            }
            Self::Wrong => Ok((400, "is not your password".into())),
            Self::TooOften(wait_ms) => {
                Ok((429, format!("was wrong too often; try again in {} seconds", wait_ms / 1_000 + 1)))
            }
            Self::Ledger(error) => Err(error),
        }
    }
}

/// Sets the password of who acts, and ends all their sessions, this one too. Who has logged in has to know the current one, or,
/// if there is none, to have logged in just now.
pub async fn change_password(
    state: &AppState,
    principal: &Principal,
    actor: &Actor,
    headers: &HeaderMap,
    current: &str,
    typed: [&str; 2],
) -> Result<(), NotChanged> {
    let password = chosen_password(typed).map_err(NotChanged::Password)?;
    if let Principal::Account(account) = principal {
        let confirmed = match account.has_password {
            true => check_own(state, &account.login, actor, current).await,
            false => confirm_fresh(state, headers, NotConfirmed::NoPassword).await,
        };
        confirmed.map_err(NotChanged::Current)?;
    }
    state
        .ledger
        .set_password(&principal.user_id(), &password, actor, state.clock.now_ms())
        .await
        .map_err(NotChanged::Ledger)?;
    Ok(())
}

/// Makes certain that who acts is who has logged in, and not somebody at a session left open: by their password, or by having
/// logged in within the last five minutes (ASVS 7.5.1). Who needs no login needs none for this either.
pub async fn confirm(
    state: &AppState,
    principal: &Principal,
    actor: &Actor,
    headers: &HeaderMap,
    typed: &str,
) -> Result<(), NotConfirmed> {
    let Principal::Account(account) = principal else { return Ok(()) };
    match (account.has_password, typed.is_empty()) {
        (false, _) => confirm_fresh(state, headers, NotConfirmed::NoPassword).await,
        (true, true) => confirm_fresh(state, headers, NotConfirmed::Missing).await,
        (true, false) => check_own(state, &account.login, actor, typed).await,
    }
}

/// That the login was within the last five minutes, or `otherwise`.
async fn confirm_fresh(state: &AppState, headers: &HeaderMap, otherwise: NotConfirmed) -> Result<(), NotConfirmed> {
    let Some(token) = session_cookie::read(headers, &state.access) else { return Err(otherwise) };
    let is_fresh = state.ledger.is_fresh_session(&token, state.clock.now_ms()).await;
    if is_fresh.map_err(NotConfirmed::Ledger)? { Ok(()) } else { Err(otherwise) }
}

/// A password that was typed twice, or what is wrong with it.
pub(super) fn chosen_password([first, second]: [&str; 2]) -> Result<NewPassword, &'static str> {
    let password = NewPassword::parse(first)?;
    if first == second { Ok(password) } else { Err("was not typed the same twice") }
}

/// Guessing here is guessing at the login, and has to wait as long.
async fn check_own(state: &AppState, login: &str, actor: &Actor, password: &str) -> Result<(), NotConfirmed> {
    let (limits, now_ms) = (&state.access.limits, state.clock.now_ms());
    limits.admit_name(login, now_ms).map_err(NotConfirmed::TooOften)?;
    match state.ledger.check_password(login, password, actor, now_ms).await {
        Ok(Some(_)) => {
            limits.forgive(login);
            Ok(())
        }
        Ok(None) => Err(NotConfirmed::Wrong),
        Err(error) => Err(NotConfirmed::Ledger(error)),
    }
}
