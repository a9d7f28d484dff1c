//! The whole server: what a connection's requests are answered by. A call to the provider is passed on by the thread that has
//! its connection, without a detour. All else is the router's, on the threads behind, so that no page holds up a call.

use super::gateway::Passage;
use super::guard::AllowedHosts;
use super::router::router;
use super::state::AppState;
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Cheap to clone.
#[derive(Clone)]
pub struct Front {
    passage: Passage,
    router: TowerToHyperService<Router>,
    behind: Handle,
}

/// The runtime behind is going down.
#[derive(Debug, thiserror::Error)]
#[error("the server is stopping")]
pub struct Stopping;

impl Front {
    /// `hosts` are the values of the Host header that mean this server. The router's requests run on the runtime that this is
    /// called on.
    pub fn new(state: AppState, hosts: AllowedHosts) -> Self {
        let passage = Passage::new(&state, hosts.clone());
        Self { passage, router: TowerToHyperService::new(router(state, hosts)), behind: Handle::current() }
    }

    /// The same with connections of its own to the provider: no two threads share one.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        Self { passage: self.passage.with_own_connections(), ..self.clone() }
    }

    pub async fn answer(&self, request: Request) -> Result<Response, Stopping> {
        if Passage::takes(request.uri().path()) {
            return Ok(self.passage.pass(request).await);
        }
        // Dropped with the connection, and the answer with it.
        let mut answering = JoinSet::new();
        answering.spawn_on(self.router.call(request), &self.behind);
        match answering.join_next().await {
            Some(Ok(answered)) => Ok(answered.unwrap_or_else(|never: Infallible| match never {})),
            Some(Err(_)) | None => Err(Stopping),
        }
    }
}
