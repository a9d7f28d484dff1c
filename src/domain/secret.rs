//! A text that must not be shown: a webhook's address, a signing secret, a mail server's password. `Debug` hides it and
//! serde does not know it, so that it reaches a page, a log or an answer only where somebody wrote `reveal`.

use std::fmt;

#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the connection it is needed on, and for the database.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// An address by its host and its last four characters: `https://hooks.slack.com/…wXyZ`.
    pub fn masked_url(&self) -> String {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let host: String = rest.chars().take_while(|c| !matches!(c, '/' | '?' | '#')).collect();
        let host = host.rsplit('@').next().unwrap_or_default();
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        match last_four(path) {
            Some(end) => format!("{scheme}://{host}/…{end}"),
            None => format!("{scheme}://{host}/…"),
        }
    }

    /// A secret by its last four characters; one that is too short for that not at all.
    pub fn masked(&self) -> String {
        format!("…{}", last_four(&self.0).unwrap_or_default())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Only of a text that has much more to hide.
fn last_four(text: &str) -> Option<String> {
    let count = text.chars().count();
    (count >= 16).then(|| text.chars().skip(count - 4).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_secret_does_not_give_it_away() {
        for (url, shown) in [
            ("https://hooks.slack.com/services/T0/B0/abcdefghwXyZ", "https://hooks.slack.com/…wXyZ"),
            ("https://me:s3cret@example.com/short", "https://example.com/…"),
            ("https://example.com/?token=s3cret", "https://example.com/…"),
            ("https://example.com", "https://example.com/…"),
        ] {
            assert_eq!(Secret::new(url).masked_url(), shown);
        }
        assert_eq!(Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").masked(), "…LaSw");
        assert_eq!(Secret::new("hunter2").masked(), "…");
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(***)");
    }
}
