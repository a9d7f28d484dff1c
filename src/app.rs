//! The dashboard: what the browser is shown. Pages are put together from widgets, widgets from the kit; the data comes
//! through `server_fns`, whose bodies alone touch the server side. Server and browser render the same HTML.

pub mod charts;
#[cfg(feature = "ssr")]
pub mod door;
pub mod format;
pub mod kit;
pub mod pages;
pub mod routes;
pub mod server_fns;
pub mod shell;
pub mod state;
pub mod widgets;

pub use routes::App;
#[cfg(feature = "ssr")]
pub use shell::shell;
