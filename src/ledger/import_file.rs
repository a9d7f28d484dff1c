//! Which log files were read, so that the next import starts with what changed.

use super::db::{with_reader, with_tx};
use super::{Ledger, LedgerError};
use crate::domain::usage::UserId;
use std::collections::HashMap;

/// What a log file was like when it was last read to its end. Any difference means that it has to be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileMark {
    pub size_bytes: u64,
    /// UTC milliseconds; 0 where the file system keeps no such time.
    pub modified_at_ms: i64,
}

impl Ledger {
    /// The user's files that were read to their end, by path.
    pub async fn import_files(&self, user: &UserId) -> Result<HashMap<String, FileMark>, LedgerError> {
        let rows: Vec<(String, i64, i64)> = with_reader!(&self.db, |pool| {
            sqlx::query_as("select path, size_bytes, modified_at_ms from import_file where user_id = $1")
                .bind(&user.0)
                .fetch_all(pool)
                .await?
        });
        let mark = |size_bytes: i64, modified_at_ms| FileMark { size_bytes: size_bytes.unsigned_abs(), modified_at_ms };
        Ok(rows.into_iter().map(|(path, size, modified)| (path, mark(size, modified))).collect())
    }

    /// Notes that a file was read to its end. Call it when its usage is in the ledger.
    pub async fn save_import_file(&self, user: &UserId, path: &str, mark: FileMark) -> Result<(), LedgerError> {
        let mut tx = self.db.begin().await?;
        with_tx!(&mut tx, |connection| {
            sqlx::query(
                "insert into import_file (user_id, path, size_bytes, modified_at_ms) values ($1, $2, $3, $4) \
                 on conflict (user_id, path) do update set size_bytes = excluded.size_bytes, \
                 modified_at_ms = excluded.modified_at_ms",
            )
            .bind(&user.0)
            .bind(path)
            .bind(i64::try_from(mark.size_bytes).unwrap_or(i64::MAX))
            .bind(mark.modified_at_ms)
            .execute(connection)
            .await?;
        });
        tx.commit().await
    }
}
