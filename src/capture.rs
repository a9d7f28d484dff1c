//! How usage gets in: from providers' answers, logs, telemetry and the API. Capture turns what others wrote into usage
//! records. Every way in ends in `recorder`, which prices a call once and hands it to the ledger.

pub mod demo;
pub mod import;
pub mod provider;
pub mod recorder;
