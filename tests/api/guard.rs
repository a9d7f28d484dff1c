//! Who may send what.

use super::server::{HOST, TestServer, request};
use axum::body::Body;
use axum::http::{Method, StatusCode};

const CALL: &str = r#"{"model":"claude-sonnet-4-20250514","usage":{"input_tokens":1,"output_tokens":1}}"#;

#[tokio::test]
async fn only_this_machines_own_names_are_answered() {
    let server = TestServer::start().await;
    for host in ["localhost:3000", "127.0.0.1:3000", "[::1]:3000"] {
        let answer = server.send(request(Method::GET, "/healthz", &[("host", host)], Body::empty())).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}");
    }
    for host in ["evil.example", "evil.example:3000", "127.0.0.1", "127.0.0.1:8080", "x/?", ""] {
        for path in ["/", "/api/analytics/tokens", "/healthz", "/pkg/tollbridge.js"] {
            let answer = server.send(request(Method::GET, path, &[("host", host)], Body::empty())).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host} {path}");
            assert!(answer.json()["error"].is_string());
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "refusals carry the headers too");
        }
    }
}

#[tokio::test]
async fn none_or_two_hosts_are_a_bad_request() {
    let server = TestServer::start().await;
    let mut none = request(Method::GET, "/healthz", &[], Body::empty());
    none.headers_mut().remove("host");
    assert_eq!(server.send(none).await.status, StatusCode::BAD_REQUEST);
    let two = request(Method::GET, "/healthz", &[("host", HOST), ("host", "evil.example")], Body::empty());
    assert_eq!(server.send(two).await.status, StatusCode::BAD_REQUEST);
    let contradiction = request(Method::GET, "http://evil.example/healthz", &[("host", HOST)], Body::empty());
    assert_eq!(server.send(contradiction).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn another_sites_page_can_change_nothing() {
    let server = TestServer::start().await;
    let forged: [&[(&str, &str)]; 5] = [
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:3001")],
    ];
    for headers in forged {
        for path in ["/api/analytics/usage", "/api/analytics/budget", "/api/prices/calculate", "/", "/_fn/anything"] {
            let sent: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
            let answer = server.post_with(path, &sent, CALL).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {headers:?}");
            assert_eq!(answer.header("vary"), "sec-fetch-site, origin");
        }
    }
    let report = server.get("/api/analytics/tokens").await.json();
    assert_eq!(report["summary"]["totalCalls"], 0);
}

#[tokio::test]
async fn our_own_page_and_silent_programs_may() {
    let server = TestServer::start().await;
    let ours: [&[(&str, &str)]; 4] = [
        &[],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", "http://127.0.0.1:3000")],
    ];
    for headers in ours {
        let sent: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
        let answer = server.post_with("/api/analytics/usage", &sent, CALL).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{headers:?}");
    }
}

#[tokio::test]
async fn pages_and_server_functions_take_no_silent_posts() {
    let server = TestServer::start().await;
    for path in ["/", "/_fn/anything"] {
        assert_eq!(server.post_with(path, &[], "").await.status, StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn every_server_function_refuses_a_forged_request() {
    let server = TestServer::start().await;
    for (path, method) in leptos::server_fn::axum::server_fn_paths() {
        assert!(path.starts_with("/_fn/"), "{path} is not under /_fn");
        if method == Method::GET {
            continue;
        }
        let answer = server.post_with(path, &[("sec-fetch-site", "cross-site")], "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
}
