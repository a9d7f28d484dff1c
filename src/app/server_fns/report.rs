//! What the Overview asks for: the report of a question, the hours of the week, and when the ledger last moved.

use super::codec::Json;
use super::error::AppError;
use crate::domain::heat_map::HeatMap;
use crate::domain::query::UsageQuery;
use crate::domain::report::UsageReport;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The newest call in the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatestCall {
    /// When it happened: `14:05` today, `21 Nov 14:05` before.
    pub time: String,
    /// IANA name of the zone of `time`.
    pub time_zone: String,
}

/// All figures of a period.
///
/// # Errors
/// [`AppError::Invalid`] names the part of the question that is wrong.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_report(query: UsageQuery) -> Result<UsageReport, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let scope = super::principal::principal()?.scope();
    state.ledger.report(&scope, &query, state.clock.now_ms()).await.map_err(super::error::refuse)
}

/// Spend and calls by hour of the week over a period.
///
/// # Errors
/// As [`get_report`].
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_heat_map(query: UsageQuery) -> Result<HeatMap, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let scope = super::principal::principal()?.scope();
    state.ledger.heat_map(&scope, &query, state.clock.now_ms()).await.map_err(super::error::refuse)
}

/// When the ledger last moved; none while nothing is recorded at all.
///
/// # Errors
/// As [`get_report`].
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_latest_call(time_zone: Option<String>) -> Result<Option<LatestCall>, AppError> {
    use super::error::refuse;
    use crate::domain::period::{Zone, local_date};
    use crate::ledger::EventFilter;
    let state = expect_context::<crate::http::state::AppState>();
    let principal = super::principal::principal()?;
    let budget = state.ledger.budget(&principal.user_id()).await.map_err(refuse)?;
    let zone = Zone::parse(&time_zone.unwrap_or(budget.time_zone)).map_err(|error| refuse(error.into()))?;
    let newest = EventFilter { limit: 1, ..EventFilter::default() };
    let page = state.ledger.events(&principal.scope(), &newest).await.map_err(refuse)?;
    Ok(page.events.first().map(|event| {
        let at_ms = event.record.occurred_at_ms;
        let today = local_date(&zone, state.clock.now_ms());
        let time = crate::app::format::moment(&zone.format_instant(at_ms), today);
        LatestCall { time, time_zone: zone.name().into() }
    }))
}
