//! The state of a view: its address, what a form holds, a conversation, the theme that the browser asked for, and who looks.
//! Only address and theme outlive a page.

pub mod address;
pub mod alerts_address;
pub mod budget_form;
pub mod calculator_address;
pub mod channel_form;
pub mod chat_events;
pub mod conversation;
pub mod named_budget_form;
#[cfg(feature = "ssr")]
pub mod theme;
#[cfg(feature = "ssr")]
pub mod visitor;
