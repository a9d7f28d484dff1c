//! One session log as a stream: many lines in, one record a request out, in bounded memory.
//!
//! Claude Code writes one line per content block, each with the usage known at that moment, and copies lines into
//! resumed sessions. Why the rule below is the right one: `docs/decisions/0001-log-deduplication.md`.

use super::line::{Line, LineError, Sighting, parse_line};
use crate::capture::import::BROKEN_LINES_KEPT;
use crate::capture::import::lines::{NextLine, read_line};
use crate::domain::usage::{UsageRecord, UserId};
use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead};
use std::ops::ControlFlow;

/// A line may carry a pasted file or picture, so the limit is generous.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;
/// How many requests are folded before they are handed on. The lines of a request stand close together, and the
/// ledger folds again by the same key, so a border costs an update at most.
const MAX_FOLDED_REQUESTS: usize = 4096;

/// What a session log held beside its records.
#[derive(Debug, Default)]
pub struct SessionReport {
    pub lines: u64,
    pub records: u64,
    pub synthetic_skipped: u64,
    /// The first [`BROKEN_LINES_KEPT`] broken lines, counted from 1.
    pub broken: Vec<(u64, LineError)>,
    pub broken_count: u64,
}

/// Reads a session log to its end or until `emit` breaks off. A parent record comes before its parts.
///
/// Broken lines are reported and passed over. A last line without an end that cannot be read is no error: Claude Code
/// is still writing it, and the grown file is read again next time.
///
/// # Errors
/// When the reader fails; records emitted so far stay valid.
pub fn read_session(
    mut reader: impl BufRead,
    user: &UserId,
    mut emit: impl FnMut(UsageRecord) -> ControlFlow<()>,
) -> io::Result<SessionReport> {
    let mut report = SessionReport::default();
    let mut fold = Fold::default();
    let mut line = Vec::new();
    loop {
        let next = read_line(&mut reader, &mut line, MAX_LINE_BYTES)?;
        let parsed = match next {
            NextLine::End => break,
            NextLine::TooLong => Err(LineError::TooLong(MAX_LINE_BYTES)),
            NextLine::Complete | NextLine::Unterminated => match line.trim_ascii() {
                [] => Ok(Line::Other),
                text => parse_line(text, user),
            },
        };
        report.lines += 1;
        match parsed {
            Ok(Line::Usage(sighting)) => fold.add(*sighting),
            Ok(Line::Synthetic) => report.synthetic_skipped += 1,
            Ok(Line::Other) => {}
            Err(LineError::NotJson(_)) if next == NextLine::Unterminated => {}
            Err(error) => report.add_broken(error),
        }
        if fold.sightings.len() >= MAX_FOLDED_REQUESTS && fold.empty_into(&mut report, &mut emit).is_break() {
            return Ok(report);
        }
    }
    // Broken off or not, there is nothing left to do.
    let _ = fold.empty_into(&mut report, &mut emit);
    Ok(report)
}

impl SessionReport {
    fn add_broken(&mut self, error: LineError) {
        self.broken_count += 1;
        if self.broken.len() < BROKEN_LINES_KEPT {
            self.broken.push((self.lines, error));
        }
    }
}

/// The requests seen so far, in the order of their first line.
#[derive(Default)]
struct Fold {
    sightings: Vec<Sighting>,
    index_by_key: HashMap<String, usize>,
}

impl Fold {
    /// Keeps the whole line with the largest output, the later one of equals: the figures of one line belong
    /// together (a fallback changes model and cache figures in the middle), so no maximum per field.
    fn add(&mut self, mut sighting: Sighting) {
        let Some(&index) = self.index_by_key.get(&sighting.record.dedup_key) else {
            self.index_by_key.insert(sighting.record.dedup_key.clone(), self.sightings.len());
            self.sightings.push(sighting);
            return;
        };
        let known = &mut self.sightings[index];
        // Each line shows one content block: only together do they name all tools of the message.
        let mut tools = std::mem::take(&mut known.record.context.tools_used);
        let new_tools = std::mem::take(&mut sighting.record.context.tools_used);
        for tool in new_tools {
            if !tools.contains(&tool) {
                tools.push(tool);
            }
        }
        let is_sidechain = known.record.is_sidechain && sighting.record.is_sidechain;
        if sighting.record.tokens.output >= known.record.tokens.output {
            *known = sighting;
        }
        known.record.context.tools_used = tools;
        known.record.is_sidechain = is_sidechain;
    }

    fn empty_into(
        &mut self,
        report: &mut SessionReport,
        emit: &mut impl FnMut(UsageRecord) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.index_by_key.clear();
        let sightings = without_replays(std::mem::take(&mut self.sightings));
        for record in sightings.into_iter().flat_map(|sighting| std::iter::once(sighting.record).chain(sighting.parts))
        {
            report.records += 1;
            emit(record)?;
        }
        ControlFlow::Continue(())
    }
}

/// Side chains replay messages of their parent under a new request id: such a copy gives way to the original, or to
/// the first copy. Messages of a sub-agent's own are side chains too, but nobody else has their message ids.
fn without_replays(sightings: Vec<Sighting>) -> Vec<Sighting> {
    let message_id = |sighting: &Sighting| sighting.record.context.message_id.clone();
    let originals = sightings.iter().filter(|sighting| !sighting.record.is_sidechain);
    let mut known: HashSet<String> = originals.filter_map(message_id).collect();
    let mut is_first = |sighting: &Sighting| {
        !sighting.record.is_sidechain || message_id(sighting).is_none_or(|message_id| known.insert(message_id))
    };
    sightings.into_iter().filter(|sighting| is_first(sighting)).collect()
}
