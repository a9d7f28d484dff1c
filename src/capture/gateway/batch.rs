//! Message batches. Their usage is told only by their results, so results must pass through here: where a batch says that
//! its results are at the provider's address, the client is given ours. Results may be fetched many times, by anybody,
//! and count once, for whoever created the batch. Who that is, the ledger is asked where it takes the results over from
//! the spool, so that nothing waits for its answer here.

use super::attribution::clean;
use super::call::PROVIDER;
use super::endpoint;
use crate::capture::parts::with_parts;
use crate::capture::provider::message::{KnownUsage, MessageReading};
use crate::capture::recorder::Recorder;
use crate::domain::usage::{CallContext, CallOutcome, Source, UsageRecord};
use crate::ledger::BatchClaim;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A result holds a message; larger ones pass unread.
const MAX_LINE_BYTES: usize = 8 * 1024 * 1024;
const RESULTS_URL: &[u8] = b"\"results_url\"";

/// Reads the results of one batch, a line each, while they pass.
pub struct ResultsReader {
    /// Of who fetches them. It holds if the batch is nobody's yet.
    claim: BatchClaim,
    line: Vec<u8>,
    /// Of the line that ended last, from 1.
    line_number: u64,
    is_line_too_long: bool,
    recorder: Recorder,
}

#[derive(Deserialize)]
struct ResultLine {
    custom_id: String,
    result: ResultObject,
}

#[derive(Deserialize)]
struct ResultObject {
    #[serde(rename = "type")]
    kind: String,
    message: Option<Box<RawValue>>,
    error: Option<ErrorAnswer>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct ErrorObject {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl ResultsReader {
    pub fn new(recorder: Recorder, claim: BatchClaim) -> Self {
        Self { claim, line: Vec::new(), line_number: 0, is_line_too_long: false, recorder }
    }

    pub fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.keep(&bytes[..end]);
            self.end_line();
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    /// The last line may lack its end.
    pub fn finish(&mut self) {
        self.end_line();
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.is_line_too_long |= self.line.len() + bytes.len() > MAX_LINE_BYTES;
        if self.is_line_too_long {
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.line_number += 1;
        let is_too_long = std::mem::take(&mut self.is_line_too_long);
        if !is_too_long && line.trim_ascii().is_empty() {
            return;
        }
        // Of a line that is too long nothing is kept, and nothing is no result.
        match serde_json::from_slice::<ResultLine>(&line) {
            Ok(result) => self.take_in(result),
            Err(_) => self.take_in_unread(is_too_long),
        }
    }

    fn take_in(&self, result: ResultLine) {
        let error = match result.result.kind.as_str() {
            "succeeded" => None,
            "errored" => {
                let kind = result.result.error.and_then(|answer| answer.error?.kind);
                Some(kind.unwrap_or_else(|| "errored".into()))
            }
            // Cancelled and expired requests were never run.
            _ => return,
        };
        let message = result.result.message.and_then(|raw| MessageReading::from_body(raw.get().as_bytes()).ok());
        self.record(&result.custom_id, &message.unwrap_or_default(), error);
    }

    /// What it cost is unknown, and the ledger has to say so.
    fn take_in_unread(&self, is_too_long: bool) {
        let line = self.line_number;
        tracing::warn!(batch_id = self.claim.batch_id, line, is_too_long, "a batch result cannot be read");
        self.record(&format!("line {line}"), &MessageReading::default(), None);
    }

    /// Writes a result down as a call that is over: through the spool, like any other, so that none is lost without being counted.
    fn record(&self, custom_id: &str, reading: &MessageReading, error: Option<String>) {
        let records = self.records_of(custom_id, reading, error);
        self.recorder.end_of_batch(&uuid::Uuid::now_v7().to_string(), &self.claim, &records);
    }

    fn records_of(&self, custom_id: &str, reading: &MessageReading, error: Option<String>) -> Vec<UsageRecord> {
        let KnownUsage { parsed, model, is_estimated } = reading.known_usage();
        let mut terms = parsed.terms;
        terms.service_tier.get_or_insert_with(|| "batch".into());
        let BatchClaim { batch_id, owner, at_ms } = &self.claim;
        let record = UsageRecord {
            user_id: owner.user_id.clone(),
            occurred_at_ms: *at_ms,
            source: Source::Gateway,
            dedup_key: format!("batch:{batch_id}:{custom_id}"),
            part_of: None,
            is_sidechain: false,
            provider: PROVIDER.into(),
            model: model.as_deref().and_then(clean).unwrap_or_else(|| "unknown".into()),
            tokens: parsed.tokens,
            has_usage: parsed.has_usage,
            is_estimated,
            web_search_count: parsed.web_search_count,
            terms,
            api_key_id: owner.api_key_id.clone(),
            context: CallContext {
                tools_used: reading.tools_used.0.clone(),
                message_id: reading.message_id.as_deref().and_then(clean),
                ..owner.context.clone()
            },
            outcome: CallOutcome {
                success: error.is_none(),
                error_message: error.as_deref().and_then(clean),
                stop_reason: reading.stop_reason.as_deref().and_then(clean),
                ..CallOutcome::default()
            },
            usage_json: reading.usage_json(),
        };
        with_parts(record, &parsed.sub_inferences)
    }
}

/// The id that a batch was given, if this is the answer to its creation.
pub fn id_of(json: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Batch {
        id: String,
    }
    serde_json::from_slice::<Batch>(json).ok().map(|batch| batch.id).filter(|id| endpoint::is_id(id))
}

/// Lets every `results_url` in a JSON answer point to `base` (`http://localhost:3000`) instead of the provider. All other
/// bytes stay as they are. `None` if there is nothing to change.
pub fn redirect_results(json: &[u8], base: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len() + 64);
    let mut rest = json;
    let mut has_changed = false;
    while let Some(at) = memchr::memmem::find(rest, RESULTS_URL) {
        let (before, after) = rest.split_at(at + RESULTS_URL.len());
        out.extend_from_slice(before);
        rest = after;
        if let Some((origin_start, origin_end)) = origin_of_results(after) {
            out.extend_from_slice(&after[..origin_start]);
            out.extend_from_slice(base.as_bytes());
            rest = &after[origin_end..];
            has_changed = true;
        }
    }
    out.extend_from_slice(rest);
    has_changed.then_some(out)
}

/// In what follows the key: where the origin of its URL begins and ends, if it is the URL of a batch's results.
fn origin_of_results(after_key: &[u8]) -> Option<(usize, usize)> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let colon = after_key.iter().position(|byte| !is_space(byte)).filter(|at| after_key[*at] == b':')?;
    let quote = colon + 1 + after_key[colon + 1..].iter().position(|byte| !is_space(byte))?;
    if after_key[quote] != b'"' {
        return None;
    }
    let start = quote + 1;
    let end = start + memchr::memchr(b'"', &after_key[start..])?;
    let url = std::str::from_utf8(&after_key[start..end]).ok()?;
    let path = url.find("/v1/messages/batches/").filter(|_| url.starts_with("http") && url.ends_with("/results"))?;
    Some((start, start + path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "http://localhost:3000";

    #[test]
    fn results_are_fetched_through_us() {
        let json = br#"{"id": "msgbatch_1", "results_url" : "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",  "x":1}"#;
        let expected = br#"{"id": "msgbatch_1", "results_url" : "http://localhost:3000/v1/messages/batches/msgbatch_1/results",  "x":1}"#;
        assert_eq!(redirect_results(json, BASE).unwrap(), expected);
    }

    #[test]
    fn every_batch_of_a_list_is_changed_and_nothing_else() {
        let list = |one: &str, two: &str| {
            format!(
                r#"{{"data":[{{"results_url":"{one}/v1/messages/batches/a/results"}},{{"results_url":null}},{{"results_url":"{two}/v1/messages/batches/b/results"}},{{"results_url":"https://elsewhere.example/x"}}]}}"#
            )
        };
        let changed = redirect_results(list("https://one", "https://two/base").as_bytes(), BASE).unwrap();
        assert_eq!(String::from_utf8(changed).unwrap(), list(BASE, BASE));
        for unchanged in [r#"{"results_url":null}"#, r#"{"results_url""#, r#"{"results_url":"#, "{}", ""] {
            assert_eq!(redirect_results(unchanged.as_bytes(), BASE), None, "{unchanged}");
        }
    }
}
