//! Whatever a provider sends as usage is read or refused, never half: what was read has a price or says that it has none, and
//! a count that is told twice counts once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use std::sync::{Arc, LazyLock};
use tollbridge::capture::provider::{UsageShape, anthropic, detect_shape, parse_usage, price_parsed};
use tollbridge::domain::price::PriceBook;

static BOOK: LazyLock<Arc<PriceBook>> = LazyLock::new(PriceBook::builtin);
const AT_MS: i64 = 1_790_000_000_000;

fuzz_target!(|input: &[u8]| {
    let Ok(usage) = serde_json::from_slice::<Value>(input) else { return };
    detect_shape(&usage);
    for shape in [UsageShape::Anthropic, UsageShape::OpenAiChat, UsageShape::OpenAiResponses, UsageShape::Gemini] {
        let Ok(parsed) = parse_usage(shape, &usage) else { continue };
        for model in ["claude-sonnet-4-20250514", "gpt-5", "no-such-model"] {
            let (call, parts) = price_parsed(&BOOK, None, model, AT_MS, &parsed);
            assert_eq!(parts.len(), parsed.sub_inferences.len());
            assert!(call.cost.is_none_or(|cost| cost.0 >= 0), "{call:?}");
        }
    }
    if let Ok(once) = anthropic::parse_usage(&usage) {
        let mut twice = usage.clone();
        anthropic::merge_delta(&mut twice, usage);
        assert_eq!(anthropic::parse_usage(&twice), Ok(once));
    }
});
