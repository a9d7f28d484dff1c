//! What a call costs: tokens times a price card, exactly. The rates come from [`crate::domain::price`].

use super::money::NanoUsd;
use super::tokens::TokenBucket;
use serde::{Deserialize, Serialize};

/// The cost of a call, or a sum of calls, split by token bucket; the parts add up to the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CostParts {
    pub input: NanoUsd,
    #[serde(rename = "cacheWrite5m")]
    pub cache_write_5m: NanoUsd,
    #[serde(rename = "cacheWrite1h")]
    pub cache_write_1h: NanoUsd,
    pub cache_read: NanoUsd,
    pub output: NanoUsd,
    pub thinking: NanoUsd,
    /// Tool fees, such as web search.
    pub fees: NanoUsd,
}

impl CostParts {
    pub fn of(&self, bucket: TokenBucket) -> NanoUsd {
        match bucket {
            TokenBucket::Input => self.input,
            TokenBucket::CacheWrite5m => self.cache_write_5m,
            TokenBucket::CacheWrite1h => self.cache_write_1h,
            TokenBucket::CacheRead => self.cache_read,
            TokenBucket::Output => self.output,
            TokenBucket::Thinking => self.thinking,
        }
    }
}
