//! What the gateway answers when it has no answer of the provider's to give: in Anthropic's shape, because the clients read
//! that, and with a message of ours, because it was not Anthropic.

use super::headers::CALL_ID;
use axum::Json;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    #[error("Tollbridge does not pass this path on")]
    UnknownPath,
    #[error("this path does not know that method")]
    UnknownMethod,
    #[error("{0}")]
    AmbiguousCredential(&'static str),
    #[error("a page of another site may not do this")]
    CrossSite,
    #[error("the Host header names no address of this server")]
    WrongHost,
    #[error("the request needs exactly one Host header")]
    UnclearHost,
    #[error("a Tollbridge key is needed here: in x-tollbridge-key, in x-api-key or as Authorization: Bearer")]
    KeyMissing,
    #[error("this Tollbridge key is unknown or revoked")]
    KeyUnknown,
    #[error("this Tollbridge key lacks the scope \"proxy\"")]
    KeyWithoutScope,
    #[error("Tollbridge cannot look up keys at the moment")]
    KeysUnavailable,
    #[error("there is no provider key: neither did the request bring one, nor is ANTHROPIC_API_KEY set for Tollbridge")]
    NoProviderKey,
    #[error("the request is larger than the provider takes")]
    TooLarge,
    #[error("the request did not arrive in time")]
    RequestTimeout,
    #[error("the request broke off")]
    RequestBrokeOff,
    /// What the client is told is the refusal that goes with it.
    #[error("a spend limit is reached")]
    SpendLimit,
    #[error("Tollbridge cannot reach the provider")]
    Unreachable,
    #[error("the provider did not answer in time")]
    UpstreamTimeout,
}

impl GatewayError {
    pub fn status(self) -> StatusCode {
        match self {
            Self::UnknownPath => StatusCode::NOT_FOUND,
            Self::UnknownMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::AmbiguousCredential(_) | Self::RequestBrokeOff | Self::UnclearHost => StatusCode::BAD_REQUEST,
            Self::KeyMissing | Self::KeyUnknown | Self::NoProviderKey => StatusCode::UNAUTHORIZED,
            Self::CrossSite | Self::KeyWithoutScope => StatusCode::FORBIDDEN,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::SpendLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::KeysUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreachable => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The word in Anthropic's list that is nearest.
    fn kind(self) -> &'static str {
        match self {
            Self::UnknownPath => "not_found_error",
            Self::UnknownMethod | Self::AmbiguousCredential(_) | Self::RequestBrokeOff | Self::UnclearHost => {
                "invalid_request_error"
            }
            Self::KeyMissing | Self::KeyUnknown | Self::NoProviderKey => "authentication_error",
            Self::CrossSite | Self::KeyWithoutScope | Self::WrongHost => "permission_error",
            Self::TooLarge => "request_too_large",
            Self::SpendLimit => "billing_error",
            Self::RequestTimeout | Self::UpstreamTimeout => "timeout_error",
            Self::KeysUnavailable | Self::Unreachable => "api_error",
        }
    }

    /// What the event of the call says.
    pub fn recorded_as(self) -> &'static str {
        match self {
            Self::TooLarge => "request_too_large",
            Self::RequestTimeout => "request_timeout",
            Self::RequestBrokeOff => "client_closed",
            Self::Unreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            other => other.kind(),
        }
    }

    /// The answer, with the call's id if there was a call.
    pub fn answer(self, call_id: Option<&str>) -> Response {
        let body = json!({"type": "error", "error": {"type": self.kind(), "message": self.to_string()}});
        let mut response = (self.status(), Json(body)).into_response();
        if let Some(id) = call_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            response.headers_mut().insert(CALL_ID, id);
        }
        response
    }
}

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        self.answer(None)
    }
}
