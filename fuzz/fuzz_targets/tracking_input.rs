//! What the tracking API takes can be kept: it comes back from the spool as it went in, within the ledger's bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::{Arc, LazyLock};
use tollbridge::capture::ingest::parse_event;
use tollbridge::domain::price::PriceBook;
use tollbridge::domain::tokens::MAX_TOKENS;
use tollbridge::domain::usage::{UsageRecord, UserId};

static BOOK: LazyLock<Arc<PriceBook>> = LazyLock::new(PriceBook::builtin);
const NOW_MS: i64 = 1_790_000_000_000;

fuzz_target!(|input: &[u8]| {
    let Ok(item) = serde_json::from_slice::<Value>(input) else { return };
    for record in parse_event(&item, &UserId::owner(), NOW_MS, &BOOK).into_iter().flatten() {
        assert!(record.tokens.input <= MAX_TOKENS && record.tokens.output <= MAX_TOKENS);
        let text = serde_json::to_string(&record).expect("a record is JSON");
        assert_eq!(serde_json::from_str::<UsageRecord>(&text).expect("its own JSON"), record);
    }
});
