//! Logins through another provider: whose account an identity of the provider's is, the logins that are under way, and the
//! links that wait for a password. What the provider says is checked before it comes here.

use super::account::{AccountRow, account_columns};
use super::db::{Tx, with_reader, with_tx};
use super::invite::{Joined, add_account, joined_note, take_up};
use super::token::Token;
use super::{Ledger, LedgerError};
use crate::domain::account::{Account, Role};
use crate::domain::audit::{Actor, AuditAction, AuditNote, AuditTarget};
use crate::domain::usage::UserId;

/// For so long a login may be under way, and for so long a link waits for the password.
pub const LOGIN_LASTS_MS: i64 = 10 * 60_000;

/// Who somebody is at the provider: issuer and subject together. The e-mail address is shown, and may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    pub email: String,
}

/// A login that somebody began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginUnderWay {
    /// The page to go on to.
    pub next: String,
    pub invite: Option<InviteHash>,
}

/// An invitation as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteHash(String);

/// A link that is made once its account's password has been shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingLink {
    pub user_id: UserId,
    /// The account's.
    pub login: String,
    pub identity: Identity,
    pub next: String,
}

/// What makes an account for an identity that has none.
#[derive(Clone, Copy, Debug)]
pub enum Admission<'a> {
    Invite(&'a InviteHash),
    /// Its domain is let in as a member.
    Domain,
}

impl Identity {
    /// For the audit log.
    fn shown(&self) -> String {
        format!("{} at {}", self.email, self.issuer)
    }
}

impl Ledger {
    /// Keeps that a login has begun, and clears away those that are over. The token is for the browser.
    pub async fn begin_login(&self, next: &str, invite: Option<&Token>, now_ms: i64) -> Result<Token, LedgerError> {
        let token = Token::random();
        let mut tx = self.db.begin().await?;
        with_tx!(&mut tx, |connection| {
            sqlx::query("delete from oidc_login where expires_at_ms <= $1")
                .bind(now_ms)
                .execute(&mut *connection)
                .await?;
            sqlx::query("delete from oidc_pending_link where expires_at_ms <= $1")
                .bind(now_ms)
                .execute(&mut *connection)
                .await?;
            sqlx::query("insert into oidc_login (hash, next, invite_hash, expires_at_ms) values ($1, $2, $3, $4)")
                .bind(token.stored_hash())
                .bind(next)
                .bind(invite.map(Token::stored_hash))
                .bind(now_ms + LOGIN_LASTS_MS)
                .execute(connection)
                .await?;
        });
        tx.commit().await?;
        Ok(token)
    }

    /// Ends a login that is under way, and gives it to the one who ended it: of two answers the second finds nothing.
    pub async fn take_login(&self, token: &Token, now_ms: i64) -> Result<Option<LoginUnderWay>, LedgerError> {
        let mut tx = self.db.begin().await?;
        let found: Option<(String, Option<String>)> = with_tx!(&mut tx, |connection| {
            sqlx::query_as("delete from oidc_login where hash = $1 and expires_at_ms > $2 returning next, invite_hash")
                .bind(token.stored_hash())
                .bind(now_ms)
                .fetch_optional(connection)
                .await?
        });
        tx.commit().await?;
        Ok(found.map(|(next, invite)| LoginUnderWay { next, invite: invite.map(InviteHash) }))
    }

    /// The account that an identity is linked to, whether it may be used or not.
    pub async fn linked_account(&self, issuer: &str, subject: &str) -> Result<Option<Account>, LedgerError> {
        let row: Option<AccountRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(concat!(
                "select ",
                account_columns!(),
                " from oidc_identity i join account a on a.user_id = i.user_id where i.issuer = $1 and i.subject = $2"
            ))
            .bind(issuer)
            .bind(subject)
            .fetch_optional(pool)
            .await?
        });
        row.map(Account::try_from).transpose()
    }

    /// The e-mail address that an account's link to this issuer was made with, if there is a link.
    pub async fn linked_email(&self, user: &UserId, issuer: &str) -> Result<Option<String>, LedgerError> {
        Ok(with_reader!(&self.db, |pool| {
            sqlx::query_scalar("select email from oidc_identity where user_id = $1 and issuer = $2")
                .bind(&user.0)
                .bind(issuer)
                .fetch_optional(pool)
                .await?
        }))
    }

    /// Links an identity to an account. Says whether it could: neither may have another link.
    pub async fn link(
        &self,
        account: &Account,
        identity: &Identity,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let mut change = self.begin_change(actor, now_ms).await?;
        if !insert_link(change.tx(), &account.user_id, identity, now_ms).await? {
            return Ok(false);
        }
        let target = AuditTarget::user(&account.user_id, account.login.clone());
        change.commit(AuditNote::new(AuditAction::ProviderLinked, target, identity.shown())).await?;
        Ok(true)
    }

    /// Takes an account's link to this issuer away. Says whether it could: who has no password keeps it.
    pub async fn unlink(
        &self,
        account: &Account,
        issuer: &str,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let mut change = self.begin_change(actor, now_ms).await?;
        let removed = with_tx!(change.tx(), |connection| {
            sqlx::query(
                "delete from oidc_identity where user_id = $1 and issuer = $2 and exists \
                 (select 1 from account a where a.user_id = $1 and a.password_hash is not null)",
            )
            .bind(&account.user_id.0)
            .bind(issuer)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if removed == 0 {
            return Ok(false);
        }
        let target = AuditTarget::user(&account.user_id, account.login.clone());
        change.commit(AuditNote::new(AuditAction::ProviderUnlinked, target, issuer)).await?;
        Ok(true)
    }

    /// Makes an account without a password for an identity that has none. `login` is as [`Account::check_login`] gives it.
    pub async fn join_with_identity(
        &self,
        admission: Admission<'_>,
        login: &str,
        identity: &Identity,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<Joined, LedgerError> {
        let user_id = UserId(uuid::Uuid::now_v7().to_string());
        let joining = actor.logged_in_as(&user_id);
        let mut change = self.begin_change(&joining, now_ms).await?;
        let role = match admission {
            Admission::Domain => Some(Role::Member),
            Admission::Invite(InviteHash(hash)) => take_up(change.tx(), hash, now_ms).await?,
        };
        let Some(role) = role else { return Ok(Joined::InviteIsOver) };
        let added = add_account(change.tx(), user_id, login, role, None, now_ms).await?;
        let Some(account) = added else { return Ok(Joined::LoginIsTaken) };
        if !insert_link(change.tx(), &account.user_id, identity, now_ms).await? {
            return Ok(Joined::LoginIsTaken);
        }
        change.commit(joined_note(&account, &format!(", linked to {}", identity.shown()))).await?;
        Ok(Joined::Account(account))
    }

    /// Keeps a link until its account's password is shown. The token is for the browser.
    pub async fn begin_link(
        &self,
        user: &UserId,
        identity: &Identity,
        next: &str,
        now_ms: i64,
    ) -> Result<Token, LedgerError> {
        let token = Token::random();
        let mut tx = self.db.begin().await?;
        with_tx!(&mut tx, |connection| {
            sqlx::query(
                "insert into oidc_pending_link (hash, user_id, issuer, subject, email, next, expires_at_ms) \
                 values ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(token.stored_hash())
            .bind(&user.0)
            .bind(&identity.issuer)
            .bind(&identity.subject)
            .bind(&identity.email)
            .bind(next)
            .bind(now_ms + LOGIN_LASTS_MS)
            .execute(connection)
            .await?;
        });
        tx.commit().await?;
        Ok(token)
    }

    /// The link that waits for a password.
    pub async fn pending_link(&self, token: &Token, now_ms: i64) -> Result<Option<PendingLink>, LedgerError> {
        let row: Option<PendingLinkRow> = with_reader!(&self.db, |pool| {
            sqlx::query_as(
                "select p.user_id, a.login, p.issuer, p.subject, p.email, p.next from oidc_pending_link p \
                 join account a on a.user_id = p.user_id where p.hash = $1 and p.expires_at_ms > $2",
            )
            .bind(token.stored_hash())
            .bind(now_ms)
            .fetch_optional(pool)
            .await?
        });
        Ok(row.map(PendingLink::from))
    }

    /// Makes the link that waited, once. Says whether it could.
    pub async fn finish_link(
        &self,
        token: &Token,
        link: &PendingLink,
        actor: &Actor,
        now_ms: i64,
    ) -> Result<bool, LedgerError> {
        let linking = actor.logged_in_as(&link.user_id);
        let mut change = self.begin_change(&linking, now_ms).await?;
        let taken = with_tx!(change.tx(), |connection| {
            sqlx::query("delete from oidc_pending_link where hash = $1 and expires_at_ms > $2")
                .bind(token.stored_hash())
                .bind(now_ms)
                .execute(connection)
                .await?
                .rows_affected()
        });
        // Without a link the token holds on, and with it what it would have made.
        if taken == 0 || !insert_link(change.tx(), &link.user_id, &link.identity, now_ms).await? {
            return Ok(false);
        }
        let target = AuditTarget::user(&link.user_id, link.login.clone());
        change.commit(AuditNote::new(AuditAction::ProviderLinked, target, link.identity.shown())).await?;
        Ok(true)
    }
}

async fn insert_link(tx: &mut Tx, user: &UserId, identity: &Identity, now_ms: i64) -> Result<bool, LedgerError> {
    let added = with_tx!(tx, |connection| {
        sqlx::query(
            "insert into oidc_identity (user_id, issuer, subject, email, linked_at_ms) values ($1, $2, $3, $4, $5) \
             on conflict do nothing",
        )
        .bind(&user.0)
        .bind(&identity.issuer)
        .bind(&identity.subject)
        .bind(&identity.email)
        .bind(now_ms)
        .execute(connection)
        .await?
        .rows_affected()
    });
    Ok(added > 0)
}

#[derive(sqlx::FromRow)]
struct PendingLinkRow {
    user_id: String,
    login: String,
    issuer: String,
    subject: String,
    email: String,
    next: String,
}

impl From<PendingLinkRow> for PendingLink {
    fn from(row: PendingLinkRow) -> Self {
        let identity = Identity { issuer: row.issuer, subject: row.subject, email: row.email };
        Self { user_id: UserId(row.user_id), login: row.login, identity, next: row.next }
    }
}
