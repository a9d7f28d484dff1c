//! Which theme the reader chose. It is kept in a cookie, so that the server renders the right one from the first byte;
//! `public/boot.js` writes the cookie.

use axum::http::header::COOKIE;
use axum::http::request::Parts;
use leptos::prelude::use_context;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// As in the cookie and in `<html data-theme>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The theme of the request that is being answered.
pub fn of_request() -> Theme {
    let Some(parts) = use_context::<Parts>() else { return Theme::default() };
    let headers = parts.headers.get_all(COOKIE);
    headers.iter().filter_map(|header| header.to_str().ok()).find_map(theme_in).unwrap_or_default()
}

fn theme_in(cookies: &str) -> Option<Theme> {
    let named = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    let value = named.into_iter().find(|(name, _)| *name == "theme")?.1;
    [Theme::System, Theme::Light, Theme::Dark].into_iter().find(|theme| theme.name() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_decides_and_rubbish_does_not() {
        assert_eq!(theme_in("a=1; theme=dark"), Some(Theme::Dark));
        assert_eq!(theme_in("theme=light"), Some(Theme::Light));
        assert_eq!(theme_in("theme=\"><script>"), None);
        assert_eq!(theme_in("mytheme=dark"), None);
    }
}
