//! The budgets beside the first one: each a small card with what it counts, where its period stands, what happens at its
//! limit, and the way to change or delete it. Works without scripts.

use super::budget_hindsight::HindsightList;
use crate::app::format::{capitalised, counted, day_and_month, percent};
use crate::app::kit::card::Card;
use crate::app::kit::icon::{Icon, IconView};
use crate::app::kit::notice::{Level, Notice, Pill};
use crate::app::server_fns::budgets::{DeleteBudget, ShownBudget, ShownRaise};
use crate::domain::budget::{AtLimit, BudgetStanding};
use crate::domain::query::percent_encode;
use leptos::form::ActionForm;
use leptos::prelude::*;

#[component]
pub fn BudgetListCard(
    budgets: Vec<ShownBudget>,
    delete: ServerAction<DeleteBudget>,
    /// One of them was just made, changed or deleted.
    came_from_changing: Memo<bool>,
) -> impl IntoView {
    let none = budgets.is_empty().then(|| {
        view! {
            <p class="quiet">
                "None yet. A budget can count one project, one key or one model, by day, week or month, and refuse calls at its limit."
            </p>
        }
    });
    let outcome = move || match delete.value().get() {
        Some(Err(error)) => {
            Some(view! { <Notice level=Level::Critical word="Not deleted." message=error.to_string()/> }.into_any())
        }
        None if !came_from_changing.get() => None,
        _ if delete.pending().get() => None,
        _ => Some(
            view! { <p class="form-saved level-good"><IconView icon=Icon::Check/>"Done. This is what holds now."</p> }
                .into_any(),
        ),
    };
    let items = budgets.into_iter().map(|budget| view! { <BudgetItem budget delete/> }).collect_view();
    view! {
        <Card id="more-budgets" title="More budgets"
            aside=|| view! { <a class="button button-plain" href="/budgets?edit=new#budget-edit">"Add a budget"</a> }>
            {none}
            <ul class="budget-list">{items}</ul>
            <div class="list-outcome" role="status">{outcome}</div>
        </Card>
    }
    .into_any()
}

#[component]
fn BudgetItem(budget: ShownBudget, delete: ServerAction<DeleteBudget>) -> impl IntoView {
    let ShownBudget { id, name, counts, period, time_zone, thresholds, at_limit, raise, standing, crossings } = budget;
    let level = level_of(&standing, &thresholds);
    let pill = pill_label(&standing, at_limit).map(|label| view! { <Pill level=Level::Critical label/> });
    let unpriced = (standing.unpriced_calls > 0)
        .then(|| format!(" · {} unpriced", counted(standing.unpriced_calls, "call", "calls")));
    let told = match crossings.len() {
        0 => "Would not have fired in the last 30 days".to_owned(),
        days => format!("Would have fired on {} of the last 30", counted(days as u64, "day", "days")),
    };
    let edit = format!("/budgets?edit={}#budget-edit", percent_encode(&id));
    let (edit_label, delete_label) = (format!("Change {name}"), format!("Delete {name}"));
    view! {
        <li class="budget-item">
            <div class="budget-item-head">
                <h3>{name}</h3>
                {pill}
            </div>
            <p class="quiet small">{counts}{format!(" · {}, {time_zone}", capitalised(period.adverb()))}</p>
            <div class="budget-figures">
                <p>
                    <strong class="budget-item-spent figure">{standing.spent_formatted.clone()}</strong>
                    <span class="quiet">{format!(" of {}", standing.limit_formatted)}{unpriced}</span>
                </p>
                <p class="figure">{percent(standing.percent_used)}</p>
            </div>
            <SmallBar standing=standing.clone() thresholds level/>
            <p class="small quiet">{at_limit_sentence(at_limit)}</p>
            {raise.map(|raise| view! { <p class="small">{raise_sentence(&raise)}</p> })}
            <details class="hindsight">
                <summary>{told}</summary>
                <HindsightList crossings period at_limit/>
            </details>
            <div class="budget-item-foot">
                <a class="button button-plain" href=edit aria-label=edit_label>"Change"</a>
                <details class="confirm">
                    <summary class="button button-plain" aria-label=delete_label>"Delete…"</summary>
                    <ActionForm action=delete attr:class="confirm-body">
                        <input type="hidden" name="id" value=id/>
                        <p class="small">"It stops counting and blocking at once. What was recorded stays."</p>
                        <button class="button button-danger" aria-busy=move || delete.pending().get().then_some("true")>"Delete it"</button>
                    </ActionForm>
                </details>
            </div>
        </li>
    }
    .into_any()
}

/// Spent of the limit with a mark at each threshold. Overspending moves the limit's mark to the left.
#[component]
fn SmallBar(standing: BudgetStanding, thresholds: Vec<u32>, level: Level) -> impl IntoView {
    let whole = standing.percent_used.max(100.0);
    let at = move |percent: f64| format!("{:.2}%", (percent / whole * 100.0).clamp(0.0, 100.0));
    let marks = thresholds.into_iter().filter(|threshold| *threshold < 100).map(|threshold| {
        let place = at(f64::from(threshold));
        view! { <line class="bar-tick" x1=place.clone() x2=place y1="2" y2="16"></line> }
    });
    let limit = (standing.percent_used > 100.0)
        .then(|| view! { <line class="bar-limit" x1=at(100.0) x2=at(100.0) y1="0" y2="18"></line> });
    let summary = format!(
        "{} of {} spent, {}, with {} of the period passed.",
        standing.spent_formatted,
        standing.limit_formatted,
        percent(standing.percent_used),
        percent(standing.percent_of_period)
    );
    view! {
        <svg class=format!("small-bar {}", level.class()) width="100%" height="18" role="img" aria-label=summary>
            <rect class="bar-track" x="0" y="4" width="100%" height="10" rx="4"></rect>
            <rect class="bar-spent" x="0" y="4" width=at(standing.percent_used) height="10" rx="4"></rect>
            {marks.collect_view()}
            {limit}
        </svg>
    }
}

/// Amber above the last threshold, red from the limit on.
fn level_of(standing: &BudgetStanding, thresholds: &[u32]) -> Level {
    match standing.percent_used {
        used if used >= 100.0 => Level::Critical,
        used if thresholds.last().is_some_and(|last| used >= f64::from(*last)) => Level::Warning,
        _ => Level::Good,
    }
}

fn pill_label(standing: &BudgetStanding, at_limit: AtLimit) -> Option<&'static str> {
    match at_limit {
        AtLimit::Block if standing.percent_used >= 100.0 => Some("Refuses calls"),
        _ if standing.is_over_budget => Some("Over budget"),
        _ => None,
    }
}

fn at_limit_sentence(at_limit: AtLimit) -> &'static str {
    match at_limit {
        AtLimit::Notify => "At 100 % calls go on.",
        AtLimit::Block => "At 100 % the gateway refuses calls.",
    }
}

fn raise_sentence(raise: &ShownRaise) -> String {
    format!("Raised until the end of {}; then {} again.", day_and_month(&raise.until), raise.usual_limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::NanoUsd;

    fn standing(percent_used: f64) -> BudgetStanding {
        BudgetStanding {
            spent: 0,
            spent_formatted: String::new(),
            limit: 0,
            limit_formatted: String::new(),
            remaining: 0,
            remaining_formatted: String::new(),
            percent_used,
            is_over_budget: percent_used > 100.0,
            spent_nano_usd: NanoUsd::ZERO,
            limit_nano_usd: NanoUsd::ZERO,
            remaining_nano_usd: NanoUsd::ZERO,
            period_start: String::new(),
            period_end: String::new(),
            percent_of_period: 50.0,
            unpriced_calls: 0,
        }
    }

    #[test]
    fn the_bar_turns_amber_at_the_last_threshold_and_red_at_the_limit() {
        for (used, thresholds, level) in [
            (74.9, &[50, 75][..], Level::Good),
            (75.0, &[50, 75], Level::Warning),
            (99.9, &[], Level::Good),
            (100.0, &[], Level::Critical),
        ] {
            assert_eq!(level_of(&standing(used), thresholds), level, "{used} {thresholds:?}");
        }
    }

    #[test]
    fn what_is_spent_is_said_in_the_words_of_what_follows() {
        assert_eq!(pill_label(&standing(100.0), AtLimit::Block), Some("Refuses calls"));
        assert_eq!(pill_label(&standing(100.0), AtLimit::Notify), None);
        assert_eq!(pill_label(&standing(100.1), AtLimit::Notify), Some("Over budget"));
        let raise = ShownRaise { usual_limit: "$10.00".into(), until: "2026-11-30".into() };
        assert_eq!(raise_sentence(&raise), "Raised until the end of 30 November; then $10.00 again.");
    }
}
