//! Notices: a sentence with a level. The level has a sign and a word, never only a colour.

use crate::app::kit::icon::{Icon, IconView};
use crate::domain::budget::AlertLevel;
use leptos::prelude::*;

/// How much a notice matters; the greater the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Good,
    Info,
    Warning,
    Critical,
}

impl Level {
    pub fn of_alert(level: AlertLevel) -> Self {
        match level {
            AlertLevel::Info => Self::Info,
            AlertLevel::Warning => Self::Warning,
            AlertLevel::Critical => Self::Critical,
        }
    }

    /// The class that colours it.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "level-good",
            Self::Info => "level-info",
            Self::Warning => "level-warning",
            Self::Critical => "level-critical",
        }
    }

    /// The word that stands beside the sign.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "Fine",
            Self::Info => "Note",
            Self::Warning => "Warning",
            Self::Critical => "Critical",
        }
    }

    pub fn icon(self) -> Icon {
        match self {
            Self::Good => Icon::Check,
            Self::Info => Icon::Info,
            Self::Warning => Icon::Warning,
            Self::Critical => Icon::Critical,
        }
    }
}

/// One line: sign, word, sentence, and where to look (if anywhere).
#[component]
pub fn Notice(
    level: Level,
    /// In place of the level's own word.
    #[prop(optional)]
    word: Option<&'static str>,
    #[prop(into)] message: String,
    /// Where the evidence is: its address and what the link is called.
    #[prop(optional_no_strip)]
    evidence: Option<(String, &'static str)>,
) -> impl IntoView {
    let link = evidence.map(|(href, label)| view! { <a class="notice-link" href=href data-noscroll="">{label}</a> });
    view! {
        <div class=format!("notice {}", level.class())>
            <IconView icon=level.icon()/>
            <p><strong>{word.unwrap_or(level.word())}</strong>" "{message}</p>
            {link}
        </div>
    }
}

/// A small pill: a sign and a few words.
#[component]
pub fn Pill(level: Level, #[prop(into)] label: String) -> impl IntoView {
    view! { <span class=format!("pill {}", level.class())><IconView icon=level.icon()/>{label}</span> }
}
