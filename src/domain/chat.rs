//! What a turn of the chat used and cost: the shape that the API tells and the page shows. The turn itself is made in
//! `capture::chat`.

use super::cost::{price_record, saved_by_cache};
use super::money::{NanoUsd, format_cost};
use super::price::PriceBook;
use super::tokens::TokenCounts;
use super::usage::{PricingState, UsageRecord};
use serde::{Deserialize, Serialize};

/// A turn as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TurnUsage {
    pub call_id: String,
    pub conversation_id: Option<String>,
    pub model: String,
    pub tokens: TokenCounts,
    #[serde(rename = "costNanoUsd")]
    pub cost: Option<NanoUsd>,
    pub cost_formatted: Option<String>,
    /// Below zero where writing to the cache cost more than reading from it saved.
    #[serde(rename = "savedByCacheNanoUsd")]
    pub saved_by_cache: Option<NanoUsd>,
    pub pricing_state: PricingState,
    pub stop_reason: Option<String>,
}

impl TurnUsage {
    /// Priced by the card of the call's own moment, as the ledger does it.
    pub fn of(prices: &PriceBook, call_id: &str, record: &UsageRecord) -> Self {
        let priced = price_record(prices, record);
        Self {
            call_id: call_id.to_owned(),
            conversation_id: record.context.conversation_id.clone(),
            model: record.model.clone(),
            tokens: record.tokens,
            cost: priced.cost,
            cost_formatted: priced.cost.map(format_cost),
            saved_by_cache: saved_by_cache(prices, record),
            pricing_state: priced.state,
            stop_reason: record.outcome.stop_reason.clone(),
        }
    }
}
