//! How much there is: of events, on disk, and in the spool. For `doctor`, `/readyz` and the Settings.

use super::db::{Db, bytes_of, with_reader};
use super::{Ledger, LedgerError};
use serde::Serialize;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What the ledger holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSizes {
    /// Of the file and its log; of the whole database on PostgreSQL.
    pub database_bytes: u64,
    pub spool_bytes: u64,
    pub events: i64,
    /// UTC milliseconds, as all of these.
    pub oldest_event_at_ms: Option<i64>,
    pub newest_event_at_ms: Option<i64>,
    /// When the event that was recorded last was recorded, by the clock of then.
    pub last_recorded_at_ms: Option<i64>,
}

/// Sizes and when they were taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasuredSizes {
    pub measured_at_ms: i64,
    #[serde(flatten)]
    pub sizes: LedgerSizes,
}

/// What was measured last.
pub(super) type LastMeasured = Arc<Mutex<Option<MeasuredSizes>>>;

impl Ledger {
    /// Measures, which counts every event, and remembers it for [`Self::measured`].
    pub async fn measure(&self, spool: &Path, now_ms: i64) -> Result<LedgerSizes, LedgerError> {
        let (events, oldest, newest, last_id): (i64, Option<i64>, Option<i64>, Option<String>) = with_reader!(
            &self.db,
            |pool| {
                sqlx::query_as(
                    "select cast(count(*) as bigint), min(occurred_at_ms), max(occurred_at_ms), max(id) from usage_event",
                )
                .fetch_one(pool)
                .await?
            }
        );
        let sizes = LedgerSizes {
            database_bytes: self.database_bytes().await?,
            spool_bytes: bytes_of(spool),
            events,
            oldest_event_at_ms: oldest,
            newest_event_at_ms: newest,
            last_recorded_at_ms: last_id.as_deref().and_then(made_at_ms),
        };
        let measured = MeasuredSizes { measured_at_ms: now_ms, sizes: sizes.clone() };
        *self.measured.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
        Ok(sizes)
    }

    /// `SQLite` or `PostgreSQL`.
    pub fn database_name(&self) -> &'static str {
        match &self.db {
            Db::Sqlite { .. } => "SQLite",
            Db::Postgres { .. } => "PostgreSQL",
        }
    }

    /// What [`Self::measure`] found when it last looked; none before that.
    pub fn measured(&self) -> Option<MeasuredSizes> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn database_bytes(&self) -> Result<u64, LedgerError> {
        match &self.db {
            Db::Sqlite { path, .. } => Ok(bytes_of(path)),
            Db::Postgres { pool, .. } => {
                let bytes: i64 =
                    sqlx::query_scalar("select pg_database_size(current_database())").fetch_one(pool).await?;
                Ok(bytes.unsigned_abs())
            }
        }
    }
}

/// The time in an event's id, which is a UUIDv7. Other ids tell none.
fn made_at_ms(id: &str) -> Option<i64> {
    let (seconds, nanos) = uuid::Uuid::parse_str(id).ok()?.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok()?.checked_mul(1_000)?.checked_add(i64::from(nanos / 1_000_000))
}
