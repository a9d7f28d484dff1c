//! The last 30 days' tokens at other models' prices, beside what was paid.

use super::quote_table::{CostCell, ModelCell, SavingCell, difference_words};
use crate::app::format::{capitalised, counted};
use crate::app::server_fns::calculator::{ModelQuote, MonthElsewhere};
use crate::domain::money::{NanoUsd, group_thousands};
use crate::domain::tokens::format_tokens;
use leptos::prelude::*;

#[component]
pub fn MonthTable(month: MonthElsewhere) -> impl IntoView {
    if month.calls == 0 {
        return view! {
            <div class="card-state">
                <p class="quiet">"Nothing was recorded in the last 30 days."</p>
                <a class="button button-plain" href="/start">"Get started"</a>
            </div>
        }
        .into_any();
    }
    let paid = month.paid;
    let calls = counted(month.calls, "call", "calls");
    let total = month.tokens.total();
    let row = |quote: ModelQuote| {
        view! {
            <tr>
                <th scope="row"><ModelCell model=quote.model card=quote.card/></th>
                <td><CostCell cost=quote.cost is_estimated=quote.is_estimated/></td>
                <td><SavingCell cost=quote.cost measure=Some(paid)/></td>
                <td>{quote.batch_cost.map_or_else(|| "–".into(), |cost| cost.to_string())}</td>
            </tr>
        }
        .into_any()
    };
    let notes = notes_of(&month);
    let sentence = sentence_of(&month);
    view! {
        <p class="card-lead">
            "You paid "<strong class="figure">{paid.to_string()}</strong>" for "{calls}" with "
            <span class="figure" title=group_thousands(total)>{format_tokens(total)}</span>" tokens."
            {sentence.map(|sentence| format!(" {sentence}"))}
        </p>
        <div class="table-box table-box-inner" tabindex="0" role="region" aria-label="Table of quotes for the last 30 days">
            <table class="model-table month-table">
                <thead>
                    <tr>
                        <th scope="col">"Model"</th>
                        <th scope="col">"The same tokens"</th>
                        <th scope="col">"Against what you paid"</th>
                        <th scope="col">"As a batch"</th>
                    </tr>
                </thead>
                <tbody>{month.quotes.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
        <ul class="notes quiet">{notes.into_iter().map(|note| view! { <li>{note}</li> }).collect_view()}</ul>
    }
    .into_any()
}

/// What would have saved the most, if anything.
fn sentence_of(month: &MonthElsewhere) -> Option<String> {
    let cheapest = month.quotes.iter().find(|quote| quote.cost.is_some_and(|cost| cost < month.paid))?;
    let cost = cheapest.cost?;
    Some(format!("On {} they would have cost {cost}, {}.", cheapest.model, difference_words(cost, month.paid)))
}

/// What a reader must know to trust the figures.
fn notes_of(month: &MonthElsewhere) -> Vec<String> {
    let mut notes = vec![
        "Same tokens, other prices: models cut text into tokens differently and answer at different lengths, so a real \
         switch would come out somewhat different."
            .to_owned(),
    ];
    if month.quotes.iter().any(|quote| quote.is_estimated) {
        notes.push(
            "Estimated: the price depends on how long each prompt is; all calls count as of the mean length.".into(),
        );
    }
    if month.unpriced_calls > 0 {
        let calls = counted(month.unpriced_calls, "call has", "calls have");
        notes.push(format!("{} no known price, so you paid more than the figure says.", capitalised(&calls)));
    }
    if month.fees > NanoUsd::ZERO {
        notes.push(format!("Fees for web search ({}) are left out on both sides.", month.fees));
    }
    if month.has_demo_data {
        notes.push("Some of these calls are sample data.".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cost::CostParts;
    use crate::domain::tokens::TokenCounts;

    fn month(paid: i64, costs: &[Option<i64>]) -> MonthElsewhere {
        let quote = |(index, cost): (usize, &Option<i64>)| ModelQuote {
            model: format!("model-{index}"),
            cost: cost.map(NanoUsd),
            parts: CostParts::default(),
            is_estimated: false,
            batch_cost: None,
            card: None,
        };
        MonthElsewhere {
            calls: 3,
            tokens: TokenCounts::default(),
            paid: NanoUsd(paid),
            unpriced_calls: 1,
            fees: NanoUsd::ZERO,
            has_demo_data: false,
            quotes: costs.iter().enumerate().map(quote).collect(),
        }
    }

    #[test]
    fn the_cheapest_model_is_named_only_if_it_is_cheaper() {
        let sentence = sentence_of(&month(10_000_000_000, &[Some(2_500_000_000), Some(5_000_000_000), None]));
        assert_eq!(sentence.as_deref(), Some("On model-0 they would have cost $2.50, 75.0\u{202f}% less."));
        assert_eq!(sentence_of(&month(1, &[Some(2), None])), None);
    }

    #[test]
    fn what_is_missing_is_said() {
        let notes = notes_of(&month(1, &[]));
        assert_eq!(notes[1], "One call has no known price, so you paid more than the figure says.");
    }
}
