//! Who may do what. The gate works out who acts, once for each request ([`Principal`]); people get past it with a session,
//! which `login`, `setup`, `join` and `oidc` open, and programs with a key. Accounts, sessions and keys are the ledger's.
//!
//! **Local mode**: while the owner has no password and nobody but this machine can reach the server, whoever does is the
//! owner. The Host and origin checks (`guard`) keep other sites' pages out of that.

mod form;
pub mod gate;
pub mod join;
mod key_header;
pub mod login;
pub mod login_limits;
pub mod oidc;
pub mod password;
pub mod principal;
mod session_cookie;
pub mod setup;

pub use principal::{Principal, ScopeError};

use self::login_limits::LoginLimits;
use self::oidc::provider::Oidc;
use self::setup::SetupLink;
use crate::config::PublicUrl;
use crate::domain::usage::UserId;
use axum::http::{HeaderMap, HeaderName};
use std::net::SocketAddr;

/// What a proxy adds. Some rewrite `Host` to this machine's name, so that alone does not tell who is local.
const PROXY_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

/// What this server decides about access beside the ledger: where it can be reached from, how often anybody may try to log
/// in, and the set-up link. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Access {
    is_exposed: bool,
    public_url: Option<PublicUrl>,
    limits: LoginLimits,
    setup: SetupLink,
    oidc: Option<Oidc>,
}

impl Access {
    /// Of a server that listens on `bound`.
    pub fn new(bound: SocketAddr, public_url: Option<PublicUrl>) -> Self {
        let is_exposed = public_url.is_some() || !bound.ip().is_loopback();
        Self { is_exposed, public_url, ..Self::default() }
    }

    /// And people may log in through a provider, if there is one.
    #[must_use]
    pub fn with_oidc(self, oidc: Option<Oidc>) -> Self {
        Self { oidc, ..self }
    }

    /// What people call the provider that they may log in through, if there is one.
    pub fn provider_name(&self) -> Option<&str> {
        self.oidc.as_ref().map(|oidc| oidc.provider().name.as_str())
    }

    /// Whether others than this machine can reach the server. Then there is no local mode.
    pub fn is_exposed(&self) -> bool {
        self.is_exposed
    }

    pub fn public_url(&self) -> Option<&PublicUrl> {
        self.public_url.as_ref()
    }

    /// The link with which the owner's first password is set.
    pub fn setup(&self) -> &SetupLink {
        &self.setup
    }

    /// Who somebody is that shows nothing, as long as nobody has to log in; none if they come from elsewhere.
    pub fn local_user(&self, headers: &HeaderMap) -> Option<UserId> {
        let is_local = !self.is_exposed && !PROXY_HEADERS.iter().any(|name| headers.contains_key(name));
        is_local.then(|| Principal::LocalOwner.user_id())
    }
}
