//! The gateway's place in the server. It has its own error shape and keeps answers as the provider gave them, so it takes
//! none of the router's layers, and has checks of its own for host and origin; cookies mean nothing to it.

use super::auth::Access;
use super::error::ApiError;
use super::guard::{AllowedHosts, Strictness, comes_from_here};
use super::state::{AppState, Clock};
use crate::capture::gateway::{Gateway, GatewayError};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};

/// The way through to the provider. Which of what comes is passed on is the gateway's to say.
#[derive(Clone)]
pub struct Passage {
    gateway: Gateway,
    access: Access,
    hosts: AllowedHosts,
    clock: Clock,
}

impl Passage {
    pub fn new(state: &AppState, hosts: AllowedHosts) -> Self {
        let AppState { gateway, access, clock, .. } = state.clone();
        Self { gateway, access, hosts, clock }
    }

    /// The same with connections of its own to the provider.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        Self { gateway: self.gateway.with_own_connections(), ..self.clone() }
    }

    /// Whether requests for this path go this way: everything under `/v1`, and Claude Code's `/api/hello`.
    pub fn takes(path: &str) -> bool {
        path.starts_with("/v1/") || path == "/api/hello"
    }

    pub async fn pass(&self, request: Request) -> Response {
        match self.hosts.check(&request) {
            Ok(()) => {}
            Err(ApiError::WrongHost) => return GatewayError::WrongHost.into_response(),
            Err(_) => return GatewayError::UnclearHost.into_response(),
        }
        // A page of another site could spend the owner's money here, so a browser that says it comes from one is refused,
        // whatever the method.
        if !comes_from_here(request.headers(), Strictness::Program, self.access.public_url()) {
            return GatewayError::CrossSite.into_response();
        }
        let local_user = self.access.local_user(request.headers());
        self.gateway.pass(self.clock.now_ms(), local_user, request).await
    }
}
