//! What the spool's frames say: a call is begun, its usage so far, its end. Writing them is `queue`'s
//! and `writer`'s, handing them to the ledger `drain`'s, the file `ledger::spool`'s.

pub(super) mod drain;
pub(super) mod queue;
pub(super) mod writer;

use crate::domain::tokens::TokenCounts;
use crate::domain::usage::{CallContext, CallOutcome, ServiceTerms, Source, UsageRecord, UserId};
use crate::ledger::spool::{Frame, FrameKind, SpoolFile, StoredFrame};
use crate::ledger::{BatchClaim, LedgerError};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// What the ledger says of a call that was under way when Tollbridge ended without warning.
pub const INTERRUPTED: &str = "interrupted";

/// A call that is about to be sent to its provider.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallStart {
    /// UUIDv7; the id of the event that the call becomes.
    pub call_id: String,
    pub user_id: UserId,
    pub api_key_id: Option<String>,
    pub started_at_ms: i64,
    pub source: Source,
    pub provider: String,
    /// The model as the client asked for it.
    pub model_requested: String,
    pub context: CallContext,
}

/// The dedup key of a call for which the provider has given no id of its own.
pub fn own_dedup_key(call_id: &str) -> String {
    format!("call:{call_id}")
}

pub(super) fn start_frame(call: &CallStart) -> Result<Frame, serde_json::Error> {
    frame(FrameKind::Start, &call.call_id, call.started_at_ms, call)
}

pub(super) fn usage_frame(call_id: &str, at_ms: i64, so_far: &UsageRecord) -> Result<Frame, serde_json::Error> {
    frame(FrameKind::Usage, call_id, at_ms, so_far)
}

/// `records` is the call, then its parts.
pub(super) fn end_frame(call_id: &str, at_ms: i64, records: &[UsageRecord]) -> Result<Frame, serde_json::Error> {
    frame(FrameKind::End, call_id, at_ms, &records)
}

/// Of a result of a batch, with the claim of who fetched it; or of the claim alone of who created the batch.
pub(super) fn batch_frame(
    call_id: &str,
    at_ms: i64,
    batch: &BatchClaim,
    records: &[UsageRecord],
) -> Result<Frame, serde_json::Error> {
    #[derive(Serialize)]
    struct OfBatch<'a> {
        batch: &'a BatchClaim,
        records: &'a [UsageRecord],
    }
    frame(FrameKind::End, call_id, at_ms, &OfBatch { batch, records })
}

/// What the end of a call says.
#[derive(Debug, Deserialize)]
pub(super) struct Ended {
    /// None: it is no batch's.
    pub(super) batch: Option<BatchClaim>,
    /// The call, then its parts.
    pub(super) records: Vec<UsageRecord>,
}

pub(super) fn ended(frame: &Frame) -> Result<Ended, serde_json::Error> {
    if frame.payload.starts_with('[') {
        return Ok(Ended { batch: None, records: serde_json::from_str(&frame.payload)? });
    }
    serde_json::from_str(&frame.payload)
}

/// The ends of the calls that earlier processes left open, with what is known of them. Once they are written, these calls
/// are over.
pub(super) async fn interrupted_ends(file: &SpoolFile, now_ms: i64) -> Result<Vec<Frame>, LedgerError> {
    let open = file.left_open().await?;
    let calls = open.chunk_by(|one, two| one.frame.call_id == two.frame.call_id);
    Ok(calls.filter_map(|call| interrupted(call, now_ms)).collect())
}

/// The end of one open call. None if no frame of it can be read, which only a frame of a later version can be.
fn interrupted(frames: &[StoredFrame], now_ms: i64) -> Option<Frame> {
    let of_kind = |kind| frames.iter().map(|stored| &stored.frame).rfind(move |frame| frame.kind == kind);
    let usage = of_kind(FrameKind::Usage).and_then(|frame| serde_json::from_str::<UsageRecord>(&frame.payload).ok());
    let start = of_kind(FrameKind::Start).and_then(|frame| serde_json::from_str::<CallStart>(&frame.payload).ok());
    let record = match (usage, start) {
        // The output that came after these counts is unknown.
        (Some(so_far), _) => UsageRecord { is_estimated: true, ..so_far },
        (None, Some(start)) => without_usage(start),
        (None, None) => {
            tracing::error!(call_id = frames.first()?.frame.call_id, "an open call in the spool cannot be read");
            return None;
        }
    };
    let outcome = CallOutcome { success: false, error_message: Some(INTERRUPTED.into()), ..record.outcome.clone() };
    let call_id = &frames.first()?.frame.call_id;
    end_frame(call_id, now_ms, &[UsageRecord { outcome, ..record }]).ok()
}

fn without_usage(start: CallStart) -> UsageRecord {
    UsageRecord {
        dedup_key: own_dedup_key(&start.call_id),
        user_id: start.user_id,
        occurred_at_ms: start.started_at_ms,
        source: start.source,
        part_of: None,
        is_sidechain: false,
        provider: start.provider,
        model: start.model_requested,
        tokens: TokenCounts::default(),
        has_usage: false,
        is_estimated: false,
        web_search_count: 0,
        terms: ServiceTerms::default(),
        api_key_id: start.api_key_id,
        context: start.context,
        outcome: CallOutcome::default(),
        usage_json: None,
    }
}

fn frame(kind: FrameKind, call_id: &str, at_ms: i64, payload: &impl Serialize) -> Result<Frame, serde_json::Error> {
    Ok(Frame { kind, call_id: call_id.to_owned(), at_ms, payload: serde_json::to_string(payload)? })
}
