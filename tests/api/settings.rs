//! The Settings page as a browser without scripts sends it: one's own password, and the people.

use super::login::{MINUTE_MS, pass};
use super::people::{Person, TestPeople, WORDS};
use super::server::{Answer, NOW_MS, TestServer};
use axum::http::StatusCode;
use tollbridge::domain::account::Role;
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::Actor;
use tollbridge::ledger::newest_schema;

const NEW_WORDS: &str = "other words of mine";
const FORM_TYPE: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SAME_SITE: (&str, &str) = ("sec-fetch-site", "same-origin");

async fn send(server: &TestServer, cookie: &str, name: &str, fields: &[(&str, &str)]) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("sec-fetch-site", "same-origin"),
        ("cookie", cookie),
    ];
    server.post_with(&server.action_of_name(name), &headers, form).await
}

async fn page(server: &TestServer, cookie: &str, path: &str) -> Answer {
    server.get_with(path, &[("cookie", cookie)]).await
}

#[tokio::test]
async fn a_member_changes_their_password_and_logs_in_anew() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let cookie = people.cookie(Person::Member).await;
    let shown = page(server, &cookie, "/settings").await.text();
    assert!(shown.contains("You are logged in as mia."), "{shown}");
    assert!(!shown.contains("id=\"people\"") && !shown.contains("otto"), "a member manages nobody");
    let wrong = [("current", "not my words at all"), ("password", NEW_WORDS), ("again", NEW_WORDS)];
    let answer = send(server, &cookie, "change_password", &wrong).await;
    assert_eq!(answer.header("location"), "/settings?wrong=current");
    let shown = page(server, &cookie, "/settings?wrong=current").await.text();
    assert!(shown.contains("Is not your password"), "{shown}");
    let right = [("current", WORDS), ("password", NEW_WORDS), ("again", NEW_WORDS)];
    let answer = send(server, &cookie, "change_password", &right).await;
    assert_eq!(answer.header("location"), "/login", "{}", answer.text());
    assert_eq!(page(server, &cookie, "/settings").await.status, StatusCode::SEE_OTHER, "the session is over");
    let ledger = &server.state.ledger;
    assert!(ledger.check_password("mia", NEW_WORDS, &Actor::command_line(), NOW_MS).await.unwrap().is_some());
    assert!(ledger.check_password("mia", WORDS, &Actor::command_line(), NOW_MS).await.unwrap().is_none());
}

#[tokio::test]
async fn the_owner_sets_the_first_password_in_the_browser() {
    let server = TestServer::start().await;
    let answer = send(&server, "", "change_password", &[("password", WORDS), ("again", "four words of mind")]).await;
    assert_eq!(answer.header("location"), "/settings?wrong=password");
    assert_eq!(server.get("/").await.status, StatusCode::OK);
    let answer = send(&server, "", "change_password", &[("password", WORDS), ("again", WORDS)]).await;
    assert_eq!(answer.header("location"), "/login", "{}", answer.text());
    assert_eq!(server.get("/").await.status, StatusCode::SEE_OTHER);
    assert!(
        server.state.ledger.check_password("owner", WORDS, &Actor::command_line(), NOW_MS).await.unwrap().is_some()
    );
}

#[tokio::test]
async fn a_stolen_session_cannot_guess_the_password() {
    let people = TestPeople::start().await;
    let cookie = people.cookie(Person::Member).await;
    for _ in 0..5 {
        let fields = [("current", "not my words at all"), ("password", NEW_WORDS), ("again", NEW_WORDS)];
        assert_eq!(
            send(&people.server, &cookie, "change_password", &fields).await.header("location"),
            "/settings?wrong=current"
        );
    }
    let right = [("current", WORDS), ("password", NEW_WORDS), ("again", NEW_WORDS)];
    send(&people.server, &cookie, "change_password", &right).await;
    assert!(
        people
            .server
            .state
            .ledger
            .check_password("mia", WORDS, &Actor::command_line(), NOW_MS)
            .await
            .unwrap()
            .is_some(),
        "it has to wait"
    );
}

#[tokio::test]
async fn a_manager_gives_roles_shuts_out_and_deletes() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let admin = people.cookie(Person::Admin).await;
    let shown = page(server, &admin, "/settings").await.text();
    assert!(["owner", "mia", "otto", "ada", "shawn"].iter().all(|login| shown.contains(login)), "{shown}");
    let mia = people.user(Person::Member).0.clone();
    let change = async |what: &str, user: &str| {
        send(server, &admin, "change_person", &[("user_id", user), ("change", what)]).await
    };
    let role_of_mia = async || server.state.ledger.account("mia").await.unwrap().map(|account| account.role);
    assert_eq!(change("make_admin", &mia).await.header("location"), "/settings");
    assert_eq!(role_of_mia().await, Some(Role::Admin));
    change("make_member", &mia).await;
    assert_eq!(role_of_mia().await, Some(Role::Member));

    let cookie = people.cookie(Person::Member).await;
    let key = people.key(KeyScope::Read);
    let by_key = async || server.get_with("/api/prices", &[("x-tollbridge-key", &key)]).await.status;
    assert_eq!((page(server, &cookie, "/keys").await.status, by_key().await), (StatusCode::OK, StatusCode::OK));
    change("shut_out", &mia).await;
    assert_eq!(page(server, &cookie, "/keys").await.status, StatusCode::SEE_OTHER);
    assert_eq!(by_key().await, StatusCode::UNAUTHORIZED);
    change("let_in", &mia).await;
    assert_eq!(by_key().await, StatusCode::OK);
    change("delete", &mia).await;
    assert_eq!((role_of_mia().await, by_key().await), (None, StatusCode::UNAUTHORIZED));

    // The owner stays, and so does who asks.
    change("delete", "owner").await;
    change("delete", &people.user(Person::Admin).0).await;
    let left: Vec<String> = server.state.ledger.accounts().await.unwrap().into_iter().map(|one| one.login).collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[tokio::test]
async fn an_invitation_from_the_browser_is_a_link_that_works() {
    let people = TestPeople::start().await;
    let cookie = people.cookie(Person::Admin).await;
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
        ("sec-fetch-site", "same-origin"),
        ("cookie", cookie.as_str()),
    ];
    let action = people.server.action_of_name("invite_person");
    let answer = people.server.post_with(&action, &headers, "role=member").await;
    let link = answer.json().as_str().unwrap().to_owned();
    let path = link.strip_prefix("http://127.0.0.1:3000").unwrap();
    assert!(people.server.get(path).await.text().contains("You are invited"));
    assert_eq!(people.server.post_with(&action, &headers, "role=owner").await.blamed_field(), "role");
}

#[tokio::test]
async fn what_a_session_left_open_must_not_do_needs_the_password_again() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let otto = people.user(Person::OtherMember).0.clone();
    let shawn = people.user(Person::ShutOut).0.clone();
    let words = WORDS.replace(' ', "+");
    let changes = [
        ("create_key", "name=laptop&scopes[0]=read".to_owned()),
        ("invite_person", "role=admin".to_owned()),
        ("change_person", format!("user_id={otto}&change=make_admin")),
        ("change_person", format!("user_id={otto}&change=make_member")),
        ("change_person", format!("user_id={otto}&change=delete")),
        ("change_person", format!("user_id={shawn}&change=erase")),
    ];
    let cookie = people.cookie(Person::Admin).await;
    let send = async |name: &str, fields: &str, typed: Option<&str>| {
        let action = server.action_of_name(name);
        if name == "create_key" {
            let headers = [("content-type", "application/json"), SAME_SITE, ("cookie", cookie.as_str())];
            let typed = typed.unwrap_or_default().replace('+', " ");
            let body = serde_json::json!({"name": "laptop", "scopes": ["read"], "your_password": typed});
            return server.post_with(&action, &headers, body.to_string()).await;
        }
        let form = typed.map_or_else(|| fields.to_owned(), |typed| format!("{fields}&your_password={typed}"));
        let headers = [FORM_TYPE, SAME_SITE, ("cookie", cookie.as_str())];
        server.post_with(&action, &headers, form).await
    };
    let changed = async || {
        let ledger = &server.state.ledger;
        let keys = ledger.keys(people.user(Person::Admin)).await.unwrap().len();
        (keys, ledger.account("otto").await.unwrap(), ledger.account("shawn").await.unwrap())
    };
    let at_first = changed().await;
    pass(server, 5 * MINUTE_MS);
    for (name, fields) in &changes {
        let missing = send(name, fields, None).await;
        assert_eq!(missing.blamed_field(), "your_password", "{name} {fields}");
        assert!(missing.text().contains("is needed: you logged in more than 5 minutes ago"), "{}", missing.text());
        let wrong = send(name, fields, Some("not+my+words+at+all")).await;
        assert_eq!(wrong.blamed_field(), "your_password", "{name} {fields}");
        // Forgives the wrong one, so that the next need not wait.
        assert_eq!(send("invite_person", "role=member", Some(&words)).await.status, StatusCode::OK);
    }
    assert_eq!(changed().await, at_first);
    assert_eq!(send("change_person", &format!("user_id={otto}&change=shut_out"), None).await.status, StatusCode::OK);
    for (name, fields) in &changes {
        let answer = send(name, fields, Some(&words)).await;
        assert_eq!(answer.status, StatusCode::OK, "{name} {fields}: {}", answer.text());
    }
    assert_eq!(changed().await, (at_first.0 + 1, None, None));
}

#[tokio::test]
async fn just_after_logging_in_and_where_nobody_logs_in_no_password_is_asked_for() {
    let people = TestPeople::start().await;
    let cookie = people.cookie(Person::Member).await;
    pass(&people.server, 5 * MINUTE_MS - 1);
    let body = r#"{"name":"laptop","scopes":["read"]}"#;
    let of_member = [("content-type", "application/json"), SAME_SITE, ("cookie", cookie.as_str())];
    let action = people.server.action_of_name("create_key");
    assert_eq!(people.server.post_with(&action, &of_member, body).await.status, StatusCode::OK);
    pass(&people.server, 1);
    assert_eq!(people.server.post_with(&action, &of_member, body).await.status, StatusCode::BAD_REQUEST);
    assert!(people.server.get_with("/keys", &[("cookie", &cookie)]).await.text().contains("name=\"your_password\""));

    let local = TestServer::start().await;
    let headers = [("content-type", "application/json"), SAME_SITE];
    assert_eq!(local.post_with(&action, &headers, body).await.status, StatusCode::OK);
    for page in ["/keys", "/settings"] {
        assert!(!local.get(page).await.text().contains("your_password"), "{page}");
    }
}

#[tokio::test]
async fn a_plain_form_without_the_password_comes_back_open_at_its_field() {
    let people = TestPeople::start().await;
    let otto = people.user(Person::OtherMember).0.clone();
    let cookie = people.cookie(Person::Admin).await;
    pass(&people.server, 5 * MINUTE_MS);
    let headers = [FORM_TYPE, SAME_SITE, ("accept", "text/html"), ("cookie", cookie.as_str())];
    let action = people.server.action_of_name("change_person");
    for change in ["delete", "erase"] {
        let answer = people.server.post_with(&action, &headers, format!("user_id={otto}&change={change}")).await;
        let back = answer.header("location").to_owned();
        assert_eq!(back, format!("/settings?wrong={change}&of={otto}"));
        let page = people.server.get_with(&back, &[("cookie", &cookie)]).await.text();
        assert_eq!(page.matches("Is needed here, and was missing, wrong, or wrong too often.").count(), 1);
        let opened: Vec<&str> = page.split("<details").filter(|rest| tag_of(rest).contains(" open")).collect();
        assert!(opened.len() == 1 && opened[0].contains(&format!("value=\"{change}\"")), "{opened:?}");
        assert!(people.server.state.ledger.account("otto").await.unwrap().is_some());
    }
}

fn tag_of(rest: &str) -> &str {
    rest.split('>').next().unwrap_or_default()
}

#[tokio::test]
async fn a_manager_erases_somebody_with_all_their_usage() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let key = people.key(KeyScope::Ingest);
    let call = r#"{"model":"claude-sonnet-4-20250514","usage":{"input_tokens":1}}"#;
    let report = async |key: &str| {
        let headers = [("content-type", "application/json"), ("x-tollbridge-key", key)];
        server.post_with("/api/analytics/usage", &headers, call).await.status
    };
    assert_eq!(report(&key).await, StatusCode::CREATED);
    assert_eq!(report(&people.new_key(Person::OtherMember, &[KeyScope::Ingest]).await).await, StatusCode::CREATED);
    let admin = people.cookie(Person::Admin).await;
    let mia = people.user(Person::Member).clone();
    let fields = [("user_id", mia.0.as_str()), ("change", "erase")];
    assert_eq!(send(server, &admin, "change_person", &fields).await.header("location"), "/settings");
    assert_eq!(report(&key).await, StatusCode::UNAUTHORIZED);
    let ledger = &server.state.ledger;
    assert_eq!((ledger.account("mia").await.unwrap(), ledger.knows_user(&mia).await.unwrap()), (None, false));
    let check = ledger.verify_rollups().await.unwrap();
    assert_eq!((check.events, check.difference()), (1, 0));
    let of_everyone = page(server, &admin, "/?user=everyone").await.text();
    assert!(of_everyone.contains("otto") && !of_everyone.contains("mia"), "{of_everyone}");
}

#[tokio::test]
async fn whoever_manages_is_told_about_the_system_and_a_member_is_not() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let member = page(server, &people.cookie(Person::Member).await, "/settings").await.text();
    assert!(!member.contains("id=\"system\"") && !member.contains("SQLite"), "{member}");
    let folder = &server.state.config.settings.server.data_dir;
    let admin = people.cookie(Person::Admin).await;
    let shown = page(server, &admin, "/settings").await.text();
    assert_eq!(fact(&shown, "Last backup"), "none in the data folder");
    std::fs::create_dir(folder.join("backups")).unwrap();
    let backup = std::fs::File::create(folder.join("backups/tollbridge-20261120T140500Z.db")).unwrap();
    let written_ms = u64::try_from(NOW_MS).unwrap() - 86_400_000;
    backup.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_millis(written_ms)).unwrap();
    let shown = page(server, &admin, "/settings").await.text();
    assert_eq!(fact(&shown, "Version"), format!("{}, schema {}", env!("CARGO_PKG_VERSION"), newest_schema()));
    assert!(fact(&shown, "Database").starts_with("SQLite, ") && fact(&shown, "Database").ends_with("B"), "{shown}");
    assert_eq!(fact(&shown, "Events"), "0, measured 09:30");
    assert_eq!(fact(&shown, "Events are kept"), "for good");
    assert!(fact(&shown, "Prices").contains(" cards, 0 of them your own; catalogue of "), "{shown}");
    assert_eq!(fact(&shown, "Last backup"), "23 Nov 09:30");
    assert!(fact(&shown, "Free in the data folder").ends_with("B"), "{shown}");
    assert_eq!(fact(&shown, "Days begin in"), "UTC");
}

#[tokio::test]
async fn the_settings_say_what_retention_removes() {
    let mut server = TestServer::start().await;
    let mut config = tollbridge::config::Config::clone(&server.state.config);
    config.settings.retention.events_days = 35;
    server.change_state(|state| state.config = std::sync::Arc::new(config));
    let call = |days: i64| {
        serde_json::json!({"model": "claude-sonnet-4-20250514", "usage": {"input_tokens": 1, "output_tokens": 1},
            "occurredAt": NOW_MS - days * 86_400_000})
    };
    let shown = server.get("/settings").await.text();
    assert_eq!(fact(&shown, "Events are kept"), "35 days; there are none");
    let posted = server.post("/api/analytics/usage", &serde_json::json!([call(0), call(40), call(50)])).await;
    assert!(posted.status.is_success(), "{}", posted.text());
    server.state.ledger.measure(&server.state.config.spool_path(), NOW_MS).await.unwrap();
    let shown = server.get("/settings").await.text();
    assert_eq!(fact(&shown, "Events are kept"), "35 days; 2 are older, removed within the hour");
    assert!(fact(&shown, "Events").starts_with("3 since 5 Oct 2026, "), "{}", fact(&shown, "Events"));
}

/// The value beside a name in the card of the system.
fn fact(page: &str, name: &str) -> String {
    let after = page.split(&format!("<dt>{name}</dt><dd>")).nth(1).unwrap_or_else(|| panic!("no {name} in {page}"));
    after.split("</dd>").next().unwrap().to_owned()
}
