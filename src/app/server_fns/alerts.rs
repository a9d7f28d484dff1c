//! What the Alerts page asks for: the paused sessions and a page of alerts as they are shown, and what may be said of one.

use super::codec::Json;
use super::error::AppError;
use crate::app::state::alerts_address::AlertShow;
use crate::domain::alert::AlertKind;
use crate::domain::budget::AlertLevel;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// A page of alerts, the newest first, with moments as they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertList {
    /// The newest that are still paused: everyone's for who manages the server.
    pub pauses: Vec<ShownPause>,
    pub alerts: Vec<ShownAlert>,
    /// Cursor of the next page, if there is one.
    pub next: Option<String>,
    /// IANA name of the zone of the moments.
    pub time_zone: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownAlert {
    pub id: String,
    pub kind: AlertKind,
    pub level: AlertLevel,
    pub message: String,
    pub fired: String,
    /// Names and amounts.
    pub figures: Vec<(String, String)>,
    /// What an anomaly was measured against.
    pub measured_against: Option<String>,
    pub contributors: Vec<ShownContributor>,
    /// The Overview of the days that it is about.
    pub href: String,
    /// When somebody acknowledged it.
    pub acknowledged: Option<String>,
    pub is_normal: bool,
}

/// A paused session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPause {
    /// Of the pause.
    pub id: String,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownContributor {
    /// `Model`, `Project` or `Session`.
    pub what: String,
    pub name: String,
    pub cost: String,
    /// The Overview of those days for this one, where it can be narrowed down to it.
    pub href: Option<String>,
}

/// The user's alerts.
///
/// # Errors
/// [`AppError::Invalid`] if `after` is no cursor of such a page.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_alerts(show: AlertShow, after: Option<String>) -> Result<AlertList, AppError> {
    use super::error::refuse;
    use crate::domain::period::{Zone, local_date};
    use crate::ledger::{AlertAbout, AlertFilter};
    let state = expect_context::<crate::http::state::AppState>();
    let principal = super::principal::principal()?;
    let user = principal.user_id();
    let budget = state.ledger.budget(&user).await.map_err(refuse)?;
    let zone = Zone::parse(&budget.time_zone).map_err(|error| refuse(error.into()))?;
    let (is_open, about) = match show {
        AlertShow::Open => (Some(true), None),
        AlertShow::All => (None, None),
        AlertShow::Budgets => (None, Some(AlertAbout::Budgets)),
        AlertShow::Anomalies => (None, Some(AlertAbout::Anomalies)),
    };
    let filter = AlertFilter { is_open, about, limit: 50, after };
    let page = state.ledger.alerts(&user, &filter).await.map_err(refuse)?;
    let today = local_date(&zone, state.clock.now_ms());
    let alerts = page.alerts.into_iter().map(|alert| shown::shown_alert(alert, &zone, today)).collect();
    let open = state.ledger.open_pauses(&principal.pause_scope(), Some(50)).await.map_err(refuse)?;
    // Their names are only needed where somebody else's session is shown.
    let is_foreign = open.iter().any(|pause| pause.user_id != user);
    let accounts = if is_foreign { state.ledger.accounts().await.map_err(refuse)? } else { Vec::new() };
    let pauses = open.into_iter().map(|pause| shown::shown_pause(pause, &user, &accounts, &zone, today)).collect();
    Ok(AlertList { pauses, alerts, next: page.next, time_zone: zone.name().into() })
}

/// Lets a paused session go on. A plain form is sent back to the page, which shows `show`.
///
/// # Errors
/// [`AppError::NotFound`] if there is no such pause, or it is somebody else's and who asks does not manage the server.
#[server(prefix = "/_fn")]
pub async fn resume_session(id: String, show: String) -> Result<(), AppError> {
    use super::error::refuse;
    use super::form::go_on_if;
    let state = expect_context::<crate::http::state::AppState>();
    let (scope, actor) = (super::principal::principal()?.pause_scope(), super::principal::actor()?);
    let resumed = state.ledger.resume_session(&scope, &id, &actor, state.clock.now_ms()).await.map_err(refuse)?;
    let is_there = resumed.is_some();
    go_on_if(is_there, &AlertShow::parse(&show).href())
}

/// Notes that the user has seen an alert. A plain form is sent back to the page, which shows `show`.
///
/// # Errors
/// [`AppError::NotFound`] if the user has no such alert.
#[server(prefix = "/_fn")]
pub async fn acknowledge_alert(id: String, show: String) -> Result<(), AppError> {
    use super::error::refuse;
    use super::form::go_on_if;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let now_ms = state.clock.now_ms();
    let is_there = state.ledger.acknowledge_alert(&user, &id, &user, now_ms).await.map_err(refuse)?;
    go_on_if(is_there, &AlertShow::parse(&show).href())
}

/// Notes that an anomaly was none. A plain form is sent back to the page, which shows `show`.
///
/// # Errors
/// [`AppError::NotFound`] if the user has no such anomaly.
#[server(prefix = "/_fn")]
pub async fn mark_alert_normal(id: String, show: String) -> Result<(), AppError> {
    use super::error::refuse;
    use super::form::go_on_if;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    let now_ms = state.clock.now_ms();
    let is_there = state.ledger.mark_alert_normal(&user, &id, &user, now_ms).await.map_err(refuse)?;
    go_on_if(is_there, &AlertShow::parse(&show).href())
}

#[cfg(feature = "ssr")]
mod shown;
