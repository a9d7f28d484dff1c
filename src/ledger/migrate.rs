//! Brings the schema up to date. The two folders under `migrations/` hold the same versions under the same names.

use super::LedgerError;
use super::db::{Db, beside};
use sqlx::Connection;
use sqlx::migrate::Migrator;
use std::fs::File;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

pub(super) async fn run(db: &Db) -> Result<(), LedgerError> {
    match db {
        Db::Sqlite { path, writer, .. } => {
            // sqlx takes no lock for SQLite migrations, so two processes would run them at once.
            let lock = File::create(beside(path, "migrating")).map_err(unavailable)?;
            let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.map_err(unavailable)?;
            let _held_until_done = lock.map_err(unavailable)?;
            SQLITE.run(writer).await?;
        }
        Db::Postgres(pool) => {
            // A connection of its own, that waits as long as it takes another process to migrate.
            let mut connection = pool.acquire().await?.detach();
            sqlx::query("set lock_timeout = 0").execute(&mut connection).await?;
            POSTGRES.run(&mut connection).await?;
            connection.close().await?;
        }
    }
    Ok(())
}

fn unavailable(error: impl std::fmt::Display) -> LedgerError {
    LedgerError::Unavailable(error.to_string())
}
