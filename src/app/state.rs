//! The state of a view: its address, the theme that the browser asked for, and who looks. Nothing else outlives a page.

pub mod address;
pub mod budget_form;
pub mod calculator_address;
#[cfg(feature = "ssr")]
pub mod theme;
#[cfg(feature = "ssr")]
pub mod visitor;
