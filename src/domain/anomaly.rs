//! What is unusual today. Here TheBridge's three rules: today against the mean of the seven days before. The robust rule
//! beside them is in [`robust`].

pub mod robust;

use super::money::{NanoUsd, format_cost, group_thousands};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyKind {
    /// Tokens above twice the mean.
    Spike,
    /// Cost above twice the mean.
    HighCost,
    /// Calls above three times the mean.
    UnusualPattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Low,
    Medium,
    High,
}

/// Which rule saw an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnomalyRule {
    /// TheBridge's: today against the mean of the seven days before.
    WeeklyMean,
    /// [`robust::detect`].
    Robust,
}

/// Something that today is far above what is normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anomaly {
    #[serde(rename = "type")]
    pub kind: AnomalyKind,
    pub severity: Severity,
    pub description: String,
    /// Tokens, cents or calls, by kind.
    pub current_value: f64,
    pub normal_value: f64,
    /// Percent above normal.
    pub difference: f64,
}

/// What one day came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayFigures {
    pub tokens: u64,
    pub cost: NanoUsd,
    pub calls: u64,
}

/// One of TheBridge's rules: above which multiple of the mean a figure is worth a word, and above which one it is serious.
struct Rule {
    kind: AnomalyKind,
    noun: &'static str,
    above: u64,
    severity: Severity,
    high_above: u64,
}

/// Above +300 % is above four times, above +500 % above six times the mean.
const RULES: [Rule; 3] = [
    Rule { kind: AnomalyKind::Spike, noun: "tokens", above: 2, severity: Severity::Medium, high_above: 4 },
    Rule { kind: AnomalyKind::HighCost, noun: "cost", above: 2, severity: Severity::Medium, high_above: 4 },
    Rule { kind: AnomalyKind::UnusualPattern, noun: "calls", above: 3, severity: Severity::Low, high_above: 6 },
];

/// What is unusual today. `earlier` are the days before, at most seven, from the first day with any data on: a day
/// without use after that one is there with zeros. Without earlier days, and where their mean is zero, nothing is normal
/// and so nothing unusual.
///
/// The order is tokens, cost, calls. Figures are compared as integers; floats only show them.
pub fn detect(today: &DayFigures, earlier: &[DayFigures]) -> Vec<Anomaly> {
    RULES.iter().filter_map(|rule| check(rule, today, earlier)).collect()
}

fn check(rule: &Rule, today: &DayFigures, earlier: &[DayFigures]) -> Option<Anomaly> {
    let days = i128::try_from(earlier.len()).unwrap_or(i128::MAX);
    let current = figure_of(today, rule.kind);
    let sum: i128 = earlier.iter().map(|day| figure_of(day, rule.kind)).sum();
    // current > n × mean, with both sides times the number of days.
    let is_above = |multiple: u64| current.saturating_mul(days) > sum * i128::from(multiple);
    if days == 0 || sum <= 0 || !is_above(rule.above) {
        return None;
    }
    let difference = (current * days - sum) as f64 * 100.0 / sum as f64;
    let normal = (sum * 2 + days) / (days * 2);
    Some(Anomaly {
        kind: rule.kind,
        severity: if is_above(rule.high_above) { Severity::High } else { rule.severity },
        description: describe(rule, current, normal, difference, earlier.len()),
        current_value: shown(rule.kind, current as f64),
        normal_value: shown(rule.kind, sum as f64 / days as f64),
        difference: (difference * 10.0).round() / 10.0,
    })
}

fn figure_of(day: &DayFigures, kind: AnomalyKind) -> i128 {
    match kind {
        AnomalyKind::Spike => i128::from(day.tokens),
        AnomalyKind::HighCost => i128::from(day.cost.0),
        AnomalyKind::UnusualPattern => i128::from(day.calls),
    }
}

/// Cents for money, fractions of them included: a day of cheap calls is less than one.
fn shown(kind: AnomalyKind, figure: f64) -> f64 {
    match kind {
        AnomalyKind::HighCost => figure / 10_000_000.0,
        AnomalyKind::Spike | AnomalyKind::UnusualPattern => figure,
    }
}

fn describe(rule: &Rule, current: i128, normal: i128, difference: f64, days: usize) -> String {
    let amount = |figure: i128| match rule.kind {
        AnomalyKind::HighCost => format_cost(NanoUsd(i64::try_from(figure).unwrap_or(i64::MAX))),
        AnomalyKind::Spike | AnomalyKind::UnusualPattern => {
            format!("{} {}", group_thousands(u64::try_from(figure).unwrap_or(u64::MAX)), rule.noun)
        }
    };
    let before = if days == 1 { "the day before".to_owned() } else { format!("the mean of the {days} days before") };
    let percent = group_thousands(difference.round() as u64);
    format!("{} today, {percent} % above {before} ({}).", amount(current), amount(normal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(tokens: u64, cents: i64, calls: u64) -> DayFigures {
        DayFigures { tokens, cost: NanoUsd::from_cents(cents).unwrap(), calls }
    }

    fn found(today: DayFigures, earlier: &[DayFigures]) -> Vec<(AnomalyKind, Severity)> {
        detect(&today, earlier).into_iter().map(|anomaly| (anomaly.kind, anomaly.severity)).collect()
    }

    #[test]
    fn exactly_the_multiple_is_still_normal() {
        let earlier = [day(1_000, 100, 10); 7];
        assert_eq!(found(day(2_000, 200, 30), &earlier), []);
        assert_eq!(
            found(day(2_001, 201, 31), &earlier),
            [
                (AnomalyKind::Spike, Severity::Medium),
                (AnomalyKind::HighCost, Severity::Medium),
                (AnomalyKind::UnusualPattern, Severity::Low),
            ]
        );
    }

    #[test]
    fn far_above_is_severe() {
        let earlier = [day(1_000, 100, 10); 7];
        assert_eq!(found(day(4_000, 0, 0), &earlier), [(AnomalyKind::Spike, Severity::Medium)], "+300 % exactly");
        assert_eq!(found(day(4_001, 0, 0), &earlier), [(AnomalyKind::Spike, Severity::High)]);
        assert_eq!(found(day(0, 401, 0), &earlier), [(AnomalyKind::HighCost, Severity::High)]);
        assert_eq!(found(day(0, 0, 60), &earlier), [(AnomalyKind::UnusualPattern, Severity::Low)], "+500 % exactly");
        assert_eq!(found(day(0, 0, 61), &earlier), [(AnomalyKind::UnusualPattern, Severity::High)]);
    }

    #[test]
    fn days_without_use_count_into_the_mean() {
        // 700 over seven days is 100 a day; 201 is more than twice that.
        let mut earlier = [day(0, 0, 0); 7];
        earlier[3] = day(700, 0, 0);
        assert_eq!(found(day(201, 0, 0), &earlier), [(AnomalyKind::Spike, Severity::Medium)]);
        assert_eq!(found(day(200, 0, 0), &earlier), []);
    }

    #[test]
    fn without_a_normal_nothing_is_unusual() {
        assert_eq!(found(day(1_000_000, 1_000, 1_000), &[]), []);
        assert_eq!(found(day(1_000_000, 1_000, 1_000), &[day(0, 0, 0); 7]), []);
    }

    #[test]
    fn the_figures_are_told() {
        let found = detect(&day(60_000, 0, 0), &[day(10_000, 0, 0), day(20_000, 0, 0)]);
        assert_eq!(
            found[0].description,
            "60,000 tokens today, 300 % above the mean of the 2 days before (15,000 tokens)."
        );
        assert_eq!((found[0].current_value, found[0].normal_value, found[0].difference), (60_000.0, 15_000.0, 300.0));

        let found = detect(&day(0, 1_250, 0), &[day(0, 200, 0)]);
        assert_eq!(found[0].description, "$12.50 today, 525 % above the day before ($2.00).");
        assert_eq!((found[0].current_value, found[0].normal_value, found[0].difference), (1_250.0, 200.0, 525.0));
    }

    proptest! {
        #[test]
        fn no_figures_give_anything_but_finite_numbers(
            today in (any::<u64>(), 0..=i64::MAX, any::<u64>()),
            earlier in proptest::collection::vec((any::<u64>(), 0..=i64::MAX, any::<u64>()), 0..=7),
        ) {
            let figures = |(tokens, nanos, calls)| DayFigures { tokens, cost: NanoUsd(nanos), calls };
            let earlier: Vec<DayFigures> = earlier.into_iter().map(figures).collect();
            for anomaly in detect(&figures(today), &earlier) {
                prop_assert!(anomaly.current_value.is_finite() && anomaly.normal_value.is_finite());
                prop_assert!(anomaly.difference >= 100.0 && anomaly.difference.is_finite());
            }
        }
    }
}
