//! Accounts and their passwords. Whatever takes access away ends the account's sessions in the same transaction.

use super::db::{Tx, with_reader, with_tx};
use super::erasure::give_up_erasure;
use super::password::StoredPassword;
use super::{Ledger, LedgerError};
use crate::domain::account::{Account, NewPassword, Role};
use crate::domain::usage::UserId;

macro_rules! account_columns {
    () => {
        "a.user_id, a.login, a.role, a.password_hash, a.created_at_ms, a.disabled_at_ms"
    };
}
pub(super) use account_columns;

impl Ledger {
    /// Everyone, the oldest account first.
    pub async fn accounts(&self) -> Result<Vec<Account>, LedgerError> {
        let rows: Vec<AccountRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select ",
                account_columns!(),
                " from account a order by a.created_at_ms, a.user_id"
            ))
            .fetch_all(pool)
            .await?
        });
        rows.into_iter().map(Account::try_from).collect()
    }

    /// Sets a password and ends the account's sessions. Says whether there is such an account.
    pub async fn set_password(&self, user: &UserId, password: &NewPassword) -> Result<bool, LedgerError> {
        let stored = self.hashing.hash(password).await?;
        let mut tx = self.db.begin().await?;
        let changed = with_tx!(&mut tx, |connection| {
            sqlx::query("update account set password_hash = $1 where user_id = $2")
                .bind(&stored.0)
                .bind(&user.0)
                .execute(connection)
                .await?
                .rows_affected()
        });
        end_sessions(&mut tx, user).await?;
        tx.commit().await?;
        self.forget_needs_login();
        Ok(changed > 0)
    }

    /// The account with this login, as [`Account::check_login`] gives it.
    pub async fn account(&self, login: &str) -> Result<Option<Account>, LedgerError> {
        self.account_row(login).await?.map(Account::try_from).transpose()
    }

    /// The account whose login and password these are, if it may be used. Takes as long when there is none.
    pub async fn check_password(&self, login: &str, password: &str) -> Result<Option<Account>, LedgerError> {
        let row = match Account::check_login(login) {
            Ok(login) => self.account_row(&login).await?,
            Err(_) => None,
        };
        let stored = row.as_ref().and_then(|row| row.password_hash.clone()).map(StoredPassword);
        let is_right = self.hashing.verify(password, stored).await?;
        let account = row.filter(|_| is_right).map(Account::try_from).transpose()?;
        Ok(account.filter(|account| account.disabled_at_ms.is_none()))
    }

    /// Gives another role. Says whether it could: the owner stays the owner, and nobody else becomes one.
    pub async fn set_role(&self, user: &UserId, role: Role) -> Result<bool, LedgerError> {
        if *user == UserId::owner() || role == Role::Owner {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        let changed = with_tx!(&mut tx, |connection| {
            sqlx::query("update account set role = $1 where user_id = $2")
                .bind(role.name())
                .bind(&user.0)
                .execute(connection)
                .await?
                .rows_affected()
        });
        end_sessions(&mut tx, user).await?;
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Shuts an account out from `disabled_at_ms` on, or lets it in again, and ends its sessions. Its keys are refused
    /// meanwhile. The owner cannot be shut out. An erasure that was broken off is given up by letting in. Says whether it
    /// could.
    pub async fn set_disabled(&self, user: &UserId, disabled_at_ms: Option<i64>) -> Result<bool, LedgerError> {
        if *user == UserId::owner() {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        let changed = with_tx!(&mut tx, |connection| {
            sqlx::query("update account set disabled_at_ms = $1 where user_id = $2")
                .bind(disabled_at_ms)
                .bind(&user.0)
                .execute(connection)
                .await?
                .rows_affected()
        });
        if disabled_at_ms.is_none() {
            give_up_erasure(&mut tx, user).await?;
        }
        end_sessions(&mut tx, user).await?;
        tx.commit().await?;
        self.forget_keys_of(user);
        Ok(changed > 0)
    }

    /// Takes an account away for good, with its sessions, and ends its keys. Its usage stays, under an id that names nobody.
    /// The owner stays. Says whether it could.
    pub async fn delete_account(&self, user: &UserId, now_ms: i64) -> Result<bool, LedgerError> {
        if *user == UserId::owner() {
            return Ok(false);
        }
        let mut tx = self.db.begin().await?;
        let deleted = with_tx!(&mut tx, |connection| {
            sqlx::query("update api_key set revoked_at_ms = $1 where user_id = $2 and revoked_at_ms is null")
                .bind(now_ms)
                .bind(&user.0)
                .execute(&mut *connection)
                .await?;
            sqlx::query("delete from account where user_id = $1")
                .bind(&user.0)
                .execute(connection)
                .await?
                .rows_affected()
        });
        end_sessions(&mut tx, user).await?;
        tx.commit().await?;
        self.forget_keys_of(user);
        Ok(deleted > 0)
    }

    async fn account_row(&self, login: &str) -> Result<Option<AccountRow>, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!("select ", account_columns!(), " from account a where a.login = $1"))
                .bind(login)
                .fetch_optional(pool)
                .await?
        }))
    }
}

async fn end_sessions(tx: &mut Tx, user: &UserId) -> Result<(), LedgerError> {
    with_tx!(tx, |connection| {
        sqlx::query("delete from web_session where user_id = $1").bind(&user.0).execute(connection).await?;
    });
    Ok(())
}

#[derive(sqlx::FromRow)]
pub(super) struct AccountRow {
    user_id: String,
    login: String,
    role: String,
    password_hash: Option<String>,
    created_at_ms: i64,
    disabled_at_ms: Option<i64>,
}

impl TryFrom<AccountRow> for Account {
    type Error = LedgerError;

    fn try_from(row: AccountRow) -> Result<Self, LedgerError> {
        Ok(Self {
            user_id: UserId(row.user_id),
            login: row.login,
            role: row.role.parse().map_err(|_| LedgerError::OutOfRange("account.role"))?,
            has_password: row.password_hash.is_some(),
            created_at_ms: row.created_at_ms,
            disabled_at_ms: row.disabled_at_ms,
        })
    }
}
