//! What the Calculator asks for: the price of a call on several models, of the last 30 days on those, and the price
//! cards behind them.

use super::codec::Json;
use super::error::AppError;
use crate::app::state::calculator_address::CalculatorAddress;
use crate::domain::cost::CostParts;
use crate::domain::money::NanoUsd;
use crate::domain::tokens::TokenCounts;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What the same tokens cost on one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelQuote {
    pub model: String,
    /// None where no card has a price for it.
    pub cost: Option<NanoUsd>,
    pub parts: CostParts,
    /// The price depends on something that is not known here, such as each prompt's length.
    pub is_estimated: bool,
    /// None where the provider lists no price for batches.
    pub batch_cost: Option<NanoUsd>,
    pub card: Option<QuoteCard>,
}

/// Which card a quote is from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteCard {
    pub provider: String,
    /// `YYYY-MM-DD`; none where the card has no first day.
    pub valid_from: Option<String>,
    pub source: String,
}

/// The last 30 days as they were paid for, and on other models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthElsewhere {
    pub calls: u64,
    pub tokens: TokenCounts,
    /// What the tokens cost as they were called; fees left out, as in the quotes.
    pub paid: NanoUsd,
    /// Calls whose cost is not known, so that `paid` is too low.
    pub unpriced_calls: u64,
    pub fees: NanoUsd,
    pub has_demo_data: bool,
    pub quotes: Vec<ModelQuote>,
}

/// A page of the price book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceBookPage {
    pub cards: Vec<CardRow>,
    /// Cards that match, whether shown or not.
    pub found: u64,
    /// Cards in the whole book.
    pub total: u64,
}

/// A price card as a row: rates in dollars per million tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardRow {
    pub id: String,
    pub provider: String,
    pub model: String,
    /// First day and the day after the last, `YYYY-MM-DD` (UTC); none is open.
    pub valid_from: Option<String>,
    pub valid_to: Option<String>,
    pub is_current: bool,
    pub source: String,
    /// The base rates, then those above each prompt length.
    pub rates: Vec<RateRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateRow {
    /// None for the base rates.
    pub above_prompt_tokens: Option<u64>,
    /// In the order of [`crate::domain::tokens::TokenBucket::ALL`].
    pub usd_per_million: [String; 6],
}

/// The address's tokens on its models, cheapest first, models without a price last.
///
/// # Errors
/// [`AppError::Invalid`] names the count that is wrong.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_quotes(address: CalculatorAddress) -> Result<Vec<ModelQuote>, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let tokens = address.tokens().map_err(|fault| {
        super::error::answer_with_status(400);
        AppError::from(fault)
    })?;
    Ok(quote::models(&state.prices, &address.models, &tokens, 1, state.clock.now_ms()))
}

/// The last 30 days' tokens on other models.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_month_elsewhere(models: Vec<String>) -> Result<MonthElsewhere, AppError> {
    use crate::domain::query::UsageQuery;
    let state = expect_context::<crate::http::state::AppState>();
    let now_ms = state.clock.now_ms();
    let scope = super::principal::principal()?.scope();
    let report = state.ledger.report(&scope, &UsageQuery::default(), now_ms).await.map_err(super::error::refuse)?;
    let summary = report.summary;
    let models = quote::bounded(models);
    Ok(MonthElsewhere {
        quotes: quote::models(&state.prices, &models, &summary.tokens, summary.total_calls, now_ms),
        calls: summary.total_calls,
        tokens: summary.tokens,
        paid: NanoUsd(summary.total_cost_nano_usd.0.saturating_sub(summary.cost_parts.fees.0)),
        unpriced_calls: summary.unpriced_calls,
        fees: summary.cost_parts.fees,
        has_demo_data: report.has_demo_data,
    })
}

/// The cards whose model has `search` in its name, or those of `models` where nothing is looked for.
///
/// # Errors
/// None of its own.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_price_cards(search: String, models: Vec<String>) -> Result<PriceBookPage, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    Ok(card::find(&state.prices, &search, &quote::bounded(models), state.clock.now_ms()))
}

/// Names to suggest: the models that were called, then those that their makers price today.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_model_names() -> Result<Vec<String>, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let called = state.ledger.models(&super::principal::principal()?.scope()).await.map_err(super::error::refuse)?;
    Ok(card::names(&state.prices, called, state.clock.now_ms()))
}

#[cfg(feature = "ssr")]
mod quote {
    use super::{ModelQuote, QuoteCard};
    use crate::app::state::calculator_address::MOST_MODELS;
    use crate::domain::cost::{ComparedModel, calculate_sum_cost, compare_sums};
    use crate::domain::price::PriceBook;
    use crate::domain::tokens::TokenCounts;
    use crate::domain::usage::{PricingState, ServiceTerms};

    pub(super) fn models(
        book: &PriceBook,
        models: &[String],
        tokens: &TokenCounts,
        calls: u64,
        at_ms: i64,
    ) -> Vec<ModelQuote> {
        let names: Vec<&str> = models.iter().map(String::as_str).collect();
        let batch = ServiceTerms { service_tier: Some("batch".into()), ..ServiceTerms::default() };
        let quote = |compared: ComparedModel| {
            let standard = compared.priced;
            let batched = calculate_sum_cost(book, &compared.model, tokens, calls, &batch, at_ms);
            // Without a batch price the list price stands in, which makes an exact cost an estimate.
            let has_batch_price = batched.state == standard.state;
            ModelQuote {
                model: compared.model,
                cost: standard.cost,
                parts: standard.parts,
                is_estimated: standard.state == PricingState::Estimated,
                batch_cost: batched.cost.filter(|cost| has_batch_price && Some(*cost) != standard.cost),
                card: standard.card.map(|card| QuoteCard {
                    provider: card.provider.clone(),
                    valid_from: card.valid_from_ms.and_then(super::card::day),
                    source: card.source.clone(),
                }),
            }
        };
        compare_sums(book, &names, tokens, calls, at_ms).into_iter().map(quote).collect()
    }

    /// A caller may send what no page sends.
    pub(super) fn bounded(mut models: Vec<String>) -> Vec<String> {
        models.truncate(MOST_MODELS);
        models
    }
}

#[cfg(feature = "ssr")]
mod card {
    use super::{CardRow, PriceBookPage, RateRow};
    use crate::domain::price::{CardFilter, PriceBook, PriceCard, Rates};
    use crate::domain::tokens::TokenBucket;
    use std::sync::Arc;

    /// A longer table is a list to scroll, not an answer.
    const MOST_ROWS: usize = 30;

    pub(super) fn find(book: &PriceBook, search: &str, models: &[String], now_ms: i64) -> PriceBookPage {
        let wanted = search.trim().to_ascii_lowercase();
        let found: Vec<&Arc<PriceCard>> = if wanted.is_empty() {
            models.iter().filter_map(|model| book.lookup(None, model, now_ms)).collect()
        } else {
            let is_named = |card: &&Arc<PriceCard>| {
                let names = [&card.model, &card.family].into_iter().chain(&card.aliases);
                names.into_iter().any(|name| name.to_ascii_lowercase().contains(&wanted))
            };
            let mut found: Vec<_> = book.cards(&CardFilter::default()).into_iter().filter(is_named).collect();
            // What holds today first; the book's order (own prices, then by provider and model) within.
            found.sort_by_key(|card| (!card.is_valid_at(now_ms), is_resold(card)));
            found
        };
        PriceBookPage {
            found: found.len() as u64,
            total: book.len() as u64,
            cards: found.into_iter().take(MOST_ROWS).map(|card| row(card, now_ms)).collect(),
        }
    }

    pub(super) fn names(book: &PriceBook, called: Vec<String>, now_ms: i64) -> Vec<String> {
        let mut names = called;
        for provider in ["", "anthropic", "openai", "google"] {
            let filter = CardFilter { provider: Some(provider.into()), at_ms: Some(now_ms), ..CardFilter::default() };
            let listed = book.cards(&filter).into_iter().map(|card| card.model.clone());
            let new: Vec<String> = listed.filter(|name| !names.contains(name)).collect();
            names.extend(new);
        }
        names
    }

    /// The makers' own lists answer more questions than those who resell them.
    fn is_resold(card: &PriceCard) -> bool {
        !matches!(card.provider.as_str(), "" | "anthropic" | "openai" | "google" | "xai" | "mistral" | "deepseek")
    }

    /// The UTC day of an instant, `YYYY-MM-DD`.
    pub(super) fn day(at_ms: i64) -> Option<String> {
        chrono::DateTime::from_timestamp_millis(at_ms).map(|at| at.date_naive().to_string())
    }

    fn row(card: &PriceCard, now_ms: i64) -> CardRow {
        let tiers = card.tiers.iter().map(|tier| rate_row(Some(tier.above_prompt_tokens), &tier.rates));
        CardRow {
            id: card.id.clone(),
            provider: card.provider.clone(),
            model: card.model.clone(),
            valid_from: card.valid_from_ms.and_then(day),
            valid_to: card.valid_to_ms.and_then(day),
            is_current: card.is_valid_at(now_ms),
            source: card.source.clone(),
            rates: std::iter::once(rate_row(None, &card.rates)).chain(tiers).collect(),
        }
    }

    fn rate_row(above_prompt_tokens: Option<u64>, rates: &Rates) -> RateRow {
        let usd_per_million = TokenBucket::ALL.map(|bucket| rates.of(bucket).to_usd_per_million());
        RateRow { above_prompt_tokens, usd_per_million }
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::domain::price::PriceBook;

    /// 24 November 2026.
    const NOW_MS: i64 = 1_795_500_000_000;

    #[test]
    fn a_quote_has_its_batch_price_where_there_is_one() {
        let tokens = TokenCounts { input: 1_000, output: 500, ..TokenCounts::default() };
        let models = ["claude-sonnet-4-20250514", "no-such-model"].map(String::from);
        let quotes = quote::models(&PriceBook::builtin(), &models, &tokens, 1, NOW_MS);
        assert_eq!(quotes[0].cost, Some(NanoUsd(10_500_000)), "TheBridge's $0.0105");
        assert_eq!(quotes[0].batch_cost, Some(NanoUsd(5_250_000)));
        assert!(!quotes[0].is_estimated);
        assert_eq!((quotes[1].cost, quotes[1].batch_cost, quotes[1].card.is_none()), (None, None, true));
    }

    #[test]
    fn a_model_without_a_batch_price_shows_none() {
        let tokens = TokenCounts { input: 1_000, ..TokenCounts::default() };
        // Anthropic lists no batch price for it.
        let quotes = quote::models(&PriceBook::builtin(), &["claude-2".into()], &tokens, 1, NOW_MS);
        assert_eq!((quotes[0].cost, quotes[0].batch_cost), (Some(NanoUsd(8_000_000)), None));
    }

    #[test]
    fn the_price_book_finds_by_part_of_a_name_and_puts_what_holds_first() {
        let page = card::find(&PriceBook::builtin(), "Opus-4-6", &[], NOW_MS);
        assert_eq!(page.cards[0].id, "anthropic/claude-opus-4-6@2026-06-29");
        let former = page.cards.iter().find(|card| card.valid_to.as_deref() == Some("2026-03-13")).unwrap();
        assert!(!former.is_current);
        assert_eq!(former.rates.len(), 2, "base rates and those above 200,000 tokens");
        assert_eq!(former.rates[1].usd_per_million[4], "37.5");
        assert!(page.found >= 3 && page.total > 3_000);
    }

    #[test]
    fn without_a_search_the_compared_models_cards_are_shown() {
        let page = card::find(&PriceBook::builtin(), " ", &["claude-sonnet-4-20250514".into()], NOW_MS);
        assert_eq!(page.cards.len(), 1);
        assert_eq!(page.cards[0].model, "claude-sonnet-4");
    }
}
