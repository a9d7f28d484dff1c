//! Which headers pass. All do, but for those that concern one connection alone, those that are meant for Tollbridge, and
//! those that would let one side act on the other's browser or network.

use super::attribution;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Carries our key beside the client's own credential for the provider.
pub const KEY: HeaderName = HeaderName::from_static("x-tollbridge-key");
/// The one header of ours on an answer: the id of the event that the call becomes.
pub const CALL_ID: HeaderName = HeaderName::from_static("x-tollbridge-call-id");
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// RFC 9110 section 7.6.1, and what `Connection` names beside.
const OF_ONE_CONNECTION: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Headers that decide who is asking: two of one, or a look-alike, are refused.
const CREDENTIALS: [HeaderName; 3] = [header::AUTHORIZATION, API_KEY, KEY];

/// The headers to send to the provider, whose own name is `host`.
pub fn to_upstream(sent: HeaderMap, host: HeaderValue) -> HeaderMap {
    // What a client says of its connection is true of ours as well, if it is that. Then as a rule all of its headers pass.
    let stays = says_only_keep_alive(&sent).then_some(header::CONNECTION);
    let mut headers = pass(sent, stays, |name| {
        // An interim answer was given here, if one was asked for. Cookies are the dashboard's.
        *name != header::EXPECT && *name != header::COOKIE && !attribution::is_ours(name)
    });
    // Only plain bytes can be read while they pass.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::HOST, host);
    headers
}

/// The headers to give back to the client. The limits of a provider key that is not the client's are not its business.
pub fn to_client(answered: HeaderMap, is_shared_key: bool) -> HeaderMap {
    pass(answered, None, |name| {
        let is_limit = name.as_str().starts_with("anthropic-ratelimit-");
        *name != header::SET_COOKIE && !name.as_str().starts_with("x-tollbridge-") && !(is_shared_key && is_limit)
    })
}

/// A header that makes it unclear who is asking.
pub fn ambiguous_credential(headers: &HeaderMap) -> Option<&'static str> {
    let is_twice = CREDENTIALS.iter().any(|name| headers.get_all(name).iter().nth(1).is_some());
    let has_twin = headers.keys().any(|name| {
        name.as_str().contains('_') && CREDENTIALS.iter().any(|known| name.as_str().replace('_', "-") == known.as_str())
    });
    match (is_twice, has_twin) {
        (true, _) => Some("a header that holds a key was sent twice"),
        (_, true) => Some("a header that holds a key was spelt with an underscore"),
        _ => None,
    }
}

/// Those that may pass and do not concern one connection alone, and the one that stays, in their order.
fn pass(headers: HeaderMap, stays: Option<HeaderName>, may_pass: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let nominated = nominated(&headers);
    let is_of_one_connection = |name: &HeaderName| {
        OF_ONE_CONNECTION.contains(name)
            || name.as_str().starts_with("proxy-")
            || nominated.iter().any(|nominated| nominated == name.as_str())
    };
    let passes = |name: &HeaderName| may_pass(name) && (!is_of_one_connection(name) || stays.as_ref() == Some(name));
    if headers.keys().all(passes) {
        return headers;
    }
    let mut passed = HeaderMap::with_capacity(headers.len());
    let mut is_passing = false;
    // Only the first value of a name comes with it.
    passed.extend(headers.into_iter().filter(|(name, _)| {
        is_passing = name.as_ref().map_or(is_passing, passes);
        is_passing
    }));
    passed
}

fn says_only_keep_alive(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"keep-alive"))
}

/// What `Connection` names, in lower case.
fn nominated(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse::<HeaderValue>().unwrap())).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn http1_removes_connection_headers() {
        let sent = map(&[
            ("connection", "close, X-Once"),
            ("x-once", "1"),
            ("keep-alive", "5"),
            ("proxy-authorization", "x"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("host", "localhost:3000"),
            ("cookie", "sid=1"),
            ("expect", "100-continue"),
            ("accept-encoding", "gzip, br"),
            ("x-tollbridge-key", "tb_x"),
            ("helicone-auth", "x"),
            ("x-litellm-tags", "a"),
            ("anthropic-beta", "a,b"),
            ("anthropic-new-thing", "1"),
            ("x-stainless-lang", "python"),
            ("traceparent", "00-1"),
            ("content-length", "3"),
        ]);
        let passed = to_upstream(sent, HeaderValue::from_static("provider.example"));
        assert_eq!(
            names(&passed),
            [
                "accept-encoding",
                "anthropic-beta",
                "anthropic-new-thing",
                "content-length",
                "host",
                "traceparent",
                "x-stainless-lang"
            ]
        );
        assert_eq!(passed["accept-encoding"], "identity");
        assert_eq!(passed["host"], "provider.example");
    }

    #[test]
    fn answers_keep_all_but_cookies_and_hops() {
        let answered = map(&[
            ("request-id", "req_1"),
            ("anthropic-ratelimit-requests-remaining", "9"),
            ("retry-after", "7"),
            ("set-cookie", "a=b"),
            ("connection", "keep-alive"),
            ("x-tollbridge-call-id", "forged"),
        ]);
        assert_eq!(
            names(&to_client(answered.clone(), false)),
            ["anthropic-ratelimit-requests-remaining", "request-id", "retry-after"]
        );
        assert_eq!(names(&to_client(answered, true)), ["request-id", "retry-after"], "a shared key's limits");
    }

    #[test]
    fn repeated_values_stay_repeated_and_in_order() {
        let sent = map(&[
            ("cookie", "a=b"),
            ("cookie", "c=d"),
            ("anthropic-beta", "a"),
            ("x-stainless-lang", "python"),
            ("anthropic-beta", "b"),
            ("proxy-a", "1"),
            ("proxy-a", "2"),
            ("traceparent", "00-1"),
        ]);
        let passed = to_upstream(sent, HeaderValue::from_static("provider.example"));
        assert_eq!(passed.get_all("anthropic-beta").iter().collect::<Vec<_>>(), ["a", "b"]);
        let order: Vec<_> = passed.keys().map(HeaderName::as_str).collect();
        assert_eq!(order, ["anthropic-beta", "x-stainless-lang", "traceparent", "accept-encoding", "host"]);
    }

    #[test]
    fn a_connection_that_is_only_kept_alive_is_so_to_the_provider_too() {
        let passed = |value: &str| {
            let sent = map(&[("x-a", "1"), ("connection", value), ("keep-alive", "timeout=5")]);
            let passed = to_upstream(sent, HeaderValue::from_static("provider.example"));
            assert!(!passed.contains_key("keep-alive"), "its limits are of one connection");
            passed.get("connection").cloned()
        };
        assert_eq!(passed("Keep-Alive").unwrap(), "Keep-Alive");
        for value in ["close", "keep-alive, x-a", ""] {
            assert_eq!(passed(value), None, "{value}");
        }
        let answered = map(&[("connection", "keep-alive"), ("x-b", "1")]);
        assert_eq!(names(&to_client(answered, false)), ["x-b"]);
    }

    #[test]
    fn unclear_credentials_are_found() {
        assert!(ambiguous_credential(&map(&[("x-api-key", "a"), ("authorization", "b")])).is_none());
        assert!(ambiguous_credential(&map(&[("x-api-key", "a"), ("x-api-key", "b")])).is_some());
        assert!(ambiguous_credential(&map(&[("x_api_key", "a")])).is_some());
    }
}
