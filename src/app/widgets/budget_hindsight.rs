//! What a budget would have told in the last 30 days, as sentences: so that thresholds can be chosen that neither sleep nor
//! cry wolf.

use crate::app::format::{counted, day_and_month};
use crate::domain::budget::{AtLimit, BudgetPeriod, CrossingDay};
use leptos::prelude::*;

/// More than these stand behind a click.
const SHOWN_AT_ONCE: usize = 5;

/// The newest first.
#[component]
pub fn HindsightList(crossings: Vec<CrossingDay>, period: BudgetPeriod, at_limit: AtLimit) -> impl IntoView {
    let mut lines: Vec<String> = crossings.iter().rev().map(|crossing| sentence(crossing, period, at_limit)).collect();
    let earlier = lines.split_off(lines.len().min(SHOWN_AT_ONCE));
    let items = |lines: Vec<String>| {
        view! { <ul class="hindsight-list">{lines.into_iter().map(|line| view! { <li>{line}</li> }).collect_view()}</ul> }
    };
    let more = (!earlier.is_empty()).then(|| {
        let label = counted(earlier.len() as u64, "earlier day", "earlier days");
        view! { <details class="hindsight-more"><summary>{label}</summary>{items(earlier)}</details> }
    });
    let none = lines.is_empty().then(|| view! { <p class="quiet small">"Nothing: no threshold was crossed."</p> });
    view! { {none}{(!lines.is_empty()).then(|| items(lines))}{more} }.into_any()
}

/// `24 November: 50 % and 75 % crossed, $78.20 of $100.00 spent in the month.`
fn sentence(crossing: &CrossingDay, period: BudgetPeriod, at_limit: AtLimit) -> String {
    let date = day_and_month(&crossing.date.to_string());
    let percents: Vec<String> = crossing.thresholds.iter().map(|percent| format!("{percent} %")).collect();
    let what = match percents.split_last() {
        None => "the limit reached".into(),
        Some((only, [])) => format!("{only} crossed"),
        Some((last, before)) => format!("{} and {last} crossed", before.join(", ")),
    };
    let (spent, limit, period) = (crossing.spent, crossing.limit, period.name());
    let refused = match at_limit {
        AtLimit::Block if crossing.reaches_limit => " Calls would have been refused from there on.",
        _ => "",
    };
    format!("{date}: {what}, {spent} of {limit} spent in the {period}.{refused}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::NanoUsd;

    fn told(thresholds: &[u32], reaches_limit: bool, at_limit: AtLimit) -> String {
        let crossing = CrossingDay {
            date: "2026-11-24".parse().unwrap(),
            thresholds: thresholds.to_vec(),
            reaches_limit,
            spent: NanoUsd(78_200_000_000),
            limit: NanoUsd(100_000_000_000),
        };
        sentence(&crossing, BudgetPeriod::Week, at_limit)
    }

    #[test]
    fn a_crossing_is_a_sentence_with_its_date_and_amount() {
        assert_eq!(
            told(&[50], false, AtLimit::Block),
            "24 November: 50 % crossed, $78.20 of $100.00 spent in the week."
        );
        assert_eq!(
            told(&[50, 75, 90], false, AtLimit::Notify),
            "24 November: 50 %, 75 % and 90 % crossed, $78.20 of $100.00 spent in the week."
        );
    }

    #[test]
    fn a_limit_that_blocks_says_what_it_would_have_done() {
        assert_eq!(
            told(&[], true, AtLimit::Block),
            "24 November: the limit reached, $78.20 of $100.00 spent in the week. Calls would have been refused from there \
             on."
        );
        assert!(told(&[90], true, AtLimit::Notify).ends_with("spent in the week."));
    }
}
