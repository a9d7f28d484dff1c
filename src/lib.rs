#![forbid(unsafe_code)]

#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod app;
#[cfg(feature = "server")]
pub mod capture;
pub mod domain;
#[cfg(feature = "server")]
pub mod ledger;
