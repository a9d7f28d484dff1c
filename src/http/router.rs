//! Every route and every layer, on one page.
//!
//! A request passes the layers from 1 to 6 and its answer passes them back:
//!
//! 1. `track_request`: the request's id, its log line, the panic boundary.
//! 2. `set_headers`: security headers and caching, on refusals too.
//! 3. `check_host`: only this machine's own names (DNS rebinding).
//! 4. `check_origin`: no unsafe request from another site; strict for pages, lenient to programs under `/api`.
//! 5. `read_body`: size and time of the body; 4 MiB for tracking, 1 MiB for a chat, 64 KiB for all else.
//! 6. `answer_in_time`: 10 seconds for a question.

use super::body::{ANSWER_WITHIN, CHAT_BODY, SMALL_BODY, TRACKING_BODY, answer_in_time, read_body};
use super::guard::{AllowedHosts, Strictness, check_host, check_origin};
use super::state::AppState;
use super::{api, error, gateway, headers, health, live, request_id};
use crate::app::state::theme::Theme;
use crate::app::{App, shell};
use axum::Router;
use axum::handler::Handler;
use axum::http::header::{CONTENT_SECURITY_POLICY, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post, put};
use leptos::nonce::use_nonce;
use leptos::prelude::{expect_context, provide_context, use_context};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use tower_http::services::ServeDir;

/// The whole server. `hosts` are the values of the Host header that mean it.
pub fn router(state: AppState, hosts: AllowedHosts) -> Router {
    let ours = Router::new()
        .nest("/api", data_plane())
        .merge(dashboard(&state))
        .layer(from_fn_with_state(hosts.clone(), check_host)) // 3
        .layer(from_fn(headers::set_headers)) // 2
        .layer(from_fn(request_id::track_request)); // 1
    // What is passed on to the provider stays as it is: no layer but the third.
    let passed_on = gateway::routes().layer(from_fn_with_state(hosts, check_host)); // 3
    ours.merge(passed_on).with_state(state)
}

/// What programs talk to. Everything here answers in JSON, "not found" too.
fn data_plane() -> Router<AppState> {
    let tracking = post(api::usage::track).layer(from_fn_with_state(TRACKING_BODY, read_body));
    let one_channel = get(api::channels::show).patch(api::channels::change).delete(api::channels::delete);
    Router::new()
        .route("/analytics/tokens", small(get(api::analytics::report)))
        .route("/analytics/usage", tracking)
        .route("/analytics/budget", small(get(api::budget::show).post(api::budget::change)))
        .route("/analytics/budgets", small(get(api::budgets::list).post(api::budgets::make)))
        .route("/analytics/budgets/{id}", small(put(api::budgets::change).delete(api::budgets::remove)))
        .route("/analytics/events", small(get(api::events::list)))
        .route("/analytics/events/{id}", small(get(api::events::show)))
        .route("/analytics/alerts", small(get(api::alerts::list)))
        .route("/analytics/alerts/{id}/acknowledge", small(post(api::alerts::acknowledge)))
        .route("/analytics/alerts/{id}/normal", small(post(api::alerts::mark_normal)))
        .route("/channels", small(get(api::channels::list).post(api::channels::create)))
        .route("/channels/{id}", small(one_channel))
        .route("/channels/{id}/deliveries", small(get(api::channels::deliveries)))
        .route("/channels/{id}/rotate-secret", small(post(api::channels::rotate_secret)))
        .route("/channels/{id}/test", small(post(api::channels::test)))
        .route("/deliveries/{id}/send-again", small(post(api::channels::send_again)))
        .route("/chat", post(api::chat::send).layer(from_fn_with_state(CHAT_BODY, read_body)))
        .route("/live", small(get(live::listen)))
        .route("/prices", small(get(api::prices::list)))
        .route("/prices/calculate", small(post(api::prices::calculate)))
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(from_fn_with_state(ANSWER_WITHIN, answer_in_time)) // 6
        .layer(from_fn_with_state(Strictness::Program, check_origin)) // 4
}

/// The pages, their server functions under `/_fn`, the files they load, and the health checks.
fn dashboard(state: &AppState) -> Router<AppState> {
    let page_context = page_context(state.clone());
    let options = state.leptos_options.clone();
    let page = move || shell(options.clone());
    let not_found = leptos_axum::render_app_to_stream_in_order_with_context(page_context.clone(), page.clone());
    let files = ServeDir::new(&*state.leptos_options.site_root)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip()
        .call_fallback_on_method_not_allowed(true)
        .fallback(not_found.layer(map_response(as_not_found)).with_state(()));
    Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .leptos_routes_with_context(state, generate_route_list(App), page_context, page)
        .fallback_service(files)
        .layer(from_fn_with_state(ANSWER_WITHIN, answer_in_time)) // 6
        .layer(from_fn_with_state(SMALL_BODY, read_body)) // 5
        .layer(from_fn_with_state(Strictness::Browser, check_origin)) // 4
}

/// What pages and server functions find in their context; pages get their content security policy here, because only
/// here the nonce is known.
fn page_context(state: AppState) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        provide_context(state.clone());
        provide_context(theme_of_request());
        let Some(nonce) = use_nonce() else { return };
        let policy = headers::policy_for_page(&nonce.to_string(), &state.leptos_options);
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            expect_context::<ResponseOptions>().insert_header(CONTENT_SECURITY_POLICY, policy);
        }
    }
}

fn theme_of_request() -> Theme {
    let parts = use_context::<Parts>();
    let cookies = parts.iter().flat_map(|parts| parts.headers.get_all(COOKIE));
    cookies.filter_map(|header| header.to_str().ok()).find_map(Theme::in_cookies).unwrap_or_default()
}

fn small(route: MethodRouter<AppState>) -> MethodRouter<AppState> {
    route.layer(from_fn_with_state(SMALL_BODY, read_body)) // 5
}

/// The page for an unknown address, with the status that says so, unless the app has chosen another.
async fn as_not_found(mut response: Response) -> Response {
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
