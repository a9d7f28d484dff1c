//! What sessions have spent within the last minute, each in a window that slides, to the second.

use super::SessionKey;
use crate::domain::money::NanoUsd;
use std::collections::{HashMap, VecDeque};

/// How long a spend counts.
const WINDOW_S: i64 = 60;
/// How many sessions are kept. Beyond, the one goes that has spent nothing for the longest time.
const MAX_SESSIONS: usize = 10_000;

/// The windows of all sessions that spent something within the last minute or two.
#[derive(Debug, Default)]
pub struct Windows {
    of_session: HashMap<SessionKey, Window>,
    /// When those were last looked for that are over.
    swept_s: i64,
}

/// Second (since 1970) and spend, the oldest first: at most one for each second of the window.
#[derive(Debug, Default)]
struct Window(VecDeque<(i64, NanoUsd)>);

impl Windows {
    /// Adds a spend, and gives what the session has spent within the minute before `at_ms`.
    pub fn add(&mut self, session: &SessionKey, cost: NanoUsd, at_ms: i64) -> NanoUsd {
        let second = at_ms.div_euclid(1_000);
        self.make_room(session, second);
        let window = self.of_session.entry(session.clone()).or_default();
        window.add(cost, second);
        window.sum()
    }

    /// What comes next is all that counts.
    pub fn begin_anew(&mut self, session: &SessionKey) {
        self.of_session.remove(session);
    }

    fn make_room(&mut self, session: &SessionKey, second: i64) {
        let is_full = self.of_session.len() >= MAX_SESSIONS && !self.of_session.contains_key(session);
        if is_full || second - self.swept_s >= WINDOW_S {
            self.swept_s = second;
            self.of_session.retain(|_, window| window.last_s() > second - WINDOW_S);
        }
        if self.of_session.len() >= MAX_SESSIONS && !self.of_session.contains_key(session) {
            let idle = self.of_session.iter().min_by_key(|(_, window)| window.last_s());
            if let Some(idle) = idle.map(|(session, _)| session.clone()) {
                self.of_session.remove(&idle);
            }
        }
    }
}

impl Window {
    fn add(&mut self, cost: NanoUsd, second: i64) {
        if self.last_s() >= second + WINDOW_S {
            // The clock was set back: when that was spent cannot be told any more.
            self.0.clear();
        }
        match self.0.back_mut() {
            // Calls end in any order within a moment.
            Some((last, sum)) if second <= *last => *sum = NanoUsd(sum.0.saturating_add(cost.0)),
            _ => self.0.push_back((second, cost)),
        }
        while self.0.front().is_some_and(|(first, _)| *first <= second - WINDOW_S) {
            self.0.pop_front();
        }
    }

    fn sum(&self) -> NanoUsd {
        NanoUsd(self.0.iter().fold(0, |sum, (_, cost)| sum.saturating_add(cost.0)))
    }

    fn last_s(&self) -> i64 {
        self.0.back().map_or(i64::MIN, |(second, _)| *second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::usage::UserId;

    const NOW_MS: i64 = 1_795_003_200_000;

    fn session(name: &str) -> SessionKey {
        SessionKey { user_id: UserId("alice".into()), session_id: name.into() }
    }

    #[test]
    fn what_was_spent_61_seconds_ago_does_not_count() {
        let mut windows = Windows::default();
        let mut add = |cents: i64, after_s: i64| {
            let cost = NanoUsd::from_cents(cents).unwrap();
            windows.add(&session("a"), cost, NOW_MS + after_s * 1_000).to_cents()
        };
        assert_eq!(add(100, 0), 100);
        assert_eq!(add(10, 59), 110, "within the minute");
        assert_eq!(add(1, 61), 11, "the first one is over");
        assert_eq!(add(1, 200), 1);
        assert_eq!(add(1, 0), 1, "a clock that was set back");
    }

    #[test]
    fn each_session_of_each_user_has_a_window_of_its_own() {
        let mut windows = Windows::default();
        let of_bob = SessionKey { user_id: UserId("bob".into()), ..session("a") };
        for session in [session("a"), session("b"), of_bob] {
            assert_eq!(windows.add(&session, NanoUsd(7), NOW_MS), NanoUsd(7));
        }
        windows.begin_anew(&session("a"));
        assert_eq!(windows.add(&session("a"), NanoUsd(1), NOW_MS), NanoUsd(1));
        assert_eq!(windows.add(&session("b"), NanoUsd(1), NOW_MS), NanoUsd(8));
    }

    #[test]
    fn many_calls_in_any_order_take_no_more_room_than_a_minute_has_seconds() {
        let mut windows = Windows::default();
        let mut sum = NanoUsd::ZERO;
        for index in 0..100_000_i64 {
            // Each ten milliseconds one, every third a little late.
            let at_ms = NOW_MS + index * 10 - if index % 3 == 0 { 700 } else { 0 };
            sum = windows.add(&session("a"), NanoUsd(1), at_ms);
        }
        assert!((5_900..=6_100).contains(&sum.0), "{sum:?}");
        assert!(windows.of_session[&session("a")].0.len() <= 60);
    }

    #[test]
    fn there_is_room_for_so_many_sessions_and_the_idlest_goes() {
        let mut windows = Windows::default();
        for index in 0..MAX_SESSIONS {
            windows.add(&session(&index.to_string()), NanoUsd(1), NOW_MS + 10_000);
        }
        windows.add(&session("5"), NanoUsd(1), NOW_MS + 20_000);
        windows.add(&session("late"), NanoUsd(1), NOW_MS + 20_000);
        assert_eq!(windows.of_session.len(), MAX_SESSIONS);
        assert_eq!(windows.add(&session("5"), NanoUsd(1), NOW_MS + 21_000), NanoUsd(3), "it was not the idlest");
        windows.add(&session("later"), NanoUsd(1), NOW_MS + 200_000);
        assert_eq!(windows.of_session.len(), 1, "old ones leave by themselves");
    }
}
