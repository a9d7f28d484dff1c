//! Which address shows which page, and what the navigation lists. A new page is one route and one [`NAV`] line.

use crate::app::kit::icon::Icon;
use crate::app::pages::budgets::Budgets;
use crate::app::pages::calculator::Calculator;
use crate::app::pages::not_found::NotFound;
use crate::app::pages::overview::Overview;
use crate::app::pages::start::Start;
use crate::app::shell::Frame;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

/// An entry of the navigation.
pub struct NavEntry {
    pub href: &'static str,
    pub label: &'static str,
    pub icon: Icon,
    /// Other addresses of the same page.
    pub aliases: &'static [&'static str],
}

/// The pages that exist, in reading order.
pub const NAV: &[NavEntry] = &[
    NavEntry { href: "/", label: "Overview", icon: Icon::Overview, aliases: &["/analytics"] },
    NavEntry { href: "/budgets", label: "Budgets", icon: Icon::Budgets, aliases: &[] },
    NavEntry { href: "/calculator", label: "Calculator", icon: Icon::Calculator, aliases: &[] },
    NavEntry { href: "/start", label: "Get started", icon: Icon::Start, aliases: &[] },
];

/// The whole dashboard. Pages are rendered in [`SsrMode::Async`]: complete HTML in one piece, so that they can be read
/// without scripts and nothing moves when those arrive.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title text="Tollbridge"/>
        <Router>
            <Frame>
                <Routes fallback=NotFound>
                    <Route path=path!("/") view=Overview ssr=SsrMode::Async/>
                    <Route path=path!("/analytics") view=Overview ssr=SsrMode::Async/>
                    <Route path=path!("/budgets") view=Budgets ssr=SsrMode::Async/>
                    <Route path=path!("/calculator") view=Calculator ssr=SsrMode::Async/>
                    <Route path=path!("/start") view=Start ssr=SsrMode::Async/>
                </Routes>
            </Frame>
        </Router>
    }
}
