//! Channels as set by users. What a channel needs to send (a webhook's address and signing secrets, a mail server's
//! password) is kept in the clear: it must be shown to the receiver as it is, and a key for it would lie beside it. The
//! database file is readable by its owner alone, and nothing outside `watch::notify` reveals a secret again.

use super::db::{Tx, with_reader, with_tx};
use super::delivery::give_up_on_channel;
use super::{Ledger, LedgerError};
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget, AuditTargetKind};
use crate::domain::channel::{
    Channel, ChannelKind, MailEncryption, MailLogin, MailTarget, QuietHours, Target, level_name, parse_level,
};
use crate::domain::notification::Topic;
use crate::domain::secret::Secret;
use crate::domain::usage::UserId;
use serde::{Deserialize, Serialize};

macro_rules! channel_columns {
    () => {
        "user_id, id, name, kind, target, min_level, topics, quiet_from_minute, quiet_to_minute, digest, time_zone, \
         created_at_ms, disabled_at_ms, disabled_reason"
    };
}

impl Ledger {
    /// The user's channels, the oldest first.
    pub async fn channels(&self, user: &UserId) -> Result<Vec<Channel>, LedgerError> {
        let rows: Vec<ChannelRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!("select ", channel_columns!(), " from channel where user_id = $1 order by id"))
                .bind(&user.0)
                .fetch_all(pool)
                .await?
        });
        rows.into_iter().map(Channel::try_from).collect()
    }

    /// Everybody's channels that want digests.
    pub(super) async fn channels_with_digests(&self) -> Result<Vec<Channel>, LedgerError> {
        let rows: Vec<ChannelRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select ",
                channel_columns!(),
                " from channel where digest <> 'none' and disabled_at_ms is null order by user_id, id"
            ))
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(Channel::try_from).collect()
    }

    pub async fn channel(&self, user: &UserId, id: &str) -> Result<Option<Channel>, LedgerError> {
        let row: Option<ChannelRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!("select ", channel_columns!(), " from channel where user_id = $1 and id = $2"))
                .bind(&user.0)
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        row.map(Channel::try_from).transpose()
    }

    /// Makes a channel, or changes the one that has its id.
    ///
    /// # Errors
    /// A field is wrong ([`LedgerError::Query`]).
    pub async fn save_channel(&self, channel: &Channel, actor: &Actor, now_ms: i64) -> Result<(), LedgerError> {
        channel.check()?;
        let mut change = self.begin_change(actor, now_ms).await?;
        let channels = channels_in(change.tx(), &channel.user_id).await?;
        let former = channels.iter().find(|former| former.id == channel.id);
        with_tx!(change.tx(), |connection| {
            sqlx::query(concat!(
                "insert into channel (",
                channel_columns!(),
                ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                 on conflict (user_id, id) do update set name = excluded.name, kind = excluded.kind, \
                 target = excluded.target, min_level = excluded.min_level, topics = excluded.topics, \
                 quiet_from_minute = excluded.quiet_from_minute, quiet_to_minute = excluded.quiet_to_minute, \
                 digest = excluded.digest, time_zone = excluded.time_zone, \
                 disabled_at_ms = excluded.disabled_at_ms, disabled_reason = excluded.disabled_reason",
            ))
            .bind(&channel.user_id.0)
            .bind(&channel.id)
            .bind(channel.name.trim())
            .bind(channel.target.kind().name())
            .bind(stored_target(&channel.target))
            .bind(level_name(channel.min_level))
            .bind(stored_topics(&channel.topics))
            .bind(channel.quiet_hours.map(|hours| i64::from(hours.from_minute)))
            .bind(channel.quiet_hours.map(|hours| i64::from(hours.to_minute)))
            .bind(channel.digest.name())
            .bind(&channel.time_zone)
            .bind(channel.created_at_ms)
            .bind(channel.disabled_at_ms)
            .bind(&channel.disabled_reason)
            .execute(connection)
            .await?;
        });
        change.commit(note_of(channel, former)).await
    }

    /// Sends nothing more to a channel, and gives up on what was on its way there. Says whether it was there.
    pub async fn disable_channel(
        &self,
        user: &UserId,
        id: &str,
        reason: &str,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let mut change = self.begin_change(actor, now_ms).await?;
        let name: Option<String> = with_tx!(change.tx(), |connection| {
            sqlx::query_scalar(
                "update channel set disabled_at_ms = $1, disabled_reason = $2 where user_id = $3 and id = $4 \
                 and disabled_at_ms is null returning name",
            )
            .bind(now_ms)
            .bind(reason)
            .bind(&user.0)
            .bind(id)
            .fetch_optional(connection)
            .await?
        });
        let Some(name) = name else { return Ok(false) };
        give_up_on_channel(change.tx(), user, id).await?;
        let target = AuditTarget::new(AuditTargetKind::Channel, id, name);
        change.commit(AuditNote::new(AuditAction::ChannelChanged, target, format!("switched off: {reason}"))).await?;
        Ok(true)
    }

    /// Deletes a channel with its secrets and its deliveries. Says whether it was there.
    pub async fn delete_channel(
        &self,
        user: &UserId,
        id: &str,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let mut change = self.begin_change(actor, now_ms).await?;
        let name: Option<String> = with_tx!(change.tx(), |connection| {
            sqlx::query("delete from delivery where user_id = $1 and channel_id = $2")
                .bind(&user.0)
                .bind(id)
                .execute(&mut *connection)
                .await?;
            sqlx::query_scalar("delete from channel where user_id = $1 and id = $2 returning name")
                .bind(&user.0)
                .bind(id)
                .fetch_optional(&mut *connection)
                .await?
        });
        let Some(name) = name else { return Ok(false) };
        let target = AuditTarget::new(AuditTargetKind::Channel, id, name);
        change.commit(AuditNote::new(AuditAction::ChannelDeleted, target, "")).await?;
        Ok(true)
    }
}

/// What the log says of a channel that is set: where it leads, without what is secret in it.
fn note_of(channel: &Channel, former: Option<&Channel>) -> AuditNote {
    let detail = format!("{} to {}", channel.target.kind().name(), channel.target.shown());
    let (action, how) = match former {
        None => (AuditAction::ChannelCreated, ""),
        Some(former) if has_other_secrets(channel, former) => (AuditAction::ChannelSecretRotated, ""),
        Some(former) if channel.target != former.target => (AuditAction::ChannelChanged, ", another address or login"),
        Some(former) => match (former.disabled_at_ms.is_some(), channel.disabled_at_ms.is_some()) {
            (false, true) => (AuditAction::ChannelChanged, ", switched off"),
            (true, false) => (AuditAction::ChannelChanged, ", switched on"),
            _ => (AuditAction::ChannelChanged, ""),
        },
    };
    let target = AuditTarget::new(AuditTargetKind::Channel, &*channel.id, channel.name.trim());
    AuditNote::new(action, target, detail + how)
}

fn has_other_secrets(channel: &Channel, former: &Channel) -> bool {
    match (&channel.target, &former.target) {
        (Target::Webhook { signing_secrets: now, .. }, Target::Webhook { signing_secrets: before, .. }) => {
            now != before
        }
        _ => false,
    }
}

/// The user's channels, as the transaction sees them.
pub(super) async fn channels_in(tx: &mut Tx, user: &UserId) -> Result<Vec<Channel>, LedgerError> {
    let rows: Vec<ChannelRow> = with_tx!(tx, |connection| {
        sqlx::query_as(concat!("select ", channel_columns!(), " from channel where user_id = $1 order by id"))
            .bind(&user.0)
            .fetch_all(connection)
            .await?
    });
    rows.into_iter().map(Channel::try_from).collect()
}

#[derive(sqlx::FromRow)]
struct ChannelRow {
    user_id: String,
    id: String,
    name: String,
    kind: String,
    target: String,
    min_level: String,
    topics: String,
    quiet_from_minute: Option<i64>,
    quiet_to_minute: Option<i64>,
    digest: String,
    time_zone: String,
    created_at_ms: i64,
    disabled_at_ms: Option<i64>,
    disabled_reason: Option<String>,
}

impl TryFrom<ChannelRow> for Channel {
    type Error = LedgerError;

    fn try_from(row: ChannelRow) -> Result<Self, LedgerError> {
        let wrong = LedgerError::OutOfRange;
        let kind: ChannelKind = row.kind.parse().map_err(|_| wrong("channel.kind"))?;
        let names: Vec<String> = serde_json::from_str(&row.topics).map_err(|_| wrong("channel.topics"))?;
        let topics: Result<Vec<Topic>, _> = names.iter().map(|name| name.parse()).collect();
        let quiet_hours = row.quiet_from_minute.zip(row.quiet_to_minute).map(|(from, to)| {
            let minute = |value: i64| u32::try_from(value).map_err(|_| wrong("channel.quiet_from_minute"));
            Ok::<_, LedgerError>(QuietHours { from_minute: minute(from)?, to_minute: minute(to)? })
        });
        Ok(Self {
            user_id: UserId(row.user_id),
            id: row.id,
            name: row.name,
            target: read_target(kind, &row.target).ok_or(wrong("channel.target"))?,
            min_level: parse_level(&row.min_level).map_err(|_| wrong("channel.min_level"))?,
            topics: topics.map_err(|_| wrong("channel.topics"))?,
            quiet_hours: quiet_hours.transpose()?,
            digest: row.digest.parse().map_err(|_| wrong("channel.digest"))?,
            time_zone: row.time_zone,
            created_at_ms: row.created_at_ms,
            disabled_at_ms: row.disabled_at_ms,
            disabled_reason: row.disabled_reason,
        })
    }
}

/// A target as the database keeps it. Only here secrets are written down.
#[derive(Serialize, Deserialize)]
struct StoredHook {
    url: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signing_secrets: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredMail {
    host: String,
    port: u16,
    encryption: MailEncryption,
    username: Option<String>,
    password: Option<String>,
    from: String,
    to: Vec<String>,
}

fn stored_target(target: &Target) -> String {
    let hook = |url: &Secret, secrets: &[Secret]| {
        let signing_secrets = secrets.iter().map(|secret| secret.reveal().to_owned()).collect();
        serde_json::to_string(&StoredHook { url: url.reveal().to_owned(), signing_secrets })
    };
    let stored = match target {
        Target::Webhook { url, signing_secrets } => hook(url, signing_secrets),
        Target::Slack { url } | Target::Discord { url } => hook(url, &[]),
        Target::Email(mail) => serde_json::to_string(&StoredMail {
            host: mail.host.clone(),
            port: mail.port,
            encryption: mail.encryption,
            username: mail.login.as_ref().map(|login| login.username.clone()),
            password: mail.login.as_ref().map(|login| login.password.reveal().to_owned()),
            from: mail.from.clone(),
            to: mail.to.clone(),
        }),
    };
    // Strings and numbers can always be written.
    stored.unwrap_or_default()
}

fn read_target(kind: ChannelKind, stored: &str) -> Option<Target> {
    if kind == ChannelKind::Email {
        let mail: StoredMail = serde_json::from_str(stored).ok()?;
        let login = mail.username.zip(mail.password);
        return Some(Target::Email(MailTarget {
            host: mail.host,
            port: mail.port,
            encryption: mail.encryption,
            login: login.map(|(username, password)| MailLogin { username, password: Secret::new(password) }),
            from: mail.from,
            to: mail.to,
        }));
    }
    let hook: StoredHook = serde_json::from_str(stored).ok()?;
    let url = Secret::new(hook.url);
    Some(match kind {
        ChannelKind::Slack => Target::Slack { url },
        ChannelKind::Discord => Target::Discord { url },
        _ => Target::Webhook { url, signing_secrets: hook.signing_secrets.into_iter().map(Secret::new).collect() },
    })
}

fn stored_topics(topics: &[Topic]) -> String {
    let names: Vec<&str> = topics.iter().map(|topic| topic.name()).collect();
    serde_json::Value::from(names).to_string()
}
