//! A small random generator (SplitMix64) whose numbers never change with a library's version: sample data is the same
//! on every machine. Not for secrets.

pub struct Random(u64);

impl Random {
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Any number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// Mostly near `low`, seldom near `high`: the shape of token counts and waiting times.
    pub fn skewed(&mut self, low: u64, high: u64) -> u64 {
        (0..3).map(|_| self.between(low, high)).min().unwrap_or(low)
    }

    pub fn happens(&mut self, permille: u64) -> bool {
        self.next() % 1000 < permille
    }

    /// One of the items, as often as its weight says.
    pub fn pick_weighted<'a, T>(&mut self, items: &'a [(u64, T)]) -> &'a T {
        let mut left = self.next() % items.iter().map(|(weight, _)| weight).sum::<u64>();
        for (weight, item) in items {
            if left < *weight {
                return item;
            }
            left -= weight;
        }
        &items[items.len() - 1].1
    }
}
