//! How many calls were lost because they could not be written, so that a restart does not take it back. It is one row that is changed
//! where it is, which needs no room.

use crate::domain::recorder_health::LostCalls;
use crate::ledger::LedgerError;
use rusqlite::{Connection, params};

pub(super) const LOSS_TABLE: &str = "\
    create table if not exists lost (number integer primary key check (number = 1), spool_full integer not null, \
        spool_unavailable integer not null, overloaded integer not null, last_at_ms integer not null) strict; \
    insert or ignore into lost values (1, 0, 0, 0, 0)";

/// Calls of which nothing is kept. Those that the ledger refuses are kept, and not counted here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    pub calls: LostCalls,
    /// When the last of them ended, in UTC milliseconds.
    pub last_at_ms: i64,
}

pub(super) fn read(connection: &Connection) -> Result<Losses, LedgerError> {
    let lost = "select spool_full, spool_unavailable, overloaded, last_at_ms from lost";
    Ok(connection.query_one(lost, [], |row| {
        let calls = |column| row.get(column).map(i64::unsigned_abs);
        let calls = LostCalls {
            spool_full: calls(0)?,
            spool_unavailable: calls(1)?,
            overloaded: calls(2)?,
            ..LostCalls::default()
        };
        Ok(Losses { calls, last_at_ms: row.get(3)? })
    })?)
}

pub(super) fn write(connection: &Connection, Losses { calls, last_at_ms }: &Losses) -> Result<(), LedgerError> {
    let LostCalls { spool_full, spool_unavailable, overloaded, .. } = *calls;
    connection.execute(
        "update lost set spool_full = ?1, spool_unavailable = ?2, overloaded = ?3, last_at_ms = ?4",
        params![spool_full as i64, spool_unavailable as i64, overloaded as i64, last_at_ms],
    )?;
    Ok(())
}
