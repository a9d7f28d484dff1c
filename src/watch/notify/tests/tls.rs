//! Encrypted receivers with certificates of a self-made authority: trusted where the configuration says so, and nowhere else.

use super::mail_server::Manner;
use super::*;
use crate::watch::notify::outbound::{AuthorityError, read_authorities};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Whoever has its certificate in their `ca_file` believes the certificates that it makes.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server that shows a certificate for this name.
    fn acceptor(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.unwrap().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key);
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }

    fn write_to(&self, folder: &TempDir) -> PathBuf {
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, self.0.pem()).unwrap();
        path
    }

    async fn house_that_trusts_it(&self) -> House {
        let mut house = House::open().await;
        let path = self.write_to(&house._folder);
        house.notifier = notifier(true, read_authorities(&path).unwrap());
        house
    }
}

/// Each way to send over TLS, to a receiver that has a certificate for `name`, and what it has heard then.
async fn send_each_way(house: &House, authority: &Authority, name: &str) -> Vec<(&'static str, Answer, usize)> {
    let mut sent = Vec::new();
    let webhook = Receiver::start_with(Vec::new(), Some(authority.acceptor(name))).await;
    let url = format!("https://localhost:{}/hook", webhook.address.port());
    let answer = house.send_test(channel(webhook_to(url)), NOON_MS).await;
    sent.push(("https", answer, webhook.requests().len()));
    for (way, manner, encryption) in
        [("tls", Manner::TakesTls, MailEncryption::Tls), ("starttls", Manner::TakesStarttls, MailEncryption::Starttls)]
    {
        let server = MailServer::start_with(manner, Some(authority.acceptor(name))).await;
        let target = MailTarget { encryption, ..mail_to(&server) };
        let answer = house.send_test(channel(Target::Email(target)), NOON_MS).await;
        let heard = server.heard();
        assert_eq!(heard.login.is_some(), answer.is_success(), "{way}: {heard:?}");
        sent.push((way, answer, usize::from(!heard.mail.is_empty())));
    }
    sent
}

#[tokio::test]
async fn receivers_with_a_certificate_of_ones_own_authority_are_believed() {
    let authority = Authority::new();
    let house = authority.house_that_trusts_it().await;
    for (way, answer, heard) in send_each_way(&house, &authority, "localhost").await {
        assert!(answer.is_success() && heard == 1, "{way}: {answer:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused_and_the_log_says_why() {
    let authority = Authority::new();
    let trusting = authority.house_that_trusts_it().await;
    let strange = "nobody who is trusted here vouches for the receiver's certificate. [alerts] ca_file";
    let other_name = "the receiver's certificate does not hold: certificate not valid for name \"localhost\"";
    for (house, issuer, name, reason) in [
        (&House::open().await, &authority, "localhost", strange),
        // It has the same name and another key.
        (&trusting, &Authority::new(), "localhost", "the receiver's certificate does not hold: BadSignature"),
        (&trusting, &authority, "mail.example.com", other_name),
    ] {
        for (way, answer, heard) in send_each_way(house, issuer, name).await {
            assert!(answer.status.is_none() && answer.text.contains(reason), "{way}: {answer:?}");
            assert_eq!(heard, 0, "{way}: it was told something");
        }
        let logged = house.ledger.deliveries(&UserId::owner(), "c1", 3).await.unwrap();
        assert_eq!(logged.len(), 3, "the newest, one for each way");
        for delivery in logged {
            assert!(delivery.last_answer.as_deref().unwrap_or_default().contains(reason), "{delivery:?}");
        }
    }
}

#[test]
fn a_file_without_authorities_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    assert!(matches!(read_authorities(&path), Err(AuthorityError::Read(_))));
    std::fs::write(&path, "nothing of the kind").unwrap();
    assert!(matches!(read_authorities(&path), Err(AuthorityError::Empty)));
    Authority::new().write_to(&folder);
    assert_eq!(read_authorities(&path).unwrap().len(), 1);
}
