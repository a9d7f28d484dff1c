//! What the same tokens cost on each model, cheapest first: the whole, what it is made of, as a batch, and what that
//! saves.

use crate::app::format::{percent, short_date};
use crate::app::server_fns::calculator::{ModelQuote, QuoteCard};
use crate::app::state::calculator_address::CalculatorAddress;
use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::tokens::TokenBucket;
use leptos::prelude::*;

/// The answer in one sentence.
#[component]
pub fn QuoteHeadline(address: CalculatorAddress, quotes: Vec<ModelQuote>) -> impl IntoView {
    let priced: Vec<(&ModelQuote, NanoUsd)> = quotes.iter().filter_map(|quote| Some((quote, quote.cost?))).collect();
    let (Some((cheapest, low)), Some((dearest, high))) = (priced.first(), priced.last()) else {
        return view! { <p class="headline">"Choose models and tokens to compare what a call costs."</p> }.into_any();
    };
    if high.0 == 0 || address.tokens().is_err() {
        return view! { <p class="headline">"Choose models and tokens to compare what a call costs."</p> }.into_any();
    }
    let difference = (low != high).then(|| {
        view! { ", "<strong>{difference_words(*low, *high)}</strong>" than on "<strong>{dearest.model.clone()}</strong>" ("<span class="figure">{high.to_string()}</span>")" }
    });
    view! {
        <p class="headline">
            "This call costs "<strong class="figure">{low.to_string()}</strong>" on "<strong>{cheapest.model.clone()}</strong>{difference}"."
        </p>
    }
    .into_any()
}

#[component]
pub fn QuoteTable(address: CalculatorAddress, quotes: Vec<ModelQuote>) -> impl IntoView {
    let tokens = address.tokens().unwrap_or_default();
    let used: Vec<TokenBucket> = TokenBucket::ALL.into_iter().filter(|bucket| tokens.of(*bucket) > 0).collect();
    let dearest = quotes.iter().filter_map(|quote| quote.cost).max().unwrap_or_default();
    let measure = match &address.against {
        Some(model) => quotes.iter().find(|quote| quote.model == *model).and_then(|quote| quote.cost),
        None => Some(dearest),
    };
    let saving_head =
        address.against.map_or_else(|| "Against the dearest".to_owned(), |model| format!("Against {model}"));
    let legend = used
        .iter()
        .map(|bucket| view! { <span class=format!("key key-bucket {}", bucket_class(*bucket))>{bucket.label()}</span> })
        .collect_view();
    let heads = used.iter().map(|bucket| view! { <th scope="col">{bucket.label()}</th> }).collect_view();
    let rows = quotes
        .into_iter()
        .map(|quote| {
            let parts = used.iter().map(|bucket| {
                let amount = quote.cost.map_or_else(|| "–".into(), |_| quote.parts.of(*bucket).to_string());
                view! { <td class="cell-part">{amount}</td> }
            });
            let parts = parts.collect_view();
            view! {
                <tr>
                    <th scope="row"><ModelCell model=quote.model.clone() card=quote.card.clone()/></th>
                    <td class="cell-cost">
                        <CostCell cost=quote.cost is_estimated=quote.is_estimated/>
                        {quote.cost.map(|cost| view! { <PartsBar parts=quote.parts cost dearest/> })}
                    </td>
                    <td><SavingCell cost=quote.cost measure/></td>
                    <td>{quote.batch_cost.map_or_else(|| "–".into(), |cost| cost.to_string())}</td>
                    {parts}
                </tr>
            }
            .into_any()
        })
        .collect_view();
    view! {
        <p class="keys-line keys-above">{legend}</p>
        <div class="table-box" tabindex="0" role="region" aria-label="Table of quotes">
            <table class="model-table quote-table">
                <thead>
                    <tr>
                        <th scope="col">"Model"</th>
                        <th scope="col">"Cost"</th>
                        <th scope="col">{saving_head}</th>
                        <th scope="col">"As a batch"</th>
                        {heads}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// A model and the card that its quote is from.
#[component]
pub fn ModelCell(model: String, card: Option<QuoteCard>) -> impl IntoView {
    let note = card.map_or_else(
        || "no price known".to_owned(),
        |card| match card.valid_from {
            Some(day) => format!("{} · since {}", card.provider, plain_day(&day)),
            None => card.provider,
        },
    );
    view! {
        <span class="model-name"><span>{model}</span></span>
        <span class="model-provider quote-note quiet">{note}</span>
    }
    .into_any()
}

/// What is not known is said so, and never looks like nothing.
#[component]
pub fn CostCell(cost: Option<NanoUsd>, is_estimated: bool) -> impl IntoView {
    view! {
        <strong>{cost.map_or_else(|| "unknown".into(), |cost| cost.to_string())}</strong>
        {is_estimated.then(|| view! { <span class="cell-remark">"estimated"</span> })}
    }
    .into_any()
}

#[component]
pub fn SavingCell(cost: Option<NanoUsd>, measure: Option<NanoUsd>) -> impl IntoView {
    let words = match (cost, measure) {
        (Some(cost), Some(measure)) if cost != measure => difference_words(cost, measure),
        (Some(_), Some(_)) => return view! { <span class="quiet">"the same"</span> }.into_any(),
        _ => return view! { <span class="quiet">"–"</span> }.into_any(),
    };
    let is_saving = cost < measure;
    view! { <span class:saving=is_saving>{words}</span> }.into_any()
}

/// The cost as a bar, parted by what was paid for; the figures are in the same row.
#[component]
fn PartsBar(parts: CostParts, cost: NanoUsd, dearest: NanoUsd) -> impl IntoView {
    let scale = dearest.to_chart_usd().max(f64::MIN_POSITIVE) / 100.0;
    let mut start = 0.0;
    let pieces: Vec<_> = TokenBucket::ALL
        .into_iter()
        .map(|bucket| {
            let width = parts.of(bucket).to_chart_usd() / scale;
            let piece = (bucket, start, width);
            start += width;
            piece
        })
        .filter(|(_, _, width)| *width > 0.0)
        .map(|(bucket, start, width)| {
            view! { <rect class=bucket_class(bucket) x=format!("{start:.2}%") width=format!("{width:.2}%") height="6"></rect> }
        })
        .collect();
    let label = percent(cost.to_chart_usd() / scale);
    view! {
        <svg class="parts-bar" width="100%" height="6" role="img" aria-label=format!("{label} of the dearest")>
            <rect class="bar-track" width="100%" height="6"></rect>
            {pieces}
        </svg>
    }
    .into_any()
}

pub fn bucket_class(bucket: TokenBucket) -> &'static str {
    match bucket {
        TokenBucket::Input => "fill-input",
        TokenBucket::CacheWrite5m => "fill-cache-write-5m",
        TokenBucket::CacheWrite1h => "fill-cache-write-1h",
        TokenBucket::CacheRead => "fill-cache-read",
        TokenBucket::Output => "fill-output",
        TokenBucket::Thinking => "fill-thinking",
    }
}

/// `7 Oct 2026` of a `YYYY-MM-DD`.
pub fn plain_day(day: &str) -> String {
    day.parse().map_or_else(|_| day.to_owned(), short_date)
}

/// `62.0 % less`, `18.0 % more`, `12 times as much`.
pub fn difference_words(cost: NanoUsd, measure: NanoUsd) -> String {
    let (cost, measure) = (cost.to_chart_usd(), measure.to_chart_usd());
    if measure <= 0.0 {
        return "more".into();
    }
    match cost / measure {
        ratio if ratio >= 10.0 => format!("{ratio:.0} times as much"),
        ratio if ratio >= 1.0 => format!("{} more", percent((ratio - 1.0) * 100.0)),
        ratio => format!("{} less", percent((1.0 - ratio) * 100.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_read_as_a_person_would_say_them() {
        let words = |cost, measure| difference_words(NanoUsd(cost), NanoUsd(measure));
        assert_eq!(words(38, 100), "62.0\u{202f}% less");
        assert_eq!(words(118, 100), "18.0\u{202f}% more");
        assert_eq!(words(1_200, 100), "12 times as much");
        assert_eq!(words(5, 0), "more");
    }
}
