//! Every route and every layer, on one page, but for what is passed on to the provider (`front`).
//!
//! A request passes the layers from 1 to 7 and its answer passes them back:
//!
//! 1. `track_request`: the request's id, its log line, the panic boundary.
//! 2. `set_headers`: security headers and caching, on refusals too.
//! 3. `check_host`: only this server's own names (DNS rebinding).
//! 4. `check_origin`: no unsafe request from another site; strict for pages, lenient to programs under `/api`.
//! 5. `admit_program`, `admit_person`: who acts, and whether they may. Of pages it comes last, because the door
//!    ([`OPEN`]) and the files beside them have no gate.
//! 6. `read_body`: size and time of the body; 4 MiB for tracking, 1 MiB for a chat, 64 KiB for all else.
//! 7. `answer_in_time`: 10 seconds for a question.

use super::auth::gate::{Needs, admit_person, admit_program};
use super::auth::{Principal, join, login, oidc, setup};
use super::body::BodyLimit;
use super::body::{ANSWER_WITHIN, CHAT_BODY, SMALL_BODY, TRACKING_BODY, answer_in_time, read_body};
use super::guard::{AllowedHosts, OriginRule, Strictness, check_host, check_origin};
use super::state::AppState;
use super::{api, error, headers, health, live, request_id};
use crate::app::state::theme::Theme;
use crate::app::state::visitor::Visitor;
use crate::app::{App, shell};
use crate::config::CALLBACK_PATH;
use crate::domain::api_key::KeyScope::{Admin, Ingest, Proxy, Read};
use axum::Router;
use axum::handler::Handler;
use axum::http::header::{CONTENT_SECURITY_POLICY, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use leptos::nonce::use_nonce;
use leptos::prelude::{expect_context, provide_context, use_context};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use tower_http::services::ServeDir;

/// A route of the API: what it needs, how large a body it takes, and what answers it.
pub struct ApiRoute {
    pub method: Method,
    /// Behind `/api`.
    pub path: &'static str,
    pub needs: Needs,
    body: BodyLimit,
    handler: fn() -> MethodRouter<AppState>,
}

/// A route that asks nobody who they are.
pub struct OpenRoute {
    pub method: Method,
    pub path: &'static str,
    handler: fn() -> MethodRouter<AppState>,
}

/// What programs talk to, and what the dashboard's pages call beside their server functions.
pub static API: [ApiRoute; 29] = [
    route(Method::POST, "/analytics/usage", Needs::Key(Ingest), TRACKING_BODY, || post(api::usage::track)),
    route(Method::GET, "/analytics/tokens", Needs::Key(Read), SMALL_BODY, || get(api::analytics::report)),
    route(Method::GET, "/analytics/budget", Needs::Key(Read), SMALL_BODY, || get(api::budget::show)),
    route(Method::POST, "/analytics/budget", Needs::Key(Admin), SMALL_BODY, || post(api::budget::change)),
    route(Method::GET, "/analytics/budgets", Needs::Key(Read), SMALL_BODY, || get(api::budgets::list)),
    route(Method::POST, "/analytics/budgets", Needs::Key(Admin), SMALL_BODY, || post(api::budgets::make)),
    route(Method::PUT, "/analytics/budgets/{id}", Needs::Key(Admin), SMALL_BODY, || put(api::budgets::change)),
    route(Method::DELETE, "/analytics/budgets/{id}", Needs::Key(Admin), SMALL_BODY, || delete(api::budgets::remove)),
    route(Method::GET, "/analytics/alerts", Needs::Key(Read), SMALL_BODY, || get(api::alerts::list)),
    route(Method::POST, "/analytics/alerts/{id}/acknowledge", Needs::Key(Admin), SMALL_BODY, || {
        post(api::alerts::acknowledge)
    }),
    route(Method::POST, "/analytics/alerts/{id}/normal", Needs::Key(Admin), SMALL_BODY, || {
        post(api::alerts::mark_normal)
    }),
    route(Method::GET, "/analytics/pauses", Needs::Key(Read), SMALL_BODY, || get(api::pauses::list)),
    route(Method::POST, "/analytics/pauses/{id}/resume", Needs::Key(Admin), SMALL_BODY, || post(api::pauses::resume)),
    route(Method::GET, "/analytics/events", Needs::Key(Read), SMALL_BODY, || get(api::events::list)),
    route(Method::GET, "/analytics/events/{id}", Needs::Key(Read), SMALL_BODY, || get(api::events::show)),
    route(Method::GET, "/channels", Needs::Key(Read), SMALL_BODY, || get(api::channels::list)),
    route(Method::POST, "/channels", Needs::Key(Admin), SMALL_BODY, || post(api::channels::create)),
    route(Method::GET, "/channels/{id}", Needs::Key(Read), SMALL_BODY, || get(api::channels::show)),
    route(Method::PATCH, "/channels/{id}", Needs::Key(Admin), SMALL_BODY, || patch(api::channels::change)),
    route(Method::DELETE, "/channels/{id}", Needs::Key(Admin), SMALL_BODY, || delete(api::channels::delete)),
    route(Method::GET, "/channels/{id}/deliveries", Needs::Key(Read), SMALL_BODY, || get(api::channels::deliveries)),
    route(Method::POST, "/channels/{id}/rotate-secret", Needs::Key(Admin), SMALL_BODY, || {
        post(api::channels::rotate_secret)
    }),
    route(Method::POST, "/channels/{id}/test", Needs::Key(Admin), SMALL_BODY, || post(api::channels::test)),
    route(Method::POST, "/deliveries/{id}/send-again", Needs::Key(Admin), SMALL_BODY, || {
        post(api::channels::send_again)
    }),
    route(Method::GET, "/audit", Needs::Key(Admin), SMALL_BODY, || get(api::audit::list)),
    route(Method::GET, "/prices", Needs::Key(Read), SMALL_BODY, || get(api::prices::list)),
    route(Method::POST, "/prices/calculate", Needs::Key(Read), SMALL_BODY, || post(api::prices::calculate)),
    route(Method::GET, "/live", Needs::KeyOrSession(Read), SMALL_BODY, || get(live::listen)),
    route(Method::POST, "/chat", Needs::KeyOrSession(Proxy), CHAT_BODY, || post(api::chat::send)),
];

/// The health checks, and the door: what somebody needs who is not let in yet.
pub static OPEN: [OpenRoute; 12] = [
    open(Method::GET, "/healthz", || get(health::healthz)),
    open(Method::GET, "/readyz", || get(health::readyz)),
    open(Method::GET, "/login", || get(login::show)),
    open(Method::POST, "/login", || post(login::log_in)),
    open(Method::GET, "/login/oidc", || get(oidc::begin)),
    open(Method::GET, CALLBACK_PATH, || get(oidc::end)),
    open(Method::POST, "/login/oidc/link", || post(oidc::link)),
    open(Method::POST, "/logout", || post(login::log_out)),
    open(Method::GET, "/setup", || get(setup::show)),
    open(Method::POST, "/setup", || post(setup::set_up)),
    open(Method::GET, "/join", || get(join::show)),
    open(Method::POST, "/join", || post(join::join)),
];

/// `hosts` are the values of the Host header that mean this server.
pub(super) fn router(state: AppState, hosts: AllowedHosts) -> Router {
    Router::new()
        .nest("/api", data_plane(&state))
        .merge(dashboard(&state))
        .layer(from_fn_with_state(hosts, check_host)) // 3
        .layer(from_fn_with_state(state.access.public_url().cloned(), headers::set_headers)) // 2
        .layer(from_fn(request_id::track_request)) // 1
        .with_state(state)
}

/// Everything under `/api` answers in JSON, "not found" too.
fn data_plane(state: &AppState) -> Router<AppState> {
    let add = |router: Router<AppState>, route: &ApiRoute| {
        let handler = (route.handler)()
            .layer(from_fn_with_state(route.body, read_body)) // 6
            .layer(from_fn_with_state((state.clone(), route.needs), admit_program)); // 5
        router.route(route.path, handler)
    };
    API.iter()
        .fold(Router::new(), add)
        .fallback(error::not_found)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(from_fn_with_state(ANSWER_WITHIN, answer_in_time)) // 7
        .layer(from_fn_with_state(origin_rule(state, Strictness::Program), check_origin)) // 4
}

/// The pages, their server functions under `/_fn`, the files they load, the door and the health checks.
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
    let pages = Router::new()
        .leptos_routes_with_context(state, generate_route_list(App), page_context, page)
        .route_layer(from_fn_with_state(state.clone(), admit_person)); // 5
    OPEN.iter()
        .fold(pages, |router, route| router.route(route.path, (route.handler)()))
        .fallback_service(files)
        .layer(from_fn_with_state(ANSWER_WITHIN, answer_in_time)) // 7
        .layer(from_fn_with_state(SMALL_BODY, read_body)) // 6
        .layer(from_fn_with_state(origin_rule(state, Strictness::Browser), check_origin)) // 4
}

fn origin_rule(state: &AppState, strictness: Strictness) -> OriginRule {
    OriginRule { strictness, public_url: state.access.public_url().cloned() }
}

/// What pages and server functions find in their context; pages get their content security policy here, because only
/// here the nonce is known.
fn page_context(state: AppState) -> impl Fn() + Clone + Send + Sync + 'static {
    move || {
        provide_context(state.clone());
        provide_context(theme_of_request());
        let principal = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Principal>().cloned());
        provide_context(Visitor(principal.as_ref().and_then(Principal::login).map(str::to_owned)));
        if let Some(principal) = principal {
            provide_context(principal);
        }
        let Some(nonce) = use_nonce() else { return };
        let policy = headers::policy_for_page(&nonce.to_string(), &state.leptos_options);
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            expect_context::<ResponseOptions>().insert_header(CONTENT_SECURITY_POLICY, policy);
        }
    }
}

fn theme_of_request() -> Theme {
    use_context::<Parts>().map_or_else(Theme::default, |parts| theme_of(&parts.headers))
}

/// The theme that a browser asks for.
pub(super) fn theme_of(headers: &HeaderMap) -> Theme {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    cookies.into_iter().find_map(Theme::in_cookies).unwrap_or_default()
}

const fn route(
    method: Method,
    path: &'static str,
    needs: Needs,
    body: BodyLimit,
    handler: fn() -> MethodRouter<AppState>,
) -> ApiRoute {
    ApiRoute { method, path, needs, body, handler }
}

const fn open(method: Method, path: &'static str, handler: fn() -> MethodRouter<AppState>) -> OpenRoute {
    OpenRoute { method, path, handler }
}

/// The page for an unknown address, with the status that says so, unless the app has chosen another.
async fn as_not_found(mut response: Response) -> Response {
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
