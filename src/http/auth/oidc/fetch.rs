//! Requests to the provider: one answer each, of a size and within a time, and no redirect. The provider is whom the
//! configuration names, so that it may be on one's own network.

use crate::config::check_provider_url;
use crate::watch::notify::outbound::{Outbound, OutboundError, exchange};
use axum::body::Bytes;
use axum::http::header::{HOST, USER_AGENT};
use axum::http::uri::{Scheme, Uri};
use axum::http::{HeaderValue, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use std::pin::Pin;
use std::time::Duration;

/// Discovery documents have a few KiB, key sets up to some twenty.
const MAX_ANSWER_BYTES: usize = 256 * 1024;
const MAX_HEAD_BYTES: usize = 64 * 1024;
const WITHIN: Duration = Duration::from_secs(5);

/// What asks the provider.
#[derive(Clone)]
pub(super) struct Fetcher(pub(super) Outbound);

/// Why the provider has not answered. None of it is from the answer itself, or secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("one of its addresses {0}")]
    Address(&'static str),
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("it did not answer: {0}")]
    Http(#[from] hyper::Error),
    #[error("its answer is larger than {MAX_ANSWER_BYTES} bytes, or broke off")]
    Body,
    #[error("it did not answer within {} seconds", WITHIN.as_secs())]
    Late,
}

impl<'c> AsyncHttpClient<'c> for Fetcher {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answered = tokio::time::timeout(WITHIN, fetch(&self.0, request)).await;
            answered.unwrap_or(Err(FetchError::Late))
        })
    }
}

async fn fetch(outbound: &Outbound, request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let uri = request.uri().clone();
    check_provider_url(&uri.to_string()).map_err(FetchError::Address)?;
    let authority = uri.authority().ok_or(FetchError::Address("names no host"))?;
    let is_encrypted = uri.scheme() == Some(&Scheme::HTTPS);
    let port = authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| FetchError::Address("names no host"))?;
    request.headers_mut().insert(HOST, host);
    request
        .headers_mut()
        .insert(USER_AGENT, HeaderValue::from_static(concat!("tollbridge/", env!("CARGO_PKG_VERSION"))));
    *request.uri_mut() = uri.path_and_query().map_or_else(|| Uri::from_static("/"), |path| Uri::from(path.clone()));
    if is_encrypted {
        exchange(outbound.connect_tls(authority.host(), port).await?, request, MAX_HEAD_BYTES, read).await?
    } else {
        exchange(outbound.connect_plain(authority.host(), port).await?, request, MAX_HEAD_BYTES, read).await?
    }
}

async fn read(response: Response<Incoming>) -> Result<HttpResponse, FetchError> {
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|_| FetchError::Body)?;
    Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
}
