//! The state of a view: its address, and the theme that the browser asked for. Nothing else outlives a page.

pub mod address;
pub mod budget_form;
pub mod calculator_address;
pub mod named_budget_form;
#[cfg(feature = "ssr")]
pub mod theme;
