//! The names of the tools that a message calls, read without keeping any text of it.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

const MAX_TOOLS: usize = 64;
/// A longer name is not a name.
const MAX_NAME_BYTES: usize = 512;

/// The tools that a message's content blocks call, each once; texts are skipped while parsing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolNames(pub Vec<String>);

/// A content block, but for its content.
#[derive(Deserialize)]
pub struct ContentBlock {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub name: Option<String>,
}

impl ToolNames {
    /// Takes in a content block by its type and name; only tool calls count.
    pub fn add(&mut self, kind: Option<&str>, name: Option<&str>) {
        let is_tool = kind.is_some_and(|kind| kind.ends_with("tool_use"));
        let name = name.filter(|name| is_tool && name.len() <= MAX_NAME_BYTES && self.0.len() < MAX_TOOLS);
        if let Some(name) = name.filter(|name| !self.0.iter().any(|known| known == name)) {
            self.0.push(name.to_owned());
        }
    }
}

impl<'de> Deserialize<'de> for ToolNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ToolNamesVisitor)
    }
}

struct ToolNamesVisitor;

impl<'de> Visitor<'de> for ToolNamesVisitor {
    type Value = ToolNames;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("message content")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut blocks: A) -> Result<ToolNames, A::Error> {
        let mut names = ToolNames::default();
        while let Some(block) = blocks.next_element::<ContentBlock>()? {
            names.add(block.kind.as_deref(), block.name.as_deref());
        }
        Ok(names)
    }

    // Content that is a plain text, or nothing at all, calls no tool.
    fn visit_str<E>(self, _text: &str) -> Result<ToolNames, E> {
        Ok(ToolNames::default())
    }

    fn visit_unit<E>(self) -> Result<ToolNames, E> {
        Ok(ToolNames::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ToolNames, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(ToolNames::default())
    }
}
