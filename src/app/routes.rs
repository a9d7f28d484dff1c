//! Which address shows which page, and what the navigation lists. A new page is one route and one [`NAV`] line.

use crate::app::kit::icon::Icon;
use crate::app::pages::alerts::Alerts;
use crate::app::pages::audit::Audit;
use crate::app::pages::budgets::Budgets;
use crate::app::pages::calculator::Calculator;
use crate::app::pages::channels::Channels;
use crate::app::pages::chat::Chat;
use crate::app::pages::keys::Keys;
use crate::app::pages::not_found::NotFound;
use crate::app::pages::overview::Overview;
use crate::app::pages::settings::Settings;
use crate::app::pages::start::Start;
use crate::app::shell::Frame;
use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::{Lazy, LazyRoute, SsrMode, lazy_route, path};

/// An entry of the navigation.
pub struct NavEntry {
    pub href: &'static str,
    pub label: &'static str,
    pub icon: Icon,
    /// Other addresses of the same page, and the pages below it.
    pub aliases: &'static [&'static str],
}

/// The pages that exist, in reading order. The first [`IN_BAR`] stand in the bottom bar of a narrow screen, the rest behind
/// its "More".
pub const NAV: &[NavEntry] = &[
    NavEntry { href: "/", label: "Overview", icon: Icon::Overview, aliases: &["/analytics"] },
    NavEntry { href: "/alerts", label: "Alerts", icon: Icon::Alerts, aliases: &["/alerts/channels"] },
    NavEntry { href: "/budgets", label: "Budgets", icon: Icon::Budgets, aliases: &[] },
    NavEntry { href: "/calculator", label: "Calculator", icon: Icon::Calculator, aliases: &[] },
    NavEntry { href: "/chat", label: "Chat", icon: Icon::Chat, aliases: &[] },
    NavEntry { href: "/keys", label: "Keys", icon: Icon::Key, aliases: &[] },
    NavEntry { href: "/settings", label: "Settings", icon: Icon::Settings, aliases: &["/settings/audit"] },
    NavEntry { href: "/start", label: "Get started", icon: Icon::Start, aliases: &[] },
];

pub const IN_BAR: usize = 4;

/// The whole dashboard. Pages are rendered in [`SsrMode::Async`]: complete HTML in one piece, so that they can be read
/// without scripts and nothing moves when those arrive. In the browser each page but the Overview is a file of its own,
/// so that the Overview loads no other page's code.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title text="Tollbridge"/>
        <Router>
            <Frame>
                <FlatRoutes fallback=NotFound>
                    <Route path=path!("/") view=Overview ssr=SsrMode::Async/>
                    <Route path=path!("/analytics") view=Overview ssr=SsrMode::Async/>
                    <Route path=path!("/alerts") view={Lazy::<AlertsRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/alerts/channels") view={Lazy::<ChannelsRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/budgets") view={Lazy::<BudgetsRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/calculator") view={Lazy::<CalculatorRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/chat") view={Lazy::<ChatRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/keys") view={Lazy::<KeysRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/settings") view={Lazy::<SettingsRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/settings/audit") view={Lazy::<AuditRoute>::new()} ssr=SsrMode::Async/>
                    <Route path=path!("/start") view={Lazy::<StartRoute>::new()} ssr=SsrMode::Async/>
                </FlatRoutes>
            </Frame>
        </Router>
    }
}

/// A page whose code the browser loads when it is opened.
macro_rules! lazy_page {
    ($route:ident, $page:ident) => {
        struct $route;

        #[lazy_route]
        impl LazyRoute for $route {
            fn data() -> Self {
                Self
            }

            fn view(_page: Self) -> AnyView {
                view! { <$page/> }.into_any()
            }
        }
    };
}

lazy_page!(AlertsRoute, Alerts);
lazy_page!(AuditRoute, Audit);
lazy_page!(BudgetsRoute, Budgets);
lazy_page!(CalculatorRoute, Calculator);
lazy_page!(ChannelsRoute, Channels);
lazy_page!(ChatRoute, Chat);
lazy_page!(KeysRoute, Keys);
lazy_page!(SettingsRoute, Settings);
lazy_page!(StartRoute, Start);
