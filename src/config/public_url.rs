//! The address under which other machines reach the server.

use std::fmt;

/// `https`, a host, and a port if it is not 443. Without a path: Tollbridge has a host to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// In lower case, as browsers send it in `Host`.
    authority: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    #[error(
        "must begin with https://, because passwords and keys travel on it. Put a proxy with a certificate in front of \
         Tollbridge and give the proxy's address here"
    )]
    NotEncrypted,
    #[error("must be a host and nothing more, such as https://tollbridge.example.org")]
    NotAHost,
}

impl PublicUrl {
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let text = text.trim().to_ascii_lowercase();
        let rest = text.strip_prefix("https://").ok_or(PublicUrlError::NotEncrypted)?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        if authority.is_empty() || authority.starts_with(':') || !authority.chars().all(is_host) {
            return Err(PublicUrlError::NotAHost);
        }
        // Browsers leave the port out where it is the scheme's own.
        let authority = authority.strip_suffix(":443").unwrap_or(authority);
        Ok(Self { authority: authority.to_owned() })
    }

    /// What `Host` says of a request that came this way.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_encrypted_host_is_public() {
        for (text, shown) in [
            ("https://Tolls.Example.org/", "https://tolls.example.org"),
            (" https://tolls.example.org:443", "https://tolls.example.org"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().to_string(), shown);
        }
        for text in ["http://tolls.example.org", "tolls.example.org", "ftp://x", ""] {
            assert_eq!(PublicUrl::parse(text), Err(PublicUrlError::NotEncrypted), "{text}");
        }
        for text in
            ["https://", "https:///", "https://a/b", "https://me@a", "https://a?b", "https://:8080", "https://a b"]
        {
            assert_eq!(PublicUrl::parse(text), Err(PublicUrlError::NotAHost), "{text}");
        }
    }
}
