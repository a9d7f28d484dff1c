//! The words for what the recorder says of itself.

use super::{RecorderNews, ShownFigure, ShownRecorder};
use crate::app::format::{bytes, capitalised, counted, duration, moment};
use crate::domain::budget::AlertLevel::{self, Critical, Warning};
use crate::domain::period::{Zone, local_date};
use crate::domain::recorder_health::{LostCalls, RecorderHealth, SpoolFault};
use crate::http::state::AppState;

/// For so long a call that was written late is news. The card counts it on.
const NEWS_MS: i64 = 60 * 60_000;
/// From there on the ledger is behind, as `tollbridge doctor` has it.
const BEHIND_MS: u64 = 60_000;

/// What there is to say, and when and where it is said.
pub(super) struct Words {
    health: RecorderHealth,
    spool_bytes: u64,
    spool_max_bytes: u64,
    zone: Zone,
    now_ms: i64,
}

impl Words {
    pub(super) fn now(state: &AppState) -> Self {
        Self {
            health: state.recorder.health(),
            spool_bytes: state.recorder.spool_bytes(),
            spool_max_bytes: state.config.settings.recorder.spool_max_bytes,
            zone: state.ledger.time_zone(),
            now_ms: state.clock.now_ms(),
        }
    }

    pub(super) fn news(&self) -> RecorderNews {
        let reasons = [lost_reasons(&self.health.lost), refused_reason(&self.health.lost)].concat();
        RecorderNews {
            lost: (!reasons.is_empty()).then(|| format!("The figures lack {}.", reasons.join(", "))),
            late: self.is_late_news().then(|| self.late_news()),
            href: None,
        }
    }

    pub(super) fn card(&self) -> ShownRecorder {
        let (level, state) = self.state();
        let figures = vec![
            self.waiting(),
            self.oldest(),
            self.spool(),
            self.lost(),
            self.refused(),
            self.late(),
            self.last_error(),
        ];
        ShownRecorder { level, state: state.into(), figures }
    }

    /// The worst comes first.
    fn state(&self) -> (Option<AlertLevel>, &'static str) {
        let RecorderHealth { lost, spool_fault, lag_ms, .. } = &self.health;
        let states = [
            (lost.total() > lost.rejected, Critical, "Calls lost"),
            (lost.rejected > 0, Critical, "Calls refused"),
            (spool_fault.is_some(), Critical, "Kept in memory"),
            (*lag_ms > BEHIND_MS, Warning, "Behind"),
            (self.is_late_news(), Warning, "Written late"),
        ];
        let worst = states.into_iter().find(|(is_so, ..)| *is_so);
        worst.map_or((None, "Fine"), |(_, level, state)| (Some(level), state))
    }

    fn waiting(&self) -> ShownFigure {
        let remark = "finished, and not in the ledger yet";
        figure("Waiting", calls_or_none(self.health.spool_depth), remark, None)
    }

    fn oldest(&self) -> ShownFigure {
        let RecorderHealth { spool_depth, lag_ms, spool_fault, .. } = self.health;
        // How long calls wait in memory is not known.
        let (value, remark) = match spool_fault {
            _ if spool_depth == 0 => ("none".into(), ""),
            Some(_) if lag_ms == 0 => ("not known".into(), "all of them wait in memory"),
            Some(_) => (duration(lag_ms), "of those in the spool"),
            None => (duration(lag_ms), ""),
        };
        figure("Oldest waiting", value, remark, (lag_ms > BEHIND_MS).then_some(Warning))
    }

    fn spool(&self) -> ShownFigure {
        let state = match self.health.spool_fault {
            None => "can be written",
            Some(SpoolFault::Full) => "no space is left: calls wait in memory",
            Some(SpoolFault::Unavailable) => "cannot be written: calls wait in memory",
        };
        let remark = format!("of {}; {state}", bytes(self.spool_max_bytes));
        figure("Spool", bytes(self.spool_bytes), remark, self.health.spool_fault.map(|_| Critical))
    }

    fn lost(&self) -> ShownFigure {
        let lost = &self.health.lost;
        let calls = lost.total() - lost.rejected;
        figure("Lost", calls_or_none(calls), lost_reasons(lost).join(", "), (calls > 0).then_some(Critical))
    }

    fn refused(&self) -> ShownFigure {
        let calls = self.health.lost.rejected;
        let remark = if calls > 0 { "by the ledger; kept in the spool" } else { "" };
        figure("Refused", calls_or_none(calls), remark, (calls > 0).then_some(Critical))
    }

    fn late(&self) -> ShownFigure {
        let remark = self.health.last_late_at_ms.map_or_else(String::new, |at_ms| {
            format!("sent before being on disk, the last one at {}", self.moment(at_ms))
        });
        let level = self.is_late_news().then_some(Warning);
        figure("Written late", calls_or_none(self.health.late), remark, level)
    }

    fn last_error(&self) -> ShownFigure {
        let RecorderHealth { last_error, last_error_at_ms, .. } = &self.health;
        let value = last_error_at_ms.map_or_else(|| "none".into(), |at_ms| self.moment(at_ms));
        figure("Last error", value, last_error.clone().unwrap_or_default(), None)
    }

    fn is_late_news(&self) -> bool {
        self.health.last_late_at_ms.is_some_and(|at_ms| self.now_ms - at_ms < NEWS_MS)
    }

    fn late_news(&self) -> String {
        let calls = capitalised(&counted(self.health.late, "call was", "calls were"));
        let at = self.health.last_late_at_ms.map_or_else(String::new, |at_ms| self.moment(at_ms));
        format!("{calls} sent before being on disk, the last one at {at}: a crash in that moment would have lost it.")
    }

    fn moment(&self, at_ms: i64) -> String {
        moment(&self.zone.format_instant(at_ms), local_date(&self.zone, self.now_ms))
    }
}

/// How many calls nothing knows of any more, by what lost them.
fn lost_reasons(lost: &LostCalls) -> Vec<String> {
    let LostCalls { spool_full, spool_unavailable, overloaded, .. } = *lost;
    told([
        (spool_full, "because no space was left"),
        (spool_unavailable, "because the spool could not be written"),
        (overloaded, "because calls ended faster than they could be written"),
    ])
}

fn refused_reason(lost: &LostCalls) -> Vec<String> {
    told([(lost.rejected, "because the ledger refuses what they say; they are kept in the spool")])
}

fn told<const N: usize>(reasons: [(u64, &str); N]) -> Vec<String> {
    let some = reasons.into_iter().filter(|(calls, _)| *calls > 0);
    some.map(|(calls, reason)| format!("{} {reason}", counted(calls, "call", "calls"))).collect()
}

fn figure(name: &str, value: String, remark: impl Into<String>, level: Option<AlertLevel>) -> ShownFigure {
    ShownFigure { name: name.into(), value, remark: remark.into(), level }
}

fn calls_or_none(calls: u64) -> String {
    if calls == 0 { "none".into() } else { counted(calls, "call", "calls") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 09:30 UTC.
    const NOW_MS: i64 = 1_795_512_600_000;

    fn words(health: RecorderHealth) -> Words {
        Words { health, spool_bytes: 98_304, spool_max_bytes: 1 << 30, zone: Zone::UTC, now_ms: NOW_MS }
    }

    fn late_at(at_ms: i64) -> RecorderHealth {
        RecorderHealth { late: 2, last_late_at_ms: Some(at_ms), ..RecorderHealth::default() }
    }

    #[test]
    fn nothing_is_told_while_nothing_is_lost() {
        let words = words(RecorderHealth { spool_depth: 9, lag_ms: 400, ..RecorderHealth::default() });
        assert_eq!(words.news(), RecorderNews::default());
        assert_eq!(words.state(), (None, "Fine"));
    }

    #[test]
    fn each_reason_is_named_with_its_number() {
        let lost = LostCalls { spool_full: 1, rejected: 1_200, ..LostCalls::default() };
        let words = words(RecorderHealth { lost, ..RecorderHealth::default() });
        assert_eq!(
            words.news().lost.unwrap(),
            "The figures lack one call because no space was left, \
             1,200 calls because the ledger refuses what they say; they are kept in the spool."
        );
        assert_eq!(words.state(), (Some(Critical), "Calls lost"));
        assert_eq!((words.lost().value.as_str(), words.refused().value.as_str()), ("one call", "1,200 calls"));
    }

    #[test]
    fn a_call_that_was_written_late_is_news_for_an_hour_and_counted_for_good() {
        let just_now = words(late_at(NOW_MS - NEWS_MS + 1));
        assert_eq!(
            just_now.news().late.unwrap(),
            "2 calls were sent before being on disk, the last one at 08:30: a crash in that moment would have lost it."
        );
        assert_eq!(just_now.state(), (Some(Warning), "Written late"));
        let earlier = words(late_at(NOW_MS - NEWS_MS));
        assert_eq!((earlier.news().late, earlier.state()), (None, (None, "Fine")));
        assert_eq!((earlier.late().value.as_str(), earlier.late().level), ("2 calls", None));
    }

    #[test]
    fn what_is_about_to_go_wrong_is_told_as_the_state() {
        let behind = RecorderHealth { spool_depth: 3, lag_ms: 5_400_000, ..RecorderHealth::default() };
        assert_eq!(
            (words(behind.clone()).state(), words(behind.clone()).oldest().value),
            ((Some(Warning), "Behind"), "1 h 30 min".into())
        );
        let full = words(RecorderHealth { spool_fault: Some(SpoolFault::Full), ..behind });
        assert_eq!(full.state(), (Some(Critical), "Kept in memory"));
        assert_eq!(full.oldest().remark, "of those in the spool");
        let in_memory = words(RecorderHealth { lag_ms: 0, ..full.health.clone() });
        assert_eq!(in_memory.oldest().value, "not known");
        assert_eq!(full.spool().remark, "of 1.0 GB; no space is left: calls wait in memory");
    }
}
