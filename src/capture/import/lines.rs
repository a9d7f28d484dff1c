//! Reading a stream line by line in bounded memory: an endless line costs time, never memory.

use std::io::{self, BufRead};

/// What stood on the next line.
#[derive(Debug, PartialEq, Eq)]
pub enum NextLine {
    /// A whole line is in the buffer, without its line end.
    Complete,
    /// The stream ended before the line did: its writer may not be done yet.
    Unterminated,
    /// The line was longer than allowed and was skipped.
    TooLong,
    End,
}

/// Reads the next line into `line` (cleared first). A line of more than `max_bytes` is skipped to its end.
pub fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>, max_bytes: usize) -> io::Result<NextLine> {
    line.clear();
    let mut is_too_long = false;
    let mut has_bytes = false;
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return Ok(match (has_bytes, is_too_long) {
                (false, _) => NextLine::End,
                (true, true) => NextLine::TooLong,
                (true, false) => NextLine::Unterminated,
            });
        }
        has_bytes = true;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let text = &chunk[..end.unwrap_or(chunk.len())];
        is_too_long |= line.len() + text.len() > max_bytes;
        if is_too_long {
            // Give the memory back, or one monster line would keep it for the rest of the import.
            *line = Vec::new();
        } else {
            line.extend_from_slice(text);
        }
        let used = text.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(if is_too_long { NextLine::TooLong } else { NextLine::Complete });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn all_lines(text: &str, max_bytes: usize) -> Vec<(NextLine, String)> {
        // A buffer of 3 bytes makes every line cross a border.
        let mut reader = BufReader::with_capacity(3, text.as_bytes());
        let mut line = Vec::new();
        let mut found = Vec::new();
        loop {
            match read_line(&mut reader, &mut line, max_bytes).expect("memory does not fail") {
                NextLine::End => return found,
                next => found.push((next, String::from_utf8_lossy(&line).into_owned())),
            }
        }
    }

    #[test]
    fn lines_come_whole_and_the_last_one_says_that_it_has_no_end() {
        use NextLine::{Complete, Unterminated};
        let expected =
            vec![(Complete, "first line".into()), (Complete, String::new()), (Unterminated, "torn".to_string())];
        assert_eq!(all_lines("first line\n\ntorn", 100), expected);
        assert_eq!(all_lines("", 100), vec![]);
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_and_the_next_one_is_read() {
        use NextLine::{Complete, TooLong};
        let expected = vec![(TooLong, String::new()), (Complete, "12345".to_string()), (TooLong, String::new())];
        assert_eq!(all_lines("123456\n12345\n1234567", 5), expected);
    }
}
