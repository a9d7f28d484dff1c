//! Who listens for changes: each user's numbers have a version, which grows whenever they move.

use super::Ledger;
use crate::domain::usage::{Scope, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::watch;

/// Shared by all clones of a ledger. A scope has an entry from the first time that somebody listens.
#[derive(Clone, Debug)]
pub(super) struct Versions {
    /// The version of whom nobody has listened to yet. Milliseconds since 1970, so that versions go on growing after a
    /// restart and a page that was open before it sees that it may have missed something.
    first: u64,
    by_user: Arc<Mutex<HashMap<Option<UserId>, watch::Sender<u64>>>>,
}

impl Default for Versions {
    fn default() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { first: u64::try_from(since_epoch.as_millis()).unwrap_or_default(), by_user: Arc::default() }
    }
}

impl Ledger {
    /// The version of the scope's numbers, now and whenever it grows. A version says nothing but "newer than before".
    pub fn follow(&self, scope: &Scope) -> watch::Receiver<u64> {
        let user = match scope {
            Scope::User(user) => Some(user.clone()),
            Scope::Everyone => None,
        };
        let mut by_user = self.versions.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        by_user.entry(user).or_insert_with(|| watch::Sender::new(self.versions.first)).subscribe()
    }

    /// Says that these users' numbers moved. Call it when the change is on disk.
    pub(super) fn note_moved<'a>(&self, users: impl IntoIterator<Item = &'a UserId>) {
        let by_user = self.versions.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        let mut has_moved = false;
        for user in users {
            has_moved = true;
            by_user.get(&Some(user.clone())).inspect(|version| version.send_modify(|version| *version += 1));
        }
        if has_moved {
            by_user.get(&None).inspect(|version| version.send_modify(|version| *version += 1));
        }
    }
}
