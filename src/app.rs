//! The dashboard, as the server renders it and the browser hydrates it.

pub mod charts;
