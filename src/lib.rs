#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod capture;
pub mod domain;
#[cfg(feature = "server")]
pub mod ledger;
