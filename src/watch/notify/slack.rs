//! Messages for Slack's incoming webhooks, in Block Kit. Texts stand in `plain_text` and `rich_text` elements, which
//! Slack shows as they are: a model called `<!channel>` calls nobody.

use crate::domain::budget::AlertLevel;
use crate::domain::notification::{Notification, level_word};
use serde_json::{Value, json};

pub(super) fn body(notification: &Notification, link: Option<&str>) -> Vec<u8> {
    let mut elements = vec![section(vec![text(&notification.sentence)])];
    if !notification.facts.is_empty() {
        let facts = notification.facts.iter();
        let lines: Vec<Value> =
            facts.map(|fact| section(vec![bold(&fact.label), text(&format!(": {}", fact.value))])).collect();
        elements.push(json!({"type": "rich_text_list", "style": "bullet", "elements": lines}));
    }
    if let Some(url) = link {
        elements.push(section(vec![json!({"type": "link", "url": url, "text": "Open in Tollbridge"})]));
    }
    let title = format!("{} {}", sign(notification.level), notification.title);
    let message = json!({
        // What notifications on a phone say. Here Slack reads markup, so it is escaped.
        "text": escape(&format!("{}: {}. {}", level_word(notification.level), notification.title, notification.sentence)),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": false}},
            {"type": "rich_text", "elements": elements},
        ],
        "unfurl_links": false,
    });
    message.to_string().into_bytes()
}

fn sign(level: AlertLevel) -> &'static str {
    match level {
        AlertLevel::Info => "🔵",
        AlertLevel::Warning => "🟠",
        AlertLevel::Critical => "🔴",
    }
}

fn section(elements: Vec<Value>) -> Value {
    json!({"type": "rich_text_section", "elements": elements})
}

fn text(text: &str) -> Value {
    // An empty text element is refused.
    json!({"type": "text", "text": if text.is_empty() { " " } else { text }})
}

fn bold(label: &str) -> Value {
    json!({"type": "text", "text": if label.is_empty() { " " } else { label }, "style": {"bold": true}})
}

/// The three characters that Slack's own markup is made of.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
