//! What the Settings tell whoever manages this Tollbridge about itself.

use super::codec::Json;
use super::error::AppError;
use leptos::prelude::*;

/// Names and values, as they are shown: version, sizes, ages, room. None for who does not manage the server.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_system() -> Result<Option<Vec<(String, String)>>, AppError> {
    if !super::principal::principal()?.manages_server() {
        return Ok(None);
    }
    let state = expect_context::<crate::http::state::AppState>();
    facts::of(&state).await.map(Some).map_err(super::error::refuse)
}

#[cfg(feature = "ssr")]
mod facts {
    use crate::app::format::{bytes, counted, moment, short_date};
    use crate::domain::money::group_thousands;
    use crate::domain::period::local_date;
    use crate::domain::price::catalogue_day;
    use crate::http::state::AppState;
    use crate::http::system::{free_bytes, last_backup_at_ms};
    use crate::ledger::{LedgerError, LedgerSizes, keep_from_ms};

    pub(super) async fn of(state: &AppState) -> Result<Vec<(String, String)>, LedgerError> {
        let (ledger, config, now_ms) = (&state.ledger, &state.config, state.clock.now_ms());
        let zone = ledger.time_zone();
        let today = local_date(&zone, now_ms);
        let at = |at_ms: i64| moment(&zone.format_instant(at_ms), today);
        // Counting every event takes a while, and serve does it every hour.
        let (sizes, measured) = match ledger.measured() {
            Some(measured) => (measured.sizes, format!("measured {}", at(measured.measured_at_ms))),
            None => (ledger.measure(&config.spool_path(), now_ms).await?, "measured just now".into()),
        };
        let since = sizes.oldest_event_at_ms.map(|at_ms| format!(" since {}", short_date(local_date(&zone, at_ms))));
        let catalogue = catalogue_day().map_or_else(
            || "of an unknown day".into(),
            |day| {
                format!(
                    "catalogue of {}, {} old",
                    short_date(day),
                    counted((today - day).num_days().max(0).unsigned_abs(), "day", "days")
                )
            },
        );
        let cards = counted(state.prices.len() as u64, "card", "cards");
        let own = config.settings.prices.card.len();
        let backup = match last_backup_at_ms(config) {
            Some(at_ms) => at(at_ms),
            None if ledger.database_name() == "PostgreSQL" => "not known here: pg_dump makes it".into(),
            None => "none in the data folder".into(),
        };
        let free = free_bytes(&config.settings.server.data_dir).map_or_else(|_| "not known".into(), bytes);
        let facts = [
            ("Version", format!("{}, schema {}", env!("CARGO_PKG_VERSION"), ledger.schema_version().await?)),
            ("Database", format!("{}, {}", ledger.database_name(), bytes(sizes.database_bytes))),
            (
                "Events",
                format!("{}{}, {measured}", group_thousands(sizes.events.unsigned_abs()), since.unwrap_or_default()),
            ),
            ("Events are kept", retention(state, &sizes).await?),
            ("Prices", format!("{cards}, {own} of them your own; {catalogue}")),
            ("Last backup", backup),
            ("Free in the data folder", free),
            ("Days begin in", zone.name().to_owned()),
        ];
        Ok(facts.map(|(name, value)| (name.to_owned(), value)).into())
    }

    async fn retention(state: &AppState, sizes: &LedgerSizes) -> Result<String, LedgerError> {
        let days = state.config.settings.retention.events_days;
        let Some(line) = keep_from_ms(sizes, state.clock.now_ms(), days) else {
            return Ok(if days == 0 { "for good".into() } else { format!("{days} days; there are none") });
        };
        let old = match state.ledger.events_before(line).await? {
            0 => "none is older".into(),
            some => format!("{} older, removed within the hour", counted(some.unsigned_abs(), "is", "are")),
        };
        Ok(format!("{days} days; {old}"))
    }
}
