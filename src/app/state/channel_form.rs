//! A channel as a form holds it: texts, as they were typed. Addresses and passwords are not among them, because what is
//! typed here may come back in the page's address.

use crate::app::server_fns::error::AppError;
#[cfg(any(feature = "ssr", test))]
use crate::domain::channel::input::ChannelInput;
#[cfg(any(feature = "ssr", test))]
use crate::domain::channel::{Channel, Target, level_name};
use crate::domain::query::percent_encode;
#[cfg(any(feature = "ssr", test))]
use crate::domain::secret::Secret;
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

pub const PAGE: &str = "/alerts/channels";
/// Where a plain form ends up when it was saved.
pub const SAVED_HREF: &str = "/alerts/channels?saved=1";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelForm {
    /// Of the channel that is changed; empty for a new one.
    pub id: String,
    pub kind: String,
    pub name: String,
    pub host: String,
    pub port: String,
    pub encryption: String,
    pub username: String,
    pub from: String,
    /// With commas between them.
    pub to: String,
    pub min_level: String,
    pub topics: Vec<String>,
    pub quiet_from: String,
    pub quiet_to: String,
    pub digest: String,
    pub time_zone: String,
}

/// What is wrong with a form, and in which field, by its name in the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelFault {
    pub field: String,
    pub message: String,
}

impl ChannelForm {
    /// What was entered and sent back in the address; none where the address says nothing of it.
    pub fn from_params(params: &ParamsMap) -> Option<Self> {
        params.get_str("name")?;
        let text = |name: &str| params.get_str(name).unwrap_or_default().to_owned();
        let topics = text("topics").split(',').filter(|topic| !topic.is_empty()).map(str::to_owned).collect();
        let [
            id,
            kind,
            name,
            host,
            port,
            encryption,
            username,
            from,
            to,
            min_level,
            quiet_from,
            quiet_to,
            digest,
            time_zone,
        ] = NAMES.map(text);
        Some(Self {
            id,
            kind,
            name,
            host,
            port,
            encryption,
            username,
            from,
            to,
            min_level,
            topics,
            quiet_from,
            quiet_to,
            digest,
            time_zone,
        })
    }

    /// The page's address with all that was entered.
    pub fn to_href(&self) -> String {
        let topics = self.topics.join(",");
        let texts = NAMES.iter().copied().zip(self.texts()).chain([("topics", topics.as_str())]);
        let pairs: Vec<String> = texts.map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        format!("{PAGE}?{}", pairs.join("&"))
    }

    fn texts(&self) -> [&str; 14] {
        [
            &self.id,
            &self.kind,
            &self.name,
            &self.host,
            &self.port,
            &self.encryption,
            &self.username,
            &self.from,
            &self.to,
            &self.min_level,
            &self.quiet_from,
            &self.quiet_to,
            &self.digest,
            &self.time_zone,
        ]
    }
}

/// In the address, in the order of [`ChannelForm::texts`].
const NAMES: [&str; 14] = [
    "id",
    "kind",
    "name",
    "host",
    "port",
    "encryption",
    "username",
    "from",
    "to",
    "min_level",
    "quiet_from",
    "quiet_to",
    "digest",
    "time_zone",
];

#[cfg(any(feature = "ssr", test))]
impl ChannelForm {
    /// An empty form for a channel of that kind.
    pub fn blank(kind: &str, time_zone: &str) -> Self {
        use crate::domain::notification::Topic;
        Self {
            kind: kind.into(),
            encryption: "starttls".into(),
            min_level: "info".into(),
            topics: Topic::CHOICES.map(|topic| topic.name().to_owned()).to_vec(),
            digest: "none".into(),
            time_zone: time_zone.into(),
            ..Self::default()
        }
    }

    pub fn of(channel: &Channel) -> Self {
        let form = Self {
            id: channel.id.clone(),
            kind: channel.target.kind().name().into(),
            name: channel.name.clone(),
            min_level: level_name(channel.min_level).into(),
            topics: channel.topics.iter().map(|topic| topic.name().to_owned()).collect(),
            quiet_from: channel.quiet_hours.map(|hours| hours.begin_text()).unwrap_or_default(),
            quiet_to: channel.quiet_hours.map(|hours| hours.end_text()).unwrap_or_default(),
            digest: channel.digest.name().into(),
            time_zone: channel.time_zone.clone(),
            ..Self::default()
        };
        let Target::Email(mail) = &channel.target else { return form };
        Self {
            host: mail.host.clone(),
            port: mail.port.to_string(),
            encryption: mail.encryption.name().into(),
            username: mail.login.as_ref().map(|login| login.username.clone()).unwrap_or_default(),
            from: mail.from.clone(),
            to: mail.to.join(", "),
            ..form
        }
    }

    /// With the secrets that were typed beside it.
    pub fn to_input(&self, url: &str, password: &str) -> ChannelInput {
        let text = |text: &str| Some(text.to_owned());
        let is_email = self.kind == "email";
        let of_mail = |value: &str| is_email.then(|| value.to_owned());
        let name = Some(self.name.clone()).filter(|name| !name.trim().is_empty());
        ChannelInput {
            name,
            kind: text(&self.kind),
            url: Some(Secret::new(url)),
            host: of_mail(&self.host),
            port: of_mail(&self.port),
            encryption: of_mail(&self.encryption),
            username: of_mail(&self.username),
            password: Some(Secret::new(password)),
            from: of_mail(&self.from),
            to: is_email.then(|| self.to.split([',', ';']).map(str::to_owned).collect()),
            min_level: text(&self.min_level),
            topics: Some(self.topics.clone()),
            quiet_from: text(&self.quiet_from),
            quiet_to: text(&self.quiet_to),
            digest: text(&self.digest),
            time_zone: text(&self.time_zone),
            is_enabled: None,
        }
    }
}

impl From<ChannelFault> for AppError {
    fn from(fault: ChannelFault) -> Self {
        Self::Invalid { field: fault.field, message: fault.message }
    }
}

impl ChannelFault {
    /// The field that the server found wrong; none where something else went wrong.
    pub fn of_error(error: &AppError) -> Option<Self> {
        match error {
            AppError::Invalid { field, message } => Some(Self { field: field.clone(), message: message.clone() }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::period::Zone;
    use crate::domain::usage::UserId;

    fn mail_form() -> ChannelForm {
        ChannelForm {
            name: "Mail & more".into(),
            host: "smtp.example.com".into(),
            port: "2525".into(),
            username: "me".into(),
            from: "a@example.com".into(),
            to: "b@example.com, c@example.com".into(),
            topics: vec!["budget".into(), "health".into()],
            quiet_from: "22:00".into(),
            quiet_to: "07:00".into(),
            ..ChannelForm::blank("email", "Europe/Berlin")
        }
    }

    #[test]
    fn a_good_form_is_a_channel_and_shows_as_it_was_without_its_password() {
        let input = mail_form().to_input("", "hunter2");
        let channel = input.make(&UserId("ada".into()), "c1".into(), &Zone::UTC, Secret::new("whsec_x"), 0).unwrap();
        let shown = ChannelForm::of(&channel);
        assert_eq!(shown, ChannelForm { id: "c1".into(), ..mail_form() });
        assert_eq!(shown.to_input("", "").change(&channel, 1).unwrap(), channel);
        assert!(!format!("{shown:?}{}", shown.to_href()).contains("hunter2"));
    }

    #[test]
    fn what_was_entered_survives_the_address() {
        let href = mail_form().to_href();
        let (_, query) = href.split_once('?').unwrap();
        let mut params = ParamsMap::new();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            params.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(ChannelForm::from_params(&params), Some(mail_form()));
        assert_eq!(ChannelForm::from_params(&ParamsMap::new()), None);
    }
}
