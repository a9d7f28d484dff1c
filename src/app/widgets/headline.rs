//! The headline: one sentence that says what was spent, how that compares, and what made it so.

use super::Answer;
use super::whose_chooser::name_of;
use crate::app::format::{Change, change, counted, percent, short_date};
use crate::app::kit::field::Choice;
use crate::domain::query::{Range, UsageQuery};
use crate::domain::report::Summary;
use leptos::prelude::*;

/// `others` are the names of those whose figures it may be about.
#[component]
pub fn Headline(answer: Signal<Answer>, others: Memo<Vec<Choice>>) -> impl IntoView {
    let name = move || answer.with(|answer| others.with(|others| name_of(&answer.question.whose, others)));
    let amount = move || answer.with(|answer| answer.report.summary.total_cost_nano_usd.to_string());
    let rest = move || answer.with(sentence_after_amount);
    let driver = move || answer.with(main_driver);
    view! {
        <p class="headline">
            <strong class="figure">{amount}</strong>
            {move || name().map(|name| view! { " by "<strong>{name}</strong> })}
            {rest}
            {move || driver().map(|(model, share)| view! { " "<strong>{model}</strong>{share} })}
        </p>
    }
    .into_any()
}

fn sentence_after_amount(answer: &Answer) -> String {
    let summary = &answer.report.summary;
    let spent = format!(" {}", range_in_words(&answer.question));
    let unpriced = match summary.unpriced_calls {
        0 => String::new(),
        count => format!(", not counting {} without a known price", counted(count, "call", "calls")),
    };
    let compared = summary.previous.as_deref().map(|before| comparison(summary, before)).unwrap_or_default();
    format!("{spent}{unpriced}{compared}.")
}

fn range_in_words(question: &UsageQuery) -> String {
    match &question.range {
        Range::Day => "today".into(),
        Range::Week => "in the last 7 days".into(),
        Range::Month => "in the last 30 days".into(),
        Range::Year => "in the last year".into(),
        Range::Custom { from, to } if from == to => format!("on {}", short_date(*from)),
        Range::Custom { from, to } => format!("from {} to {}", short_date(*from), short_date(*to)),
    }
}

fn comparison(now: &Summary, before: &Summary) -> String {
    let moved = change(now.total_cost_nano_usd.to_chart_usd(), before.total_cost_nano_usd.to_chart_usd());
    match moved {
        None | Some(Change::New) => String::new(),
        Some(Change::Same) => ", as much as in the period before".into(),
        Some(Change::Up(by)) => format!(", {} more than in the period before", percent(by)),
        Some(Change::Down(by)) => format!(", {} less than in the period before", percent(by)),
    }
}

/// The family that cost the most and how the sentence goes on; none where one family is all there is or nothing was spent.
fn main_driver(answer: &Answer) -> Option<(String, String)> {
    let shares = &answer.report.model_breakdown;
    let first = shares.iter().max_by_key(|share| share.cost_nano_usd)?;
    let is_telling = shares.len() > 1 && first.cost_nano_usd.0 > 0;
    is_telling.then(|| (first.model.clone(), format!(" made {} of it.", percent(first.percent_of_cost))))
}
