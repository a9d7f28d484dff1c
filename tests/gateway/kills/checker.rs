//! Says whether the ledger holds what happened, from the files that a run left behind: a program of its own, which knows
//! nothing of ours but the names in the API's answers and adds up tokens and costs by itself. The rules stand in `kills`.
//!
//! | file | a JSON object a line, in order |
//! |---|---|
//! | `provider.jsonl` | `received`, `started` and `ended` with the usage sent, `complete`; each with `requestId` |
//! | `clients.jsonl` | `asked`, `answered`, `started`, `whole` of a call; `reported`, `acknowledged` of an item |
//! | `server-<run>.log` | what the server of that run logged |
//! | `events.jsonl`, `report.json`, `ready.json` | what the last server answered |

mod records;
mod tests;

use self::records::{
    Call, Event, Item, Sent, Tokens, event_of, fold_clients, late_calls, lines, object, text, usage_of,
};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// Nano-dollars for a token of Sonnet 4.
const NANO_USD: Tokens = [3_000, 3_750, 300, 15_000];

/// What is there, when nothing is wrong.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    /// Calls that the provider received.
    pub received: u64,
    pub complete: u64,
    /// Interrupted, with the input that the provider charged.
    pub with_usage: u64,
    /// Interrupted before anything was known of their usage.
    pub without_usage: u64,
    /// Of those, the ones that the provider was not asked for any more.
    pub never_sent: u64,
    /// Interrupted, though the client had all of the answer when the kill came.
    pub whole: u64,
    /// Calls that went on before their start was written, and those of them that a kill has lost.
    pub late: u64,
    pub late_and_lost: u64,
    pub acknowledged: u64,
    /// Reported items that are there although the kill came before the acknowledgement.
    pub unacknowledged: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Complete,
    WithUsage,
    WithoutUsage,
}

/// # Errors
/// Everything that is wrong, a sentence each.
pub fn check(folder: &Path) -> Result<Tally, Vec<String>> {
    let (calls, items) = fold_clients(&lines(&folder.join("clients.jsonl")));
    let mut world = World { calls, items, late: late_calls(folder), ..World::default() };
    world.fold_provider(&lines(&folder.join("provider.jsonl")));
    let events: Vec<Event> = lines(&folder.join("events.jsonl")).iter().map(event_of).collect();
    world.look_for_doubles(&events);
    let endings = world.judge_events(&events);
    world.look_for_losses(&endings, &events);
    world.compare_totals(&events, &object(&folder.join("report.json")));
    world.compare_health(&object(&folder.join("ready.json")));
    if world.problems.is_empty() { Ok(world.tally) } else { Err(world.problems) }
}

#[derive(Default)]
struct World {
    calls: BTreeMap<String, Call>,
    items: BTreeMap<String, Item>,
    sent: HashMap<String, Sent>,
    /// Ids of events, by run.
    late: BTreeMap<u64, HashSet<String>>,
    tally: Tally,
    problems: Vec<String>,
}

impl World {
    fn fold_provider(&mut self, log: &[Value]) {
        let mut names = HashMap::new();
        for line in log {
            let request_id = text(line, "requestId");
            if line["is"] == "received" {
                let sent = Sent { request_id: request_id.clone(), start: None, output: None, is_complete: false };
                let name = text(line, "call");
                if self.sent.insert(name.clone(), sent).is_some() {
                    self.problems.push(format!("{name}: the provider was asked twice for one call"));
                }
                names.insert(request_id, name);
                self.tally.received += 1;
                continue;
            }
            let sent = self.sent.get_mut(&names[&request_id]).expect("it was received");
            match text(line, "is").as_str() {
                "started" => sent.start = Some(usage_of(&line["usage"])),
                "ended" => sent.output = line["usage"]["output_tokens"].as_u64(),
                _ => sent.is_complete = true,
            }
        }
    }

    fn look_for_doubles(&mut self, events: &[Event]) {
        let (mut names, mut ids, mut request_ids) = (HashSet::new(), HashSet::new(), HashSet::new());
        for event in events {
            let is_new = names.insert(&event.name)
                & ids.insert(&event.id)
                & event.request_id.as_ref().is_none_or(|request_id| request_ids.insert(request_id));
            if !is_new {
                self.problems.push(format!("{} is counted twice", event.name));
            }
        }
    }

    /// Compares each event with what was sent. Gives how the calls among them ended.
    fn judge_events(&mut self, events: &[Event]) -> HashMap<String, Ending> {
        let mut endings = HashMap::new();
        for event in events {
            let judged =
                if event.source == "gateway" { self.judge_call(event).map(Some) } else { self.judge_item(event) };
            match judged {
                Ok(Some(ending)) => {
                    endings.insert(event.name.clone(), ending);
                }
                Ok(None) => {}
                Err(problem) => self.problems.push(format!("{}: {problem}", event.name)),
            }
        }
        endings
    }

    fn judge_call(&mut self, event: &Event) -> Result<Ending, String> {
        let call = self.calls.get(&event.name).ok_or("nobody made this call")?;
        if call.event_id.as_ref().is_some_and(|id| *id != event.id) {
            return Err("the event has another id than the client was told".into());
        }
        let sent = self.sent.get(&event.name);
        if sent.is_none() && call.answered.is_some() {
            return Err("answered, but the provider was never asked".into());
        }
        let ending = ending_of(event, sent)?;
        match ending {
            Ending::Complete => self.tally.complete += 1,
            Ending::WithUsage => self.tally.with_usage += 1,
            Ending::WithoutUsage => self.tally.without_usage += 1,
        }
        self.tally.never_sent += u64::from(sent.is_none());
        self.tally.whole += u64::from(call.is_whole && ending != Ending::Complete);
        Ok(ending)
    }

    /// An item has no ending.
    fn judge_item(&mut self, event: &Event) -> Result<Option<Ending>, String> {
        let item = self.items.get(&event.name).ok_or("nobody reported this")?;
        self.tally.unacknowledged += u64::from(item.event_id.is_none());
        if item.event_id.as_ref().is_some_and(|id| *id != event.id) {
            return Err("the event has another id than was acknowledged".into());
        }
        event.is(item.tokens, "exact").map(|()| None)
    }

    /// What must be there, and how much of it must be known.
    fn look_for_losses(&mut self, endings: &HashMap<String, Ending>, events: &[Event]) {
        let names: HashSet<&str> = events.iter().map(|event| event.name.as_str()).collect();
        for (name, _) in self.items.iter().filter(|(_, item)| item.event_id.is_some()) {
            self.tally.acknowledged += 1;
            if !names.contains(name.as_str()) {
                self.problems.push(format!("{name} was acknowledged and is lost"));
            }
        }
        let written = written_until(&self.calls, endings);
        let mut absent: BTreeMap<u64, Vec<&str>> = BTreeMap::new();
        for (name, call) in &self.calls {
            let is_written = |place: Option<usize>| place.is_some_and(|place| Some(&place) < written.get(&call.run));
            match endings.get(name) {
                Some(Ending::WithUsage | Ending::WithoutUsage) if is_written(call.over) => {
                    self.problems.push(format!("{name}: its end is lost"));
                }
                Some(Ending::WithoutUsage) if is_written(call.started) => {
                    self.problems.push(format!("{name}: its usage is lost"));
                }
                None if is_written(call.answered) => self.problems.push(format!("{name} is lost")),
                None if self.sent.contains_key(name) => absent.entry(call.run).or_default().push(name),
                _ => {}
            }
        }
        self.tally.late = self.late.values().map(|ids| ids.len() as u64).sum();
        let known: HashSet<&String> = events.iter().map(|event| &event.id).collect();
        for (run, names) in absent {
            let mut late = self.late.get(&run).cloned().unwrap_or_default();
            late.retain(|id| !known.contains(id));
            self.tally.late_and_lost += names.len() as u64;
            let (told, untold): (Vec<&str>, Vec<&str>) =
                names.into_iter().partition(|name| self.calls[*name].event_id.is_some());
            let lost = told.into_iter().filter(|name| !late.remove(self.calls[*name].event_id.as_ref().unwrap()));
            self.problems.extend(lost.map(|name| format!("{name} is lost")).collect::<Vec<_>>());
            // Which of the late ones they were, nobody was told.
            if untold.len() > late.len() {
                self.problems.push(format!("lost, with {} late: {}", late.len(), untold.join(", ")));
            }
        }
    }

    fn compare_totals(&mut self, events: &[Event], report: &Value) {
        let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count() as u64;
        let bucket = |index: usize| events.iter().map(|event| event.tokens[index]).sum::<u64>();
        let summary = &report["summary"];
        let tokens = &summary["tokens"];
        for (what, is, expected) in [
            ("calls", &summary["totalCalls"], events.len() as u64),
            ("failed calls", &summary["failedCalls"], count(|event| !event.is_success)),
            ("estimated calls", &summary["estimatedCalls"], count(|event| event.pricing_state == "estimated")),
            ("nano-dollars", &summary["totalCostNanoUsd"], events.iter().filter_map(|event| event.cost_nano_usd).sum()),
            ("input", &tokens["input"], bucket(0)),
            ("written to the cache", &tokens["cacheWrite5m"], bucket(1)),
            ("read from the cache", &tokens["cacheRead"], bucket(2)),
            ("output", &tokens["output"], bucket(3)),
        ] {
            if is.as_u64() != Some(expected) {
                self.problems.push(format!("the report says {is} {what}, the events add up to {expected}"));
            }
        }
    }

    fn compare_health(&mut self, ready: &Value) {
        let lost = ready["recorder"]["lost"].as_object().expect("/readyz tells what is lost");
        for (reason, calls) in lost.iter().filter(|(_, calls)| **calls != 0) {
            self.problems.push(format!("/readyz says that {calls} calls are lost: {reason}"));
        }
    }
}

impl Event {
    fn is(&self, tokens: Tokens, pricing_state: &str) -> Result<(), String> {
        let cost = (pricing_state != "no_usage").then(|| cost_of(tokens));
        let found = (self.tokens, self.pricing_state.as_str(), self.cost_nano_usd);
        let expected = (tokens, pricing_state, cost);
        if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
    }
}

fn ending_of(event: &Event, sent: Option<&Sent>) -> Result<Ending, String> {
    let is_of_request = |sent: &&Sent| event.request_id.as_ref() == Some(&sent.request_id);
    if event.is_success {
        let sent = sent.filter(|sent| sent.is_complete).ok_or("complete, but the provider did not send all of it")?;
        let [input, written, read, _] = sent.start.ok_or("complete without a start")?;
        Some(sent).filter(is_of_request).ok_or("another request id")?;
        event.is([input, written, read, sent.output.ok_or("complete without an end")?], "exact")?;
        return Ok(Ending::Complete);
    }
    if event.error.as_deref() != Some("interrupted") {
        return Err(format!("failed as {:?}", event.error));
    }
    if event.request_id.is_none() {
        event.is([0; 4], "no_usage")?;
        return Ok(Ending::WithoutUsage);
    }
    let sent = sent.filter(is_of_request).ok_or("another request id")?;
    event.is(sent.start.ok_or("has a usage that the provider did not send")?, "estimated")?;
    Ok(Ending::WithUsage)
}

/// By run, the last call that is in the ledger. What the server was told before that call was asked for is on disk too.
fn written_until(calls: &BTreeMap<String, Call>, endings: &HashMap<String, Ending>) -> HashMap<u64, usize> {
    let mut written = HashMap::new();
    for call in calls.iter().filter(|(name, _)| endings.contains_key(*name)).map(|(_, call)| call) {
        let until = written.entry(call.run).or_insert(call.asked);
        *until = call.asked.max(*until);
    }
    written
}

fn cost_of(tokens: Tokens) -> u64 {
    tokens.iter().zip(NANO_USD).map(|(count, rate)| count * rate).sum()
}
