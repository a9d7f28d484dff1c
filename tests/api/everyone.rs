//! Whose figures are shown: a member's own, and whosever an owner or an admin chooses. The API, the server functions, the page.

use super::people::{Person, TestPeople};
use super::server::{Answer, NOW_MS, TestServer};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tollbridge::domain::account::Role;
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::Actor;
use tollbridge::domain::query::UsageQuery;
use tollbridge::domain::usage::UserId;

const TOKENS: &str = "/api/analytics/tokens";
const EVENTS: &str = "/api/analytics/events";
const FUNCTIONS: [&str; 4] = ["get_report", "get_heat_map", "get_overview_head", "get_live_version"];

/// One call of the member's, two of the other member's, four of the admin's, each of one token.
async fn with_usage() -> TestPeople {
    let people = TestPeople::start().await;
    for (person, count) in [(Person::Member, 1), (Person::OtherMember, 2), (Person::Admin, 4)] {
        let key = people.new_key(person, &[KeyScope::Ingest]).await;
        let call = json!({"model": "claude-sonnet-4-20250514", "usage": {"input_tokens": 1}});
        let headers = [("content-type", "application/json"), ("x-tollbridge-key", key.as_str())];
        let body = Value::from(vec![call; count]).to_string();
        assert_eq!(people.server.post_with("/api/analytics/usage", &headers, body).await.status, StatusCode::CREATED);
    }
    people
}

async fn get(people: &TestPeople, key: &str, path: &str) -> Answer {
    people.server.get_with(path, &[("x-tollbridge-key", key)]).await
}

async fn calls(people: &TestPeople, key: &str, user: &str) -> Value {
    get(people, key, &format!("{TOKENS}?user={user}")).await.json()["summary"]["totalCalls"].clone()
}

async fn ask(people: &TestPeople, cookie: &str, function: &str, user: &str) -> Answer {
    let query: UsageQuery = format!("user={user}").parse().unwrap();
    let headers = [("content-type", "application/json"), ("sec-fetch-site", "same-origin"), ("cookie", cookie)];
    let body = json!({ "query": query }).to_string();
    people.server.post_with(&people.server.action_of_name(function), &headers, body).await
}

#[tokio::test]
async fn a_member_is_refused_everything_but_their_own() {
    let people = with_usage().await;
    let (own, other) = (&people.user(Person::Member).0, &people.user(Person::OtherMember).0);
    let key = people.key(KeyScope::Read);
    let event = format!("{EVENTS}/{}", people.event_of_member().await);
    let cookie = people.cookie(Person::Member).await;
    for foreign in ["everyone", other, "owner", "nobody-at-all"] {
        for path in [TOKENS, EVENTS, &event, "/api/live"] {
            let answer = get(&people, &key, &format!("{path}?user={foreign}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {foreign}");
            assert_eq!(answer.json()["error"], "only the owner and admins see other people's usage");
        }
        for function in FUNCTIONS {
            let answer = ask(&people, &cookie, function, foreign).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{function} {foreign}: {}", answer.text());
        }
        let page = people.server.get_with(&format!("/?user={foreign}"), &[("cookie", &cookie)]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{foreign}");
        assert!(page.text().contains("These figures are not yours to see"));
    }
    for allowed in ["", own] {
        assert_eq!(calls(&people, &key, allowed).await, 1);
        for path in [EVENTS, &event] {
            assert_eq!(get(&people, &key, &format!("{path}?user={allowed}")).await.status, StatusCode::OK, "{path}");
        }
        for function in FUNCTIONS {
            assert_eq!(ask(&people, &cookie, function, allowed).await.status, StatusCode::OK, "{function}");
        }
    }
}

#[tokio::test]
async fn an_admin_sees_their_own_one_users_or_everyones_as_they_choose() {
    let people = with_usage().await;
    let (mia, otto) = (&people.user(Person::Member).0, &people.user(Person::OtherMember).0);
    let of_mia = people.event_of_member().await;
    for person in [Person::Owner, Person::Admin] {
        let own = if person == Person::Admin { 4 } else { 0 };
        let key = people.new_key(person, &[KeyScope::Read]).await;
        for (user, count) in [("", own), (mia, 1), (otto, 2), ("everyone", 7)] {
            assert_eq!(calls(&people, &key, user).await, count, "{person:?} {user}");
            let page = get(&people, &key, &format!("{EVENTS}?user={user}")).await.json();
            let events = page["events"].as_array().unwrap();
            assert_eq!(events.len(), count, "{person:?} {user}");
            assert!(user != mia || events[0]["userId"] == **mia);
        }
        for (user, status) in [("", 404), (otto, 404), (mia, 200), ("everyone", 200)] {
            let answer = get(&people, &key, &format!("{EVENTS}/{of_mia}?user={user}")).await;
            assert_eq!(answer.status.as_u16(), status, "{person:?} {user}");
        }
        // Page by page, and the choice stays in the next page's path.
        let first = get(&people, &key, &format!("{EVENTS}?user=everyone&limit=5")).await.json();
        let second = get(&people, &key, first["next"].as_str().unwrap()).await.json();
        assert_eq!((second["events"].as_array().unwrap().len(), &second["next"]), (2, &Value::Null));
        for unknown in ["nobody-at-all", "a.b"] {
            assert_eq!(get(&people, &key, &format!("{TOKENS}?user={unknown}")).await.blamed_field(), "user");
        }
    }
    let key = people.new_key(Person::Admin, &[KeyScope::Read]).await;
    let everyone = get(&people, &key, &format!("{TOKENS}?user=everyone")).await.json();
    assert_eq!(
        (&everyone["budget"], &everyone["alerts"]),
        (&Value::Null, &json!([])),
        "nobody has set one for everyone"
    );
    let cookie = people.cookie(Person::Admin).await;
    assert_eq!(ask(&people, &cookie, "get_report", "everyone").await.json()["summary"]["totalCalls"], 7);
    let hours = ask(&people, &cookie, "get_heat_map", mia).await.json();
    let counted: u64 = hours["calls"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|day| day.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn a_key_sees_what_the_role_of_its_maker_allows_now() {
    let people = with_usage().await;
    let key = people.new_key(Person::Admin, &[KeyScope::Read]).await;
    assert_eq!(calls(&people, &key, "everyone").await, 7);
    people
        .server
        .state
        .ledger
        .set_role(people.user(Person::Admin), Role::Member, &Actor::command_line(), NOW_MS)
        .await
        .unwrap();
    assert_eq!(get(&people, &key, &format!("{TOKENS}?user=everyone")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(calls(&people, &key, "").await, 4);
}

#[tokio::test]
async fn an_admin_who_watches_everyone_hears_of_everybodys_moves() {
    let people = with_usage().await;
    let cookie = people.cookie(Person::Admin).await;
    let (mia, otto) = (&people.user(Person::Member).0, &people.user(Person::OtherMember).0);
    let mut versions = Vec::new();
    for user in ["everyone", mia, otto, ""] {
        versions.push((user, ask(&people, &cookie, "get_live_version", user).await.json()));
    }
    let key = people.key(KeyScope::Ingest);
    let headers = [("content-type", "application/json"), ("x-tollbridge-key", key.as_str())];
    let body = r#"{"model":"claude-sonnet-4-20250514","usage":{"input_tokens":1}}"#;
    people.server.post_with("/api/analytics/usage", &headers, body).await;
    for (user, before) in versions {
        let has_moved = ask(&people, &cookie, "get_live_version", user).await.json() != before;
        assert_eq!(has_moved, user == "everyone" || user == mia, "{user}");
    }
}

#[tokio::test]
async fn watching_somebody_takes_ones_own_seats_and_not_theirs() {
    let people = with_usage().await;
    let (admin, member) = (people.new_key(Person::Admin, &[KeyScope::Read]).await, people.key(KeyScope::Read));
    let path = format!("/api/live?user={}", people.user(Person::Member).0);
    let mut open = Vec::new();
    for number in 0..11 {
        let headers = [("x-tollbridge-key", admin.as_str())];
        let request = super::server::request(axum::http::Method::GET, &path, &headers, axum::body::Body::empty());
        let response = people.server.begin(request).await;
        assert_eq!(response.status() == StatusCode::OK, number < 10, "{number}");
        open.push(response);
    }
    let headers = [("x-tollbridge-key", member.as_str())];
    let request = super::server::request(axum::http::Method::GET, "/api/live", &headers, axum::body::Body::empty());
    assert_eq!(people.server.begin(request).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_page_offers_the_choice_to_who_may_choose_and_says_whose_figures_it_shows() {
    let people = with_usage().await;
    let page = async |person: Person, path: &str| {
        let cookie = people.cookie(person).await;
        people.server.get_with(path, &[("cookie", &cookie)]).await.text()
    };
    let otto = people.user(Person::OtherMember).0.clone();
    people
        .server
        .state
        .ledger
        .delete_account(&people.user(Person::OtherMember).clone(), &Actor::command_line(), NOW_MS)
        .await
        .unwrap();
    let everyone = page(Person::Admin, "/?range=week&user=everyone&sort=calls").await;
    let options: Vec<&str> = everyone
        .split("<option value=\"")
        .skip(1)
        .map(|rest| rest.split_once('>').unwrap().1.split('<').next().unwrap())
        .collect();
    let gone = format!("deleted account {}", &otto[otto.len() - 8..]);
    assert_eq!(options, ["My usage", "Everyone", "owner", "mia", "shawn", &gone]);
    assert!(everyone.contains("<option value=\"everyone\" selected>"), "{everyone}");
    let text = |html: &str| html.replace("<!>", "");
    assert!(text(&everyone).contains(" by <strong>everyone</strong>"), "{everyone}");
    assert!(everyone.contains("There is no monthly budget for everyone."));
    // The choice stays in every link and in the other forms.
    for kept in ["/?user=everyone&amp;sort=calls\"", "/?range=day&amp;user=everyone&amp;sort=calls\""] {
        assert!(everyone.contains(kept), "{kept}");
    }
    assert!(everyone.contains("<input type=\"hidden\" name=\"user\" value=\"everyone\">"));
    assert!(everyone.contains("<input type=\"hidden\" name=\"range\" value=\"week\">"));

    assert!(
        text(&page(Person::Admin, &format!("/?user={otto}")).await).contains(&format!(" by <strong>{gone}</strong>"))
    );
    let own = page(Person::Admin, "/").await;
    assert!(own.contains("name=\"user\"") && !text(&own).contains(" by <strong>"));
    // Nothing of one's own is recorded, and the choice is there all the same.
    let of_owner = page(Person::Owner, "/").await;
    assert!(of_owner.contains("Nothing is recorded yet") && of_owner.contains("<select name=\"user\""));
    let of_nobody = page(Person::Admin, "/?user=owner").await;
    assert!(!of_nobody.contains("Nothing is recorded yet") && text(&of_nobody).contains(" by <strong>owner</strong>"));
    assert!(!page(Person::Member, "/").await.contains("name=\"user\""));
}

#[tokio::test]
async fn who_is_alone_has_nothing_to_choose() {
    let server = TestServer::start().await;
    let call = json!({"model": "claude-sonnet-4-20250514", "usage": {"input_tokens": 1}});
    server.post("/api/analytics/usage", &call).await;
    assert!(!server.get("/").await.text().contains("name=\"user\""));
    assert_eq!(server.get(&format!("{TOKENS}?user=everyone")).await.json()["summary"]["totalCalls"], 1);
    assert_eq!(server.get("/?user=nobody-at-all").await.status, StatusCode::BAD_REQUEST);
    assert!(server.state.ledger.knows_user(&UserId::owner()).await.unwrap());
}
