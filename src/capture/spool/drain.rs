//! From the spool into the ledger: in order, in batches, and taken out of the spool only when the ledger has them. A crash
//! in between has them handed over again, which the ledger notices by their dedup keys.

use super::{Ended, ended};
use crate::capture::recorder::counters::Counters;
use crate::capture::recorder::{RecordedListener, to_event};
use crate::domain::price::PriceBook;
use crate::domain::usage::UsageEvent;
use crate::ledger::spool::{Frame, SpoolFile, StoredFrame};
use crate::ledger::{Applied, ApplyOutcome, BatchOwner, Ledger, LedgerError};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Calls that are handed over together at most.
const BATCH: u32 = 500;
/// How long calls gather before they are handed over.
const GATHER: Duration = Duration::from_millis(50);
/// How often a call is tried by itself before it is set aside.
const TRIES: u32 = 5;
/// Ends of interrupted calls that are written together at most.
const ENDS_AT_ONCE: usize = 500;
/// After that long without a call, those that the ledger has leave the spool.
const FORGET_AFTER: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// By the batch's id.
type BatchOwners = HashMap<String, BatchOwner>;

pub(in crate::capture) struct Drain {
    pub file: SpoolFile,
    pub ledger: Ledger,
    pub prices: Arc<PriceBook>,
    pub counters: Arc<Counters>,
    pub recorded: RecordedListener,
    /// Ends of calls that earlier processes left open, as long as they are not in the file.
    pub interrupted: Vec<Frame>,
    /// The number of the last frame that the ledger has, or that is set aside.
    pub position: i64,
}

impl Drain {
    /// Hands over what the spool has, and what comes, until `stop` becomes true and nothing is left.
    pub(in crate::capture) async fn run(mut self, has_written: Arc<Notify>, mut stop: watch::Receiver<bool>) {
        let mut has_remains = true;
        let mut pause = FIRST_PAUSE;
        loop {
            let more_written = has_written.notified();
            self.end_interrupted().await;
            let frames = match self.file.ended_after(self.position, BATCH).await {
                Ok(frames) => frames,
                Err(error) => {
                    self.counters.note_error("the spool could not be read", &error);
                    tokio::time::sleep(LONGEST_PAUSE).await;
                    continue;
                }
            };
            self.counters.note_oldest(frames.first().map(|stored| stored.frame.at_ms));
            if frames.is_empty() {
                if *stop.borrow() {
                    return;
                }
                let is_quiet = tokio::select! {
                    () = more_written => false,
                    () = tokio::time::sleep(FORGET_AFTER), if has_remains || !self.interrupted.is_empty() => true,
                    _ = stop.wait_for(|stop| *stop) => false,
                };
                if is_quiet {
                    has_remains = self.forget().await;
                } else {
                    self.gather(&mut stop).await;
                }
                continue;
            }
            match self.hand_over(&frames).await {
                Ok(()) => {
                    has_remains = self.forget().await;
                    pause = FIRST_PAUSE;
                    if frames.len() < BATCH as usize {
                        self.gather(&mut stop).await;
                    }
                }
                Err(error) => {
                    self.counters.note_error("calls cannot be handed over to the ledger at the moment", &error);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Lets calls gather; not when it is time to stop.
    async fn gather(&self, stop: &mut watch::Receiver<bool>) {
        // Only the time matters, and that the wait can be cut short.
        tokio::time::timeout(GATHER, stop.wait_for(|stop| *stop)).await.ok();
    }

    /// Where the disk is full they cannot be written yet. That holds up nothing else, and is tried again.
    async fn end_interrupted(&mut self) {
        while !self.interrupted.is_empty() {
            let some = self.interrupted.len().min(ENDS_AT_ONCE);
            if let Err(error) = self.file.end_left_open(self.interrupted[..some].to_vec()).await {
                return self.counters.note_error("interrupted calls cannot be ended in the spool", &error);
            }
            self.interrupted.drain(..some);
        }
    }

    /// Afterwards the calls are in the ledger, or set aside. An error is one that will pass.
    async fn hand_over(&mut self, frames: &[StoredFrame]) -> Result<(), LedgerError> {
        let mut readable = Vec::with_capacity(frames.len());
        let mut calls = Vec::with_capacity(frames.len());
        for stored in frames {
            match ended(&stored.frame) {
                Ok(call) => {
                    readable.push(stored);
                    calls.push(call);
                }
                Err(error) => self.set_aside(stored, &error.to_string()).await?,
            }
        }
        let owners = self.claim_batches(&calls).await?;
        let events = readable.iter().zip(calls).flat_map(|(stored, call)| self.events_of(stored, call, &owners));
        let events = events.collect();
        match self.ledger.apply(events).await {
            Ok(applied) if !applied.iter().any(is_too_old) => self.note_recorded(&readable),
            Err(error) if !error.is_about_the_data() => return Err(error),
            Ok(_) | Err(_) => {
                for stored in readable {
                    self.hand_over_alone(stored, &owners).await?;
                    self.position = stored.number;
                }
            }
        }
        self.position = frames.last().map_or(self.position, |last| last.number);
        Ok(())
    }

    /// Whose the batches are that these are about. They are in order: who created one comes before who fetches its
    /// results.
    async fn claim_batches(&self, calls: &[Ended]) -> Result<BatchOwners, LedgerError> {
        let mut owners = BatchOwners::new();
        for claim in calls.iter().filter_map(|call| call.batch.as_ref()) {
            if owners.contains_key(&claim.batch_id) {
                continue;
            }
            let owner = match self.ledger.claim_batch(claim).await {
                // It must hold up no call, and the results must not be lost.
                Err(error) if error.is_about_the_data() => claim.owner.clone(),
                owner => owner?,
            };
            owners.insert(claim.batch_id.clone(), owner);
        }
        Ok(owners)
    }

    /// One call that the ledger refuses must not hold up the others.
    async fn hand_over_alone(&self, stored: &StoredFrame, owners: &BatchOwners) -> Result<(), LedgerError> {
        for tries_left in (0..TRIES).rev() {
            let call = match ended(&stored.frame) {
                Ok(call) => call,
                Err(error) => return self.set_aside(stored, &error.to_string()).await,
            };
            match self.ledger.apply(self.events_of(stored, call, owners)).await {
                Ok(applied) => {
                    match applied.first() {
                        Some(call) if is_too_old(call) => {
                            self.set_aside(stored, "it is older than the events that the ledger keeps").await?;
                        }
                        _ => self.note_recorded(&[stored]),
                    }
                    return Ok(());
                }
                Err(error) if !error.is_about_the_data() => return Err(error),
                Err(error) if tries_left == 0 => self.set_aside(stored, &error.to_string()).await?,
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// The call has the id that the client was told; its parts get their own. What a batch made is its owner's.
    fn events_of(&self, stored: &StoredFrame, call: Ended, owners: &BatchOwners) -> Vec<UsageEvent> {
        let owner = call.batch.as_ref().and_then(|claim| owners.get(&claim.batch_id));
        let ids = std::iter::once(Some(stored.frame.call_id.clone())).chain(std::iter::repeat(None));
        let records = call.records.into_iter().map(|record| match owner {
            Some(owner) => owner.own(record),
            None => record,
        });
        records.zip(ids).map(|(record, id)| to_event(&self.prices, id, record)).collect()
    }

    fn note_recorded(&self, frames: &[&StoredFrame]) {
        if let Some(listener) = self.recorded.get() {
            let call_ids: Vec<&str> = frames.iter().map(|stored| stored.frame.call_id.as_str()).collect();
            listener(&call_ids);
        }
        self.counters.note_drained(frames.len() as u64);
    }

    /// Lets go of what the ledger has. Says whether some of it is left. What stays is handed over once more at the next
    /// start, and known there.
    async fn forget(&self) -> bool {
        self.file.forget(self.position).await.unwrap_or_else(|error| {
            self.counters.note_error("recorded calls could not be taken out of the spool", &error);
            true
        })
    }

    async fn set_aside(&self, stored: &StoredFrame, reason: &str) -> Result<(), LedgerError> {
        self.file.set_aside(stored.number).await?;
        self.counters.note_rejected(&stored.frame.call_id, &reason);
        Ok(())
    }
}

fn is_too_old(applied: &Applied) -> bool {
    applied.outcome == ApplyOutcome::TooOld
}
