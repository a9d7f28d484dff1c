//! The events of a stream, and the message in them, as far as they are read. Fields that nobody needs are skipped where they
//! stand, and no text is kept.

use crate::capture::provider::tool_names::{ContentBlock, ToolNames};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// What the other fields depend on, where the event's name does not tell.
#[derive(Deserialize)]
pub struct TypeField<'a> {
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
}

#[derive(Deserialize)]
pub struct MessageStart {
    pub message: Message,
}

#[derive(Deserialize)]
pub struct Message {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub id: Option<String>,
    pub model: Option<String>,
    pub stop_reason: Option<String>,
    #[serde(default)]
    pub content: ToolNames,
    #[serde(default)]
    pub usage: Value,
}

#[derive(Deserialize)]
pub struct MessageDelta {
    pub delta: Option<Stop>,
    #[serde(default)]
    pub usage: Value,
}

#[derive(Deserialize)]
pub struct Stop {
    /// Of any kind: what it is must not keep the usage beside it from being read.
    #[serde(default)]
    pub stop_reason: Value,
}

#[derive(Deserialize)]
pub struct BlockStart {
    pub content_block: ContentBlock,
}

#[derive(Deserialize)]
pub struct ContentDelta {
    pub delta: Delta,
}

#[derive(Deserialize)]
pub struct Delta {
    text: Option<Chars>,
    thinking: Option<Chars>,
    partial_json: Option<Chars>,
}

/// How many characters a text has.
#[derive(Clone, Copy)]
struct Chars(u64);

#[derive(Deserialize)]
pub struct StreamError {
    pub error: ErrorKind,
}

#[derive(Deserialize)]
pub struct ErrorKind {
    #[serde(rename = "type")]
    pub kind: String,
}

impl Delta {
    /// How many characters were written.
    pub fn chars(&self) -> u64 {
        [self.text, self.thinking, self.partial_json].into_iter().flatten().map(|Chars(count)| count).sum()
    }
}

impl<'de> Deserialize<'de> for Chars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(CharsVisitor)
    }
}

struct CharsVisitor;

impl Visitor<'_> for CharsVisitor {
    type Value = Chars;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Chars, E> {
        Ok(Chars(text.chars().count() as u64))
    }
}
