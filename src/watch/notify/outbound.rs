//! The one way out of the house, but for calls: a name is resolved once, every address that it has is checked, and the
//! connection goes to one of those very addresses. A name that means something else a moment later (DNS rebinding) changes
//! nothing, and each attempt checks anew.

use super::blocklist::{Reach, find_block};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[derive(Clone)]
pub struct Outbound {
    allow_private_addresses: bool,
    tls: TlsConnector,
    own_authorities: Arc<[CertificateDer<'static>]>,
}

/// Why the certificates of `[alerts] ca_file` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("it cannot be read: {0}")]
    Read(PemError),
    #[error("it holds no certificate (PEM, BEGIN CERTIFICATE)")]
    Empty,
    #[error("one of its certificates cannot be trusted: {0}")]
    Certificate(rustls::Error),
    #[error("TLS cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

/// The certificates of a PEM file: authorities of one's own.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let read = CertificateDer::pem_file_iter(path).map_err(AuthorityError::Read)?;
    let certificates = read.collect::<Result<Vec<_>, _>>().map_err(AuthorityError::Read)?;
    if certificates.is_empty() { Err(AuthorityError::Empty) } else { Ok(certificates) }
}

#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("the name {0} has no address")]
    Unknown(String),
    #[error("{address} is not a public address ({what}). [alerts] allow_private_addresses allows one's own network.")]
    Private { address: IpAddr, what: &'static str },
    #[error("{address} can be no receiver's address ({what})")]
    Never { address: IpAddr, what: &'static str },
    #[error("without encryption only private addresses are reached, and {0} is not one")]
    Unencrypted(IpAddr),
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("no encrypted connection: {}", certificate_problem(.0).unwrap_or_else(|| .0.to_string()))]
    Tls(io::Error),
    #[error("{0} is no name that a certificate can have")]
    Name(String),
}

impl Outbound {
    /// `own_authorities` are trusted beside the public ones.
    ///
    /// # Errors
    /// One of them is no authority's certificate, or the TLS library has no usable algorithms.
    pub fn new(
        allow_private_addresses: bool,
        own_authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, AuthorityError> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        own_authorities
            .iter()
            .try_for_each(|certificate| roots.add(certificate.clone()))
            .map_err(AuthorityError::Certificate)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self { allow_private_addresses, tls, own_authorities: own_authorities.into() })
    }

    /// The authorities that are trusted beside the public ones.
    pub fn own_authorities(&self) -> &[CertificateDer<'static>] {
        &self.own_authorities
    }

    /// Whether receivers on one's own machine and network are allowed.
    pub fn allows_private_addresses(&self) -> bool {
        self.allow_private_addresses
    }

    /// A connection that will be encrypted by whoever asked for it.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, OutboundError> {
        let addresses = self.resolve(host, port).await?;
        connect_to_one(&addresses).await
    }

    /// An encrypted connection to the holder of the name's certificate.
    pub async fn connect_tls(&self, host: &str, port: u16) -> Result<TlsStream<TcpStream>, OutboundError> {
        let name = ServerName::try_from(bare(host).to_owned()).map_err(|_| OutboundError::Name(host.to_owned()))?;
        let tcp = self.connect(host, port).await?;
        self.tls.connect(name, tcp).await.map_err(OutboundError::Tls)
    }

    /// A connection that stays plain: to private addresses alone, and only where those are allowed.
    pub async fn connect_plain(&self, host: &str, port: u16) -> Result<TcpStream, OutboundError> {
        let addresses = self.resolve(host, port).await?;
        let public = addresses.iter().find(|address| find_block(address.ip()).is_none());
        match public {
            Some(address) => Err(OutboundError::Unencrypted(address.ip())),
            None => connect_to_one(&addresses).await,
        }
    }

    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, OutboundError> {
        let unknown = || OutboundError::Unknown(host.to_owned());
        let addresses: Vec<SocketAddr> = lookup_host((bare(host), port)).await.map_err(|_| unknown())?.collect();
        if addresses.is_empty() {
            return Err(unknown());
        }
        addresses.iter().try_for_each(|address| self.check(address.ip()))?;
        Ok(addresses)
    }

    fn check(&self, address: IpAddr) -> Result<(), OutboundError> {
        match find_block(address) {
            None => Ok(()),
            Some((Reach::Private, _)) if self.allow_private_addresses => Ok(()),
            Some((Reach::Private, what)) => Err(OutboundError::Private { address, what }),
            Some((Reach::Never, what)) => Err(OutboundError::Never { address, what }),
        }
    }
}

/// Sends one request, and gives what `read` makes of the answer, whose head may have `max_head_bytes`. No redirect is followed.
///
/// # Errors
/// There was no answer, or none in HTTP.
pub async fn exchange<S, T, F>(
    stream: S,
    request: Request<Full<Bytes>>,
    max_head_bytes: usize,
    read: impl FnOnce(Response<Incoming>) -> F,
) -> Result<T, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    F: Future<Output = T>,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::Builder::new().max_buf_size(max_head_bytes).handshake(TokioIo::new(stream)).await?;
    let answered = async { Ok(read(sender.send_request(request).await?).await) };
    // The connection must be driven while there is an answer to read, and ends with this call. How it ended is told by the
    // answer.
    let driven = async {
        connection.await.ok();
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        answer = answered => answer,
        never = driven => match never {},
    }
}

/// Why an encrypted connection was refused, in words for who can change it; none where the certificate was not the reason.
pub(super) fn certificate_problem(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // What an io::Error carries is not its source.
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(rustls::Error::InvalidCertificate(problem)) = carried.and_then(|inner| inner.downcast_ref()) {
            return Some(words_of(problem));
        }
        next = error.source();
    }
    None
}

fn words_of(problem: &CertificateError) -> String {
    match problem {
        CertificateError::UnknownIssuer => {
            "nobody who is trusted here vouches for the receiver's certificate. [alerts] ca_file trusts an authority of \
             one's own."
                .into()
        }
        other => format!("the receiver's certificate does not hold: {other}"),
    }
}

/// An IPv6 address without the brackets that it has in an URL.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

async fn connect_to_one(addresses: &[SocketAddr]) -> Result<TcpStream, OutboundError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(OutboundError::Connect(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn outbound(allow_private_addresses: bool) -> Outbound {
        Outbound::new(allow_private_addresses, Vec::new()).unwrap()
    }

    /// Spellings of one's own machine that have fooled others; all are refused before a connection is made.
    #[tokio::test]
    async fn no_spelling_of_this_machine_is_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let spellings = [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ];
        for host in spellings.into_iter().chain(["[::ffff:7f00:1]", "0.0.0.0", "0", "[::]", "[64:ff9b::7f00:1]"]) {
            let refused = outbound(false).connect(host, port).await;
            let is_refused = matches!(refused, Err(OutboundError::Private { .. } | OutboundError::Never { .. }));
            // Where the resolver does not know the spelling, it has no address.
            assert!(is_refused || matches!(refused, Err(OutboundError::Unknown(_))), "{host}: {refused:?}");
            let is_literal = host.parse::<IpAddr>().is_ok() || bare(host).parse::<IpAddr>().is_ok();
            assert!(is_refused || !is_literal, "{host}: {refused:?}");
        }
        let nobody_came = tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept()).await.is_err();
        assert!(nobody_came);
    }

    #[tokio::test]
    async fn ones_own_network_is_reached_where_the_configuration_allows_it_and_metadata_never() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(outbound(true).connect_plain("localhost", port).await.is_ok());
        for host in ["169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "0.0.0.0", "[::ffff:127.0.0.1]"] {
            let refused = outbound(true).connect(host, port).await;
            assert!(matches!(refused, Err(OutboundError::Never { .. })), "{host}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn without_encryption_nothing_leaves_ones_own_network() {
        let refused = outbound(true).connect_plain("1.1.1.1", 80).await;
        assert!(matches!(refused, Err(OutboundError::Unencrypted(_))), "{refused:?}");
    }
}
