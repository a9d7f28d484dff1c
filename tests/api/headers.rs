//! What every answer carries.

use super::server::TestServer;
use axum::http::StatusCode;

#[tokio::test]
async fn a_pages_scripts_carry_the_nonce_of_its_policy() {
    let server = TestServer::start().await;
    let (first, second) = (server.get("/").await, server.get("/").await);
    assert_eq!(first.status, StatusCode::OK);
    let policy = first.header("content-security-policy");
    let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
    assert!(nonce.len() >= 22, "128 bits in base64: {nonce}");
    assert!(!second.header("content-security-policy").contains(nonce), "each answer has its own");
    assert!(policy.contains("script-src 'self' 'nonce-") && policy.contains("'wasm-unsafe-eval'"));
    assert!(!policy.contains("'unsafe-eval'"));
    let html = first.text();
    for script in html.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap();
        assert!(tag.contains(&format!("nonce=\"{nonce}\"")) || tag.contains("src="), "<script{tag}>");
    }
    assert_eq!(first.header("cache-control"), "no-store");
}

#[tokio::test]
async fn every_answer_is_locked_down() {
    let server = TestServer::start().await;
    for path in ["/", "/nowhere", "/api/analytics/tokens", "/api/nowhere", "/healthz", "/readyz", "/pkg/tollbridge.js"]
    {
        let answer = server.get(path).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-robots-tag", "noindex, nofollow"),
        ] {
            assert_eq!(answer.header(name), value, "{path} {name}");
        }
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(answer.header("permissions-policy").contains("camera=()"), "{path}");
        assert_eq!(answer.header("x-request-id").len(), 32, "{path}");
        assert_eq!(answer.header("server"), "");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn files_are_kept_as_long_as_their_name_allows() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/pkg/tollbridge.js").await.header("cache-control"), "no-cache");
    assert_eq!(
        server.get("/vendor/charts-1.2.3.js").await.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(server.get("/vendor/charts-9.9.9.js").await.header("cache-control"), "no-store", "a 404 is not kept");
    assert_eq!(server.get("/api/analytics/tokens").await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_file_that_has_not_changed_is_not_sent_again() {
    let server = TestServer::start().await;
    let first = server.get("/pkg/tollbridge.js").await;
    let modified = first.header("last-modified").to_owned();
    let again = super::server::request(
        axum::http::Method::GET,
        "/pkg/tollbridge.js",
        &[("if-modified-since", &modified)],
        axum::body::Body::empty(),
    );
    let again = server.send(again).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    assert!(again.body.is_empty());
}

#[tokio::test]
async fn unknown_addresses_say_so_in_their_own_way() {
    let server = TestServer::start().await;
    let page = server.get("/nowhere").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.header("content-type").starts_with("text/html"));
    for path in ["/api", "/api/nowhere", "/api/analytics/nowhere"] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}");
    }
    for path in ["/..%2f..%2fetc%2fpasswd", "/%2e%2e/Cargo.toml", "/pkg/../../ledger"] {
        assert_eq!(server.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let server = TestServer::start().await;
    let answer = server.get("/api/analytics/usage").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "POST");
    assert!(answer.json()["error"].is_string());
}

#[tokio::test]
async fn health_needs_no_ledger_and_readiness_does() {
    let server = TestServer::start().await;
    assert_eq!(server.get("/healthz").await.json()["status"], "ok");
    assert_eq!(server.get("/readyz").await.json()["status"], "ready");
    server.state.ledger.close().await;
    assert_eq!(server.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(server.get("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
}
