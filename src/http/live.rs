//! `GET /api/live`: tells a page when its numbers have moved, or with `user=` those that it shows, and when there is something
//! to tell of the recorder. It says `{"version": N, "recorder": M}`, one or the other another number than before, and nothing
//! of the numbers: the page asks for those as it always does. An event stream, at most one event a second.

use super::api::Params;
use super::auth::Principal;
use super::error::ApiError;
use super::guard::{Strictness, comes_from_here};
use super::state::AppState;
use crate::capture::recorder::Recorder;
use crate::domain::query::UsageQuery;
use crate::domain::usage::UserId;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// How often a connection looks at the recorder: at two counters.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Keeps proxies from closing a quiet connection, and tells a dead one.
const PING_EVERY: Duration = Duration::from_secs(15);
const MAX_OF_USER: usize = 10;
pub const MAX_OF_ALL: usize = 10_000;

/// The open live connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// By who listens, whomever they listen to.
    open: Arc<Mutex<HashMap<UserId, usize>>>,
    max_of_user: usize,
    dismissed: watch::Sender<bool>,
}

/// One open connection; dropping it makes room for another.
#[derive(Debug)]
struct Seat {
    user: UserId,
    listeners: Listeners,
}

/// What a connection has told and waits for.
struct Listening {
    version: watch::Receiver<u64>,
    recorder: Recorder,
    /// What was told of the recorder.
    news: u64,
    dismissed: watch::Receiver<bool>,
    has_told: bool,
    _seat: Seat,
}

impl Default for Listeners {
    fn default() -> Self {
        Self::allowing(MAX_OF_USER)
    }
}

impl Listeners {
    /// So many connections of one user, and [`MAX_OF_ALL`] of all.
    pub fn allowing(max_of_user: usize) -> Self {
        Self { open: Arc::default(), max_of_user, dismissed: watch::Sender::new(false) }
    }

    /// Ends every live connection at once: none of them would end by itself.
    pub fn dismiss(&self) {
        self.dismissed.send_replace(true);
    }

    fn take_seat(&self, user: UserId) -> Result<Seat, ApiError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let of_all: usize = open.values().sum();
        let of_user = open.entry(user.clone()).or_default();
        if *of_user >= self.max_of_user || of_all >= MAX_OF_ALL {
            return Err(ApiError::TooManyListeners);
        }
        *of_user += 1;
        Ok(Seat { user, listeners: self.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.listeners.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_user) = open.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                open.remove(&self.user);
            }
        }
    }
}

pub async fn listen(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
    Params(params): Params,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    // Another site's page cannot read the stream, but it could take the seats.
    if !comes_from_here(&headers, Strictness::Program, state.access.public_url()) {
        return Err(ApiError::CrossSite);
    }
    let whose = UsageQuery::from_params(params)?.whose;
    let scope = principal.choose_scope(&whose, &state.ledger).await?;
    let listening = Listening {
        version: state.ledger.follow(&scope),
        news: state.recorder.health().news(),
        recorder: state.recorder,
        dismissed: state.listeners.dismissed.subscribe(),
        has_told: false,
        _seat: state.listeners.take_seat(principal.user_id())?,
    };
    let events = futures::stream::unfold(listening, next_event);
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(PING_EVERY).text("ping")))
}

/// The version and the news as they are, then each time that there are others. Ends when the listeners are dismissed.
async fn next_event(mut listening: Listening) -> Option<(Result<Event, Infallible>, Listening)> {
    let Listening { version, recorder, news, dismissed, has_told, .. } = &mut listening;
    let next_version = async {
        if *has_told {
            tokio::time::sleep(AT_MOST_EVERY).await;
            tokio::select! {
                changed = version.changed() => changed.ok()?,
                () = other_news(recorder, *news) => {}
            }
        }
        Some(*version.borrow_and_update())
    };
    let version = tokio::select! {
        version = next_version => version?,
        _ = dismissed.wait_for(|is_dismissed| *is_dismissed) => return None,
    };
    *has_told = true;
    *news = recorder.health().news();
    let event = Event::default().event("usage").data(format!("{{\"version\":{version},\"recorder\":{news}}}"));
    Some((Ok(event), listening))
}

/// Returns once there is something to tell of the recorder that was not told.
async fn other_news(recorder: &Recorder, told: u64) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if recorder.health().news() != told {
            return;
        }
    }
}
