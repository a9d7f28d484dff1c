//! What a page is told when it cannot be answered. The reader learns what he can act on; the inside goes to the log,
//! once, with the id that the reader sees.

use super::codec::JsonText;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AppError {
    /// The question is not understood: HTTP 400.
    #[error("{field}: {message}")]
    Invalid { field: String, message: String },
    /// Nobody is logged in, or no longer: HTTP 401.
    #[error("You are logged out.")]
    LoggedOut,
    /// HTTP 403.
    #[error("This is for those who manage this Tollbridge.")]
    Forbidden,
    /// HTTP 404.
    #[error("There is nothing here.")]
    NotFound,
    /// The ledger is busy, full or out of reach, or the server does not answer: HTTP 503. Worth trying again.
    #[error("The ledger cannot be reached just now.")]
    Unavailable,
    /// Our fault: HTTP 500. The log has the rest under this id.
    #[error("Something went wrong on the server (request {request_id}).")]
    Internal { request_id: String },
}

impl AppError {
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } => 400,
            Self::LoggedOut => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Unavailable => 503,
            Self::Internal { .. } => 500,
        }
    }
}

impl From<crate::domain::query::QueryError> for AppError {
    fn from(error: crate::domain::query::QueryError) -> Self {
        Self::Invalid { message: error.message, field: error.field.into() }
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonText;

    /// What the framework reports: the server was not reached or did not answer in our words (proxy, restart).
    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(message) | ServerFnErrorErr::MissingArg(message) => {
                Self::Invalid { field: "query".into(), message }
            }
            _ => Self::Unavailable,
        }
    }
}

/// Gives the response the error's true status, where there is a response.
pub fn answer_with_status(status: u16) {
    #[cfg(feature = "ssr")]
    if let Some(response) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>()
        && let Ok(status) = axum::http::StatusCode::from_u16(status)
    {
        response.set_status(status);
    }
    #[cfg(not(feature = "ssr"))]
    let _ = status;
}

/// The error, after it has given the response its status.
#[cfg(feature = "ssr")]
pub fn refused(error: AppError) -> AppError {
    answer_with_status(error.status());
    error
}

/// The one place where a ledger's error becomes a reader's: sets the status, and logs what the reader is not told.
#[cfg(feature = "ssr")]
pub fn refuse(error: crate::ledger::LedgerError) -> AppError {
    use crate::ledger::LedgerError;
    let told = match error {
        LedgerError::Query(error) => AppError::from(error),
        LedgerError::Busy | LedgerError::Full | LedgerError::Unavailable(_) => {
            tracing::warn!(%error, "the dashboard could not read the ledger");
            AppError::Unavailable
        }
        error => {
            let request_id = crate::http::request_id::current();
            tracing::error!(%error, %request_id, "the dashboard could not be answered");
            AppError::Internal { request_id }
        }
    };
    refused(told)
}
