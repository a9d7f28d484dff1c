//! A channel as somebody types it in, in a form or through the API: texts, each of which may be left out.

use super::{
    Channel, ChannelKind, Digest, MAX_SIGNING_SECRETS, MailEncryption, MailLogin, MailTarget, QuietHours, Target,
    parse_level,
};
use crate::domain::budget::AlertLevel;
use crate::domain::notification::Topic;
use crate::domain::period::Zone;
use crate::domain::query::QueryError;
use crate::domain::secret::Secret;
use crate::domain::usage::UserId;

/// What is left out stays as it is, or is what a new channel has. Of a secret an empty text counts as left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelInput {
    pub name: Option<String>,
    pub kind: Option<String>,
    pub url: Option<Secret>,
    pub host: Option<String>,
    pub port: Option<String>,
    pub encryption: Option<String>,
    /// Empty for a mail server that asks for no login.
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub from: Option<String>,
    pub to: Option<Vec<String>>,
    pub min_level: Option<String>,
    pub topics: Option<Vec<String>>,
    /// `22:00`; both empty for no quiet hours.
    pub quiet_from: Option<String>,
    pub quiet_to: Option<String>,
    pub digest: Option<String>,
    pub time_zone: Option<String>,
    pub is_enabled: Option<bool>,
}

impl ChannelInput {
    /// A new channel. `signing_secret` is what it signs with if it is a webhook.
    ///
    /// # Errors
    /// The first field that is wrong, by its name in the API.
    pub fn make(
        &self,
        user: &UserId,
        id: String,
        default_zone: &Zone,
        signing_secret: Secret,
        now_ms: i64,
    ) -> Result<Channel, QueryError> {
        let kind: ChannelKind = self.kind.as_deref().unwrap_or_default().parse()?;
        let blank = Channel {
            user_id: user.clone(),
            id,
            name: kind.label().into(),
            target: blank_target(kind, signing_secret),
            min_level: AlertLevel::Info,
            topics: Topic::CHOICES.to_vec(),
            quiet_hours: None,
            digest: Digest::None,
            time_zone: default_zone.name().into(),
            created_at_ms: now_ms,
            disabled_at_ms: None,
            disabled_reason: None,
        };
        self.change(&blank, now_ms)
    }

    /// The channel with what was typed in. Its kind stays.
    ///
    /// # Errors
    /// The first field that is wrong, by its name in the API.
    pub fn change(&self, channel: &Channel, now_ms: i64) -> Result<Channel, QueryError> {
        let mut changed = channel.clone();
        if self.kind.as_deref().is_some_and(|kind| kind != channel.target.kind().name()) {
            return Err(QueryError::new("kind", "stays what it is: make another channel"));
        }
        self.change_target(&mut changed.target)?;
        if let Some(name) = &self.name {
            changed.name = name.trim().to_owned();
        }
        if let Some(level) = &self.min_level {
            changed.min_level = parse_level(level)?;
        }
        if let Some(topics) = &self.topics {
            changed.topics = parse_topics(topics)?;
        }
        if let Some(digest) = &self.digest {
            changed.digest = digest.parse()?;
        }
        if let Some(zone) = self.time_zone.as_deref().map(str::trim).filter(|zone| !zone.is_empty()) {
            changed.time_zone = zone.to_owned();
        }
        if self.quiet_from.is_some() || self.quiet_to.is_some() {
            changed.quiet_hours = self.quiet_hours(channel)?;
        }
        match self.is_enabled {
            Some(true) => (changed.disabled_at_ms, changed.disabled_reason) = (None, None),
            Some(false) if channel.disabled_at_ms.is_none() => {
                (changed.disabled_at_ms, changed.disabled_reason) = (Some(now_ms), Some("switched off".into()));
            }
            _ => {}
        }
        changed.check()?;
        Ok(changed)
    }

    fn change_target(&self, target: &mut Target) -> Result<(), QueryError> {
        match target {
            Target::Webhook { url, .. } | Target::Slack { url } | Target::Discord { url } => {
                if let Some(typed) = given(&self.url) {
                    *url = typed;
                }
                Ok(())
            }
            Target::Email(mail) => self.change_mail(mail),
        }
    }

    fn change_mail(&self, mail: &mut MailTarget) -> Result<(), QueryError> {
        let before = mail.clone();
        if let Some(host) = &self.host {
            mail.host = host.trim().to_owned();
        }
        if let Some(encryption) = &self.encryption {
            mail.encryption = encryption.parse()?;
            if mail.encryption != before.encryption {
                mail.port = mail.encryption.usual_port();
            }
        }
        if let Some(port) = self.port.as_deref().map(str::trim).filter(|port| !port.is_empty()) {
            mail.port = port.parse().map_err(|_| QueryError::new("port", "must be from 1 to 65535"))?;
        }
        if let Some(from) = &self.from {
            mail.from = from.trim().to_owned();
        }
        if let Some(to) = &self.to {
            let addresses = to.iter().map(|address| address.trim().to_owned());
            mail.to = addresses.filter(|address| !address.is_empty()).collect();
        }
        self.change_login(mail, &before)
    }

    fn change_login(&self, mail: &mut MailTarget, before: &MailTarget) -> Result<(), QueryError> {
        let username = match (&self.username, &before.login) {
            (Some(typed), _) => typed.trim().to_owned(),
            (None, Some(login)) => login.username.clone(),
            (None, None) => String::new(),
        };
        if username.is_empty() {
            mail.login = None;
            return Ok(());
        }
        // A password that is kept must not go to another server, or whoever can change the channel could read it there.
        let where_to = |mail: &MailTarget| (mail.host.clone(), mail.port, mail.encryption);
        let kept = before.login.as_ref().map(|login| login.password.clone());
        let password = match (given(&self.password), kept) {
            (Some(typed), _) => typed,
            (None, Some(kept)) if where_to(mail) == where_to(before) => kept,
            (None, Some(_)) => return Err(QueryError::new("password", "must be typed in again for another server")),
            (None, None) => return Err(QueryError::new("password", "must not be empty")),
        };
        mail.login = Some(MailLogin { username, password });
        Ok(())
    }

    fn quiet_hours(&self, channel: &Channel) -> Result<Option<QuietHours>, QueryError> {
        let (before_from, before_to) = match channel.quiet_hours {
            Some(hours) => (hours.begin_text(), hours.end_text()),
            None => Default::default(),
        };
        let from = self.quiet_from.as_deref().unwrap_or(&before_from).trim();
        let to = self.quiet_to.as_deref().unwrap_or(&before_to).trim();
        if from.is_empty() && to.is_empty() { Ok(None) } else { QuietHours::parse(from, to).map(Some) }
    }
}

impl Channel {
    /// With a new secret to sign with; the one before signs too, until the next change. None where nothing is signed.
    pub fn with_signing_secret(&self, secret: Secret) -> Option<Self> {
        let Target::Webhook { url, signing_secrets } = &self.target else { return None };
        let mut secrets = vec![secret];
        secrets.extend(signing_secrets.iter().take(MAX_SIGNING_SECRETS - 1).cloned());
        let target = Target::Webhook { url: url.clone(), signing_secrets: secrets };
        Some(Self { target, ..self.clone() })
    }
}

fn blank_target(kind: ChannelKind, signing_secret: Secret) -> Target {
    let url = Secret::new("");
    match kind {
        ChannelKind::Webhook => Target::Webhook { url, signing_secrets: vec![signing_secret] },
        ChannelKind::Slack => Target::Slack { url },
        ChannelKind::Discord => Target::Discord { url },
        ChannelKind::Email => Target::Email(MailTarget {
            host: String::new(),
            port: MailEncryption::Starttls.usual_port(),
            encryption: MailEncryption::Starttls,
            login: None,
            from: String::new(),
            to: Vec::new(),
        }),
    }
}

fn given(secret: &Option<Secret>) -> Option<Secret> {
    let text = secret.as_ref()?.reveal().trim();
    (!text.is_empty()).then(|| Secret::new(text))
}

fn parse_topics(names: &[String]) -> Result<Vec<Topic>, QueryError> {
    let mut topics = Vec::new();
    for name in names {
        topics.push(name.parse::<Topic>().map_err(|error| QueryError::new("topics", error.to_string()))?);
    }
    topics.sort();
    topics.dedup();
    Ok(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.into())
    }

    fn make(input: &ChannelInput) -> Result<Channel, QueryError> {
        input.make(&UserId::owner(), "c1".into(), &Zone::UTC, Secret::new("whsec_first"), 7)
    }

    fn mail_input() -> ChannelInput {
        ChannelInput {
            kind: text("email"),
            host: text(" smtp.example.com "),
            username: text("me"),
            password: Some(Secret::new("hunter2")),
            from: text("a@example.com"),
            to: Some(vec!["b@example.com".into(), " ".into()]),
            ..ChannelInput::default()
        }
    }

    fn mail_of(channel: &Channel) -> MailTarget {
        match &channel.target {
            Target::Email(mail) => mail.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_channel_needs_no_more_than_where_to() {
        let url = Some(Secret::new("https://hooks.slack.com/x"));
        let slack = make(&ChannelInput { kind: text("slack"), url, ..ChannelInput::default() }).unwrap();
        assert_eq!((slack.name.as_str(), slack.time_zone.as_str(), slack.digest), ("Slack", "UTC", Digest::None));
        assert_eq!(slack.topics, Topic::CHOICES);
        let mail = mail_of(&make(&mail_input()).unwrap());
        assert_eq!((mail.host.as_str(), mail.port, mail.to.len()), ("smtp.example.com", 587, 1));
        let missing = |input: ChannelInput| make(&input).unwrap_err().field;
        assert_eq!(missing(ChannelInput::default()), "kind");
        assert_eq!(missing(ChannelInput { kind: text("discord"), ..ChannelInput::default() }), "url");
        assert_eq!(missing(ChannelInput { host: None, ..mail_input() }), "host");
        assert_eq!(missing(ChannelInput { password: None, ..mail_input() }), "password");
        assert_eq!(missing(ChannelInput { topics: Some(vec!["test".into()]), ..mail_input() }), "topics");
        assert_eq!(missing(ChannelInput { quiet_from: text("22:00"), ..mail_input() }), "quietTo");
        assert_eq!(missing(ChannelInput { port: text("99999"), ..mail_input() }), "port");
    }

    #[test]
    fn what_is_left_out_stays() {
        let input = ChannelInput { quiet_from: text("22:00"), quiet_to: text("7:00"), ..mail_input() };
        let before = make(&input).unwrap();
        let renamed = ChannelInput { name: text("Night"), password: Some(Secret::new("")), ..ChannelInput::default() };
        let after = renamed.change(&before, 8).unwrap();
        assert_eq!(after, Channel { name: "Night".into(), ..before.clone() });
        let later = ChannelInput { quiet_to: text("8:00"), ..ChannelInput::default() }.change(&before, 8).unwrap();
        assert_eq!(later.quiet_hours, Some(QuietHours::parse("22:00", "8:00").unwrap()));
        let none = ChannelInput { quiet_from: text(""), quiet_to: text(""), ..ChannelInput::default() };
        assert_eq!(none.change(&before, 8).unwrap().quiet_hours, None);
        let other_kind = ChannelInput { kind: text("slack"), ..ChannelInput::default() };
        assert_eq!(other_kind.change(&before, 8).unwrap_err().field, "kind");
        let off = ChannelInput { is_enabled: Some(false), ..ChannelInput::default() }.change(&before, 8).unwrap();
        assert_eq!(off.disabled_at_ms, Some(8));
        let on = ChannelInput { is_enabled: Some(true), ..ChannelInput::default() }.change(&off, 9).unwrap();
        assert_eq!(on, before);
    }

    #[test]
    fn a_kept_password_goes_to_no_other_server() {
        let before = make(&mail_input()).unwrap();
        for elsewhere in [
            ChannelInput { host: text("evil.example"), ..ChannelInput::default() },
            ChannelInput { port: text("2525"), ..ChannelInput::default() },
            ChannelInput { encryption: text("none"), ..ChannelInput::default() },
        ] {
            assert_eq!(elsewhere.change(&before, 8).unwrap_err().field, "password", "{elsewhere:?}");
            let with_password = ChannelInput { password: Some(Secret::new("new")), ..elsewhere.clone() };
            assert_eq!(mail_of(&with_password.change(&before, 8).unwrap()).login.unwrap().password, Secret::new("new"));
            let without_login = ChannelInput { username: text(""), ..elsewhere };
            assert_eq!(mail_of(&without_login.change(&before, 8).unwrap()).login, None);
        }
    }

    #[test]
    fn the_last_two_secrets_sign() {
        let url = Some(Secret::new("https://example.com/"));
        let first = make(&ChannelInput { kind: text("webhook"), url, ..ChannelInput::default() }).unwrap();
        let second = first.with_signing_secret(Secret::new("whsec_second")).unwrap();
        let third = second.with_signing_secret(Secret::new("whsec_third")).unwrap();
        let Target::Webhook { signing_secrets, .. } = third.target else { panic!() };
        assert_eq!(signing_secrets, [Secret::new("whsec_third"), Secret::new("whsec_second")]);
        assert_eq!(make(&mail_input()).unwrap().with_signing_secret(Secret::new("whsec_x")), None);
    }
}
