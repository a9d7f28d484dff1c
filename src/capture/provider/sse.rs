//! Server-sent events, read while they pass: bytes in any pieces, events out. Follows the WHATWG's rules for line ends,
//! fields and dispatch. Pure, and never in the way: on an event that is too large it gives up for good.

/// An event larger than this is no event that tells usage, and not worth holding in memory.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What of the stream has been seen and not yet dispatched: at most one event.
#[derive(Debug, Default)]
pub struct SseParser {
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    is_past_first_line: bool,
    /// The last byte was a CR: an LF that follows belongs to it.
    is_after_cr: bool,
    is_inside_event: bool,
    has_given_up: bool,
}

impl SseParser {
    /// Takes the next bytes and hands on each event that they complete, as its name (empty if it has none) and its
    /// data. An event without data, or without the blank line at its end, is none.
    pub fn push(&mut self, mut bytes: &[u8], mut on_event: impl FnMut(&[u8], &[u8])) {
        while !bytes.is_empty() && !self.has_given_up {
            if std::mem::take(&mut self.is_after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.keep(bytes);
                return;
            };
            self.is_after_cr = bytes[end] == b'\r';
            if self.line.is_empty() {
                self.end_line(&bytes[..end], &mut on_event);
            } else {
                self.keep(&bytes[..end]);
                let line = std::mem::take(&mut self.line);
                self.end_line(&line, &mut on_event);
                // Its memory is used again.
                self.line = line;
                self.line.clear();
            }
            bytes = &bytes[end + 1..];
        }
    }

    /// Whether an event could be put in here without tearing another one apart.
    pub fn is_between_events(&self) -> bool {
        self.line.is_empty() && !self.is_inside_event && !self.is_after_cr && !self.has_given_up
    }

    /// Whether an event was too large. From then on nothing is read.
    pub fn has_given_up(&self) -> bool {
        self.has_given_up
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.line.len() + self.data.len() + bytes.len() > MAX_EVENT_BYTES {
            self.give_up();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn give_up(&mut self) {
        *self = Self { has_given_up: true, ..Self::default() };
    }

    fn end_line(&mut self, line: &[u8], on_event: &mut impl FnMut(&[u8], &[u8])) {
        let is_first = !std::mem::replace(&mut self.is_past_first_line, true);
        let line = if is_first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        if line.is_empty() {
            self.dispatch(on_event);
            return;
        }
        self.is_inside_event = true;
        let (field, value) = match memchr::memchr(b':', line) {
            // A comment.
            Some(0) => return,
            Some(colon) => (&line[..colon], line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..])),
            None => (line, &[][..]),
        };
        match field {
            b"data" if self.data.len() + value.len() >= MAX_EVENT_BYTES => self.give_up(),
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            // `id` and `retry` are for clients that reconnect.
            _ => {}
        }
    }

    fn dispatch(&mut self, on_event: &mut impl FnMut(&[u8], &[u8])) {
        if self.has_data {
            on_event(&self.name, &self.data);
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.is_inside_event = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut parser = SseParser::default();
        let mut found = Vec::new();
        for piece in pieces {
            parser.push(piece, |name, data| {
                found.push((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(data).into_owned()));
            });
        }
        found
    }

    fn one(name: &str, data: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), data.to_owned())]
    }

    #[test]
    fn every_line_ending_ends_a_line() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("event: ping{end}data: 1{end}{end}event: stop{end}data: 2{end}{end}");
            assert_eq!(events(&[text.as_bytes()]), [one("ping", "1"), one("stop", "2")].concat(), "{end:?}");
        }
    }

    #[test]
    fn any_two_pieces_are_as_good_as_one() {
        let text = "\u{FEFF}event: a\r\ndata: é\r\ndata: 日本\r\n\r\n: note\n\ndata: x\r\rdata\n\nid: 1\nevent: b\ndata: y\n\n";
        let whole = events(&[text.as_bytes()]);
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[0], ("a".into(), "é\n日本".into()));
        for split in 0..=text.len() {
            let (one, two) = text.as_bytes().split_at(split);
            assert_eq!(events(&[one, two]), whole, "split at {split}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(events(&bytes), whole);
    }

    #[test]
    fn only_one_byte_order_mark_at_the_start_is_dropped() {
        assert_eq!(events(&["\u{FEFF}data: x\n\n".as_bytes()]), one("", "x"));
        assert_eq!(events(&["\u{FEFF}\u{FEFF}data: x\n\ndata: y\n\n".as_bytes()]), one("", "y"));
        assert_eq!(events(&["data: x\n\n\u{FEFF}data: y\n\n".as_bytes()]), one("", "x"));
    }

    #[test]
    fn comments_are_nothing_and_fields_may_lack_a_colon() {
        assert_eq!(events(&[b": hello\n\n"]), []);
        assert_eq!(events(&[b":\ndata: x\n\n"]), one("", "x"));
        assert_eq!(events(&[b"data\n\n"]), one("", ""));
        assert_eq!(events(&[b"data\ndata\n\n"]), one("", "\n"));
        assert_eq!(events(&[b"dataset: 1\nfoo\n\n"]), []);
        assert_eq!(events(&[b"data:  two spaces\n\n"]), one("", " two spaces"));
    }

    #[test]
    fn an_event_without_data_or_without_its_blank_line_is_dropped() {
        assert_eq!(events(&[b"event: x\n\ndata: y\n\n"]), one("", "y"));
        assert_eq!(events(&[b"data: x\n"]), []);
        assert_eq!(events(&[b"data: x"]), []);
    }

    #[test]
    fn a_nul_or_a_broken_character_is_a_byte_like_any_other() {
        assert_eq!(events(&[b"id: \0\ndata: \xFF\xFEx\n\n"]), one("", "\u{FFFD}\u{FFFD}x"));
    }

    #[test]
    fn an_event_of_more_than_a_mebibyte_ends_the_reading() {
        let mut parser = SseParser::default();
        let mut seen = 0;
        parser.push(b"data: small\n\ndata: ", |_, _| seen += 1);
        for _ in 0..1025 {
            parser.push(&[b'x'; 1024], |_, _| seen += 1);
        }
        assert!(parser.has_given_up());
        assert!(parser.line.capacity() == 0 && parser.data.capacity() == 0, "nothing is held any more");
        parser.push(b"\n\ndata: after\n\n", |_, _| seen += 1);
        assert_eq!(seen, 1);

        let mut lines = SseParser::default();
        for _ in 0..1100 {
            lines.push(format!("data: {}\n", "x".repeat(1000)).as_bytes(), |_, _| {});
        }
        assert!(lines.has_given_up(), "many lines of one event count together");
    }

    #[test]
    fn it_knows_when_it_is_between_events() {
        let mut parser = SseParser::default();
        assert!(parser.is_between_events());
        for (piece, is_between) in
            [("event: a", false), ("\n", false), ("data: 1\n", false), ("\n", true), ("\r", false), ("\n", true)]
        {
            parser.push(piece.as_bytes(), |_, _| {});
            assert_eq!(parser.is_between_events(), is_between, "after {piece:?}");
        }
    }
}
