//! Accounts and their passwords. Whatever takes access away ends the account's sessions in the same transaction, and all of
//! it is written into the audit log there.

use super::db::{Tx, with_reader, with_tx};
use super::erasure::give_up_erasure;
use super::password::StoredPassword;
use super::{Ledger, LedgerError};
use crate::domain::account::{Account, NewPassword, Role};
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget, AuditTargetKind};
use crate::domain::usage::UserId;

macro_rules! account_columns {
    () => {
        "a.user_id, a.login, a.role, a.password_hash, a.created_at_ms, a.disabled_at_ms"
    };
}
pub(super) use account_columns;

/// What can be done to anybody's account but the owner's.
#[derive(Clone, Copy)]
enum AccountChange {
    Role(Role),
    Disabling,
    Enabling,
    Deletion,
}

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
    pub async fn set_password(
        &self,
        user: &UserId,
        password: &NewPassword,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let stored = self.hashing.hash(password).await?;
        let mut change = self.begin_change(actor, now_ms).await?;
        let login: Option<String> = with_tx!(change.tx(), |connection| {
            sqlx::query_scalar("update account set password_hash = $1 where user_id = $2 returning login")
                .bind(&stored.0)
                .bind(&user.0)
                .fetch_optional(connection)
                .await?
        });
        let Some(login) = login else { return Ok(false) };
        end_sessions(change.tx(), user).await?;
        change.commit(AuditNote::new(AuditAction::PasswordChanged, AuditTarget::user(user, login), "")).await?;
        self.forget_needs_login();
        Ok(true)
    }

    /// The account with this login, as [`Account::check_login`] gives it.
    pub async fn account(&self, login: &str) -> Result<Option<Account>, LedgerError> {
        self.account_row(login).await?.map(Account::try_from).transpose()
    }

    /// The account whose login and password these are, if it may be used. Takes as long when there is none. What is refused
    /// is written down, but not a name that nobody has: people type their password there.
    pub async fn check_password(
        &self,
        login: &str,
        password: &str,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<Option<Account>, LedgerError> {
        let row = match Account::check_login(login) {
            Ok(login) => self.account_row(&login).await?,
            Err(_) => None,
        };
        let stored = row.as_ref().and_then(|row| row.password_hash.clone()).map(StoredPassword);
        let is_right = self.hashing.verify(password, stored).await?;
        let refusal = match &row {
            None => "unknown name",
            Some(row) if row.password_hash.is_none() => "no password is set",
            Some(_) if !is_right => "wrong password",
            Some(row) if row.disabled_at_ms.is_some() => "the account is shut out",
            Some(_) => return row.map(Account::try_from).transpose(),
        };
        self.note_failed_login(row.map(|row| row.target()), refusal, actor, now_ms).await?;
        Ok(None)
    }

    /// Writes down that somebody was not let in, and why: to `target`, if there is such an account.
    pub async fn note_failed_login(
        &self,
        target: Option<AuditTarget>,
        refusal: &str,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<(), LedgerError> {
        let target = target.unwrap_or_else(|| AuditTarget::new(AuditTargetKind::User, "", ""));
        let change = self.begin_change(actor, now_ms).await?;
        change.commit(AuditNote::new(AuditAction::LoginFailed, target, refusal)).await
    }

    /// Gives another role. Says whether it could: the owner stays the owner, and nobody else becomes one.
    pub async fn set_role(&self, user: &UserId, role: Role, actor: &Actor, now_ms: i64) -> Result<bool, LedgerError> {
        match role {
            Role::Owner => Ok(false),
            Role::Admin | Role::Member => self.change_account(user, AccountChange::Role(role), actor, now_ms).await,
        }
    }

    /// Shuts an account out, or lets it in again, and ends its sessions. Its keys are refused meanwhile. The owner cannot be
    /// shut out. An erasure that was broken off is given up by letting in. Says whether it could.
    pub async fn set_disabled(
        &self,
        user: &UserId,
        is_disabled: bool,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let what = if is_disabled { AccountChange::Disabling } else { AccountChange::Enabling };
        self.change_account(user, what, actor, now_ms).await
    }

    /// Takes an account away for good, with its sessions and channels, and ends its keys. Its usage stays, under an id that names
    /// nobody, and so does what the audit log says; a limit that it has set for everyone becomes the owner's. The owner stays.
    /// Says whether it could.
    pub async fn delete_account(&self, user: &UserId, actor: &Actor, now_ms: i64) -> Result<bool, LedgerError> {
        self.change_account(user, AccountChange::Deletion, actor, now_ms).await
    }

    /// Whatever is done to an account but the owner's ends its sessions and its open invitations, and its keys are asked for
    /// anew. Says whether there is such an account.
    async fn change_account(
        &self,
        user: &UserId,
        what: AccountChange,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        if *user == UserId::owner() {
            return Ok(false);
        }
        let mut change = self.begin_change(actor, now_ms).await?;
        let Some(login) = what.carry_out(change.tx(), user, now_ms).await? else { return Ok(false) };
        end_sessions(change.tx(), user).await?;
        end_invites(change.tx(), user).await?;
        change.commit(what.note(user, login)).await?;
        self.forget_keys_of(user);
        if let AccountChange::Deletion = what {
            self.note_budget_changed(&UserId::owner());
        }
        Ok(true)
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
    run_each(tx, &["delete from web_session where user_id = $1"], user).await
}

impl AccountChange {
    /// The login of the account; none if there is no such account.
    async fn carry_out(self, tx: &mut Tx, user: &UserId, now_ms: i64) -> Result<Option<String>, LedgerError> {
        if let Self::Deletion = self {
            revoke_keys(tx, user, now_ms).await?;
            let_go(tx, user).await?;
        }
        if let Self::Enabling = self {
            give_up_erasure(tx, user).await?;
        }
        Ok(with_tx!(tx, |connection| {
            let statement = match self {
                Self::Role(role) => {
                    sqlx::query_scalar("update account set role = $2 where user_id = $1 returning login")
                        .bind(&user.0)
                        .bind(role.name())
                }
                Self::Disabling | Self::Enabling => {
                    sqlx::query_scalar("update account set disabled_at_ms = $2 where user_id = $1 returning login")
                        .bind(&user.0)
                        .bind(matches!(self, Self::Disabling).then_some(now_ms))
                }
                Self::Deletion => {
                    sqlx::query_scalar("delete from account where user_id = $1 returning login").bind(&user.0)
                }
            };
            statement.fetch_optional(connection).await?
        }))
    }

    fn note(self, user: &UserId, login: String) -> AuditNote {
        let (action, detail) = match self {
            Self::Role(role) => (AuditAction::UserRoleChanged, format!("now {}", role.with_article())),
            Self::Disabling => (AuditAction::UserDisabled, String::new()),
            Self::Enabling => (AuditAction::UserEnabled, String::new()),
            Self::Deletion => (AuditAction::UserDeleted, "their keys are revoked".to_owned()),
        };
        AuditNote::new(action, AuditTarget::user(user, login), detail)
    }
}

/// Who may not invite any more may have kept a link for themselves.
async fn end_invites(tx: &mut Tx, user: &UserId) -> Result<(), LedgerError> {
    run_each(tx, &["delete from invite where created_by = $1 and used_at_ms is null"], user).await
}

/// What would go on acting for somebody who is gone, where nobody sees it: channels end, and a limit that they have set for
/// everyone becomes the owner's, because it protects the others too.
pub(super) async fn let_go(tx: &mut Tx, user: &UserId) -> Result<(), LedgerError> {
    const STATEMENTS: [&str; 3] = [
        "delete from delivery where user_id = $1",
        "delete from channel where user_id = $1",
        "update budget set user_id = 'owner' where user_id = $1 and scope = 'everyone'",
    ];
    run_each(tx, &STATEMENTS, user).await
}

/// Runs statements whose `$1` is the user.
pub(super) async fn run_each(tx: &mut Tx, statements: &[&'static str], user: &UserId) -> Result<(), LedgerError> {
    for statement in statements {
        with_tx!(tx, |connection| {
            sqlx::query(*statement).bind(&user.0).execute(connection).await?;
        });
    }
    Ok(())
}

async fn revoke_keys(tx: &mut Tx, user: &UserId, now_ms: i64) -> Result<(), LedgerError> {
    with_tx!(tx, |connection| {
        sqlx::query("update api_key set revoked_at_ms = $1 where user_id = $2 and revoked_at_ms is null")
            .bind(now_ms)
            .bind(&user.0)
            .execute(connection)
            .await?;
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

impl AccountRow {
    fn target(&self) -> AuditTarget {
        AuditTarget::user(&UserId(self.user_id.clone()), &*self.login)
    }
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
