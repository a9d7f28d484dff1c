//! API keys: made, listed and revoked; how they are recognised is in `caller`. Only SHA-256 hashes are stored: a key has 256
//! random bits, so nobody can guess one from its hash, and a slow hash would help nobody.

use super::caller::{hash_of, stored_hash};
use super::db::{with_reader, with_tx};
use super::{Ledger, LedgerError};
use crate::domain::api_key::{ApiKey, KeyScope, KeyText, RANDOM_DIGITS};
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget, AuditTargetKind};
use crate::domain::usage::UserId;
use rand::RngExt;

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
pub(super) use key_columns;

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
        self.callers.forget_need();
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
        self.callers.forget_key(id);
        self.callers.forget_need();
        Ok(is_revoked)
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct KeyRow {
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

fn stored_scopes(scopes: &[KeyScope]) -> String {
    let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    serde_json::Value::from(names).to_string()
}
