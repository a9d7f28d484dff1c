//! A digest: what was spent in the days before it, and the alerts that waited for it.

use super::{Fact, MAX_FACTS, Notification, Topic, count_by_level, counted, level_word};
use crate::domain::budget::{AlertLevel, NamedBudget, percent_used};
use crate::domain::channel::DigestPeriod;
use crate::domain::money::{NanoUsd, format_cost, group_thousands};
use crate::domain::query::{Range, UsageQuery};
use chrono::{Datelike, NaiveDate};

const MODELS: usize = 3;
/// Those of which most is spent. With the other figures they leave room for four alerts.
const BUDGETS: usize = 2;

/// What was spent in the days that a digest tells of.
#[derive(Clone, Debug, PartialEq)]
pub struct DigestFigures {
    pub period: DigestPeriod,
    /// Whose days they are: an IANA name.
    pub time_zone: String,
    pub spent: NanoUsd,
    pub calls: u64,
    /// Calls whose cost is not known, so that at least the amount was spent.
    pub unpriced_calls: u64,
    /// In as many days just before.
    pub spent_before: NanoUsd,
    /// Models and their cost, the dearest first.
    pub models: Vec<(String, NanoUsd)>,
    pub budgets: Vec<BudgetLine>,
}

/// Where a budget stands when the digest is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetLine {
    pub name: String,
    pub spent: NanoUsd,
    pub limit: NanoUsd,
    pub percent_used: f64,
}

impl BudgetLine {
    pub fn of(budget: &NamedBudget, spent: NanoUsd, now_ms: i64) -> Self {
        let limit = budget.limit_at(now_ms);
        Self { name: budget.name.clone(), spent, limit, percent_used: percent_used(spent, limit) }
    }
}

impl Notification {
    /// The figures, if there are some to tell, and then the alerts that waited, the worst first. None of nothing.
    pub fn digest(figures: Option<&DigestFigures>, notifications: &[Self], now_ms: i64) -> Option<Self> {
        if figures.is_none() && notifications.is_empty() {
            return None;
        }
        let mut facts = figures.map(facts_of).unwrap_or_default();
        facts.extend(alert_facts(notifications, MAX_FACTS - facts.len()));
        let told = (!notifications.is_empty()).then(|| count_by_level(notifications));
        let sentence = figures.map(sentence_of).into_iter().chain(told).collect::<Vec<_>>().join(" ");
        Some(Self {
            topic: Topic::Digest,
            level: notifications.iter().map(|one| one.level).max().unwrap_or(AlertLevel::Info),
            title: title_of(figures, notifications.len()),
            sentence,
            facts,
            link: Some(figures.map_or_else(|| "/alerts".into(), DigestFigures::overview_path)),
            occurred_at_ms: now_ms,
            alert_id: None,
        })
    }
}

impl DigestFigures {
    /// The Overview of the very days.
    fn overview_path(&self) -> String {
        let range = Range::Custom { from: self.period.from, to: self.period.to };
        let query = UsageQuery { range, time_zone: Some(self.time_zone.clone()), ..UsageQuery::default() };
        format!("/?{}", query.to_query_string())
    }

    fn spent_words(&self) -> String {
        let at_least = if self.unpriced_calls > 0 { "At least " } else { "" };
        format!("{at_least}{}", format_cost(self.spent))
    }
}

/// `$12.30 on 9 March 2026, 2 alerts`
fn title_of(figures: Option<&DigestFigures>, alerts: usize) -> String {
    let counted = match alerts {
        0 => None,
        1 => Some("1 alert".to_owned()),
        many => Some(format!("{many} alerts")),
    };
    match (figures, counted) {
        (Some(figures), counted) => {
            let spent = format!("{} {}", figures.spent_words(), days_of(figures.period));
            [Some(spent), counted].into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
        (None, counted) => format!("{} since the last digest", counted.unwrap_or_default()),
    }
}

fn days_of(DigestPeriod { from, to, .. }: DigestPeriod) -> String {
    let full = |date: NaiveDate| date.format("%-d %B %Y").to_string();
    if from == to {
        return format!("on {}", full(to));
    }
    let begin = match (from.year() == to.year(), from.month() == to.month()) {
        (true, true) => from.format("%-d").to_string(),
        (true, false) => from.format("%-d %B").to_string(),
        _ => full(from),
    };
    format!("from {begin} to {}", full(to))
}

/// `1,204 calls, 12 % more than the day before.`
fn sentence_of(figures: &DigestFigures) -> String {
    if figures.calls == 0 {
        return "No calls.".into();
    }
    let calls = counted(figures.calls, "call");
    let before = if figures.period.from == figures.period.to { "the day before" } else { "the week before" };
    let (now, then) = (figures.spent.0, figures.spent_before.0);
    if then <= 0 {
        return format!("{calls}; nothing was spent {before}.");
    }
    let percent = (i128::from(now) - i128::from(then)) * 100 / i128::from(then);
    match percent {
        0 => format!("{calls}, about as much as {before}."),
        1.. => format!("{calls}, {percent} % more than {before}."),
        _ => format!("{calls}, {} % less than {before}.", -percent),
    }
}

fn facts_of(figures: &DigestFigures) -> Vec<Fact> {
    let before = if figures.period.from == figures.period.to { "The day before" } else { "The week before" };
    let mut facts = vec![
        Fact::new("Spent", figures.spent_words()),
        Fact::new(before, format_cost(figures.spent_before)),
        Fact::new("Calls", group_thousands(figures.calls)),
    ];
    if figures.unpriced_calls > 0 {
        facts.push(Fact::new("Calls without a price", group_thousands(figures.unpriced_calls)));
    }
    let models = figures.models.iter().take(MODELS);
    facts.extend(models.map(|(model, cost)| Fact::new("Model", format!("{model} · {}", format_cost(*cost)))));
    let mut budgets: Vec<&BudgetLine> = figures.budgets.iter().collect();
    budgets.sort_by(|a, b| b.percent_used.total_cmp(&a.percent_used));
    facts.extend(budgets.into_iter().take(BUDGETS).map(|budget| {
        let (spent, limit) = (format_cost(budget.spent), format_cost(budget.limit));
        Fact::new(&budget.name, format!("{spent} of {limit} ({:.1} %)", budget.percent_used))
    }));
    facts
}

fn alert_facts(notifications: &[Notification], room: usize) -> Vec<Fact> {
    let mut sorted: Vec<&Notification> = notifications.iter().collect();
    sorted.sort_by_key(|one| (std::cmp::Reverse(one.level), one.occurred_at_ms));
    // The last line says how many are left out.
    let shown = if sorted.len() > room { room - 1 } else { sorted.len() };
    let mut facts: Vec<Fact> =
        sorted.iter().take(shown).map(|one| Fact::new(level_word(one.level), &one.title)).collect();
    if shown < sorted.len() {
        facts.push(Fact::new("More", format!("and {} others", sorted.len() - shown)));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(level: AlertLevel, title: &str) -> Notification {
        Notification { level, title: title.into(), ..Notification::test("here", 0) }
    }

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn figures() -> DigestFigures {
        let cents = |cents: i64| NanoUsd(cents * 10_000_000);
        DigestFigures {
            period: DigestPeriod { at_ms: 7, from: date("2026-03-09"), to: date("2026-03-09") },
            time_zone: "Europe/Berlin".into(),
            spent: cents(1_230),
            calls: 1_204,
            unpriced_calls: 0,
            spent_before: cents(1_000),
            models: ["a", "b", "c", "d"].map(|name| (name.to_owned(), cents(300))).into(),
            budgets: vec![BudgetLine { name: "All".into(), spent: cents(50), limit: cents(100), percent_used: 50.0 }],
        }
    }

    #[test]
    fn alerts_alone_are_told_the_worst_first_and_how_many_are_left_out() {
        let few = [notification(AlertLevel::Info, "half"), notification(AlertLevel::Critical, "over")];
        let digest = Notification::digest(None, &few, 7).unwrap();
        assert_eq!(digest.title, "2 alerts since the last digest");
        assert_eq!(digest.sentence, "1 critical, 1 note.");
        assert_eq!(digest.facts, [Fact::new("Critical", "over"), Fact::new("Note", "half")]);
        assert_eq!(digest.level, AlertLevel::Critical);
        let many = vec![notification(AlertLevel::Warning, "again"); 30];
        let digest = Notification::digest(None, &many, 7).unwrap();
        assert_eq!(digest.facts.len(), MAX_FACTS);
        assert_eq!(digest.facts[MAX_FACTS - 1], Fact::new("More", "and 19 others"));
        assert_eq!(Notification::digest(None, &[], 7), None);
    }

    #[test]
    fn a_day_without_alerts_tells_what_was_spent_and_leads_to_it() {
        let digest = Notification::digest(Some(&figures()), &[], 7).unwrap();
        assert_eq!(digest.title, "$12.30 on 9 March 2026");
        assert_eq!(digest.sentence, "1,204 calls, 23 % more than the day before.");
        assert_eq!(digest.level, AlertLevel::Info);
        assert_eq!(digest.link.as_deref(), Some("/?from=2026-03-09&to=2026-03-09&tz=Europe/Berlin"));
        let lines: Vec<String> = digest.facts.iter().map(|fact| format!("{}: {}", fact.label, fact.value)).collect();
        assert_eq!(
            lines,
            [
                "Spent: $12.30",
                "The day before: $10.00",
                "Calls: 1,204",
                "Model: a · $3.00",
                "Model: b · $3.00",
                "Model: c · $3.00",
                "All: $0.50 of $1.00 (50.0 %)"
            ]
        );
    }

    #[test]
    fn alerts_find_room_beside_the_most_figures_that_there_can_be() {
        let budgets = vec![figures().budgets[0].clone(); 9];
        let full = DigestFigures { unpriced_calls: 4, budgets, ..figures() };
        let many = vec![notification(AlertLevel::Warning, "again"); 30];
        let digest = Notification::digest(Some(&full), &many, 7).unwrap();
        assert_eq!(digest.title, "At least $12.30 on 9 March 2026, 30 alerts");
        assert_eq!(digest.facts.len(), MAX_FACTS);
        assert_eq!(digest.facts[MAX_FACTS - 2], Fact::new("Warning", "again"));
        assert_eq!(digest.facts[MAX_FACTS - 1], Fact::new("More", "and 28 others"));
    }

    #[test]
    fn days_and_changes_read_well() {
        for (from, to, said) in [
            ("2026-03-02", "2026-03-08", "from 2 to 8 March 2026"),
            ("2026-02-23", "2026-03-01", "from 23 February to 1 March 2026"),
            ("2025-12-29", "2026-01-04", "from 29 December 2025 to 4 January 2026"),
        ] {
            assert_eq!(days_of(DigestPeriod { at_ms: 0, from: date(from), to: date(to) }), said);
        }
        let said = |calls, spent, spent_before| {
            let [spent, spent_before] = [spent, spent_before].map(NanoUsd);
            sentence_of(&DigestFigures { calls, spent, spent_before, ..figures() })
        };
        assert_eq!(said(0, 0, 5), "No calls.");
        assert_eq!(said(1, 5, 0), "1 call; nothing was spent the day before.");
        assert_eq!(said(2, 5, 10), "2 calls, 50 % less than the day before.");
        assert_eq!(said(2, 1_001, 1_000), "2 calls, about as much as the day before.");
    }
}
