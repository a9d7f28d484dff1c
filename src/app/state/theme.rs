//! Which theme the reader chose. It is kept in a cookie, so that the server renders the right one from the first byte;
//! `public/boot.js` writes the cookie.

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

    /// The choice in a Cookie header; none where there is none, or not one of ours.
    pub fn in_cookies(cookies: &str) -> Option<Self> {
        let named = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        let value = named.into_iter().find(|(name, _)| *name == "theme")?.1;
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == value)
    }
}

/// The theme of the request that is being answered, from the context that `http` gives to pages.
pub fn of_request() -> Theme {
    use_context().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_decides_and_rubbish_does_not() {
        assert_eq!(Theme::in_cookies("a=1; theme=dark"), Some(Theme::Dark));
        assert_eq!(Theme::in_cookies("theme=light"), Some(Theme::Light));
        assert_eq!(Theme::in_cookies("theme=\"><script>"), None);
        assert_eq!(Theme::in_cookies("mytheme=dark"), None);
    }
}
