//! Connections. An enum of pools instead of `sqlx::Any` (whose types are too few), and two macros that run one body on
//! whichever database is there. SQL texts are the same for both: `$1` parameters, every sum cast to bigint.

use super::LedgerError;
use sqlx::migrate::MigrateDatabase;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Postgres, Sqlite, Transaction};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Below it, two connections can lose commits (sqlite.org/wal.html#walresetbug).
const NEEDED_SQLITE: &str = "3.51.3";
/// Rows that share a statement, see [`in_groups`].
const GROUP_SIZES: [usize; 4] = [64, 16, 4, 1];
/// How long a writer waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const BUSY_TIMEOUT_TEXT: &str = "5s";
const READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 10;
/// Pages that each connection keeps, in KiB; SQLite takes a size in bytes as a negative number. The system's own cache has the
/// rest of the file.
const CACHE_KIB: i32 = -4_096;

#[derive(Clone, Debug)]
pub(super) enum Db {
    Sqlite {
        path: PathBuf,
        /// Which file that was when it was opened.
        file: Option<FileId>,
        /// One connection: SQLite takes one writer at a time, and waiting in our queue is fairer than in its lock.
        writer: SqlitePool,
        reader: SqlitePool,
        /// One connection, for questions that calls wait for: no report is before them.
        call_reader: SqlitePool,
    },
    Postgres {
        pool: PgPool,
        /// As on SQLite.
        call_reader: PgPool,
    },
}

/// A transaction on either database. Dropped without `commit`, it rolls back.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// What tells one file from another at the same path: its device and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

/// Held for as long as this process serves the ledger; the lock ends with the file.
#[derive(Debug)]
pub struct LedgerLock {
    _file: File,
}

/// Runs the body with the pool for reading: `with_reader!(db, |pool| …)`.
macro_rules! with_reader {
    ($db:expr, |$pool:ident| $body:expr) => {
        match $db {
            $crate::ledger::db::Db::Sqlite { reader: $pool, .. } => $body,
            $crate::ledger::db::Db::Postgres { pool: $pool, .. } => $body,
        }
    };
}

/// As `with_reader!`, for questions that calls wait for.
macro_rules! with_call_reader {
    ($db:expr, |$pool:ident| $body:expr) => {
        match $db {
            $crate::ledger::db::Db::Sqlite { call_reader: $pool, .. } => $body,
            $crate::ledger::db::Db::Postgres { call_reader: $pool, .. } => $body,
        }
    };
}

/// Runs the body with the transaction's connection: `with_tx!(tx, |connection| …)`.
macro_rules! with_tx {
    ($tx:expr, |$connection:ident| $body:expr) => {
        match $tx {
            $crate::ledger::db::Tx::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
            $crate::ledger::db::Tx::Postgres(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
        }
    };
}

pub(super) use {with_call_reader, with_reader, with_tx};

impl Db {
    pub(super) async fn open(url: &str) -> Result<Self, LedgerError> {
        if let Some(path) = sqlite_path(url) {
            return open_sqlite(path).await;
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return open_postgres(url).await;
        }
        Err(LedgerError::Address("it begins with sqlite: or postgres://".into()))
    }

    /// Starts a transaction that may write. On SQLite it takes the write lock at once: a transaction that reads first
    /// and writes later fails without waiting when another one wrote in between.
    pub(super) async fn begin(&self) -> Result<Tx, LedgerError> {
        self.check_file()?;
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("begin immediate").await?),
            Self::Postgres { pool, .. } => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Starts a transaction that only reads, and sees one moment however long it takes.
    pub(super) async fn begin_reading(&self) -> Result<Tx, LedgerError> {
        Ok(match self {
            Self::Sqlite { reader, .. } => Tx::Sqlite(reader.begin().await?),
            Self::Postgres { pool, .. } => {
                Tx::Postgres(pool.begin_with("begin isolation level repeatable read, read only").await?)
            }
        })
    }

    pub(super) fn claim(&self) -> Result<Option<LedgerLock>, LedgerError> {
        let Self::Sqlite { path, .. } = self else { return Ok(None) };
        claim_file(path).map(Some)
    }

    pub(super) async fn ping(&self) -> Result<(), LedgerError> {
        self.check_file()?;
        with_reader!(self, |pool| sqlx::query("select 1").execute(pool).await.map(|_| ()))?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { writer, reader, call_reader, .. } => {
                call_reader.close().await;
                reader.close().await;
                writer.close().await;
            }
            Self::Postgres { pool, call_reader } => {
                call_reader.close().await;
                pool.close().await;
            }
        }
    }

    /// What is written into a file that was deleted, moved or replaced is gone with this process at the latest, and SQLite
    /// itself does not notice.
    fn check_file(&self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite { path, file, .. } if file_id(path) != *file => {
                let path = path.display();
                Err(LedgerError::Unavailable(format!(
                    "{path} is not the file that was opened: put that back, or restart"
                )))
            }
            Self::Sqlite { .. } | Self::Postgres { .. } => Ok(()),
        }
    }
}

impl Tx {
    pub(super) async fn commit(self) -> Result<(), LedgerError> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

/// The file that a `sqlite:` address names; none for other addresses.
pub fn sqlite_path(url: &str) -> Option<&Path> {
    url.strip_prefix("sqlite:").map(|path| Path::new(path.trim_start_matches("//")))
}

/// One connection that only reads, beside whoever has the file open.
pub(super) async fn open_to_read(path: &Path) -> Result<SqliteConnection, LedgerError> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
    Ok(options.connect().await?)
}

/// A file that nobody else has open, without a log beside it.
pub(super) async fn open_alone(path: &Path) -> Result<SqliteConnection, LedgerError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Full)
        .disable_statement_logging();
    Ok(options.connect().await?)
}

/// The log that SQLite keeps beside a database.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Of a database and its log; 0 where there is none.
pub(super) fn bytes_of(path: &Path) -> u64 {
    [path, &log_of(path)].iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

/// Claims a database file for this process, by a lock on a file next to it.
pub(super) fn claim_file(path: &Path) -> Result<LedgerLock, LedgerError> {
    let file = File::create(beside(path, "serving")).map_err(|error| LedgerError::Unavailable(error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(LedgerLock { _file: file }),
        Err(_) => Err(LedgerError::Locked { path: path.to_owned() }),
    }
}

/// A file of ours next to the database, such as `ledger.db.serving`.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    PathBuf::from(name)
}

/// Rows in groups that share a statement. There are few sizes, so that few statements serve every number of rows: a prepared
/// statement of hundreds of rows takes a megabyte, and each connection keeps a hundred of them.
pub(super) fn in_groups<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = GROUP_SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (group, rest) = rows.split_at(size);
        rows = rest;
        Some(group)
    })
}

async fn open_sqlite(path: &Path) -> Result<Db, LedgerError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("cache_size", CACHE_KIB.to_string())
        // 16 MiB instead of 4: bulk imports rewrite the same pages, so fewer checkpoints copy them less often.
        .pragma("wal_autocheckpoint", "4000")
        .disable_statement_logging();
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        // When the disk is full, SQLite rolls back by itself. sqlx does not notice and takes the connection to be in a
        // transaction for ever after, in which no other can begin: such a connection is replaced.
        .before_acquire(|writer, _| Box::pin(async { Ok(!writer.is_in_transaction()) }))
        .connect_with(options.clone().create_if_missing(true))
        .await?;
    let found: String = sqlx::query_scalar("select sqlite_version()").fetch_one(&writer).await?;
    if version_of(&found) < version_of(NEEDED_SQLITE) {
        return Err(LedgerError::OldSqlite { found, needed: NEEDED_SQLITE });
    }
    keep_private(path)?;
    let readers = |count| SqlitePoolOptions::new().max_connections(count).idle_timeout(None).max_lifetime(None);
    let reader = readers(READERS).connect_with(options.clone().read_only(true)).await?;
    let call_reader = readers(1).connect_lazy_with(options.read_only(true));
    Ok(Db::Sqlite { path: path.to_owned(), file: file_id(path), writer, reader, call_reader })
}

async fn open_postgres(url: &str) -> Result<Db, LedgerError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| LedgerError::Address(error.to_string()))?
        .application_name("tollbridge")
        .options([("statement_timeout", "30s"), ("lock_timeout", BUSY_TIMEOUT_TEXT), ("synchronous_commit", "on")]);
    match Postgres::database_exists(url).await {
        Ok(true) => {}
        Ok(false) => Postgres::create_database(url).await?,
        Err(error @ sqlx::Error::Io(_)) => return Err(error.into()),
        // Who may not ask for a list of databases may still have one.
        Err(_) => {}
    }
    let connections = |count| PgPoolOptions::new().max_connections(count).acquire_timeout(BUSY_TIMEOUT);
    let pool = connections(POSTGRES_CONNECTIONS).connect_with(options.clone()).await?;
    Ok(Db::Postgres { pool, call_reader: connections(1).connect_lazy_with(options) })
}

/// None where there is no file, and where the system does not tell.
#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|file| FileId(file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn file_id(_path: &Path) -> Option<FileId> {
    None
}

#[cfg(unix)]
pub(super) fn keep_private(path: &Path) -> Result<(), LedgerError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| LedgerError::Unavailable(error.to_string()))
}

#[cfg(not(unix))]
pub(super) fn keep_private(_path: &Path) -> Result<(), LedgerError> {
    Ok(())
}

fn version_of(text: &str) -> [u32; 3] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::in_groups;

    #[test]
    fn groups_have_few_sizes_and_hold_every_row_in_its_order() {
        let rows: Vec<u32> = (0..1_000).collect();
        for count in [0, 1, 3, 63, 64, 65, 103, 1_000] {
            let groups: Vec<&[u32]> = in_groups(&rows[..count]).collect();
            assert_eq!(groups.concat(), rows[..count]);
            assert!(groups.iter().all(|group| [64, 16, 4, 1].contains(&group.len())), "{count}");
        }
    }
}
