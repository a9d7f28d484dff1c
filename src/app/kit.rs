//! The parts that every page is made of: no data of ours, no addresses.

pub mod card;
pub mod change;
pub mod failure;
pub mod field;
pub mod form_outcome;
pub mod icon;
pub mod notice;
pub mod snippets;
