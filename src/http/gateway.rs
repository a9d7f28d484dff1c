//! Where the gateway hangs in the server. It has its own error shape and keeps answers as the provider gave them, so it
//! takes none of the other routes' layers but the Host check; cookies mean nothing to it.

use super::guard::{Strictness, comes_from_here};
use super::state::AppState;
use crate::capture::gateway::GatewayError;
use crate::config::PublicUrl;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

/// Everything under `/v1`, and Claude Code's `/api/hello`. Which of it is passed on is the gateway's to say.
pub fn routes(state: &AppState) -> Router<AppState> {
    let public_url = state.access.public_url().cloned();
    let routes = Router::new().route("/v1/{*path}", any(pass)).route("/api/hello", any(pass));
    routes.layer(from_fn_with_state(public_url, refuse_other_sites))
}

async fn pass(State(state): State<AppState>, request: Request) -> Response {
    let local_user = state.access.local_user(request.headers());
    state.gateway.pass(state.clock.now_ms(), local_user, request).await
}

/// A page of another site could spend the owner's money here, so a browser that says it comes from one is refused, whatever
/// the method.
async fn refuse_other_sites(State(public_url): State<Option<PublicUrl>>, request: Request, next: Next) -> Response {
    if comes_from_here(request.headers(), Strictness::Program, public_url.as_ref()) {
        next.run(request).await
    } else {
        GatewayError::CrossSite.into_response()
    }
}
