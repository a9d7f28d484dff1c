//! TheBridge's projection: the daily average of a period × 30. The better guess is in [`super::forecast`].

use super::money::{NanoUsd, format_cost};
use super::report::UsageTotals;
use super::tokens::format_tokens;
use serde::{Deserialize, Serialize};

/// A month of the projection, in days.
const MONTH_DAYS: u64 = 30;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Projection {
    pub monthly_calls: u64,
    pub monthly_tokens: u64,
    pub monthly_tokens_formatted: String,
    /// Cents.
    pub monthly_cost: i64,
    pub monthly_cost_formatted: String,
    pub monthly_cost_nano_usd: NanoUsd,
    pub daily_average: DailyAverage,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DailyAverage {
    /// One decimal.
    pub calls: f64,
    pub tokens: u64,
    pub tokens_formatted: String,
    /// Cents.
    pub cost: i64,
    pub cost_formatted: String,
}

/// What a month of such days comes to: TheBridge's `projectMonthlyCost`. `days` is how many days the totals were made in;
/// none give a projection of zero. Each figure is taken from the exact total and rounded once, half up. Costs are cents, the
/// exact one nano-dollars; amounts out of range stop at the largest one.
///
/// ```
/// use tollbridge::{NanoUsd, domain::report::UsageTotals, project_monthly_cost};
/// let week = UsageTotals { calls: 70, cost: NanoUsd(7_000_000_000), ..Default::default() };
/// let projection = project_monthly_cost(&week, 7);
/// assert_eq!((projection.monthly_calls, projection.monthly_cost_formatted.as_str()), (300, "$30.00"));
/// ```
pub fn project(totals: &UsageTotals, days: u32) -> Projection {
    let tokens = totals.tokens.total();
    let monthly_tokens = times_over(tokens, MONTH_DAYS, days);
    let monthly_cost = cost_over(totals.cost, MONTH_DAYS, days);
    let daily_tokens = times_over(tokens, 1, days);
    let daily_cost = cost_over(totals.cost, 1, days);
    Projection {
        monthly_calls: times_over(totals.calls, MONTH_DAYS, days),
        monthly_tokens,
        monthly_tokens_formatted: format_tokens(monthly_tokens),
        monthly_cost: monthly_cost.to_cents(),
        monthly_cost_formatted: format_cost(monthly_cost),
        monthly_cost_nano_usd: monthly_cost,
        daily_average: DailyAverage {
            calls: times_over(totals.calls, 10, days) as f64 / 10.0,
            tokens: daily_tokens,
            tokens_formatted: format_tokens(daily_tokens),
            cost: daily_cost.to_cents(),
            cost_formatted: format_cost(daily_cost),
        },
    }
}

/// count × times ÷ days, half up; saturating.
fn times_over(count: u64, times: u64, days: u32) -> u64 {
    if days == 0 {
        return 0;
    }
    let days = u128::from(days);
    let rounded = (u128::from(count) * u128::from(times) * 2 + days) / (days * 2);
    u64::try_from(rounded).unwrap_or(u64::MAX)
}

fn cost_over(cost: NanoUsd, times: u64, days: u32) -> NanoUsd {
    let nanos = times_over(cost.0.unsigned_abs(), times, days);
    let amount = i64::try_from(nanos).unwrap_or(i64::MAX);
    NanoUsd(if cost.0 < 0 { -amount } else { amount })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tokens::TokenCounts;

    fn totals(calls: u64, output: u64, nanos: i64) -> UsageTotals {
        let tokens = TokenCounts { output, ..Default::default() };
        UsageTotals { calls, tokens, cost: NanoUsd(nanos), ..Default::default() }
    }

    #[test]
    fn a_week_is_projected_to_thirty_days() {
        // $12.34 in 7 days: $1.762857… a day, $52.885714… a month.
        let projection = project(&totals(100, 7_000_000, 12_340_000_000), 7);
        assert_eq!(projection.monthly_calls, 429, "428.57 rounded");
        assert_eq!((projection.monthly_tokens, projection.monthly_tokens_formatted.as_str()), (30_000_000, "30.0M"));
        assert_eq!(projection.monthly_cost_nano_usd, NanoUsd(52_885_714_286));
        assert_eq!((projection.monthly_cost, projection.monthly_cost_formatted.as_str()), (5_289, "$52.89"));
        let average = projection.daily_average;
        assert_eq!((average.calls, average.tokens, average.cost), (14.3, 1_000_000, 176));
        assert_eq!((average.tokens_formatted.as_str(), average.cost_formatted.as_str()), ("1.00M", "$1.76"));
    }

    #[test]
    fn no_days_project_nothing() {
        let projection = project(&totals(100, 7_000_000, 12_340_000_000), 0);
        assert_eq!((projection.monthly_calls, projection.monthly_tokens, projection.monthly_cost), (0, 0, 0));
        assert_eq!(projection.daily_average.calls, 0.0);
    }

    #[test]
    fn the_largest_totals_do_not_overflow() {
        let projection = project(&totals(u64::MAX, u64::MAX, i64::MAX), 1);
        assert_eq!((projection.monthly_calls, projection.monthly_cost_nano_usd), (u64::MAX, NanoUsd(i64::MAX)));
    }
}
