//! The Calculator's address: which tokens, on which models, measured against what, and what is looked for in the price
//! book. Texts are kept as they were typed, so that a wrong one can be corrected.

use crate::app::server_fns::error::AppError;
use crate::domain::money::ungrouped;
use crate::domain::query::percent_encode;
use crate::domain::tokens::{MAX_TOKENS, TokenBucket, TokenCounts};
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};

/// More models than this do not fit side by side.
pub const MOST_MODELS: usize = 6;
const MOST_CHARS: usize = 200;

/// What is compared until something is chosen: the current Claude models, and those of January 2025.
pub const USUAL_MODELS: [&str; 6] = [
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-opus-4-20250514",
    "claude-sonnet-4-20250514",
    "claude-3-5-haiku-20241022",
];
/// A call of a coding agent in the middle of its work, in the order of [`TokenBucket::ALL`].
const USUAL_COUNTS: [&str; 6] = ["1,200", "3,000", "", "48,000", "900", ""];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalculatorAddress {
    /// As typed, in the order of [`TokenBucket::ALL`].
    pub counts: [String; 6],
    pub models: Vec<String>,
    /// The model that savings are measured against; none is the dearest.
    pub against: Option<String>,
    /// What is looked for in the price book.
    pub search: String,
}

/// What is wrong with the address, and in which field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountFault {
    pub field: String,
    pub message: String,
}

impl From<CountFault> for AppError {
    fn from(fault: CountFault) -> Self {
        Self::Invalid { field: fault.field, message: fault.message }
    }
}

impl Default for CalculatorAddress {
    fn default() -> Self {
        Self {
            counts: USUAL_COUNTS.map(Into::into),
            models: USUAL_MODELS.map(Into::into).into(),
            against: None,
            search: String::new(),
        }
    }
}

impl CalculatorAddress {
    /// Every address is an address: what it leaves out is as usual, and of more than [`MOST_MODELS`] models the last ones,
    /// which were added last, are compared.
    pub fn from_params(params: &ParamsMap) -> Self {
        let usual = Self::default();
        let is_given = TokenBucket::ALL.iter().any(|bucket| params.get_str(bucket.name()).is_some());
        let count = |bucket: TokenBucket| params.get_str(bucket.name()).map(shortened).unwrap_or_default();
        let mut models: Vec<String> = Vec::new();
        for model in params.get_all("model").unwrap_or_default() {
            let model = shortened(model.trim());
            if !model.is_empty() && !models.contains(&model) {
                models.push(model);
            }
        }
        models.drain(..models.len().saturating_sub(MOST_MODELS));
        let against = params.get_str("against").map(shortened).filter(|model| models.contains(model));
        Self {
            counts: if is_given { TokenBucket::ALL.map(count) } else { usual.counts },
            models: if models.is_empty() { usual.models } else { models },
            against,
            search: params.get_str("search").map(|search| shortened(search.trim())).unwrap_or_default(),
        }
    }

    /// The token counts; nothing typed is none.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn tokens(&self) -> Result<TokenCounts, CountFault> {
        let mut counts = [0; 6];
        for ((count, text), bucket) in counts.iter_mut().zip(&self.counts).zip(TokenBucket::ALL) {
            *count = parse_count(text).map_err(|message| CountFault { field: bucket.name().into(), message })?;
        }
        let [input, cache_write_5m, cache_write_1h, cache_read, output, thinking] = counts;
        Ok(TokenCounts { input, cache_write_5m, cache_write_1h, cache_read, output, thinking, output_thinking: None })
    }

    /// The address without what is empty; with one empty count where all are, since no count at all means the usual ones.
    pub fn to_href(&self) -> String {
        let counts = TokenBucket::ALL.iter().zip(&self.counts).map(|(bucket, text)| (bucket.name(), text));
        let models = self.models.iter().map(|model| ("model", model));
        let against = self.against.iter().map(|model| ("against", model));
        let pairs = counts.chain(models).chain(against).chain([("search", &self.search)]);
        let pairs = pairs.filter(|(_, text)| !text.is_empty());
        let mut pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
        if self.counts.iter().all(String::is_empty) {
            pairs.insert(0, format!("{}=", TokenBucket::Input.name()));
        }
        format!("/calculator?{}", pairs.join("&"))
    }
}

/// Goes to an address of the Calculator, without scrolling the page.
pub fn use_go_to() -> impl Fn(&CalculatorAddress) + Clone {
    let navigate = use_navigate();
    move |address| navigate(&address.to_href(), NavigateOptions { scroll: false, ..NavigateOptions::default() })
}

/// A whole number, with or without commas between groups of three.
fn parse_count(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(0);
    }
    let digits = ungrouped(text).ok_or("must be a whole number of tokens, such as 12,000")?;
    let count = digits.parse().ok().filter(|count| *count <= MAX_TOKENS);
    count.ok_or_else(|| "must be at most a trillion".into())
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&'static str, &str)]) -> ParamsMap {
        let mut map = ParamsMap::new();
        for (name, value) in pairs {
            map.insert(*name, (*value).into());
        }
        map
    }

    #[test]
    fn the_plain_page_compares_the_usual_models() {
        let address = CalculatorAddress::from_params(&params(&[]));
        assert_eq!(address, CalculatorAddress::default());
        let tokens = address.tokens().unwrap();
        assert_eq!(
            (tokens.input, tokens.cache_write_5m, tokens.cache_read, tokens.output),
            (1_200, 3_000, 48_000, 900)
        );
    }

    #[test]
    fn repeated_models_are_one_and_the_seventh_takes_the_place_of_the_first() {
        let chosen = ["a", "b", "a", " ", "c", "d", "e", "f", "g"].map(|model| ("model", model));
        assert_eq!(CalculatorAddress::from_params(&params(&chosen)).models, ["b", "c", "d", "e", "f", "g"]);
    }

    #[test]
    fn one_count_given_leaves_the_others_at_nothing() {
        let address = CalculatorAddress::from_params(&params(&[("input", "1,000,000"), ("output", "")]));
        assert_eq!(address.tokens(), Ok(TokenCounts { input: 1_000_000, ..TokenCounts::default() }));
    }

    #[test]
    fn a_wrong_count_is_told_at_its_field_and_kept() {
        for (text, field) in [("-1", "output"), ("1.5", "output"), ("many", "output"), ("1000000000001", "output")] {
            let address = CalculatorAddress::from_params(&params(&[("input", "10"), (field, text)]));
            assert_eq!(address.tokens().unwrap_err().field, field, "{text}");
            assert_eq!(address.counts[4], text);
        }
    }

    #[test]
    fn an_address_reads_back_as_it_was_written() {
        let address = CalculatorAddress {
            models: vec!["gpt-5".into(), "odd & name".into()],
            against: Some("gpt-5".into()),
            search: "opus".into(),
            ..CalculatorAddress::default()
        };
        let href = address.to_href();
        let mut read = ParamsMap::new();
        for (name, value) in href.split_once('?').unwrap().1.split('&').filter_map(|pair| pair.split_once('=')) {
            read.insert(name.to_owned(), value.to_owned());
        }
        assert_eq!(CalculatorAddress::from_params(&read), address);
    }

    #[test]
    fn no_tokens_at_all_is_an_address_of_its_own() {
        let nothing =
            CalculatorAddress { counts: Default::default(), models: vec!["a".into()], ..CalculatorAddress::default() };
        assert_eq!(nothing.to_href(), "/calculator?input=&model=a");
        let read = CalculatorAddress::from_params(&params(&[("input", ""), ("model", "a")]));
        assert_eq!(read, nothing);
    }

    #[test]
    fn a_measure_that_is_not_compared_is_the_dearest() {
        let address = CalculatorAddress::from_params(&params(&[("model", "a"), ("against", "z")]));
        assert_eq!(address.against, None);
    }
}
