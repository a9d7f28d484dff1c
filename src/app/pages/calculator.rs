//! The Calculator: what a call costs on several models, what the last 30 days would have cost on those, and the price
//! cards behind both. The whole page is in its address, so it works without scripts and can be shared.

use crate::app::kit::card::{Card, CardSkeleton};
use crate::app::kit::failure::FailureNote;
use crate::app::server_fns::calculator::{
    ModelQuote, get_model_names, get_month_elsewhere, get_price_cards, get_quotes,
};
use crate::app::server_fns::error::{AppError, answer_with_status};
use crate::app::state::calculator_address::CalculatorAddress;
use crate::app::widgets::call_form::CallForm;
use crate::app::widgets::month_elsewhere::MonthTable;
use crate::app::widgets::price_book::PriceBookTable;
use crate::app::widgets::quote_table::{QuoteHeadline, QuoteTable};
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

#[component]
pub fn Calculator() -> impl IntoView {
    let params = use_query_map();
    let address = Memo::new(move |_| params.with(CalculatorAddress::from_params));
    let models = Memo::new(move |_| address.with(|address| address.models.clone()));
    let search = Memo::new(move |_| address.with(|address| address.search.clone()));

    let names = Resource::new(|| (), |()| get_model_names());
    let quotes = Resource::new(move || address.get(), ask_quotes);
    let month = Resource::new(move || models.get(), get_month_elsewhere);
    let cards = Resource::new(move || (search.get(), models.get()), |(search, models)| get_price_cards(search, models));

    view! {
        <Title text="Calculator · Tollbridge"/>
        <header class="page-head">
            <div class="page-title"><h1>"Calculator"</h1></div>
        </header>
        <div class="answer">
            <Transition fallback=|| ()>
                {move || quotes.get().map(|(address, quotes)| view! { <QuoteHeadline address quotes=quotes.unwrap_or_default()/> })}
            </Transition>
            <div class="cards">
                <Transition fallback=|| view! { <CardSkeleton/> }>
                    {move || names.get().map(|names| view! { <CallForm address names=names.unwrap_or_default()/> })}
                </Transition>
                <Card id="quotes" title="This call on each model"
                    aside=|| view! { <span class="quiet">"Prices of today"</span> }>
                    <Transition fallback=|| ()>
                        {move || quotes.get().map(|(address, quotes)| match quotes {
                            Ok(quotes) => view! { <QuoteTable address quotes/> }.into_any(),
                            Err(_) if address.tokens().is_err() => view! {
                                <div class="card-state"><p class="quiet">"One of the counts needs another look."</p></div>
                            }.into_any(),
                            Err(error) => view! { <FailureNote message=error.to_string()/> }.into_any(),
                        })}
                    </Transition>
                </Card>
                <Card id="month" title="Your last 30 days on another model">
                    <Transition fallback=|| ()>
                        {move || month.get().map(|month| match month {
                            Ok(month) => view! { <MonthTable month/> }.into_any(),
                            Err(error) => view! { <FailureNote message=error.to_string()/> }.into_any(),
                        })}
                    </Transition>
                </Card>
                <Card id="prices" title="Price book" aside=|| view! { <span class="quiet">"US dollars per million tokens"</span> }>
                    <Transition fallback=|| ()>
                        {move || cards.get().map(|cards| match cards {
                            Ok(page) => view! { <PriceBookTable page address search=search.get_untracked()/> }.into_any(),
                            Err(error) => view! { <FailureNote message=error.to_string()/> }.into_any(),
                        })}
                    </Transition>
                </Card>
            </div>
        </div>
    }
    .into_any()
}

/// The quotes beside the address that they are for. A wrong count never reaches a server function, but the page still
/// answers with 400.
async fn ask_quotes(address: CalculatorAddress) -> (CalculatorAddress, Result<Vec<ModelQuote>, AppError>) {
    let quotes = match address.tokens() {
        Ok(_) => get_quotes(address.clone()).await,
        Err(fault) => {
            answer_with_status(400);
            Err(fault.into())
        }
    };
    (address, quotes)
}
