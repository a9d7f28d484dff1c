//! Channels from the outside: made, tested, changed and deleted, and nothing of their secrets comes back.

use super::server::{Answer, TestServer, request};
use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tollbridge::domain::budget::AlertLevel;
use tollbridge::domain::channel::Target;
use tollbridge::domain::notification::{Notification, Topic};
use tollbridge::domain::secret::Secret;
use tollbridge::domain::usage::UserId;
use tollbridge::watch::notify::Notifier;
use tollbridge::watch::notify::outbound::Outbound;

const PLAIN_FORM: [(&str, &str); 4] = [
    ("content-type", "application/x-www-form-urlencoded"),
    ("accept", "text/html,application/xhtml+xml"),
    ("sec-fetch-site", "same-origin"),
    ("referer", "http://127.0.0.1:3000/alerts/channels"),
];
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

async fn patch(server: &TestServer, path: &str, body: &Value) -> Answer {
    server.send(request(Method::PATCH, path, &JSON, Body::from(body.to_string()))).await
}

async fn create(server: &TestServer, body: &Value) -> Value {
    let answer = server.post("/api/channels", body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    answer.json()
}

/// A receiver on this machine that gives the same answer to everybody.
async fn receiver(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 8192];
            if stream.read(&mut buffer).await.unwrap_or(0) > 0 {
                stream.write_all(answer.as_bytes()).await.ok();
            }
            // Closed by the client: what it still sends must not meet a closed door.
            while stream.read(&mut buffer).await.unwrap_or(0) > 0 {}
        }
    });
    format!("http://{address}/hook")
}

/// A server that may reach receivers on this machine.
async fn server_beside_receivers() -> TestServer {
    let mut server = TestServer::start().await;
    let notifier = Notifier::new(Outbound::new(true, Vec::new()).unwrap(), "http://127.0.0.1:3000");
    server.change_state(|state| state.notifier = notifier);
    server
}

#[tokio::test]
async fn a_channels_secrets_go_in_and_never_come_out() {
    let server = TestServer::start().await;
    let slack =
        create(&server, &json!({"kind": "slack", "url": "https://hooks.slack.com/services/T0/B0/s3cretwXyZ"})).await;
    assert_eq!(slack["target"], "https://hooks.slack.com/…wXyZ");
    assert_eq!(slack.get("signingSecret"), None);
    let mail = create(
        &server,
        &json!({"kind": "email", "name": "Mail", "host": "smtp.example.com", "port": 465, "encryption": "tls",
            "username": "me", "password": "s3cret", "from": "a@example.com", "to": ["b@example.com"],
            "minLevel": "warning", "topics": ["budget"], "quietFrom": "22:00", "quietTo": "7:00", "digest": "daily"}),
    )
    .await;
    assert_eq!((&mail["mail"]["host"], &mail["mail"]["username"]), (&json!("smtp.example.com"), &json!("me")));
    assert_eq!((&mail["quietTo"], &mail["digest"]), (&json!("07:00"), &json!("daily")));
    let hook = create(&server, &json!({"kind": "webhook", "url": "https://example.com/hook?key=s3cret"})).await;
    let first = hook["signingSecret"].as_str().unwrap().to_owned();
    assert!(first.starts_with("whsec_") && first.len() > 45, "{first}");
    let path = format!("/api/channels/{}", hook["id"].as_str().unwrap());
    let rotated = server.post(&format!("{path}/rotate-secret"), &json!({})).await.json();
    let second = rotated["signingSecret"].as_str().unwrap().to_owned();
    assert_ne!(second, first);
    let kept = server.state.ledger.channel(&UserId::owner(), hook["id"].as_str().unwrap()).await.unwrap().unwrap();
    let Target::Webhook { signing_secrets, .. } = kept.target else { panic!("it is a webhook") };
    let kept: Vec<&str> = signing_secrets.iter().map(Secret::reveal).collect();
    assert_eq!(kept, [&second, &first], "both sign until the next change");
    let shown = server.get("/api/channels").await.text() + &server.get(&path).await.text();
    assert_eq!(shown.matches("\"id\"").count(), 4);
    assert!(!shown.contains("s3cret") && !shown.contains("whsec_"), "{shown}");
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let server = TestServer::start().await;
    for (body, field) in [
        (json!({}), "kind"),
        (json!({"kind": "pigeon"}), "kind"),
        (json!({"kind": "slack"}), "url"),
        (json!({"kind": "slack", "url": "http://hooks.slack.com/x"}), "url"),
        (json!({"kind": "slack", "url": 7}), "url"),
        (json!({"kind": "slack", "url": "https://x.example/", "colour": "red"}), "colour"),
        (json!({"kind": "slack", "url": "https://x.example/", "minLevel": "loud"}), "minLevel"),
        (json!({"kind": "slack", "url": "https://x.example/", "topics": []}), "topics"),
        (json!({"kind": "slack", "url": "https://x.example/", "timeZone": "Mars"}), "timeZone"),
        (json!({"kind": "email", "host": "smtp.example.com", "from": "a@b.c", "to": "a@b.c"}), "to"),
        (json!({"kind": "email", "host": "smtp.example.com", "from": "a@@b", "to": ["a@b.c"]}), "from"),
    ] {
        assert_eq!(server.post("/api/channels", &body).await.blamed_field(), field, "{body}");
    }
    assert_eq!(server.get("/api/channels").await.json(), json!({"channels": []}));
}

#[tokio::test]
async fn a_channel_is_changed_switched_off_and_deleted() {
    let server = TestServer::start().await;
    let made = create(&server, &json!({"kind": "discord", "url": "https://discord.com/api/webhooks/1/2"})).await;
    let path = format!("/api/channels/{}", made["id"].as_str().unwrap());
    let changed = patch(&server, &path, &json!({"name": "Ops", "enabled": false})).await.json();
    assert_eq!((&changed["name"], &changed["enabled"]), (&json!("Ops"), &json!(false)));
    assert_eq!(changed["disabledReason"], "switched off");
    assert_eq!(patch(&server, &path, &json!({"kind": "slack"})).await.blamed_field(), "kind");
    assert_eq!(patch(&server, &path, &json!({"enabled": true})).await.json()["enabled"], true);
    let of_discord = server.post(&format!("{path}/rotate-secret"), &json!({})).await;
    assert_eq!(of_discord.blamed_field(), "kind");
    let delete = || server.send(request(Method::DELETE, &path, &[], Body::empty()));
    assert_eq!(delete().await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete().await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_test_tells_what_the_receiver_said() {
    let server = server_beside_receivers().await;
    let url = receiver("HTTP/1.1 403 Forbidden\r\ncontent-length: 13\r\n\r\ninvalid_token").await;
    let made = create(&server, &json!({"kind": "slack", "url": url})).await;
    let path = format!("/api/channels/{}/test", made["id"].as_str().unwrap());
    let said = server.post(&path, &json!({})).await;
    assert_eq!(said.json(), json!({"delivered": false, "status": 403, "answer": "invalid_token"}));
    let log = server.get(&path.replace("/test", "/deliveries")).await.json();
    let row = &log["deliveries"][0];
    assert_eq!(
        (&row["state"], &row["lastAnswer"], &row["attempts"]),
        (&json!("dead"), &json!("invalid_token"), &json!(1))
    );
    let url = receiver("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let made = create(&server, &json!({"kind": "slack", "url": url})).await;
    let path = format!("/api/channels/{}/test", made["id"].as_str().unwrap());
    assert_eq!(server.post(&path, &json!({})).await.json(), json!({"delivered": true, "status": 200, "answer": "ok"}));
    assert_eq!(server.post("/api/channels/nobody/test", &json!({})).await.status, StatusCode::NOT_FOUND);
}

/// Where the page's form goes whose address contains `name`.
async fn action_of(server: &TestServer, page: &str, name: &str) -> String {
    let html = server.get(page).await.text();
    let mut actions = html.split("action=\"").skip(1).filter_map(|rest| rest.split('"').next());
    actions.find(|action| action.contains(name)).unwrap_or_else(|| panic!("{page} has no form for {name}")).to_owned()
}

#[tokio::test]
async fn the_page_makes_tests_and_deletes_a_channel_without_scripts() {
    let server = server_beside_receivers().await;
    let page = "/alerts/channels";
    let save = action_of(&server, "/alerts/channels?kind=slack", "save_channel").await;
    let url = receiver("HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\n\r\nno_service").await;
    let form = "form[id]=&form[kind]=slack&form[name]=Team+%26+Co&form[min_level]=warning&form[topics][]=budget\
                &form[topics][]=health&form[digest]=none&form[quiet_from]=&form[quiet_to]=&form[time_zone]=UTC";
    let refused = server.post_with(&save, &PLAIN_FORM, format!("{form}&url=ftp://s3cret")).await;
    let back = refused.header("location").to_owned();
    assert!(back.contains("name=Team%20%26%20Co") && !back.contains("s3cret"), "{back}");
    let shown = server.get(&back).await.text();
    assert!(shown.contains("Team &amp; Co") && shown.contains("Could not be taken: type it in again."), "{shown}");
    let saved = server.post_with(&save, &PLAIN_FORM, format!("{form}&url={url}")).await;
    assert_eq!(saved.header("location"), "/alerts/channels?saved=1", "{}", saved.text());
    let channel = server.get("/api/channels").await.json()["channels"][0].clone();
    assert_eq!((&channel["minLevel"], &channel["topics"]), (&json!("warning"), &json!(["budget", "health"])));
    let id = format!("id={}", channel["id"].as_str().unwrap());
    let test = action_of(&server, page, "test_channel").await;
    assert_eq!(server.post_with(&test, &PLAIN_FORM, id.clone()).await.header("location"), page);
    let shown = server.get(page).await.text();
    assert!(shown.contains("404 no_service") && shown.contains("Send again"), "{shown}");
    let edit = server.get(&format!("{page}?edit={}", channel["id"].as_str().unwrap())).await.text();
    assert!(edit.contains("Change “Team &amp; Co”") && !edit.contains(&url), "{edit}");
    let delete = action_of(&server, page, "delete_channel").await;
    assert_eq!(server.post_with(&delete, &PLAIN_FORM, id.clone()).await.header("location"), page);
    assert!(server.get(page).await.text().contains("No channel yet"));
}

// Row 7: a webhook as a way into the network behind the server.
#[tokio::test]
async fn a_channel_to_ones_own_network_is_refused_unless_the_configuration_allows_it() {
    let server = TestServer::start().await;
    let made = create(&server, &json!({"kind": "webhook", "url": "https://127.0.0.1:9/"})).await;
    let path = format!("/api/channels/{}/test", made["id"].as_str().unwrap());
    let said = server.post(&path, &json!({})).await.json();
    assert_eq!((&said["delivered"], &said["status"]), (&json!(false), &Value::Null));
    assert!(said["answer"].as_str().unwrap().contains("not a public address"), "{said}");
}

#[tokio::test]
async fn the_log_tells_what_happened_and_a_dead_letter_is_sent_again() {
    let server = server_beside_receivers().await;
    let url = receiver("HTTP/1.1 410 Gone\r\ncontent-length: 5\r\n\r\nmoved").await;
    let made = create(&server, &json!({"kind": "webhook", "url": url})).await;
    let path = format!("/api/channels/{}", made["id"].as_str().unwrap());
    let now_ms = server.state.clock.now_ms();
    let over = Notification { topic: Topic::Budget, level: AlertLevel::Critical, ..Notification::test("x", now_ms) };
    server.state.ledger.enqueue(&UserId::owner(), &over, now_ms).await.unwrap();
    assert_eq!(server.state.notifier.deliver_due(&server.state.ledger, now_ms).await.unwrap(), 1);
    let log = server.get(&format!("{path}/deliveries")).await.json();
    let row = &log["deliveries"][0];
    assert_eq!((&row["state"], &row["lastStatus"], &row["attempts"]), (&json!("dead"), &json!(410), &json!(1)));
    assert_eq!((&row["level"], &row["nextAttemptAt"]), (&json!("critical"), &Value::Null));
    assert_eq!(server.get(&path).await.json()["enabled"], false);
    let again = format!("/api/deliveries/{}/send-again", row["id"].as_str().unwrap());
    assert_eq!(server.post(&again, &json!({})).await.status, StatusCode::NOT_FOUND, "the channel is off");
    patch(&server, &path, &json!({"enabled": true})).await;
    assert_eq!(server.post(&again, &json!({})).await.status, StatusCode::ACCEPTED);
    let log = server.get(&format!("{path}/deliveries")).await.json();
    assert_eq!(log["deliveries"][0]["state"], "pending");
}
