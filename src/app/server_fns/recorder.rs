//! How recording goes, in words: for the strip on the Overview and the card in the Settings.

use super::codec::Json;
use super::error::AppError;
use crate::domain::budget::AlertLevel;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What everybody is told; nearly always nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecorderNews {
    /// Which calls are missing from the figures.
    pub lost: Option<String>,
    /// Which calls a crash would have lost.
    pub late: Option<String>,
    /// Where there is more, for who may see it.
    pub href: Option<String>,
}

/// The card, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownRecorder {
    /// None: all is well.
    pub level: Option<AlertLevel>,
    /// In two words.
    pub state: String,
    pub figures: Vec<ShownFigure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownFigure {
    pub name: String,
    pub value: String,
    /// What belongs to the value; may be empty.
    pub remark: String,
    /// None: it is as it should be.
    pub level: Option<AlertLevel>,
}

/// What is to be told of calls that are missing, and of those that nearly were.
///
/// # Errors
/// [`AppError::LoggedOut`] outside of the gate.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_recorder_news() -> Result<RecorderNews, AppError> {
    let principal = super::principal::principal()?;
    let state = expect_context::<crate::http::state::AppState>();
    let href = principal.manages_server().then(|| "/settings#recording".to_owned());
    Ok(RecorderNews { href, ..words::Words::now(&state).news() })
}

/// The recorder's figures. None for who does not manage the server. The ledger need not be there.
///
/// # Errors
/// [`AppError::LoggedOut`] outside of the gate.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_recorder() -> Result<Option<ShownRecorder>, AppError> {
    let may_see = super::principal::principal()?.manages_server();
    let state = expect_context::<crate::http::state::AppState>();
    Ok(may_see.then(|| words::Words::now(&state).card()))
}

#[cfg(feature = "ssr")]
mod words;
