//! What a mail says: as text, and as HTML that mail programs can show. Those know little CSS, so layout is a table and
//! styles stand at their elements; nothing is loaded from anywhere.

use crate::domain::budget::AlertLevel;
use crate::domain::notification::{Notification, level_word};
use std::fmt::Write;

pub(super) fn subject(notification: &Notification) -> String {
    format!("[{}] {}", level_word(notification.level), notification.title)
}

pub(super) fn text(notification: &Notification, link: Option<&str>) -> String {
    let mut text = format!("{}\n\n{}\n", notification.title, notification.sentence);
    let width = notification.facts.iter().map(|fact| fact.label.chars().count()).max().unwrap_or(0) + 1;
    if !notification.facts.is_empty() {
        text.push('\n');
    }
    for fact in &notification.facts {
        let label = format!("{}:", fact.label);
        writeln!(text, "  {label:<width$}  {}", fact.value).ok();
    }
    if let Some(url) = link {
        write!(text, "\nOpen in Tollbridge: {url}\n").ok();
    }
    text.push_str("\n-- \nYou get this mail because a channel of your Tollbridge sends alerts to this address.\n");
    text
}

pub(super) fn html(notification: &Notification, link: Option<&str>) -> String {
    let (color, tint) = colors(notification.level);
    let (title, sentence) = (escape(&notification.title), escape(&notification.sentence));
    let word = level_word(notification.level);
    let facts: String = notification.facts.iter().map(|fact| fact_row(&fact.label, &fact.value)).collect();
    let facts = if facts.is_empty() {
        facts
    } else {
        format!(
            "<table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" style=\"margin:20px 0 0;\
             border-collapse:collapse\">{facts}</table>\n"
        )
    };
    let button = link.map(|url| button(url, color)).unwrap_or_default();
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light">
<title>{title}</title>
</head>
<body style="margin:0;padding:0;background:#f3f4f6">
<div style="display:none;max-height:0;overflow:hidden">{sentence}</div>
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f3f4f6">
<tr><td align="center" style="padding:32px 16px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px;background:#ffffff;border:1px solid #e1e4ea;border-top:4px solid {color};border-radius:8px;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;color:#1b2130">
<tr><td style="padding:28px 32px">
<p style="margin:0 0 14px"><span style="display:inline-block;padding:3px 10px;border-radius:999px;background:{tint};color:{color};font-size:13px;font-weight:600">{word}</span></p>
<h1 style="margin:0 0 10px;font-size:21px;line-height:1.3;font-weight:650">{title}</h1>
<p style="margin:0;font-size:15px;line-height:1.55;color:#414a5e">{sentence}</p>
{facts}{button}</td></tr>
</table>
<p style="margin:16px 0 0;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:12px;line-height:1.5;color:#667085">You get this mail because a channel of your Tollbridge sends alerts to this address.</p>
</td></tr>
</table>
</body>
</html>
"#
    )
}

fn fact_row(label: &str, value: &str) -> String {
    let (label, value) = (escape(label), escape(value));
    let cell = "padding:9px 0;border-top:1px solid #e8eaef;font-size:14px;vertical-align:top";
    format!(
        "\n<tr><td style=\"{cell};color:#667085;white-space:nowrap;padding-right:24px\">{label}</td>\
         <td align=\"right\" style=\"{cell};font-weight:600;word-break:break-word\">{value}</td></tr>"
    )
}

fn button(url: &str, color: &str) -> String {
    let url = escape(url);
    format!(
        "<p style=\"margin:26px 0 0\"><a href=\"{url}\" style=\"display:inline-block;padding:11px 20px;border-radius:6px;\
         background:{color};color:#ffffff;font-size:14px;font-weight:600;text-decoration:none\">Open in Tollbridge</a></p>\n"
    )
}

/// Dark on white, and on its own tint, by at least 4.5 to 1.
fn colors(level: AlertLevel) -> (&'static str, &'static str) {
    match level {
        AlertLevel::Info => ("#1d5bbf", "#e8f0fd"),
        AlertLevel::Warning => ("#92500a", "#fdf1dd"),
        AlertLevel::Critical => ("#b3201f", "#fdeaea"),
    }
}

/// For text and for attributes in double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
