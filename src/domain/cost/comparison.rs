//! The calculator: what these tokens cost on a model, and on other models instead. For calls that were made, with their
//! terms and fees, see [`super::price_usage`].

use super::{PricedUsage, UsageInput, price_sum};
use crate::domain::money::NanoUsd;
use crate::domain::price::{PriceBook, PriceCard};
use crate::domain::tokens::TokenCounts;
use crate::domain::usage::ServiceTerms;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One model of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparedModel {
    pub model: String,
    pub priced: PricedUsage,
    /// Less than the dearest model of the comparison; `None` without a price.
    pub saving_to_dearest: Option<NanoUsd>,
    /// Less than the current model; negative where this one costs more, `None` if either has no price.
    pub saving_to_current: Option<NanoUsd>,
}

/// What these tokens cost on a model at a moment (UTC milliseconds), by token type, at the standard terms. It cannot fail:
/// a model without a price has no cost, and the state `Unpriced`.
///
/// ```
/// use tollbridge::{NanoUsd, TokenCounts, calculate_cost, domain::price::PriceBook};
/// let tokens = TokenCounts { input: 1_000, output: 500, ..Default::default() };
/// # #[cfg(feature = "server")] {
/// let priced = calculate_cost(&PriceBook::builtin(), "claude-sonnet-4-20250514", &tokens, 1_767_225_600_000);
/// assert_eq!(priced.cost, Some(NanoUsd(10_500_000))); // $0.0105
/// # }
/// ```
pub fn calculate_cost(book: &PriceBook, model: &str, tokens: &TokenCounts, at_ms: i64) -> PricedUsage {
    calculate_sum_cost(book, model, tokens, 1, &ServiceTerms::default(), at_ms)
}

/// What `calls` calls cost on a model at these terms (such as a batch), told from the sum of their tokens. Where the
/// price depends on a prompt's length, all calls count as of the mean length and the cost is an estimate.
pub fn calculate_sum_cost(
    book: &PriceBook,
    model: &str,
    tokens: &TokenCounts,
    calls: u64,
    terms: &ServiceTerms,
    at_ms: i64,
) -> PricedUsage {
    let usage = UsageInput {
        provider: None,
        model,
        at_ms,
        tokens,
        terms,
        web_search_count: 0,
        has_usage: true,
        is_estimated: false,
    };
    price_sum(book, &usage, calls)
}

/// What these tokens cost on each model, cheapest first, models without a price last. The first of `models` is the
/// current one, which savings are measured against; savings are nano-dollars.
///
/// ```
/// use tollbridge::{NanoUsd, TokenCounts, compare_models, domain::price::PriceBook};
/// let tokens = TokenCounts { input: 100_000, output: 10_000, ..Default::default() };
/// # #[cfg(feature = "server")] {
/// let models = ["claude-opus-4-20250514", "claude-sonnet-4-20250514"];
/// let compared = compare_models(&PriceBook::builtin(), &models, &tokens, 1_767_225_600_000);
/// assert_eq!(compared[0].model, "claude-sonnet-4-20250514"); // $0.45 instead of $2.25
/// assert_eq!(compared[0].saving_to_current, Some(NanoUsd(1_800_000_000)));
/// # }
/// ```
pub fn compare_models(book: &PriceBook, models: &[&str], tokens: &TokenCounts, at_ms: i64) -> Vec<ComparedModel> {
    compare_sums(book, models, tokens, 1, at_ms)
}

/// As [`compare_models`], for the sum of `calls` calls: see [`calculate_sum_cost`].
pub fn compare_sums(
    book: &PriceBook,
    models: &[&str],
    tokens: &TokenCounts,
    calls: u64,
    at_ms: i64,
) -> Vec<ComparedModel> {
    let terms = ServiceTerms::default();
    let price = |model: &&str| calculate_sum_cost(book, model, tokens, calls, &terms, at_ms);
    let priced: Vec<PricedUsage> = models.iter().map(price).collect();
    let dearest = priced.iter().filter_map(|priced| priced.cost).max();
    let current = priced.first().and_then(|priced| priced.cost);
    let saving = |reference: Option<NanoUsd>, cost: Option<NanoUsd>| reference?.checked_sub(cost?);
    let mut compared: Vec<ComparedModel> = models
        .iter()
        .zip(priced)
        .map(|(model, priced)| ComparedModel {
            model: (*model).into(),
            saving_to_dearest: saving(dearest, priced.cost),
            saving_to_current: saving(current, priced.cost),
            priced,
        })
        .collect();
    compared.sort_by_key(|compared| (compared.priced.cost.is_none(), compared.priced.cost));
    compared
}

/// The card that holds for a model at a moment (UTC milliseconds); none for an unknown model, which is never guessed at.
///
/// ```
/// use tollbridge::{domain::price::PriceBook, price_of};
/// # #[cfg(feature = "server")] {
/// let book = PriceBook::builtin();
/// let card = price_of(&book, "claude-sonnet-4-20250514", 1_767_225_600_000).ok_or("no card")?;
/// assert_eq!(card.rates.output.to_usd_per_million(), "15");
/// assert!(price_of(&book, "acme-llm-9", 1_767_225_600_000).is_none());
/// # }
/// # Ok::<(), &str>(())
/// ```
pub fn price_of<'book>(book: &'book PriceBook, model: &str, at_ms: i64) -> Option<&'book Arc<PriceCard>> {
    book.lookup(None, model, at_ms)
}
