//! Who acts. Worked out once for each request, by the gate, and handed to whatever answers it; with the address that the request
//! comes from, to whatever changes something.

use crate::domain::account::{Account, Role};
use crate::domain::api_key::ApiKey;
use crate::domain::audit::Actor;
use crate::domain::query::{QueryError, Whose};
use crate::domain::usage::{Scope, UserId};
use crate::http::error::ApiError;
use crate::ledger::{Ledger, LedgerError};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Whoever is on this machine, as long as the owner has no password.
    LocalOwner,
    /// Somebody who has logged in.
    Account(Account),
    /// A program that shows a key. The gate has checked its scope.
    Key(ApiKey),
}

/// Why a question is not answered about whom it was asked about.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    #[error("it asks for other people's usage")]
    OwnOnly,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Principal {
    /// Whose usage, budgets and keys they are.
    pub fn user_id(&self) -> UserId {
        match self {
            Self::LocalOwner => UserId::owner(),
            Self::Account(account) => account.user_id.clone(),
            Self::Key(key) => key.user_id.clone(),
        }
    }

    /// What they ask about unless they choose: their own.
    pub fn scope(&self) -> Scope {
        Scope::User(self.user_id())
    }

    /// Who acts, for whatever changes something.
    pub fn actor(&self, from: Option<IpAddr>) -> Actor {
        match self {
            Self::LocalOwner => Actor::local_owner(from),
            Self::Account(account) => Actor::account(&account.user_id, from),
            Self::Key(key) => Actor::key(&key.user_id, &key.id, from),
        }
    }

    /// What they have chosen to ask about.
    pub async fn choose_scope(&self, whose: &Whose, ledger: &Ledger) -> Result<Scope, ScopeError> {
        let user = match whose {
            Whose::Own => return Ok(self.scope()),
            Whose::User(user) if *user == self.user_id() => return Ok(self.scope()),
            Whose::User(user) => Some(user),
            Whose::Everyone => None,
        };
        if !self.sees_everyone(ledger).await? {
            return Err(ScopeError::OwnOnly);
        }
        let Some(user) = user else { return Ok(Scope::Everyone) };
        if !ledger.knows_user(user).await? {
            return Err(LedgerError::from(QueryError::new("user", "is nobody with an account or usage here")).into());
        }
        Ok(Scope::User(user.clone()))
    }

    /// Whether everybody's usage may be asked for. A key may what the role of who made it allows, as it is now.
    pub async fn sees_everyone(&self, ledger: &Ledger) -> Result<bool, LedgerError> {
        Ok(match self {
            Self::LocalOwner => true,
            Self::Account(account) => account.role.sees_everyone(),
            Self::Key(key) => ledger.role_of(&key.user_id).await?.is_some_and(Role::sees_everyone),
        })
    }

    /// Whose paused sessions they see and may resume: their own, or everyone's if they manage the server.
    pub fn pause_scope(&self) -> Scope {
        if self.manages_server() { Scope::Everyone } else { self.scope() }
    }

    /// The key that they show, if any.
    pub fn api_key_id(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(&key.id),
            Self::LocalOwner | Self::Account(_) => None,
        }
    }

    /// Whether people, and the machine that the server runs on with the logs there, are their business.
    pub fn manages_server(&self) -> bool {
        match self {
            Self::LocalOwner => true,
            Self::Account(account) => account.role.sees_everyone(),
            Self::Key(_) => false,
        }
    }

    /// What they are called, once they have logged in.
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::Account(account) => Some(&account.login),
            Self::LocalOwner | Self::Key(_) => None,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        left_by_the_gate(parts)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        left_by_the_gate(parts)
    }
}

fn left_by_the_gate<T: Clone + Send + Sync + 'static>(parts: &Parts) -> Result<T, ApiError> {
    let found = parts.extensions.get::<T>().cloned();
    found.ok_or_else(|| ApiError::internal("a route that needs to know who acts has no gate"))
}
