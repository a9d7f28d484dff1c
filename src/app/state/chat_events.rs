//! What `POST /api/chat` tells, read from the bytes of its event stream in any pieces; and an answer's text, as a page
//! shows it.

use crate::domain::chat::TurnUsage;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnEvent {
    Start(Start),
    Text(String),
    /// Why the answer ends here.
    Error(String),
    Usage(Box<TurnUsage>),
}

/// Under which ids the call is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    pub call_id: String,
    pub conversation_id: Option<String>,
}

/// The stream so far, as far as no event of it is complete.
#[derive(Debug, Default)]
pub struct EventReader(Vec<u8>);

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    Prose(String),
    /// Between fences of three back-ticks, without them.
    Code(String),
}

impl EventReader {
    pub fn push(&mut self, bytes: &[u8]) -> Vec<TurnEvent> {
        self.0.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.0.drain(..end + 2).collect();
            events.extend(read_block(&String::from_utf8_lossy(&block)));
        }
        events
    }
}

/// The reason in the body of a refusal.
pub fn refusal_in(body: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    serde_json::from_str::<Refusal>(body).ok().map(|refusal| refusal.error)
}

pub fn passages(answer: &str) -> Vec<Passage> {
    let mut passages = Vec::new();
    for (index, part) in answer.split("```").enumerate() {
        let passage = if index % 2 == 0 {
            Passage::Prose(part.trim_matches('\n').to_owned())
        } else {
            // The rest of the first line names the language.
            Passage::Code(part.split_once('\n').map_or("", |(_, code)| code).trim_end().to_owned())
        };
        let is_blank = matches!(&passage, Passage::Prose(text) | Passage::Code(text) if text.is_empty());
        if !is_blank {
            passages.push(passage);
        }
    }
    passages
}

fn read_block(block: &str) -> Option<TurnEvent> {
    #[derive(Deserialize)]
    struct Text {
        text: String,
    }
    #[derive(Deserialize)]
    struct Error {
        message: String,
    }
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let data = field("data: ")?;
    match field("event: ")? {
        "start" => serde_json::from_str(data).ok().map(TurnEvent::Start),
        "text" => serde_json::from_str::<Text>(data).ok().map(|text| TurnEvent::Text(text.text)),
        "error" => serde_json::from_str::<Error>(data).ok().map(|error| TurnEvent::Error(error.message)),
        "usage" => serde_json::from_str(data).ok().map(TurnEvent::Usage),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: start\ndata: {\"callId\":\"c1\",\"conversationId\":\"v1\"}\n\n\
        :\n\nevent: text\ndata: {\"text\":\"Grüße\\n\\n\"}\n\nevent: error\ndata: {\"message\":\"broken\"}\n\n\
        event: later\ndata: {}\n\n";

    #[test]
    fn the_events_are_the_same_however_the_stream_is_cut() {
        let whole = EventReader::default().push(STREAM.as_bytes());
        assert_eq!(
            whole,
            [
                TurnEvent::Start(Start { call_id: "c1".into(), conversation_id: Some("v1".into()) }),
                TurnEvent::Text("Grüße\n\n".into()),
                TurnEvent::Error("broken".into()),
            ]
        );
        for cut in 0..STREAM.len() {
            let (first, second) = STREAM.as_bytes().split_at(cut);
            let mut reader = EventReader::default();
            let mut events = reader.push(first);
            events.extend(reader.push(second));
            assert_eq!(events, whole, "cut at {cut}");
        }
    }

    #[test]
    fn code_stands_between_fences_also_while_the_second_is_missing() {
        let answer = "So:\n\n```rust\nfn main() {}\n```\nDone.";
        let expected =
            [Passage::Prose("So:".into()), Passage::Code("fn main() {}".into()), Passage::Prose("Done.".into())];
        assert_eq!(passages(answer), expected);
        assert_eq!(passages(&answer[..25]), expected[..2]);
        assert_eq!(passages(""), []);
    }

    #[test]
    fn a_refusal_tells_its_reason() {
        assert_eq!(refusal_in(r#"{"error":"no key","requestId":"x"}"#), Some("no key".into()));
        assert_eq!(refusal_in("<html>"), None);
    }
}
