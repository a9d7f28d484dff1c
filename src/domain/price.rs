//! Prices: what a token of a model costs from one date on, and which card holds for a call. Nothing here knows token
//! counts; a call is priced in [`crate::domain::cost`].

mod book;
mod card;
#[cfg(any(feature = "server", test))]
mod catalogue;
mod lookup;

pub use book::{CardFilter, PriceBook};
pub use card::{ContextTier, GivenRates, Multipliers, PriceCard, PriceError, Rate, RateTable, Rates, Ratio};
#[cfg(feature = "server")]
pub use catalogue::{catalogue_day, catalogue_text};
pub use lookup::{ModelName, canonical_provider, model_family};
