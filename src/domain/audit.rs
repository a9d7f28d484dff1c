//! The audit log: what is written down, who can have done it, and what it was done to. `ledger::audit` writes and reads it.

use super::usage::{UnknownName, UserId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::str::FromStr;

/// What somebody did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditAction {
    Login,
    LoginFailed,
    Logout,
    PasswordChanged,
    ProviderLinked,
    ProviderUnlinked,
    KeyCreated,
    KeyRevoked,
    UserInvited,
    UserJoined,
    UserRoleChanged,
    UserDisabled,
    UserEnabled,
    UserDeleted,
    BudgetCreated,
    BudgetChanged,
    BudgetDeleted,
    ChannelCreated,
    ChannelChanged,
    ChannelDeleted,
    ChannelSecretRotated,
    SessionResumed,
    PricesChanged,
}

/// Actions about the same thing, to look at them alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditGroup {
    Logins,
    Keys,
    Users,
    Budgets,
    Channels,
    Prices,
}

/// In what way somebody acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// Logged in.
    Account,
    /// A program that showed a key.
    Key,
    /// Whoever was on this machine while nobody had to log in.
    LocalOwner,
    CommandLine,
    /// Not logged in.
    Nobody,
    /// A program that uses the crate.
    Library,
    /// The server, by itself.
    Server,
}

/// Who changes something, and from where. Made where a request or a command comes in, and handed to whatever changes
/// something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    kind: ActorKind,
    user_id: Option<UserId>,
    key_id: Option<String>,
    came_from: Option<String>,
}

/// What kind of thing something was done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditTargetKind {
    User,
    Key,
    Invitation,
    Budget,
    Channel,
    Session,
    Prices,
}

/// What something was done to: its kind, its id, and what it was called then. Id and name may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditTarget {
    pub kind: AuditTargetKind,
    pub id: String,
    pub name: String,
}

/// What is to be written down of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditNote {
    pub action: AuditAction,
    pub target: AuditTarget,
    /// In a few words, without any secret.
    pub detail: String,
}

/// A row of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    pub id: String,
    /// UTC milliseconds.
    pub at_ms: i64,
    pub actor_kind: ActorKind,
    pub actor_user_id: Option<UserId>,
    /// What they logged in with then.
    pub actor_login: Option<String>,
    pub actor_key_id: Option<String>,
    pub note: AuditNote,
    /// An IP address, or `command line`; none for what the server or a library did.
    pub came_from: Option<String>,
}

impl Actor {
    /// Somebody who has logged in.
    pub fn account(user: &UserId, from: Option<IpAddr>) -> Self {
        Self { user_id: Some(user.clone()), ..Self::of(ActorKind::Account, from) }
    }

    /// A program that shows a key of the user's.
    pub fn key(user: &UserId, key_id: &str, from: Option<IpAddr>) -> Self {
        Self { user_id: Some(user.clone()), key_id: Some(key_id.to_owned()), ..Self::of(ActorKind::Key, from) }
    }

    /// Whoever is on this machine, while nobody has to log in.
    pub fn local_owner(from: Option<IpAddr>) -> Self {
        Self { user_id: Some(UserId::owner()), ..Self::of(ActorKind::LocalOwner, from) }
    }

    /// Somebody who has not logged in.
    pub fn nobody(from: Option<IpAddr>) -> Self {
        Self::of(ActorKind::Nobody, from)
    }

    pub fn command_line() -> Self {
        Self { came_from: Some("command line".into()), ..Self::of(ActorKind::CommandLine, None) }
    }

    /// A program that uses the crate.
    pub fn library() -> Self {
        Self::of(ActorKind::Library, None)
    }

    /// The server, by itself.
    pub fn server() -> Self {
        Self::of(ActorKind::Server, None)
    }

    /// Who came to be known as this user, from the same place.
    pub fn logged_in_as(&self, user: &UserId) -> Self {
        Self { kind: ActorKind::Account, user_id: Some(user.clone()), key_id: None, came_from: self.came_from.clone() }
    }

    pub fn kind(&self) -> ActorKind {
        self.kind
    }

    /// Whose account or key it is; none for who has none.
    pub fn user_id(&self) -> Option<&UserId> {
        self.user_id.as_ref()
    }

    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub fn came_from(&self) -> Option<&str> {
        self.came_from.as_deref()
    }

    fn of(kind: ActorKind, from: Option<IpAddr>) -> Self {
        Self { kind, user_id: None, key_id: None, came_from: from.map(|address| address.to_string()) }
    }
}

impl AuditAction {
    pub const ALL: [Self; 23] = [
        Self::Login,
        Self::LoginFailed,
        Self::Logout,
        Self::PasswordChanged,
        Self::ProviderLinked,
        Self::ProviderUnlinked,
        Self::KeyCreated,
        Self::KeyRevoked,
        Self::UserInvited,
        Self::UserJoined,
        Self::UserRoleChanged,
        Self::UserDisabled,
        Self::UserEnabled,
        Self::UserDeleted,
        Self::BudgetCreated,
        Self::BudgetChanged,
        Self::BudgetDeleted,
        Self::ChannelCreated,
        Self::ChannelChanged,
        Self::ChannelDeleted,
        Self::ChannelSecretRotated,
        Self::SessionResumed,
        Self::PricesChanged,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::LoginFailed => "login_failed",
            Self::Logout => "logout",
            Self::PasswordChanged => "password_changed",
            Self::ProviderLinked => "provider_linked",
            Self::ProviderUnlinked => "provider_unlinked",
            Self::KeyCreated => "key_created",
            Self::KeyRevoked => "key_revoked",
            Self::UserInvited => "user_invited",
            Self::UserJoined => "user_joined",
            Self::UserRoleChanged => "user_role_changed",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::UserDeleted => "user_deleted",
            Self::BudgetCreated => "budget_created",
            Self::BudgetChanged => "budget_changed",
            Self::BudgetDeleted => "budget_deleted",
            Self::ChannelCreated => "channel_created",
            Self::ChannelChanged => "channel_changed",
            Self::ChannelDeleted => "channel_deleted",
            Self::ChannelSecretRotated => "channel_secret_rotated",
            Self::SessionResumed => "session_resumed",
            Self::PricesChanged => "prices_changed",
        }
    }

    pub fn group(self) -> AuditGroup {
        match self {
            Self::Login
            | Self::LoginFailed
            | Self::Logout
            | Self::PasswordChanged
            | Self::ProviderLinked
            | Self::ProviderUnlinked => AuditGroup::Logins,
            Self::KeyCreated | Self::KeyRevoked => AuditGroup::Keys,
            Self::UserInvited
            | Self::UserJoined
            | Self::UserRoleChanged
            | Self::UserDisabled
            | Self::UserEnabled
            | Self::UserDeleted => AuditGroup::Users,
            // A breaker is a limit, as a budget is.
            Self::BudgetCreated | Self::BudgetChanged | Self::BudgetDeleted | Self::SessionResumed => {
                AuditGroup::Budgets
            }
            Self::ChannelCreated | Self::ChannelChanged | Self::ChannelDeleted | Self::ChannelSecretRotated => {
                AuditGroup::Channels
            }
            Self::PricesChanged => AuditGroup::Prices,
        }
    }
}

impl AuditGroup {
    pub const ALL: [Self; 6] = [Self::Logins, Self::Keys, Self::Users, Self::Budgets, Self::Channels, Self::Prices];

    pub fn name(self) -> &'static str {
        match self {
            Self::Logins => "logins",
            Self::Keys => "keys",
            Self::Users => "users",
            Self::Budgets => "budgets",
            Self::Channels => "channels",
            Self::Prices => "prices",
        }
    }
}

impl ActorKind {
    pub const ALL: [Self; 7] =
        [Self::Account, Self::Key, Self::LocalOwner, Self::CommandLine, Self::Nobody, Self::Library, Self::Server];

    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Key => "key",
            Self::LocalOwner => "local_owner",
            Self::CommandLine => "command_line",
            Self::Nobody => "nobody",
            Self::Library => "library",
            Self::Server => "server",
        }
    }
}

impl AuditTargetKind {
    pub const ALL: [Self; 7] =
        [Self::User, Self::Key, Self::Invitation, Self::Budget, Self::Channel, Self::Session, Self::Prices];

    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Key => "key",
            Self::Invitation => "invitation",
            Self::Budget => "budget",
            Self::Channel => "channel",
            Self::Session => "session",
            Self::Prices => "prices",
        }
    }
}

impl AuditTarget {
    pub fn new(kind: AuditTargetKind, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, id: id.into(), name: name.into() }
    }

    pub fn user(user: &UserId, login: impl Into<String>) -> Self {
        Self::new(AuditTargetKind::User, &*user.0, login)
    }
}

impl AuditNote {
    pub fn new(action: AuditAction, target: AuditTarget, detail: impl Into<String>) -> Self {
        Self { action, target, detail: detail.into() }
    }
}

macro_rules! named {
    ($what:ty, $word:literal) => {
        impl FromStr for $what {
            type Err = UnknownName;
            fn from_str(name: &str) -> Result<Self, UnknownName> {
                let found = Self::ALL.into_iter().find(|one| one.name() == name);
                found.ok_or_else(|| UnknownName { what: $word, name: name.into() })
            }
        }
    };
}

named!(AuditAction, "action");
named!(AuditGroup, "group of actions");
named!(ActorKind, "kind of actor");
named!(AuditTargetKind, "kind of target");

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_those_of_the_json_and_read_back() {
        let names: BTreeSet<&str> = AuditAction::ALL.into_iter().map(AuditAction::name).collect();
        assert_eq!(names.len(), AuditAction::ALL.len());
        for action in AuditAction::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
            assert_eq!(action.name().parse(), Ok(action));
        }
        for kind in ActorKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        for group in AuditGroup::ALL {
            assert!(AuditAction::ALL.into_iter().any(|action| action.group() == group), "{group:?}");
        }
        assert!("colour".parse::<AuditGroup>().is_err());
    }

    #[test]
    fn an_actor_says_who_and_from_where() {
        let home: Option<IpAddr> = "2001:db8::7".parse().ok();
        let guest = Actor::nobody(home);
        assert_eq!((guest.kind(), guest.user_id(), guest.came_from()), (ActorKind::Nobody, None, Some("2001:db8::7")));
        let ann = guest.logged_in_as(&UserId("ann".into()));
        assert_eq!(ann, Actor::account(&UserId("ann".into()), home));
        assert_eq!(Actor::command_line().came_from(), Some("command line"));
        assert_eq!(Actor::server().came_from(), None);
    }
}
