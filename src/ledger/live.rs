//! Who listens for changes: each user's numbers have a version, which grows whenever they move.

use super::Ledger;
use crate::domain::usage::{Scope, UserId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Shared by all clones of a ledger. A scope has an entry from the first time that somebody listens.
#[derive(Clone, Debug)]
pub(super) struct Versions {
    /// Where versions begin: another number after each start, so that a page that was open before a restart sees that it
    /// may have missed something. Small enough for JavaScript's numbers.
    first: u32,
    by_user: Arc<Mutex<HashMap<Option<UserId>, watch::Sender<u64>>>>,
}

impl Default for Versions {
    fn default() -> Self {
        Self { first: rand::random(), by_user: Arc::default() }
    }
}

impl Ledger {
    /// The version of the scope's numbers, now and whenever it grows. A version says nothing but "another than before".
    pub fn follow(&self, scope: &Scope) -> watch::Receiver<u64> {
        let user = match scope {
            Scope::User(user) => Some(user.clone()),
            Scope::Everyone => None,
        };
        let mut by_user = self.versions.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        by_user.entry(user).or_insert_with(|| watch::Sender::new(self.versions.first.into())).subscribe()
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
