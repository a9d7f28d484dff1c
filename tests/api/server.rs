//! A server for one test: a fresh ledger, a clock that stands, requests without a network.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::Response;
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tollbridge::capture::gateway::Gateway;
use tollbridge::capture::import::job::ImportJobs;
use tollbridge::config::Config;
use tollbridge::domain::price::PriceBook;
use tollbridge::http::auth::Access;
use tollbridge::http::connections::ConnectionLimits;
use tollbridge::http::front::Front;
use tollbridge::http::guard::AllowedHosts;
use tollbridge::http::live::Listeners;
use tollbridge::http::state::{AppState, Clock, open_notifier, open_recorder};
use tollbridge::ledger::Ledger;

/// Tuesday, 2026-11-24T09:30:00Z.
pub const NOW_MS: i64 = 1_795_512_600_000;
pub const HOST: &str = "127.0.0.1:3000";

pub struct TestServer {
    pub state: AppState,
    front: Front,
    _folder: TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// What this thread logs.
#[derive(Clone, Default)]
pub struct CapturedLog(Arc<Mutex<Vec<u8>>>);

impl CapturedLog {
    /// Until what is given back is dropped.
    pub fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let sink = self.clone();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || sink.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for CapturedLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl TestServer {
    /// On this machine, where nobody has to log in.
    pub async fn start() -> Self {
        Self::start_with(Access::default()).await
    }

    pub async fn start_with(access: Access) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = include_str!("../../Leptos.toml").replace("time_zone = \"\"", "time_zone = \"UTC\"");
        // Nobody is there.
        let upstream = ("TOLLBRIDGE_GATEWAY__UPSTREAM_URL".to_owned(), "http://127.0.0.1:9".to_owned());
        let mut config = Config::from_text(&text, None, [upstream]).unwrap();
        config.settings.server.data_dir = folder.path().to_owned();
        let site_root = folder.path().join("site");
        std::fs::create_dir_all(site_root.join("pkg")).unwrap();
        std::fs::create_dir_all(site_root.join("vendor")).unwrap();
        std::fs::write(site_root.join("pkg/tollbridge.js"), "export {}").unwrap();
        std::fs::write(site_root.join("vendor/charts-1.2.3.js"), "export {}").unwrap();
        config.leptos.site_root = site_root.to_str().unwrap().into();
        let ledger = Ledger::open(config.database_url().reveal(), &config.zone).await.unwrap();
        let (prices, clock) = (PriceBook::builtin(), Clock::fixed_at(NOW_MS));
        let recorder = open_recorder(&config, &ledger, &prices, &clock).await.unwrap();
        let state = AppState {
            notifier: open_notifier(&config).unwrap(),
            gateway: Gateway::new(config.gateway_options(), ledger.clone(), recorder.clone()).unwrap(),
            ledger,
            recorder,
            access,
            listeners: Listeners::default(),
            connection_limits: ConnectionLimits::default(),
            prices,
            clock,
            leptos_options: config.leptos.clone(),
            imports: ImportJobs::default(),
            config: Arc::new(config),
        };
        Self { front: front(&state), state, _folder: folder }
    }

    /// Of another state than the server started with.
    pub fn change_state(&mut self, change: impl FnOnce(&mut AppState)) {
        change(&mut self.state);
        self.front = front(&self.state);
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, &[], Body::empty())).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(request(Method::GET, path, headers, Body::empty())).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        self.send(request(Method::POST, path, headers, body.into())).await
    }

    /// An answer that may never end.
    pub async fn begin(&self, request: Request<Body>) -> Response {
        self.front.answer(request).await.unwrap()
    }

    /// Where a form or a call of the server function of this name goes.
    pub fn action_of_name(&self, name: &str) -> String {
        let path = format!("/_fn/{name}");
        let is_it = |found: &&str| found.trim_end_matches(|c: char| c.is_ascii_digit()) == path;
        let found = leptos::server_fn::axum::server_fn_paths().map(|(path, _)| path).find(is_it);
        found.unwrap_or_else(|| panic!("there is no server function {name}")).to_owned()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.begin(request).await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }
}

/// The server of this state.
pub fn front(state: &AppState) -> Front {
    Front::new(state.clone(), AllowedHosts::of_loopback(3000).and(state.access.public_url()))
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The input that a 400 blames.
    pub fn blamed_field(&self) -> String {
        assert_eq!(self.status, StatusCode::BAD_REQUEST, "{}", self.text());
        self.json()["field"].as_str().unwrap_or_default().to_owned()
    }
}

/// A request to this server, as a program sends it.
pub fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", HOST);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}
