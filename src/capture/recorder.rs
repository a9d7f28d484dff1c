//! The one way in: gives each call its id and its price, and has the ledger write it down. Where calls come from is in
//! the neighbouring modules, what they cost in [`crate::domain::cost`].

use crate::domain::cost::price_record;
use crate::domain::price::{PriceBook, model_family};
use crate::domain::usage::{UsageEvent, UsageRecord};
use crate::ledger::{Applied, Ledger, LedgerError};
use uuid::Uuid;

/// Prices the calls and writes them down, answering for each in the order given. When it returns, they are on disk;
/// calls that were recorded before are not counted again.
pub async fn record(
    ledger: &Ledger,
    prices: &PriceBook,
    records: Vec<UsageRecord>,
) -> Result<Vec<Applied>, LedgerError> {
    let events = records.into_iter().map(|record| to_event(prices, record)).collect();
    ledger.apply(events).await
}

fn to_event(prices: &PriceBook, record: UsageRecord) -> UsageEvent {
    let priced = price_record(prices, &record);
    UsageEvent {
        id: Uuid::now_v7().to_string(),
        model_family: model_family(&record.model),
        cost: priced.cost,
        cost_parts: priced.parts,
        pricing_state: priced.state,
        price_card_id: priced.price_card_id,
        record,
    }
}
