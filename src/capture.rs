//! How usage gets in. Every way in ends in `recorder`, which prices a call once and hands it to the ledger. Calls that
//! Tollbridge itself is in the middle of wait for the ledger in the `spool`.

pub mod chat;
pub mod demo;
#[cfg(feature = "ssr")]
pub mod gateway;
pub mod import;
pub mod ingest;
pub mod json_fields;
pub mod log_import;
mod parts;
pub mod provider;
pub mod recorder;
mod spool;
