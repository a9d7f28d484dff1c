//! The real server on a real port, in front of a fake provider.

use super::fake_provider::{FakeProvider, find};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tollbridge::capture::gateway::{Gateway, GatewayLimits, GatewayOptions, ProviderKey, UpstreamUrl};
use tollbridge::capture::import::job::ImportJobs;
use tollbridge::capture::recorder::{QUEUE_MAX_BYTES, Recorder, RecorderOptions};
use tollbridge::config::Config;
use tollbridge::domain::period::Zone;
use tollbridge::domain::price::PriceBook;
use tollbridge::domain::usage::{Scope, UsageEvent};
use tollbridge::http::auth::Access;
use tollbridge::http::connections::ConnectionLimits;
use tollbridge::http::live::Listeners;
use tollbridge::http::state::{AppState, Clock, open_notifier};
use tollbridge::ledger::{EventFilter, Ledger};

pub struct GatewayServer {
    pub address: SocketAddr,
    pub ledger: Ledger,
    pub recorder: Recorder,
    stop: watch::Sender<bool>,
    pub serving: JoinHandle<std::io::Result<()>>,
    pub database_url: String,
    _folder: Arc<TempDir>,
}

#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub limits: GatewayLimits,
    pub connections: ConnectionLimits,
    pub stop_grace_s: Option<u64>,
    pub provider_key: Option<&'static str>,
    /// SQLite in the server's folder, unless said otherwise.
    pub database_url: Option<String>,
    /// None: the breaker is off, as it is unless somebody switches it on.
    pub breaker_usd_per_minute: Option<&'static str>,
    /// What memory may hold while the spool cannot be written.
    pub queue_max_bytes: Option<usize>,
}

/// An answer as it came over the wire.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Lower-case names, in the order of the wire.
    pub headers: Vec<(String, String)>,
    /// Without chunk frames.
    pub body: Vec<u8>,
    /// The end of the body came: its whole length, or the last chunk.
    pub is_complete: bool,
}

impl GatewayServer {
    pub async fn before(provider: &FakeProvider) -> Self {
        Self::with(&provider.url(), Setup::default()).await
    }

    pub async fn with(upstream: &str, setup: Setup) -> Self {
        Self::at(Arc::new(tempfile::tempdir().unwrap()), upstream, setup, Clock::System).await
    }

    /// On the data of that folder, at the time of that clock.
    pub async fn at(folder: Arc<TempDir>, upstream: &str, setup: Setup, clock: Clock) -> Self {
        let text = include_str!("../../Leptos.toml").replace("time_zone = \"\"", "time_zone = \"UTC\"");
        let database = setup.database_url.map(|url| ("DATABASE_URL".to_owned(), url));
        let breaker = setup
            .breaker_usd_per_minute
            .map(|limit| ("TOLLBRIDGE_GATEWAY__BREAKER_USD_PER_MINUTE".to_owned(), limit.to_owned()));
        let mut config = Config::from_text(&text, None, database.into_iter().chain(breaker)).unwrap();
        config.settings.server.data_dir = folder.path().to_owned();
        config.settings.server.stop_grace_s = setup.stop_grace_s.unwrap_or(config.settings.server.stop_grace_s);
        let ledger = Ledger::open(config.database_url().reveal(), &config.zone).await.unwrap();
        let prices = PriceBook::builtin();
        let recorder_clock = clock.clone();
        let options = RecorderOptions {
            spool_path: config.spool_path(),
            spool_max_bytes: config.settings.recorder.spool_max_bytes,
            queue_max_bytes: setup.queue_max_bytes.unwrap_or(QUEUE_MAX_BYTES),
            now_ms: Arc::new(move || recorder_clock.now_ms()),
        };
        let recorder = Recorder::open(ledger.clone(), prices.clone(), options).await.unwrap();
        let options = GatewayOptions {
            upstream: UpstreamUrl::parse(upstream).unwrap(),
            provider_key: setup.provider_key.and_then(ProviderKey::new),
            limits: setup.limits,
            ..config.gateway_options()
        };
        let state = AppState {
            notifier: open_notifier(&config).unwrap(),
            gateway: Gateway::new(options, ledger.clone(), recorder.clone()).unwrap(),
            ledger: ledger.clone(),
            recorder: recorder.clone(),
            access: Access::default(),
            listeners: Listeners::default(),
            connection_limits: setup.connections,
            prices,
            clock,
            leptos_options: config.leptos.clone(),
            imports: ImportJobs::default(),
            config: Arc::new(config),
        };
        let database_url = state.config.database_url().reveal().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = watch::channel(false);
        let shutdown = async move {
            stopped.wait_for(|is_stopped| *is_stopped).await.ok();
        };
        let serving = tokio::spawn(tollbridge::http::serve(listener, shutdown, state));
        Self { address, ledger, recorder, stop, serving, database_url, _folder: folder }
    }

    pub fn begin_to_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Once the server has stopped, and has closed the ledger with it.
    pub async fn reopen_ledger(&mut self) {
        self.ledger = Ledger::open(&self.database_url, &Zone::parse("UTC").unwrap()).await.unwrap();
    }

    /// Ends as a server does that is told to.
    pub async fn stop(self) {
        self.begin_to_stop();
        self.serving.await.unwrap().unwrap();
    }

    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(self.address, &request("POST", path, self.address, headers, body)).await
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(self.address, &request("GET", path, self.address, headers, "")).await
    }

    /// A connection on which a request was sent and the answer is still to be read.
    pub async fn begin(&self, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&request("POST", path, self.address, headers, body)).await.unwrap();
        stream
    }

    /// Waits until the ledger has `count` events, and a moment longer to see that there are no more. The oldest first.
    pub async fn events(&self, count: usize) -> Vec<UsageEvent> {
        let filter = EventFilter { limit: 1_000, ..EventFilter::default() };
        for _ in 0..300 {
            if self.ledger.events(&Scope::Everyone, &filter).await.unwrap().events.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        // What has ended by now is on its way.
        tokio::time::timeout(Duration::from_secs(1), self.recorder.drained()).await.ok();
        let mut events = self.ledger.events(&Scope::Everyone, &filter).await.unwrap().events;
        assert_eq!(events.len(), count, "{events:#?}");
        events.reverse();
        events
    }

    pub async fn event(&self) -> UsageEvent {
        self.events(1).await.remove(0)
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn error_type(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body["type"], "error");
        body["error"]["type"].as_str().unwrap().to_owned()
    }
}

/// A request on a connection of its own.
pub fn request(method: &str, path: &str, host: SocketAddr, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()));
    }
    let goes_to_provider = path.starts_with("/v1/") || path == "/api/hello";
    let has_credential =
        headers.iter().any(|(name, _)| matches!(*name, "x-api-key" | "authorization" | "no-credential"));
    if goes_to_provider && !has_credential {
        text.push_str("x-api-key: sk-ant-of-the-client\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// Sends bytes and reads the answer to the end of the connection.
pub async fn send(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    read_answer(&mut stream).await
}

/// Reads an answer to the end of the connection.
pub async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A reset ends the reading; what came before counts.
    stream.read_to_end(&mut bytes).await.ok();
    parse_answer(&bytes)
}

/// Reads on until `wanted` has come.
pub async fn read_until(stream: &mut TcpStream, wanted: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while find(&bytes, wanted.as_bytes()).is_none() {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("no {wanted:?} in {:?}", String::from_utf8_lossy(&bytes))).unwrap();
        assert!(read > 0, "closed before {wanted:?}: {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..read]);
    }
    bytes
}

pub fn parse_answer(bytes: &[u8]) -> Answer {
    let head_end =
        find(bytes, b"\r\n\r\n").unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
    let head = std::str::from_utf8(&bytes[..head_end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: Vec::new(), is_complete: true };
    let rest = &bytes[head_end + 4..];
    if answer.header("transfer-encoding") == Some("chunked") {
        (answer.body, answer.is_complete) = join_chunks(rest);
    } else {
        let length = answer.header("content-length").and_then(|length| length.parse::<usize>().ok());
        answer.is_complete = length.is_none_or(|length| length == rest.len());
        answer.body = rest.to_vec();
    }
    answer
}

/// The bytes of all chunks, and whether the last one came.
fn join_chunks(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line_end) = find(rest, b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line_end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let start = line_end + 2;
        let end = (start + size).min(rest.len());
        body.extend_from_slice(&rest[start..end]);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    (body, false)
}
