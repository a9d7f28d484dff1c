//! The colours of charts. They are defined once, in style/charts.css, for light and dark; the browser reads them there.

use super::data::CostPart;
use crate::domain::tokens::TokenBucket;

/// How many models have a colour of their own before colours repeat.
pub const SERIES_COLOURS: usize = 8;

/// CSS colours of the theme that is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    pub ink: String,
    pub muted: String,
    pub grid: String,
    pub surface: String,
    pub accent: String,
    pub limit: String,
    /// `--series-1` to `--series-8`, for models.
    pub series: [String; SERIES_COLOURS],
    /// In the order of [`TokenBucket::ALL`].
    pub buckets: [String; TokenBucket::ALL.len()],
    pub fees: String,
    /// From nothing to the most.
    pub heat: [String; 5],
}

impl Palette {
    /// Reads every colour by the name of its custom property.
    pub fn read(colour_of: impl Fn(&str) -> String) -> Self {
        Self {
            ink: colour_of("--chart-ink"),
            muted: colour_of("--chart-muted"),
            grid: colour_of("--chart-grid"),
            surface: colour_of("--chart-surface"),
            accent: colour_of("--chart-accent"),
            limit: colour_of("--chart-limit"),
            series: std::array::from_fn(|index| colour_of(&format!("--series-{}", index + 1))),
            buckets: TokenBucket::ALL.map(|bucket| colour_of(bucket_property(bucket))),
            fees: colour_of("--bucket-fees"),
            heat: std::array::from_fn(|index| colour_of(&format!("--heat-{index}"))),
        }
    }

    pub fn bucket(&self, bucket: TokenBucket) -> &str {
        &self.buckets[bucket as usize]
    }

    pub fn cost_part(&self, part: CostPart) -> &str {
        match part {
            CostPart::Bucket(bucket) => self.bucket(bucket),
            CostPart::Fees => &self.fees,
        }
    }

    /// The colour of a model: see [`model_colour_index`].
    pub fn model(&self, model: &str, all_models: &[&str]) -> &str {
        &self.series[model_colour_index(model, all_models)]
    }
}

/// Which of the series colours (0 to 7) a model has: its place among all names in alphabetical order, so that it does not
/// change when another model becomes dearer. For CSS: `var(--series-{index + 1})`.
pub fn model_colour_index(model: &str, all_models: &[&str]) -> usize {
    all_models.iter().filter(|other| **other < model).count() % SERIES_COLOURS
}

fn bucket_property(bucket: TokenBucket) -> &'static str {
    match bucket {
        TokenBucket::Input => "--bucket-input",
        TokenBucket::CacheWrite5m => "--bucket-cache-write-5m",
        TokenBucket::CacheWrite1h => "--bucket-cache-write-1h",
        TokenBucket::CacheRead => "--bucket-cache-read",
        TokenBucket::Output => "--bucket-output",
        TokenBucket::Thinking => "--bucket-thinking",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_keeps_its_colour_whatever_the_order() {
        let by_cost = ["opus", "sonnet", "haiku"];
        let by_calls = ["haiku", "sonnet", "opus"];
        for (model, index) in [("haiku", 0), ("opus", 1), ("sonnet", 2)] {
            assert_eq!(model_colour_index(model, &by_cost), index);
            assert_eq!(model_colour_index(model, &by_calls), index);
        }
    }

    #[test]
    fn the_ninth_model_starts_over() {
        let models = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        assert_eq!(model_colour_index("h", &models), 7);
        assert_eq!(model_colour_index("i", &models), 0);
    }

    #[test]
    fn every_colour_comes_from_a_property_of_the_style_sheet() {
        let style = include_str!("../../../style/charts.css");
        Palette::read(|property| {
            assert!(style.matches(&format!("{property}:")).count() >= 3, "{property} in light, dark and system dark");
            String::new()
        });
    }
}
