//! Reading counts out of a usage object: absent and `null` are no count, anything but a sensible whole number is an error
//! that names the field.

use crate::domain::tokens::MAX_TOKENS;
use serde_json::Value;

/// Tiers, regions, models and types of errors are names; none is so long.
const MAX_NAME_BYTES: usize = 200;

/// A field of a usage object that cannot be what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The path from the object that holds the usage: `usage.cache_creation.ephemeral_1h_input_tokens`.
    pub field: String,
    pub problem: FieldProblem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    #[error("{0} is negative")]
    Negative(String),
    #[error("{0} is not a whole number")]
    NotWhole(String),
    #[error("{0} is more than any call can have")]
    TooLarge(String),
    #[error("expected an object")]
    NotObject,
}

/// An object of the usage with its path, for errors.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    object: Option<&'a serde_json::Map<String, Value>>,
    path: Path<'a>,
}

#[derive(Clone, Copy)]
enum Path<'a> {
    Root(&'a str),
    Under(&'a str, &'a str),
    Item(&'a str, &'a str, usize),
}

impl<'a> Fields<'a> {
    /// The usage object itself; `null` reads as empty.
    pub fn root(value: &'a Value, name: &'a str) -> Result<Self, FieldError> {
        Self::of(value, Path::Root(name))
    }

    /// A nested object; absent and `null` read as empty.
    pub fn object(&self, name: &'a str) -> Result<Self, FieldError> {
        Self::of(self.value(name).unwrap_or(&Value::Null), Path::Under(self.path.root(), name))
    }

    /// The objects of a nested list; anything but a list reads as an empty one.
    pub fn items(&self, name: &'a str) -> impl Iterator<Item = Result<Self, FieldError>> + use<'a> {
        let root = self.path.root();
        let list = self.value(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().enumerate().map(move |(index, item)| Self::of(item, Path::Item(root, name, index)))
    }

    /// A count; `None` where it is absent or `null`.
    pub fn count(&self, name: &str) -> Result<Option<u64>, FieldError> {
        let Some(value) = self.value(name).filter(|value| !value.is_null()) else { return Ok(None) };
        read_count(value).map(Some).map_err(|problem| FieldError { field: self.path.to(name), problem })
    }

    /// A count, 0 where it is absent or `null`.
    pub fn count_or_zero(&self, name: &str) -> Result<u64, FieldError> {
        Ok(self.count(name)?.unwrap_or(0))
    }

    /// A name; `None` where it is absent or no name.
    pub fn name(&self, field: &str) -> Option<&'a str> {
        self.value(field).and_then(Value::as_str).filter(|text| is_name(text))
    }

    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.value(name).is_some_and(|value| !value.is_null()))
    }

    fn of(value: &'a Value, path: Path<'a>) -> Result<Self, FieldError> {
        match value {
            Value::Null => Ok(Self { object: None, path }),
            Value::Object(object) => Ok(Self { object: Some(object), path }),
            _ => Err(FieldError { field: path.shown(), problem: FieldProblem::NotObject }),
        }
    }

    fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.and_then(|object| object.get(name))
    }
}

impl<'a> Path<'a> {
    fn root(self) -> &'a str {
        match self {
            Self::Root(root) | Self::Under(root, _) | Self::Item(root, _, _) => root,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::Root(root) => root.into(),
            Self::Under(root, name) => format!("{root}.{name}"),
            Self::Item(root, name, index) => format!("{root}.{name}[{index}]"),
        }
    }

    fn to(self, name: &str) -> String {
        format!("{}.{name}", self.shown())
    }
}

/// Whether a text of a provider can be kept as a name: printable, not empty, not endless.
pub(super) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn read_count(value: &Value) -> Result<u64, FieldProblem> {
    let shown = || value.to_string();
    let Some(number) = value.as_number() else { return Err(FieldProblem::NotWhole(kind_of(value).into())) };
    // Some clients write whole numbers as floats: 12.0.
    let whole =
        number.as_i128().or_else(|| number.as_f64().filter(|float| float.fract() == 0.0).map(|float| float as i128));
    let whole = whole.ok_or_else(|| FieldProblem::NotWhole(shown()))?;
    if whole < 0 {
        return Err(FieldProblem::Negative(shown()));
    }
    u64::try_from(whole).ok().filter(|count| *count <= MAX_TOKENS).ok_or_else(|| FieldProblem::TooLarge(shown()))
}

/// What a value is, but not what it says: a text in the wrong place may be part of a conversation.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
