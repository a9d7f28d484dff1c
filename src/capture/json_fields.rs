//! The fields of a JSON object that a program sends us, each as what it has to be, or an error that names it. Which fields there
//! are is the business of what reads them.

use crate::domain::period::DAY_MS;
use chrono::DateTime;
use serde_json::{Map, Value};

/// 2020-01-01T00:00:00Z: before it nobody billed tokens, so an earlier time is a mistake (seconds for milliseconds).
const EARLIEST_MS: i64 = 1_577_836_800_000;

/// What is wrong with an object, and in which field of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

/// The object's fields, if it has no others than `known`.
pub fn object_with<'a>(value: &'a Value, known: &[&str]) -> Result<&'a Map<String, Value>, FieldError> {
    let Value::Object(fields) = value else {
        return Err(wrong("", "must be an object"));
    };
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(unknown) => {
            let shown: String = unknown.chars().take(60).collect();
            Err(wrong(shown, format!("is not a known field; known are {}", known.join(", "))))
        }
        None => Ok(fields),
    }
}

/// A point in time, as RFC 3339 text or UTC milliseconds: from 2020 to a day from now.
pub fn instant(fields: &Map<String, Value>, field: &str, now_ms: i64) -> Result<Option<i64>, FieldError> {
    let at_ms = match given(fields, field) {
        None => return Ok(None),
        Some(Value::String(text)) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis()),
        Some(value) => value.as_i64(),
    };
    let at_ms =
        at_ms.ok_or_else(|| wrong(field, "must be a time such as 2026-11-24T09:30:00Z, or UTC milliseconds"))?;
    if at_ms < EARLIEST_MS {
        return Err(wrong(field, "is before 2020; are these seconds instead of milliseconds?"));
    }
    if at_ms > now_ms.saturating_add(DAY_MS) {
        return Err(wrong(field, "is more than a day in the future"));
    }
    Ok(Some(at_ms))
}

/// A list of up to `max` names.
pub(super) fn names(
    fields: &Map<String, Value>,
    field: &str,
    max: usize,
    max_chars: usize,
) -> Result<Vec<String>, FieldError> {
    let names = match given(fields, field) {
        None => return Ok(Vec::new()),
        Some(Value::Array(names)) if names.len() <= max => names,
        Some(_) => return Err(wrong(field, format!("must be an array of at most {max} names"))),
    };
    let checked =
        names.iter().enumerate().map(|(index, name)| checked_name(&format!("{field}[{index}]"), name, max_chars));
    checked.collect()
}

/// A field's value; JSON's null is as good as absent.
pub(super) fn given<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}

/// A printable name or id.
pub(super) fn name(fields: &Map<String, Value>, field: &str, max_chars: usize) -> Result<Option<String>, FieldError> {
    given(fields, field).map(|value| checked_name(field, value, max_chars)).transpose()
}

fn checked_name(field: &str, value: &Value, max_chars: usize) -> Result<String, FieldError> {
    match checked_text(field, value, max_chars)? {
        text if text.trim().is_empty() => Err(wrong(field, "is empty")),
        text if text.chars().any(char::is_control) => Err(wrong(field, "has control characters in it")),
        text => Ok(text),
    }
}

/// Any text.
pub(super) fn text(fields: &Map<String, Value>, field: &str, max_chars: usize) -> Result<Option<String>, FieldError> {
    given(fields, field).map(|value| checked_text(field, value, max_chars)).transpose()
}

fn checked_text(field: &str, value: &Value, max_chars: usize) -> Result<String, FieldError> {
    let text = value.as_str().ok_or_else(|| wrong(field, "must be text"))?;
    if text.chars().nth(max_chars).is_some() {
        return Err(wrong(field, format!("may have at most {max_chars} characters")));
    }
    // PostgreSQL cannot store it.
    if text.contains('\0') {
        return Err(wrong(field, "has a NUL character in it"));
    }
    Ok(text.to_owned())
}

/// A whole number up to `max`.
pub(super) fn whole(fields: &Map<String, Value>, field: &str, max: u64) -> Result<Option<u64>, FieldError> {
    let Some(value) = given(fields, field) else { return Ok(None) };
    match value.as_u64() {
        Some(number) if number <= max => Ok(Some(number)),
        _ => Err(wrong(field, format!("must be a whole number from 0 to {max}"))),
    }
}

pub(super) fn flag(fields: &Map<String, Value>, field: &str) -> Result<Option<bool>, FieldError> {
    given(fields, field).map(|value| value.as_bool().ok_or_else(|| wrong(field, "must be true or false"))).transpose()
}

pub(super) fn wrong(field: impl Into<String>, message: impl Into<String>) -> FieldError {
    FieldError { field: field.into(), message: message.into() }
}
