#![forbid(unsafe_code)]

pub mod domain;
#[cfg(feature = "server")]
pub mod ledger;
