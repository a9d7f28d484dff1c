//! The JSON API, one file a resource. Handlers are thin: parse, call, map. `docs/api.md` is its description.

pub mod alerts;
pub mod analytics;
pub mod audit;
pub mod budget;
pub mod budgets;
pub mod channels;
pub mod chat;
pub mod events;
pub mod pauses;
pub mod prices;
pub mod usage;

use super::error::ApiError;
use crate::capture::json_fields::FieldError;
use crate::domain::query::QueryError;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use chrono::{DateTime, SecondsFormat};

/// The URL's parameters as decoded pairs, in their order.
pub struct Params(pub Vec<(String, String)>);

impl Params {
    /// The last value of a name; an empty one counts as absent, as a form sends it.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// How many rows a page shall have.
    fn limit(&self, default: u32, max: u32) -> Result<u32, QueryError> {
        let Some(text) = self.get("limit") else { return Ok(default) };
        let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
        limit.ok_or_else(|| QueryError::new("limit", format!("must be a whole number from 1 to {max}")))
    }

    /// The same question about the page that begins after a cursor.
    fn path_of_next(&self, path: &str, cursor: &str) -> String {
        let kept = self.0.iter().filter(|(name, _)| name != "after");
        let mut query = form_urlencoded::Serializer::new(String::new());
        format!("{path}?{}", query.extend_pairs(kept).append_pair("after", cursor).finish())
    }
}

/// An instant as answers give it; none where no calendar has it.
fn moment(at_ms: i64) -> Option<String> {
    DateTime::from_timestamp_millis(at_ms).map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let pairs = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        pairs.map(|Query(pairs)| Self(pairs)).map_err(|_| ApiError::bad_request("the query string cannot be read"))
    }
}

impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        match error.field.as_str() {
            "" => Self::bad_request(format!("the body {}", error.message)),
            _ => Self::invalid(error.field, error.message),
        }
    }
}
