//! What a chart shows, as the report has it: no colours, no pixels. How it is drawn is in `option`, how it reads as a
//! table in [`super::table`].

use crate::domain::cost::CostParts;
use crate::domain::money::{NanoUsd, group_thousands};
use crate::domain::report::{ModelShare, ModelUsage, TimePoint};
use crate::domain::tokens::{TokenBucket, format_tokens};

/// One chart's figures. The same value gives the drawing, the sentence and the table, so that they cannot disagree.
#[derive(Clone, Debug, PartialEq)]
pub enum ChartData {
    /// Tokens by bucket and cost over the buckets of a time series.
    UsageOverTime(Vec<TimePoint>),
    /// Each model family's share of the calls.
    UsageByModel(Vec<ModelShare>),
    /// What each model cost, by token bucket; dearest first.
    CostByModel(Vec<ModelUsage>),
    /// Spend per hour of the week, Monday first.
    HourOfWeek(Box<[[NanoUsd; 24]; 7]>),
    /// The running month's spend, added up day by day.
    Forecast { days: Vec<MonthDay>, limit: Option<NanoUsd> },
}

/// Spend from the month's start to the end of a day: what it was, or what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthDay {
    /// As the axis shows it: `24 Nov`.
    pub label: String,
    /// Known for past days and for today.
    pub actual: Option<NanoUsd>,
    /// Known for today and the days to come.
    pub expected: Option<NanoUsd>,
    /// The band around `expected`; where that is unknown these are not read.
    pub low: NanoUsd,
    pub high: NanoUsd,
}

pub const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl ChartData {
    /// Nothing happened, so there is nothing to draw.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::UsageOverTime(points) => points.iter().all(|point| point.tokens == 0 && point.cost_nano_usd.0 == 0),
            Self::UsageByModel(shares) => shares.iter().all(|share| share.calls == 0),
            Self::CostByModel(models) => models.iter().all(|model| model.totals.cost.0 == 0),
            Self::HourOfWeek(cells) => cells.iter().flatten().all(|cost| cost.0 == 0),
            Self::Forecast { days, .. } => days.is_empty(),
        }
    }

    /// What a ring's middle says: the whole that its parts share.
    pub fn whole(&self) -> Option<String> {
        let Self::UsageByModel(shares) = self else { return None };
        let calls = shares.iter().fold(0_u64, |sum, share| sum.saturating_add(share.calls));
        Some(format!("{} calls", group_thousands(calls)))
    }

    /// Where the part that is drawn at `index` stands in the figures. Only a ring has an order of its own.
    pub fn position_of_drawn(&self, index: u32) -> Option<u32> {
        let Self::UsageByModel(shares) = self else { return Some(index) };
        let drawn = *by_calls(shares).get(usize::try_from(index).ok()?)?;
        let position = shares.iter().position(|share| share.model == drawn.model)?;
        u32::try_from(position).ok()
    }

    /// The chart in one sentence, for everyone who does not see it.
    pub fn summary(&self) -> String {
        if self.is_empty() {
            return "No usage in this period.".into();
        }
        match self {
            Self::UsageOverTime(points) => summarise_time(points),
            Self::UsageByModel(shares) => summarise_shares(shares),
            Self::CostByModel(models) => summarise_cost(models),
            Self::HourOfWeek(cells) => summarise_hours(cells),
            Self::Forecast { days, limit } => summarise_forecast(days, *limit),
        }
    }
}

/// The lines of a forecast.
pub const SPENT: &str = "Spent";
pub const EXPECTED: &str = "Expected";
pub const BAND: &str = "Likely range";
pub const LIMIT: &str = "Limit";

/// A piece of what a model cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostPart {
    Bucket(TokenBucket),
    Fees,
}

impl CostPart {
    /// The parts that any of `models` paid for, fees last.
    pub fn used_by(models: &[ModelUsage]) -> Vec<Self> {
        let all = TokenBucket::ALL.into_iter().map(Self::Bucket).chain([Self::Fees]);
        all.filter(|part| models.iter().any(|model| part.of(&model.totals.cost_parts).0 != 0)).collect()
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Bucket(bucket) => bucket.label(),
            Self::Fees => "Tool fees",
        }
    }

    pub fn of(self, parts: &CostParts) -> NanoUsd {
        match self {
            Self::Bucket(bucket) => parts.of(bucket),
            Self::Fees => parts.fees,
        }
    }
}

/// The dearest models: more bars are too thin to read, and the table beside the chart has them all.
pub fn shown_models(models: &[ModelUsage]) -> &[ModelUsage] {
    const MAX_BARS: usize = 8;
    &models[..models.len().min(MAX_BARS)]
}

/// The token buckets that were used at all.
pub fn used_buckets(points: &[TimePoint]) -> Vec<TokenBucket> {
    let is_used = |bucket: &TokenBucket| points.iter().any(|point| point.token_counts.of(*bucket) > 0);
    TokenBucket::ALL.into_iter().filter(is_used).collect()
}

/// Families that made calls, most calls first: the order of a ring and of its key.
pub fn by_calls(shares: &[ModelShare]) -> Vec<&ModelShare> {
    let mut used: Vec<&ModelShare> = shares.iter().filter(|share| share.calls > 0).collect();
    used.sort_by_key(|share| std::cmp::Reverse(share.calls));
    used
}

fn summarise_time(points: &[TimePoint]) -> String {
    let tokens = points.iter().fold(0_u64, |sum, point| sum.saturating_add(point.tokens));
    let cost = sum_of(points.iter().map(|point| point.cost_nano_usd));
    let total = format!("{} tokens for {cost}", format_tokens(tokens));
    match points.iter().max_by_key(|point| point.cost_nano_usd) {
        Some(peak) if peak.cost_nano_usd.0 > 0 => {
            format!("{total}; the dearest was {} with {}.", peak.date, peak.cost_nano_usd)
        }
        _ => format!("{total}."),
    }
}

fn summarise_shares(shares: &[ModelShare]) -> String {
    let Some(first) = shares.iter().max_by_key(|share| share.calls) else { return String::new() };
    format!("{} made the most calls: {:.1} % of them.", first.model, first.percent_of_calls)
}

fn summarise_cost(models: &[ModelUsage]) -> String {
    let Some(first) = models.iter().max_by_key(|model| model.totals.cost) else { return String::new() };
    let cost = first.totals.cost;
    format!("{} cost the most: {cost}, {:.1} % of the spend.", first.model, first.percent_of_cost)
}

fn summarise_hours(cells: &[[NanoUsd; 24]; 7]) -> String {
    let hours = cells
        .iter()
        .enumerate()
        .flat_map(|(day, row)| row.iter().enumerate().map(move |(hour, cost)| (cost, day, hour)));
    let Some((cost, day, hour)) = hours.max_by_key(|(cost, ..)| **cost) else { return String::new() };
    format!("The dearest hour of the week is {} {hour:02}:00 with {cost}.", WEEKDAYS[day])
}

fn summarise_forecast(days: &[MonthDay], limit: Option<NanoUsd>) -> String {
    let spent = days.iter().filter_map(|day| day.actual).next_back().unwrap_or_default();
    let mut sentence = format!("{spent} spent so far");
    if let Some((last, expected)) = days.last().and_then(|day| Some((day, day.expected?))) {
        sentence += &format!("; {expected} expected by {}, between {} and {}", last.label, last.low, last.high);
    }
    if let Some(limit) = limit {
        sentence += &format!("; the limit is {limit}");
    }
    sentence + "."
}

fn sum_of(costs: impl Iterator<Item = NanoUsd>) -> NanoUsd {
    NanoUsd(costs.fold(0, |sum, cost| sum.saturating_add(cost.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::charts::fixtures::{point, share};
    use crate::domain::tokens::TokenCounts;

    #[test]
    fn time_sentence_adds_up_and_names_the_dearest() {
        let tokens = TokenCounts { input: 1_200, output: 300, ..Default::default() };
        let points = vec![
            point("2026-11-23", tokens, NanoUsd(1_500_000_000)),
            point("2026-11-24", tokens, NanoUsd(2_250_000_000)),
        ];
        let sentence = "3.00K tokens for $3.75; the dearest was 2026-11-24 with $2.25.";
        assert_eq!(ChartData::UsageOverTime(points).summary(), sentence);
    }

    #[test]
    fn forecast_sentence_tells_spend_expectation_and_limit() {
        let dollars = |amount: i64| NanoUsd(amount * 1_000_000_000);
        let day =
            |label: &str, actual, expected, low, high| MonthDay { label: label.into(), actual, expected, low, high };
        let days = vec![
            day("29 Nov", Some(dollars(80)), Some(dollars(80)), dollars(80), dollars(80)),
            day("30 Nov", None, Some(dollars(84)), dollars(81), dollars(90)),
        ];
        let sentence =
            "$80.00 spent so far; $84.00 expected by 30 Nov, between $81.00 and $90.00; the limit is $100.00.";
        assert_eq!(ChartData::Forecast { days, limit: Some(dollars(100)) }.summary(), sentence);
    }

    #[test]
    fn nothing_used_is_empty_and_says_so() {
        for data in [
            ChartData::UsageOverTime(vec![point("2026-11-24", TokenCounts::default(), NanoUsd::ZERO)]),
            ChartData::UsageByModel(vec![share("opus", 0, 0.0)]),
            ChartData::HourOfWeek(Box::new([[NanoUsd::ZERO; 24]; 7])),
        ] {
            assert!(data.is_empty());
            assert_eq!(data.summary(), "No usage in this period.");
        }
    }

    #[test]
    fn a_click_on_the_ring_finds_its_family() {
        let data =
            ChartData::UsageByModel(vec![share("opus", 10, 25.0), share("old", 0, 0.0), share("sonnet", 30, 75.0)]);
        assert_eq!(data.position_of_drawn(0), Some(2), "sonnet made the most calls, so it is drawn first");
        assert_eq!(data.position_of_drawn(1), Some(0));
        assert_eq!(data.position_of_drawn(2), None, "nothing is drawn of a family without calls");
    }
}
