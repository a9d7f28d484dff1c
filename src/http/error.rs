//! Every error that the API answers with, and the one place where it becomes a response.
//!
//! Policy: the body is `{"error": what is wrong, "field"?: which input, "details"?: what helps}` with a true status. What
//! the caller did wrong is told in full; what went wrong on our side is told as one constant sentence and the request's
//! id, and logged here once with its cause.

use super::auth::ScopeError;
use super::request_id;
use crate::capture::gateway::Refusal;
use crate::domain::api_key::KeyScope;
use crate::domain::query::QueryError;
use crate::ledger::LedgerError;
use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::error::Error;

/// Seconds after which a client may try again when the ledger cannot take anything.
pub(super) const RETRY_AFTER_S: i64 = 5;

#[derive(Debug)]
pub enum ApiError {
    /// One input is wrong, and this is its name.
    Invalid {
        field: String,
        message: String,
    },
    /// The request as a whole is wrong.
    BadRequest {
        message: String,
        details: Option<String>,
    },
    NotFound,
    /// What is asked for is understood and cannot be done, for this reason.
    Conflict {
        message: &'static str,
    },
    MethodNotAllowed,
    /// The key that the request shows is none of ours, or one is needed and it shows none.
    NoKey,
    /// The key does not allow this.
    KeyLacksScope {
        scope: KeyScope,
    },
    /// It is for who manages this server.
    NotForMembers,
    /// It asks for usage that is not the caller's own.
    OwnUsageOnly,
    /// Too many requests of this kind are open.
    TooManyListeners,
    /// A page of another origin sent it.
    CrossSite,
    /// The Host header names no address of this server.
    WrongHost,
    TooLarge {
        message: String,
    },
    NotJson,
    /// The chat needs a provider key, and this server has none.
    NoProviderKey,
    /// The provider did not answer, for this reason.
    Refused {
        /// The provider's own, or the gateway's for it.
        status: u16,
        message: &'static str,
    },
    /// A budget has no room for the call.
    OverBudget(Refusal),
    /// The body did not arrive in time.
    BodyTimeout,
    /// The answer took too long.
    AnswerTimeout,
    /// The ledger cannot take or tell anything at the moment. Nothing was recorded.
    Unavailable {
        cause: String,
    },
    Internal {
        cause: Box<dyn Error + Send + Sync>,
    },
}

/// The body of every error.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl ApiError {
    /// `message` goes on where the field's name stops: "must be a date".
    pub fn invalid(field: impl Into<String>, message: impl AsRef<str>) -> Self {
        let field = field.into();
        Self::Invalid { message: format!("{field}: {}", message.as_ref()), field }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::BadRequest { message: message.into(), details: None }
    }

    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Internal { cause: cause.into() }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } | Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoKey => StatusCode::UNAUTHORIZED,
            Self::KeyLacksScope { .. } | Self::NotForMembers | Self::OwnUsageOnly | Self::CrossSite => {
                StatusCode::FORBIDDEN
            }
            Self::TooManyListeners | Self::OverBudget(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NoProviderKey => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused { status, .. } => match status {
                429 => StatusCode::TOO_MANY_REQUESTS,
                503 | 529 => StatusCode::SERVICE_UNAVAILABLE,
                504 => StatusCode::GATEWAY_TIMEOUT,
                _ => StatusCode::BAD_GATEWAY,
            },
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::AnswerTimeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the caller reads.
    fn public_message(&self) -> &str {
        match self {
            Self::Invalid { message, .. } | Self::BadRequest { message, .. } | Self::TooLarge { message } => message,
            Self::NotFound => "there is nothing at this address",
            Self::Conflict { message } => message,
            Self::MethodNotAllowed => "this address does not know that method",
            Self::NoKey => "this needs a valid key, as Authorization: Bearer tb_… (tollbridge keys create makes one)",
            Self::KeyLacksScope { scope } => match scope {
                KeyScope::Proxy => "this key lacks the scope proxy",
                KeyScope::Ingest => "this key lacks the scope ingest",
                KeyScope::Read => "this key lacks the scope read",
                KeyScope::Admin => "this key lacks the scope admin",
            },
            Self::NotForMembers => "this is for the owner and the admins",
            Self::OwnUsageOnly => "only the owner and admins see other people's usage",
            Self::TooManyListeners => "too many live connections are open already",
            Self::CrossSite => "a page of another site may not do this",
            Self::WrongHost => "the Host header names no address of this server",
            Self::NotJson => "the body must be JSON, sent with Content-Type: application/json",
            Self::NoProviderKey => {
                "the chat needs a provider key: set ANTHROPIC_API_KEY for Tollbridge and start it again"
            }
            Self::Refused { message, .. } => message,
            Self::OverBudget(refusal) => &refusal.message,
            Self::BodyTimeout => "the body did not arrive in time",
            Self::AnswerTimeout => "the answer took too long",
            Self::Unavailable { .. } => "the ledger cannot be reached at the moment; nothing was changed",
            Self::Internal { .. } => "something went wrong on the server",
        }
    }

    fn retry_after_s(&self) -> i64 {
        if let Self::OverBudget(refusal) = self { refusal.retry_after_s } else { RETRY_AFTER_S }
    }

    fn log(&self) {
        match self {
            Self::Internal { cause } => tracing::error!(error = %with_sources(cause.as_ref()), "a request failed"),
            Self::Unavailable { cause } => tracing::warn!(cause, "the ledger is unavailable"),
            Self::AnswerTimeout => tracing::warn!("an answer took too long"),
            _ => {}
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let status = self.status();
        let body = ErrorBody {
            error: self.public_message(),
            field: if let Self::Invalid { field, .. } = &self { Some(field) } else { None },
            details: if let Self::BadRequest { details, .. } = &self { details.as_deref() } else { None },
            request_id: status.is_server_error().then(request_id::current),
        };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(self.retry_after_s()));
        }
        response
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::OverBudget(refusal)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::invalid(error.field, error.message)
    }
}

impl From<ScopeError> for ApiError {
    fn from(error: ScopeError) -> Self {
        match error {
            ScopeError::OwnOnly => Self::OwnUsageOnly,
            ScopeError::Ledger(error) => error.into(),
        }
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Query(error) => error.into(),
            LedgerError::Busy | LedgerError::Full | LedgerError::Unavailable(_) => {
                Self::Unavailable { cause: error.to_string() }
            }
            other => Self::internal(other),
        }
    }
}

/// The answer for an address under `/api` that does not exist.
pub async fn not_found() -> ApiError {
    ApiError::NotFound
}

/// The answer for a method that an address does not know. axum adds the `Allow` header.
pub async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
