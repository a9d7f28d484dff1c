//! Requests that are no calls: models, counting tokens, files, and batches, which are told where their results are and whose
//! they will be.

use super::answer_body::Reader;
use super::batch::{self, ResultsReader};
use super::coding::Coding;
use super::credential::Caller;
use super::endpoint::Watch;
use super::error::GatewayError;
use super::{Admitted, Answered, Gateway, attribution, is_plain};
use crate::domain::host::origin_of;
use crate::ledger::{BatchClaim, BatchOwner};
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, HOST};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, request, response};

/// A page of a thousand batches has about 600 KiB.
const MAX_BATCHES_BYTES: usize = 16 * 1024 * 1024;

impl Gateway {
    /// Passes on what is no call of the Messages API. Only the results of batches are recorded.
    pub(super) async fn pass_other(
        &self,
        admitted: Admitted,
        parts: request::Parts,
        body: Body,
    ) -> Result<Response<Body>, GatewayError> {
        let body = self.request_body(&admitted, body);
        let context = attribution::from_headers(&admitted.headers);
        let holds_batches = matches!(admitted.endpoint.watch, Watch::Batches | Watch::NewBatch);
        let base = holds_batches.then(|| base_of(&admitted.headers, self.shared.options.public_host.as_deref()));
        let answered = self.ask(admitted.headers, admitted.credential, parts, body).await?;
        let is_ok = answered.head.status == StatusCode::OK;
        let Caller { user_id, api_key_id } = admitted.caller;
        let owner = BatchOwner { user_id, api_key_id, context };
        let claim = |batch_id| BatchClaim { batch_id, owner, at_ms: admitted.now_ms };
        match (admitted.endpoint.watch, base) {
            (watch, Some(base)) if is_ok && is_plain(&answered.head.headers) => {
                let (head, json) = self.hold_batches(answered).await?;
                if let Some(batch_id) = batch::id_of(&json).filter(|_| watch == Watch::NewBatch) {
                    self.shared.keepers.recorder.claim_batch(&claim(batch_id)).await;
                }
                Ok(answer_batches(head, json, &base))
            }
            (Watch::BatchResults { batch_id }, _) if is_ok => {
                let results = ResultsReader::new(self.shared.keepers.recorder.clone(), claim(batch_id));
                let coding = Coding::of(&answered.head.headers);
                Ok(self.answer(answered, Reader::BatchResults(Box::new(results), coding)))
            }
            _ => Ok(self.answer(answered, Reader::Nobody)),
        }
    }

    /// Batches as objects are small and not streamed: they are the one kind of answer that is held until it is complete.
    async fn hold_batches(&self, answered: Answered) -> Result<(response::Parts, Bytes), GatewayError> {
        let (head, body) = self.answer(answered, Reader::Nobody).into_parts();
        let json = axum::body::to_bytes(body, MAX_BATCHES_BYTES).await.map_err(|_| GatewayError::Unreachable)?;
        Ok((head, json))
    }
}

/// Batches, with their results at our address.
fn answer_batches(mut head: response::Parts, json: Bytes, base: &str) -> Response<Body> {
    let Some(changed) = batch::redirect_results(&json, base) else {
        return Response::from_parts(head, Body::from(json));
    };
    if head.headers.contains_key(CONTENT_LENGTH) {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(changed.len()));
    }
    Response::from_parts(head, Body::from(changed))
}

/// Where the client reaches us.
fn base_of(headers: &HeaderMap, public_host: Option<&str>) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    origin_of(host, public_host)
}
