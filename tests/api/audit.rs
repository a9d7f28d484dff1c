//! The audit log from outside: what a login, a form and a key leave in it, and who may read it.

use super::people::{Person, TestPeople, WORDS};
use super::server::{Answer, NOW_MS, TestServer, request};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::audit::{Actor, AuditAction};
use tollbridge::http::connections::PeerAddress;
use tollbridge::ledger::AuditFilter;

const HOME: &str = "198.51.100.7";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SAME_SITE: (&str, &str) = ("sec-fetch-site", "same-origin");

/// A form, sent from home.
async fn send(server: &TestServer, path: &str, cookie: &str, form: &str) -> Answer {
    let headers = [FORM, SAME_SITE, ("cookie", cookie)];
    let mut request = request(Method::POST, path, &headers, Body::from(form.to_owned()));
    request.extensions_mut().insert(PeerAddress(HOME.parse().unwrap()));
    server.send(request).await
}

/// How many rows there are, to look at those that follow.
async fn count(server: &TestServer) -> usize {
    let filter = AuditFilter { limit: 1_000, ..AuditFilter::default() };
    server.state.ledger.audit_log(&filter).await.unwrap().entries.len()
}

/// `action actor target from` of the rows after the first `count`, oldest first.
async fn rows_after(server: &TestServer, count: usize) -> Vec<String> {
    let filter = AuditFilter { limit: 1_000, ..AuditFilter::default() };
    let mut entries = server.state.ledger.audit_log(&filter).await.unwrap().entries;
    entries.reverse();
    let told = entries.split_off(count).into_iter().map(|row| {
        let who = row.actor_login.unwrap_or_else(|| row.actor_kind.name().into());
        format!("{} {who} {} {}", row.note.action.name(), row.note.target.name, row.came_from.unwrap_or_default())
    });
    told.collect()
}

#[tokio::test]
async fn logins_failed_logins_and_logouts_are_written_down_with_their_address() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let before = count(server).await;
    let wrong = send(server, "/login", "", "login=mia&password=not+her+words").await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    let right = send(server, "/login", "", &format!("login=mia&password={}", WORDS.replace(' ', "+"))).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER);
    let cookie = right.header("set-cookie").split(';').next().unwrap().to_owned();
    // Shown again before a change, a wrong password is a failed login too.
    let path = server.action_of_name("change_password");
    let form = "current=not+her+words&password=other+words+of+mine&again=other+words+of+mine";
    assert_eq!(send(server, &path, &cookie, form).await.status, StatusCode::BAD_REQUEST);
    send(server, "/logout", &cookie, "").await;
    send(server, "/logout", &cookie, "").await;
    assert_eq!(
        rows_after(server, before).await,
        [
            format!("login_failed nobody mia {HOME}"),
            format!("login mia mia {HOME}"),
            format!("login_failed mia mia {HOME}"),
            format!("logout mia mia {HOME}"),
        ]
    );
}

#[tokio::test]
async fn an_invitation_and_what_is_done_to_somebody_say_who_did_it() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let admin = people.cookie(Person::Admin).await;
    let before = count(server).await;
    let invited = send(server, &server.action_of_name("invite_person"), &admin, "role=member").await;
    let token = invited.text().split("token=").nth(1).unwrap().trim_matches('"').to_owned();
    let words = WORDS.replace(' ', "+");
    let joined = send(server, "/join", "", &format!("token={token}&login=nora&password={words}&again={words}")).await;
    assert_eq!(joined.status, StatusCode::SEE_OTHER, "{}", joined.text());
    let shut_out = format!("user_id={}&change=shut_out", people.user(Person::Member).0);
    send(server, &server.action_of_name("change_person"), &admin, &shut_out).await;
    assert_eq!(
        rows_after(server, before).await,
        [
            format!("user_invited ada  {HOME}"),
            format!("user_joined nora nora {HOME}"),
            format!("login nora nora {HOME}"),
            format!("user_disabled ada mia {HOME}"),
        ]
    );
}

async fn get(server: &TestServer, path: &str, key: &str) -> Answer {
    server.get_with(path, &[("x-tollbridge-key", key)]).await
}

#[tokio::test]
async fn the_owner_and_admins_read_it_and_a_member_does_not() {
    let people = TestPeople::start().await;
    let server = &people.server;
    for (person, status) in
        [(Person::Owner, 200), (Person::Admin, 200), (Person::Member, 403), (Person::OtherMember, 403)]
    {
        let key = people.new_key(person, &[KeyScope::Admin]).await;
        let answer = get(server, "/api/audit", &key).await;
        assert_eq!(answer.status.as_u16(), status, "{person:?}");
        let page = server.get_with("/settings/audit", &[("cookie", &people.cookie(person).await)]).await;
        assert_eq!(page.status.as_u16(), status, "{person:?}");
        let is_shown = status == 200;
        assert_eq!(page.text().contains("User invited"), is_shown, "{person:?}: {}", page.text());
        assert_eq!(answer.text().contains("user_invited"), is_shown, "{person:?}");
        let settings = server.get_with("/settings", &[("cookie", &people.cookie(person).await)]).await;
        assert_eq!(settings.text().contains("href=\"/settings/audit\""), is_shown, "{person:?}");
    }
}

#[tokio::test]
async fn the_api_tells_who_what_and_from_where_page_by_page() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let key = people.new_key(Person::Admin, &[KeyScope::Admin]).await;
    let headers = [("content-type", "application/json"), ("x-tollbridge-key", key.as_str())];
    let changed =
        server.post_with("/api/analytics/budget", &headers, json!({"monthlyLimitCents": 700}).to_string()).await;
    assert_eq!(changed.status, StatusCode::OK);
    let newest = get(server, "/api/audit?limit=1&group=budgets", &key).await.json();
    let entry = &newest["entries"][0];
    assert_eq!((&entry["action"], &entry["at"]), (&json!("budget_changed"), &json!("2026-11-24T09:30:00.000Z")));
    assert_eq!((&entry["actor"]["kind"], &entry["actor"]["login"]), (&json!("key"), &json!("ada")));
    assert!(entry["actor"]["keyId"].is_string() && entry["from"].is_null());
    assert_eq!((&entry["target"]["kind"], &entry["target"]["id"]), (&json!("budget"), &json!("default")));
    assert!(entry["detail"].as_str().unwrap().starts_with("$7.00 a month"), "{entry}");
    assert_eq!(newest["next"], Value::Null);

    let (mut path, mut told) = ("/api/audit?limit=4&person=MIA".to_owned(), Vec::new());
    loop {
        let page = get(server, &path, &key).await.json();
        told.extend(
            page["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    // Made by a command: she has done one thing herself.
    assert_eq!(told, ["user_joined"]);
    for (query, field) in [("group=colour", "group"), ("limit=0", "limit"), ("after=x", "after")] {
        assert_eq!(get(server, &format!("/api/audit?{query}"), &key).await.blamed_field(), field);
    }
}

#[tokio::test]
async fn the_page_shows_fifty_rows_narrows_down_and_says_so_when_there_is_nothing() {
    let server = TestServer::start().await;
    let page = server.get("/settings/audit").await.text();
    assert!(page.contains("Nothing is in the log yet"), "{page}");
    let (ledger, nobody) = (&server.state.ledger, Actor::nobody(HOME.parse().ok()));
    for n in 0..60 {
        ledger.check_password("owner", "guess", &nobody, NOW_MS - 60_000 * n).await.unwrap();
    }
    let owner = tollbridge::domain::usage::UserId::owner();
    let key = ledger.create_key(&owner, "<b>laptop", &[KeyScope::Read], &Actor::command_line(), NOW_MS).await.unwrap();
    let page = server.get("/settings/audit").await.text();
    assert_eq!(page.matches("<th scope=\"row\">").count(), 50);
    assert!(page.contains("key &lt;b&gt;laptop") && page.contains(&key.key.shown()), "{page}");
    assert!(page.contains("the command line") && page.contains(HOME) && page.contains("Times of UTC"));
    let older = page.split("href=\"/settings/audit?after=").nth(1).unwrap().split('"').next().unwrap();
    let older = server.get(&format!("/settings/audit?after={older}")).await.text();
    assert_eq!(older.matches("<th scope=\"row\">").count(), 11);
    assert!(older.contains("Back to the newest") && !older.contains(">Older<"));
    let keys = server.get("/settings/audit?group=keys&person=").await.text();
    assert_eq!(keys.matches("<th scope=\"row\">").count(), 1);
    assert!(keys.contains("<option value=\"keys\" selected"), "{keys}");
    let nothing = server.get("/settings/audit?group=keys&person=%3Cscript%3Ebob").await.text();
    assert!(nothing.contains("Nothing like that is in the log") && !nothing.contains("<script>bob"), "{nothing}");
    assert_eq!(server.get("/settings/audit?after=nonsense").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_member_changes_their_own_and_is_named() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let cookie = people.cookie(Person::Member).await;
    let before = count(server).await;
    let path = server.action_of_name("save_budget");
    let form = "limit=100&threshold_1=40&threshold_2=80&threshold_3=95&time_zone=UTC&at_limit=block";
    assert_eq!(send(server, &path, &cookie, form).await.status, StatusCode::OK);
    let told = rows_after(server, before).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with(&format!("{} mia ", AuditAction::BudgetChanged.name())) && told[0].ends_with(HOME));
}
