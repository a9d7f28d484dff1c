//! What must be in the ledger, folded from the killed process's own log.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use tollbridge::domain::usage::{Source, UsageEvent};

#[derive(Default)]
pub struct Expected {
    /// Calls whose start was written before they went on.
    started: HashSet<String>,
    /// Calls that went on without: they may be lost in a crash, and are counted.
    late: HashSet<String>,
    /// Input and output of calls that came to their end, written or not.
    ended: HashMap<String, (u64, u64)>,
    /// Reported calls that were acknowledged.
    acknowledged: HashMap<String, (u64, u64)>,
}

impl Expected {
    pub fn read(log: &Path) -> Self {
        let mut expected = Self::default();
        for line in std::fs::read_to_string(log).unwrap().lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let counts = || (words[2].parse().unwrap(), words[3].parse().unwrap());
            let id = words[1].to_owned();
            match words[0] {
                "started" => drop(expected.started.insert(id)),
                "late" => drop(expected.late.insert(id)),
                "ended" => drop(expected.ended.insert(id, counts())),
                "acknowledged" => drop(expected.acknowledged.insert(id, counts())),
                _ => {}
            }
        }
        expected
    }

    pub fn ended(&self) -> u64 {
        self.ended.len() as u64
    }

    /// Every started and every acknowledged call is there once, with its own counts; there is nothing else.
    pub fn compare(&self, events: &[UsageEvent]) {
        let mut seen = HashSet::new();
        for event in events {
            let call = event.record.dedup_key.trim_start_matches("req_").trim_start_matches("call:").to_owned();
            let tokens = (event.record.tokens.input, event.record.tokens.output);
            assert!(seen.insert(call.clone()), "{call} is there twice");
            match event.record.source {
                Source::Gateway => {
                    assert_eq!(event.id, call, "the event has the call's id");
                    self.compare_call(&call, tokens, event);
                }
                _ => {
                    // One that was killed before its acknowledgement may be there or not.
                    let acknowledged = self.acknowledged.get(&call);
                    assert!(acknowledged.is_none_or(|counts| *counts == tokens), "{call}: {tokens:?}");
                }
            }
        }
        let must_be_there = self.started.iter().chain(self.acknowledged.keys());
        let lost: Vec<&String> = must_be_there.filter(|call| !seen.contains(*call)).collect();
        assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
    }

    fn compare_call(&self, call: &str, tokens: (u64, u64), event: &UsageEvent) {
        if event.record.outcome.success {
            assert_eq!(Some(&tokens), self.ended.get(call), "{call} has the counts of its end");
            return;
        }
        assert_eq!(event.record.outcome.error_message.as_deref(), Some("interrupted"), "{call}");
        // Its usage so far, or none at all.
        assert!(tokens.1 <= 1 && event.record.is_estimated == event.record.has_usage, "{call}: {:?}", event.record);
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (started, late) = (self.started.len(), self.late.len());
        write!(
            f,
            "{started} started, {late} late, {} ended, {} acknowledged",
            self.ended.len(),
            self.acknowledged.len()
        )
    }
}
