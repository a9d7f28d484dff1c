//! Who looks at the page, as far as its HTML shows it.

use leptos::prelude::use_context;

/// What somebody logged in with; none where no login is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visitor(pub Option<String>);

/// The visitor of the request that is being answered, from the context that `http` gives to pages.
pub fn of_request() -> Visitor {
    use_context().unwrap_or_default()
}
