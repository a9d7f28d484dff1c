//! The two tables that frames take turns in. Frames are added to one of them, the current segment, until it holds enough; then
//! the other one is current. Once the ledger has every call that ended in the older one it is emptied as a whole, which costs a
//! small part of what deleting each row does, and the frames of calls that still run are carried over. So a frame is
//! written at the end of a table that has no index: which frames belong to running calls is known here.

use super::losses::{self, LOSS_TABLE, Losses};
use super::{Frame, FrameKind, StoredFrame, stored_frame};
use crate::ledger::LedgerError;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many frames that nobody needs are worth emptying a segment; and how many are taken out of a larger one at once: few,
/// because a frame that is to be written waits meanwhile.
const SEGMENT_FRAMES: usize = 1024;
/// Fewer than that go after this time, so that the file holds what waits and little else.
const EMPTIED_EVERY: Duration = Duration::from_secs(1);
/// While more frames than this belong to running calls, time alone is no reason: carrying them over has its price.
const FEW_OPEN_FRAMES: usize = 64;
/// SQLite's own limit.
const UNLIMITED_PAGES: u64 = 0xffff_fffe;

/// What tells this spool from those of other servers on the same ledger.
const ID_TABLE: &str = "\
    create table if not exists spool_id (number integer primary key check (number = 1), id text not null) strict; \
    insert or ignore into spool_id values (1, lower(hex(randomblob(16))))";

/// `frame` is all that there is, for those who look in from outside.
pub(in crate::ledger) const FRAME_TABLES: &str = "\
    create table if not exists frame_1 (number integer primary key, kind integer not null, call_id text not null, \
        at_ms integer not null, payload text not null) strict; \
    create table if not exists frame_2 (number integer primary key, kind integer not null, call_id text not null, \
        at_ms integer not null, payload text not null) strict; \
    create table if not exists frame_rejected (number integer primary key, kind integer not null, call_id text not null, \
        at_ms integer not null, payload text not null) strict; \
    create view if not exists frame as select * from frame_1 union all select * from frame_2 \
        union all select * from frame_rejected";

/// Any row that is always there.
const HOLD: &str = "select 1 from sqlite_schema";

/// Rejected frames go where they are kept.
pub(in crate::ledger) const MOVE_REJECTED: &str =
    "insert into frame_rejected select * from frame_1 where kind = 4; delete from frame_1 where kind = 4";

const INSERT_REJECTED: &str =
    "insert into frame_rejected (number, kind, call_id, at_ms, payload) values (?1, ?2, ?3, ?4, ?5)";

/// Before there were segments there was one table, with an index. It becomes one where it is, because the file may be full.
const ADOPT_OLD_TABLE: &str =
    "drop index frame_call; alter table frame drop column epoch; alter table frame rename to frame_1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    One,
    Two,
}

/// The tables, and what has to be known to write into them.
#[derive(Debug)]
pub(super) struct Segments {
    connection: Connection,
    /// How large the file may get by new frames.
    max_pages: u64,
    current: Segment,
    current_frames: usize,
    older_frames: usize,
    next_number: i64,
    /// The numbers of the frames of calls that are not over.
    open: HashMap<String, Vec<i64>>,
    open_frames: usize,
    /// The ledger has every call that ended up to here.
    handed_over: i64,
    emptied_at: Option<Instant>,
    is_held: bool,
}

impl Segments {
    /// Over a database that has these tables, the older one, or none.
    pub(super) fn open(mut connection: Connection, max_pages: u64) -> Result<Self, LedgerError> {
        create_tables(&mut connection)?;
        let (frames_1, last_1) = count(&connection, Segment::One.table())?;
        let (frames_2, last_2) = count(&connection, Segment::Two.table())?;
        let (_, last) = count(&connection, "frame")?;
        let (current, current_frames, older_frames) =
            if last_1 >= last_2 { (Segment::One, frames_1, frames_2) } else { (Segment::Two, frames_2, frames_1) };
        let mut segments = Self {
            connection,
            max_pages,
            current,
            current_frames,
            older_frames,
            next_number: last + 1,
            open: HashMap::new(),
            open_frames: 0,
            handed_over: 0,
            emptied_at: None,
            is_held: false,
        };
        for StoredFrame { number, frame } in open_frames(&segments.connection)? {
            segments.note_open(number, frame.call_id);
        }
        segments.limit_pages(max_pages)?;
        Ok(segments)
    }

    pub(super) fn next_number(&self) -> i64 {
        self.next_number
    }

    /// Writes the frames, all or none.
    pub(super) fn append<'a>(&mut self, frames: impl Iterator<Item = &'a Frame> + Clone) -> Result<(), LedgerError> {
        self.hold()?;
        let numbered = (self.next_number..).zip(frames);
        // One statement is a transaction by itself.
        let written = if numbered.clone().nth(1).is_none() {
            self.insert(numbered.clone())
        } else {
            self.insert_together(numbered.clone())
        };
        if written.is_err() {
            self.let_go()?;
        }
        written?;
        for (number, frame) in numbered {
            self.note_written(number, frame);
        }
        Ok(())
    }

    /// As [`Self::append`], also where the file is full.
    pub(super) fn append_beyond_limit(&mut self, frames: &[Frame]) -> Result<(), LedgerError> {
        self.beyond_limit(|segments| segments.append(frames.iter()))
    }

    /// Keeps a frame without handing it over again, also where the file is full.
    pub(super) fn set_aside(&mut self, number: i64) -> Result<(), LedgerError> {
        self.beyond_limit(|segments| segments.move_aside(number))
    }

    /// Whether the call has begun and is not over.
    pub(super) fn has_open(&self, call_id: &str) -> bool {
        self.open.contains_key(call_id)
    }

    pub(super) fn keep_losses(&mut self, losses: &Losses) -> Result<(), LedgerError> {
        losses::write(&self.connection, losses)
    }

    /// The ledger has every call that ended up to here, or it is set aside.
    pub(super) fn note_handed_over(&mut self, until: i64) {
        self.handed_over = until;
    }

    /// Takes some of what nobody needs any more out, if that is worth it or has to be. Says whether it did, so that there may
    /// be more.
    pub(super) fn empty_some(&mut self, has_to_be: bool) -> Result<bool, LedgerError> {
        if self.older_frames == 0 {
            if self.remains() == 0 || !(has_to_be || self.is_worth_emptying()) {
                return Ok(false);
            }
            self.current = self.current.other();
            self.older_frames = std::mem::take(&mut self.current_frames);
        }
        if self.is_older_needed()? {
            return Ok(false);
        }
        self.beyond_limit(Self::empty_older)?;
        Ok(true)
    }

    /// Whether something is there that is going to be taken out.
    pub(super) fn has_remains(&self) -> bool {
        self.older_frames > 0 || self.remains() > 0
    }

    /// Keeps a read transaction open from one write to the next: then a write takes two locks of the file instead of six.
    /// While it is open, the log can be copied only as far as it was when it began ([`Self::let_go`]).
    fn hold(&mut self) -> Result<(), LedgerError> {
        if !self.is_held {
            let mut statement = self.connection.prepare_cached(HOLD)?;
            let mut rows = statement.query([])?;
            rows.next()?;
            // Dropped, they would end the statement, and with it the transaction.
            std::mem::forget(rows);
            self.is_held = true;
        }
        Ok(())
    }

    /// Lets all of the log be copied into the file, and be filled from its beginning again.
    pub(super) fn let_go(&mut self) -> Result<(), LedgerError> {
        if std::mem::take(&mut self.is_held) {
            // Asked anew and dropped, the statement ends.
            drop(self.connection.prepare_cached(HOLD)?.query([])?);
        }
        Ok(())
    }

    /// Copies the log into the file and leaves it empty.
    pub(super) fn truncate_log(&mut self) -> Result<(), LedgerError> {
        self.let_go()?;
        Ok(self.connection.query_one("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?)
    }

    /// Does what frames need so that they can leave. Of a full file that may take a page more than it sets free.
    fn beyond_limit(&mut self, work: impl FnOnce(&mut Self) -> Result<(), LedgerError>) -> Result<(), LedgerError> {
        self.limit_pages(UNLIMITED_PAGES)?;
        let done = work(self);
        // What is done is done. Where this fails, the limit is back after the next time.
        self.limit_pages(self.max_pages).ok();
        done
    }

    /// A file that has more pages already gets no further ones.
    fn limit_pages(&self, max_pages: u64) -> Result<(), LedgerError> {
        let mut limit = self.connection.prepare_cached(&format!("pragma max_page_count = {max_pages}"))?;
        Ok(limit.query_one([], |_| Ok(()))?)
    }

    fn insert_together<'a>(&self, numbered: impl Iterator<Item = (i64, &'a Frame)>) -> Result<(), LedgerError> {
        self.execute("begin immediate")?;
        let written = self.insert(numbered).and_then(|()| self.execute("commit"));
        // Where SQLite did not do so by itself, as it does when the disk is full.
        if written.is_err() && !self.connection.is_autocommit() {
            self.execute("rollback")?;
        }
        written
    }

    fn insert<'a>(&self, numbered: impl Iterator<Item = (i64, &'a Frame)>) -> Result<(), LedgerError> {
        let mut insert = self.connection.prepare_cached(self.current.insert())?;
        for (number, Frame { kind, call_id, at_ms, payload }) in numbered {
            insert.execute(params![number, *kind as i64, call_id, at_ms, payload])?;
        }
        Ok(())
    }

    fn execute(&self, statement: &str) -> Result<(), LedgerError> {
        self.connection.prepare_cached(statement)?.execute([])?;
        Ok(())
    }

    fn note_written(&mut self, number: i64, frame: &Frame) {
        self.next_number = number + 1;
        self.current_frames += 1;
        if matches!(frame.kind, FrameKind::Start | FrameKind::Usage) {
            self.note_open(number, frame.call_id.clone());
        } else if let Some(of_call) = self.open.remove(&frame.call_id) {
            self.open_frames -= of_call.len();
        }
    }

    fn note_open(&mut self, number: i64, call_id: String) {
        self.open.entry(call_id).or_default().push(number);
        self.open_frames += 1;
    }

    /// Frames of calls that are over, while all that is open is in the current segment.
    fn remains(&self) -> usize {
        self.current_frames.saturating_sub(self.open_frames)
    }

    fn is_worth_emptying(&self) -> bool {
        let is_time = self.emptied_at.is_none_or(|at| at.elapsed() >= EMPTIED_EVERY);
        self.remains() >= SEGMENT_FRAMES.max(self.open_frames) || (is_time && self.open_frames <= FEW_OPEN_FRAMES)
    }

    /// Whether a call ended in the older segment that the ledger does not have.
    fn is_older_needed(&self) -> Result<bool, LedgerError> {
        let older = self.current.other().table();
        let needed = format!("select exists (select 1 from {older} where number > ?1 and kind = ?2)");
        let mut needed = self.connection.prepare_cached(&needed)?;
        Ok(needed.query_one(params![self.handed_over, FrameKind::End as i64], |row| row.get(0))?)
    }

    fn move_aside(&mut self, number: i64) -> Result<(), LedgerError> {
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let mut taken = [0, 0];
        for (segment, taken) in [self.current, self.current.other()].into_iter().zip(&mut taken) {
            let frames = frames_of(&transaction, segment.table(), std::iter::once(number))?;
            // Before it is added, because the file may be full.
            *taken = transaction.execute(&format!("delete from {} where number = ?1", segment.table()), [number])?;
            for StoredFrame { number, frame: Frame { call_id, at_ms, payload, .. } } in frames {
                let rejected = FrameKind::Rejected as i64;
                transaction.execute(INSERT_REJECTED, params![number, rejected, call_id, at_ms, payload])?;
            }
        }
        transaction.commit()?;
        let [from_current, from_older] = taken;
        self.current_frames -= from_current;
        self.older_frames -= from_older;
        Ok(())
    }

    /// Empties the older segment, or the beginning of a large one, but for what is open.
    fn empty_older(&mut self) -> Result<(), LedgerError> {
        let older = self.current.other().table();
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let end = if self.older_frames > 2 * SEGMENT_FRAMES { nth(&transaction, older, SEGMENT_FRAMES)? } else { None };
        let open = self.open.values().flatten().copied().filter(|number| end.is_none_or(|end| *number < end));
        let carried = frames_of(&transaction, older, open)?;
        // Before anything is added, because the file may be full.
        let emptied = match end {
            Some(end) => transaction.execute(&format!("delete from {older} where number < ?1"), [end])?,
            // Without a condition SQLite lets go of pages and looks at no row.
            None => transaction.execute(&format!("delete from {older}"), []).map(|_| self.older_frames)?,
        };
        let mut insert = transaction.prepare_cached(self.current.insert())?;
        for StoredFrame { number, frame: Frame { kind, call_id, at_ms, payload } } in &carried {
            insert.execute(params![number, *kind as i64, call_id, at_ms, payload])?;
        }
        drop(insert);
        transaction.commit()?;
        self.older_frames -= emptied;
        self.current_frames += carried.len();
        self.emptied_at = Some(Instant::now());
        Ok(())
    }
}

/// Tells this spool from those of other servers on the same ledger.
pub(super) fn read_id(connection: &Connection) -> Result<String, LedgerError> {
    Ok(connection.query_one("select id from spool_id", [], |row| row.get(0))?)
}

/// The frames of calls that are not over, each call's in their order.
pub(super) fn open_frames(connection: &Connection) -> Result<Vec<StoredFrame>, LedgerError> {
    let mut open = connection.prepare(
        "select number, kind, call_id, at_ms, payload from frame where call_id not in \
         (select call_id from frame where kind in (?1, ?2)) order by call_id, number",
    )?;
    let over = params![FrameKind::End as i64, FrameKind::Rejected as i64];
    open.query_and_then(over, stored_frame)?.collect()
}

impl Segment {
    fn other(self) -> Self {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::One,
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::One => "frame_1",
            Self::Two => "frame_2",
        }
    }

    fn insert(self) -> &'static str {
        match self {
            Self::One => "insert into frame_1 (number, kind, call_id, at_ms, payload) values (?1, ?2, ?3, ?4, ?5)",
            Self::Two => "insert into frame_2 (number, kind, call_id, at_ms, payload) values (?1, ?2, ?3, ?4, ?5)",
        }
    }
}

fn create_tables(connection: &mut Connection) -> Result<(), LedgerError> {
    let is_old = "select exists (select 1 from sqlite_schema where type = 'table' and name = 'frame')";
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    if transaction.query_one(is_old, [], |row| row.get(0))? {
        transaction.execute_batch(ADOPT_OLD_TABLE)?;
        transaction.execute_batch(FRAME_TABLES)?;
        transaction.execute_batch(MOVE_REJECTED)?;
    } else {
        transaction.execute_batch(FRAME_TABLES)?;
    }
    transaction.execute_batch(LOSS_TABLE)?;
    transaction.execute_batch(ID_TABLE)?;
    Ok(transaction.commit()?)
}

/// How many rows there are, and the last one's number.
fn count(connection: &Connection, table: &str) -> Result<(usize, i64), LedgerError> {
    let count = format!("select count(*), coalesce(max(number), 0) from {table}");
    let (rows, last): (i64, i64) = connection.query_one(&count, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((rows.unsigned_abs() as usize, last))
}

/// The number of the frame that has so many before it.
fn nth(connection: &Connection, table: &str, before: usize) -> Result<Option<i64>, LedgerError> {
    let nth = format!("select number from {table} order by number limit 1 offset ?1");
    Ok(connection.query_one(&nth, [before as i64], |row| row.get(0)).optional()?)
}

/// Those of these frames that are in the table.
fn frames_of(
    connection: &Connection,
    table: &str,
    numbers: impl Iterator<Item = i64>,
) -> Result<Vec<StoredFrame>, LedgerError> {
    let frame = format!("select number, kind, call_id, at_ms, payload from {table} where number = ?1");
    let mut frame = connection.prepare_cached(&frame)?;
    let mut frames = Vec::new();
    for number in numbers {
        frames.extend(frame.query_and_then([number], stored_frame)?.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(frames)
}
