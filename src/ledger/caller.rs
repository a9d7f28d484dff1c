//! Who calls: which key a client shows, and whether one is needed at all. Answers are kept in memory and believed for almost a
//! second, so that most calls ask nothing. While the database does not answer, they are believed on.

use super::db::{in_groups, with_call_reader, with_tx};
use super::key::{KeyRow, key_columns};
use super::token::hex;
use super::{Ledger, LedgerError};
use crate::domain::api_key::{ApiKey, KeyText};
use crate::domain::usage::UserId;
use sha2::{Digest, Sha256};
use sqlx::QueryBuilder;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long an answer is believed without asking the database. Another process may revoke a key meanwhile, so a revocation
/// holds everywhere within a second.
const BELIEVED_MS: u64 = 900;
/// At that age an answer is to be asked for anew, so that who calls all the time never has to wait for it.
const RENEWED_AFTER_MS: u64 = 450;
/// How exactly `last_used_at_ms` is kept.
const USE_NOTED_EVERY_MS: i64 = 60_000;

type KeyHash = [u8; 32];

/// What is known without asking the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<T> {
    pub what: T,
    pub reliability: Reliability,
}

/// How far something known can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reliability {
    Sure,
    /// It still holds, and is to be asked for anew.
    Due,
    /// It may hold no longer.
    Old,
}

/// What the ledger has been told of callers. Keys are known by their whole hash: nothing shorter may stand for a key.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownCallers(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    keys: HashMap<KeyHash, Believed<ApiKey>>,
    need: Option<Believed<Need>>,
}

/// Why callers have to show something.
#[derive(Clone, Copy, Debug)]
struct Need {
    has_keys: bool,
    /// The owner has a password.
    needs_login: bool,
}

#[derive(Clone, Debug)]
struct Believed<T> {
    what: T,
    since_ms: i64,
    /// Somebody has relied on it since.
    is_used: bool,
}

impl Ledger {
    /// The key that this text is, unless it is unknown or revoked or its user is shut out. While the database does not
    /// answer, keys that were recognised before still are, and all others are an error.
    pub async fn authenticate(&self, text: &KeyText, now_ms: i64) -> Result<Option<ApiKey>, LedgerError> {
        let hash = hash_of(text);
        let believed = self.callers.lock().keys.get(&hash).cloned();
        if let Some(believed) = &believed
            && believed.is_fresh(now_ms)
        {
            return Ok(Some(believed.what.clone()));
        }
        let mut key = match (self.working_keys(&[hash]).await, believed) {
            (Ok(mut found), _) => found.remove(&hash),
            (Err(_), Some(believed)) => return Ok(Some(believed.what)),
            (Err(error), None) => return Err(error),
        };
        if let Some(key) = &mut key {
            self.note_key_use(key, now_ms);
        }
        let mut book = self.callers.lock();
        match &key {
            Some(key) => book.keys.insert(hash, Believed::new(key.clone(), now_ms)),
            None => book.keys.remove(&hash),
        };
        Ok(key)
    }

    /// Whether anybody has a key that works. Without one, everyone on this machine is the owner.
    pub async fn has_keys(&self, now_ms: i64) -> Result<bool, LedgerError> {
        Ok(self.need(now_ms, |_| false).await?.has_keys)
    }

    /// Whether the owner has a password, so that everybody has to log in. Another process may set the first one; it holds
    /// here within a second. While the database does not answer, what was known before still is.
    pub async fn needs_login(&self, now_ms: i64) -> Result<bool, LedgerError> {
        // A password that is there can be changed, and never taken away.
        Ok(self.need(now_ms, |need| need.needs_login).await?.needs_login)
    }

    /// Whether calls have to show a key: there are some, or everybody has to log in.
    pub async fn needs_key(&self, now_ms: i64) -> Result<bool, LedgerError> {
        Ok(self.need(now_ms, |need| need.needs_login).await?.needs_key())
    }

    /// As [`Self::authenticate`], as far as that is known without asking.
    pub fn known_key(&self, text: &KeyText, now_ms: i64) -> Option<Known<ApiKey>> {
        self.callers.lock().keys.get_mut(&hash_of(text)).map(|believed| believed.rely_on(now_ms))
    }

    /// As [`Self::needs_key`], as far as that is known without asking.
    pub fn known_need_of_key(&self, now_ms: i64) -> Option<Known<bool>> {
        let known = self.callers.lock().need.as_mut()?.rely_on(now_ms);
        Some(Known { what: known.what.needs_key(), reliability: known.reliability })
    }

    /// Asks the database again for all that was relied on since it was last asked.
    pub async fn renew_known_callers(&self, now_ms: i64) -> Result<(), LedgerError> {
        let (is_need_used, hashes) = self.callers.lock().used();
        if is_need_used {
            let need = self.ask_need().await?;
            self.callers.lock().renew_need(need, now_ms);
        }
        for group in in_groups(&hashes) {
            let mut working = self.working_keys(group).await?;
            working.values_mut().for_each(|key| self.note_key_use(key, now_ms));
            self.callers.lock().renew_keys(group, working, now_ms);
        }
        Ok(())
    }

    /// Asks the database again whether the owner has a password.
    pub(super) fn forget_needs_login(&self) {
        self.callers.forget_need();
    }

    /// Asks the database again for every key of a user whose account has changed.
    pub(super) fn forget_keys_of(&self, user: &UserId) {
        self.callers.lock().keys.retain(|_, believed| believed.what.user_id != *user);
    }

    /// Whether this text would be taken for a key without asking the database.
    #[cfg(test)]
    pub(super) fn is_believed_for_test(&self, text: &KeyText) -> bool {
        self.callers.lock().keys.contains_key(&hash_of(text))
    }

    /// `is_final` says of an old answer that it cannot have changed.
    async fn need(&self, now_ms: i64, is_final: impl Fn(&Need) -> bool) -> Result<Need, LedgerError> {
        let believed = self.callers.lock().need.clone();
        if let Some(believed) = &believed
            && (is_final(&believed.what) || believed.is_fresh(now_ms))
        {
            return Ok(believed.what);
        }
        match (self.ask_need().await, believed) {
            (Ok(need), _) => {
                self.callers.lock().need = Some(Believed::new(need, now_ms));
                Ok(need)
            }
            (Err(_), Some(believed)) => Ok(believed.what),
            (Err(error), None) => Err(error),
        }
    }

    async fn ask_need(&self) -> Result<Need, LedgerError> {
        let (keys, passwords): (i64, i64) = with_call_reader!(&self.db, |pool| {
            sqlx::query_as(
                "select (select count(*) from api_key where revoked_at_ms is null), \
                 (select count(*) from account where user_id = $1 and password_hash is not null)",
            )
            .bind(UserId::owner().0)
            .fetch_one(pool)
            .await?
        });
        Ok(Need { has_keys: keys > 0, needs_login: passwords > 0 })
    }

    /// Those of the keys that work.
    async fn working_keys(&self, hashes: &[KeyHash]) -> Result<HashMap<KeyHash, ApiKey>, LedgerError> {
        let rows: Vec<HashedRow> = with_call_reader!(&self.db, |pool| {
            let mut select = QueryBuilder::new(concat!(
                "select hash, ",
                key_columns!(),
                " from api_key where revoked_at_ms is null and user_id not in \
                 (select user_id from account where disabled_at_ms is not null) and hash in ("
            ));
            let mut list = select.separated(", ");
            for hash in hashes {
                list.push_bind(stored_hash(hash));
            }
            select.push(")");
            select.build_query_as().fetch_all(pool).await?
        });
        let mut working = HashMap::new();
        for HashedRow { hash: stored, key } in rows {
            if let Some(hash) = hashes.iter().find(|hash| stored_hash(hash) == stored) {
                working.insert(*hash, key.try_into()?);
            }
        }
        Ok(working)
    }

    /// Once a minute at most, and beside the call: a ledger that is busy must not hold it up.
    fn note_key_use(&self, key: &mut ApiKey, now_ms: i64) {
        if key.last_used_at_ms.is_some_and(|last| now_ms.saturating_sub(last) < USE_NOTED_EVERY_MS) {
            return;
        }
        key.last_used_at_ms = Some(now_ms);
        let (ledger, key) = (self.clone(), key.clone());
        tokio::spawn(async move {
            if let Err(error) = ledger.save_key_use(&key, now_ms).await {
                tracing::warn!(%error, key_id = key.id, "the use of a key could not be noted");
            }
        });
    }

    async fn save_key_use(&self, key: &ApiKey, now_ms: i64) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        with_tx!(&mut tx, |connection| {
            sqlx::query("update api_key set last_used_at_ms = $1 where user_id = $2 and id = $3")
                .bind(now_ms)
                .bind(&key.user_id.0)
                .bind(&key.id)
                .execute(connection)
                .await?;
        });
        tx.commit().await
    }
}

impl KnownCallers {
    /// Asks the database again whether anybody needs a key.
    pub(super) fn forget_need(&self) {
        self.lock().need = None;
    }

    pub(super) fn forget_key(&self, id: &str) {
        self.lock().keys.retain(|_, believed| believed.what.id != id);
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// What was relied on since the last answer.
    fn used(&self) -> (bool, Vec<KeyHash>) {
        let keys = self.keys.iter().filter(|(_, believed)| believed.is_used).map(|(hash, _)| *hash);
        (self.need.as_ref().is_some_and(|believed| believed.is_used), keys.collect())
    }

    /// What was forgotten while the database was asked stays so: the answer may be older than the reason.
    fn renew_need(&mut self, need: Need, now_ms: i64) {
        if let Some(believed) = &mut self.need {
            *believed = Believed::new(need, now_ms);
        }
    }

    /// As [`Self::renew_need`]. Those that work no longer are forgotten.
    fn renew_keys(&mut self, asked: &[KeyHash], mut working: HashMap<KeyHash, ApiKey>, now_ms: i64) {
        for hash in asked {
            match (working.remove(hash), self.keys.get_mut(hash)) {
                (Some(key), Some(believed)) => *believed = Believed::new(key, now_ms),
                (None, Some(_)) => drop(self.keys.remove(hash)),
                (_, None) => {}
            }
        }
    }
}

impl Need {
    fn needs_key(self) -> bool {
        self.has_keys || self.needs_login
    }
}

impl<T: Clone> Believed<T> {
    fn new(what: T, since_ms: i64) -> Self {
        Self { what, since_ms, is_used: false }
    }

    fn is_fresh(&self, now_ms: i64) -> bool {
        self.age_ms(now_ms) < BELIEVED_MS
    }

    fn rely_on(&mut self, now_ms: i64) -> Known<T> {
        self.is_used = true;
        let reliability = match self.age_ms(now_ms) {
            age_ms if age_ms < RENEWED_AFTER_MS => Reliability::Sure,
            age_ms if age_ms < BELIEVED_MS => Reliability::Due,
            _ => Reliability::Old,
        };
        Known { what: self.what.clone(), reliability }
    }

    /// A clock that was set back makes nobody believe longer.
    fn age_ms(&self, now_ms: i64) -> u64 {
        now_ms.abs_diff(self.since_ms)
    }
}

#[derive(sqlx::FromRow)]
struct HashedRow {
    hash: String,
    #[sqlx(flatten)]
    key: KeyRow,
}

pub(super) fn hash_of(text: &KeyText) -> KeyHash {
    Sha256::digest(text.reveal().as_bytes()).into()
}

pub(super) fn stored_hash(hash: &KeyHash) -> String {
    hex(hash)
}
