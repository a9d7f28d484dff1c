//! The document around every page, and the frame that all pages share: navigation, theme switch, keyboard help.

use crate::app::kit::icon::{BrandMark, Icon, IconView};
use crate::app::routes::{IN_BAR, NAV, NavEntry};
#[cfg(feature = "ssr")]
use crate::app::{routes::App, state::theme, state::visitor};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

/// The HTML document. Its title is fixed text: nothing untrusted may stand in a `<title>`.
#[cfg(feature = "ssr")]
pub fn shell(options: LeptosOptions) -> impl IntoView {
    use leptos::nonce::use_nonce;
    use leptos_meta::MetaTags;
    let stylesheet = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme::of_request().name() data-session=visitor::of_request().0>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="referrer" content="same-origin"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link id="leptos" rel="stylesheet" href=stylesheet/>
                <script src="/boot.js" nonce=use_nonce() defer></script>
                <AutoReload options=options.clone()/>
                <HydrationScripts options/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// What stands around every page.
#[component]
pub fn Frame(children: Children) -> impl IntoView {
    view! {
        <a class="skip-link" href="#main">"Skip to the content"</a>
        <div class="frame">
            <header class="rail">
                <a class="brand" href="/"><BrandMark/>"Tollbridge"</a>
                <nav class="nav" aria-label="Pages">
                    <ul>
                        {NAV[..IN_BAR].iter().map(|entry| view! { <NavLink entry/> }).collect_view()}
                        <li class="nav-more">
                            <button type="button" popovertarget="more-pages"><IconView icon=Icon::More/><span>"More"</span></button>
                            <ul id="more-pages" popover="auto">
                                {NAV[IN_BAR..].iter().map(|entry| view! { <NavLink entry/> }).collect_view()}
                            </ul>
                        </li>
                    </ul>
                </nav>
                <div class="rail-foot">
                    <ThemeSwitch/>
                    <LogOut/>
                    <button type="button" class="icon-button" data-opens="shortcuts" aria-label="Keyboard shortcuts" title="Keyboard shortcuts (?)">
                        "?"
                    </button>
                </div>
            </header>
            <main id="main" class="page" tabindex="-1">{children()}</main>
        </div>
        <Shortcuts/>
    }
    .into_any()
}

#[component]
fn NavLink(entry: &'static NavEntry) -> impl IntoView {
    let path = use_location().pathname;
    let is_here = move || path.with(|path| path == entry.href || entry.aliases.contains(&path.as_str()));
    view! {
        <li>
            <a href=entry.href aria-current=move || is_here().then_some("page")>
                <IconView icon=entry.icon/>
                <span>{entry.label}</span>
            </a>
        </li>
    }
}

/// The same HTML whatever the theme: the style sheet marks the one in force by `<html data-theme>`, and `boot.js`
/// changes that and the cookie. Without scripts the switch is hidden and the system's theme holds.
#[component]
fn ThemeSwitch() -> impl IntoView {
    let choice = |name: &'static str, label: &'static str, icon: Icon| {
        view! {
            <button type="button" data-set-theme=name aria-label=label title=label>
                <IconView icon/>
            </button>
        }
    };
    view! {
        <div class="theme-switch" role="group" aria-label="Theme">
            {choice("system", "Theme of the system", Icon::System)}
            {choice("light", "Light theme", Icon::Sun)}
            {choice("dark", "Dark theme", Icon::Moon)}
        </div>
    }
}

/// The same HTML whoever looks: the style sheet hides it where `<html data-session>` names nobody.
#[component]
fn LogOut() -> impl IntoView {
    view! {
        <form class="logout" method="post" action="/logout">
            <button class="icon-button" aria-label="Log out" title="Log out"><IconView icon=Icon::Leave/></button>
        </form>
    }
}

/// The keys that `boot.js` listens to; it clicks or focuses the element whose `data-key` names the key.
const SHORTCUTS: [(&str, &str); 7] = [
    ("d", "Today"),
    ("w", "Last 7 days"),
    ("m", "Last 30 days"),
    ("y", "Last year"),
    ("c", "Compare with the period before"),
    ("/", "Filter by model"),
    ("?", "This help"),
];

#[component]
fn Shortcuts() -> impl IntoView {
    view! {
        <dialog id="shortcuts" class="dialog" aria-labelledby="shortcuts-title">
            <form method="dialog">
                <header>
                    <h2 id="shortcuts-title">"Keyboard shortcuts"</h2>
                    <button class="icon-button" aria-label="Close"><IconView icon=Icon::Close/></button>
                </header>
                <dl class="keys">
                    {SHORTCUTS
                        .iter()
                        .map(|(key, what)| view! { <div><dt><kbd>{*key}</kbd></dt><dd>{*what}</dd></div> })
                        .collect_view()}
                </dl>
            </form>
        </dialog>
    }
}
