//! The Settings page as a browser without scripts sends it: one's own password, and the people.

use super::people::{Person, TestPeople, WORDS};
use super::server::{Answer, TestServer};
use axum::http::StatusCode;
use tollbridge::domain::account::Role;
use tollbridge::domain::api_key::KeyScope;

const NEW_WORDS: &str = "other words of mine";

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
    assert!(ledger.check_password("mia", NEW_WORDS).await.unwrap().is_some());
    assert!(ledger.check_password("mia", WORDS).await.unwrap().is_none());
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
    assert!(server.state.ledger.check_password("owner", WORDS).await.unwrap().is_some());
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
    assert!(people.server.state.ledger.check_password("mia", WORDS).await.unwrap().is_some(), "it has to wait");
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
