//! A mail server that hears one mail: as much of RFC 5321 as a client needs, and a reader of what it heard.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Takes,
    /// The same, encrypted from the first byte on.
    TakesTls,
    /// The same, after STARTTLS and not before.
    TakesStarttls,
    /// Knows none of the recipients.
    Refuses,
    /// Greets without end.
    Rambles,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// The decoded answer of AUTH PLAIN.
    pub login: Option<String>,
    pub recipients: Vec<String>,
    /// As it was sent, with the dots taken away that SMTP adds.
    pub mail: String,
}

pub(super) struct MailServer {
    pub address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

impl MailServer {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::start_with(manner, None).await
    }

    /// One that has a certificate.
    pub(super) async fn start_with(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let of_task = heard.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                match (manner, &tls) {
                    (Manner::TakesTls, Some(tls)) => {
                        let Ok(stream) = tls.accept(stream).await else { continue };
                        converse(&mut BufReader::new(stream), manner, &of_task).await;
                    }
                    (Manner::TakesStarttls, Some(tls)) => {
                        let mut plain = BufReader::new(stream);
                        if converse(&mut plain, manner, &of_task).await != Some(Ending::Starttls) {
                            continue;
                        }
                        let Ok(stream) = tls.accept(plain.into_inner()).await else { continue };
                        take_mail(&mut BufReader::new(stream), Manner::Takes, &of_task).await;
                    }
                    _ => {
                        converse(&mut BufReader::new(stream), manner, &of_task).await;
                    }
                }
            }
        });
        Self { address, heard }
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }
}

/// The parts of a multipart mail: their heads, and their texts as a reader sees them.
pub(super) fn parts_of(mail: &str) -> Vec<(String, String)> {
    let boundary = mail.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let marker = format!("--{boundary}");
    let parts = mail.split(&marker).skip(1).filter(|part| !part.starts_with("--"));
    parts
        .map(|part| {
            let (head, body) = part.split_once("\r\n\r\n").unwrap();
            let text = if head.contains("quoted-printable") { decode_quoted_printable(body) } else { body.into() };
            (head.to_owned(), text)
        })
        .collect()
}

#[derive(PartialEq, Eq)]
enum Ending {
    Quit,
    /// What follows is encrypted.
    Starttls,
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    manner: Manner,
    heard: &Mutex<Heard>,
) -> Option<Ending> {
    if matches!(manner, Manner::Rambles) {
        while stream.write_all(b"220-and another thing\r\n").await.is_ok() {}
        return None;
    }
    say(stream, "220 mail.example.com ready").await?;
    take_mail(stream, manner, heard).await
}

async fn take_mail<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    manner: Manner,
    heard: &Mutex<Heard>,
) -> Option<Ending> {
    loop {
        let line = hear(stream).await?;
        let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" if manner == Manner::TakesStarttls => "250-mail.example.com\r\n250 STARTTLS",
            "STARTTLS" if manner == Manner::TakesStarttls => {
                say(stream, "220 go on").await?;
                return Some(Ending::Starttls);
            }
            _ if manner == Manner::TakesStarttls => "530 only after STARTTLS",
            "EHLO" => "250-mail.example.com\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "AUTH" => {
                let decoded = BASE64_STANDARD.decode(rest.strip_prefix("PLAIN ")?).ok()?;
                heard.lock().unwrap().login = String::from_utf8(decoded).ok();
                "235 welcome"
            }
            "MAIL" => "250 go on",
            "RCPT" if matches!(manner, Manner::Refuses) => "550 5.1.1 no such person here",
            "RCPT" => {
                heard.lock().unwrap().recipients.extend(rest.strip_prefix("TO:").map(str::to_owned));
                "250 go on"
            }
            "DATA" => {
                say(stream, "354 end with a dot").await?;
                let mail = hear_mail(stream).await?;
                heard.lock().unwrap().mail = mail;
                "250 taken as 4711"
            }
            "QUIT" => {
                say(stream, "221 bye").await?;
                return Some(Ending::Quit);
            }
            _ => "502 not here",
        };
        say(stream, answer).await?;
    }
}

async fn hear_mail<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut mail = String::new();
    loop {
        let line = hear(stream).await?;
        if line == "." {
            return Some(mail);
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
        mail.push_str("\r\n");
    }
}

async fn hear<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, text: &str) -> Option<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()
}

fn decode_quoted_printable(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = (*first == b'=').then(|| after.get(..2).and_then(|two| std::str::from_utf8(two).ok())).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
