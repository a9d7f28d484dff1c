//! A call under way: what becomes its event. However it ends, finished, refused, broken off or dropped by a client that
//! went away, it is recorded once.

use super::allowance::Allowance;
use super::attribution::{self, clean};
use super::breaker::Breaker;
use super::client_end::{ClientEnd, Cut};
use super::credential::Caller;
use super::request_body::RequestNotes;
use crate::capture::parts::with_parts;
use crate::capture::provider::message::{KnownUsage, MessageReading};
use crate::capture::recorder::{CallStart, Recorder, own_dedup_key};
use crate::domain::usage::{CallContext, CallOutcome, Source, UsageRecord};
use axum::http::{HeaderMap, StatusCode};
use std::time::Instant;
use tokio::sync::oneshot;

pub const PROVIDER: &str = "anthropic";

/// Dropped without an end, it ends as one whose client hung up or was hung up on: that is what drops a call.
pub struct Call {
    keepers: Keepers,
    start: CallStart,
    began: Instant,
    notes: RequestNotes,
    client: ClientEnd,
    pub reading: MessageReading,
    status_code: Option<u16>,
    request_id: Option<String>,
    first_token_ms: Option<u64>,
    has_noted_usage: bool,
    has_ended: bool,
    listener: Option<oneshot::Sender<Vec<UsageRecord>>>,
}

/// Who is told how a call ends.
#[derive(Clone)]
pub struct Keepers {
    pub recorder: Recorder,
    pub allowance: Allowance,
    pub breaker: Breaker,
}

/// Where a call came from and what it belongs to.
#[derive(Debug)]
pub struct Origin {
    pub source: Source,
    pub context: CallContext,
    /// Is told what was recorded.
    pub listener: Option<oneshot::Sender<Vec<UsageRecord>>>,
}

/// How a call ended, as far as the connections tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The answer came to its end.
    Complete,
    /// The answer ended before it said that it would.
    BrokeOff,
    ClientClosed,
    /// The client was hung up on.
    Cut(Cut),
    TimedOut,
    /// There was no answer, for this reason.
    Failed(&'static str),
}

impl Call {
    pub fn new(
        keepers: Keepers,
        caller: &Caller,
        now_ms: i64,
        origin: Origin,
        notes: RequestNotes,
        client: ClientEnd,
    ) -> Self {
        let session_id = session_of(&origin.context, &notes);
        let start = CallStart {
            call_id: uuid::Uuid::now_v7().to_string(),
            user_id: caller.user_id.clone(),
            api_key_id: caller.api_key_id.clone(),
            started_at_ms: now_ms,
            source: origin.source,
            provider: PROVIDER.into(),
            model_requested: requested_model(&notes),
            context: CallContext { session_id, ..origin.context },
        };
        Self {
            keepers,
            start,
            began: Instant::now(),
            notes,
            client,
            reading: MessageReading::default(),
            status_code: None,
            request_id: None,
            first_token_ms: None,
            has_noted_usage: false,
            has_ended: false,
            listener: origin.listener,
        }
    }

    /// The id of the event that the call becomes.
    pub fn id(&self) -> &str {
        &self.start.call_id
    }

    /// What the beginning of its request has told.
    pub fn begun(&self) -> &CallStart {
        &self.start
    }

    /// Writes down that the call is about to be sent. Waits two milliseconds at most.
    pub async fn note_start(&self) {
        self.keepers.recorder.start(&self.start).await;
    }

    /// A budget or the breaker refused the call, or it broke off while that was being decided: the provider was not asked, so
    /// there is nothing to record.
    pub fn withdraw(mut self) {
        self.has_ended = true;
        self.notes.note_call_over();
        self.keepers.allowance.release(self.id());
    }

    pub fn note_answer(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status_code = Some(status.as_u16());
        let request_id = headers.get("request-id").and_then(|id| id.to_str().ok());
        self.request_id = request_id.and_then(clean);
    }

    /// Whether what it costs may keep other calls out.
    pub fn is_limited(&self) -> bool {
        self.keepers.breaker.is_on() || self.keepers.allowance.holds(self.id())
    }

    /// To be called after each piece of the answer was read.
    pub fn note_progress(&mut self) {
        if self.first_token_ms.is_none() && self.reading.has_content {
            self.first_token_ms = Some(self.elapsed_ms());
        }
        if self.reading.has_started && !self.has_noted_usage {
            self.has_noted_usage = true;
            let so_far = self.record(self.reading.known_usage(), None);
            self.keepers.recorder.usage(self.id(), &so_far);
        }
    }

    /// Records the call. Only the first ending counts.
    pub fn end(&mut self, ending: Ending) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.notes.note_call_over();
            let records = self.records(ending);
            tracing::debug!(call_id = self.id(), status = self.status_code, ?ending, "a call ended");
            let Keepers { recorder, allowance, breaker } = &self.keepers;
            allowance.settle(self.id(), &records);
            let ended_ms = self.start.started_at_ms.saturating_add_unsigned(self.elapsed_ms());
            breaker.settle(recorder.prices(), &records, ended_ms);
            recorder.end(self.id(), &records);
            if let Some(listener) = self.listener.take() {
                // Who has gone does not want to know.
                listener.send(records).ok();
            }
        }
    }

    /// The call, then the sub-inferences that are billed beside it.
    fn records(&self, ending: Ending) -> Vec<UsageRecord> {
        let mut usage = self.reading.known_usage();
        let sub_inferences = std::mem::take(&mut usage.parsed.sub_inferences);
        with_parts(self.record(usage, self.error(ending)), &sub_inferences)
    }

    fn record(&self, usage: KnownUsage, error: Option<String>) -> UsageRecord {
        let KnownUsage { parsed, model, is_estimated } = usage;
        UsageRecord {
            user_id: self.start.user_id.clone(),
            occurred_at_ms: self.start.started_at_ms,
            source: self.start.source,
            dedup_key: self.request_id.clone().unwrap_or_else(|| own_dedup_key(self.id())),
            part_of: None,
            is_sidechain: false,
            provider: PROVIDER.into(),
            model: model.as_deref().and_then(clean).unwrap_or_else(|| requested_model(&self.notes)),
            tokens: parsed.tokens,
            has_usage: parsed.has_usage,
            is_estimated,
            web_search_count: parsed.web_search_count,
            terms: parsed.terms,
            api_key_id: self.start.api_key_id.clone(),
            context: self.context(),
            outcome: self.outcome(error),
            usage_json: self.reading.usage_json(),
        }
    }

    fn outcome(&self, error: Option<String>) -> CallOutcome {
        CallOutcome {
            success: error.is_none(),
            status_code: self.status_code,
            error_message: error,
            response_time_ms: Some(self.elapsed_ms()),
            first_token_ms: self.first_token_ms,
            stop_reason: self.reading.stop_reason.as_deref().and_then(clean),
        }
    }

    fn error(&self, ending: Ending) -> Option<String> {
        if let Some(kind) = &self.reading.error_type {
            return Some(kind.clone());
        }
        let refused = self.status_code.filter(|status| !(200..300).contains(status));
        let word = match (ending, refused) {
            (Ending::Failed(word), _) => word,
            (_, Some(status)) => return Some(format!("http_{status}")),
            // All that matters had come before the end that was too early.
            (_, None) if self.reading.has_ended => return None,
            (Ending::Complete, None) => return None,
            (Ending::BrokeOff, None) => "upstream_broke_off",
            (Ending::ClientClosed, None) => "client_closed",
            (Ending::Cut(Cut::ClientStalled), None) => "client_stalled",
            (Ending::Cut(Cut::ServerStopped), None) => "server_stopped",
            (Ending::TimedOut, None) => "upstream_timeout",
        };
        Some(word.to_owned())
    }

    fn context(&self) -> CallContext {
        CallContext {
            session_id: session_of(&self.start.context, &self.notes),
            tools_used: self.reading.tools_used.0.clone(),
            request_id: self.request_id.clone(),
            message_id: self.reading.message_id.as_deref().and_then(clean),
            ..self.start.context.clone()
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(self.client.why_cut().map_or(Ending::ClientClosed, Ending::Cut));
    }
}

/// The session that the headers name, or else the request, as far as it has come.
pub fn session_of(context: &CallContext, notes: &RequestNotes) -> Option<String> {
    let of_request = || notes.with_fields(|fields| attribution::session_in(fields.user_id.as_deref()?));
    context.session_id.clone().or_else(of_request)
}

/// The model that the request names, as far as it has come.
pub fn requested_model(notes: &RequestNotes) -> String {
    let model = notes.with_fields(|fields| fields.model.as_deref().and_then(clean));
    model.unwrap_or_else(|| "unknown".into())
}
