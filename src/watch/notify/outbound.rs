//! The one way out of the house for notifications: a name is resolved once, every address that it has is checked, and the
//! connection goes to one of those very addresses. A name that means something else a moment later (DNS rebinding) changes
//! nothing, and each attempt checks anew.

use super::blocklist::{Reach, find_block};
use hyper_rustls::ConfigBuilderExt;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[derive(Clone)]
pub struct Outbound {
    allow_private_addresses: bool,
    tls: TlsConnector,
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
    #[error("no encrypted connection: {0}")]
    Tls(io::Error),
    #[error("{0} is no name that a certificate can have")]
    Name(String),
}

impl Outbound {
    pub fn new(allow_private_addresses: bool) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_webpki_roots().with_no_client_auth();
        Ok(Self { allow_private_addresses, tls: TlsConnector::from(Arc::new(config)) })
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
        Outbound::new(allow_private_addresses).unwrap()
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
