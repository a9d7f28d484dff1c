//! What a form sent without scripts needs: its answer is a page, not data.

#[cfg(feature = "ssr")]
use super::error::{AppError, refused};

/// Sends a browser that has sent a plain form on to `path`, where a page shows how it went. A form that was sent by the
/// page's own code is answered with data instead, and stays where it is. Call it last: it settles the status.
#[cfg(feature = "ssr")]
pub fn go_on_to(path: &str) {
    use axum::http::header::ACCEPT;
    use leptos::prelude::use_context;
    let Some(request) = use_context::<axum::http::request::Parts>() else { return };
    let accepted = request.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_plain_form = accepted.contains("text/html");
    // A path that is no header value would make `redirect` panic.
    if is_plain_form && axum::http::HeaderValue::from_str(path).is_ok() {
        leptos_axum::redirect(path);
    }
}

/// As [`go_on_to`], after something was done to what may not have been there.
///
/// # Errors
/// [`AppError::NotFound`], with its status, if it was not.
#[cfg(feature = "ssr")]
pub fn go_on_if(was_there: bool, path: &str) -> Result<(), AppError> {
    let done = if was_there { Ok(()) } else { Err(refused(AppError::NotFound)) };
    go_on_to(path);
    done
}
