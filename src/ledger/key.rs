//! API keys: made, listed, revoked, and recognised when a client shows one. Only SHA-256 hashes are stored: a key has 256
//! random bits, so nobody can guess one from its hash, and a slow hash would help nobody.

use super::db::{with_reader, with_tx};
use super::token::hex;
use super::{Ledger, LedgerError};
use crate::domain::api_key::{ApiKey, KeyScope, KeyText, RANDOM_DIGITS};
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget, AuditTargetKind};
use crate::domain::usage::UserId;
use rand::RngExt;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a recognised key is believed without asking the database. Another process may revoke it meanwhile, so a
/// revocation holds everywhere within a second.
const BELIEVED_MS: u64 = 900;
/// How exactly `last_used_at_ms` is kept.
const USE_NOTED_EVERY_MS: i64 = 60_000;

type KeyHash = [u8; 32];

/// Recognised keys by their whole hash: nothing shorter may stand for a key.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyCache(Arc<Mutex<Cached>>);

#[derive(Debug, Default)]
struct Cached {
    keys: HashMap<KeyHash, Believed<ApiKey>>,
    has_any: Option<Believed<bool>>,
    needs_login: Option<Believed<bool>>,
}

#[derive(Clone, Debug)]
struct Believed<T> {
    what: T,
    since_ms: i64,
}

/// A new key with its text, which nobody can show again.
#[derive(Clone, Debug)]
pub struct CreatedKey {
    pub key: ApiKey,
    pub text: KeyText,
}

macro_rules! key_columns {
    () => {
        "user_id, id, name, prefix, last4, scopes, created_at_ms, last_used_at_ms, revoked_at_ms"
    };
}

impl Ledger {
    /// Makes a key for a user.
    pub async fn create_key(
        &self,
        user: &UserId,
        name: &str,
        scopes: &[KeyScope],
        actor: &Actor,
        now_ms: i64,
    ) -> Result<CreatedKey, LedgerError> {
        let text = random_key();
        let key = ApiKey {
            id: uuid::Uuid::now_v7().to_string(),
            user_id: user.clone(),
            name: name.to_owned(),
            prefix: text.shown_prefix().to_owned(),
            last4: text.last4().to_owned(),
            scopes: scopes.to_vec(),
            created_at_ms: now_ms,
            last_used_at_ms: None,
            revoked_at_ms: None,
        };
        let mut change = self.begin_change(actor, now_ms).await?;
        with_tx!(change.tx(), |connection| {
            sqlx::query(
                "insert into api_key (user_id, id, name, hash, prefix, last4, scopes, created_at_ms) \
                 values ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(&user.0)
            .bind(&key.id)
            .bind(&key.name)
            .bind(stored_hash(&hash_of(&text)))
            .bind(&key.prefix)
            .bind(&key.last4)
            .bind(stored_scopes(scopes))
            .bind(now_ms)
            .execute(connection)
            .await?;
        });
        let target = AuditTarget::new(AuditTargetKind::Key, &*key.id, name);
        let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
        let detail = format!("{} ({})", key.shown(), names.join(", "));
        change.commit(AuditNote::new(AuditAction::KeyCreated, target, detail)).await?;
        self.key_cache.lock().has_any = None;
        Ok(CreatedKey { key, text })
    }

    /// The user's keys, revoked ones too, the newest first.
    pub async fn keys(&self, user: &UserId) -> Result<Vec<ApiKey>, LedgerError> {
        let rows: Vec<KeyRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select ",
                key_columns!(),
                " from api_key where user_id = $1 order by created_at_ms desc, id desc"
            ))
            .bind(&user.0)
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// Ends a key of the user. Says whether there was such a key that still worked.
    pub async fn revoke_key(&self, user: &UserId, id: &str, actor: &Actor, now_ms: i64) -> Result<bool, LedgerError> {
        let mut change = self.begin_change(actor, now_ms).await?;
        let name: Option<String> = with_tx!(change.tx(), |connection| {
            sqlx::query_scalar(
                "update api_key set revoked_at_ms = $1 where user_id = $2 and id = $3 and revoked_at_ms is null \
                 returning name",
            )
            .bind(now_ms)
            .bind(&user.0)
            .bind(id)
            .fetch_optional(connection)
            .await?
        });
        let is_revoked = match name {
            Some(name) => {
                let target = AuditTarget::new(AuditTargetKind::Key, id, name);
                change.commit(AuditNote::new(AuditAction::KeyRevoked, target, "")).await?;
                true
            }
            None => false,
        };
        let mut cached = self.key_cache.lock();
        cached.keys.retain(|_, believed| believed.what.id != id);
        cached.has_any = None;
        Ok(is_revoked)
    }

    /// The key that this text is, unless it is unknown or revoked or its user is shut out. While the database does not
    /// answer, keys that were recognised before still are, and all others are an error.
    pub async fn authenticate(&self, text: &KeyText, now_ms: i64) -> Result<Option<ApiKey>, LedgerError> {
        let hash = hash_of(text);
        let believed = self.key_cache.lock().keys.get(&hash).cloned();
        if let Some(believed) = &believed
            && believed.is_fresh(now_ms)
        {
            return Ok(Some(believed.what.clone()));
        }
        let mut key = match (self.working_key(&hash).await, believed) {
            (Ok(found), _) => found,
            (Err(_), Some(believed)) => return Ok(Some(believed.what)),
            (Err(error), None) => return Err(error),
        };
        if let Some(key) = &mut key {
            self.note_key_use(key, now_ms);
        }
        let mut cached = self.key_cache.lock();
        match &key {
            Some(key) => cached.keys.insert(hash, Believed { what: key.clone(), since_ms: now_ms }),
            None => cached.keys.remove(&hash),
        };
        Ok(key)
    }

    /// Whether anybody has a key that works. Without one, everyone on this machine is the owner.
    pub async fn has_keys(&self, now_ms: i64) -> Result<bool, LedgerError> {
        let believed = self.key_cache.lock().has_any.clone();
        if let Some(believed) = &believed
            && believed.is_fresh(now_ms)
        {
            return Ok(believed.what);
        }
        let counted: Result<i64, sqlx::Error> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select count(*) from api_key where revoked_at_ms is null").fetch_one(pool).await
        });
        match (counted, believed) {
            (Ok(count), _) => {
                let has_any = count > 0;
                self.key_cache.lock().has_any = Some(Believed { what: has_any, since_ms: now_ms });
                Ok(has_any)
            }
            (Err(_), Some(believed)) => Ok(believed.what),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Whether the owner has a password, so that everybody has to log in. Another process may set the first one; it holds
    /// here within a second. While the database does not answer, what was known before still is.
    pub async fn needs_login(&self, now_ms: i64) -> Result<bool, LedgerError> {
        let believed = self.key_cache.lock().needs_login.clone();
        if let Some(believed) = &believed
            && (believed.what || believed.is_fresh(now_ms))
        {
            // A password that is there can be changed, and never taken away.
            return Ok(believed.what);
        }
        let counted: Result<i64, sqlx::Error> = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select count(*) from account where user_id = $1 and password_hash is not null")
                .bind(UserId::owner().0)
                .fetch_one(pool)
                .await
        });
        match (counted, believed) {
            (Ok(count), _) => {
                let needs_login = count > 0;
                self.key_cache.lock().needs_login = Some(Believed { what: needs_login, since_ms: now_ms });
                Ok(needs_login)
            }
            (Err(_), Some(believed)) => Ok(believed.what),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Asks the database again whether the owner has a password.
    pub(super) fn forget_needs_login(&self) {
        self.key_cache.lock().needs_login = None;
    }

    /// Asks the database again for every key of a user whose account has changed.
    pub(super) fn forget_keys_of(&self, user: &UserId) {
        self.key_cache.lock().keys.retain(|_, believed| believed.what.user_id != *user);
    }

    /// Whether this text would be taken for a key without asking the database.
    #[cfg(test)]
    pub(super) fn is_believed_for_test(&self, text: &KeyText) -> bool {
        self.key_cache.lock().keys.contains_key(&hash_of(text))
    }

    async fn working_key(&self, hash: &KeyHash) -> Result<Option<ApiKey>, LedgerError> {
        let row: Option<KeyRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select ",
                key_columns!(),
                " from api_key where hash = $1 and revoked_at_ms is null and user_id not in \
                 (select user_id from account where disabled_at_ms is not null)"
            ))
            .bind(stored_hash(hash))
            .fetch_optional(pool)
            .await?
        });
        row.map(ApiKey::try_from).transpose()
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

impl KeyCache {
    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Believed<T> {
    fn is_fresh(&self, now_ms: i64) -> bool {
        now_ms.abs_diff(self.since_ms) < BELIEVED_MS
    }
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    user_id: String,
    id: String,
    name: String,
    prefix: String,
    last4: String,
    scopes: String,
    created_at_ms: i64,
    last_used_at_ms: Option<i64>,
    revoked_at_ms: Option<i64>,
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = LedgerError;

    fn try_from(row: KeyRow) -> Result<Self, LedgerError> {
        Ok(Self {
            id: row.id,
            user_id: UserId(row.user_id),
            name: row.name,
            prefix: row.prefix,
            last4: row.last4,
            scopes: serde_json::from_str(&row.scopes).map_err(|_| LedgerError::OutOfRange("api_key.scopes"))?,
            created_at_ms: row.created_at_ms,
            last_used_at_ms: row.last_used_at_ms,
            revoked_at_ms: row.revoked_at_ms,
        })
    }
}

fn random_key() -> KeyText {
    let mut random = rand::rng();
    let digits: [u8; RANDOM_DIGITS] = std::array::from_fn(|_| random.random_range(0..62));
    KeyText::from_digits(digits)
}

fn hash_of(text: &KeyText) -> KeyHash {
    Sha256::digest(text.reveal().as_bytes()).into()
}

fn stored_hash(hash: &KeyHash) -> String {
    hex(hash)
}

fn stored_scopes(scopes: &[KeyScope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    serde_json::Value::from(names).to_string()
}
