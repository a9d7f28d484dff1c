//! A session that spent too fast and was paused, and who let it go on. What is too fast is told by `capture::gateway`;
//! `ledger::pause` keeps it.

use super::money::NanoUsd;
use super::usage::UserId;

/// One pause of one session. It holds until somebody resumes the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPause {
    pub id: String,
    pub user_id: UserId,
    pub session_id: String,
    /// UTC milliseconds.
    pub paused_at_ms: i64,
    /// What its calls cost that ended within a minute.
    pub spent: NanoUsd,
    /// What they may cost within a minute.
    pub limit: NanoUsd,
    pub resumed: Option<Resumption>,
}

/// Who let a session go on, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumption {
    /// UTC milliseconds.
    pub at_ms: i64,
    pub by: UserId,
}

impl SessionPause {
    /// Which session, how much, and how much it may: one sentence.
    pub fn message(&self) -> String {
        format!("Session {} spent {} within a minute; its limit is {}.", self.session_id, self.spent, self.limit)
    }
}
