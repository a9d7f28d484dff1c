//! What the Overview asks for: the report of a question, the hours of the week, and what stands beside its title.

use super::codec::Json;
use super::error::AppError;
use crate::app::kit::field::Choice;
use crate::domain::heat_map::HeatMap;
use crate::domain::query::UsageQuery;
use crate::domain::report::UsageReport;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// What stands beside the page's title.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverviewHead {
    /// When the ledger last moved; none while nothing is recorded at all.
    pub latest_call: Option<LatestCall>,
    /// Whose usage can be chosen beside one's own, by its name in the address; empty for who may not, or has nobody else.
    pub others: Vec<Choice>,
}

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
/// [`AppError::Invalid`] names the part of the question that is wrong; [`AppError::Forbidden`] if it is about others and who
/// asks may not know.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_report(query: UsageQuery) -> Result<UsageReport, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let scope = super::principal::scope_of(&query).await?;
    state.ledger.report(&scope, &query, state.clock.now_ms()).await.map_err(super::error::refuse)
}

/// Spend and calls by hour of the week over a period.
///
/// # Errors
/// As [`get_report`].
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_heat_map(query: UsageQuery) -> Result<HeatMap, AppError> {
    let state = expect_context::<crate::http::state::AppState>();
    let scope = super::principal::scope_of(&query).await?;
    state.ledger.heat_map(&scope, &query, state.clock.now_ms()).await.map_err(super::error::refuse)
}

/// When the ledger last moved, in the zone and of the users that the question names, and whom it could be about.
///
/// # Errors
/// As [`get_report`].
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_overview_head(query: UsageQuery) -> Result<OverviewHead, AppError> {
    use super::error::refuse;
    use crate::domain::period::{Zone, local_date};
    let state = expect_context::<crate::http::state::AppState>();
    let ledger = &state.ledger;
    let scope = super::principal::scope_of(&query).await?;
    let zone = ledger.zone_of(&scope).await.map_err(refuse)?;
    let zone = Zone::of_query(&query, zone).map_err(|error| refuse(error.into()))?;
    let newest = ledger.newest_event_ms(&scope).await.map_err(refuse)?;
    let latest_call = newest.map(|at_ms| {
        let today = local_date(&zone, state.clock.now_ms());
        let time = crate::app::format::moment(&zone.format_instant(at_ms), today);
        LatestCall { time, time_zone: zone.name().into() }
    });
    let principal = super::principal::principal()?;
    let others = match principal.sees_everyone(ledger).await.map_err(refuse)? {
        true => choices(ledger.usage_owners().await.map_err(refuse)?, &principal.user_id()),
        false => Vec::new(),
    };
    Ok(OverviewHead { latest_call, others })
}

/// Everyone, then each by their login. Of an account that is gone, the end of its id tells it from others.
#[cfg(feature = "ssr")]
fn choices(owners: Vec<crate::ledger::UsageOwner>, own: &crate::domain::usage::UserId) -> Vec<Choice> {
    let one = |owner: crate::ledger::UsageOwner| {
        let id = owner.user_id.0;
        let label = owner.login.unwrap_or_else(|| {
            let end: String = id.chars().skip(id.chars().count().saturating_sub(8)).collect();
            format!("deleted account {end}")
        });
        Choice { value: id, label }
    };
    let others: Vec<Choice> = owners.into_iter().filter(|owner| owner.user_id != *own).map(one).collect();
    if others.is_empty() {
        return others;
    }
    std::iter::once(Choice::of(("everyone", "Everyone"))).chain(others).collect()
}
