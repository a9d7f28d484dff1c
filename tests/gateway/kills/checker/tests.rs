//! The checker finds what it is there for.

use super::{Tally, check};
use serde_json::{Value, json};

/// What a run left behind.
struct Story {
    provider: Vec<Value>,
    clients: Vec<Value>,
    server: Vec<Value>,
    events: Vec<Value>,
    report: Value,
    ready: Value,
}

#[test]
fn a_true_story_is_believed() {
    let tally =
        Tally { received: 3, complete: 1, with_usage: 1, without_usage: 1, acknowledged: 1, ..Tally::default() };
    assert_eq!(true_story().judge(), Ok(tally));
}

#[test]
fn a_late_call_may_be_lost_and_is_counted() {
    let mut story = true_story();
    story.events.remove(2);
    story.server.push(late("e3"));
    story.report["summary"]["totalCalls"] = 3.into();
    story.report["summary"]["failedCalls"] = 1.into();
    let tally = story.judge().unwrap();
    assert_eq!((tally.late, tally.late_and_lost), (1, 1));
}

#[test]
fn a_late_call_that_is_there_excuses_no_other() {
    let mut story = true_story();
    story.events.remove(2);
    story.server.push(late("e1"));
    story.expect("lost, with 0 late: c3");
}

#[test]
fn a_call_that_is_not_there_is_lost() {
    let mut story = true_story();
    story.events.remove(2);
    story.expect("lost, with 0 late: c3");
    let mut story = true_story();
    story.events.remove(0);
    // What happened after it is there, so that it was late is no excuse.
    story.server.push(late("e1"));
    story.expect("c1 is lost");
}

#[test]
fn a_call_or_a_request_that_is_there_twice_is_found() {
    let mut story = true_story();
    story.events.push(story.events[0].clone());
    story.expect("c1 is counted twice");
    let mut story = true_story();
    story.events.push(event("c4", "gateway", Some("req_1"), [100, 7, 50], "exact"));
    story.expect("c4 is counted twice");
    let mut story = true_story();
    story.provider.push(json!({ "is": "received", "call": "c1", "requestId": "req_9" }));
    story.expect("c1: the provider was asked twice for one call");
}

#[test]
fn what_was_told_before_something_that_is_there_must_be_there_too() {
    let mut story = true_story();
    story.events[0] = event("c1", "gateway", Some("req_1"), [100, 7, 1], "estimated");
    story.expect("c1: its end is lost");
    let mut story = true_story();
    story.events[1] = event("c2", "gateway", None, [0; 3], "no_usage");
    story.expect("c2: its usage is lost");
}

#[test]
fn other_tokens_costs_and_ids_than_those_sent_are_found() {
    for (of_call, event, problem) in [
        (0, event("c1", "gateway", Some("req_1"), [100, 7, 51], "exact"), "c1: ("),
        (0, event("c1", "gateway", Some("req_1"), [100, 7, 50], "estimated"), "c1: failed as"),
        (0, event("c1", "gateway", Some("req_2"), [100, 7, 50], "exact"), "c1: another request id"),
        (1, event("c2", "gateway", Some("req_2"), [200, 7, 2], "estimated"), "c2: ("),
        (1, event("c2", "gateway", Some("req_2"), [200, 7, 50], "exact"), "c2: complete, but the provider did not"),
        (
            2,
            event("c3", "gateway", Some("req_3"), [300, 7, 1], "estimated"),
            "c3: has a usage that the provider did not",
        ),
        (2, event("c9", "gateway", None, [0; 3], "no_usage"), "c9: nobody made this call"),
        (3, event("r", "api", None, [10, 0, 3], "exact"), "r: ("),
        (3, event("s", "api", None, [10, 0, 2], "exact"), "s: nobody reported this"),
    ] {
        let mut story = true_story();
        story.events[of_call] = event;
        if problem == "c1: failed as" {
            story.events[0]["errorMessage"] = "upstream_broke_off".into();
        }
        story.expect(problem);
    }
    for (of_call, field, other) in
        [(0, "id", json!("e9")), (3, "id", json!("e9")), (0, "costNanoUsd", json!(1_052_101))]
    {
        let mut story = true_story();
        story.events[of_call][field] = other;
        story.expect(&format!("{}: ", story.events[of_call]["conversationId"].as_str().unwrap()));
    }
}

#[test]
fn an_acknowledged_report_that_is_not_there_is_lost() {
    let mut story = true_story();
    story.events.remove(3);
    story.expect("r was acknowledged and is lost");
}

#[test]
fn totals_that_differ_and_losses_that_are_told_are_found() {
    for field in ["totalCalls", "failedCalls", "estimatedCalls", "totalCostNanoUsd"] {
        let mut story = true_story();
        story.report["summary"][field] = 9.into();
        story.expect("the report says 9 ");
    }
    for bucket in ["input", "cacheWrite5m", "cacheRead", "output"] {
        let mut story = true_story();
        story.report["summary"]["tokens"][bucket] = 9.into();
        story.expect("the report says 9 ");
    }
    let mut story = true_story();
    story.ready["recorder"]["lost"]["spoolFull"] = 1.into();
    story.expect("/readyz says that 1 calls are lost: spoolFull");
}

impl Story {
    fn judge(&self) -> Result<Tally, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, lines) in [
            ("provider.jsonl", &self.provider),
            ("clients.jsonl", &self.clients),
            ("server-1.log", &self.server),
            ("events.jsonl", &self.events),
            ("report.json", &vec![self.report.clone()]),
            ("ready.json", &vec![self.ready.clone()]),
        ] {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        check(folder.path())
    }

    fn expect(&self, problem: &str) {
        let problems = self.judge().expect_err(problem);
        assert!(problems.iter().any(|found| found.starts_with(problem)), "{problem}: {problems:#?}");
    }
}

/// Call 1 came to its end. Then a kill met call 2, on the same connection, in its stream, and call 3 before its answer.
fn true_story() -> Story {
    let sent = |is: &str, call: u64, usage: Value| json!({ "is": is, "call": format!("c{call}"), "requestId": format!("req_{call}"), "usage": usage });
    let start = |call: u64| json!({ "input_tokens": 100 * call, "cache_read_input_tokens": 7, "output_tokens": 1, "else": "x" });
    let seen = |is: &str, call: u64, connection: &str| json!({ "is": is, "name": format!("c{call}"), "run": 1, "connection": connection, "eventId": format!("e{call}") });
    let reported = |is: &str| json!({ "is": is, "name": "r", "usage": { "input_tokens": 10, "output_tokens": 2 }, "eventId": "er" });
    Story {
        provider: vec![
            sent("received", 1, Value::Null),
            sent("started", 1, start(1)),
            sent("ended", 1, json!({ "output_tokens": 50 })),
            sent("complete", 1, Value::Null),
            sent("received", 2, Value::Null),
            sent("started", 2, start(2)),
            sent("received", 3, Value::Null),
        ],
        clients: vec![
            seen("asked", 1, "a"),
            seen("answered", 1, "a"),
            reported("reported"),
            seen("started", 1, "a"),
            seen("whole", 1, "a"),
            seen("asked", 2, "a"),
            seen("answered", 2, "a"),
            seen("started", 2, "a"),
            seen("asked", 3, "b"),
            reported("acknowledged"),
        ],
        server: vec![json!({ "fields": { "message": "something else" } })],
        events: vec![
            event("c1", "gateway", Some("req_1"), [100, 7, 50], "exact"),
            event("c2", "gateway", Some("req_2"), [200, 7, 1], "estimated"),
            event("c3", "gateway", None, [0; 3], "no_usage"),
            event("r", "api", None, [10, 0, 2], "exact"),
        ],
        // 310 × 3,000 + 14 × 300 + 53 × 15,000 nano-dollars.
        report: json!({ "summary": { "totalCalls": 4, "failedCalls": 2, "estimatedCalls": 1, "totalCostNanoUsd": 1_729_200,
            "tokens": { "input": 310, "cacheWrite5m": 0, "cacheRead": 14, "output": 53 } } }),
        ready: json!({ "recorder": { "lost": { "spoolFull": 0, "rejected": 0 } } }),
    }
}

/// Of input, read from the cache, and output.
fn event(name: &str, source: &str, request_id: Option<&str>, tokens: [u64; 3], state: &str) -> Value {
    let [input, read, output] = tokens;
    let cost = (state != "no_usage").then(|| 3_000 * input + 300 * read + 15_000 * output);
    let is_success = state == "exact";
    json!({
        "id": format!("e{}", name.trim_start_matches('c')), "source": source, "conversationId": name, "requestId": request_id,
        "success": is_success, "errorMessage": if is_success { None } else { Some("interrupted") },
        "tokens": { "input": input, "cacheWrite5m": 0, "cacheWrite1h": 0, "cacheRead": read, "output": output, "thinking": 0 },
        "costNanoUsd": cost, "pricingState": state,
    })
}

fn late(call_id: &str) -> Value {
    json!({ "fields": { "message": "a call goes on before its start is written", "call_id": call_id } })
}
