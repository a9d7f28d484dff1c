//! A stream tells the same usage however the network cuts it. The first byte says how long the pieces are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbridge::capture::provider::message::MessageReading;
use tollbridge::capture::provider::sse::SseParser;

fuzz_target!(|input: &[u8]| {
    let Some((&piece, stream)) = input.split_first() else { return };
    let whole = read([stream]);
    let cut = read(stream.chunks(usize::from(piece).max(1)));
    assert_eq!(cut, whole);
});

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let (mut parser, mut reading) = (SseParser::default(), MessageReading::default());
    for piece in pieces {
        parser.push(piece, |name, data| reading.read_event(name, data));
    }
    format!("{reading:?} {:?} {}", reading.known_usage(), parser.has_given_up())
}
