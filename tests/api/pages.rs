//! The pages without scripts: what they show, and their forms as a browser sends them by itself.

use crate::server::{Answer, TestServer};
use axum::http::StatusCode;
use serde_json::json;
use tollbridge::domain::alert::AlertKind;
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::Actor;
use tollbridge::domain::budget::AtLimit;
use tollbridge::domain::usage::{Source, UserId};
use tollbridge::watch::evaluate_once;

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
        ("/alerts", "Nothing needs looking at"),
        ("/budgets", "What a limit does"),
        ("/alerts/channels", "No channel yet"),
        ("/budgets?edit=new", "A new budget"),
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

/// One of several budgets as its form sends it.
fn named_form(id: &str, model: &str, limit: &str) -> String {
    format!(
        "budget_id={id}&budget_name=Website&budget_scope=project&budget_project=website&budget_model={model}&\
         budget_period=week&budget_limit={limit}&budget_thresholds=50%2C+80&budget_time_zone=UTC&budget_at_limit=block&\
         raised_limit=20&raised_until=2026-11-30"
    )
}

#[tokio::test]
async fn another_budget_is_made_changed_and_deleted_by_plain_forms() {
    let server = TestServer::start().await;
    let call = serde_json::json!({ "model": "claude-sonnet-4-20250514", "project": "website",
        "usage": { "input_tokens": 4_000_000, "output_tokens": 0 } });
    server.post("/api/analytics/usage", &call).await;
    let action = action_of(&server, "/budgets?edit=new", "save_named_budget").await;
    let done = "/budgets?changed=1#more-budgets";
    assert_goes_on_to(&server.post_with(&action, &PLAIN_FORM, named_form("", "sonnet", "10")).await, done);
    let owner = UserId::owner();
    let made = server.state.ledger.budgets(&owner).await.unwrap().remove(1);
    assert_eq!((made.name.as_str(), made.limit.to_cents(), made.at_limit), ("Website", 1_000, AtLimit::Block));
    let page = server.get("/budgets?changed=1").await.text();
    for words in [
        "Project website, sonnet only",
        "Weekly, UTC",
        "$12.00",
        " of $20.00",
        "Raised until the end of 30 November; then $10.00 again.",
        "Would have fired on one day of the last 30",
        "24 November: 50 % crossed, $12.00 of $20.00 spent in the week.",
        "At 100 % the gateway refuses calls.",
        "Done.",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }

    let edit = format!("/budgets?edit={}", made.id);
    let page = server.get(&edit).await.text();
    assert!(page.contains("Change “Website”") && page.contains("value=\"2026-11-30\""), "{page}");
    assert_goes_on_to(&server.post_with(&action, &PLAIN_FORM, named_form(&made.id, "", "12.50")).await, done);
    let changed = server.state.ledger.budgets(&owner).await.unwrap();
    assert_eq!((changed.len(), changed[1].limit.to_cents(), changed[1].model.clone()), (2, 1_250, None));

    let action = action_of(&server, "/budgets", "delete_budget").await;
    assert_goes_on_to(&server.post_with(&action, &PLAIN_FORM, format!("id={}", made.id)).await, done);
    assert_eq!(server.state.ledger.budgets(&owner).await.unwrap().len(), 1);
    let again = server.post_with(&action, &BY_SCRIPT, format!("id={}", made.id)).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(server.post_with(&action, &BY_SCRIPT, "id=default").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get(&edit).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_budget_that_cannot_be_taken_comes_back_with_what_was_entered() {
    let server = TestServer::start().await;
    let action = action_of(&server, "/budgets?edit=new", "save_named_budget").await;
    let back = "/budgets?edit=new&budget_name=Website&budget_scope=project&budget_project=website&\
                budget_model=acme-llm-9&budget_period=week&budget_limit=10&budget_thresholds=50%2C%2080&\
                budget_time_zone=UTC&budget_at_limit=block&raised_limit=20&raised_until=2026-11-30#budget-edit";
    assert_goes_on_to(&server.post_with(&action, &PLAIN_FORM, named_form("", "acme-llm-9", "10")).await, back);
    let page = server.get(back.trim_end_matches("#budget-edit")).await.text();
    assert!(page.contains("Is in no price card and in no recorded call"), "{page}");
    assert!(page.contains("value=\"acme-llm-9\"") && page.contains("value=\"50, 80\""), "{page}");
    let by_script = server.post_with(&action, &BY_SCRIPT, named_form("", "", "0")).await;
    assert_eq!(by_script.status, StatusCode::BAD_REQUEST);
    assert!(by_script.text().contains("budget_limit"), "{}", by_script.text());
    let unknown = server.post_with(&action, &BY_SCRIPT, named_form("nobody", "", "10")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(server.state.ledger.budgets(&UserId::owner()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_budgets_page_says_what_the_last_days_would_have_told() {
    let server = TestServer::start().await;
    assert!(server.get("/budgets").await.text().contains("Nothing: no threshold was crossed."));
    let call = serde_json::json!({ "model": "claude-sonnet-4-20250514", "occurredAt": "2026-11-20T12:00:00Z",
        "usage": { "input_tokens": 26_000_000, "output_tokens": 0 } });
    server.post("/api/analytics/usage", &call).await;
    let page = server.get("/budgets").await.text();
    assert!(page.contains("These would have fired in the last 30 days"));
    assert!(page.contains("20 November: 50 % and 75 % crossed, $78.00 of $100.00 spent in the month."), "{page}");
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
    assert!(page.contains("$0.0105"), "TheBridge's example");
    assert!(page.contains("no price known"));
    let wrong = server.get("/calculator?input=1e3&model=gpt-5").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(wrong.text().contains("Must be a whole number of tokens"));
}

#[tokio::test]
async fn a_key_is_revoked_by_a_plain_form() {
    let server = TestServer::start().await;
    let now_ms = server.state.clock.now_ms();
    let made = server
        .state
        .ledger
        .create_key(&UserId::owner(), "laptop", &[KeyScope::Proxy], &Actor::command_line(), now_ms)
        .await
        .unwrap();
    let page = server.get("/keys").await.text();
    assert!(page.contains("laptop") && page.contains(&format!("{}…{}", made.key.prefix, made.key.last4)));
    assert!(!page.contains(made.text.reveal()), "the text of a key is shown when it is made, and never again");
    let action = action_of(&server, "/keys", "revoke_key").await;
    let answer = server.post_with(&action, &PLAIN_FORM, format!("id={}", made.key.id)).await;
    assert_goes_on_to(&answer, "/keys");
    assert!(server.get("/keys").await.text().contains("one revoked key"));
    assert_eq!(server.state.ledger.authenticate(&made.text, now_ms).await.unwrap(), None);
}

#[tokio::test]
async fn an_alert_is_acknowledged_and_an_anomaly_called_normal_by_plain_forms() {
    let server = TestServer::start().await;
    let ledger = &server.state.ledger;
    assert!(server.get("/alerts").await.text().contains("Nothing needs looking at"));
    server.post("/api/analytics/budget", &json!({ "monthlyLimitCents": 1 })).await;
    for (at, tokens) in [("2026-11-23T09:00:00Z", 100), ("2026-11-24T09:00:00Z", 2_500)] {
        let call = json!({
            "occurredAt": at, "model": "claude-sonnet-4-20250514", "usage": { "input_tokens": tokens, "output_tokens": 0 }
        });
        server.post("/api/analytics/usage", &call).await;
    }
    let fired = evaluate_once(ledger, server.state.clock.now_ms()).await.unwrap();
    assert_eq!(fired.len(), 4, "two thresholds, tokens and cost");
    let page = server.get("/alerts?show=budgets").await.text();
    assert!(page.contains("past the mark of 75 %") && page.contains("href=\"/?from=2026-11-01&amp;to=2026-11-24\""));
    assert!(!page.contains("This is normal"), "a budget's line is what somebody drew");
    let anomalies = server.get("/alerts?show=anomalies").await.text();
    assert!(anomalies.contains("2,500 tokens") && anomalies.contains("the mean of the seven days before"));
    assert!(anomalies.contains("model=claude-sonnet-4-20250514"));

    let of_kind = |is_budget| fired.iter().find(|one| (one.subject.kind() == AlertKind::Budget) == is_budget).unwrap();
    let action = action_of(&server, "/alerts", "acknowledge_alert").await;
    let answer = server.post_with(&action, &PLAIN_FORM, format!("id={}&show=budgets", of_kind(true).id)).await;
    assert_goes_on_to(&answer, "/alerts?show=budgets");
    let action = action_of(&server, "/alerts", "mark_alert_normal").await;
    let answer = server.post_with(&action, &PLAIN_FORM, format!("id={}&show=%2F%2Fevil", of_kind(false).id)).await;
    assert_goes_on_to(&answer, "/alerts");
    let owner = UserId::owner();
    assert_eq!(ledger.open_alerts(&owner).await.unwrap(), 2);
    assert!(ledger.alert(&owner, &of_kind(false).id).await.unwrap().unwrap().is_normal);
    assert!(server.get("/alerts?show=all").await.text().contains("Called normal"));

    let budgets = of_kind(true).id.clone();
    let refused = server.post_with(&action, &BY_SCRIPT, format!("id={budgets}&show=open")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text());
}
