//! The outbox: what is to be told to whom, kept until it was told. A message enters in the transaction of what it tells
//! ([`enqueue_in`]), so that neither is there without the other, and is sent at least once: whoever takes it gets a lease,
//! and when that runs out without an outcome the next one may.

use super::channel::channels_in;
use super::db::{Tx, with_reader, with_tx};
use super::{Ledger, LedgerError};
use crate::domain::channel::{Channel, Timing};
use crate::domain::delivery::{Delivery, DeliveryState, MAX_ANSWER_CHARS, wait_after};
use crate::domain::notification::Notification;
use crate::domain::usage::UserId;

/// How long whoever took a delivery has for it: an attempt ends after 15 seconds.
const LEASE_MS: i64 = 120_000;

/// A delivery that was taken, with the channel it goes to.
#[derive(Clone, Debug)]
pub struct DueDelivery {
    pub channel: Channel,
    pub delivery: Delivery,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub state: DeliveryState,
    /// When it is tried again, if it is still pending.
    pub next_attempt_at_ms: i64,
    pub status: Option<u16>,
    pub answer: String,
}

macro_rules! delivery_columns {
    () => {
        "user_id, id, channel_id, notification, state, attempts, created_at_ms, next_attempt_at_ms, \
         last_attempt_at_ms, last_status, last_answer"
    };
}

impl Ledger {
    /// Puts a message into the outbox, once for each channel of the user that takes it. Gives how many do.
    pub async fn enqueue(&self, user: &UserId, notification: &Notification, now_ms: i64) -> Result<usize, LedgerError> {
        let mut tx = self.db.begin().await?;
        let count = enqueue_in(&mut tx, user, notification, now_ms).await?;
        tx.commit().await?;
        Ok(count)
    }

    /// When there is next something to do; none while the outbox is empty.
    pub async fn next_delivery_at_ms(&self) -> Result<Option<i64>, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select min(next_attempt_at_ms) from delivery where state in ('pending', 'held')")
                .fetch_one(pool)
                .await?
        }))
    }

    /// Takes up to `limit` deliveries whose time has come, the longest overdue first. Nobody else gets them while the
    /// lease holds.
    pub async fn take_due(&self, now_ms: i64, limit: u32) -> Result<Vec<DueDelivery>, LedgerError> {
        let mut tx = self.db.begin().await?;
        let rows: Vec<DeliveryRow> = with_tx!(&mut tx, |connection| {
            sqlx::query_as(concat!(
                "select ",
                delivery_columns!(),
                " from delivery where state = 'pending' and next_attempt_at_ms <= $1 \
                 order by next_attempt_at_ms, id limit $2"
            ))
            .bind(now_ms)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        });
        let mut taken = Vec::new();
        for row in rows {
            taken.extend(take(&mut tx, Delivery::try_from(row)?, now_ms).await?);
        }
        tx.commit().await?;
        Ok(taken)
    }

    /// Writes down how the attempt ended that `delivery` was taken for; not if its lease ran out and another began.
    pub async fn record_outcome(&self, delivery: &Delivery, outcome: &Outcome) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        record(&mut tx, delivery, outcome).await?;
        tx.commit().await
    }

    /// Puts a message into the log that was sent beside the outbox, by the test button.
    pub async fn log_test(
        &self,
        channel: &Channel,
        notification: &Notification,
        outcome: &Outcome,
        now_ms: i64,
    ) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        let mut delivery =
            new_delivery(&channel.user_id, &channel.id, notification, DeliveryState::Pending, now_ms, now_ms);
        (delivery.attempts, delivery.last_attempt_at_ms) = (1, Some(now_ms));
        insert(&mut tx, &delivery).await?;
        record(&mut tx, &delivery, outcome).await?;
        tx.commit().await
    }

    /// The newest deliveries to one of the user's channels, the newest first.
    pub async fn deliveries(&self, user: &UserId, channel_id: &str, limit: u32) -> Result<Vec<Delivery>, LedgerError> {
        let rows: Vec<DeliveryRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select ",
                delivery_columns!(),
                " from delivery where user_id = $1 and channel_id = $2 order by id desc limit $3"
            ))
            .bind(&user.0)
            .bind(channel_id)
            .bind(i64::from(limit))
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(Delivery::try_from).collect()
    }

    /// Begins anew with a delivery that was given up, if its channel is there and not disabled. Says whether it could.
    pub async fn send_again(&self, user: &UserId, id: &str, now_ms: i64) -> Result<bool, LedgerError> {
        let mut tx = self.db.begin().await?;
        let changed = with_tx!(&mut tx, |connection| {
            sqlx::query(
                "update delivery set state = 'pending', attempts = 0, next_attempt_at_ms = $1 \
                 where user_id = $2 and id = $3 and state = 'dead' and channel_id in \
                 (select id from channel where user_id = $2 and disabled_at_ms is null)",
            )
            .bind(now_ms)
            .bind(&user.0)
            .bind(id)
            .execute(connection)
            .await?
            .rows_affected()
        });
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Forgets what was told, or given up, before that instant.
    pub async fn forget_deliveries(&self, before_ms: i64) -> Result<u64, LedgerError> {
        let mut tx = self.db.begin().await?;
        let forgotten = with_tx!(&mut tx, |connection| {
            sqlx::query("delete from delivery where state in ('delivered', 'gathered', 'dead') and created_at_ms < $1")
                .bind(before_ms)
                .execute(connection)
                .await?
                .rows_affected()
        });
        tx.commit().await?;
        Ok(forgotten)
    }
}

/// Puts a message into the outbox in a transaction that is under way: with the alert that it tells of, or not at all.
/// Gives how many channels of the user take it.
pub(super) async fn enqueue_in(
    tx: &mut Tx,
    user: &UserId,
    notification: &Notification,
    now_ms: i64,
) -> Result<usize, LedgerError> {
    let notification = notification.trimmed();
    let channels = channels_in(tx, user).await?;
    let mut count = 0;
    for channel in channels.iter().filter(|channel| channel.takes(&notification)) {
        let (state, at_ms) = match channel.timing(notification.level, now_ms) {
            Timing::At(at_ms) => (DeliveryState::Pending, at_ms),
            Timing::InDigest(at_ms) => (DeliveryState::Held, at_ms),
        };
        insert(tx, &new_delivery(user, &channel.id, &notification, state, at_ms, now_ms)).await?;
        count += 1;
    }
    Ok(count)
}

/// Gives up on all that waits for a channel.
pub(super) async fn give_up_on_channel(tx: &mut Tx, user: &UserId, channel_id: &str) -> Result<(), LedgerError> {
    with_tx!(tx, |connection| {
        sqlx::query(
            "update delivery set state = 'dead' where user_id = $1 and channel_id = $2 \
             and state in ('pending', 'held')",
        )
        .bind(&user.0)
        .bind(channel_id)
        .execute(connection)
        .await?;
    });
    Ok(())
}

async fn take(tx: &mut Tx, mut delivery: Delivery, now_ms: i64) -> Result<Option<DueDelivery>, LedgerError> {
    let channels = channels_in(tx, &delivery.user_id).await?;
    let channel = channels.into_iter().find(|channel| channel.id == delivery.channel_id);
    // Its last attempt ended without an outcome, or there is nobody to tell.
    let is_over = wait_after(delivery.attempts, 0, None).is_none() || channel.is_none();
    let state = if is_over { DeliveryState::Dead } else { DeliveryState::Pending };
    let lease_ms = now_ms + LEASE_MS;
    // Only if nobody else took it since it was read.
    let updated = with_tx!(tx, |connection| {
        sqlx::query(
            "update delivery set state = $1, attempts = attempts + 1, last_attempt_at_ms = $2, next_attempt_at_ms = $3 \
             where user_id = $4 and id = $5 and state = 'pending' and attempts = $6 and next_attempt_at_ms = $7",
        )
        .bind(state.name())
        .bind(now_ms)
        .bind(lease_ms)
        .bind(&delivery.user_id.0)
        .bind(&delivery.id)
        .bind(i64::from(delivery.attempts))
        .bind(delivery.next_attempt_at_ms)
        .execute(connection)
        .await?
        .rows_affected()
    });
    if updated == 0 || is_over {
        return Ok(None);
    }
    delivery.attempts += 1;
    delivery.last_attempt_at_ms = Some(now_ms);
    delivery.next_attempt_at_ms = lease_ms;
    Ok(channel.map(|channel| DueDelivery { channel, delivery }))
}

async fn record(tx: &mut Tx, delivery: &Delivery, outcome: &Outcome) -> Result<(), LedgerError> {
    with_tx!(tx, |connection| {
        sqlx::query(
            "update delivery set state = $1, next_attempt_at_ms = $2, last_status = $3, last_answer = $4 \
             where user_id = $5 and id = $6 and state = 'pending' and attempts = $7",
        )
        .bind(outcome.state.name())
        .bind(outcome.next_attempt_at_ms)
        .bind(outcome.status.map(i64::from))
        .bind(outcome.answer.chars().take(MAX_ANSWER_CHARS).collect::<String>())
        .bind(&delivery.user_id.0)
        .bind(&delivery.id)
        .bind(i64::from(delivery.attempts))
        .execute(connection)
        .await?;
    });
    Ok(())
}

pub(super) fn new_delivery(
    user: &UserId,
    channel_id: &str,
    notification: &Notification,
    state: DeliveryState,
    at_ms: i64,
    now_ms: i64,
) -> Delivery {
    Delivery {
        user_id: user.clone(),
        id: uuid::Uuid::now_v7().to_string(),
        channel_id: channel_id.to_owned(),
        notification: notification.clone(),
        state,
        attempts: 0,
        created_at_ms: now_ms,
        next_attempt_at_ms: at_ms,
        last_attempt_at_ms: None,
        last_status: None,
        last_answer: None,
    }
}

/// Says whether it was not there yet.
pub(super) async fn insert(tx: &mut Tx, delivery: &Delivery) -> Result<bool, LedgerError> {
    let notification =
        serde_json::to_string(&delivery.notification).map_err(|_| LedgerError::OutOfRange("delivery.notification"))?;
    let inserted = with_tx!(tx, |connection| {
        sqlx::query(
            "insert into delivery (user_id, id, channel_id, notification, state, attempts, created_at_ms, \
             next_attempt_at_ms, last_attempt_at_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             on conflict (user_id, id) do nothing",
        )
        .bind(&delivery.user_id.0)
        .bind(&delivery.id)
        .bind(&delivery.channel_id)
        .bind(notification)
        .bind(delivery.state.name())
        .bind(i64::from(delivery.attempts))
        .bind(delivery.created_at_ms)
        .bind(delivery.next_attempt_at_ms)
        .bind(delivery.last_attempt_at_ms)
        .execute(connection)
        .await?
        .rows_affected()
    });
    Ok(inserted > 0)
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    user_id: String,
    id: String,
    channel_id: String,
    notification: String,
    state: String,
    attempts: i64,
    created_at_ms: i64,
    next_attempt_at_ms: i64,
    last_attempt_at_ms: Option<i64>,
    last_status: Option<i64>,
    last_answer: Option<String>,
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = LedgerError;

    fn try_from(row: DeliveryRow) -> Result<Self, LedgerError> {
        let wrong = LedgerError::OutOfRange;
        let status = row.last_status.map(u16::try_from).transpose();
        Ok(Self {
            user_id: UserId(row.user_id),
            id: row.id,
            channel_id: row.channel_id,
            notification: serde_json::from_str(&row.notification).map_err(|_| wrong("delivery.notification"))?,
            state: DeliveryState::parse(&row.state).ok_or(wrong("delivery.state"))?,
            attempts: u32::try_from(row.attempts).map_err(|_| wrong("delivery.attempts"))?,
            created_at_ms: row.created_at_ms,
            next_attempt_at_ms: row.next_attempt_at_ms,
            last_attempt_at_ms: row.last_attempt_at_ms,
            last_status: status.map_err(|_| wrong("delivery.last_status"))?,
            last_answer: row.last_answer,
        })
    }
}
