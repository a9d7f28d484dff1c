//! Notifications on their way to real receivers, which the tests start: some fail, hang, redirect or talk without end.

mod mail_server;
mod messages;
mod receiver;
mod tls;

use self::mail_server::MailServer;
use self::receiver::{Receiver, Reply};
use super::*;
use crate::domain::budget::AlertLevel;
use crate::domain::channel::{Digest, MailEncryption, MailLogin, MailTarget, QuietHours};
use crate::domain::notification::{Fact, Topic};
use crate::domain::period::Zone;
use crate::domain::secret::Secret;
use crate::domain::usage::UserId;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;
use rustls::pki_types::CertificateDer;
use std::time::Instant;
use tempfile::TempDir;

/// 2026-03-10 12:00 in Berlin, a Tuesday.
const NOON_MS: i64 = 1_773_140_400_000;
const HOUR_MS: i64 = 3_600_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct House {
    ledger: Ledger,
    notifier: Notifier,
    _folder: TempDir,
}

impl House {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
        let ledger = Ledger::open(&url, &Zone::UTC).await.unwrap();
        let notifier = notifier(true, Vec::new());
        Self { ledger, notifier, _folder: folder }
    }

    /// One message for a channel with this target.
    async fn enqueue(&self, target: Target) {
        self.ledger.save_channel(&channel(target), &Actor::command_line(), NOON_MS).await.unwrap();
        assert_eq!(self.ledger.enqueue(&UserId::owner(), &over_budget(), NOON_MS).await.unwrap(), 1);
    }

    async fn deliver_at(&self, now_ms: i64) -> usize {
        self.notifier.deliver_due(&self.ledger, now_ms).await.unwrap()
    }

    async fn send_test(&self, channel: Channel, now_ms: i64) -> Answer {
        self.notifier.send_test(&self.ledger, &channel, now_ms).await.unwrap()
    }

    async fn delivery(&self) -> Delivery {
        self.ledger.deliveries(&UserId::owner(), "c1", 10).await.unwrap().remove(0)
    }
}

fn notifier(allow_private_addresses: bool, own_authorities: Vec<CertificateDer<'static>>) -> Notifier {
    let outbound = Outbound::new(allow_private_addresses, own_authorities).unwrap();
    Notifier::new(outbound, "https://tollbridge.example/")
}

fn channel(target: Target) -> Channel {
    Channel {
        user_id: UserId::owner(),
        id: "c1".into(),
        name: "Team".into(),
        target,
        min_level: AlertLevel::Info,
        topics: Topic::CHOICES.to_vec(),
        quiet_hours: None,
        digest: Digest::None,
        time_zone: "Europe/Berlin".into(),
        created_at_ms: NOON_MS,
        disabled_at_ms: None,
        disabled_reason: None,
    }
}

fn webhook_to(url: String) -> Target {
    Target::Webhook { url: Secret::new(url), signing_secrets: vec![Secret::new(SECRET)] }
}

fn mail_to(server: &MailServer) -> MailTarget {
    MailTarget {
        host: "localhost".into(),
        port: server.address.port(),
        encryption: MailEncryption::None,
        login: Some(MailLogin { username: "me".into(), password: Secret::new("hunter2") }),
        from: "alerts@example.com".into(),
        to: vec!["ada@example.com".into(), "bob@example.com".into()],
    }
}

fn over_budget() -> Notification {
    Notification {
        topic: Topic::Budget,
        level: AlertLevel::Warning,
        title: "75 % of the monthly budget is spent".into(),
        sentence:
            "$75.40 of $100.00 are spent, and the month ends in 21 days. At this pace the limit is reached on 13 \
                   March."
                .into(),
        facts: vec![
            Fact::new("Spent", "$75.40"),
            Fact::new("Limit", "$100.00"),
            Fact::new("Most of it", "claude_opus_5 <!channel> *$51.10*"),
        ],
        link: Some("/budgets".into()),
        occurred_at_ms: NOON_MS,
        alert_id: Some("alert-1".into()),
    }
}

#[tokio::test]
async fn a_webhook_is_signed_so_that_its_receiver_can_tell() {
    let house = House::open().await;
    let receiver = Receiver::start(vec![Reply::status(204)]).await;
    house.enqueue(webhook_to(receiver.url("/hook?a=b"))).await;
    assert_eq!(house.deliver_at(NOON_MS).await, 1);
    let request = receiver.only_request();
    assert_eq!(request.line, "POST /hook?a=b HTTP/1.1");
    assert_eq!(request.header("content-type"), "application/json");
    let delivery = house.delivery().await;
    assert_eq!(request.header("webhook-id"), delivery.id);
    let timestamp = request.header("webhook-timestamp");
    assert_eq!(timestamp, (NOON_MS / 1_000).to_string());
    let signed = [delivery.id.as_bytes(), b".", timestamp.as_bytes(), b".", &request.body].concat();
    let key = BASE64_STANDARD.decode(&SECRET[6..]).unwrap();
    let signature = BASE64_STANDARD.decode(request.header("webhook-signature").strip_prefix("v1,").unwrap()).unwrap();
    assert!(hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed, &signature).is_ok());
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&body["type"], &body["data"]["level"]), (&"alert.budget".into(), &"warning".into()));
    assert_eq!(body["data"]["url"], "https://tollbridge.example/budgets");
    assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Delivered, Some(204)));
    assert_eq!(house.deliver_at(NOON_MS + HOUR_MS).await, 0, "it is told once");
}

#[tokio::test]
async fn what_fails_is_tried_again_when_its_time_comes() {
    let house = House::open().await;
    let busy = Reply::status(503).with_header("retry-after: 3600").with_body("come\nback <later>");
    let receiver = Receiver::start(vec![Reply::status(500), busy, Reply::status(200)]).await;
    house.enqueue(webhook_to(receiver.url("/"))).await;
    house.deliver_at(NOON_MS).await;
    assert_eq!(house.deliver_at(NOON_MS + 4_999).await, 0);
    assert_eq!(house.deliver_at(NOON_MS + 5_500).await, 1);
    let waiting = house.delivery().await;
    assert_eq!((waiting.state, waiting.last_status, waiting.attempts), (DeliveryState::Pending, Some(503), 2));
    assert_eq!(waiting.last_answer.as_deref(), Some("come back <later>"));
    assert_eq!(waiting.next_attempt_at_ms, NOON_MS + 5_500 + HOUR_MS, "the receiver asked for an hour");
    assert_eq!(house.deliver_at(waiting.next_attempt_at_ms).await, 1);
    assert_eq!(house.delivery().await.state, DeliveryState::Delivered);
    let ids: Vec<String> = receiver.requests().iter().map(|request| request.header("webhook-id")).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn after_ten_failures_it_is_given_up_and_can_be_sent_again() {
    let house = House::open().await;
    let receiver = Receiver::start(vec![Reply::status(500); 10]).await;
    house.enqueue(webhook_to(receiver.url("/"))).await;
    let mut now_ms = NOON_MS;
    while house.deliver_at(now_ms).await > 0 {
        now_ms = house.delivery().await.next_attempt_at_ms;
    }
    let given_up = house.delivery().await;
    assert_eq!((given_up.state, given_up.attempts), (DeliveryState::Dead, 10));
    let days = (now_ms - NOON_MS) as f64 / 86_400_000.0;
    assert!((3.0..3.6).contains(&days), "{days}");
    assert_eq!(house.deliver_at(now_ms + 100 * HOUR_MS).await, 0);
    assert!(house.ledger.send_again(&UserId::owner(), &given_up.id, now_ms).await.unwrap());
    assert_eq!(house.deliver_at(now_ms).await, 1);
    assert_eq!(house.delivery().await.state, DeliveryState::Delivered, "without a script the receiver says 200");
}

#[tokio::test]
async fn a_crash_between_sending_and_writing_down_repeats_the_message() {
    let house = House::open().await;
    let receiver = Receiver::start(Vec::new()).await;
    house.enqueue(webhook_to(receiver.url("/"))).await;
    // The process that took it dies.
    assert_eq!(house.ledger.take_due(NOON_MS, 10).await.unwrap().len(), 1);
    assert_eq!(house.deliver_at(NOON_MS + 60_000).await, 0);
    assert_eq!(house.deliver_at(NOON_MS + 120_000).await, 1);
    assert_eq!(receiver.requests().len(), 1);
    assert_eq!(house.delivery().await.state, DeliveryState::Delivered);
}

#[tokio::test]
async fn a_receiver_that_says_nothing_or_never_ends_is_left() {
    for reply in [Reply::Hang, Reply::DripHead] {
        let mut house = House::open().await;
        house.notifier.attempt_within = Duration::from_millis(300);
        let receiver = Receiver::start(vec![reply.clone()]).await;
        house.enqueue(webhook_to(receiver.url("/"))).await;
        let begun = Instant::now();
        house.deliver_at(NOON_MS).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "{reply:?}");
        let delivery = house.delivery().await;
        assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Pending, None), "{reply:?}");
        assert!(delivery.last_answer.unwrap().contains("did not answer"), "{reply:?}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let house = House::open().await;
    let elsewhere = Receiver::start(Vec::new()).await;
    let location = format!("location: {}", elsewhere.url("/"));
    let receiver = Receiver::start(vec![Reply::status(307).with_header(&location)]).await;
    house.enqueue(webhook_to(receiver.url("/"))).await;
    house.deliver_at(NOON_MS).await;
    let delivery = house.delivery().await;
    assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Pending, Some(307)));
    assert_eq!(delivery.last_answer.as_deref(), Some("redirects are not followed"));
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn of_an_endless_answer_only_the_beginning_is_read() {
    let house = House::open().await;
    let receiver = Receiver::start(vec![Reply::EndlessBody]).await;
    house.enqueue(webhook_to(receiver.url("/"))).await;
    house.deliver_at(NOON_MS).await;
    let delivery = house.delivery().await;
    assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Delivered, Some(200)));
    assert_eq!(delivery.last_answer.map(|answer| answer.chars().count()), Some(MAX_ANSWER_CHARS));
    let written = receiver.bytes_written_at_the_end().await;
    // What lies in the sockets' buffers was written and never read.
    assert!(written < 16 * 1024 * 1024, "{written}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_failure() {
    let house = House::open().await;
    let receiver = Receiver::start(vec![Reply::EndlessHead]).await;
    house.enqueue(webhook_to(receiver.url("/"))).await;
    house.deliver_at(NOON_MS).await;
    let delivery = house.delivery().await;
    assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Pending, None));
}

#[tokio::test]
async fn who_answers_410_is_asked_nothing_more() {
    let house = House::open().await;
    let receiver = Receiver::start(vec![Reply::status(410)]).await;
    house.enqueue(webhook_to(receiver.url("/"))).await;
    house.ledger.enqueue(&UserId::owner(), &over_budget(), NOON_MS + HOUR_MS).await.unwrap();
    house.deliver_at(NOON_MS).await;
    let channel = house.ledger.channel(&UserId::owner(), "c1").await.unwrap().unwrap();
    assert_eq!(channel.disabled_at_ms, Some(NOON_MS));
    assert_eq!(channel.disabled_reason.as_deref(), Some("the receiver answered 410 Gone"));
    assert_eq!(house.deliver_at(NOON_MS + 2 * HOUR_MS).await, 0);
    let states: Vec<DeliveryState> =
        house.ledger.deliveries(&UserId::owner(), "c1", 10).await.unwrap().iter().map(|one| one.state).collect();
    assert_eq!(states, [DeliveryState::Dead; 2]);
    assert_eq!(receiver.requests().len(), 1);
}

/// A webhook as a way into the network behind the server.
#[tokio::test]
async fn attack_07_by_default_no_webhook_reaches_ones_own_network() {
    let mut house = House::open().await;
    house.notifier = notifier(false, Vec::new());
    let receiver = Receiver::start(Vec::new()).await;
    let port = receiver.address.port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
        format!("https://2130706433:{port}/"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
    ] {
        let answer = house.send_test(channel(webhook_to(url.clone())), NOON_MS).await;
        assert!(!answer.is_success() && answer.status.is_none(), "{url}: {answer:?}");
    }
    assert_eq!(receiver.requests().len(), 0);
    let answer = house.send_test(channel(webhook_to(format!("https://localhost:{port}/"))), NOON_MS).await;
    assert!(answer.text.contains("allow_private_addresses"), "{answer:?}");
    let plain = channel(webhook_to("http://example.com/".into()));
    assert_eq!(house.notifier.check(&plain).unwrap_err().field, "url");
    assert!(house.notifier.check(&channel(webhook_to("https://example.com/".into()))).is_ok());
}

#[tokio::test]
async fn what_could_not_be_sent_in_the_evening_does_not_come_at_night() {
    let house = House::open().await;
    let receiver = Receiver::start(vec![Reply::status(500)]).await;
    let quiet_hours = Some(QuietHours::parse("12:00", "18:00").unwrap());
    house
        .ledger
        .save_channel(
            &Channel { quiet_hours, ..channel(webhook_to(receiver.url("/"))) },
            &Actor::command_line(),
            NOON_MS,
        )
        .await
        .unwrap();
    house.ledger.enqueue(&UserId::owner(), &over_budget(), NOON_MS - 1).await.unwrap();
    assert_eq!(house.deliver_at(NOON_MS - 1).await, 1);
    assert_eq!(house.delivery().await.next_attempt_at_ms, NOON_MS + 6 * HOUR_MS);
}

#[tokio::test]
async fn a_mail_arrives_as_text_and_html() {
    let house = House::open().await;
    let server = MailServer::start(mail_server::Manner::Takes).await;
    house.enqueue(Target::Email(mail_to(&server))).await;
    house.deliver_at(NOON_MS).await;
    let delivery = house.delivery().await;
    assert_eq!((delivery.state, delivery.last_status), (DeliveryState::Delivered, Some(250)), "{delivery:?}");
    let heard = server.heard();
    assert_eq!(heard.login.as_deref(), Some("\0me\0hunter2"));
    assert_eq!(heard.recipients, ["<ada@example.com>", "<bob@example.com>"]);
    assert!(heard.mail.contains(&format!("Message-ID: <{}@example.com>", delivery.id)), "{}", heard.mail);
    let parts = mail_server::parts_of(&heard.mail);
    assert_eq!(parts.len(), 2, "{}", heard.mail);
    assert!(parts[0].0.contains("text/plain") && parts[0].1.contains("  Spent:       $75.40"), "{}", parts[0].1);
    assert!(parts[1].0.contains("text/html") && parts[1].1.contains("&lt;!channel&gt;"), "{}", parts[1].1);
    assert!(parts[1].1.contains("href=\"https://tollbridge.example/budgets\""));
}

#[tokio::test]
async fn a_mail_server_without_encryption_is_told_nothing() {
    let house = House::open().await;
    let server = MailServer::start(mail_server::Manner::Takes).await;
    let target = MailTarget { encryption: MailEncryption::Starttls, ..mail_to(&server) };
    house.enqueue(Target::Email(target)).await;
    house.deliver_at(NOON_MS).await;
    let delivery = house.delivery().await;
    assert_eq!(delivery.state, DeliveryState::Pending);
    assert!(delivery.last_answer.unwrap().contains("STARTTLS"));
    let heard = server.heard();
    assert!(heard.login.is_none() && heard.recipients.is_empty() && heard.mail.is_empty(), "{heard:?}");
}

#[tokio::test]
async fn a_mail_server_that_refuses_is_quoted_and_one_that_rambles_is_left() {
    let house = House::open().await;
    let server = MailServer::start(mail_server::Manner::Refuses).await;
    let answer = house.send_test(channel(Target::Email(mail_to(&server))), NOON_MS).await;
    assert_eq!(answer.status, Some(550), "{answer:?}");
    assert!(answer.text.contains("no such person"), "{answer:?}");
    let server = MailServer::start(mail_server::Manner::Rambles).await;
    let answer = house.send_test(channel(Target::Email(mail_to(&server))), NOON_MS).await;
    assert!(answer.status.is_none() && answer.text.contains("says too much"), "{answer:?}");
}

#[tokio::test]
async fn what_comes_is_delivered_by_itself() {
    let house = House::open().await;
    let receiver = Receiver::start(Vec::new()).await;
    house.enqueue(webhook_to(receiver.url("/"))).await;
    let running = house.notifier.clone().run(house.ledger.clone(), || NOON_MS);
    tokio::time::timeout(Duration::from_millis(1_500), running).await.unwrap_err();
    assert_eq!(receiver.requests().len(), 1);
}
