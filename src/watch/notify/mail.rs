//! Mail over SMTP: encrypted before anything is said that matters, or to this machine. The conversation runs over a
//! connection of ours ([`Outbound`]), so that a mail server's name is checked like any other. What a mail looks like is in
//! `letter`.

mod letter;

use super::outbound::{Outbound, OutboundError, certificate_problem};
use super::{Answer, MAX_ANSWER_BYTES};
use crate::domain::channel::{MailEncryption, MailLogin, MailTarget};
use crate::domain::notification::Notification;
use crate::domain::query::QueryError;
use lettre::Message;
use lettre::address::AddressError;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The server learns that much of this machine and no more.
const HELLO_NAME: &str = "tollbridge.invalid";

#[derive(Debug, thiserror::Error)]
pub(super) enum MailError {
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("{0} is not an address that mail can go to")]
    Address(String),
    #[error("the mail server does not offer STARTTLS, so it was told nothing")]
    NoStartTls,
    #[error("without encryption mail goes to a server on this machine only")]
    NotThisMachine,
    #[error("the mail cannot be put together: {0}")]
    Message(#[from] lettre::error::Error),
    #[error(transparent)]
    Smtp(#[from] lettre::transport::smtp::Error),
}

/// What can be said of a mail channel before anything is sent.
pub fn check(target: &MailTarget) -> Result<(), QueryError> {
    let is_mailbox = |text: &String| mailbox(text).is_ok();
    if !is_mailbox(&target.from) {
        return Err(QueryError::new("from", "must be an address such as alerts@example.com"));
    }
    if !target.to.iter().all(is_mailbox) {
        return Err(QueryError::new("to", "must be addresses such as ada@example.com"));
    }
    Ok(())
}

/// Sends one mail to all recipients, and gives what the server said of it.
pub(super) async fn send(
    outbound: &Outbound,
    target: &MailTarget,
    id: &str,
    notification: &Notification,
    link: Option<&str>,
    now_ms: i64,
) -> Result<Answer, MailError> {
    let message = message(target, id, notification, link, now_ms)?;
    let hello = ClientId::Domain(HELLO_NAME.into());
    let mut connection = connect(outbound, target, &hello).await?;
    if let Some(MailLogin { username, password }) = &target.login {
        let credentials = Credentials::new(username.clone(), password.reveal().to_owned());
        connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
    }
    let response = connection.send(message.envelope(), &message.formatted()).await?;
    // The mail is taken. Whether the server also says goodbye does not matter.
    connection.quit().await.ok();
    let text = response.message().collect::<Vec<_>>().join(" ");
    Ok(Answer { status: Some(u16::from(response.code())), text, retry_after_ms: None })
}

impl MailError {
    pub(super) fn into_answer(self) -> Answer {
        let status = match &self {
            Self::Smtp(error) => error.status().map(u16::from),
            _ => None,
        };
        if let Some(problem) = certificate_problem(&self) {
            return Answer::none(format!("no encrypted connection: {problem}"));
        }
        let mut text = self.to_string();
        let source = std::error::Error::source(&self);
        if let Some(source) = source.filter(|source| !text.contains(&source.to_string())) {
            text = format!("{text}: {source}");
        }
        Answer { status, text, retry_after_ms: None }
    }
}

async fn connect(outbound: &Outbound, target: &MailTarget, hello: &ClientId) -> Result<AsyncSmtpConnection, MailError> {
    let (host, port) = (target.host.trim(), target.port);
    match target.encryption {
        MailEncryption::Tls => {
            let tls = outbound.connect_tls(host, port).await?;
            let peer = tls.get_ref().0.peer_addr().map_err(OutboundError::Connect)?;
            Ok(AsyncSmtpConnection::connect_with_transport(limited(tls, peer), hello).await?)
        }
        MailEncryption::Starttls => {
            let mut connection = greet(outbound.connect(host, port).await?, hello).await?;
            if !connection.can_starttls() {
                return Err(MailError::NoStartTls);
            }
            connection.starttls(tls_parameters(outbound, host)?, hello).await?;
            Ok(connection)
        }
        MailEncryption::None => {
            let tcp = outbound.connect_plain(host, port).await?;
            let peer = tcp.peer_addr().map_err(OutboundError::Connect)?;
            if !peer.ip().is_loopback() {
                return Err(MailError::NotThisMachine);
            }
            greet(tcp, hello).await
        }
    }
}

/// As the rest of the house trusts: the public authorities and one's own.
fn tls_parameters(outbound: &Outbound, host: &str) -> Result<TlsParameters, MailError> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    for authority in outbound.own_authorities() {
        parameters = parameters.add_root_certificate(Certificate::from_der(authority.to_vec())?);
    }
    Ok(parameters.build_rustls()?)
}

async fn greet(tcp: TcpStream, hello: &ClientId) -> Result<AsyncSmtpConnection, MailError> {
    let peer = tcp.peer_addr().map_err(OutboundError::Connect)?;
    Ok(AsyncSmtpConnection::connect_with_transport(limited(tcp, peer), hello).await?)
}

fn message(
    target: &MailTarget,
    id: &str,
    notification: &Notification,
    link: Option<&str>,
    now_ms: i64,
) -> Result<Message, MailError> {
    let address = |text: &str| mailbox(text).map_err(|_| MailError::Address(text.to_owned()));
    let sender = address(&target.from)?;
    let domain = sender.email.domain().to_owned();
    let at = UNIX_EPOCH + Duration::from_millis(now_ms.max(0).unsigned_abs());
    let mut builder = Message::builder()
        .from(Mailbox::new(Some("Tollbridge".into()), sender.email))
        .subject(letter::subject(notification))
        .date(at)
        // The same for every attempt: mail programs show one that arrives twice once.
        .message_id(Some(format!("<{id}@{domain}>")))
        .header(AutoSubmitted);
    for recipient in &target.to {
        builder = builder.to(address(recipient)?);
    }
    let part = |kind: ContentType, text: String| SinglePart::builder().header(kind).body(text);
    // Named, so that the same mail is the same bytes.
    let parts = MultiPart::alternative()
        .boundary(format!("=_{id}"))
        .build()
        .singlepart(part(ContentType::TEXT_PLAIN, letter::text(notification, link)))
        .singlepart(part(ContentType::TEXT_HTML, letter::html(notification, link)));
    Ok(builder.multipart(parts)?)
}

fn mailbox(text: &str) -> Result<Mailbox, AddressError> {
    Ok(Mailbox::new(None, text.trim().parse()?))
}

/// Says that no person wrote it, so that no holiday notice answers (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

/// A connection on which a server may say so much and no more.
#[derive(Debug)]
struct Limited<S> {
    stream: S,
    peer: SocketAddr,
    left: usize,
}

fn limited<S>(stream: S, peer: SocketAddr) -> Box<dyn AsyncTokioStream>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug + 'static,
{
    Box::new(Limited { stream, peer, left: MAX_ANSWER_BYTES })
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().len() - before;
        match self.left.checked_sub(read) {
            Some(left) => {
                self.left = left;
                polled
            }
            None => Poll::Ready(Err(io::Error::other("the mail server says too much"))),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> AsyncTokioStream for Limited<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
