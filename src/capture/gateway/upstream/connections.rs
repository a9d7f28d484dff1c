//! The connections to the provider: HTTP/1.1 alone, and each for one call at a time, so that hanging up on one call is felt
//! at once and by no other. A call asks once: no redirect is followed, and no request is repeated that the provider may have
//! seen.

use super::super::request_body::RequestBody;
use axum::http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tower_service::Service;

/// Anthropic closes idle connections after about a minute. One that has been idle for this long is not used again, so that no request
/// meets a closing one; it is let go when the next call asks.
const IDLE_CONNECTION_FOR: Duration = Duration::from_secs(30);

type Connector = HttpsConnector<HttpConnector>;

/// Opens connections, and keeps those that wait for their next call. Cheap to clone; all clones share them.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    connector: Connector,
    connect_timeout: Duration,
    provider: Uri,
    /// The one that was used last is the last.
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// A call's connection. Dropped, it is closed, unless it was given back.
pub struct Held {
    sender: SendRequest<RequestBody>,
    home: Arc<Shared>,
}

#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("no connection")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("no answer")]
    Send(#[from] hyper::Error),
}

impl Connections {
    /// To `provider`, of which scheme and authority count.
    ///
    /// # Errors
    /// The cryptography of this build cannot do TLS.
    pub fn new(provider: Uri, connect_timeout: Duration) -> Result<Self, rustls::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        let cryptography = Arc::new(rustls::crypto::ring::default_provider());
        let builder = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(cryptography)?;
        let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self(Arc::new(Shared { connector, connect_timeout, provider, idle: Mutex::default() })))
    }

    /// Others to the same provider.
    #[must_use]
    pub fn anew(&self) -> Self {
        let Shared { connector, connect_timeout, provider, .. } = &*self.0;
        let (connector, connect_timeout, provider) = (connector.clone(), *connect_timeout, provider.clone());
        Self(Arc::new(Shared { connector, connect_timeout, provider, idle: Mutex::default() }))
    }

    /// Sends a request whose address is a path, and gives the answer's head. On a connection that turns out to be closed
    /// before the first byte of the request, it goes out on another one: the provider has not seen it.
    pub async fn send(&self, mut request: Request<RequestBody>) -> Result<(Response<Incoming>, Held), SendError> {
        loop {
            let (mut sender, was_idle) = match self.0.take_idle() {
                Some(sender) => (sender, true),
                // Boxed: it is rare, and calls need not carry its size.
                None => (Box::pin(self.0.connect()).await?, false),
            };
            match sender.try_send_request(request).await {
                Ok(answer) => return Ok((answer, Held { sender, home: self.0.clone() })),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if was_idle => request = unsent,
                    _ => return Err(error.into_error().into()),
                },
            }
        }
    }
}

impl Held {
    /// For the next call. The answer has come to its end.
    pub fn give_back(self) {
        let idle = Idle { sender: self.sender, since: Instant::now() };
        if !idle.sender.is_closed() {
            self.home.idle().push(idle);
        }
    }
}

impl Shared {
    /// Those that are no good any more are dropped on the way.
    fn take_idle(&self) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.idle();
        let old = idle.iter().take_while(|idle| idle.since.elapsed() > IDLE_CONNECTION_FOR).count();
        idle.drain(..old);
        while let Some(Idle { sender, .. }) = idle.pop() {
            // One that the provider closes, or whose answer came before its request was over, is not.
            if sender.is_ready() {
                return Some(sender);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<RequestBody>, SendError> {
        let mut connector = self.connector.clone();
        poll_fn(|cx| connector.poll_ready(cx)).await.map_err(SendError::Connect)?;
        // The connector's own limit is for TCP alone: a name that is not found and a handshake that hangs take time too.
        let connected = timeout(self.connect_timeout, connector.call(self.provider.clone())).await;
        let stream = connected.map_err(|late| SendError::Connect(late.into()))?.map_err(SendError::Connect)?;
        let (sender, connection) = handshake(stream).await?;
        // What goes wrong on it, its call is told.
        tokio::spawn(async move { connection.await.ok() });
        Ok(sender)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
