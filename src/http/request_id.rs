//! One id for each request: in the log lines, in the `x-request-id` header and in the body of a 5xx answer, so that a
//! user's report finds its log line. Also the last-resort boundary for panics.

use super::error::ApiError;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use tracing::Instrument;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request being served; a new one outside of any request.
pub fn current() -> String {
    CURRENT.try_with(String::clone).unwrap_or_else(|_| new_id())
}

/// Gives the request its id, logs how it went, and turns a panic into a 500.
pub async fn track_request(request: Request, next: Next) -> Response {
    let id = new_id();
    // The path alone: a query string may hold what nobody wants in a log.
    let span = tracing::info_span!("request", id, method = %request.method(), path = request.uri().path());
    let started = Instant::now();
    let answered = async {
        let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => ApiError::internal("a handler panicked").into_response(),
        };
        let elapsed_ms = started.elapsed().as_millis();
        tracing::debug!(status = response.status().as_u16(), elapsed_ms, "answered");
        if let Ok(value) = HeaderValue::from_str(&current()) {
            response.headers_mut().insert(HEADER, value);
        }
        response
    };
    CURRENT.scope(id.clone(), answered.instrument(span)).await
}

fn new_id() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}
