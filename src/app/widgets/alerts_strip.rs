//! What needs looking at: crossed budget thresholds and anomalies, the worst first. Nothing at all when all is well.

use crate::app::kit::icon::{Icon, IconView};
use crate::app::kit::notice::{Level, Notice};
use crate::app::widgets::alert_list::word_of;
use crate::domain::alert::AlertKind;
use crate::domain::anomaly::Anomaly;
use crate::domain::budget::{AlertLevel, BudgetAlert};
use crate::domain::report::UsageReport;
use leptos::prelude::*;

/// One line of the strip.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    level: Level,
    word: &'static str,
    message: String,
    evidence: (String, &'static str),
}

#[component]
pub fn AlertsStrip(report: Signal<UsageReport>) -> impl IntoView {
    move || {
        let mut lines = report.with(lines_of);
        let folded = lines.split_off(lines.len().min(shown_at_once(&lines)));
        let more = (!folded.is_empty()).then(|| {
            let label = format!("{} more", folded.len());
            view! {
                <details class="notice-more">
                    <summary><IconView icon=Icon::ChevronRight/>{label}</summary>
                    {folded.into_iter().map(line_view).collect_view()}
                </details>
            }
        });
        (!lines.is_empty()).then(|| {
            view! {
                <section class="alerts" aria-label="Alerts">
                    {lines.into_iter().map(line_view).collect_view()}
                    {more}
                    <a class="notice-link alerts-all" href="/alerts">"All alerts"</a>
                </section>
            }
        })
    }
}

fn line_view(line: Line) -> impl IntoView {
    view! { <Notice level=line.level word=line.word message=line.message evidence=Some(line.evidence)/> }
}

/// Lower budget thresholds say again what the highest one says, so only the first budget line stands in the open.
fn lines_of(report: &UsageReport) -> Vec<Line> {
    let mut budget: Vec<Line> = report.alerts.iter().map(budget_line).collect();
    budget.sort_by_key(|line| std::cmp::Reverse(line.level));
    let repeated = budget.split_off(budget.len().min(1));
    let mut lines = budget;
    lines.extend(report.anomalies.iter().map(anomaly_line));
    lines.sort_by_key(|line| std::cmp::Reverse(line.level));
    lines.extend(repeated);
    lines
}

fn shown_at_once(lines: &[Line]) -> usize {
    let budget_lines = lines.iter().filter(|line| line.word == BUDGET).count();
    (lines.len() - budget_lines.saturating_sub(1)).min(3)
}

const BUDGET: &str = "Budget";

fn budget_line(alert: &BudgetAlert) -> Line {
    let level = Level::of_alert(alert.level);
    Line { level, word: BUDGET, message: alert.message.clone(), evidence: ("#budget".into(), "See the budget") }
}

fn anomaly_line(anomaly: &Anomaly) -> Line {
    let level = Level::of_alert(AlertLevel::of_severity(anomaly.severity));
    let word = word_of(AlertKind::of_anomaly(anomaly.kind));
    Line { level, word, message: anomaly.description.clone(), evidence: ("?range=day".into(), "See today by the hour") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(level: AlertLevel, threshold: u32) -> BudgetAlert {
        BudgetAlert {
            level,
            threshold,
            current_spend: 9_500,
            budget_limit: 10_000,
            percent_used: 95.0,
            message: String::new(),
        }
    }

    #[test]
    fn lower_thresholds_are_folded_behind_the_highest() {
        let budget = [alert(AlertLevel::Critical, 90), alert(AlertLevel::Warning, 75), alert(AlertLevel::Info, 50)];
        let lines: Vec<Line> = budget.iter().map(budget_line).collect();
        assert_eq!(shown_at_once(&lines), 1);
        assert_eq!(shown_at_once(&[]), 0);
    }
}
