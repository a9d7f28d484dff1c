//! The files of a run, line by line.

use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

const LATE: &str = "a call goes on before its start is written";

/// Input, written to the cache, read from it, output.
pub type Tokens = [u64; 4];

/// A call, as its client saw it. Places are lines of the clients' log.
#[derive(Debug, Default)]
pub struct Call {
    pub run: u64,
    pub asked: usize,
    /// The call before it on the same connection.
    pub before: Option<String>,
    pub answered: Option<usize>,
    pub event_id: Option<String>,
    pub started: Option<usize>,
    /// All of the answer came.
    pub is_whole: bool,
    /// By then the server knew that it was over.
    pub over: Option<usize>,
}

/// What the provider sent of a call.
#[derive(Debug)]
pub struct Sent {
    pub request_id: String,
    pub start: Option<Tokens>,
    pub output: Option<u64>,
    pub is_complete: bool,
}

/// A usage that a client reported.
#[derive(Debug)]
pub struct Item {
    pub tokens: Tokens,
    pub event_id: Option<String>,
}

#[derive(Debug)]
pub struct Event {
    pub id: String,
    pub source: String,
    /// What the client called it.
    pub name: String,
    pub request_id: Option<String>,
    pub is_success: bool,
    pub error: Option<String>,
    pub tokens: Tokens,
    pub cost_nano_usd: Option<u64>,
    pub pricing_state: String,
}

pub fn fold_clients(log: &[Value]) -> (BTreeMap<String, Call>, BTreeMap<String, Item>) {
    let (mut calls, mut items) = (BTreeMap::<String, Call>::new(), BTreeMap::<String, Item>::new());
    let mut last_of_connection: HashMap<String, String> = HashMap::new();
    for (place, line) in log.iter().enumerate() {
        let (is, name) = (text(line, "is"), text(line, "name"));
        match is.as_str() {
            "asked" => {
                let before = last_of_connection.insert(text(line, "connection"), name.clone());
                let run = line["run"].as_u64().expect("a call has its run");
                calls.insert(name, Call { run, asked: place, before, ..Call::default() });
            }
            "reported" => drop(items.insert(name, Item { tokens: usage_of(&line["usage"]), event_id: None })),
            "acknowledged" => items.get_mut(&name).expect("reported").event_id = Some(text(line, "eventId")),
            _ => {
                let call = calls.get_mut(&name).expect("asked");
                match is.as_str() {
                    "answered" => {
                        call.answered = Some(place);
                        call.event_id = Some(text(line, "eventId"));
                        // A connection has dealt with one call before it answers the next.
                        if let Some(before) = call.before.clone() {
                            calls.get_mut(&before).expect("asked").over = Some(place);
                        }
                    }
                    "started" => call.started = Some(place),
                    _ => call.is_whole = true,
                }
            }
        }
    }
    (calls, items)
}

pub fn late_calls(folder: &Path) -> BTreeMap<u64, HashSet<String>> {
    let mut late = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let run = name.strip_prefix("server-").and_then(|rest| rest.strip_suffix(".log"));
        if let Some(run) = run {
            let of_run = lines(&path).into_iter().filter(|line| line["fields"]["message"] == LATE);
            let ids = of_run.map(|line| text(&line["fields"], "call_id")).collect();
            late.insert(run.parse().expect("a run has a number"), ids);
        }
    }
    late
}

pub fn event_of(line: &Value) -> Event {
    let count = |bucket: &str| line["tokens"][bucket].as_u64().unwrap_or_else(|| panic!("no {bucket} in {line}"));
    assert_eq!(count("cacheWrite1h") + count("thinking"), 0, "nobody sent any: {line}");
    let optional = |name: &str| line[name].as_str().map(str::to_owned);
    Event {
        id: text(line, "id"),
        source: text(line, "source"),
        name: text(line, "conversationId"),
        request_id: optional("requestId"),
        is_success: line["success"].as_bool().expect("an event says whether it succeeded"),
        error: optional("errorMessage"),
        tokens: [count("input"), count("cacheWrite5m"), count("cacheRead"), count("output")],
        cost_nano_usd: line["costNanoUsd"].as_u64(),
        pricing_state: text(line, "pricingState"),
    }
}

pub fn usage_of(usage: &Value) -> Tokens {
    ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"]
        .map(|name| usage[name].as_u64().unwrap_or(0))
}

pub fn text(line: &Value, name: &str) -> String {
    line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned()
}

/// A line that a kill has cut off is none.
pub fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

pub fn object(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
