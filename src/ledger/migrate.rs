//! Brings the schema up to date. The two folders under `migrations/` hold the same versions under the same names.

use super::LedgerError;
use super::db::{Db, beside, with_reader};
use sqlx::Connection;
use sqlx::migrate::{MigrateError, Migrator};
use std::fs::File;

pub(super) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
pub(super) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

pub(super) async fn run(db: &Db) -> Result<(), LedgerError> {
    match db {
        Db::Sqlite { path, writer, .. } => {
            // sqlx takes no lock for SQLite migrations, so two processes would run them at once.
            let lock = File::create(beside(path, "migrating")).map_err(unavailable)?;
            let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.map_err(unavailable)?;
            let _held_until_done = lock.map_err(unavailable)?;
            SQLITE.run(writer).await?;
        }
        Db::Postgres { pool, .. } => {
            // A connection of its own, that waits as long as it takes another process to migrate.
            let mut connection = pool.acquire().await?.detach();
            sqlx::query("set lock_timeout = 0").execute(&mut connection).await?;
            POSTGRES.run(&mut connection).await?;
            connection.close().await?;
        }
    }
    Ok(())
}

/// The newest migration that this program has.
pub fn newest_version() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The newest migration that the database has seen.
pub(super) async fn version_of(db: &Db) -> Result<i64, LedgerError> {
    let version = with_reader!(db, |pool| sqlx::query_scalar(SCHEMA_VERSION).fetch_one(pool).await?);
    Ok(version)
}

/// sqlx keeps the migrations that ran in a table of its own.
pub(super) const SCHEMA_VERSION: &str =
    "select cast(coalesce(max(version), 0) as bigint) from _sqlx_migrations where success = true";

impl From<MigrateError> for LedgerError {
    fn from(error: MigrateError) -> Self {
        let known = newest_version();
        match error {
            MigrateError::VersionMissing(found) if found > known => Self::NewerSchema { found, known },
            _ => Self::Migrate(error),
        }
    }
}

fn unavailable(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Unavailable(error.to_string())
}
