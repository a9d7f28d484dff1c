//! The pass-through for Anthropic's Messages API: a client points its base URL here and nothing changes for it, except
//! that its calls are recorded.
//!
//! The rules, each kept by the module in brackets:
//!
//! - Bytes pass untouched, in both directions, unbuffered and at the pace of the slower side (`request_body`, `answer_body`,
//!   `gathered_body`). The one exception is where a batch says that its results are (`other`, `batch`).
//! - Headers pass, but for a list of those that do not (`headers`). Answers of calls carry one of ours.
//! - One request of a client is one request to the provider: no retry, no redirect (`upstream`).
//! - Reading is done in passing (`provider::request_scan`, `meter`, `coding`), and if it fails the bytes go on.
//! - Who calls is asked beside the calls, and no call waits for a ledger that does not answer (`callers`, `question`).
//! - Where a budget blocks, a call passes if it still fits (`allowance`, `refusal`); calls of a session that spent too fast
//!   wait until somebody resumes it (`breaker`); nothing else is ever held back.
//! - A call is recorded once, however it ends (`call`). Prompts, answers and provider keys are not recorded at all.

mod allowance;
mod answer_body;
mod attribution;
mod batch;
mod breaker;
mod call;
mod callers;
mod chat;
mod client_end;
mod coding;
mod credential;
mod endpoint;
mod error;
mod gathered_body;
mod headers;
mod meter;
mod other;
mod question;
mod refusal;
mod request_body;
mod upstream;

pub use breaker::BreakerOptions;
pub use client_end::{ClientEnd, Cut};
pub use credential::{Caller, ProviderKey};
pub use error::GatewayError;
pub use headers::CALL_ID;
pub use refusal::Refusal;
pub use upstream::{UpstreamUrl, UpstreamUrlError};

use crate::capture::provider::request_scan::RequestFields;
use crate::capture::recorder::{CallStart, Recorder};
use crate::domain::usage::{CallContext, Source, UserId};
use crate::ledger::Ledger;
use allowance::Allowance;
use answer_body::{AnswerBody, Reader, Silence};
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::http::{HeaderMap, HeaderValue, Response, request, response};
use breaker::{Breaker, Verdict};
use call::{Call, Ending, Keepers, Origin, requested_model, session_of};
use callers::Callers;
use credential::Credential;
use endpoint::{Endpoint, Unknown, Watch};
use gathered_body::GatheredBody;
use hyper::body::Incoming;
use meter::Meter;
use request_body::{Decision, RequestBody, RequestLimits};
use std::sync::Arc;
use std::time::Duration;
use upstream::connections::{Connections, Held};

/// Up to here, a budget is asked before the provider is; a larger request streams, all but its last frame.
const DECIDED_FIRST_BYTES: u64 = 256 * 1024;

/// The gateway of this server. Cheap to clone; all clones share the connections to the provider.
#[derive(Clone)]
pub struct Gateway {
    connections: Connections,
    shared: Arc<Shared>,
}

#[derive(Clone, Debug)]
pub struct GatewayOptions {
    pub upstream: UpstreamUrl,
    /// For clients that bring no credential of their own.
    pub provider_key: Option<ProviderKey>,
    /// The public address's host, with its port if it has one, as `Host` names it.
    pub public_host: Option<String>,
    pub limits: GatewayLimits,
    /// None: no session is ever paused.
    pub breaker: Option<BreakerOptions>,
}

/// How long who may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayLimits {
    pub connect: Duration,
    /// The provider, before its answer begins and after it took the last of the request.
    pub first_byte: Duration,
    /// The provider, within an answer.
    pub answer_pause: Duration,
    /// The client, within its request.
    pub request_pause: Duration,
    /// A stream, until the client is sent a ping.
    pub ping_after: Duration,
}

struct Shared {
    options: GatewayOptions,
    callers: Callers,
    keepers: Keepers,
}

/// A request that may pass.
struct Admitted {
    endpoint: Endpoint,
    caller: Caller,
    credential: Credential,
    now_ms: i64,
    /// As they were sent, but for our own key.
    headers: HeaderMap,
}

/// What the provider answered, as the client may see it.
struct Answered {
    head: response::Parts,
    body: Incoming,
    connection: Held,
}

/// Why the provider is not asked.
enum NotStarted {
    Refused(Refusal),
    /// The request did not come to its end.
    Failed(GatewayError),
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(600),
            answer_pause: Duration::from_secs(300),
            request_pause: Duration::from_secs(30),
            ping_after: Duration::from_secs(15),
        }
    }
}

impl Gateway {
    /// What it asks the ledger beside the calls, it asks on the runtime at hand.
    ///
    /// # Errors
    /// The cryptography of this build cannot do TLS.
    pub fn new(options: GatewayOptions, ledger: Ledger, recorder: Recorder) -> Result<Self, rustls::Error> {
        let connections = Connections::new(options.upstream.server(), options.limits.connect)?;
        let allowance = Allowance::new(ledger.clone(), recorder.clone());
        let breaker = Breaker::new(options.breaker.clone(), ledger.clone());
        let callers = Callers::new(ledger);
        let keepers = Keepers { recorder, allowance, breaker };
        Ok(Self { connections, shared: Arc::new(Shared { options, callers, keepers }) })
    }

    /// The same gateway with other connections to the provider. They live on the runtime that opens them.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        Self { connections: self.connections.anew(), shared: self.shared.clone() }
    }

    /// Passes a request on to the provider, and its answer back. `now_ms` is the time of the call in UTC milliseconds.
    /// `local_user` is who calls without a key, as long as nobody has made one and nobody has to log in; none where every
    /// call needs one.
    pub async fn pass(&self, now_ms: i64, local_user: Option<UserId>, request: Request) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        match self.admit(now_ms, local_user, &mut parts).await {
            Ok(admitted) if admitted.endpoint.watch == Watch::Call => {
                let context = attribution::from_headers(&admitted.headers);
                let origin = Origin { source: Source::Gateway, context, listener: None };
                self.pass_call(admitted, origin, parts, body).await
            }
            Ok(admitted) => {
                // Boxed, so that calls need not carry its size.
                let passed = Box::pin(self.pass_other(admitted, parts, body)).await;
                passed.unwrap_or_else(|error| error.answer(None))
            }
            Err(error) => error.answer(None),
        }
    }

    async fn admit(
        &self,
        now_ms: i64,
        local_user: Option<UserId>,
        parts: &mut request::Parts,
    ) -> Result<Admitted, GatewayError> {
        let endpoint = Endpoint::find(&parts.method, parts.uri.path()).map_err(|unknown| match unknown {
            Unknown::Path => GatewayError::UnknownPath,
            Unknown::Method => GatewayError::UnknownMethod,
        })?;
        if let Some(problem) = headers::ambiguous_credential(&parts.headers) {
            return Err(GatewayError::AmbiguousCredential(problem));
        }
        let mut headers = std::mem::take(&mut parts.headers);
        let shown_key = credential::take_our_key(&mut headers);
        let caller = self.shared.callers.find(shown_key, local_user, now_ms).await?;
        let credential = match credential::choose(&headers, self.shared.options.provider_key.as_ref()) {
            // Asking whether anybody is there needs no key.
            Err(_) if parts.uri.path() == "/api/hello" => Credential::OfClient,
            credential => credential?,
        };
        if announced_length(&headers).is_some_and(|length| length > endpoint.max_body_bytes) {
            return Err(GatewayError::TooLarge);
        }
        Ok(Admitted { endpoint, caller, credential, now_ms, headers })
    }

    /// A call of the Messages API: whatever happens from here on is recorded.
    async fn pass_call(&self, admitted: Admitted, origin: Origin, parts: request::Parts, body: Body) -> Response<Body> {
        let mut body = self.request_body(&admitted, body);
        if let Err(error) = body.wait_for_first().await {
            // Nothing was asked of the provider.
            return error.answer(None);
        }
        let client = parts.extensions.get::<ClientEnd>().cloned().unwrap_or_default();
        let keepers = self.shared.keepers.clone();
        let mut call = Call::new(keepers, &admitted.caller, admitted.now_ms, origin, body.notes(), client);
        match self.start(&call, &mut body).await {
            Ok(()) => {}
            Err(NotStarted::Refused(refusal)) => return self.refuse(call, &refusal),
            Err(NotStarted::Failed(error)) => {
                call.withdraw();
                return error.answer(None);
            }
        }
        let notes = body.notes();
        match self.ask(admitted.headers, admitted.credential, parts, body).await {
            Ok(mut answered) => {
                let Answered { head, .. } = &mut answered;
                if let Ok(id) = HeaderValue::from_str(call.id()) {
                    head.headers.insert(CALL_ID, id);
                }
                call.note_answer(head.status, &head.headers);
                let meter = Meter::of_answer(head.status, &head.headers);
                self.answer(answered, Reader::Call(Box::new(call), meter))
            }
            Err(error) => match notes.refusal() {
                Some(refusal) => self.refuse(call, &refusal),
                None => {
                    call.end(Ending::Failed(error.recorded_as()));
                    error.answer(Some(call.id()))
                }
            },
        }
    }

    /// Writes down that the call starts; where a budget may block it, not before what it may cost is reserved, and where its
    /// session may be paused, not before it is known. Of a request too large to wait for, that is decided when its end has
    /// come.
    async fn start(&self, call: &Call, body: &mut RequestBody) -> Result<(), NotStarted> {
        let Keepers { allowance, breaker, .. } = &self.shared.keepers;
        let begun = call.begun();
        let may_be_paused = match breaker.judge(begun).await {
            Verdict::Passes => false,
            Verdict::NotYetKnown => true,
            Verdict::Paused(refusal) => return Err(NotStarted::Refused(refusal)),
        };
        match allowance.scope_if_limited(begun).await {
            Some(scope) => allowance.hold(begun, scope),
            None if may_be_paused => {}
            None => {
                call.note_start().await;
                return Ok(());
            }
        }
        let decision = self.decision(begun, body);
        if body.gather(DECIDED_FIRST_BYTES).await.map_err(NotStarted::Failed)? {
            return decision.await.map_err(NotStarted::Refused);
        }
        body.decide_at_end(decision);
        Ok(())
    }

    /// Once all of its request is known: refuses the call if its session is paused, reserves what it may cost if it is held
    /// for that, and then writes down that it starts.
    fn decision(&self, start: &CallStart, body: &RequestBody) -> Decision {
        let Keepers { recorder, allowance, breaker } = self.shared.keepers.clone();
        let (start, notes) = (start.clone(), body.notes());
        Box::pin(async move {
            let session_id = session_of(&start.context, &notes);
            breaker.check(&start.user_id, session_id.as_deref())?;
            let fields = notes.with_fields(RequestFields::clone);
            allowance.reserve(&start, &fields, notes.bytes()).await?;
            // What was answered early is recorded, and must not seem to be under way.
            if notes.is_call_over() {
                return Ok(());
            }
            let context = CallContext { session_id, ..start.context };
            recorder.start(&CallStart { model_requested: requested_model(&notes), context, ..start }).await;
            Ok(())
        })
    }

    fn refuse(&self, call: Call, refusal: &Refusal) -> Response<Body> {
        tracing::info!(call_id = call.id(), message = refusal.message, "a call was refused");
        let response = refusal.answer(call.id());
        call.withdraw();
        response
    }

    /// Asks the provider, once. The headers that come back are those that the client may see.
    async fn ask(
        &self,
        headers: HeaderMap,
        credential: Credential,
        parts: request::Parts,
        body: RequestBody,
    ) -> Result<Answered, GatewayError> {
        let options = &self.shared.options;
        let notes = body.notes();
        let mut request = Request::new(body);
        *request.method_mut() = parts.method;
        *request.uri_mut() = options.upstream.path_of(&parts.uri).ok_or(GatewayError::UnknownPath)?;
        *request.headers_mut() = headers::to_upstream(headers, options.upstream.host());
        if let (Credential::OfServer, Some(key)) = (credential, &options.provider_key) {
            key.add_to(request.headers_mut());
        }
        let asked = tokio::select! {
            asked = self.connections.send(request) => asked,
            () = notes.untaken_for(options.limits.first_byte) => return Err(GatewayError::UpstreamTimeout),
        };
        let (answer, connection) = asked.map_err(|error| {
            let failure = notes.failure().unwrap_or(GatewayError::Unreachable);
            // The client's own doing is no news.
            if failure == GatewayError::Unreachable {
                tracing::warn!(error = %Chain(&error), "the provider could not be asked");
            }
            failure
        })?;
        let (mut head, body) = answer.into_parts();
        head.headers = headers::to_client(head.headers, credential == Credential::OfServer);
        Ok(Answered { head, body, connection })
    }

    fn answer(&self, answered: Answered, reader: Reader) -> Response<Body> {
        let Answered { head, body, connection } = answered;
        let body = AnswerBody::new(body, connection, reader, self.silence());
        Response::from_parts(head, Body::new(GatheredBody::new(body)))
    }

    fn request_body(&self, admitted: &Admitted, body: Body) -> RequestBody {
        let limits = RequestLimits {
            bytes: admitted.endpoint.max_body_bytes,
            pause: self.shared.options.limits.request_pause,
            is_readable: admitted.endpoint.watch == Watch::Call && is_plain(&admitted.headers),
        };
        RequestBody::new(body, limits)
    }

    fn silence(&self) -> Silence {
        let limits = &self.shared.options.limits;
        Silence { ping_after: limits.ping_after, cut_after: limits.answer_pause }
    }
}

/// An error with all its causes.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_plain(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity")
}
