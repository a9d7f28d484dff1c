//! The ledger's address, and how it is shown without its password.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An address that may hold a password. Its `Debug` and `Display` hide it; only [`DatabaseUrl::reveal`] shows it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address with its password, for the connection alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hide_password(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// `postgres://me:secret@host/db?password=x` as `postgres://me:***@host/db?password=***`.
fn hide_password(url: &str) -> String {
    let shown = hide_login_password(url).unwrap_or_else(|| url.to_owned());
    match shown.split_once('?') {
        Some((address, query)) => {
            let pairs: Vec<String> = query.split('&').map(hide_secret_parameter).collect();
            format!("{address}?{}", pairs.join("&"))
        }
        None => shown,
    }
}

fn hide_login_password(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    // The last @, because a password may hold one too.
    let (login, host) = rest.rsplit_once('@')?;
    let (user, _) = login.split_once(':')?;
    Some(format!("{scheme}://{user}:***@{host}"))
}

fn hide_secret_parameter(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("pass") => format!("{name}=***"),
        _ => pair.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        for (url, shown) in [
            ("postgres://me:s3cret@host:5432/db", "postgres://me:***@host:5432/db"),
            ("postgres://me:s3@cret@host/db", "postgres://me:***@host/db"),
            ("postgres://me@host/db", "postgres://me@host/db"),
            ("postgres://host/db?user=me&password=s3cret", "postgres://host/db?user=me&password=***"),
            ("sqlite:data/tollbridge.db", "sqlite:data/tollbridge.db"),
        ] {
            assert_eq!(hide_password(url), shown);
        }
    }
}
