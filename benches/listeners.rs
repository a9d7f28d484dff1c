//! What pages that listen for changes cost: opens 10,000 connections to `GET /api/live` of a server in a process of its own,
//! lets them be, moves a number, and stops the server. Not a test: it prints figures.
//!
//!     make bench-listeners
//!     TOLLBRIDGE_BENCH_LISTENERS=1000 make bench-listeners
//!
//! One user may have ten such connections; here the owner may have all of them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tollbridge::Ledger;
use tollbridge::capture::gateway::Gateway;
use tollbridge::capture::import::job::ImportJobs;
use tollbridge::config::Config;
use tollbridge::domain::price::PriceBook;
use tollbridge::http::auth::Access;
use tollbridge::http::connections::ConnectionLimits;
use tollbridge::http::live::{Listeners, MAX_OF_ALL};
use tollbridge::http::state::{AppState, Clock, open_notifier, open_recorder};

const FOLDER: &str = "TOLLBRIDGE_BENCH_FOLDER";
const ADDRESS_FILE: &str = "address";
const OPENED_AT_ONCE: usize = 50;
/// Two pings.
const IDLE: Duration = Duration::from_secs(30);

/// Ends when it is dropped, also by a panic.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn main() {
    // `cargo test --benches` asks for a test; there is none.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let allowed = rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::var_os(FOLDER) {
        Some(folder) => runtime.block_on(serve(Path::new(&folder))),
        None => runtime.block_on(measure(allowed as usize)),
    }
}

async fn measure(allowed_files: usize) {
    let wanted = std::env::var("TOLLBRIDGE_BENCH_LISTENERS").map_or(MAX_OF_ALL, |text| text.parse().unwrap());
    let count = wanted.min(allowed_files - 100);
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap()).env(FOLDER, folder.path()).stdout(Stdio::null()).spawn();
    let server = Server(child.unwrap());
    let (id, address) = (server.0.id(), address_in(folder.path()).await);
    // What is made at the first time is made.
    drop(listen(address).await);
    tokio::time::sleep(Duration::from_secs(1)).await;

    let (memory, began) = (resident_kib(id), Instant::now());
    let mut pages = Vec::with_capacity(count);
    while pages.len() < count {
        let opening = (0..OPENED_AT_ONCE.min(count - pages.len())).map(|_| listen(address));
        pages.extend(futures::future::join_all(opening).await);
    }
    println!("{count} listeners, opened in {:.1} s", began.elapsed().as_secs_f64());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let grown = resident_kib(id) - memory;
    println!("resident: {memory} KiB without, {:.2} KiB a listener", grown as f64 / count as f64);
    let (cpu, began) = (cpu_s(id), Instant::now());
    tokio::time::sleep(IDLE).await;
    let busy = 100.0 * (cpu_s(id) - cpu) / began.elapsed().as_secs_f64();
    println!("idle, with a ping each 15 s: {busy:.1} % of one core");

    let moved = Arc::new(tokio::sync::Semaphore::new(0));
    let reading: Vec<_> = pages.into_iter().map(|page| tokio::spawn(read_on(page, moved.clone()))).collect();
    let began = Instant::now();
    report(address).await;
    moved.acquire_many(count as u32).await.unwrap().forget();
    println!("a move is told to all after {:.0} ms", began.elapsed().as_secs_f64() * 1_000.0);

    let began = Instant::now();
    Command::new("kill").arg("-TERM").arg(id.to_string()).status().unwrap();
    for page in reading {
        page.await.unwrap();
    }
    println!("all are closed {:.0} ms after SIGTERM", began.elapsed().as_secs_f64() * 1_000.0);
}

/// A connection that has heard the version as it is.
async fn listen(address: SocketAddr) -> TcpStream {
    let mut page = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/live HTTP/1.1\r\nhost: {address}\r\n\r\n");
    page.write_all(request.as_bytes()).await.unwrap();
    assert!(hear(&mut page).await, "refused");
    page
}

/// Reads on to the end of a version; false if the connection ends before.
async fn hear(page: &mut TcpStream) -> bool {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.contains("}\n\n") {
        match page.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(read) => text.push_str(&String::from_utf8_lossy(&buffer[..read])),
        }
    }
    true
}

async fn read_on(mut page: TcpStream, moved: Arc<tokio::sync::Semaphore>) {
    while hear(&mut page).await {
        moved.add_permits(1);
    }
}

async fn report(address: SocketAddr) {
    let body = r#"{"model":"claude-sonnet-4-20250514","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let request = format!(
        "POST /api/analytics/usage HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

/// The server, as `tollbridge serve` has it but for the two limits.
async fn serve(folder: &Path) {
    let mut config = Config::from_text(include_str!("../Leptos.toml"), None, []).unwrap();
    config.settings.server.data_dir = folder.to_owned();
    let ledger = Ledger::open(config.database_url().reveal(), &config.zone).await.unwrap();
    let (prices, clock) = (PriceBook::builtin(), Clock::System);
    let recorder = open_recorder(&config, &ledger, &prices, &clock).await.unwrap();
    let state = AppState {
        gateway: Gateway::new(config.gateway_options(), ledger.clone(), recorder.clone()).unwrap(),
        ledger,
        recorder,
        access: Access::default(),
        notifier: open_notifier(&config).unwrap(),
        listeners: Listeners::allowing(MAX_OF_ALL),
        connection_limits: ConnectionLimits { connections: MAX_OF_ALL + 10, ..ConnectionLimits::default() },
        prices,
        clock,
        leptos_options: config.leptos.clone(),
        imports: ImportJobs::default(),
        config: Arc::new(config),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::fs::write(folder.join("address.part"), address).unwrap();
    std::fs::rename(folder.join("address.part"), folder.join(ADDRESS_FILE)).unwrap();
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let stop = async move {
        terminate.recv().await;
    };
    tollbridge::http::serve(listener, stop, state).await.unwrap();
}

async fn address_in(folder: &Path) -> SocketAddr {
    for _ in 0..500 {
        if let Ok(address) = std::fs::read_to_string(folder.join(ADDRESS_FILE)) {
            return address.parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the server does not start");
}

fn resident_kib(process_id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// User and system time of a process so far. A tick is a hundredth of a second on every Linux that there is.
fn cpu_s(process_id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}
