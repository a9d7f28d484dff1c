//! Invitations: a link that makes one account, once, within a week.

use super::db::{Tx, with_tx};
use super::password::StoredPassword;
use super::token::Token;
use super::{Ledger, LedgerError};
use crate::domain::account::{Account, NewPassword, Role};
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget, AuditTargetKind};
use crate::domain::usage::UserId;

const LASTS_MS: i64 = 7 * 24 * 60 * 60_000;

/// What became of an invitation that somebody took up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    Account(Account),
    /// Unknown, over, or used before.
    InviteIsOver,
    /// Another account has this login. The invitation still holds.
    LoginIsTaken,
}

impl Ledger {
    /// Makes an invitation; its token is for the link.
    pub async fn create_invite(&self, role: Role, actor: &Actor, now_ms: i64) -> Result<Token, LedgerError> {
        let token = Token::random();
        let mut change = self.begin_change(actor, now_ms).await?;
        with_tx!(change.tx(), |connection| {
            sqlx::query(
                "insert into invite (hash, role, created_by, created_at_ms, expires_at_ms) values ($1, $2, $3, $4, $5)",
            )
            .bind(token.stored_hash())
            .bind(role.name())
            // Whoever has no account acts on the owner's machine.
            .bind(&actor.user_id().unwrap_or(&UserId::owner()).0)
            .bind(now_ms)
            .bind(now_ms + LASTS_MS)
            .execute(connection)
            .await?;
        });
        let target = AuditTarget::new(AuditTargetKind::Invitation, "", "");
        change.commit(AuditNote::new(AuditAction::UserInvited, target, format!("for {}", role.with_article()))).await?;
        Ok(token)
    }

    /// Makes the account that an invitation is for. `login` is as [`Account::check_login`] gives it.
    pub async fn accept_invite(
        &self,
        token: &Token,
        login: &str,
        password: &NewPassword,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<Joined, LedgerError> {
        let stored = self.hashing.hash(password).await?;
        let user_id = UserId(uuid::Uuid::now_v7().to_string());
        let joining = actor.logged_in_as(&user_id);
        let mut change = self.begin_change(&joining, now_ms).await?;
        let role = take_up(change.tx(), &token.stored_hash(), now_ms).await?;
        let Some(role) = role else { return Ok(Joined::InviteIsOver) };
        let added = add_account(change.tx(), user_id, login, role, Some(&stored), now_ms).await?;
        let Some(account) = added else { return Ok(Joined::LoginIsTaken) };
        change.commit(joined_note(&account, "")).await?;
        Ok(Joined::Account(account))
    }
}

/// Marks an invitation as used, and gives the role that it is for; none if it is over. Of two who take it up at once, the
/// database lets one through.
pub(super) async fn take_up(tx: &mut Tx, hash: &str, now_ms: i64) -> Result<Option<Role>, LedgerError> {
    let role: Option<String> = with_tx!(tx, |connection| {
        sqlx::query_scalar(
            "update invite set used_at_ms = $1 where hash = $2 and used_at_ms is null and expires_at_ms > $1 \
             returning role",
        )
        .bind(now_ms)
        .bind(hash)
        .fetch_optional(connection)
        .await?
    });
    role.map(|role| role.parse().map_err(|_| LedgerError::OutOfRange("invite.role"))).transpose()
}

/// Adds an account; none if another one has the login.
pub(super) async fn add_account(
    tx: &mut Tx,
    user_id: UserId,
    login: &str,
    role: Role,
    password: Option<&StoredPassword>,
    now_ms: i64,
) -> Result<Option<Account>, LedgerError> {
    let added = with_tx!(tx, |connection| {
        sqlx::query(
            "insert into account (user_id, login, role, password_hash, created_at_ms) values ($1, $2, $3, $4, $5) \
             on conflict (login) do nothing",
        )
        .bind(&user_id.0)
        .bind(login)
        .bind(role.name())
        .bind(password.map(|stored| stored.0.as_str()))
        .bind(now_ms)
        .execute(connection)
        .await?
        .rows_affected()
    });
    let account = Account {
        user_id,
        login: login.to_owned(),
        role,
        has_password: password.is_some(),
        created_at_ms: now_ms,
        disabled_at_ms: None,
    };
    Ok((added > 0).then_some(account))
}

/// What the audit log says of a new account; `how` is behind its role.
pub(super) fn joined_note(account: &Account, how: &str) -> AuditNote {
    let target = AuditTarget::user(&account.user_id, account.login.clone());
    AuditNote::new(AuditAction::UserJoined, target, format!("as {}{how}", account.role.with_article()))
}
