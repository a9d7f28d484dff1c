//! How usage gets in. Every way in ends in `recorder`, which prices a call once and hands it to the ledger.

pub mod demo;
pub mod import;
pub mod ingest;
pub mod log_import;
pub mod provider;
pub mod recorder;
