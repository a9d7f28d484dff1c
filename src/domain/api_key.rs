//! Keys that clients show to Tollbridge: what they look like, what they allow. Hashing, storing and looking them up is
//! `ledger::key`'s.
//!
//! A key is `tb_`, 43 base62 digits (256 random bits) and 6 more that hold their CRC-32. The checksum tells a mistyped or
//! made-up key from a real one without asking the database; secret scanners use it too.

use super::usage::{UnknownName, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

pub const PREFIX: &str = "tb_";
/// Random base62 digits of a key: 43 of them carry 256 bits.
pub const RANDOM_DIGITS: usize = 43;
const CHECK_DIGITS: usize = 6;
const MAX_NAME_CHARS: usize = 100;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A whole key, of the right shape and with the right checksum. Neither `Debug` nor serde shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText(String);

/// What a key allows. They do not contain each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
    /// Sending calls through the gateway, and the chat's.
    Proxy,
    /// Reporting usage.
    Ingest,
    /// Reading reports and events.
    Read,
    /// Changing budgets and channels, acknowledging alerts, resuming sessions; of who sees everyone, reading the audit log.
    Admin,
}

/// A key as the ledger keeps it: everything but the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    pub id: String,
    /// Whose usage it records.
    pub user_id: UserId,
    pub name: String,
    /// The first characters of the key, to tell it by.
    pub prefix: String,
    pub last4: String,
    pub scopes: Vec<KeyScope>,
    pub created_at_ms: i64,
    /// To the minute.
    pub last_used_at_ms: Option<i64>,
    pub revoked_at_ms: Option<i64>,
}

impl KeyText {
    /// Puts a key together from [`RANDOM_DIGITS`] random numbers below 62; larger ones are taken modulo 62.
    pub fn from_digits(digits: [u8; RANDOM_DIGITS]) -> Self {
        let mut text = String::from(PREFIX);
        text.extend(digits.iter().map(|digit| char::from(DIGITS[usize::from(*digit) % DIGITS.len()])));
        let check = check_digits(text.as_bytes());
        text.push_str(&check);
        Self(text)
    }

    /// The key, if the text has its shape and its checksum holds.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        if digits.len() != RANDOM_DIGITS + CHECK_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let (checked, check) = text.split_at(text.len() - CHECK_DIGITS);
        (check_digits(checked.as_bytes()) == check).then(|| Self(text.to_owned()))
    }

    /// The key itself: for its owner, once, and for hashing.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What may be shown of it: `tb_` and four more.
    pub fn shown_prefix(&self) -> &str {
        &self.0[..PREFIX.len() + 4]
    }

    pub fn last4(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({}…{})", self.shown_prefix(), self.last4())
    }
}

impl KeyScope {
    pub const ALL: [Self; 4] = [Self::Proxy, Self::Ingest, Self::Read, Self::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyScope {
    type Err = UnknownName;
    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|scope| scope.name() == name);
        found.ok_or_else(|| UnknownName { what: "scope", name: name.into() })
    }
}

impl ApiKey {
    /// The name without blanks around it, or what is wrong with it.
    pub fn check_name(name: &str) -> Result<String, &'static str> {
        let name = name.trim();
        match name.chars().count() {
            0 => Err("is missing"),
            1..=MAX_NAME_CHARS if !name.chars().any(char::is_control) => Ok(name.to_owned()),
            1..=MAX_NAME_CHARS => Err("may hold no control characters"),
            _ => Err("may have at most 100 characters"),
        }
    }

    /// What may be shown of its text: `tb_abcd…wxyz`.
    pub fn shown(&self) -> String {
        format!("{}…{}", self.prefix, self.last4)
    }

    pub fn is_revoked(&self) -> bool {
        self.revoked_at_ms.is_some()
    }

    pub fn allows(&self, scope: KeyScope) -> bool {
        !self.is_revoked() && self.scopes.contains(&scope)
    }
}

/// The checksum in base62, the largest digit first, filled up with zeros.
fn check_digits(checked: &[u8]) -> String {
    let mut rest = crc32(checked) as usize;
    let mut digits = [DIGITS[0]; CHECK_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[rest % DIGITS.len()];
        rest /= DIGITS.len();
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// CRC-32 as in zip and PNG (ISO 3309), bit by bit: a key is too short for a table to pay.
fn crc32(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
    !bytes.iter().fold(!0_u32, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_checksum_is_the_well_known_one() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        // 0xcbf43926 = 3 421 780 262 = 3·62⁵ + 45·62⁴ + 35·62³ + 27·62² + 22·62 + 14
        assert_eq!(check_digits(b"123456789"), "3jZRME");
    }

    #[test]
    fn only_whole_keys_with_their_checksum_parse() {
        let key = KeyText::from_digits(std::array::from_fn(|index| index as u8));
        let text = key.reveal().to_owned();
        assert_eq!(text.len(), 52);
        assert!(text.starts_with("tb_0123456789ABC"));
        assert_eq!(KeyText::parse(&text), Some(key.clone()));
        for wrong in [
            "",
            "tb_",
            &text[..51],
            &format!("{text}0"),
            &format!(" {text}"),
            &text.replacen("tb_", "sk_", 1),
            &text.replacen('A', "B", 1),
            &text.replacen('A', "é", 1),
            &text.to_ascii_lowercase(),
            "' OR pg_sleep(8)--",
        ] {
            assert_eq!(KeyText::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{key:?}"), format!("KeyText(tb_0123…{})", &text[48..]));
    }

    proptest! {
        #[test]
        fn one_wrong_character_never_passes(
            digits in proptest::array::uniform32(0_u8..62), at in 3_usize..52, other in 0_usize..62,
        ) {
            let key = KeyText::from_digits(std::array::from_fn(|index| digits[index % 32]));
            let mut changed = key.reveal().as_bytes().to_vec();
            prop_assume!(changed[at] != DIGITS[other]);
            changed[at] = DIGITS[other];
            prop_assert_eq!(KeyText::parse(std::str::from_utf8(&changed).unwrap()), None);
        }

        #[test]
        fn any_text_is_refused_in_peace(text in "\\PC{0,60}") {
            KeyText::parse(&text);
            KeyText::parse(&format!("tb_{text}"));
        }
    }
}
