//! What a call belongs to, told by its headers and by `metadata.user_id`, never by its prompt. The header names of Helicone
//! and LiteLLM work too, so that who comes from there need not change a client.

use crate::domain::usage::{CallContext, MAX_TAGS, each_once};
use axum::http::{HeaderMap, HeaderName};
use serde::Deserialize;

const MAX_CHARS: usize = 200;

/// Headers that are meant for a gateway and not for the provider.
const OURS: [&str; 6] = ["x-tollbridge-", "helicone-", "x-litellm-", "x-portkey-", "x-bf-", "x-langwatch-"];

/// Claude Code's own, which go on to the provider.
const CLAUDE_CODE: &str = "x-claude-code-";

/// Where each name is looked for, the best place first.
const PROJECT: [&str; 2] = ["x-tollbridge-project", "helicone-property-project"];
const CONVERSATION: [&str; 2] = ["x-tollbridge-conversation", "helicone-property-conversation"];
const AGENT: [&str; 5] = [
    "x-tollbridge-agent",
    "helicone-property-agent",
    "x-litellm-agent-id",
    "x-claude-code-agent-type",
    "x-claude-code-agent-id",
];
const SESSION: [&str; 3] = ["x-claude-code-session-id", "helicone-session-id", "x-litellm-session-id"];
const TAGS: [&str; 2] = ["x-tollbridge-tags", "x-litellm-tags"];
/// Of the agent that started this one; kept as a tag.
const PARENT_AGENT: &str = "x-claude-code-parent-agent-id";
/// What follows is the name of a tag.
const PROPERTY: &str = "helicone-property-";
/// Tags and properties that fill a field of their own.
const FIELDS: [&str; 4] = ["project", "agent", "conversation", "session"];

/// Whether a header is meant for a gateway, and ends here.
pub fn is_ours(name: &HeaderName) -> bool {
    OURS.iter().any(|prefix| name.as_str().starts_with(prefix))
}

/// What the headers tell. A tag such as `project:website` or `agent=reviewer` fills what no header named; the
/// others are kept as they are.
pub fn from_headers(headers: &HeaderMap) -> CallContext {
    let told = Told::by(headers);
    if told.0.is_empty() {
        return CallContext::default();
    }
    let tags = tags(&told);
    let tagged = |wanted: &str| {
        let of_name = tags.iter().find(|(name, _)| name.as_deref() == Some(wanted));
        of_name.map(|(_, value)| value.clone())
    };
    CallContext {
        project: told.first_of(&PROJECT).or_else(|| tagged("project")),
        agent_slug: told.first_of(&AGENT).or_else(|| tagged("agent")),
        conversation_id: told.first_of(&CONVERSATION).or_else(|| tagged("conversation")),
        session_id: told.first_of(&SESSION).or_else(|| tagged("session")),
        tags: kept(&tags),
        ..CallContext::default()
    }
}

/// The session in Claude Code's `metadata.user_id`: once `user_…_account_…_session_<id>`, later JSON in a string.
pub fn session_in(user_id: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Ids {
        session_id: String,
    }
    match serde_json::from_str::<Ids>(user_id) {
        Ok(ids) => clean(&ids.session_id),
        Err(_) if user_id.starts_with("user_") => clean(user_id.rsplit_once("_session_")?.1),
        Err(_) => None,
    }
}

/// A name as the ledger may keep it: printable, not empty, not endless.
pub fn clean(name: &str) -> Option<String> {
    let name = name.trim();
    let is_clean = !name.is_empty() && !name.chars().any(char::is_control);
    // Few are so long that their characters have to be counted.
    let end = if name.len() <= MAX_CHARS {
        name.len()
    } else {
        name.char_indices().nth(MAX_CHARS).map_or(name.len(), |(end, _)| end)
    };
    is_clean.then(|| name[..end].to_owned())
}

/// The headers that may tell something, mostly few or none, so that looking through them is faster than asking for each.
struct Told<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Told<'a> {
    fn by(headers: &'a HeaderMap) -> Self {
        let telling = headers.iter().filter(|(name, _)| is_ours(name) || name.as_str().starts_with(CLAUDE_CODE));
        Self(telling.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect())
    }

    fn all(&self, wanted: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| *name == wanted).map(|(_, value)| *value)
    }

    /// Of the first of these names that says something, the first value.
    fn first_of(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| clean(self.all(name).next()?))
    }
}

/// A tag's name in lower case, if it has one, and its value or the whole of it.
type Tag = (Option<String>, String);

fn tags(told: &Told<'_>) -> Vec<Tag> {
    let listed = TAGS.iter().flat_map(|name| told.all(name)).flat_map(|list| list.split(',')).filter_map(tag);
    let properties = told.0.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix(PROPERTY)?;
        Some((Some(name.to_owned()), clean(value)?))
    });
    let parent = told.first_of(&[PARENT_AGENT]).map(|id| (Some("parent-agent".to_owned()), id));
    listed.chain(properties).chain(parent).collect()
}

fn tag(text: &str) -> Option<Tag> {
    match text.split_once([':', '=']) {
        Some((name, value)) if !name.trim().is_empty() => Some((Some(name.trim().to_ascii_lowercase()), clean(value)?)),
        _ => Some((None, clean(text)?)),
    }
}

fn kept(tags: &[Tag]) -> Vec<String> {
    let texts = tags.iter().filter_map(|(name, value)| match name {
        Some(name) if FIELDS.contains(&name.as_str()) => None,
        Some(name) => clean(&format!("{name}:{value}")),
        None => Some(value.clone()),
    });
    let mut kept = each_once(texts);
    kept.truncate(MAX_TAGS);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn context(pairs: &[(&'static str, &'static str)]) -> CallContext {
        let headers = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        from_headers(&headers)
    }

    #[test]
    fn our_own_names_come_first() {
        let context = context(&[
            ("x-tollbridge-project", "website"),
            ("helicone-property-project", "other"),
            ("x-tollbridge-agent", "reviewer"),
            ("x-claude-code-agent-id", "a-1"),
            ("x-tollbridge-conversation", "c-1"),
            ("x-claude-code-session-id", "s-1"),
            ("x-tollbridge-tags", "project:ignored"),
        ]);
        assert_eq!(context.project.as_deref(), Some("website"));
        assert_eq!(context.agent_slug.as_deref(), Some("reviewer"));
        assert_eq!(context.conversation_id.as_deref(), Some("c-1"));
        assert_eq!(context.session_id.as_deref(), Some("s-1"));
    }

    #[test]
    fn helicone_and_litellm_names_mean_the_same() {
        let helicone = context(&[("helicone-session-id", "s-2"), ("helicone-property-project", "shop")]);
        assert_eq!((helicone.session_id.as_deref(), helicone.project.as_deref()), (Some("s-2"), Some("shop")));
        let litellm = context(&[("x-litellm-tags", "prod, Project:shop ,agent=writer,plain")]);
        assert_eq!((litellm.project.as_deref(), litellm.agent_slug.as_deref()), (Some("shop"), Some("writer")));
    }

    #[test]
    fn tags_that_fill_no_field_are_kept_once() {
        let many = (0..30).map(|index| format!("t{index}")).collect::<Vec<_>>().join(",");
        let pairs = [
            ("x-tollbridge-tags", "prod, Team = Data,project:shop,prod,:odd,"),
            ("helicone-property-feature", "search"),
            ("helicone-property-agent", "writer"),
            ("x-litellm-tags", "team:Data,plain"),
        ];
        let context = context(&pairs);
        assert_eq!(context.tags, ["prod", "team:Data", ":odd", "plain", "feature:search"]);
        assert_eq!((context.project.as_deref(), context.agent_slug.as_deref()), (Some("shop"), Some("writer")));
        let headers = HeaderMap::from_iter([("x-litellm-tags".parse().unwrap(), many.parse().unwrap())]);
        assert_eq!(from_headers(&headers).tags.len(), 20);
        let long = HeaderMap::from_iter([("x-litellm-tags".parse().unwrap(), "x:".repeat(300).parse().unwrap())]);
        assert_eq!(from_headers(&long).tags[0].chars().count(), 200);
    }

    #[test]
    fn an_agent_and_the_one_that_started_it_are_two_things() {
        let context = context(&[("x-claude-code-agent-id", "a-2"), ("x-claude-code-parent-agent-id", "a-1")]);
        assert_eq!(context.agent_slug.as_deref(), Some("a-2"));
        assert_eq!(context.tags, ["parent-agent:a-1"]);
    }

    #[test]
    fn both_forms_of_the_user_id_name_the_session() {
        let device = "0".repeat(64);
        let legacy = format!("user_{device}_account__session_7b1c6a4e-0000-4000-8000-000000000001");
        assert_eq!(session_in(&legacy).as_deref(), Some("7b1c6a4e-0000-4000-8000-000000000001"));
        let json = format!(r#"{{"device_id":"{device}","account_uuid":"","session_id":"s-3"}}"#);
        assert_eq!(session_in(&json).as_deref(), Some("s-3"));
        for other in ["customer-17", "", "{}", "a_session_b", "user_x_session_"] {
            assert_eq!(session_in(other), None, "{other}");
        }
    }

    #[test]
    fn what_no_ledger_should_keep_is_left_out() {
        assert_eq!(clean("a\tb"), None);
        assert_eq!(clean("  "), None);
        assert_eq!(clean(&"é".repeat(300)).unwrap().chars().count(), 200);
    }

    #[test]
    fn the_providers_own_headers_are_not_ours() {
        for (name, ours) in [
            ("x-claude-code-session-id", false),
            ("anthropic-beta", false),
            ("x-portkey-trace-id", true),
            ("x-api-key", false),
        ] {
            assert_eq!(is_ours(&HeaderName::from_static(name)), ours, "{name}");
        }
    }
}
