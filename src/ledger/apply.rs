//! The one door for usage events: events and rollups change in one transaction (invariant 4), and a call that was seen
//! before is not counted again (invariant 3).

use super::db::Tx;
use super::erasure::erased_users;
use super::event::{self, FindBy, Incoming};
use super::retention::taken_from_ms;
use super::rollup::{RollupChanges, Sign};
use super::{Ledger, LedgerError};
use crate::domain::usage::{UsageEvent, UserId};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// How many events share a transaction: enough that one flush to disk serves many, few enough that readers and the
/// next writer are not kept waiting.
const BATCH: usize = 5_000;

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The id under which the call stands in the ledger: that of the first sighting. Of one that is not taken, its own.
    pub id: String,
    pub outcome: ApplyOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyOutcome {
    Inserted,
    /// The call was known, and this sighting knew more of it.
    Updated,
    Duplicate,
    /// It happened before the time from which the ledger still takes events, because those from back then were removed.
    /// It is not in the ledger, unless it is among the removed ones and counted already.
    TooOld,
    /// Whose it is was erased, so nothing of theirs is taken any more. It is not in the ledger.
    Erased,
}

impl Ledger {
    /// Writes events and the rollups they change, and answers for each in the order given. Idempotent by
    /// (user, dedup key). When it returns, the events are on disk; on an error those of the failing batch are not there
    /// at all, and the whole call can be repeated.
    pub async fn apply(&self, events: Vec<UsageEvent>) -> Result<Vec<Applied>, LedgerError> {
        let mut applied = Vec::with_capacity(events.len());
        for batch in events.chunks(BATCH) {
            applied.extend(self.apply_batch(batch).await?);
        }
        Ok(applied)
    }

    async fn apply_batch(&self, batch: &[UsageEvent]) -> Result<Vec<Applied>, LedgerError> {
        let mut tx = self.db.begin().await?;
        queue_writers(&mut tx).await?;
        let day_zone = self.time_zone();
        let known = find_known(&mut tx, batch).await?;
        let (taken_from_ms, erased) = (taken_from_ms(&mut tx).await?, erased_users(&mut tx).await?);
        let verdicts = judge(batch, &known, taken_from_ms, &erased);

        let mut changes = RollupChanges::default();
        for Incoming { event, .. } in &verdicts.incoming {
            changes.note(event, Sign::Add, &day_zone)?;
        }
        for event in &verdicts.outgoing {
            changes.note(event, Sign::Take, &day_zone)?;
        }
        event::delete(&mut tx, &verdicts.outgoing).await?;
        event::insert(&mut tx, &verdicts.incoming).await?;
        changes.write(&mut tx).await?;
        let moved: BTreeSet<&UserId> = verdicts.incoming.iter().map(|one| &one.event.record.user_id).collect();
        let moved = Vec::from_iter(moved);
        self.sign_moved(&mut tx, &moved).await?;
        tx.commit().await?;
        self.note_moved(moved);
        Ok(verdicts.applied)
    }
}

/// PostgreSQL would let two writers judge the same call at once; one at a time, as on SQLite, is simpler and enough.
pub(super) async fn queue_writers(tx: &mut Tx) -> Result<(), LedgerError> {
    const APPLY_LOCK: i64 = 0x746f_6c6c; // "toll"
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select pg_advisory_xact_lock($1)").bind(APPLY_LOCK).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Stored events that may be the same calls as the batch's.
async fn find_known(tx: &mut Tx, batch: &[UsageEvent]) -> Result<Vec<UsageEvent>, LedgerError> {
    let mut by_user: BTreeMap<&UserId, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for event in batch {
        let (keys, messages) = by_user.entry(&event.record.user_id).or_default();
        keys.push(&event.record.dedup_key);
        messages.extend(event.record.context.message_id.as_deref());
    }
    let mut known: Vec<UsageEvent> = Vec::new();
    for (user, (keys, messages)) in by_user {
        known.extend(event::find(tx, user, FindBy::DedupKey, &keys).await?);
        known.extend(event::find(tx, user, FindBy::MessageId, &messages).await?);
    }
    known.sort_by(|one, two| one.id.cmp(&two.id));
    known.dedup_by(|one, two| one.id == two.id);
    Ok(known)
}

struct Verdicts<'a> {
    /// New rows, or better ones under the id of the row they replace.
    incoming: Vec<Incoming<'a>>,
    outgoing: Vec<&'a UsageEvent>,
    applied: Vec<Applied>,
}

/// A call as it stands while a batch is judged.
struct Standing<'a> {
    event: &'a UsageEvent,
    /// The stored row that it is, or replaces.
    stored: Option<&'a UsageEvent>,
    is_new: bool,
}

/// Decides for each event of the batch whether it is new, better than what is known, a duplicate, too old to be told
/// from a removed one, or of somebody who was erased.
fn judge<'a>(
    batch: &'a [UsageEvent],
    known: &'a [UsageEvent],
    taken_from_ms: i64,
    erased: &HashSet<String>,
) -> Verdicts<'a> {
    let mut standings: Vec<Standing> =
        known.iter().map(|event| Standing { event, stored: Some(event), is_new: false }).collect();
    let mut by_key: HashMap<(&UserId, &str), usize> = HashMap::new();
    let mut by_message: HashMap<(&UserId, &str), usize> = HashMap::new();
    for (index, standing) in standings.iter().enumerate() {
        index_standing(&mut by_key, &mut by_message, standing.event, index);
    }

    let mut outcomes = Vec::with_capacity(batch.len());
    for event in batch {
        if erased.contains(&event.record.user_id.0) {
            outcomes.push((standings.len(), ApplyOutcome::Erased));
            standings.push(Standing { event, stored: None, is_new: false });
            continue;
        }
        let same_key = by_key.get(&key_of(event)).copied();
        let same_message = message_of(event).and_then(|message| by_message.get(&message)).copied();
        // Side chains replay a message under a new request id; otherwise two requests are two calls.
        let same_replay =
            same_message.filter(|index| event.record.is_sidechain || standings[*index].event.record.is_sidechain);
        let Some(index) = same_key.or(same_replay) else {
            let is_new = event.record.occurred_at_ms >= taken_from_ms;
            let outcome = if is_new { ApplyOutcome::Inserted } else { ApplyOutcome::TooOld };
            outcomes.push((standings.len(), outcome));
            if is_new {
                index_standing(&mut by_key, &mut by_message, event, standings.len());
            }
            standings.push(Standing { event, stored: None, is_new });
            continue;
        };
        let standing = &mut standings[index];
        if compare(event, standing.event) != Ordering::Greater {
            outcomes.push((index, ApplyOutcome::Duplicate));
            continue;
        }
        standing.event = event;
        standing.is_new = true;
        outcomes.push((index, ApplyOutcome::Updated));
        index_standing(&mut by_key, &mut by_message, event, index);
    }
    conclude(&standings, outcomes)
}

fn conclude<'a>(standings: &[Standing<'a>], outcomes: Vec<(usize, ApplyOutcome)>) -> Verdicts<'a> {
    let id_of = |standing: &Standing| standing.stored.unwrap_or(standing.event).id.clone();
    // The first sighting of a batch keeps its id, also where a later line of the batch was better.
    let mut ids: Vec<Option<String>> = vec![None; standings.len()];
    let mut applied = Vec::with_capacity(outcomes.len());
    for (index, outcome) in outcomes {
        let id = ids[index].get_or_insert_with(|| id_of(&standings[index])).clone();
        applied.push(Applied { id, outcome });
    }
    let changed = standings.iter().enumerate().filter(|(_, standing)| standing.is_new);
    let incoming = changed.map(|(index, standing)| {
        let id = ids[index].clone().unwrap_or_else(|| id_of(standing));
        Incoming { id, event: standing.event }
    });
    Verdicts {
        incoming: incoming.collect(),
        outgoing: standings.iter().filter(|standing| standing.is_new).filter_map(|standing| standing.stored).collect(),
        applied,
    }
}

fn index_standing<'a>(
    by_key: &mut HashMap<(&'a UserId, &'a str), usize>,
    by_message: &mut HashMap<(&'a UserId, &'a str), usize>,
    event: &'a UsageEvent,
    index: usize,
) {
    by_key.insert(key_of(event), index);
    if let Some(message) = message_of(event) {
        by_message.insert(message, index);
    }
}

fn key_of(event: &UsageEvent) -> (&UserId, &str) {
    (&event.record.user_id, &event.record.dedup_key)
}

fn message_of(event: &UsageEvent) -> Option<(&UserId, &str)> {
    Some((&event.record.user_id, event.record.context.message_id.as_deref()?))
}

/// Which of two sightings of a call knows more: usage before none, the original before a side chain's copy, counted
/// before estimated, the more detailed source, and last the larger output (a log's early lines hold placeholders).
fn compare(one: &UsageEvent, two: &UsageEvent) -> Ordering {
    let merit = |event: &UsageEvent| {
        let record = &event.record;
        (
            record.has_usage,
            !record.is_sidechain,
            !record.is_estimated,
            record.source.detail_rank(),
            record.tokens.output,
            record.tokens.total(),
        )
    };
    merit(one).cmp(&merit(two))
}
