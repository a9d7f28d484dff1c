//! Attacks that hit peers, tried on us; the numbers are those of docs/security.md. The others have their tests where their subject
//! is.

use super::server::{NOW_MS, TestServer};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tollbridge::TrackedCall;
use tollbridge::domain::price::PriceBook;
use tollbridge::domain::tokens::TokenCounts;
use tollbridge::domain::usage::UserId;

const USAGE: &str = "/api/analytics/usage";
const MODEL: &str = "claude-sonnet-4-20250514";

fn call_with(field: &str, value: Value) -> Value {
    let mut call = json!({"model": MODEL, "usage": {"input_tokens": 1, "output_tokens": 1}});
    call[field] = value;
    call
}

/// Fields that a peer wrote into its tables because a request had them.
#[tokio::test]
async fn attack_04_no_field_of_a_request_makes_anyone_more() {
    let server = TestServer::start().await;
    for field in [
        "userId",
        "user_id",
        "apiKeyId",
        "role",
        "scopes",
        "costNanoUsd",
        "pricingState",
        "priceCardId",
        "source",
        "dedupKey",
    ] {
        let answer = server.post(USAGE, &call_with(field, json!("admin"))).await;
        assert_eq!(answer.blamed_field(), field);
    }
    for field in ["userId", "role", "scope", "upstreamUrl"] {
        let answer = server.post("/api/analytics/budget", &json!({"monthlyLimitCents": 500, field: "everyone"})).await;
        assert_eq!(answer.blamed_field(), field);
    }
    assert_eq!(server.get("/api/analytics/tokens").await.json()["summary"]["totalCalls"], 0);
}

/// 10 GB of nothing are a few hundred kilobytes when packed.
#[tokio::test]
async fn attack_18_a_packed_report_is_not_unpacked() {
    let server = TestServer::start().await;
    // The first bytes of gzip, zstd and brotli; what would follow does not matter.
    for (encoding, bytes) in
        [("gzip", vec![0x1f, 0x8b, 8, 0]), ("zstd", vec![0x28, 0xb5, 0x2f, 0xfd]), ("br", vec![0x0b, 0x02, 0x80])]
    {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        let answer = server.post_with(USAGE, &headers, bytes).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{encoding}: {}", answer.text());
    }
}

#[tokio::test]
async fn attack_19_numbers_and_nesting_beyond_all_measure_are_refused() {
    let server = TestServer::start().await;
    for count in ["-1", "0.5", "1e308", "1e999", "18446744073709551616", "9223372036854775808", "NaN", "\"1\"", "[1]"] {
        let body = format!(r#"{{"model":"{MODEL}","usage":{{"input_tokens":{count},"output_tokens":1}}}}"#);
        let answer = server.post_with(USAGE, &[("content-type", "application/json")], body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{count}: {}", answer.text());
    }
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
        for body in [deep.clone(), format!(r#"{{"model":"m","usage":{deep}}}"#)] {
            let answer = server.post_with(USAGE, &[("content-type", "application/json")], body).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
        }
    }
    assert_eq!(server.get("/api/analytics/tokens").await.json()["summary"]["totalCalls"], 0);
    assert_eq!(server.get("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn attack_20_another_users_event_is_not_found() {
    let server = TestServer::start().await;
    let tokens = TokenCounts { input: 1, output: 1, ..TokenCounts::default() };
    let track = async |user: &str| {
        let call = TrackedCall::new(MODEL, tokens, NOW_MS);
        let (ledger, user) = (&server.state.ledger, UserId(user.into()));
        ledger.track_batch(&PriceBook::builtin(), &user, vec![call]).await.unwrap().remove(0).id
    };
    let (of_bob, of_owner) = (track("bob").await, track(&UserId::owner().0).await);
    assert_eq!(server.get(&format!("/api/analytics/events/{of_owner}")).await.status, StatusCode::OK);
    let foreign = server.get(&format!("/api/analytics/events/{of_bob}")).await;
    let missing = server.get("/api/analytics/events/0197f000-0000-7000-8000-000000000000").await;
    assert_eq!((foreign.status, missing.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    let without_id = |text: String| text.replace(&of_bob, "").lines().count();
    assert_eq!(without_id(foreign.text()), without_id(missing.text()), "it does not even say that it is there");
    let listed = server.get("/api/analytics/events").await.text();
    assert!(listed.contains(&of_owner) && !listed.contains(&of_bob), "{listed}");
}

/// Whatever a program reports is text on our pages and nothing else; also where HTML does not escape by itself.
#[tokio::test]
async fn attack_21_what_is_reported_never_becomes_a_part_of_a_page() {
    const PAYLOADS: [&str; 8] = [
        "<script>alert(1)</script>",
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "</textarea><svg onload=alert(1)>",
        "</title><svg onload=alert(1)>",
        "\"><svg onload=alert(1)>",
        "' onmouseover='alert(1)",
        "<!--<script>",
    ];
    let server = TestServer::start().await;
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let call = json!({
            "id": format!("call-{number}"), "model": payload, "provider": payload, "agentSlug": payload, "success": false,
            "conversationId": payload, "errorMessage": payload, "usage": {"input_tokens": 1, "output_tokens": 1},
        });
        let answer = server.post(USAGE, &call).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{payload}: {}", answer.text());
    }
    let query: String = PAYLOADS.iter().map(|payload| format!("&model={}", encoded(payload))).collect();
    let mut shown = 0;
    for path in ["/", "/start", "/keys", "/budgets", "/calculator"] {
        for address in [path.to_owned(), format!("{path}?range=week{query}"), format!("{path}{}", encoded(PAYLOADS[0]))]
        {
            let page = server.get(&address).await;
            assert!(page.header("content-security-policy").contains("script-src 'self' 'nonce-"), "{address}");
            let page = page.text();
            for payload in PAYLOADS {
                if payload.starts_with('<') {
                    assert!(!page.contains(payload), "{address} has {payload} in it");
                }
            }
            for tag in ["<svg onload", "<img src=x", "<script>alert"] {
                assert!(!page.contains(tag), "{address} has {tag} in it");
            }
            shown += usize::from(page.contains("&lt;script&gt;alert(1)"));
        }
    }
    assert!(shown > 0, "the payloads are on a page at all");
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
