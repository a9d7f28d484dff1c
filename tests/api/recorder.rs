//! What is told of the recorder: to monitoring, and on the pages to whom it concerns.

use super::people::{Person, TestPeople};
use super::server::{NOW_MS, TestServer};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tollbridge::domain::tokens::TokenCounts;
use tollbridge::domain::usage::{CallContext, CallOutcome, ServiceTerms, Source, UsageRecord, UserId};

/// Its count does not fit the ledger's integers.
pub async fn end_call_that_the_ledger_refuses(server: &TestServer) {
    server.state.recorder.end("huge", &[record("huge", u64::MAX)]);
    server.state.recorder.drained().await;
}

fn record(call_id: &str, input: u64) -> UsageRecord {
    UsageRecord {
        user_id: UserId::owner(),
        occurred_at_ms: NOW_MS,
        source: Source::Gateway,
        dedup_key: format!("req_{call_id}"),
        part_of: None,
        is_sidechain: false,
        provider: "anthropic".into(),
        model: "claude-sonnet-4-20250514".into(),
        tokens: TokenCounts { input, ..TokenCounts::default() },
        has_usage: true,
        is_estimated: false,
        web_search_count: 0,
        terms: ServiceTerms::default(),
        api_key_id: None,
        context: CallContext::default(),
        outcome: CallOutcome::default(),
        usage_json: None,
    }
}

async fn ask(server: &TestServer, cookie: &str, name: &str) -> Value {
    let headers = [("content-type", "application/json"), ("sec-fetch-site", "same-origin"), ("cookie", cookie)];
    let answer = server.post_with(&server.action_of_name(name), &headers, "{}").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn without_its_ledger_readyz_still_says_how_the_recorder_is_doing() {
    let server = TestServer::start().await;
    end_call_that_the_ledger_refuses(&server).await;
    let ready = server.get("/readyz").await.json();
    assert_eq!((&ready["status"], &ready["recorder"]["lost"]["rejected"]), (&json!("ready"), &json!(1)));
    server.state.ledger.close().await;
    server.state.recorder.end("waits", &[record("waits", 1)]);
    let answer = server.get("/readyz").await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    let down = answer.json();
    assert_eq!(
        (&down["status"], &down["error"]),
        (&json!("unavailable"), &json!("the ledger cannot be reached at the moment"))
    );
    assert_eq!(down["requestId"], answer.header("x-request-id"));
    assert_eq!((&down["recorder"]["spoolDepth"], &down["recorder"]["lost"]["rejected"]), (&json!(1), &json!(1)));
    assert_eq!((&down["recorder"]["spoolFault"], &down["recorder"]["lastErrorAtMs"]), (&Value::Null, &json!(NOW_MS)));
    assert!(down["recorder"].get("lastError").is_none(), "it asks nobody who they are: {}", down["recorder"]);
    let names: Vec<&String> = down.as_object().unwrap().keys().collect();
    assert_eq!(names, ["error", "recorder", "requestId", "sizes", "status"], "nothing of the cause");
}

#[tokio::test]
async fn while_all_is_well_the_settings_say_so_and_the_overview_says_nothing() {
    let server = TestServer::start().await;
    let page = server.get("/settings").await.text();
    for name in ["Waiting", "Oldest waiting", "Lost", "Refused", "Written late", "Last error"] {
        assert!(figure(&page, name).starts_with("none"), "{name}: {}", figure(&page, name));
    }
    let spool = figure(&page, "Spool");
    assert!(spool.ends_with("of 1.0 GB; can be written") && !spool.starts_with("0 B"), "{spool}");
    assert!(page.contains(r#"class="pill level-good""#) && !page.contains("level-critical"), "{page}");
    assert!(!server.get("/").await.text().contains("aria-label=\"Recording\""));
}

#[tokio::test]
async fn a_call_that_the_ledger_refuses_is_told_in_red_and_the_red_line_leads_to_more() {
    let server = TestServer::start().await;
    end_call_that_the_ledger_refuses(&server).await;
    let overview = server.get("/").await.text();
    let strip = overview.split("aria-label=\"Recording\"").nth(1).expect("a strip").split("</section>").next().unwrap();
    assert!(strip.contains("notice level-critical") && !strip.contains("level-warning"), "{strip}");
    assert!(strip.contains("The figures lack one call because the ledger refuses what they say"), "{strip}");
    assert!(strip.contains("href=\"/settings#recording\""), "{strip}");
    let page = server.get("/settings").await.text();
    assert_eq!(figure(&page, "Refused"), "one call by the ledger; kept in the spool");
    assert!(page.contains(r#"<div class="level-critical"><dt>Refused</dt>"#), "{page}");
    assert!(
        figure(&page, "Last error").starts_with("09:30 a call is not recorded: "),
        "{}",
        figure(&page, "Last error")
    );
    assert!(page.contains("Calls refused"));
}

#[tokio::test]
async fn a_member_is_told_what_is_missing_and_nothing_of_the_machine() {
    let people = TestPeople::start().await;
    let server = &people.server;
    end_call_that_the_ledger_refuses(server).await;
    let (member, admin) = (people.cookie(Person::Member).await, people.cookie(Person::Admin).await);
    let news = ask(server, &member, "get_recorder_news").await;
    assert!(news["lost"].as_str().unwrap().starts_with("The figures lack one call"), "{news}");
    assert_eq!((&news["href"], ask(server, &member, "get_recorder").await), (&Value::Null, Value::Null));
    assert_eq!(ask(server, &admin, "get_recorder_news").await["href"], "/settings#recording");
    assert_eq!(ask(server, &admin, "get_recorder").await["figures"].as_array().unwrap().len(), 7);
    for (cookie, sees_it) in [(member, false), (admin, true)] {
        let page = server.get_with("/settings", &[("cookie", &cookie)]).await.text();
        assert_eq!((page.contains("id=\"recording\""), page.contains("not recorded:")), (sees_it, sees_it));
    }
}

/// What the card says under a name, without tags.
fn figure(page: &str, name: &str) -> String {
    let after = page.split(&format!("<dt>{name}</dt>")).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    let inside = after.split("</div>").next().unwrap();
    let words = inside.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text));
    words.map(str::trim).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}
