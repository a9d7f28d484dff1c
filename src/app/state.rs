//! The state of a view: its address, and the theme that the browser asked for. Nothing else outlives a page.

pub mod address;
pub mod alerts_address;
pub mod budget_form;
pub mod calculator_address;
#[cfg(feature = "ssr")]
pub mod theme;
