//! Reads the built-in catalogue, `catalogue.tsv`, which `scripts/make_catalogue.py` writes. Not in the browser: it is
//! large, and prices come with the answers.

use super::card::{ContextTier, GivenRates, Multipliers, PriceCard, PriceError, Rate, RateTable, Ratio};
use super::lookup::model_family;
use crate::domain::money::NanoUsd;
use chrono::{NaiveDate, NaiveTime};
use std::collections::BTreeMap;

pub(super) const BUILTIN: &str = include_str!("catalogue.tsv");

/// A line of the catalogue that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("price catalogue, line {line}: {problem}")]
pub struct CatalogueError {
    pub line: usize,
    pub problem: LineError,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("expected 7 columns")]
    Columns,
    #[error("{0:?} is not a date")]
    Date(String),
    #[error("{0:?} is not known here")]
    Word(String),
    #[error("{0}")]
    Price(#[from] PriceError),
}

/// The built-in catalogue as it is written.
pub fn catalogue_text() -> &'static str {
    BUILTIN
}

/// The day on which the built-in catalogue was made.
pub fn catalogue_day() -> Option<NaiveDate> {
    let words = BUILTIN.lines().find_map(|line| line.strip_prefix("# Made on "))?;
    words.split(' ').next()?.parse().ok()
}

/// The cards of a catalogue; each ends where the next one of its model begins.
pub(super) fn parse_catalogue(text: &str) -> Result<Vec<PriceCard>, CatalogueError> {
    let mut cards: Vec<PriceCard> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        let card = parse_line(line).map_err(|problem| CatalogueError { line: index + 1, problem })?;
        // The file is sorted by provider, model and day.
        if let Some(previous) =
            cards.last_mut().filter(|last| last.provider == card.provider && last.model == card.model)
        {
            previous.valid_to_ms = card.valid_from_ms;
        }
        cards.push(card);
    }
    Ok(cards)
}

fn parse_line(line: &str) -> Result<PriceCard, LineError> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [provider, model, from, rates, terms, source, aliases] = columns[..] else { return Err(LineError::Columns) };
    let (table, service_rates) = parse_rates(rates, model)?;
    let mut card = PriceCard {
        id: if from == "-" { format!("{provider}/{model}") } else { format!("{provider}/{model}@{from}") },
        provider: provider.into(),
        model: model.into(),
        aliases: words(aliases).map(str::to_owned).collect(),
        family: model_family(model),
        valid_from_ms: parse_day(from)?,
        valid_to_ms: None,
        source: source.into(),
        rates: table.rates,
        tiers: table.tiers,
        service_rates,
        multipliers: Multipliers::default(),
        web_search_fee_nano_usd: None,
        varies: false,
    };
    for word in words(terms) {
        parse_term(word, &mut card)?;
    }
    Ok(card)
}

/// Reads `in=3 out=15 >200000 in=6 out=22.5 @batch in=1.5 …`.
fn parse_rates(text: &str, model: &str) -> Result<(RateTable, BTreeMap<String, RateTable>), LineError> {
    let (mut base, mut services) = (RateTable::default(), BTreeMap::new());
    for (index, section) in text.split('@').enumerate() {
        if index == 0 {
            base = parse_table(section, model)?;
        } else {
            let (name, rates) = section.split_once(' ').ok_or_else(|| LineError::Word(section.into()))?;
            services.insert(name.into(), parse_table(rates, model)?);
        }
    }
    Ok((base, services))
}

fn parse_table(text: &str, model: &str) -> Result<RateTable, LineError> {
    let mut table = RateTable::default();
    for (index, section) in text.split('>').enumerate() {
        if index == 0 {
            table.rates = parse_given(section)?.resolve(model);
            continue;
        }
        let (threshold, rates) = section.split_once(' ').ok_or_else(|| LineError::Word(section.into()))?;
        let above_prompt_tokens = threshold.parse().map_err(|_| LineError::Word(threshold.into()))?;
        table.tiers.push(ContextTier { above_prompt_tokens, rates: parse_given(rates)?.resolve(model) });
    }
    Ok(table)
}

fn parse_given(text: &str) -> Result<GivenRates, LineError> {
    let mut given = GivenRates::default();
    for word in text.split_ascii_whitespace() {
        let (name, price) = word.split_once('=').ok_or_else(|| LineError::Word(word.into()))?;
        let rate = Rate::from_usd_per_million(price)?;
        match name {
            "in" => given.input = rate,
            "out" => given.output = rate,
            "read" => given.cache_read = Some(rate),
            "write" => given.cache_write_5m = Some(rate),
            "write1h" => given.cache_write_1h = Some(rate),
            "think" => given.thinking = Some(rate),
            _ => return Err(LineError::Word(word.into())),
        }
    }
    Ok(given)
}

fn parse_term(word: &str, card: &mut PriceCard) -> Result<(), LineError> {
    let (name, value) = word.split_once('=').ok_or_else(|| LineError::Word(word.into()))?;
    match name {
        "search" => {
            // Dollars per search are nano-dollars times 10⁹: a thousand times the scale of a rate.
            let fee = Rate::from_usd_per_million(value)?.0.saturating_mul(1_000);
            card.web_search_fee_nano_usd = Some(NanoUsd(i64::try_from(fee).unwrap_or(i64::MAX)));
        }
        "varies" => card.varies = true,
        "fast" => card.multipliers.fast = Some(Ratio::from_decimal(value)?),
        _ => {
            let ratio = Ratio::from_decimal(value)?;
            match name.strip_prefix("geo:") {
                Some(geo) => card.multipliers.geo.insert(geo.into(), ratio),
                None => card.multipliers.service_tier.insert(name.into(), ratio),
            };
        }
    }
    Ok(())
}

fn parse_day(text: &str) -> Result<Option<i64>, LineError> {
    if text == "-" {
        return Ok(None);
    }
    let day: NaiveDate = text.parse().map_err(|_| LineError::Date(text.into()))?;
    Ok(Some(day.and_time(NaiveTime::MIN).and_utc().timestamp_millis()))
}

/// The words of a column; `-` stands for none.
fn words(column: &str) -> impl Iterator<Item = &str> {
    column.split_ascii_whitespace().filter(|word| *word != "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_card() {
        let line = "openai\tgpt-9\t2026-01-02\tin=1 out=4 >272000 in=2 out=6 @flex in=0.5 out=2\tbatch=0.5 geo:eu=1.1 \
                    search=0.01\tlitellm\tgpt-nine";
        let cards = parse_catalogue(line).unwrap();
        let card = &cards[0];
        assert_eq!(card.id, "openai/gpt-9@2026-01-02");
        assert_eq!(card.valid_from_ms, Some(1_767_312_000_000));
        assert_eq!(card.rates.cache_read, Rate(1_000_000));
        assert_eq!(card.tiers[0].above_prompt_tokens, 272_000);
        assert_eq!(card.tiers[0].rates.output, Rate(6_000_000));
        assert_eq!(card.service_rates["flex"].rates.output, Rate(2_000_000));
        assert_eq!(card.multipliers.service_tier["batch"], Ratio { numerator: 1, denominator: 2 });
        assert_eq!(card.multipliers.geo["eu"], Ratio { numerator: 11, denominator: 10 });
        assert_eq!(card.web_search_fee_nano_usd, Some(NanoUsd(10_000_000)));
        assert_eq!(card.aliases, ["gpt-nine"]);
    }

    #[test]
    fn a_card_ends_where_its_successor_begins() {
        let lines = "a\tm\t-\tin=1 out=1\t-\ts\t-\na\tm\t1970-01-02\tin=2 out=2\t-\ts\t-\na\tn\t-\tin=1 out=1\t-\ts\t-";
        let cards = parse_catalogue(lines).unwrap();
        let ends: Vec<_> = cards.iter().map(|card| card.valid_to_ms).collect();
        assert_eq!(ends, [Some(86_400_000), None, None]);
    }

    #[test]
    fn errors_name_the_line_and_the_word() {
        let error = parse_catalogue("# fine\na\tm\t-\tin=x out=1\t-\ts\t-").unwrap_err();
        assert_eq!(error.to_string(), "price catalogue, line 2: \"x\" is not a decimal number of at least 0");
        assert_eq!(parse_catalogue("a\tm").unwrap_err().problem, LineError::Columns);
    }
}
