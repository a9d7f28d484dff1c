#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod capture;
#[cfg(feature = "ssr")]
pub mod cli;
#[cfg(feature = "ssr")]
pub mod config;
pub mod domain;
#[cfg(feature = "ssr")]
pub mod http;
#[cfg(feature = "server")]
pub mod ledger;
