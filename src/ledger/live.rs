//! Who listens for changes: each user's numbers have a version, which grows whenever they move. Processes tell each other
//! through the table `usage_version`: whoever moves a user's numbers signs it in the same transaction, and looks there for
//! what others have signed since.

use super::db::{Tx, with_reader, with_tx};
use super::{Ledger, LedgerError};
use crate::domain::usage::{Scope, UserId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Shared by all clones of a ledger. A scope has an entry from the first time that somebody listens.
#[derive(Clone, Debug)]
pub(super) struct Versions {
    /// Where versions begin: another number after each start, so that a page that was open before a restart sees that it
    /// may have missed something. Small enough for JavaScript's numbers.
    first: u32,
    by_user: Arc<Mutex<HashMap<Option<UserId>, watch::Sender<u64>>>>,
    /// What this process signs with.
    writer: Arc<str>,
    /// The latest version in the table that was looked at.
    seen: Arc<AtomicI64>,
}

impl Default for Versions {
    fn default() -> Self {
        let writer = uuid::Uuid::now_v7().to_string().into();
        Self { first: rand::random(), by_user: Arc::default(), writer, seen: Arc::default() }
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

    /// Tells those who follow what other processes have moved: looks once a second, while anybody follows. Never ends.
    pub async fn tell_of_others(&self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            if self.is_followed()
                && let Err(error) = self.look_for_others().await
            {
                tracing::debug!(%error, "whether another process has moved numbers cannot be seen at the moment");
            }
        }
    }

    /// From here on, others' moves are news.
    pub(super) async fn begin_to_look(&self) -> Result<(), LedgerError> {
        let latest: i64 = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select cast(coalesce(max(version), 0) as bigint) from usage_version")
                .fetch_one(pool)
                .await?
        });
        self.versions.seen.store(latest, Ordering::Relaxed);
        Ok(())
    }

    /// Signs that these users' numbers move with this transaction. Call it with the writers' queue held, so that versions
    /// become visible in their order.
    pub(super) async fn sign_moved(&self, tx: &mut Tx, users: &[&UserId]) -> Result<(), LedgerError> {
        for user in users {
            with_tx!(tx, |connection| {
                sqlx::query(
                    "insert into usage_version (user_id, version, writer) \
                     select $1, cast(coalesce(max(version), 0) + 1 as bigint), $2 from usage_version where true \
                     on conflict (user_id) do update set version = excluded.version, writer = excluded.writer",
                )
                .bind(&user.0)
                .bind(&*self.versions.writer)
                .execute(connection)
                .await?;
            });
        }
        Ok(())
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

    fn is_followed(&self) -> bool {
        let by_user = self.versions.by_user.lock().unwrap_or_else(PoisonError::into_inner);
        by_user.values().any(|version| version.receiver_count() > 0)
    }

    /// A user whom another process moved before this one did is not told again: that was told with our own move.
    async fn look_for_others(&self) -> Result<(), LedgerError> {
        let seen = self.versions.seen.load(Ordering::Relaxed);
        let moved: Vec<(String, i64, String)> = with_reader!(&self.db, |pool| {
            sqlx::query_as("select user_id, version, writer from usage_version where version > $1 order by version")
                .bind(seen)
                .fetch_all(pool)
                .await?
        });
        let Some((_, latest, _)) = moved.last() else { return Ok(()) };
        self.versions.seen.store(*latest, Ordering::Relaxed);
        let of_others = moved.into_iter().filter(|(_, _, writer)| **writer != *self.versions.writer);
        let users: Vec<UserId> = of_others.map(|(user, _, _)| UserId(user)).collect();
        self.note_moved(&users);
        Ok(())
    }
}
