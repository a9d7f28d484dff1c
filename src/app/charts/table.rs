//! A chart's figures as a table: for screen readers, for copying, and for browsers without scripts.

use super::data::{ChartData, MonthDay, WEEKDAYS};
use crate::domain::money::{NanoUsd, group_thousands};
use crate::domain::report::{ModelShare, ModelUsage, TimePoint};
use crate::domain::tokens::TokenBucket;

/// Text cells; the first column names the row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChartTable {
    pub headers: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl ChartTable {
    /// The figures of a chart, exact where the drawing rounds.
    pub fn of(data: &ChartData) -> Self {
        match data {
            ChartData::UsageOverTime(points) => time_table(points),
            ChartData::UsageByModel(shares) => share_table(shares),
            ChartData::CostByModel(models) => cost_table(models),
            ChartData::HourOfWeek(cells) => hour_table(cells),
            ChartData::Forecast { days, .. } => forecast_table(days),
        }
    }
}

fn time_table(points: &[TimePoint]) -> ChartTable {
    let buckets = TokenBucket::ALL.iter().map(|bucket| bucket.label());
    let headers = ["Date"].into_iter().chain(buckets).chain(["All tokens", "Calls", "Cost"]);
    let row = |point: &TimePoint| {
        let mut cells = vec![point.date.clone()];
        cells.extend(TokenBucket::ALL.iter().map(|bucket| group_thousands(point.token_counts.of(*bucket))));
        cells.extend([group_thousands(point.tokens), group_thousands(point.calls), point.cost_nano_usd.to_string()]);
        cells
    };
    ChartTable { headers: headers.map(str::to_string).collect(), rows: points.iter().map(row).collect() }
}

fn share_table(shares: &[ModelShare]) -> ChartTable {
    let row = |share: &ModelShare| {
        vec![share.model.clone(), group_thousands(share.calls), format!("{:.1} %", share.percent_of_calls)]
    };
    ChartTable { headers: texts(&["Model", "Calls", "Share of calls"]), rows: shares.iter().map(row).collect() }
}

fn cost_table(models: &[ModelUsage]) -> ChartTable {
    let buckets = TokenBucket::ALL.iter().map(|bucket| bucket.label());
    let headers = ["Model"].into_iter().chain(buckets).chain(["Tool fees", "Cost"]);
    let row = |model: &ModelUsage| {
        let parts = &model.totals.cost_parts;
        let mut cells = vec![model.model.clone()];
        cells.extend(TokenBucket::ALL.iter().map(|bucket| parts.of(*bucket).to_string()));
        cells.extend([parts.fees.to_string(), model.totals.cost.to_string()]);
        cells
    };
    ChartTable { headers: headers.map(str::to_string).collect(), rows: models.iter().map(row).collect() }
}

fn hour_table(cells: &[[NanoUsd; 24]; 7]) -> ChartTable {
    let headers = std::iter::once("Hour".into()).chain(WEEKDAYS.iter().map(|day| day.to_string()));
    let row = |hour: usize| {
        let costs = cells.iter().map(|day| day[hour].to_string());
        std::iter::once(format!("{hour:02}:00")).chain(costs).collect()
    };
    ChartTable { headers: headers.collect(), rows: (0..24).map(row).collect() }
}

fn forecast_table(days: &[MonthDay]) -> ChartTable {
    let row = |day: &MonthDay| {
        let band = day.expected.map(|_| format!("{} – {}", day.low, day.high));
        let amount = |cost: Option<NanoUsd>| cost.map_or("–".into(), |cost| cost.to_string());
        vec![day.label.clone(), amount(day.actual), amount(day.expected), band.unwrap_or("–".into())]
    };
    ChartTable { headers: texts(&["Day", "Spent", "Expected", "Likely range"]), rows: days.iter().map(row).collect() }
}

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::charts::fixtures::{point, share};
    use crate::domain::tokens::TokenCounts;

    #[test]
    fn time_table_has_every_bucket_and_the_sums() {
        let tokens = TokenCounts { input: 1_200, cache_read: 5_000, output: 300, ..Default::default() };
        let table =
            ChartTable::of(&ChartData::UsageOverTime(vec![point("2026-11-24", tokens, NanoUsd(1_500_000_000))]));
        let headers = "Date Input Cache_write_5_min Cache_write_1_h Cache_read Output Thinking All_tokens Calls Cost";
        assert_eq!(table.headers.iter().map(|header| header.replace(' ', "_")).collect::<Vec<_>>().join(" "), headers);
        assert_eq!(table.rows[0].join(" "), "2026-11-24 1,200 0 0 5,000 300 0 6,500 1 $1.50");
    }

    #[test]
    fn every_row_is_as_wide_as_the_headers() {
        let day = MonthDay {
            label: "1 Nov".into(),
            actual: Some(NanoUsd(1_000_000_000)),
            expected: None,
            low: NanoUsd::ZERO,
            high: NanoUsd::ZERO,
        };
        for data in [
            ChartData::UsageOverTime(vec![point("2026-11-24", TokenCounts::default(), NanoUsd::ZERO)]),
            ChartData::UsageByModel(vec![share("opus", 1, 100.0)]),
            ChartData::HourOfWeek(Box::new([[NanoUsd::ZERO; 24]; 7])),
            ChartData::Forecast { days: vec![day], limit: None },
        ] {
            let table = ChartTable::of(&data);
            assert!(!table.rows.is_empty());
            assert!(table.rows.iter().all(|row| row.len() == table.headers.len()), "{data:?}");
        }
    }

    #[test]
    fn a_day_without_forecast_has_no_band() {
        let day = MonthDay {
            label: "1 Nov".into(),
            actual: Some(NanoUsd(2_500_000_000)),
            expected: None,
            low: NanoUsd::ZERO,
            high: NanoUsd::ZERO,
        };
        let table = ChartTable::of(&ChartData::Forecast { days: vec![day], limit: None });
        assert_eq!(table.rows, [["1 Nov", "$2.50", "–", "–"]]);
    }
}
