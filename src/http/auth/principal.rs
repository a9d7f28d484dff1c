//! Who acts. Worked out once for each request, by the gate, and handed to whatever answers it.

use crate::domain::account::Account;
use crate::domain::api_key::ApiKey;
use crate::domain::usage::{Scope, UserId};
use crate::http::error::ApiError;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Whoever is on this machine, as long as the owner has no password.
    LocalOwner,
    /// Somebody who has logged in.
    Account(Account),
    /// A program that shows a key. The gate has checked its scope.
    Key(ApiKey),
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

    /// What they may ask about: their own.
    pub fn scope(&self) -> Scope {
        Scope::User(self.user_id())
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
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| ApiError::internal("a route that needs to know who acts has no gate"))
    }
}
