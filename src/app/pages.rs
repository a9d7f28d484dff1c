//! The pages: each reads its address, asks the server functions, and lays out widgets.

pub mod alerts;
pub mod audit;
pub mod budgets;
pub mod calculator;
pub mod channels;
pub mod chat;
pub mod keys;
pub mod not_found;
pub mod overview;
pub mod settings;
pub mod start;
