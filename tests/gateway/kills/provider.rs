//! A provider that outlives the killed server. Each answer has a request id and counts of its own, comes in several events
//! with pauses between them, and stands in the provider's log as far as it was sent.

use super::super::answers::EVENTS;
use super::super::fake_provider::{FakeProvider, Seen, Step, chunk, end_of_chunks, stream_head};
use super::Dice;
use serde_json::{Value, json};
use std::sync::Mutex;

pub async fn start(dice: Dice) -> FakeProvider {
    let dice = Mutex::new(dice);
    FakeProvider::behaving(move |seen| script(seen, &mut dice.lock().unwrap())).await
}

fn script(seen: &Seen, dice: &mut Dice) -> Vec<Step> {
    let request_id = format!("req_{:016x}", dice.below(u64::MAX));
    let note =
        |is: &str, usage: Option<Value>| Step::Note(json!({ "is": is, "requestId": request_id, "usage": usage }));
    let start = json!({
        "input_tokens": 1 + dice.below(20_000), "cache_creation_input_tokens": dice.below(3_000),
        "cache_read_input_tokens": dice.below(5_000), "output_tokens": 1 + dice.below(8),
    });
    let end = json!({ "output_tokens": 10 + dice.below(4_000) });
    let message = json!({
        "id": format!("msg_{request_id}"), "type": "message", "role": "assistant", "model": "claude-sonnet-4-20250514",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": start,
    });
    let call = seen.header("x-call")[0];
    let mut steps = vec![
        Step::Note(json!({ "is": "received", "requestId": request_id, "call": call })),
        wait(dice, 20),
        stream_head(&[("request-id", &request_id)]),
        event("message_start", &json!({ "type": "message_start", "message": message })),
        note("started", Some(start)),
        chunk(EVENTS[1]),
    ];
    for _ in 0..2 + dice.below(4) {
        steps.extend([wait(dice, 30), chunk(EVENTS[3])]);
    }
    steps.push(chunk(EVENTS[5]));
    let delta = json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": end });
    steps.extend([wait(dice, 10), event("message_delta", &delta), note("ended", Some(end)), wait(dice, 5)]);
    steps.extend([chunk(EVENTS[7]), end_of_chunks(), note("complete", None)]);
    steps
}

fn event(name: &str, data: &Value) -> Step {
    chunk(format!("event: {name}\ndata: {data}\n\n"))
}

fn wait(dice: &mut Dice, below_ms: u64) -> Step {
    Step::Wait(dice.pause(below_ms))
}
