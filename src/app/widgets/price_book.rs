//! The price book: cards with their dates and where their prices are from.

use super::quote_table::plain_day;
use crate::app::format::{capitalised, counted};
use crate::app::kit::card::CardEmpty;
use crate::app::kit::icon::{Icon, IconView};
use crate::app::server_fns::calculator::{CardRow, PriceBookPage, RateRow};
use crate::app::state::calculator_address::{CalculatorAddress, use_go_to};
use crate::domain::money::group_thousands;
use crate::domain::tokens::{TokenBucket, format_tokens};
use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

#[component]
pub fn PriceBookTable(
    page: PriceBookPage,
    address: Memo<CalculatorAddress>,
    /// What was looked for; empty shows the compared models' cards.
    search: String,
) -> impl IntoView {
    let field = NodeRef::<Input>::new();
    let go_to = use_go_to();
    let find = move |event: SubmitEvent| {
        let Some(field) = field.get_untracked() else { return };
        event.prevent_default();
        go_to(&CalculatorAddress { search: field.value(), ..address.get_untracked() });
    };
    let was_searched = !search.is_empty();
    let shown = page.cards.len() as u64;
    let lead = match (was_searched, page.found) {
        (false, _) => format!("The cards of the models above, of {} in the book.", group_thousands(page.total)),
        (true, found) if found > shown => {
            format!("The first {shown} of {}, those that hold today first.", counted(found, "card", "cards"))
        }
        (true, found) => format!("{} found.", capitalised(&counted(found, "card", "cards"))),
    };
    let heads =
        TokenBucket::ALL.map(|bucket| view! { <th scope="col">{bucket.label()}</th> }).into_iter().collect_view();
    let table = (shown > 0).then(|| {
        view! {
            <div class="table-box" tabindex="0" role="region" aria-label="Table of price cards">
                <table class="model-table price-table">
                    <thead>
                        <tr><th scope="col">"Model"</th><th scope="col" class="cell-text">"Holds"</th>{heads}<th scope="col">"Source"</th></tr>
                    </thead>
                    <tbody>{page.cards.into_iter().map(card_rows).collect_view()}</tbody>
                </table>
            </div>
        }
    });
    view! {
        <div class="card-tools">
            <form method="get" action="/calculator" on:submit=find>
                <KeptParams/>
                <label class="search search-wide">
                    <IconView icon=Icon::Search/>
                    <span class="visually-hidden">"Find a model in the price book"</span>
                    // Without scripts the page begins at its top again; the focus brings the reader back here.
                    <input type="search" name="search" placeholder="Find a model" maxlength="200" data-key="/" autocomplete="off"
                        autofocus=was_searched value=search node_ref=field/>
                    <kbd aria-hidden="true">"/"</kbd>
                </label>
            </form>
            <p class="quiet">{lead}</p>
        </div>
        {if shown == 0 { view! { <CardEmpty message="No model has that in its name."/> }.into_any() } else { table.into_any() }}
    }
    .into_any()
}

/// The base rates in the card's row, those of longer prompts in rows below.
fn card_rows(card: CardRow) -> impl IntoView {
    let period = period_of(&card);
    let class = if card.is_current { "" } else { "row-past" };
    let source = source_name(&card.source);
    let CardRow { model, provider, rates, .. } = card;
    let mut rates = rates.into_iter();
    let base = rates.next().map(rate_cells);
    let tiers = rates.map(|tier| {
        let above = tier.above_prompt_tokens.map(|tokens| format!("prompts above {} tokens", format_tokens(tokens)));
        view! { <tr class=format!("row-tier {class}")><th scope="row">{above}</th><td class="cell-text"></td>{rate_cells(tier)}<td></td></tr> }
    });
    view! {
        <tr class=class>
            <th scope="row">
                <span class="model-name"><span>{model}</span></span>
                <span class="model-provider quote-note quiet">{if provider.is_empty() { "every provider".into() } else { provider }}</span>
            </th>
            <td class="cell-text">{period}</td>
            {base}
            <td>{source}</td>
        </tr>
        {tiers.collect_view()}
    }
    .into_any()
}

fn rate_cells(rates: RateRow) -> impl IntoView {
    rates.usd_per_million.map(|rate| view! { <td>{rate}</td> }).into_iter().collect_view().into_any()
}

/// The days on which a card holds; its end is the day before its successor's first.
fn period_of(card: &CardRow) -> String {
    match (&card.valid_from, &card.valid_to) {
        (None, None) => "always".into(),
        (Some(from), None) => format!("since {}", plain_day(from)),
        (None, Some(to)) => format!("before {}", plain_day(to)),
        (Some(from), Some(to)) => format!("{} until {}", plain_day(from), plain_day(to)),
    }
}

fn source_name(source: &str) -> String {
    match source {
        "override" => "your own price".into(),
        listed => listed.into(),
    }
}

/// Carries the comparison through the search form, which would drop it.
#[component]
fn KeptParams() -> impl IntoView {
    let params = use_query_map();
    move || {
        let names = TokenBucket::ALL.map(TokenBucket::name).into_iter().chain(["model", "against"]);
        let kept = params.with(|params| {
            names
                .flat_map(|name| params.get_all(name).unwrap_or_default().into_iter().map(move |value| (name, value)))
                .collect::<Vec<_>>()
        });
        kept.into_iter().map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect_view()
    }
}
