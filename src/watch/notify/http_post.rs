//! One HTTP request with a JSON body, for webhooks and chats: no redirects, no retries, and no more of the answer is read
//! than anybody needs.

use super::outbound::{Outbound, OutboundError, exchange};
use super::{Answer, MAX_ANSWER_BYTES};
use crate::domain::secret::Secret;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Method, Request, Response, Uri};

/// Receivers may rely on no message being larger.
const MAX_BODY_BYTES: usize = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum PostError {
    #[error("the address cannot be used: {0}")]
    Address(&'static str),
    #[error("the message is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("the receiver did not answer: {0}")]
    Http(#[from] hyper::Error),
}

/// Whether the address may be used at all: `https`, or `http` where private addresses are allowed. Where it leads is
/// checked with each attempt.
pub fn check_url(outbound: &Outbound, url: &Secret) -> Result<(), PostError> {
    Receiver::parse(outbound, url).map(|_| ())
}

/// Sends `body` to `url`, and gives what the receiver said.
pub async fn post_json(
    outbound: &Outbound,
    url: &Secret,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
) -> Result<Answer, PostError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(PostError::TooLarge);
    }
    let receiver = Receiver::parse(outbound, url)?;
    let request = receiver.request(headers, body)?;
    let response = if receiver.is_encrypted {
        let stream = outbound.connect_tls(&receiver.host, receiver.port).await?;
        exchange(stream, request, MAX_ANSWER_BYTES, read_answer).await?
    } else {
        let stream = outbound.connect_plain(&receiver.host, receiver.port).await?;
        exchange(stream, request, MAX_ANSWER_BYTES, read_answer).await?
    };
    Ok(response)
}

struct Receiver {
    is_encrypted: bool,
    host: String,
    port: u16,
    authority: String,
    path_and_query: String,
}

impl Receiver {
    fn parse(outbound: &Outbound, url: &Secret) -> Result<Self, PostError> {
        let uri: Uri = url.reveal().parse().map_err(|_| PostError::Address("it is not an address"))?;
        let authority = uri.authority().ok_or(PostError::Address("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(PostError::Address("it must not hold a user name or password"));
        }
        let is_encrypted = uri.scheme() == Some(&Scheme::HTTPS);
        if !is_encrypted && uri.scheme() != Some(&Scheme::HTTP) {
            return Err(PostError::Address("it must begin with https://"));
        }
        if !is_encrypted && !outbound.allows_private_addresses() {
            return Err(PostError::Address("it must begin with https://"));
        }
        Ok(Self {
            is_encrypted,
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path_and_query: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    fn request(
        &self,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, PostError> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.path_and_query)
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("tollbridge/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(body))).map_err(|_| PostError::Address("it is not an address"))
    }
}

/// The status counts, also when the rest of the answer breaks off.
async fn read_answer(response: Response<Incoming>) -> Answer {
    let status = response.status().as_u16();
    let retry_after_ms = retry_after(response.headers().get(RETRY_AFTER));
    let mut body = response.into_body();
    let mut read = Vec::new();
    while read.len() < MAX_ANSWER_BYTES {
        let Some(Ok(frame)) = body.frame().await else { break };
        let Some(data) = frame.data_ref() else { continue };
        let left = MAX_ANSWER_BYTES - read.len();
        read.extend_from_slice(&data[..data.len().min(left)]);
    }
    Answer { status: Some(status), text: String::from_utf8_lossy(&read).into_owned(), retry_after_ms }
}

/// The seconds form alone; a date counts as not said.
fn retry_after(value: Option<&HeaderValue>) -> Option<i64> {
    let seconds: i64 = value?.to_str().ok()?.trim().parse().ok()?;
    seconds.checked_mul(1_000)
}
