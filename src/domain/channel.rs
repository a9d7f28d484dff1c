//! Where a user's alerts go: the channel, what it takes, and when it may be disturbed. How a message is written for one is
//! in `watch::notify`.

pub mod input;
#[cfg(test)]
mod tests;
mod timing;

pub use timing::{Digest, DigestPeriod, QuietHours, Timing};

use super::budget::AlertLevel;
use super::notification::{Notification, Topic};
use super::period::Zone;
use super::query::QueryError;
use super::secret::Secret;
use super::usage::UserId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const MAX_NAME_CHARS: usize = 100;
const MAX_URL_BYTES: usize = 2_000;
const MAX_FIELD_BYTES: usize = 500;
const MAX_RECIPIENTS: usize = 10;
/// How late a digest may be.
const DIGEST_LATE_MS: i64 = 12 * 60 * 60 * 1_000;
/// Two, so that a receiver can change over without missing anything.
pub const MAX_SIGNING_SECRETS: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    pub user_id: UserId,
    pub id: String,
    pub name: String,
    pub target: Target,
    /// Nothing below it is sent here.
    pub min_level: AlertLevel,
    pub topics: Vec<Topic>,
    pub quiet_hours: Option<QuietHours>,
    pub digest: Digest,
    /// The IANA zone of the quiet hours and of the digest.
    pub time_zone: String,
    pub created_at_ms: i64,
    /// Since when nothing is sent here, and why.
    pub disabled_at_ms: Option<i64>,
    pub disabled_reason: Option<String>,
}

/// Where to, with the secrets that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A receiver of signed JSON (Standard Webhooks).
    Webhook {
        url: Secret,
        /// The newest first.
        signing_secrets: Vec<Secret>,
    },
    Slack {
        url: Secret,
    },
    Discord {
        url: Secret,
    },
    Email(MailTarget),
}

/// A mail server and whom it carries mail to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailTarget {
    pub host: String,
    pub port: u16,
    pub encryption: MailEncryption,
    /// None where the server asks for no login.
    pub login: Option<MailLogin>,
    pub from: String,
    pub to: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLogin {
    pub username: String,
    pub password: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailEncryption {
    /// From the first byte on, usually on port 465.
    Tls,
    /// After a plain greeting, usually on port 587. A server that does not offer it gets no mail.
    Starttls,
    /// None: for a mail server on this machine only.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Webhook,
    Slack,
    Discord,
    Email,
}

impl Channel {
    /// # Errors
    /// The first field that is wrong, by its name in the API.
    pub fn check(&self) -> Result<(), QueryError> {
        check_text("name", &self.name, MAX_NAME_CHARS)?;
        if self.topics.is_empty() {
            return Err(QueryError::new("topics", "choose at least one"));
        }
        Zone::parse(&self.time_zone).map_err(|error| QueryError::new("timeZone", error.message))?;
        self.target.check()
    }

    /// Whether the channel takes it.
    pub fn takes(&self, notification: &Notification) -> bool {
        let is_chosen = !Topic::CHOICES.contains(&notification.topic) || self.topics.contains(&notification.topic);
        self.disabled_at_ms.is_none() && is_chosen && notification.level >= self.min_level
    }

    /// When a notification of this level may be sent, at the earliest.
    pub fn timing(&self, level: AlertLevel, now_ms: i64) -> Timing {
        let digest_at_ms = match level {
            AlertLevel::Critical => None,
            _ => Zone::parse(&self.time_zone).ok().and_then(|zone| self.digest.next(&zone, now_ms)),
        };
        match digest_at_ms {
            Some(at_ms) => Timing::InDigest(self.not_in_quiet_hours(level, at_ms)),
            None => Timing::At(self.not_in_quiet_hours(level, now_ms)),
        }
    }

    /// What the digest tells of that is to be sent now, if it was not: a server that was off at eight is late, and after
    /// half a day too late.
    pub fn due_digest(&self, now_ms: i64) -> Option<DigestPeriod> {
        let period = self.digest.last(&Zone::parse(&self.time_zone).ok()?, now_ms)?;
        let due_ms = self.not_in_quiet_hours(AlertLevel::Info, period.at_ms);
        let is_due = (due_ms..due_ms + DIGEST_LATE_MS).contains(&now_ms) && period.at_ms > self.created_at_ms;
        (is_due && self.disabled_at_ms.is_none()).then_some(period)
    }

    /// The instant itself, or the end of the quiet hours that it lies in. Critical alerts know none. A zone that is unknown
    /// holds nothing back.
    pub fn not_in_quiet_hours(&self, level: AlertLevel, at_ms: i64) -> i64 {
        match (self.quiet_hours, Zone::parse(&self.time_zone)) {
            (Some(hours), Ok(zone)) if level != AlertLevel::Critical => hours.end_after(&zone, at_ms),
            _ => at_ms,
        }
    }
}

impl Target {
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Webhook { .. } => ChannelKind::Webhook,
            Self::Slack { .. } => ChannelKind::Slack,
            Self::Discord { .. } => ChannelKind::Discord,
            Self::Email(_) => ChannelKind::Email,
        }
    }

    /// What may be shown of it: `https://hooks.slack.com/…wXyZ`, or the addresses that get mail.
    pub fn shown(&self) -> String {
        match self {
            Self::Webhook { url, .. } | Self::Slack { url } | Self::Discord { url } => url.masked_url(),
            Self::Email(mail) => mail.to.join(", "),
        }
    }

    fn check(&self) -> Result<(), QueryError> {
        match self {
            Self::Webhook { url, signing_secrets } => {
                check_url(url)?;
                match signing_secrets.len() {
                    1..=MAX_SIGNING_SECRETS => Ok(()),
                    _ => Err(QueryError::new("url", "must have one or two signing secrets")),
                }
            }
            Self::Slack { url } | Self::Discord { url } => check_url(url),
            Self::Email(mail) => mail.check(),
        }
    }
}

impl MailTarget {
    fn check(&self) -> Result<(), QueryError> {
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
        check_text("host", &self.host, MAX_FIELD_BYTES)?;
        if !self.host.chars().all(is_host) {
            return Err(QueryError::new("host", "must be a name such as smtp.example.com, without a port"));
        }
        if self.port == 0 {
            return Err(QueryError::new("port", "must be from 1 to 65535"));
        }
        if let Some(login) = &self.login {
            check_text("username", &login.username, MAX_FIELD_BYTES)?;
            check_text("password", login.password.reveal(), MAX_FIELD_BYTES)?;
        }
        check_address("from", &self.from)?;
        if self.to.is_empty() || self.to.len() > MAX_RECIPIENTS {
            return Err(QueryError::new("to", format!("must be one to {MAX_RECIPIENTS} addresses")));
        }
        self.to.iter().try_for_each(|address| check_address("to", address))
    }
}

impl ChannelKind {
    pub const ALL: [Self; 4] = [Self::Webhook, Self::Slack, Self::Discord, Self::Email];

    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Email => "email",
        }
    }

    /// As people read it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Webhook => "Webhook",
            Self::Slack => "Slack",
            Self::Discord => "Discord",
            Self::Email => "E-mail",
        }
    }
}

impl fmt::Display for ChannelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ChannelKind {
    type Err = QueryError;

    fn from_str(name: &str) -> Result<Self, QueryError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| QueryError::new("kind", "must be webhook, slack, discord or email"))
    }
}

impl MailEncryption {
    pub const ALL: [Self; 3] = [Self::Tls, Self::Starttls, Self::None];

    pub fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Starttls => "starttls",
            Self::None => "none",
        }
    }

    /// The port that goes with it.
    pub fn usual_port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::Starttls => 587,
            Self::None => 25,
        }
    }
}

impl FromStr for MailEncryption {
    type Err = QueryError;

    fn from_str(name: &str) -> Result<Self, QueryError> {
        let found = Self::ALL.into_iter().find(|encryption| encryption.name() == name);
        found.ok_or_else(|| QueryError::new("encryption", "must be tls, starttls or none"))
    }
}

/// The level of that name in the API.
pub fn parse_level(name: &str) -> Result<AlertLevel, QueryError> {
    match name {
        "info" => Ok(AlertLevel::Info),
        "warning" => Ok(AlertLevel::Warning),
        "critical" => Ok(AlertLevel::Critical),
        _ => Err(QueryError::new("minLevel", "must be info, warning or critical")),
    }
}

pub fn level_name(level: AlertLevel) -> &'static str {
    match level {
        AlertLevel::Info => "info",
        AlertLevel::Warning => "warning",
        AlertLevel::Critical => "critical",
    }
}

fn check_text(field: &'static str, text: &str, max: usize) -> Result<(), QueryError> {
    match text.trim() {
        "" => Err(QueryError::new(field, "must not be empty")),
        trimmed if trimmed.chars().count() > max => {
            Err(QueryError::new(field, format!("must have at most {max} characters")))
        }
        trimmed if trimmed.chars().any(char::is_control) => {
            Err(QueryError::new(field, "must not hold control characters"))
        }
        _ => Ok(()),
    }
}

/// What can be said of an address without asking where it leads; `watch::notify::outbound` knows that.
fn check_url(url: &Secret) -> Result<(), QueryError> {
    let wrong = |message: &str| Err(QueryError::new("url", message));
    let text = url.reveal();
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return wrong("must be an address that begins with https://");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("must be an address such as https://example.com/hook");
    }
    if authority.contains('@') {
        return wrong("must not hold a user name or password");
    }
    if text.len() > MAX_URL_BYTES {
        return wrong("must have at most 2000 characters");
    }
    Ok(())
}

fn check_address(field: &'static str, address: &str) -> Result<(), QueryError> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '\\');
    let parts = address.rsplit_once('@');
    let is_address = parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if is_address && address.len() <= MAX_FIELD_BYTES && address.chars().all(is_plain) {
        return Ok(());
    }
    Err(QueryError::new(field, "must be an address such as alerts@example.com"))
}
