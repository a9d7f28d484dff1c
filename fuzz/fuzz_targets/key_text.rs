//! A text is a key or it is none: what parses comes back as it was, and no key is one letter away from another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollbridge::domain::api_key::{KeyText, RANDOM_DIGITS};

fuzz_target!(|input: &[u8]| {
    if let Some(key) = std::str::from_utf8(input).ok().and_then(KeyText::parse) {
        assert_eq!(key.reveal().as_bytes(), input);
    }
    let Some((digits, [at, letter, ..])) = input.split_first_chunk::<RANDOM_DIGITS>() else { return };
    let key = KeyText::from_digits(digits.map(|digit| digit % 62));
    let mut changed = key.reveal().as_bytes().to_vec();
    assert_eq!(KeyText::parse(key.reveal()).as_ref().map(KeyText::reveal), Some(key.reveal()));
    let at = usize::from(*at) % changed.len();
    if changed[at] != *letter && letter.is_ascii() {
        changed[at] = *letter;
        assert!(std::str::from_utf8(&changed).ok().and_then(KeyText::parse).is_none());
    }
});
