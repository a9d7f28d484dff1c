//! Secrets that we hand out once and keep as a hash: a session's id, an invitation's link. They have 256 random bits, so a
//! quick hash is enough.

use rand::RngExt;
use sha2::{Digest, Sha256};
use std::fmt;

/// 64 hexadecimal digits. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    pub fn random() -> Self {
        let bytes: [u8; 32] = rand::rng().random();
        Self(hex(&bytes))
    }

    /// The token, if the text has its shape.
    pub fn parse(text: &str) -> Option<Self> {
        let has_shape = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        has_shape.then(|| Self(text.to_owned()))
    }

    /// The token itself: for its holder.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Another secret, for this purpose alone: from it nobody can tell this one or one for another purpose.
    pub fn derive(&self, purpose: &str) -> Self {
        Self(hex(&Sha256::digest(format!("{purpose}:{}", self.0).as_bytes())))
    }

    /// Whether both are the same. Hashes are compared, so that the time it takes tells nothing.
    pub fn is(&self, other: &Self) -> bool {
        self.stored_hash() == other.stored_hash()
    }

    pub(super) fn stored_hash(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
