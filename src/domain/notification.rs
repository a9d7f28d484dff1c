//! What somebody is told: one message, the same for every channel. How a channel writes it down is in `watch::notify`.

mod digest;

pub use digest::{BudgetLine, DigestFigures};

use super::alert::{Alert, AlertKind, AlertSubject, Contributor, Dimension, Measured};
use super::budget::AlertLevel;
use super::money::{NanoUsd, format_cost, group_thousands};
use super::recorder_health::LostCalls;
use super::tokens::format_tokens;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const MAX_TITLE_CHARS: usize = 120;
const MAX_SENTENCE_CHARS: usize = 600;
const MAX_FACTS: usize = 12;
const MAX_LABEL_CHARS: usize = 40;
const MAX_VALUE_CHARS: usize = 160;

/// Its JSON is what the outbox keeps, so a new field needs a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    pub topic: Topic,
    pub level: AlertLevel,
    /// A few words: what happened, and how much.
    pub title: String,
    pub sentence: String,
    pub facts: Vec<Fact>,
    /// The path of the page that shows it: `/budgets`.
    pub link: Option<String>,
    pub occurred_at_ms: i64,
    /// The alert that it tells of, if it tells of one.
    #[serde(default)]
    pub alert_id: Option<String>,
}

/// One line of evidence: "Limit", "$100.00".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub label: String,
    pub value: String,
}

/// What a notification is about, as far as a channel can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A budget's threshold was crossed, or will be; or a session spent too fast and was paused.
    Budget,
    /// Usage that is unlike the days before.
    Anomaly,
    /// Tollbridge itself: calls that could not be recorded. For who manages the server.
    Health,
    /// What was spent, and several notifications in one. No channel chooses it.
    Digest,
    /// Somebody pressed the test button. No channel chooses it.
    Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be budget, anomaly or health")]
pub struct UnknownTopic;

impl Notification {
    /// As it may leave the house: no control characters, and nothing longer than every channel can take.
    pub fn trimmed(&self) -> Self {
        let facts = self
            .facts
            .iter()
            .take(MAX_FACTS)
            .map(|fact| Fact { label: trim(&fact.label, MAX_LABEL_CHARS), value: trim(&fact.value, MAX_VALUE_CHARS) });
        Self {
            title: trim(&self.title, MAX_TITLE_CHARS),
            sentence: trim(&self.sentence, MAX_SENTENCE_CHARS),
            facts: facts.collect(),
            link: self.link.as_deref().filter(|link| is_path(link)).map(str::to_owned),
            ..self.clone()
        }
    }

    /// What is told of an alert.
    pub fn of_alert(alert: &Alert) -> Self {
        let kind = alert.subject.kind();
        let mut facts = figures(kind, &alert.evidence.measured);
        facts.extend(alert.evidence.contributors.iter().map(share));
        if alert.evidence.unpriced_calls > 0 {
            facts.push(Fact::new("Calls without a price", alert.evidence.unpriced_calls.to_string()));
        }
        Self {
            topic: if kind.anomaly().is_some() { Topic::Anomaly } else { Topic::Budget },
            level: alert.level,
            title: title_of(alert),
            sentence: alert.message.clone(),
            facts,
            link: Some("/alerts".into()),
            occurred_at_ms: alert.fired_at_ms,
            alert_id: Some(alert.id.clone()),
        }
    }

    /// What is told of calls that could not be recorded; `more` of them nobody was told of yet.
    pub fn of_losses(lost: &LostCalls, more: u64, now_ms: i64) -> Self {
        let what = if more == lost.total() { counted(more, "call") } else { counted(more, "more call") };
        let causes = [
            ("No space was left", lost.spool_full),
            ("The spool could not be written", lost.spool_unavailable),
            ("Faster than can be written", lost.overloaded),
            ("Refused", lost.rejected),
        ];
        let some = causes.into_iter().filter(|(_, calls)| *calls > 0);
        Self {
            topic: Topic::Health,
            level: AlertLevel::Critical,
            title: format!("{what} could not be recorded"),
            sentence: "The provider has answered, and bills, what the figures and budgets here now lack.".into(),
            facts: some.map(|(cause, calls)| Fact::new(cause, counted(calls, "call"))).collect(),
            link: Some("/settings#recording".into()),
            occurred_at_ms: now_ms,
            alert_id: None,
        }
    }

    /// What the test button sends.
    pub fn test(channel_name: &str, now_ms: i64) -> Self {
        Self {
            topic: Topic::Test,
            level: AlertLevel::Info,
            title: "Test from Tollbridge".into(),
            sentence: "If you can read this, alerts will reach you here.".into(),
            facts: vec![Fact::new("Channel", channel_name)],
            link: Some("/alerts/channels".into()),
            occurred_at_ms: now_ms,
            alert_id: None,
        }
    }
}

impl Fact {
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

impl Topic {
    /// Those that a channel can choose.
    pub const CHOICES: [Self; 3] = [Self::Budget, Self::Anomaly, Self::Health];

    pub fn name(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Anomaly => "anomaly",
            Self::Health => "health",
            Self::Digest => "digest",
            Self::Test => "test",
        }
    }
}

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(name: &str) -> Result<Self, UnknownTopic> {
        Self::CHOICES.into_iter().find(|topic| topic.name() == name).ok_or(UnknownTopic)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn title_of(alert: &Alert) -> String {
    match (&alert.subject, &alert.evidence.measured) {
        (AlertSubject::Budget { threshold, .. }, Measured::Spend { budget_name, limit_nano_usd, .. }) => {
            format!("{budget_name}: {threshold} % of {} spent", format_cost(*limit_nano_usd))
        }
        (subject, _) => match subject.kind() {
            AlertKind::Spike => "More tokens than usual".into(),
            AlertKind::HighCost => "A higher cost than usual".into(),
            AlertKind::Runaway => "A session is paused".into(),
            AlertKind::UnusualPattern | AlertKind::Budget => "More calls than usual".into(),
        },
    }
}

fn figures(kind: AlertKind, measured: &Measured) -> Vec<Fact> {
    match measured {
        Measured::Spend { model, spent_nano_usd, limit_nano_usd, percent_used, .. } => {
            let mut facts = vec![
                Fact::new("Spent", format_cost(*spent_nano_usd)),
                Fact::new("Limit", format_cost(*limit_nano_usd)),
                Fact::new("Used", format!("{percent_used:.1} %")),
            ];
            facts.extend(model.as_ref().map(|model| Fact::new("Counts", format!("{model} only"))));
            facts
        }
        Measured::Figure { current_value, normal_value, difference } => vec![
            Fact::new("So far today", figure(kind, *current_value)),
            Fact::new("Usual", figure(kind, *normal_value)),
            Fact::new("Above usual", format!("{difference:.0} %")),
        ],
        Measured::Minute { session_id, spent_nano_usd, limit_nano_usd } => vec![
            Fact::new("Session", session_id),
            Fact::new("Spent within a minute", format_cost(*spent_nano_usd)),
            Fact::new("Limit", format_cost(*limit_nano_usd)),
        ],
    }
}

/// An anomaly's figures are tokens, cents or calls, by its kind.
fn figure(kind: AlertKind, value: f64) -> String {
    match kind {
        AlertKind::Spike => format!("{} tokens", format_tokens(value.max(0.0).round() as u64)),
        AlertKind::HighCost => format_cost(NanoUsd::from_cents(value.round() as i64).unwrap_or_default()),
        AlertKind::UnusualPattern | AlertKind::Budget | AlertKind::Runaway => format!("{value:.0} calls"),
    }
}

fn share(contributor: &Contributor) -> Fact {
    let dimension = match contributor.dimension {
        Dimension::Model => "Model",
        Dimension::Project => "Project",
        Dimension::Session => "Session",
    };
    Fact::new(dimension, format!("{} · {}", contributor.name, format_cost(contributor.cost_nano_usd)))
}

/// The level as people read it.
pub fn level_word(level: AlertLevel) -> &'static str {
    match level {
        AlertLevel::Info => "Note",
        AlertLevel::Warning => "Warning",
        AlertLevel::Critical => "Critical",
    }
}

/// `1 call`, `1,204 calls`.
fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", group_thousands(number))
}

/// `2 critical, 1 warning.`
fn count_by_level(notifications: &[Notification]) -> String {
    let levels = [
        (AlertLevel::Critical, "critical", "critical"),
        (AlertLevel::Warning, "warning", "warnings"),
        (AlertLevel::Info, "note", "notes"),
    ];
    let counted = levels.into_iter().filter_map(|(level, one, many)| {
        match notifications.iter().filter(|notification| notification.level == level).count() {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        }
    });
    format!("{}.", counted.collect::<Vec<_>>().join(", "))
}

/// A path of ours, which a page's address can be put before.
fn is_path(link: &str) -> bool {
    link.starts_with('/') && !link.starts_with("//") && !link.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// In one line, without control characters, and cut at `max_chars` with an ellipsis.
fn trim(text: &str, max_chars: usize) -> String {
    let clean = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean: String = clean.chars().filter(|c| !is_invisible(*c)).collect();
    if clean.chars().count() <= max_chars {
        return clean;
    }
    clean.chars().take(max_chars - 1).chain(['…']).collect()
}

/// Control characters, and those that turn the direction of what follows.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(level: AlertLevel, title: &str) -> Notification {
        Notification { level, title: title.into(), ..Notification::test("here", 0) }
    }

    #[test]
    fn nothing_that_leaves_is_long_or_holds_a_line_break() {
        let long = "a\r\nBcc: x\u{202e}\u{7} ".repeat(400);
        let trimmed = Notification {
            sentence: long.clone(),
            facts: vec![Fact::new(&long, &long); 40],
            link: Some("//evil.example/".into()),
            ..notification(AlertLevel::Info, &long)
        }
        .trimmed();
        assert_eq!(trimmed.title.chars().count(), MAX_TITLE_CHARS);
        assert!(trimmed.title.starts_with("a Bcc: x a Bcc: x") && trimmed.title.ends_with('…'), "{}", trimmed.title);
        assert_eq!(trimmed.facts.len(), MAX_FACTS);
        assert_eq!(trimmed.link, None);
        let json = serde_json::to_string(&trimmed).unwrap();
        assert!(!json.contains("\\r") && !json.contains('\u{202e}') && !json.contains("\\u0007"), "{json}");
        for (link, is_kept) in [("/budgets?a=b", true), ("https://evil.example", false), ("/a b", false)] {
            let with_link = Notification { link: Some(link.into()), ..Notification::test("here", 0) };
            assert_eq!(with_link.trimmed().link.is_some(), is_kept, "{link}");
        }
    }
}
