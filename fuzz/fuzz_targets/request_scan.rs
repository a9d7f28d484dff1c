//! What a request says of itself is the same however the network cuts it, and what a parser that has all of it finds. The
//! first byte says how long the pieces are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use tollbridge::capture::provider::request_scan::{MAX_VALUE_BYTES, RequestFields, RequestScan};

fuzz_target!(|input: &[u8]| {
    let Some((&piece, request)) = input.split_first() else { return };
    let whole = scan([request]);
    assert_eq!(scan(request.chunks(usize::from(piece).max(1))), whole);
    // What is longer is left out.
    if request.len() <= MAX_VALUE_BYTES
        && let Ok(Value::Object(object)) = serde_json::from_slice(request)
    {
        assert_eq!(whole, fields_of(&object));
    }
});

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> RequestFields {
    let mut scan = RequestScan::default();
    pieces.into_iter().for_each(|piece| scan.push(piece));
    scan.fields().clone()
}

fn fields_of(request: &Map<String, Value>) -> RequestFields {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    RequestFields {
        model: text(request.get("model")),
        is_stream: request.get("stream") == Some(&Value::Bool(true)),
        max_tokens: request.get("max_tokens").and_then(Value::as_u64),
        user_id: text(request.get("metadata").and_then(|metadata| metadata.get("user_id"))),
    }
}
