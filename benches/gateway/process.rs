//! What stands between the clients and the provider: Tollbridge and nginx, each a process with a folder of its own, and what
//! the kernel says of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tollbridge::Ledger;
use tollbridge::domain::period::Zone;
use tollbridge::domain::query::{Range, UsageQuery};
use tollbridge::domain::usage::Scope;

/// `sysconf(_SC_CLK_TCK)` is this on every Linux that there is.
const TICKS_PER_S: f64 = 100.0;

pub struct Tollbridge {
    pub address: SocketAddr,
    process: Running,
    folder: TempDir,
    calls: AtomicU64,
}

pub struct Nginx {
    pub address: SocketAddr,
    process: Running,
    _folder: TempDir,
}

/// One process a core that never sleeps and gives way to all others.
pub struct KeptAwake {
    _processes: Vec<Running>,
}

/// Ends when it is dropped, also by a panic.
struct Running(Child);

impl Tollbridge {
    /// The release binary with its defaults and a new data folder.
    pub fn start(provider: SocketAddr) -> Self {
        let binary =
            std::env::var("TOLLBRIDGE_BINARY").expect("TOLLBRIDGE_BINARY names the binary: make bench-gateway");
        let binary = std::fs::canonicalize(binary).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let process = Command::new(binary)
            .arg("serve")
            .current_dir(folder.path())
            .env("LEPTOS_SITE_ADDR", address.to_string())
            .env("TOLLBRIDGE_GATEWAY__UPSTREAM_URL", format!("http://{provider}"))
            .env_remove("DATABASE_URL")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Running(process);
        wait_for(address);
        Self { address, process, folder, calls: AtomicU64::new(0) }
    }

    pub fn process_id(&self) -> u32 {
        self.process.0.id()
    }

    pub fn note_calls(&self, calls: u64) {
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    /// Until every call that has ended is in the ledger.
    pub fn wait_until_drained(&self) {
        while !self.readiness().contains(r#""spoolDepth":0"#) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the server and counts what its ledger has.
    pub fn prove_every_call_is_recorded(self) {
        println!("\n{}", self.readiness().lines().last().unwrap_or_default());
        drop(self.process);
        let path = self.folder.path().join("data/tollbridge.db");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let recorded = runtime.block_on(count_calls(&path));
        let made = self.calls.into_inner();
        println!("{made} calls made, {recorded} recorded");
        assert_eq!(recorded, made, "a call is missing, or there is one too many");
    }

    fn readiness(&self) -> String {
        let mut connection = TcpStream::connect(self.address).unwrap();
        let request = format!("GET /readyz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Nginx {
    pub fn start(provider: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, nginx_config(folder.path(), address, provider)).unwrap();
        // Debian keeps it where an ordinary user has no path to.
        let process = Command::new("/usr/sbin/nginx")
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .arg("-c")
            .arg(&config)
            .spawn()
            .expect("nginx is installed by scripts/setup.sh bench");
        let process = Running(process);
        wait_for(address);
        Self { address, process, _folder: folder }
    }

    /// The master and its workers.
    pub fn process_ids(&self) -> Vec<u32> {
        let master = self.process.0.id();
        let workers = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
        std::iter::once(master).chain(workers.split_whitespace().map(|id| id.parse().unwrap())).collect()
    }
}

impl KeptAwake {
    pub fn start() -> Self {
        let cores = std::thread::available_parallelism().unwrap().get();
        // `chrt -i` is the policy that only takes what is left over.
        let start = |_| Command::new("chrt").args(["-i", "0", "sh", "-c", "while :; do :; done"]).spawn();
        Self { _processes: (0..cores).map(|core| Running(start(core).expect("util-linux has chrt"))).collect() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not SIGKILL for nginx, whose workers would stay; and a Tollbridge that has drained has nothing to lose.
        let id = self.0.id().to_string();
        Command::new("kill").arg("-TERM").arg(id).status().ok();
        self.0.wait().ok();
    }
}

/// User and system time of a process, its ended threads included.
pub fn cpu_s(process_id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process_id}/stat")).unwrap();
    // The second field is the name in parentheses; the 14th and 15th are the times.
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / TICKS_PER_S
}

/// A line of `/proc/<pid>/status` that has kibibytes.
pub fn memory_kib(process_id: u32, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn count_calls(path: &Path) -> u64 {
    let url = format!("sqlite:{}", path.display());
    let ledger = Ledger::open(&url, &Zone::parse("UTC").unwrap()).await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let query = UsageQuery { range: Range::Week, ..UsageQuery::default() };
    let report = ledger.report(&Scope::Everyone, &query, now.as_millis() as i64).await.unwrap();
    ledger.close().await;
    report.summary.total_calls
}

fn nginx_config(folder: &Path, address: SocketAddr, provider: SocketAddr) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000000;
  upstream provider {{ server {provider}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen {address};
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_buffering off;
    }}
  }}
}}
"
    )
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn wait_for(address: SocketAddr) {
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            // Whatever it does at its start is done then.
            return std::thread::sleep(Duration::from_secs(1));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody listens on {address} after 10 s");
}
