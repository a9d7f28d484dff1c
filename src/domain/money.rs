//! Money: amounts in integer nano-dollars, rates in integer pico-dollars per token. Nothing here is a float.
//! What a call costs is worked out in [`crate::domain::cost`].

use serde::{Deserialize, Serialize};
use std::fmt;

/// An amount of US dollars in units of 10⁻⁹ dollar. May be negative where it is a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

const NANO_PER_CENT: i64 = 10_000_000;
const NANO_PER_USD: i64 = 1_000_000_000;

impl NanoUsd {
    pub const ZERO: Self = Self(0);

    /// Whole cents as an amount; `None` past ±92 million dollars × 10³.
    pub fn from_cents(cents: i64) -> Option<Self> {
        cents.checked_mul(NANO_PER_CENT).map(Self)
    }

    /// Whole cents, half away from zero: TheBridge's integer amounts.
    pub fn to_cents(self) -> i64 {
        let half = NANO_PER_CENT / 2 * self.0.signum();
        self.0.saturating_add(half) / NANO_PER_CENT
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The exact amount as a decimal string in dollars, without trailing zeros: `"0.0105"`.
    pub fn to_decimal(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let whole = self.0.unsigned_abs() / NANO_PER_USD.unsigned_abs();
        let nanos = self.0.unsigned_abs() % NANO_PER_USD.unsigned_abs();
        if nanos == 0 {
            return format!("{sign}{whole}");
        }
        let fraction = format!("{nanos:09}");
        format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }

    /// Dollars as a float, for charts only: never for sums.
    pub fn to_chart_usd(self) -> f64 {
        self.0 as f64 / NANO_PER_USD as f64
    }

    /// The amount divided evenly over `parts`, half away from zero; zero for no parts.
    pub fn divided_by(self, parts: u64) -> Self {
        if parts == 0 {
            return Self::ZERO;
        }
        let (amount, parts) = (i128::from(self.0), i128::from(parts));
        let rounded = (amount * 2 + amount.signum() * parts) / (parts * 2);
        Self(rounded as i64)
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_cost(*self))
    }
}

/// Money as a person reads it: `$1,204.50`, `$0.42`, `$0.0042`, `< $0.0001`. From one dollar on two decimals, below it
/// up to four.
///
/// ```
/// use tollbridge::{NanoUsd, format_cost};
/// assert_eq!(format_cost(NanoUsd(1_204_500_000_000)), "$1,204.50");
/// assert_eq!(format_cost(NanoUsd(4_200_000)), "$0.0042");
/// ```
pub fn format_cost(cost: NanoUsd) -> String {
    let sign = if cost.0 < 0 { "−" } else { "" };
    let nanos = cost.0.unsigned_abs();
    if nanos == 0 {
        return "$0.00".into();
    }
    if nanos < 100_000 {
        return format!("{sign}< $0.0001");
    }
    let ten_thousandths = (nanos + 50_000) / 100_000;
    if ten_thousandths < 10_000 {
        let fraction = format!("{ten_thousandths:04}");
        let shown = fraction.trim_end_matches('0');
        return format!("{sign}$0.{shown:0<2}");
    }
    let cents = (nanos + 5_000_000) / 10_000_000;
    format!("{sign}${}.{:02}", group_thousands(cents / 100), cents % 100)
}

/// Why a text is no amount of dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    #[error("must be an amount in dollars, such as 100 or 99.50")]
    NotAnAmount,
    #[error("must have at most two digits after the point")]
    TooFine,
    #[error("is too large")]
    TooLarge,
}

/// Reads dollars as a person writes them, in whole cents: `100`, `99.5`, `$1,204.50`.
///
/// A comma counts only between groups of three digits: a decimal comma is refused, not misread.
///
/// # Errors
/// Says what is wrong with the text; a sign is no part of an amount.
pub fn parse_cents(text: &str) -> Result<i64, AmountError> {
    let text = text.trim();
    let text = text.strip_prefix('$').unwrap_or(text).trim_start();
    let (dollars, cents) = text.split_once('.').unwrap_or((text, "00"));
    let digits = ungrouped(dollars).ok_or(AmountError::NotAnAmount)?;
    if cents.is_empty() || !cents.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AmountError::NotAnAmount);
    }
    if cents.len() > 2 {
        return Err(AmountError::TooFine);
    }
    format!("{digits}{cents:0<2}").parse().map_err(|_| AmountError::TooLarge)
}

/// Whole cents as a form shows them, to be read back by [`parse_cents`]: `100.00`.
pub fn cents_to_text(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, (cents % 100).abs())
}

/// The digits of a whole number that may be grouped by commas: `1,204` and `1204`, but not `1,2`.
pub fn ungrouped(number: &str) -> Option<String> {
    let mut groups = number.split(',');
    let first = groups.next()?;
    let is_number = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let is_grouped = number.contains(',');
    let fits = is_number(first)
        && (!is_grouped || first.len() <= 3)
        && groups.all(|group| is_number(group) && group.len() == 3);
    fits.then(|| number.replace(',', ""))
}

/// A whole number with commas between groups of three: `1,204,500`.
pub fn group_thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_round_half_away_from_zero() {
        assert_eq!(NanoUsd(5_000_000).to_cents(), 1);
        assert_eq!(NanoUsd(4_999_999).to_cents(), 0);
        assert_eq!(NanoUsd(-5_000_000).to_cents(), -1);
        assert_eq!(NanoUsd(-4_999_999).to_cents(), 0);
    }

    #[test]
    fn decimal_is_exact_and_short() {
        assert_eq!(NanoUsd(10_500_000).to_decimal(), "0.0105");
        assert_eq!(NanoUsd(-1_000_000_001).to_decimal(), "-1.000000001");
        assert_eq!(NanoUsd(3_000_000_000).to_decimal(), "3");
    }

    #[test]
    fn cost_reads_well_at_every_size() {
        for (nanos, text) in [
            (0, "$0.00"),
            (1, "< $0.0001"),
            (99_999, "< $0.0001"),
            (100_000, "$0.0001"),
            (4_200_000, "$0.0042"),
            (10_500_000, "$0.0105"),
            (420_000_000, "$0.42"),
            (500_000_000, "$0.50"),
            (999_949_999, "$0.9999"),
            (999_950_000, "$1.00"),
            (1_204_500_000_000, "$1,204.50"),
            (-2_000_000_000, "−$2.00"),
        ] {
            assert_eq!(format_cost(NanoUsd(nanos)), text, "{nanos}");
        }
    }

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, cents) in [
            ("100", 10_000),
            ("100.00", 10_000),
            (" $99.5 ", 9_950),
            ("0.07", 7),
            ("$1,204.50", 120_450),
            ("1,000,000", 100_000_000),
            ("0", 0),
        ] {
            assert_eq!(parse_cents(text), Ok(cents), "{text}");
        }
        for text in ["", "$", "-5", "+5", "1e3", "five", "12,50", "1,00", "1234,567", ".5", "5.", "1.2.3", "1 000", "٣"]
        {
            assert_eq!(parse_cents(text), Err(AmountError::NotAnAmount), "{text}");
        }
        assert_eq!(parse_cents("0.005"), Err(AmountError::TooFine));
        assert_eq!(parse_cents("99999999999999999999"), Err(AmountError::TooLarge));
    }

    #[test]
    fn an_amount_reads_back_as_it_was_written() {
        for cents in [0, 7, 9_950, 10_000, 1_000_000_000] {
            assert_eq!(parse_cents(&cents_to_text(cents)), Ok(cents));
        }
        assert_eq!(cents_to_text(9_950), "99.50");
    }

    #[test]
    fn division_rounds_half_away_and_survives_no_parts() {
        assert_eq!(NanoUsd(5).divided_by(2), NanoUsd(3));
        assert_eq!(NanoUsd(-5).divided_by(2), NanoUsd(-3));
        assert_eq!(NanoUsd(5).divided_by(0), NanoUsd::ZERO);
    }
}
