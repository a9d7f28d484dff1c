//! One message on its way to one channel: its states, and when it is tried again. The outbox is `ledger::delivery`, the
//! sending `watch::notify`.

use super::notification::Notification;
use super::usage::UserId;
use serde::{Deserialize, Serialize};

/// How long to wait before each attempt, from the one before (standardwebhooks.com, "Deliverability and reliability").
const WAITS_MS: [i64; 10] =
    [0, 5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// A receiver that asks for more time than this gets no more.
const LONGEST_WAIT_MS: i64 = 24 * HOUR;
/// A wait is made longer by up to a tenth, so that what failed together does not come back together.
const JITTER_PERMILLE: i64 = 100;

/// What the receiver said, as far as it is kept.
pub const MAX_ANSWER_CHARS: usize = 500;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    pub user_id: UserId,
    /// The same for every attempt, so that a receiver can tell a repetition.
    pub id: String,
    pub channel_id: String,
    pub notification: Notification,
    pub state: DeliveryState,
    /// Attempts that were begun.
    pub attempts: u32,
    pub created_at_ms: i64,
    /// When it is tried next, while it is pending.
    pub next_attempt_at_ms: i64,
    pub last_attempt_at_ms: Option<i64>,
    /// HTTP's or SMTP's; none if there was no answer.
    pub last_status: Option<u16>,
    /// The beginning of the answer, or why there was none.
    pub last_answer: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits to be part of a digest.
    Held,
    Pending,
    Delivered,
    /// Became part of a digest, which is a delivery of its own.
    Gathered,
    /// Given up after the last attempt. It can be sent again by hand.
    Dead,
}

impl Delivery {
    /// Whether it is still to be sent, by itself or in a digest.
    pub fn waits(&self) -> bool {
        matches!(self.state, DeliveryState::Pending | DeliveryState::Held)
    }
}

impl DeliveryState {
    pub const ALL: [Self; 5] = [Self::Held, Self::Pending, Self::Delivered, Self::Gathered, Self::Dead];

    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Gathered => "gathered",
            Self::Dead => "dead",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// When to try again after `attempts` attempts have failed, in milliseconds from now; none after the last one.
/// `jitter` is any number: it chooses how much longer the wait is made. `asked_ms` is what the receiver asked for
/// (`Retry-After`).
pub fn wait_after(attempts: u32, jitter: u32, asked_ms: Option<i64>) -> Option<i64> {
    let wait_ms = *WAITS_MS.get(attempts as usize)?;
    let longer_ms = wait_ms / 1_000 * (i64::from(jitter) % (JITTER_PERMILLE + 1));
    let asked_ms = asked_ms.unwrap_or(0).clamp(0, LONGEST_WAIT_MS);
    Some((wait_ms + longer_ms).max(asked_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_in_about_three_days_and_then_no_more() {
        let waits: Vec<Option<i64>> = (0..11).map(|attempts| wait_after(attempts, 0, None)).collect();
        assert_eq!(waits[..4], [Some(0), Some(5_000), Some(300_000), Some(1_800_000)]);
        assert_eq!(waits[9], Some(86_400_000));
        assert_eq!(waits[10], None);
        let total_ms: i64 = waits.iter().flatten().sum();
        assert_eq!(total_ms / HOUR, 75);
    }

    #[test]
    fn a_wait_gets_at_most_a_tenth_longer() {
        for jitter in [0, 1, 50, 100, 101, 12_345, u32::MAX] {
            let wait_ms = wait_after(2, jitter, None).unwrap();
            assert!((300_000..=330_000).contains(&wait_ms), "{jitter}: {wait_ms}");
        }
        assert_eq!(wait_after(2, 100, None), Some(330_000));
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_but_not_for_ever() {
        assert_eq!(wait_after(1, 0, Some(60_000)), Some(60_000));
        assert_eq!(wait_after(2, 0, Some(1_000)), Some(300_000));
        assert_eq!(wait_after(1, 0, Some(i64::MAX)), Some(LONGEST_WAIT_MS));
        assert_eq!(wait_after(1, 0, Some(-5)), Some(5_000));
    }

    #[test]
    fn states_are_read_as_they_are_written() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::parse(state.name()), Some(state));
        }
        assert_eq!(DeliveryState::parse("lost"), None);
    }
}
