//! The database: the only place that names SQL. One text serves SQLite and PostgreSQL; see `db` for how.
//!
//! `apply` is the one door for usage events (events and rollups in one transaction), `usage` answers questions from
//! rollups alone, `event` pages through single events, `budget`, `key`, `setting` and `import_file` keep small tables,
//! `caller` tells whose key it is that a client shows, `batch` whose a message batch is and so its results,
//! `alert` keeps what was seen and `evidence` is what the watch asks for, `pause` keeps sessions that spent too fast,
//! `account`, `session` and `invite` say who may use the dashboard (`password` and `token` keep their secrets as hashes), `audit` says
//! who changed what, in the transaction of each such change, `price` notes which prices are in force,
//! `retention` removes old events and leaves their sums, `erasure` takes everything of somebody away, `whose` says whose usage can
//! be asked for and what it is measured by, `doctor` proves that the rollups equal the events, and `size` tells how
//! much there is. `channel` keeps where alerts go, and `delivery` what is on its way there. `live` tells who listens that a user's
//! numbers moved. `spool` is a file of its own, in which calls wait for the ledger. `backup` copies both into one file while they
//! are written to, and `restore` puts such a file in their place. What usage costs is decided before it gets here.

mod account;
mod alert;
mod apply;
mod audit;
pub mod backup;
mod batch;
mod budget;
mod caller;
mod channel;
mod db;
mod delivery;
mod digest;
mod doctor;
mod erasure;
mod event;
mod evidence;
mod import_file;
pub mod invite;
pub mod key;
mod live;
mod loss_notice;
mod migrate;
pub mod oidc;
mod page;
mod password;
mod pause;
mod price;
mod removal;
pub mod restore;
mod retention;
mod rollup;
mod session;
mod setting;
mod size;
pub mod spool;
#[cfg(test)]
pub(crate) mod tests;
pub mod token;
mod usage;
mod whose;

pub use alert::{AlertAbout, AlertFilter, AlertPage};
pub use apply::{Applied, ApplyOutcome};
pub use audit::{AuditFilter, AuditLimits, AuditPage};
pub use batch::{BatchClaim, BatchOwner};
pub use caller::{Known, Reliability};
pub use db::{LedgerLock, sqlite_path};
pub use delivery::{DueDelivery, Outcome};
pub use doctor::RollupCheck;
pub use event::{EventFilter, EventPage};
pub use evidence::WatchTurn;
pub use import_file::FileMark;
pub use migrate::newest_version as newest_schema;
pub use retention::keep_from_ms;
pub use size::{LedgerSizes, MeasuredSizes};
pub use usage::SourceUse;
pub use whose::UsageOwner;

use crate::domain::period::Zone;
use crate::domain::query::QueryError;
use db::Db;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, RwLock};

/// The open ledger. Cheap to clone; all clones share the connections.
#[derive(Clone, Debug)]
pub struct Ledger {
    db: Db,
    /// The zone in which day rollups are cut. Questions in this zone are answered from days, others from quarters.
    day_zone: Arc<RwLock<Zone>>,
    versions: live::Versions,
    callers: caller::KnownCallers,
    /// Grows with every change of a budget in this process.
    budget_version: Arc<AtomicU64>,
    /// Grows with every pause of a session that begins or ends in this process.
    pause_version: Arc<AtomicU64>,
    hashing: password::Hashing,
    measured: size::LastMeasured,
}

/// What can go wrong with the ledger; `http::error` maps it to a status and a public message.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("{}: {}", .0.field, .0.message)]
    Query(#[from] QueryError),
    /// Another connection held the write lock for longer than the busy time-out; the call can be repeated.
    #[error("the database is busy")]
    Busy,
    /// The disk or a quota is full; nothing of the call was written.
    #[error("no space is left for the database")]
    Full,
    #[error("the database cannot be reached: {0}")]
    Unavailable(String),
    #[error("another Tollbridge serves {}", .path.display())]
    Locked { path: PathBuf },
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    #[error("SQLite {found} can lose commits (sqlite.org/wal.html#walresetbug); {needed} or newer is needed")]
    OldSqlite { found: String, needed: &'static str },
    #[error("not a database address: {0}")]
    Address(String),
    #[error("the schema could not be brought up to date: {0}")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    #[error(
        "its schema has seen version {found}, and this Tollbridge knows versions up to {known}: a newer Tollbridge made it, and \
         that one or a later one has to open it"
    )]
    NewerSchema { found: i64, known: i64 },
    /// A sum left the range of its integer, or a row holds what was never written.
    #[error("a stored value is out of range: {0}")]
    OutOfRange(&'static str),
    #[error("a password could not be hashed: {0}")]
    Hash(String),
    #[error(transparent)]
    Database(sqlx::Error),
    #[error("the spool: {0}")]
    Spool(rusqlite::Error),
}

impl Ledger {
    /// Opens the ledger at `url` (`sqlite:PATH` or `postgres://…`), creating the file and bringing the schema up to
    /// date. `time_zone` is the instance's: day rollups made in another one are made again.
    pub async fn open(url: &str, time_zone: &Zone) -> Result<Self, LedgerError> {
        let db = Db::open(url).await?;
        migrate::run(&db).await?;
        let ledger = Self::over(db, time_zone);
        match ledger.setting(setting::TIME_ZONE).await? {
            Some(name) if name == time_zone.name() => {}
            _ => ledger.set_time_zone(time_zone).await?,
        }
        ledger.begin_to_look().await?;
        Ok(ledger)
    }

    /// Opens the ledger at `url` to look at it: the schema stays as it is, and so do the days' zone and their rollups.
    pub async fn open_as_it_is(url: &str) -> Result<Self, LedgerError> {
        let ledger = Self::over(Db::open(url).await?, &Zone::UTC);
        if let Some(name) = ledger.setting(setting::TIME_ZONE).await? {
            let zone = Zone::parse(&name).map_err(|_| LedgerError::OutOfRange("setting.time_zone"))?;
            ledger.cut_days_in(zone);
        }
        Ok(ledger)
    }

    /// The newest migration that the ledger has seen.
    pub async fn schema_version(&self) -> Result<i64, LedgerError> {
        migrate::version_of(&self.db).await
    }

    /// Claims the ledger for one serving process. A second one is refused with [`LedgerError::Locked`] on SQLite;
    /// PostgreSQL takes as many as come.
    pub fn claim(&self) -> Result<Option<LedgerLock>, LedgerError> {
        self.db.claim()
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), LedgerError> {
        self.db.ping().await
    }

    /// Finishes what is under way and closes every connection.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Keeps all other writers waiting until what is given back is dropped, as another process might.
    #[cfg(test)]
    pub(crate) async fn hold_for_test(&self) -> impl Sized {
        self.db.begin().await.expect("nobody else writes")
    }

    fn over(db: Db, day_zone: &Zone) -> Self {
        Self {
            db,
            day_zone: Arc::new(RwLock::new(*day_zone)),
            versions: live::Versions::default(),
            callers: caller::KnownCallers::default(),
            budget_version: Arc::default(),
            pause_version: Arc::default(),
            hashing: password::Hashing::default(),
            measured: size::LastMeasured::default(),
        }
    }

    fn cut_days_in(&self, zone: Zone) {
        *self.day_zone.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = zone;
    }

    /// The zone in which day rollups are cut.
    pub fn time_zone(&self) -> Zone {
        *self.day_zone.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl LedgerError {
    /// Whether it is about what was to be written, so that trying again cannot help and other events are not concerned.
    pub fn is_about_the_data(&self) -> bool {
        use sqlx::error::ErrorKind;
        match self {
            Self::OutOfRange(_) | Self::Query(_) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                // PostgreSQL's class 22: data exceptions, such as a NUL character in a text.
                !matches!(error.kind(), ErrorKind::Other) || error.code().is_some_and(|code| code.starts_with("22"))
            }
            Self::Database(sqlx::Error::Encode(_)) => true,
            _ => false,
        }
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => {
                Self::Unavailable(error.to_string())
            }
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                if let Some(known) = code.parse().ok().and_then(|code| of_sqlite(code, database.message())) {
                    return known;
                }
                match &*code {
                    // PostgreSQL's classes: 53 is out of resources (53100 disk full), 57 and 08 are gone or going.
                    "53100" => Self::Full,
                    "40001" | "40P01" | "55P03" => Self::Busy,
                    _ if code.starts_with("57") || code.starts_with("08") || code.starts_with("53") => {
                        Self::Unavailable(database.message().into())
                    }
                    _ => Self::Database(error),
                }
            }
            _ => Self::Database(error),
        }
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        let known = error.sqlite_error().and_then(|code| of_sqlite(code.extended_code, &error.to_string()));
        known.unwrap_or(Self::Spool(error))
    }
}

/// What a result code of SQLite means here (sqlite.org/rescode.html). None for those that are about the statement.
fn of_sqlite(code: i32, message: &str) -> Option<LedgerError> {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const IOERR: i32 = 10;
    const CORRUPT: i32 = 11;
    const FULL: i32 = 13;
    const NOTADB: i32 = 26;
    // The primary code is the low byte.
    match code & 0xff {
        BUSY | LOCKED => Some(LedgerError::Busy),
        FULL => Some(LedgerError::Full),
        IOERR => Some(LedgerError::Unavailable(message.into())),
        CORRUPT | NOTADB => Some(LedgerError::Corrupt(message.into())),
        _ => None,
    }
}
