//! The rules: money, tokens, prices, cost, periods, budgets, anomalies, forecasts, who is told of them, and the shape of the answers. No
//! input or output; compiles for the server and for the browser, and imports nothing else of this crate.

pub mod account;
pub mod alert;
pub mod anomaly;
pub mod api_key;
pub mod audit;
pub mod budget;
pub mod channel;
pub mod chat;
pub mod cost;
pub mod delivery;
pub mod forecast;
pub mod heat_map;
pub mod host;
pub mod money;
pub mod notification;
pub mod pause;
pub mod period;
pub mod price;
pub mod projection;
pub mod query;
pub mod recorder_health;
pub mod report;
pub mod secret;
pub mod tokens;
pub mod usage;
