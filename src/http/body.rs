//! Bodies and time: a body is read whole before a handler sees it, at most so large and so slow, and an answer must
//! begin in time. The gateway's streaming routes do not come through here.

use super::error::ApiError;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Forms, server functions and every API but tracking.
pub const SMALL_BODY: BodyLimit = BodyLimit { bytes: 64 * 1024, within: Duration::from_secs(30) };
/// Tracking, up to 1,000 events at once.
pub const TRACKING_BODY: BodyLimit = BodyLimit { bytes: 4 * 1024 * 1024, within: Duration::from_secs(60) };
/// A turn of the chat with its conversation; JSON writes some characters with six.
pub const CHAT_BODY: BodyLimit = BodyLimit { bytes: 1024 * 1024, within: Duration::from_secs(30) };
/// How long an answer may take to begin.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    pub bytes: usize,
    pub within: Duration,
}

/// A JSON body. Anything else is answered with what is wrong and where.
pub struct JsonBody<T>(pub T);

/// Reads the body, then hands it on whole.
pub async fn read_body(State(limit): State<BodyLimit>, request: Request, next: Next) -> Response {
    let too_large = || ApiError::TooLarge { message: format!("the body may have at most {} KiB", limit.bytes / 1024) };
    if announced_length(request.headers()).is_some_and(|length| length > limit.bytes as u64) {
        return too_large().into_response();
    }
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(limit.within, axum::body::to_bytes(body, limit.bytes)).await;
    match read {
        Err(_) => ApiError::BodyTimeout.into_response(),
        // The limit is the one error that a client brings about and can read the answer to.
        Ok(Err(_)) => too_large().into_response(),
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
    }
}

/// Gives up on a handler that takes too long.
pub async fn answer_in_time(State(within): State<Duration>, request: Request, next: Next) -> Response {
    // What changes the ledger runs to its end: an answer that says "no" to something that then happens is a lie.
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return next.run(request).await;
    }
    match tokio::time::timeout(within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::AnswerTimeout.into_response(),
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::NotJson);
        }
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|error| ApiError::bad_request(error.body_text()))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| ApiError::BadRequest {
            message: "the body is not the JSON that is expected here".into(),
            details: Some(error.to_string()),
        })
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}
