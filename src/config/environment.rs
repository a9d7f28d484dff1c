//! How the environment overrides the file: `TOLLBRIDGE_<TABLE>__<KEY>` is a setting, and `DATABASE_URL` the ledger's address.

use super::{ConfigError, Settings};

const PREFIX: &str = "TOLLBRIDGE_";

/// Puts one environment variable into the tables. Variables that are not ours are left alone, and so are ours without
/// a table, such as `TOLLBRIDGE_CONFIG`.
pub(super) fn overlay(tables: &mut toml::Table, name: &str, value: String) -> Result<(), ConfigError> {
    if name == "DATABASE_URL" {
        set(tables, "database", "url", toml::Value::String(value));
        return Ok(());
    }
    let Some((table, key)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")) else {
        return Ok(());
    };
    let (table, key) = (table.to_ascii_lowercase(), key.to_ascii_lowercase());
    // DATABASE_URL is the older and wider-known name: it wins in whatever order the two come.
    if (table.as_str(), key.as_str()) == ("database", "url") && std::env::var_os("DATABASE_URL").is_some() {
        return Ok(());
    }
    let reference = toml::Table::try_from(Settings::default()).unwrap_or_default();
    let default = reference.get(&table).and_then(|found| found.get(&key));
    let problem = |message: &str| ConfigError::Environment { name: name.to_owned(), message: message.into() };
    let parsed = match default {
        Some(toml::Value::String(_)) => toml::Value::String(value),
        Some(toml::Value::Integer(_)) => {
            toml::Value::Integer(value.trim().parse().map_err(|_| problem("it must be a whole number"))?)
        }
        Some(toml::Value::Boolean(_)) => {
            toml::Value::Boolean(value.trim().parse().map_err(|_| problem("it must be true or false"))?)
        }
        Some(_) => return Err(problem("it can only be set in the file")),
        None => return Err(problem("see Leptos.toml for all of them")),
    };
    set(tables, &table, &key, parsed);
    Ok(())
}

fn set(tables: &mut toml::Table, table: &str, key: &str, value: toml::Value) {
    let entry = tables.entry(table).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let Some(found) = entry.as_table_mut() {
        found.insert(key.to_owned(), value);
    }
}
