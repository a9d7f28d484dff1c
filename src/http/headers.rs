//! The security headers of every answer, and how long a browser may keep it.

use crate::config::PublicUrl;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use leptos::config::LeptosOptions;

const ON_EVERY_ANSWER: [(HeaderName, &str); 8] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Not "no-referrer": without JavaScript, a form goes back to the page that its Referer names.
    (REFERRER_POLICY, "same-origin"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(), usb=(), payment=()"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), "none"),
];

/// For what is no page: data and files load nothing.
const POLICY_FOR_DATA: &str = "default-src 'none'; frame-ancestors 'none'";

const KEEP_NOTHING: &str = "no-store";
/// Files whose name stays while their content changes with each build: kept, but asked about each time.
const ASK_EACH_TIME: &str = "no-cache";
/// Files whose version is part of their name.
const KEEP_FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// Two years, as long as OWASP asks for. Browsers heed it over https alone, so it is for the public address.
const ONLY_ENCRYPTED: &str = "max-age=63072000; includeSubDomains";

/// Adds what an answer does not say for itself.
pub async fn set_headers(State(public_url): State<Option<PublicUrl>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let is_success = response.status().is_success() || response.status() == axum::http::StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    for (name, value) in ON_EVERY_ANSWER {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if public_url.is_some() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_ENCRYPTED));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY_FOR_DATA));
    let kept = if is_success && !is_dynamic(headers) { caching_of(&path) } else { KEEP_NOTHING };
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(kept));
    if headers.get(CONTENT_TYPE).is_some_and(|value| value == "application/json") {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    response
}

/// The content security policy of a plain form: no scripts at all.
pub const POLICY_FOR_FORM_PAGE: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

/// The content security policy of a page whose scripts carry `nonce`. No inline script or style without it, no eval but
/// WebAssembly's, nothing from another host.
pub fn policy_for_page(nonce: &str, options: &LeptosOptions) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; \
         img-src 'self' data:; font-src 'self'; connect-src 'self'{}; form-action 'self'; base-uri 'none'; \
         object-src 'none'; frame-ancestors 'none'",
        live_reload_source(options)
    )
}

/// Under `cargo leptos watch` the page listens for rebuilds on a port of its own.
fn live_reload_source(options: &LeptosOptions) -> String {
    if std::env::var_os("LEPTOS_WATCH").is_none() {
        return String::new();
    }
    let port = options.reload_port;
    format!(" ws://127.0.0.1:{port} ws://localhost:{port}")
}

/// Pages and API answers; files have a modification time.
fn is_dynamic(headers: &HeaderMap) -> bool {
    !headers.contains_key(axum::http::header::LAST_MODIFIED)
}

fn caching_of(path: &str) -> &'static str {
    if path.starts_with("/vendor/") && file_name_has_version(path) { KEEP_FOR_GOOD } else { ASK_EACH_TIME }
}

/// `echarts-6.0.0.min.js` has one, `boot.js` has none.
fn file_name_has_version(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.split_once('-').is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versioned_vendor_files_are_kept_for_good() {
        assert_eq!(caching_of("/vendor/echarts-6.0.0.min.js"), KEEP_FOR_GOOD);
        assert_eq!(caching_of("/vendor/LICENSE"), ASK_EACH_TIME);
        assert_eq!(caching_of("/pkg/tollbridge.wasm"), ASK_EACH_TIME);
        assert_eq!(caching_of("/boot.js"), ASK_EACH_TIME);
    }

    #[test]
    fn the_page_policy_allows_no_inline_and_no_eval() {
        let options = LeptosOptions::builder().output_name("tollbridge").build();
        let policy = policy_for_page("abc", &options);
        assert!(policy.contains("script-src 'self' 'nonce-abc' 'wasm-unsafe-eval';"));
        assert!(!policy.contains("unsafe-inline"));
        assert!(!policy.contains("'unsafe-eval'"));
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    }
}
