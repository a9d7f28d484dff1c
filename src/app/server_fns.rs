//! The dashboard's own server functions: what a page asks for, under `/_fn`. Each body asks who acts (`principal`), asks the ledger and
//! maps the error; nothing is worked out here.

pub mod alerts;
pub mod audit;
pub mod budget;
pub mod budgets;
pub mod calculator;
pub mod channels;
pub mod chat;
pub mod codec;
pub mod error;
#[cfg(feature = "ssr")]
mod form;
pub mod keys;
pub mod live;
pub mod people;
#[cfg(feature = "ssr")]
mod principal;
pub mod recorder;
pub mod report;
pub mod start;
pub mod system;
