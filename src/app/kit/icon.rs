//! The icons: 16 px line drawings in the colour of the text around them. They are never the only sign of anything, so
//! screen readers do not hear them.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Overview,
    Alerts,
    Budgets,
    Calculator,
    Chat,
    Key,
    Settings,
    Start,
    System,
    Sun,
    Moon,
    Close,
    Check,
    Info,
    Warning,
    Critical,
    Calendar,
    Search,
    ChevronRight,
    More,
    Send,
    Stop,
    Leave,
}

impl Icon {
    /// The strokes on a 16 × 16 grid.
    fn path(self) -> &'static str {
        match self {
            Self::Overview => "M2.5 13.5h11M4 11V8.5M7 11V4.5M10 11V7M13 11V2.5",
            Self::Alerts => "M4 11V7a4 4 0 0 1 8 0v4l1.5 1.5h-11ZM6.7 14.5h2.6",
            Self::Budgets => "M2 11.5a6 6 0 1 1 12 0M8 11.5l2.8-3.6M2 11.5h1.5M12.5 11.5H14",
            Self::Calculator => {
                "M4 1.5h8a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1ZM5.5 4.5h5M5.5 8h.01M8 8h.01M10.5 8h.01M5.5 11h.01M8 11h.01M10.5 11h.01"
            }
            Self::Chat => {
                "M3.5 2.5h9a1 1 0 0 1 1 1v6.5a1 1 0 0 1-1 1H7.5L4.5 13.5V11h-1a1 1 0 0 1-1-1V3.5a1 1 0 0 1 1-1ZM5.5 5.5h5M5.5 8h3"
            }
            Self::Key => "M5.5 7.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM7.6 8.4 13.5 2.5M10.5 5.5l2 2",
            Self::Settings => {
                "M2 4.5h7M13 4.5h1M2 11.5h1M7 11.5h7M11 2.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4ZM5 9.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z"
            }
            Self::Start => "M3 2.5v11M3 3h8.5l-1.8 3 1.8 3H3",
            Self::System => "M2 3h12v8H2ZM6 13.5h4M8 11v2.5",
            Self::Sun => {
                "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9"
            }
            Self::Moon => "M13.5 9.6A5.7 5.7 0 0 1 6.4 2.5a5.7 5.7 0 1 0 7.1 7.1Z",
            Self::Close => "M4 4l8 8M12 4l-8 8",
            Self::Check => "M3 8.5l3.2 3.2L13 4.8",
            Self::Info => "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8ZM8 7.2v3.6M8 5h.01",
            Self::Warning => "M8 2 1.8 13h12.4ZM8 6.5v3M8 11.3h.01",
            Self::Critical => "M5.4 1.8h5.2l3.6 3.6v5.2l-3.6 3.6H5.4l-3.6-3.6V5.4ZM8 4.8v3.8M8 11h.01",
            Self::Calendar => "M2.5 3.5h11v10h-11ZM2.5 6.5h11M5.5 2v2.5M10.5 2v2.5",
            Self::Search => "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9ZM10.3 10.3l3.4 3.4",
            Self::More => "M3.2 8h.01M8 8h.01M12.8 8h.01",
            Self::Send => "M8 13V3M4 7l4-4 4 4",
            Self::Stop => "M4.5 4.5h7v7h-7Z",
            Self::ChevronRight => "M6 3.5 10.5 8 6 12.5",
            Self::Leave => "M6 2.5H3v11h3M6.5 8h7M10.5 4.8 13.7 8l-3.2 3.2",
        }
    }
}

#[component]
pub fn IconView(icon: Icon) -> impl IntoView {
    view! {
        <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            <path d=icon.path()></path>
        </svg>
    }
}

/// The product's sign: a bridge with the arch that carries it.
#[component]
pub fn BrandMark() -> impl IntoView {
    view! {
        <svg class="brand-mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
            <rect width="24" height="24" rx="6"></rect>
            <path d="M4 16.5h16M6 16.5c1-6.5 11-6.5 12 0M9 16.5v-4.2M12 16.5v-4.9M15 16.5v-4.2"></path>
        </svg>
    }
}
