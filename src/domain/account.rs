//! Who may use the dashboard: roles, and what a password must be. Hashing and storing are `ledger`'s.

use super::usage::{UnknownName, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const MIN_PASSWORD_CHARS: usize = 15;
const MAX_PASSWORD_BYTES: usize = 256;
/// Fewer different characters than this are a pattern and no password.
const MIN_DIFFERENT_CHARS: usize = 5;
const MAX_LOGIN_CHARS: usize = 200;

/// Long enough, and still the first that are tried.
const COMMON_PASSWORDS: [&str; 12] = [
    "123456789012345",
    "1234567890123456",
    "1q2w3e4r5t6y7u8i9o0p",
    "abcdefghijklmnop",
    "administrator123",
    "correct horse battery staple",
    "correcthorsebatterystaple",
    "letmeinletmeinletmein",
    "passwordpassword",
    "password12345678",
    "qwertyuiopasdfgh",
    "qwertyuiopasdfghjkl",
];

/// What a person may do. The owner is there from the start and stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    /// Sees everyone's usage and manages people.
    Admin,
    /// Sees their own usage.
    Member,
}

/// A person as the ledger keeps them: everything but the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub user_id: UserId,
    /// What they log in with: an e-mail address or a name, in lower case.
    pub login: String,
    pub role: Role,
    pub has_password: bool,
    pub created_at_ms: i64,
    pub disabled_at_ms: Option<i64>,
}

/// A password that may be set. Neither `Debug` nor serde shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct NewPassword(String);

impl Role {
    pub const ALL: [Self; 3] = [Self::Owner, Self::Admin, Self::Member];

    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// For a sentence.
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Owner => "the owner",
            Self::Admin => "an admin",
            Self::Member => "a member",
        }
    }

    /// Whether everyone's usage may be asked for, and people managed.
    pub fn sees_everyone(self) -> bool {
        self != Self::Member
    }
}

impl FromStr for Role {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|role| role.name() == name);
        found.ok_or_else(|| UnknownName { what: "role", name: name.into() })
    }
}

impl Account {
    /// The login as it is stored, or what is wrong with it.
    pub fn check_login(login: &str) -> Result<String, &'static str> {
        let login = login.trim().to_lowercase();
        match login.chars().count() {
            0 => Err("is missing"),
            1..=MAX_LOGIN_CHARS if !login.chars().any(|c| c.is_control() || c.is_whitespace()) => Ok(login),
            1..=MAX_LOGIN_CHARS => Err("may hold no blanks or control characters"),
            _ => Err("may have at most 200 characters"),
        }
    }
}

impl NewPassword {
    /// The password, or what is wrong with it: length counts, which characters it is made of does not.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_PASSWORD_BYTES {
            return Err("may have at most 256 bytes");
        }
        if text.chars().count() < MIN_PASSWORD_CHARS {
            return Err("must have at least 15 characters; a few words will do");
        }
        let mut different: Vec<char> = text.chars().collect();
        different.sort_unstable();
        different.dedup();
        if different.len() < MIN_DIFFERENT_CHARS || COMMON_PASSWORDS.contains(&text.to_lowercase().as_str()) {
            return Err("is one of the first that are tried; choose another");
        }
        Ok(Self(text.to_owned()))
    }

    /// The password itself, for hashing.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_not_one_that_is_tried_first() {
        for good in ["four words of mine", "äöüäöüäöüß14567", &"abcdefgh".repeat(32)] {
            assert!(NewPassword::parse(good).is_ok(), "{good}");
        }
        for wrong in
            ["", "fourteen chars", "PasswordPassword", "aaaaaaaaaaaaaaaaaaaa", "abababababababab", &"ä1b2c".repeat(50)]
        {
            assert!(NewPassword::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(format!("{:?}", NewPassword::parse("four words of mine").unwrap()), "NewPassword(***)");
    }

    #[test]
    fn a_login_is_stored_in_lower_case() {
        assert_eq!(Account::check_login(" Ann@Example.org "), Ok("ann@example.org".into()));
        for wrong in ["", "  ", "ann smith", "ann\u{7}", &"a".repeat(201)] {
            assert!(Account::check_login(wrong).is_err(), "{wrong:?}");
        }
    }
}
