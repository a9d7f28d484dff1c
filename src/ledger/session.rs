//! Sessions of the dashboard: opened at login, each with an id of its own, over after half an hour without use or after
//! eight hours.

use super::account::{AccountRow, account_columns};
use super::db::{with_reader, with_tx};
use super::token::Token;
use super::{Ledger, LedgerError};
use crate::domain::account::Account;
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget};
use crate::domain::usage::UserId;

const IDLE_MS: i64 = 30 * 60_000;
const LASTS_MS: i64 = 8 * 60 * 60_000;
/// For so long after logging in nobody is asked for the password again.
const FRESH_MS: i64 = 5 * 60_000;
/// How exactly the last use is kept.
const USE_NOTED_EVERY_MS: i64 = 60_000;

impl Ledger {
    /// Opens a session for a user who has shown who they are: a login. Clears away the sessions that are over.
    pub async fn open_session(&self, user: &UserId, actor: &Actor, now_ms: i64) -> Result<Token, LedgerError> {
        let token = Token::random();
        let logged_in = actor.logged_in_as(user);
        let mut change = self.begin_change(&logged_in, now_ms).await?;
        let login: Option<String> = with_tx!(change.tx(), |connection| {
            sqlx::query("delete from web_session where expires_at_ms <= $1 or last_seen_at_ms <= $2")
                .bind(now_ms)
                .bind(now_ms - IDLE_MS)
                .execute(&mut *connection)
                .await?;
            sqlx::query(
                "insert into web_session (user_id, hash, created_at_ms, last_seen_at_ms, expires_at_ms) \
                 values ($1, $2, $3, $3, $4)",
            )
            .bind(&user.0)
            .bind(token.stored_hash())
            .bind(now_ms)
            .bind(now_ms + LASTS_MS)
            .execute(&mut *connection)
            .await?;
            sqlx::query_scalar("select login from account where user_id = $1")
                .bind(&user.0)
                .fetch_optional(connection)
                .await?
        });
        let target = AuditTarget::user(user, login.unwrap_or_default());
        change.commit(AuditNote::new(AuditAction::Login, target, "")).await?;
        Ok(token)
    }

    /// Whose session it is, if it still holds and the account may be used. Asking is using it.
    pub async fn session_account(&self, token: &Token, now_ms: i64) -> Result<Option<Account>, LedgerError> {
        let Some(found) = self.session_row(token, now_ms).await? else { return Ok(None) };
        if now_ms - found.last_seen_at_ms >= USE_NOTED_EVERY_MS {
            self.note_session_use(token, now_ms).await?;
        }
        Account::try_from(found.account).map(Some)
    }

    /// As [`Self::session_account`], for what a page does by itself: it keeps no session alive.
    pub async fn peek_session(&self, token: &Token, now_ms: i64) -> Result<Option<Account>, LedgerError> {
        let found = self.session_row(token, now_ms).await?;
        found.map(|found| Account::try_from(found.account)).transpose()
    }

    /// Whether the session was opened so recently that who it is of has just shown the password.
    pub async fn is_fresh_session(&self, token: &Token, now_ms: i64) -> Result<bool, LedgerError> {
        let found: i64 = with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select count(*) from web_session where hash = $1 and created_at_ms > $2")
                .bind(token.stored_hash())
                .bind(now_ms - FRESH_MS)
                .fetch_one(pool)
                .await?
        });
        Ok(found > 0)
    }

    /// Ends one session: logging out. Of one that is over already nothing is to be told.
    pub async fn end_session(&self, token: &Token, actor: &Actor, now_ms: i64) -> Result<(), LedgerError> {
        let Some(found) = self.session_row(token, now_ms).await? else { return Ok(()) };
        let account = Account::try_from(found.account)?;
        let who = actor.logged_in_as(&account.user_id);
        let mut change = self.begin_change(&who, now_ms).await?;
        let ended = with_tx!(change.tx(), |connection| {
            sqlx::query("delete from web_session where hash = $1")
                .bind(token.stored_hash())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if ended == 0 {
            return Ok(());
        }
        let target = AuditTarget::user(&account.user_id, account.login);
        change.commit(AuditNote::new(AuditAction::Logout, target, "")).await
    }

    async fn session_row(&self, token: &Token, now_ms: i64) -> Result<Option<SessionRow>, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select s.last_seen_at_ms, ",
                account_columns!(),
                " from web_session s join account a on a.user_id = s.user_id where s.hash = $1 and \
                 s.expires_at_ms > $2 and s.last_seen_at_ms > $3 and a.disabled_at_ms is null"
            ))
            .bind(token.stored_hash())
            .bind(now_ms)
            .bind(now_ms - IDLE_MS)
            .fetch_optional(pool)
            .await?
        }))
    }

    async fn note_session_use(&self, token: &Token, now_ms: i64) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        with_tx!(&mut tx, |connection| {
            sqlx::query("update web_session set last_seen_at_ms = $1 where hash = $2")
                .bind(now_ms)
                .bind(token.stored_hash())
                .execute(connection)
                .await?;
        });
        tx.commit().await
    }
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    last_seen_at_ms: i64,
    #[sqlx(flatten)]
    account: AccountRow,
}
