//! How an alert leaves the house: from the outbox (`ledger::delivery`) to webhooks, Slack, Discord and mail, at least once.
//! Each kind of channel has its own file, which turns a [`Notification`] into a message and no more; all of them reach the
//! network through [`outbound`]. What is worth telling is decided elsewhere.

pub mod blocklist;
mod discord;
mod http_post;
pub mod mail;
pub mod outbound;
mod slack;
#[cfg(test)]
mod tests;
pub mod webhook;

use self::mail::MailError;
use self::outbound::Outbound;
use crate::domain::audit::Actor;
use crate::domain::channel::{Channel, Target};
use crate::domain::delivery::{Delivery, DeliveryState, MAX_ANSWER_CHARS, wait_after};
use crate::domain::notification::Notification;
use crate::domain::period::DAY_MS;
use crate::domain::query::QueryError;
use crate::ledger::{DueDelivery, Ledger, LedgerError, Outcome};
use futures::future::join_all;
use std::sync::Arc;
use std::time::Duration;

/// An attempt takes no longer, whatever the receiver does.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(15);
/// Nothing more of an answer is read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Attempts that run beside each other.
const AT_ONCE: u32 = 16;
/// How often the outbox is looked at. The question is one step in an index.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the log of deliveries reaches back.
const LOG_DAYS: i64 = 90;
/// The receiver is gone for good and asks for nothing more (HTTP).
const GONE: u16 = 410;

/// Sends notifications. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    outbound: Outbound,
    /// Where the dashboard is, without a slash at its end: links lead there.
    dashboard_url: Arc<str>,
    attempt_within: Duration,
}

/// What a receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's or SMTP's; none if there was no answer.
    pub status: Option<u16>,
    /// Its text, or why there was none.
    pub text: String,
    /// How long it asked to be left alone.
    pub retry_after_ms: Option<i64>,
}

impl Notifier {
    /// Sends through `outbound`; links in messages lead to the dashboard's address.
    pub fn new(outbound: Outbound, dashboard_url: &str) -> Self {
        Self { outbound, dashboard_url: dashboard_url.trim_end_matches('/').into(), attempt_within: ATTEMPT_WITHIN }
    }

    /// Whether a channel's address can be used at all with this configuration. Where it leads is checked with each attempt.
    ///
    /// # Errors
    /// Names the field as the API does.
    pub fn check(&self, channel: &Channel) -> Result<(), QueryError> {
        match &channel.target {
            Target::Webhook { url, signing_secrets } => {
                http_post::check_url(&self.outbound, url).map_err(|error| QueryError::new("url", error.to_string()))?;
                webhook::check_secrets(signing_secrets).map_err(|error| QueryError::new("url", error.to_string()))
            }
            Target::Slack { url } | Target::Discord { url } => {
                http_post::check_url(&self.outbound, url).map_err(|error| QueryError::new("url", error.to_string()))
            }
            Target::Email(target) => mail::check(target),
        }
    }

    /// Sends one message now, whatever the channel is set to take, and gives what the receiver said. The log keeps it too.
    ///
    /// # Errors
    /// The ledger cannot be reached.
    pub async fn send_test(&self, ledger: &Ledger, channel: &Channel, now_ms: i64) -> Result<Answer, LedgerError> {
        let notification = Notification::test(&channel.name, now_ms).trimmed();
        let id = uuid::Uuid::now_v7().to_string();
        let answer = self.attempt(channel, &id, &notification, now_ms).await;
        let state = if answer.is_success() { DeliveryState::Delivered } else { DeliveryState::Dead };
        let outcome = Outcome { state, next_attempt_at_ms: now_ms, status: answer.status, answer: answer.excerpt() };
        ledger.log_test(channel, &notification, &outcome, now_ms).await?;
        Ok(answer)
    }

    /// Sends what is due, each by one attempt, and writes down how it ended. Gives how many were tried.
    ///
    /// # Errors
    /// The ledger cannot be reached. What was sent and could not be written down is sent again.
    pub async fn deliver_due(&self, ledger: &Ledger, now_ms: i64) -> Result<usize, LedgerError> {
        let due = ledger.take_due(now_ms, AT_ONCE).await?;
        let delivered = join_all(due.iter().map(|due| self.deliver(ledger, due, now_ms))).await;
        delivered.into_iter().collect::<Result<Vec<()>, LedgerError>>().map(|tried| tried.len())
    }

    /// Delivers what comes, until it is dropped. An attempt that is cut off then is repeated by whoever comes next.
    pub async fn run(self, ledger: Ledger, now_ms: impl Fn() -> i64) {
        let mut forgotten_at_ms = 0;
        loop {
            if now_ms() - forgotten_at_ms > DAY_MS {
                forgotten_at_ms = now_ms();
                let before_ms = forgotten_at_ms - LOG_DAYS * DAY_MS;
                if let Err(error) = ledger.forget_deliveries(before_ms).await {
                    tracing::warn!(%error, "old deliveries could not be forgotten");
                }
            }
            if let Err(error) = self.deliver_all_due(&ledger, &now_ms).await {
                tracing::warn!(%error, "notifications wait: the ledger does not answer");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn deliver_all_due(&self, ledger: &Ledger, now_ms: &impl Fn() -> i64) -> Result<(), LedgerError> {
        ledger.gather_digests(now_ms()).await?;
        // Asked of the readers first: looking must not take the write lock.
        while ledger.next_delivery_at_ms().await?.is_some_and(|at_ms| at_ms <= now_ms()) {
            if self.deliver_due(ledger, now_ms()).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn deliver(&self, ledger: &Ledger, due: &DueDelivery, now_ms: i64) -> Result<(), LedgerError> {
        let DueDelivery { channel, delivery } = due;
        let answer = self.attempt(channel, &delivery.id, &delivery.notification, now_ms).await;
        let is_gone = answer.status == Some(GONE) && !matches!(channel.target, Target::Email(_));
        let outcome = outcome_of(&answer, is_gone, due, now_ms);
        log(delivery, &outcome);
        ledger.record_outcome(delivery, &outcome).await?;
        if is_gone {
            let reason = "the receiver answered 410 Gone";
            ledger.disable_channel(&channel.user_id, &channel.id, reason, &Actor::server(), now_ms).await?;
        }
        Ok(())
    }

    /// One attempt. Whatever goes wrong is an answer without a status.
    async fn attempt(&self, channel: &Channel, id: &str, notification: &Notification, now_ms: i64) -> Answer {
        let link = notification.link.as_ref().map(|path| format!("{}{path}", self.dashboard_url));
        let sent = self.send(&channel.target, id, notification, link.as_deref(), now_ms);
        match tokio::time::timeout(self.attempt_within, sent).await {
            Ok(answer) => answer,
            Err(_) => {
                Answer::none(format!("the receiver did not answer within {} seconds", self.attempt_within.as_secs()))
            }
        }
    }

    async fn send(
        &self,
        target: &Target,
        id: &str,
        notification: &Notification,
        link: Option<&str>,
        now_ms: i64,
    ) -> Answer {
        let posted = match target {
            Target::Webhook { url, signing_secrets } => {
                let body = webhook::body(notification, link);
                let headers = match webhook::headers(id, now_ms, &body, signing_secrets) {
                    Ok(headers) => headers,
                    Err(error) => return Answer::none(error.to_string()),
                };
                http_post::post_json(&self.outbound, url, headers, body).await
            }
            Target::Slack { url } => {
                http_post::post_json(&self.outbound, url, Vec::new(), slack::body(notification, link)).await
            }
            Target::Discord { url } => {
                http_post::post_json(&self.outbound, url, Vec::new(), discord::body(notification, link)).await
            }
            Target::Email(target) => {
                let sent = mail::send(&self.outbound, target, id, notification, link, now_ms).await;
                return sent.unwrap_or_else(MailError::into_answer);
            }
        };
        posted.unwrap_or_else(|error| Answer::none(error.to_string()))
    }
}

impl Answer {
    /// Whether the message was taken: HTTP's and SMTP's 2xx.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// What is shown and kept of it.
    pub fn excerpt(&self) -> String {
        let is_redirect = self.status.is_some_and(|status| (300..400).contains(&status));
        let text = if is_redirect { "redirects are not followed" } else { self.text.trim() };
        let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        shown.take(MAX_ANSWER_CHARS).collect()
    }

    fn none(why: impl Into<String>) -> Self {
        Self { status: None, text: why.into(), retry_after_ms: None }
    }
}

fn outcome_of(answer: &Answer, is_gone: bool, due: &DueDelivery, now_ms: i64) -> Outcome {
    let wait_ms = wait_after(due.delivery.attempts, rand::random(), answer.retry_after_ms);
    let (state, next_attempt_at_ms) = match wait_ms {
        _ if answer.is_success() => (DeliveryState::Delivered, now_ms),
        Some(wait_ms) if !is_gone => {
            // What was not delivered in the evening must not come at night.
            (DeliveryState::Pending, due.channel.not_in_quiet_hours(due.delivery.notification.level, now_ms + wait_ms))
        }
        _ => (DeliveryState::Dead, now_ms),
    };
    Outcome { state, next_attempt_at_ms, status: answer.status, answer: answer.excerpt() }
}

/// Without the answer's text, which is the receiver's and may hold anything.
fn log(delivery: &Delivery, outcome: &Outcome) {
    let (delivery_id, channel_id, attempts) = (&delivery.id, &delivery.channel_id, delivery.attempts);
    let status = outcome.status;
    match outcome.state {
        DeliveryState::Delivered => {
            tracing::debug!(delivery_id, channel_id, attempts, status, "a notification was sent")
        }
        DeliveryState::Dead => {
            tracing::warn!(delivery_id, channel_id, attempts, status, "a notification was given up")
        }
        _ => tracing::info!(delivery_id, channel_id, attempts, status, "a notification could not be sent yet"),
    }
}
