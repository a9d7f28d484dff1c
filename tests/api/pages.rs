//! The pages without scripts: what they show, and their forms as a browser sends them by itself.

use crate::server::{Answer, TestServer};
use axum::http::StatusCode;
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::budget::AtLimit;
use tollbridge::domain::usage::{Source, UserId};

const PLAIN_FORM: [(&str, &str); 4] = [
    ("content-type", "application/x-www-form-urlencoded"),
    ("accept", "text/html,application/xhtml+xml"),
    ("sec-fetch-site", "same-origin"),
    ("referer", "http://127.0.0.1:3000/budgets"),
];
const BY_SCRIPT: [(&str, &str); 3] = [
    ("content-type", "application/x-www-form-urlencoded"),
    ("accept", "application/json"),
    ("sec-fetch-site", "same-origin"),
];

/// Where the form goes whose address contains `name`.
async fn action_of(server: &TestServer, page: &str, name: &str) -> String {
    let html = server.get(page).await.text();
    let actions = html.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let found = actions.into_iter().find(|action| action.contains(name));
    found.unwrap_or_else(|| panic!("{page} has no form for {name}")).to_owned()
}

fn budget_form(limit: &str, time_zone: &str) -> String {
    format!("limit={limit}&threshold_1=40&threshold_2=80&threshold_3=95&time_zone={time_zone}&at_limit=block")
}

fn assert_goes_on_to(answer: &Answer, path: &str) {
    assert_eq!((answer.status, answer.header("location")), (StatusCode::FOUND, path), "{}", answer.text());
}

#[tokio::test]
async fn every_page_is_there() {
    let server = TestServer::start().await;
    for (page, holds) in [
        ("/", "Nothing is recorded yet"),
        ("/budgets", "What a limit does"),
        ("/calculator", "Price book"),
        ("/keys", "No key works yet"),
        ("/settings", "Nobody has to log in yet."),
        ("/start", "Post usage yourself"),
    ] {
        let answer = server.get(page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        assert!(answer.text().contains(holds), "{page}");
    }
}

#[tokio::test]
async fn a_budget_is_saved_by_a_plain_form() {
    let server = TestServer::start().await;
    let action = action_of(&server, "/budgets", "save_budget").await;
    let answer = server.post_with(&action, &PLAIN_FORM, budget_form("%241,250.50", "Asia/Tokyo")).await;
    assert_goes_on_to(&answer, "/budgets?saved=1");
    let budget = server.state.ledger.budget(&UserId::owner()).await.unwrap();
    assert_eq!((budget.monthly_limit.to_cents(), budget.thresholds), (125_050, [40, 80, 95]));
    assert_eq!((budget.time_zone.as_str(), budget.at_limit), ("Asia/Tokyo", AtLimit::Block));
    let page = server.get("/budgets?saved=1").await.text();
    assert!(page.contains("value=\"1250.50\"") && page.contains("Saved."));
}

#[tokio::test]
async fn a_wrong_budget_comes_back_with_its_fault_and_all_that_was_entered() {
    let server = TestServer::start().await;
    let before = server.state.ledger.budget(&UserId::owner()).await.unwrap();
    let action = action_of(&server, "/budgets", "save_budget").await;
    let answer = server.post_with(&action, &PLAIN_FORM, budget_form("12,50", "UTC")).await;
    let back = "/budgets?limit=12%2C50&threshold_1=40&threshold_2=80&threshold_3=95&time_zone=UTC&at_limit=block";
    assert_goes_on_to(&answer, back);
    let page = server.get(back).await.text();
    assert!(page.contains("value=\"12,50\"") && page.contains("value=\"95\""));
    assert!(page.contains("Must be an amount in dollars"));
    assert_eq!(server.state.ledger.budget(&UserId::owner()).await.unwrap(), before);
}

#[tokio::test]
async fn a_wrong_budget_sent_by_the_page_is_a_400_that_names_the_field() {
    let server = TestServer::start().await;
    let action = action_of(&server, "/budgets", "save_budget").await;
    for (form, field) in [(budget_form("0", "UTC"), "limit"), (budget_form("100", "Mars/Olympus"), "time_zone")] {
        assert_eq!(server.post_with(&action, &BY_SCRIPT, form).await.blamed_field(), field);
    }
}

#[tokio::test]
async fn forms_of_other_sites_change_nothing() {
    let server = TestServer::start().await;
    for (page, name) in [("/budgets", "save_budget"), ("/start", "load_sample_data")] {
        let action = action_of(&server, page, name).await;
        let cross_site = [PLAIN_FORM[0], PLAIN_FORM[1], ("sec-fetch-site", "cross-site")];
        let answer = server.post_with(&action, &cross_site, budget_form("1", "UTC")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
    }
}

#[tokio::test]
async fn sample_data_comes_and_goes_without_a_trace() {
    let server = TestServer::start().await;
    let load = action_of(&server, "/start", "load_sample_data").await;
    assert_goes_on_to(&server.post_with(&load, &PLAIN_FORM, "").await, "/start#sample");
    let remove = action_of(&server, "/start", "remove_sample_data").await;
    let scope = tollbridge::domain::usage::Scope::User(UserId::owner());
    let uses = server.state.ledger.first_use_by_source(&scope).await.unwrap();
    assert_eq!(uses.iter().map(|one| one.source).collect::<Vec<_>>(), [Source::Demo]);
    // Loaded twice, it replaces itself.
    server.post_with(&load, &PLAIN_FORM, "").await;
    assert_eq!(server.state.ledger.first_use_by_source(&scope).await.unwrap()[0].calls, uses[0].calls);
    assert_goes_on_to(&server.post_with(&remove, &PLAIN_FORM, "").await, "/start#sample");
    assert!(server.state.ledger.first_use_by_source(&scope).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_calculator_answers_from_its_address() {
    let server = TestServer::start().await;
    let page =
        server.get("/calculator?input=1000&output=500&model=claude-sonnet-4-20250514&model=no-such").await.text();
    assert!(page.contains("$0.0105"), "the brief's example");
    assert!(page.contains("no price known"));
    let wrong = server.get("/calculator?input=1e3&model=gpt-5").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("Must be a whole number of tokens"));
}

#[tokio::test]
async fn a_key_is_revoked_by_a_plain_form() {
    let server = TestServer::start().await;
    let now_ms = server.state.clock.now_ms();
    let made = server.state.ledger.create_key(&UserId::owner(), "laptop", &[KeyScope::Proxy], now_ms).await.unwrap();
    let page = server.get("/keys").await.text();
    assert!(page.contains("laptop") && page.contains(&format!("{}…{}", made.key.prefix, made.key.last4)));
    assert!(!page.contains(made.text.reveal()), "the text of a key is shown when it is made, and never again");
    let action = action_of(&server, "/keys", "revoke_key").await;
    let answer = server.post_with(&action, &PLAIN_FORM, format!("id={}", made.key.id)).await;
    assert_goes_on_to(&answer, "/keys");
    assert!(server.get("/keys").await.text().contains("one revoked key"));
    assert_eq!(server.state.ledger.authenticate(&made.text, now_ms).await.unwrap(), None);
}
