//! Digests: for each channel that wants them one message a day or week, with what was spent and the alerts that waited.
//! Which digest it is stands in its id, so that however many look at the clock, it is there once.

use super::db::{Tx, with_reader, with_tx};
use super::delivery::{insert, new_delivery};
use super::{Ledger, LedgerError};
use crate::domain::channel::{Channel, DigestPeriod};
use crate::domain::delivery::{Delivery, DeliveryState};
use crate::domain::notification::{BudgetLine, DigestFigures, Notification};
use crate::domain::query::{Range, UsageQuery};
use crate::domain::usage::{Scope, UserId};
use sha2::{Digest as _, Sha256};

/// A digest that is to be made now.
struct DueDigest {
    user: UserId,
    channel_id: String,
    /// None where only alerts are left to tell: the channel wants no digests any more, or had this one.
    figures: Option<DigestFigures>,
}

impl Ledger {
    /// Puts the digests into the outbox whose time has come, each once. Reads alone while there are none.
    pub async fn gather_digests(&self, now_ms: i64) -> Result<(), LedgerError> {
        let due = self.due_digests(now_ms).await?;
        if due.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        for digest in &due {
            gather(&mut tx, digest, now_ms).await?;
        }
        tx.commit().await
    }

    async fn due_digests(&self, now_ms: i64) -> Result<Vec<DueDigest>, LedgerError> {
        let mut due = Vec::new();
        for channel in self.channels_with_digests().await? {
            let Some(period) = channel.due_digest(now_ms) else { continue };
            if !self.has_delivery(&channel.user_id, &digest_id(&channel.id, period)).await? {
                let figures = Some(self.digest_figures(&channel, period, now_ms).await?);
                due.push(DueDigest { user: channel.user_id, channel_id: channel.id, figures });
            }
        }
        for (user, channel_id) in self.channels_with_alerts_held(now_ms).await? {
            if !due.iter().any(|one| one.user.0 == user && one.channel_id == channel_id) {
                due.push(DueDigest { user: UserId(user), channel_id, figures: None });
            }
        }
        Ok(due)
    }

    async fn channels_with_alerts_held(&self, now_ms: i64) -> Result<Vec<(String, String)>, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            sqlx::query_as(
                "select distinct user_id, channel_id from delivery where state = 'held' and next_attempt_at_ms <= $1",
            )
            .bind(now_ms)
            .fetch_all(pool)
            .await?
        }))
    }

    async fn has_delivery(&self, user: &UserId, id: &str) -> Result<bool, LedgerError> {
        let found: Option<String> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select id from delivery where user_id = $1 and id = $2")
                .bind(&user.0)
                .bind(id)
                .fetch_optional(pool)
                .await?
        });
        Ok(found.is_some())
    }

    async fn digest_figures(
        &self,
        channel: &Channel,
        period: DigestPeriod,
        now_ms: i64,
    ) -> Result<DigestFigures, LedgerError> {
        let range = Range::Custom { from: period.from, to: period.to };
        let query = UsageQuery { range, time_zone: Some(channel.time_zone.clone()), ..UsageQuery::default() };
        let report = self.report(&Scope::User(channel.user_id.clone()), &query, now_ms).await?;
        let mut budgets = Vec::new();
        for budget in self.budgets(&channel.user_id).await? {
            let spent = self.spent_of(&budget, budget.interval_at(now_ms)).await?;
            budgets.push(BudgetLine::of(&budget, spent, now_ms));
        }
        Ok(DigestFigures {
            period,
            time_zone: channel.time_zone.clone(),
            spent: report.summary.total_cost_nano_usd,
            calls: report.summary.total_calls,
            unpriced_calls: report.summary.unpriced_calls,
            spent_before: report.summary.previous.map(|before| before.total_cost_nano_usd).unwrap_or_default(),
            models: report.models.into_iter().map(|model| (model.model, model.totals.cost)).collect(),
            budgets,
        })
    }
}

async fn gather(tx: &mut Tx, due: &DueDigest, now_ms: i64) -> Result<(), LedgerError> {
    let DueDigest { user, channel_id, figures } = due;
    // Claimed by the update: what another process gathers is not gathered again.
    let gathered: Vec<String> = with_tx!(tx, |connection| {
        sqlx::query_scalar(
            "update delivery set state = 'gathered' where user_id = $1 and channel_id = $2 and state = 'held' \
             and next_attempt_at_ms <= $3 returning notification",
        )
        .bind(&user.0)
        .bind(channel_id)
        .bind(now_ms)
        .fetch_all(connection)
        .await?
    });
    let notifications: Result<Vec<Notification>, _> = gathered.iter().map(|json| serde_json::from_str(json)).collect();
    let notifications = notifications.map_err(|_| LedgerError::OutOfRange("delivery.notification"))?;
    if let Some(figures) = figures {
        let id = digest_id(channel_id, figures.period);
        if put(tx, due, Some(id), Notification::digest(Some(figures), &notifications, now_ms), now_ms).await? {
            return Ok(());
        }
        // Another process has told the figures; what waited is told all the same.
    }
    put(tx, due, None, Notification::digest(None, &notifications, now_ms), now_ms).await?;
    Ok(())
}

/// Says whether it is in the outbox now, and was not before.
async fn put(
    tx: &mut Tx,
    due: &DueDigest,
    id: Option<String>,
    digest: Option<Notification>,
    now_ms: i64,
) -> Result<bool, LedgerError> {
    let Some(digest) = digest else { return Ok(false) };
    let delivery = new_delivery(&due.user, &due.channel_id, &digest.trimmed(), DeliveryState::Pending, now_ms, now_ms);
    let id = id.unwrap_or_else(|| delivery.id.clone());
    insert(tx, &Delivery { id, ..delivery }).await
}

/// A UUIDv7 as other deliveries have, so that they sort by time; of a channel and a time there is one.
fn digest_id(channel_id: &str, period: DigestPeriod) -> String {
    let hash: [u8; 32] = Sha256::digest(format!("digest {channel_id} {}", period.at_ms)).into();
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&hash[..10]);
    let at_ms = period.at_ms.max(0).unsigned_abs();
    uuid::Builder::from_unix_timestamp_millis(at_ms, &bytes).into_uuid().to_string()
}
