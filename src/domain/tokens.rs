//! Token counts in disjoint billing buckets. How a provider's usage object becomes one is in `capture::provider`.

use serde::{Deserialize, Serialize};

/// No call has more tokens of a kind than this: 10¹².
pub const MAX_TOKENS: u64 = 1_000_000_000_000;

/// What a call used, in buckets that never overlap, so that their sum is the total. DESIGN's "token counts".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenCounts {
    /// Uncached prompt tokens.
    pub input: u64,
    /// Written to the cache for 5 minutes (or a provider's default time).
    #[serde(rename = "cacheWrite5m")]
    pub cache_write_5m: u64,
    /// Written to the cache for 1 hour (or a provider's longer time).
    #[serde(rename = "cacheWrite1h")]
    pub cache_write_1h: u64,
    /// Read from the cache.
    pub cache_read: u64,
    /// Output as billed: thinking included where the provider includes it.
    pub output: u64,
    /// Thinking that is billed beside `output` (Gemini's thoughts, TheBridge's `thinkingTokens`).
    pub thinking: u64,
    /// How much of `output` was thinking. A memo that is never added up with the rest; unknown is not zero.
    pub output_thinking: Option<u64>,
}

/// The buckets in the order in which every table, chart and breakdown shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenBucket {
    Input,
    #[serde(rename = "cache_write_5m")]
    CacheWrite5m,
    #[serde(rename = "cache_write_1h")]
    CacheWrite1h,
    CacheRead,
    Output,
    Thinking,
}

impl TokenBucket {
    pub const ALL: [Self; 6] =
        [Self::Input, Self::CacheWrite5m, Self::CacheWrite1h, Self::CacheRead, Self::Output, Self::Thinking];

    /// The field's name for it, as in SQL and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::CacheRead => "cache_read",
            Self::Output => "output",
            Self::Thinking => "thinking",
        }
    }

    /// The name a reader sees.
    pub fn label(self) -> &'static str {
        match self {
            Self::Input => "Input",
            Self::CacheWrite5m => "Cache write 5 min",
            Self::CacheWrite1h => "Cache write 1 h",
            Self::CacheRead => "Cache read",
            Self::Output => "Output",
            Self::Thinking => "Thinking",
        }
    }
}

impl TokenCounts {
    pub fn of(&self, bucket: TokenBucket) -> u64 {
        match bucket {
            TokenBucket::Input => self.input,
            TokenBucket::CacheWrite5m => self.cache_write_5m,
            TokenBucket::CacheWrite1h => self.cache_write_1h,
            TokenBucket::CacheRead => self.cache_read,
            TokenBucket::Output => self.output,
            TokenBucket::Thinking => self.thinking,
        }
    }

    /// All tokens of the call; saturating, so that hostile counts cannot wrap.
    pub fn total(&self) -> u64 {
        TokenBucket::ALL.iter().fold(0, |sum, bucket| sum.saturating_add(self.of(*bucket)))
    }

    /// The whole prompt, cache included: what context tiers are tested against.
    pub fn prompt(&self) -> u64 {
        self.input
            .saturating_add(self.cache_write_5m)
            .saturating_add(self.cache_write_1h)
            .saturating_add(self.cache_read)
    }

    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// The counts of both, bucket by bucket.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cache_write_5m: self.cache_write_5m.saturating_add(other.cache_write_5m),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            cache_read: self.cache_read.saturating_add(other.cache_read),
            output: self.output.saturating_add(other.output),
            thinking: self.thinking.saturating_add(other.thinking),
            output_thinking: match (self.output_thinking, other.output_thinking) {
                (None, None) => None,
                (one, two) => Some(one.unwrap_or(0).saturating_add(two.unwrap_or(0))),
            },
        }
    }
}

/// A count as a person reads it, three digits: `999`, `15.6K`, `1.24M`, `2.10B`.
///
/// ```
/// assert_eq!(tollbridge::format_tokens(15_640), "15.6K");
/// ```
pub fn format_tokens(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000, "K"), (1_000_000, "M"), (1_000_000_000, "B"), (1_000_000_000_000, "T")];
    if count < 1_000 {
        return count.to_string();
    }
    let unit = UNITS.iter().rposition(|(size, _)| count >= *size).unwrap_or(0);
    let (size, suffix) = UNITS[unit];
    let decimals = match count / size {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    let rounded = (u128::from(count) * 10_u128.pow(decimals) + u128::from(size) / 2) / u128::from(size);
    match (decimals, rounded) {
        // Rounding made a fourth digit.
        (2, 1_000..) => format!("10.0{suffix}"),
        (1, 1_000..) => format!("100{suffix}"),
        (0, 1_000) if unit + 1 < UNITS.len() => format!("1.00{}", UNITS[unit + 1].1),
        (2, _) => format!("{}.{:02}{suffix}", rounded / 100, rounded % 100),
        (1, _) => format!("{}.{}{suffix}", rounded / 10, rounded % 10),
        _ => format!("{rounded}{suffix}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_well_at_every_size() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.00K"),
            (9_994, "9.99K"),
            (9_996, "10.0K"),
            (15_600, "15.6K"),
            (99_960, "100K"),
            (156_000, "156K"),
            (999_499, "999K"),
            (999_500, "1.00M"),
            (1_240_000, "1.24M"),
            (2_100_000_000, "2.10B"),
            (u64::MAX, "18446744T"),
        ] {
            assert_eq!(format_tokens(count), text, "{count}");
        }
    }

    #[test]
    fn the_thinking_memo_is_not_part_of_the_total() {
        let counts = TokenCounts { output: 100, output_thinking: Some(60), thinking: 5, ..Default::default() };
        assert_eq!(counts.total(), 105);
    }

    #[test]
    fn unknown_thinking_stays_unknown_until_one_side_knows() {
        let unknown = TokenCounts::default();
        let known = TokenCounts { output_thinking: Some(3), ..Default::default() };
        assert_eq!(unknown.plus(&unknown).output_thinking, None);
        assert_eq!(unknown.plus(&known).output_thinking, Some(3));
    }
}
