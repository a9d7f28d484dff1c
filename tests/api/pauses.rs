//! Paused sessions from the outside: who sees them, who resumes them, and that looking resumes nothing.

use super::people::{Person, TestPeople};
use super::server::{Answer, NOW_MS, TestServer};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tollbridge::domain::api_key::KeyScope;
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::pause::SessionPause;
use tollbridge::domain::usage::{Scope, UserId};

const PAUSES: &str = "/api/analytics/pauses";

/// Pauses a session, and gives the id of the pause.
async fn pause(server: &TestServer, user: &UserId, session_id: &str) -> String {
    let pause = SessionPause {
        id: uuid::Uuid::now_v7().to_string(),
        user_id: user.clone(),
        session_id: session_id.into(),
        paused_at_ms: NOW_MS,
        spent: NanoUsd(2_100_000_000),
        limit: NanoUsd(2_000_000_000),
        resumed: None,
    };
    assert!(server.state.ledger.pause_session(&pause).await.unwrap());
    pause.id
}

async fn open_count(server: &TestServer) -> usize {
    server.state.ledger.open_pauses(&Scope::Everyone, None).await.unwrap().len()
}

async fn send_form(server: &TestServer, cookie: &str, id: &str) -> Answer {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        ("sec-fetch-site", "same-origin"),
        ("cookie", cookie),
    ];
    server.post_with(&server.action_of_name("resume_session"), &headers, format!("id={id}&show=all")).await
}

#[tokio::test]
async fn a_pause_is_listed_and_ended_by_a_program() {
    let server = TestServer::start().await;
    let id = pause(&server, &UserId::owner(), "s-1").await;
    let listed = server.get(PAUSES).await.json();
    let expected = json!({
        "id": id, "userId": "owner", "sessionId": "s-1", "pausedAt": "2026-11-24T09:30:00.000Z",
        "spentNanoUsd": 2_100_000_000_i64, "limitNanoUsd": 2_000_000_000, "resumedAt": null, "resumedBy": null,
    });
    assert_eq!(listed, json!({ "pauses": [expected] }));
    let resumed = server.post(&format!("{PAUSES}/{id}/resume"), &json!({})).await;
    assert_eq!(resumed.status, StatusCode::OK, "{}", resumed.text());
    assert_eq!((&resumed.json()["resumedBy"], &resumed.json()["id"]), (&json!("owner"), &json!(id)));
    assert_eq!(server.get(&format!("{PAUSES}?state=open")).await.json(), json!({ "pauses": [] }));
    assert_eq!(server.get(&format!("{PAUSES}?state=all")).await.json()["pauses"], json!([resumed.json()]));
    assert_eq!(server.post(&format!("{PAUSES}/none/resume"), &json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get(&format!("{PAUSES}?state=closed")).await.blamed_field(), "state");
    assert_eq!(server.get(&format!("{PAUSES}?limit=0")).await.blamed_field(), "limit");
    let alert = &server.get("/api/analytics/alerts").await.json()["alerts"][0];
    assert_eq!(
        (&alert["kind"], &alert["pauseId"], &alert["level"]),
        (&json!("runaway"), &json!(id), &json!("critical"))
    );
    assert_eq!(alert["evidence"]["sessionId"], "s-1");
    assert_eq!(alert["evidence"]["spentNanoUsd"], 2_100_000_000_i64);
}

#[tokio::test]
async fn the_page_shows_what_is_paused_and_resumes_it_by_a_plain_form_only() {
    let server = TestServer::start().await;
    assert!(!server.get("/alerts").await.text().contains("Paused sessions"));
    let id = pause(&server, &UserId::owner(), "<b>s-1</b>").await;
    let page = server.get(&format!("/alerts?id={id}&resume={id}")).await.text();
    let words = "Session &lt;b&gt;s-1&lt;/b&gt; spent $2.10 within a minute; its limit is $2.00. Paused at 09:30.";
    assert!(page.contains("Paused sessions") && page.contains(words), "{page}");
    assert!(page.contains(&format!("value=\"{id}\"")) && page.contains("Runaway session"));
    assert_eq!(open_count(&server).await, 1, "following a link resumes nothing");
    let answer = send_form(&server, "", &id).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::FOUND, "/alerts?show=all"));
    assert_eq!(open_count(&server).await, 0);
    assert!(!server.get("/alerts").await.text().contains("Paused sessions"));
}

#[tokio::test]
async fn a_member_resumes_their_own_sessions_and_an_admin_everyones() {
    let people = TestPeople::start().await;
    let server = &people.server;
    let (mia, otto) = (people.user(Person::Member), people.user(Person::OtherMember));
    let (of_mia, of_otto) = (pause(server, mia, "s-1").await, pause(server, otto, "s-2").await);
    let cookie_of = async |person| people.cookie(person).await;
    let page_of = async |cookie: &str| server.get_with("/alerts", &[("cookie", cookie)]).await.text();

    let member = cookie_of(Person::Member).await;
    let shown = page_of(&member).await;
    assert!(shown.contains("Session s-1") && !shown.contains("s-2"), "a member sees their own");
    send_form(server, &member, &of_otto).await;
    assert_eq!(open_count(server).await, 2, "and resumes no other");
    for (scope, person) in [(KeyScope::Admin, Person::Member), (KeyScope::Admin, Person::Admin)] {
        let key = people.new_key(person, &[scope]).await;
        let headers = [("content-type", "application/json"), ("x-tollbridge-key", key.as_str())];
        let refused = server.post_with(&format!("{PAUSES}/{of_otto}/resume"), &headers, "{}").await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{person:?}: a key is for its user's own");
    }
    let key = people.new_key(Person::Member, &[KeyScope::Read]).await;
    let listed = server.get_with(PAUSES, &[("x-tollbridge-key", &key)]).await.json();
    let ids: Vec<&Value> = listed["pauses"].as_array().unwrap().iter().map(|pause| &pause["id"]).collect();
    assert_eq!(ids, [&json!(of_mia)]);

    let admin = cookie_of(Person::Admin).await;
    let shown = page_of(&admin).await;
    assert!(
        shown.contains("Session s-1") && shown.contains("Session s-2") && shown.contains("It is otto's."),
        "{shown}"
    );
    send_form(server, &admin, &of_otto).await;
    let left = server.state.ledger.open_pauses(&Scope::Everyone, None).await.unwrap();
    assert_eq!(left.iter().map(|pause| &pause.id).collect::<Vec<_>>(), [&of_mia]);
    send_form(server, &member, &of_mia).await;
    assert_eq!(open_count(server).await, 0);
}
