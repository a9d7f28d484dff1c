//! Messages for Discord's webhooks: one embed. Discord reads Markdown everywhere, so texts are escaped, and nobody can be
//! mentioned.

use crate::domain::budget::AlertLevel;
use crate::domain::notification::{Notification, level_word};
use crate::domain::period::Zone;
use serde_json::{Value, json};

/// A value up to this length stands beside another one.
const INLINE_CHARS: usize = 32;

pub(super) fn body(notification: &Notification, link: Option<&str>) -> Vec<u8> {
    let facts = notification.facts.iter();
    let fields: Vec<Value> = facts.map(|fact| field(&fact.label, &fact.value)).collect();
    let message = json!({
        "username": "Tollbridge",
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": escape(&notification.title),
            "url": link,
            "description": escape(&notification.sentence),
            "color": color(notification.level),
            "fields": fields,
            "footer": {"text": level_word(notification.level)},
            "timestamp": Zone::UTC.format_instant(notification.occurred_at_ms),
        }],
    });
    message.to_string().into_bytes()
}

fn field(label: &str, value: &str) -> Value {
    // Empty names and values are refused; a zero-width space is not.
    let shown = |text: &str| if text.is_empty() { "\u{200b}".to_owned() } else { escape(text) };
    json!({"name": shown(label), "value": shown(value), "inline": value.chars().count() <= INLINE_CHARS})
}

fn color(level: AlertLevel) -> u32 {
    match level {
        AlertLevel::Info => 0x2f_6f_de,
        AlertLevel::Warning => 0xd9_7a_06,
        AlertLevel::Critical => 0xc8_2a_2a,
    }
}

/// What Markdown, mentions and emoji begin with, and the colon of an address. (A text has one line, so what counts at the
/// beginning of a line alone, such as a heading, can only stand at its own.)
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_markup = matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '[' | ']' | '@');
        let is_at_start = at == 0 && matches!(c, '#' | '>' | '-' | '+');
        let is_address = c == ':' && text[at..].starts_with("://");
        if is_markup || is_at_start || is_address {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
