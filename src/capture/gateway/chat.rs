//! A call of Tollbridge's own chat: made here in place of a client, and from there on like any other.

use super::call::Origin;
use super::credential::{self, Caller};
use super::endpoint::Endpoint;
use super::{Admitted, Gateway, GatewayError};
use crate::domain::usage::{CallContext, Source, UsageRecord};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use tokio::sync::oneshot;

const MESSAGES: &str = "/v1/messages";
const API_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

impl Gateway {
    /// Whether this server has a provider key of its own, which the chat needs.
    pub fn has_provider_key(&self) -> bool {
        self.shared.options.provider_key.is_some()
    }

    /// Asks the provider with this server's key, for `caller`. `body` is a Messages request. The answer is the provider's; what was
    /// recorded of the call comes over `listener` when it has ended. Dropping the answer ends the call.
    pub async fn chat(
        &self,
        now_ms: i64,
        caller: Caller,
        body: String,
        context: CallContext,
        listener: oneshot::Sender<Vec<UsageRecord>>,
    ) -> Response<Body> {
        let origin = Origin { source: Source::Chat, context, listener: Some(listener) };
        match self.admit_chat(now_ms, caller) {
            Ok(admitted) => {
                let (mut parts, body) = Request::new(Body::from(body)).into_parts();
                parts.method = Method::POST;
                parts.uri = axum::http::Uri::from_static(MESSAGES);
                self.pass_call(admitted, origin, parts, body).await
            }
            Err(error) => error.answer(None),
        }
    }

    fn admit_chat(&self, now_ms: i64, caller: Caller) -> Result<Admitted, GatewayError> {
        let endpoint = Endpoint::find(&Method::POST, MESSAGES).map_err(|_| GatewayError::UnknownPath)?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(API_VERSION, HeaderValue::from_static("2023-06-01"));
        let credential = credential::choose(&headers, self.shared.options.provider_key.as_ref())?;
        Ok(Admitted { endpoint, caller, credential, now_ms, headers })
    }
}
