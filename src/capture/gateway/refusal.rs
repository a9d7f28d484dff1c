//! What a client is told when a budget or the breaker refuses its call: in the words and headers by which Claude Code knows a spend limit
//! and stops instead of trying again.

use crate::domain::budget::NamedBudget;
use crate::domain::money::NanoUsd;
use crate::domain::pause::SessionPause;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::DateTime;
use serde::Serialize;

/// A pause has no end of its own. Claude Code stops trying where it would have to wait for more than a minute.
const PAUSE_RETRY_AFTER_S: i64 = 3_600;

/// Which budget has no room for a call, and until when; or which session is paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    /// At least one second.
    pub retry_after_s: i64,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    error: Error<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    r#type: &'static str,
    message: &'a str,
}

impl Refusal {
    /// `most` is what the call may cost at most.
    pub fn new(budget: &NamedBudget, spent: NanoUsd, reserved: NanoUsd, most: NanoUsd, now_ms: i64) -> Self {
        let ends_ms = budget.interval_at(now_ms).end_ms;
        let resets = DateTime::from_timestamp_millis(ends_ms).unwrap_or_default().format("%Y-%m-%d %H:%M UTC");
        let of_model = budget.model.as_ref().map(|model| format!(", {model} only")).unwrap_or_default();
        let message = format!(
            "spend limit reached ({}; resets {resets}). {} ({}{of_model}): {spent} of {} spent, {reserved} held by \
             calls under way; this call may cost up to {most}.",
            budget.period.adverb(),
            budget.name,
            budget.scope.words(),
            budget.limit_at(now_ms),
        );
        Self { message, retry_after_s: ((ends_ms.saturating_sub(now_ms) + 999) / 1_000).max(1) }
    }

    /// `dashboard_url` is where the session can be resumed.
    pub fn of_pause(pause: &SessionPause, dashboard_url: &str) -> Self {
        let message = format!(
            "spend limit reached (this session; paused until somebody resumes it). {} Other sessions go on. \
             Resume it at {dashboard_url}/alerts",
            pause.message()
        );
        Self { message, retry_after_s: PAUSE_RETRY_AFTER_S }
    }

    /// The answer carries the refusal itself as an extension, for callers on this side who need no wire format.
    pub fn answer(&self, call_id: &str) -> Response {
        let error = Error { r#type: "billing_error", message: &self.message };
        let body = serde_json::to_string(&Body { r#type: "error", error, request_id: call_id }).unwrap_or_default();
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (RETRY_AFTER, HeaderValue::from(self.retry_after_s)),
        ];
        let mut response = (StatusCode::TOO_MANY_REQUESTS, headers, body).into_response();
        response.headers_mut().insert("x-should-retry", HeaderValue::from_static("false"));
        response.extensions_mut().insert(self.clone());
        response
    }
}
