//! Where a request comes from: the Host check against DNS rebinding and the origin check against forged requests. As long
//! as nobody has to log in, these two and the loopback address are what keeps other people's web pages out.

use super::error::ApiError;
use crate::config::PublicUrl;
use crate::domain::host::origin_of;
use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN, VARY};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// The values of `Host` that mean this server.
#[derive(Clone, Debug)]
pub struct AllowedHosts(Arc<[String]>);

/// What is asked of an unsafe request that says nothing of where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Pages and server functions: only browsers send here, and every browser says.
    Browser,
    /// The API: programs send here too, and they say nothing.
    Program,
}

/// What `check_origin` goes by.
#[derive(Clone, Debug)]
pub struct OriginRule {
    pub strictness: Strictness,
    pub public_url: Option<PublicUrl>,
}

impl AllowedHosts {
    /// The names of the loopback interface at `port`.
    pub fn of_loopback(port: u16) -> Self {
        let names = ["localhost", "127.0.0.1", "[::1]"];
        let with_port = names.iter().map(|name| format!("{name}:{port}"));
        // Browsers leave the port out where it is HTTP's own.
        let without_port = names.iter().filter(|_| port == 80).map(|name| (*name).to_owned());
        Self(with_port.chain(without_port).collect())
    }

    /// And the public address's, if there is one.
    #[must_use]
    pub fn and(self, public_url: Option<&PublicUrl>) -> Self {
        let public = public_url.map(|url| url.authority().to_owned());
        Self(self.0.iter().cloned().chain(public).collect())
    }

    /// Refuses a request whose Host is not this server's: a page whose name was re-pointed at 127.0.0.1 still sends its own.
    pub(super) fn check(&self, request: &Request) -> Result<(), ApiError> {
        if self.contains(host_of(request)?) { Ok(()) } else { Err(ApiError::WrongHost) }
    }

    fn contains(&self, host: &str) -> bool {
        self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }
}

/// Refuses, as a layer, what `AllowedHosts::check` does.
pub async fn check_host(State(hosts): State<AllowedHosts>, request: Request, next: Next) -> Response {
    match hosts.check(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Refuses an unsafe request that a page of another origin sent. Browsers set `Sec-Fetch-Site` and `Origin` themselves;
/// a page cannot forge them.
pub async fn check_origin(State(rule): State<OriginRule>, request: Request, next: Next) -> Response {
    if is_safe(request.method()) {
        return next.run(request).await;
    }
    let mut response = if comes_from_here(request.headers(), rule.strictness, rule.public_url.as_ref()) {
        next.run(request).await
    } else {
        ApiError::CrossSite.into_response()
    };
    response.headers_mut().append(VARY, HeaderValue::from_static("sec-fetch-site, origin"));
    response
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether no page of another origin sent the request. What says nothing is believed where programs may send.
pub(super) fn comes_from_here(headers: &HeaderMap, strictness: Strictness, public_url: Option<&PublicUrl>) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match headers.get(ORIGIN) {
        // The Host was checked before, so an origin that equals it is ours.
        Some(origin) => {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            let ours = origin_of(host, public_url.map(PublicUrl::authority));
            origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&ours))
        }
        None => strictness == Strictness::Program,
    }
}

/// The one Host of the request; none, several, or one that contradicts the request line are a bad request.
fn host_of(request: &Request) -> Result<&str, ApiError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => authority,
        (Some(_), Some(_)) => None,
    };
    match (host, authority) {
        (Some(host), Some(authority)) if host != authority => None,
        (host, _) => host,
    }
    .ok_or_else(|| ApiError::bad_request("the request needs exactly one Host header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_loopback_names_with_the_right_port_are_ours() {
        let hosts = AllowedHosts::of_loopback(3000);
        for ours in ["localhost:3000", "LOCALHOST:3000", "127.0.0.1:3000", "[::1]:3000"] {
            assert!(hosts.contains(ours), "{ours}");
        }
        for foreign in
            ["localhost", "localhost:3001", "evil.example:3000", "127.0.0.1:3000.evil.example", "127.1:3000", ""]
        {
            assert!(!hosts.contains(foreign), "{foreign}");
        }
        assert!(AllowedHosts::of_loopback(80).contains("localhost"));
    }

    #[test]
    fn the_fetch_metadata_decides_before_the_origin() {
        let same =
            headers(&[("host", "localhost:3000"), ("sec-fetch-site", "same-origin"), ("origin", "http://x.example")]);
        let cross = headers(&[
            ("host", "localhost:3000"),
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://localhost:3000"),
        ]);
        let same_site = headers(&[("host", "localhost:3000"), ("sec-fetch-site", "same-site")]);
        assert!(comes_from_here(&same, Strictness::Browser, None));
        assert!(!comes_from_here(&cross, Strictness::Program, None));
        assert!(!comes_from_here(&same_site, Strictness::Program, None));
    }

    #[test]
    fn without_it_the_origin_must_be_the_host() {
        for (origin, is_ours) in [
            ("http://localhost:3000", true),
            ("http://localhost:3001", false),
            ("https://localhost:3000", false),
            ("http://127.0.0.1:3000", false),
            ("null", false),
        ] {
            let sent = headers(&[("host", "localhost:3000"), ("origin", origin)]);
            assert_eq!(comes_from_here(&sent, Strictness::Program, None), is_ours, "{origin}");
        }
    }

    #[test]
    fn the_public_address_has_its_own_host_and_origin() {
        let url = PublicUrl::parse("https://tolls.example.org").unwrap();
        let hosts = AllowedHosts::of_loopback(3000).and(Some(&url));
        assert!(hosts.contains("tolls.example.org") && hosts.contains("localhost:3000"));
        assert!(!hosts.contains("tolls.example.org:3000"));
        for (host, origin, is_ours) in [
            ("tolls.example.org", "https://tolls.example.org", true),
            ("tolls.example.org", "http://tolls.example.org", false),
            ("tolls.example.org", "http://localhost:3000", false),
            ("localhost:3000", "http://localhost:3000", true),
            ("localhost:3000", "https://tolls.example.org", false),
        ] {
            let sent = headers(&[("host", host), ("origin", origin)]);
            assert_eq!(comes_from_here(&sent, Strictness::Browser, Some(&url)), is_ours, "{host} {origin}");
        }
    }

    #[test]
    fn silence_is_for_programs_only() {
        let silent = headers(&[("host", "localhost:3000")]);
        assert!(comes_from_here(&silent, Strictness::Program, None));
        assert!(!comes_from_here(&silent, Strictness::Browser, None));
    }
}
