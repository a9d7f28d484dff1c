//! `tollbridge prices`: which price cards are known, and which one holds.

use super::{CommandError, price_book};
use crate::config::Config;
use crate::domain::price::{CardFilter, PriceCard};
use chrono::{DateTime, NaiveDate, NaiveTime};
use std::io::Write;

#[derive(Debug, clap::Subcommand)]
pub enum PricesCommand {
    /// List price cards, in US dollars per million tokens.
    List {
        /// A model id or family; without it, all cards.
        model: Option<String>,
        /// Only cards that hold on this day (UTC).
        #[arg(long, value_name = "YYYY-MM-DD")]
        at: Option<NaiveDate>,
    },
}

pub fn run(command: &PricesCommand, config: &Config) -> Result<(), CommandError> {
    let PricesCommand::List { model, at } = command;
    let at_ms = at.map(|date| date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    let book = price_book(config);
    let cards = book.cards(&CardFilter { provider: None, model: model.clone(), at_ms });
    if cards.is_empty() {
        return Err(CommandError::Failed(
            "no price card matches; a call of such a model is recorded as unpriced".into(),
        ));
    }
    // A closed pipe (`| head`) is no failure of ours.
    print_cards(cards.iter().map(|card| card.as_ref())).ok();
    Ok(())
}

fn print_cards<'a>(cards: impl Iterator<Item = &'a PriceCard>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:<50} {:>10} {:>10} {:>10}  {:<10}  {:<10}  source",
        "model", "input", "output", "cache read", "from", "until"
    )?;
    for card in cards {
        let name =
            if card.provider.is_empty() { card.model.clone() } else { format!("{}/{}", card.provider, card.model) };
        let day = |ms: Option<i64>| {
            let at = ms.and_then(DateTime::from_timestamp_millis);
            at.map_or_else(|| "-".into(), |at| at.date_naive().to_string())
        };
        writeln!(
            out,
            "{name:<50} {:>10} {:>10} {:>10}  {:<10}  {:<10}  {}",
            card.rates.input.to_usd_per_million(),
            card.rates.output.to_usd_per_million(),
            card.rates.cache_read.to_usd_per_million(),
            day(card.valid_from_ms),
            day(card.valid_to_ms),
            card.source,
        )?;
    }
    Ok(())
}
