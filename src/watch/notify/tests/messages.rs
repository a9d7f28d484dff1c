//! What each channel's message looks like, as files beside this one. `TOLLBRIDGE_UPDATE_SNAPSHOTS=1` writes them anew, and
//! the difference is for a person to read.

use super::*;
use crate::domain::channel::DigestPeriod;
use crate::domain::money::NanoUsd;
use crate::domain::notification::{BudgetLine, DigestFigures};
use crate::watch::notify::{discord, slack};

fn pretty(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap();
    format!("{value:#}\n")
}

fn check_snapshot(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/watch/notify/tests/snapshots").join(name);
    if std::env::var_os("TOLLBRIDGE_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name} is not what it was; TOLLBRIDGE_UPDATE_SNAPSHOTS=1 takes the new one");
}

fn hostile() -> Notification {
    let nasty = "<!channel> @everyone *b* _i_ `c` [x](https://evil.example) <b>&\"'</b> ~~s~~ ||p|| \\";
    Notification {
        level: AlertLevel::Critical,
        title: nasty.into(),
        sentence: format!("# {nasty}"),
        facts: vec![Fact::new("Model", nasty), Fact::new("", "")],
        link: None,
        ..over_budget()
    }
    .trimmed()
}

fn digest() -> Notification {
    let date = |text: &str| text.parse().unwrap();
    let cents = |cents: i64| NanoUsd(cents * 10_000_000);
    let budget = BudgetLine { name: "Team".into(), spent: cents(7_540), limit: cents(10_000), percent_used: 75.4 };
    let figures = DigestFigures {
        period: DigestPeriod { at_ms: NOON_MS, from: date("2026-03-02"), to: date("2026-03-08") },
        time_zone: "Europe/Berlin".into(),
        spent: cents(5_110),
        calls: 1_204,
        unpriced_calls: 2,
        spent_before: cents(4_000),
        models: vec![("claude-opus-5".into(), cents(4_000)), ("gpt-5_2".into(), cents(1_110))],
        budgets: vec![budget],
    };
    Notification::digest(Some(&figures), &[over_budget()], NOON_MS).unwrap().trimmed()
}

#[tokio::test]
async fn messages_look_as_they_did() {
    let link = Some("https://tollbridge.example/budgets?a=1&b=2");
    let of_week = Some("https://tollbridge.example/?from=2026-03-02&to=2026-03-08&tz=Europe/Berlin");
    for (name, notification, link) in
        [("budget", over_budget().trimmed(), link), ("hostile", hostile(), None), ("digest", digest(), of_week)]
    {
        check_snapshot(&format!("webhook_{name}.json"), &pretty(&webhook::body(&notification, link)));
        check_snapshot(&format!("slack_{name}.json"), &pretty(&slack::body(&notification, link)));
        check_snapshot(&format!("discord_{name}.json"), &pretty(&discord::body(&notification, link)));
        let mail = mail_of(&notification, link).await;
        let parts = mail_server::parts_of(&mail);
        let head = mail.split("\r\n\r\n").next().unwrap().replace("\r\n", "\n");
        check_snapshot(&format!("mail_{name}.txt"), &format!("{head}\n\n{}", parts[0].1.replace("\r\n", "\n")));
        check_snapshot(&format!("mail_{name}.html"), &parts[1].1.replace("\r\n", "\n"));
    }
}

/// The longest message that there can be fits everywhere.
#[test]
fn no_message_is_too_large_for_its_receiver() {
    let widest = "\u{1f4b8}\u{1f4b8}\"\\*_".repeat(500);
    let notification = Notification {
        title: widest.clone(),
        sentence: widest.clone(),
        facts: vec![Fact::new(&widest, &widest); 50],
        link: Some(format!("/{}", "x".repeat(200))),
        ..over_budget()
    }
    .trimmed();
    let link = Some("https://tollbridge.example/budgets");
    for body in
        [webhook::body(&notification, link), slack::body(&notification, link), discord::body(&notification, link)]
    {
        assert!(body.len() <= 20_000, "{}", body.len());
    }
    // docs.slack.dev (header block) and discord.com (embed limits).
    let slack: serde_json::Value = serde_json::from_slice(&slack::body(&notification, link)).unwrap();
    assert!(slack["blocks"][0]["text"]["text"].as_str().unwrap().chars().count() <= 150);
    let discord: serde_json::Value = serde_json::from_slice(&discord::body(&notification, link)).unwrap();
    let embed = &discord["embeds"][0];
    assert!(embed["title"].as_str().unwrap().chars().count() <= 256);
    assert!(embed["description"].as_str().unwrap().chars().count() <= 4_096);
    let fields = embed["fields"].as_array().unwrap();
    assert!(fields.len() <= 25);
    assert!(fields.iter().all(|field| field["name"].as_str().unwrap().chars().count() <= 256));
    assert!(fields.iter().all(|field| field["value"].as_str().unwrap().chars().count() <= 1_024));
    let text_of = |value: &serde_json::Value| value.as_str().unwrap_or_default().chars().count();
    let total: usize = fields.iter().map(|field| text_of(&field["name"]) + text_of(&field["value"])).sum();
    assert!(total + text_of(&embed["title"]) + text_of(&embed["description"]) <= 6_000);
}

async fn mail_of(notification: &Notification, link: Option<&str>) -> String {
    let server = MailServer::start(mail_server::Manner::Takes).await;
    let outbound = Outbound::new(true, Vec::new()).unwrap();
    let sent = mail::send(&outbound, &mail_to(&server), "018f-id", notification, link, NOON_MS).await;
    assert!(sent.unwrap().is_success());
    server.heard().mail
}
