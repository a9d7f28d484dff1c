//! Invariant 3 of the whole server: `tollbridge serve` is killed (`kill -9`) again and again at random moments, and sometimes on
//! its way up, while 64 clients stream through it and 8 report usage. Then the ledger, as the API tells it, is compared with
//! what the provider has logged of what it sent and the clients of what they were told (`checker`).
//!
//!     cargo nextest run --features ssr --test gateway killed        20 kills on SQLite and 5 on PostgreSQL
//!     TOLLBRIDGE_KILLS=200 TOLLBRIDGE_KILLS_SEED=7 …                more of them, at the moments that the seed gives
//!
//! Each call that the provider received is there once, in one of these states:
//!
//! | state | permitted if | tokens |
//! |---|---|---|
//! | complete | the provider sent all of it | exactly what it sent |
//! | interrupted, with usage | the provider sent the start of the message | exactly those of the start, as an estimate |
//! | interrupted, without usage | always | none, and no cost |
//! | not there | its start was late: the server's log has its id | |
//!
//! That alone would permit a server that forgets the ends. But what the recorder is told is written in the order in which it
//! was told, so what is there of one call says what must be there of the others. If a call of this server is in the ledger, then
//! of all that happened before its client sent it, this is there as well:
//!
//! - each call whose answer had begun, late or not;
//! - the usage of each call whose client had its first event;
//! - the end of each call whose connection had begun to answer the next one. (The end of a call is told after its last
//!   bytes are on their way, so a call that a client has whole can still be interrupted by a kill in that moment.)
//!
//! A call whose start was written and that the provider never received is there as interrupted without usage, and is
//! counted: its server was killed in between. Nothing else is there, but for what was reported: each acknowledged item
//! once, under the id that was acknowledged, and each other one once or not at all. Sums and costs are those of the events.

mod checker;
mod clients;
mod provider;

use self::clients::{Log, Run, report_usage, stream_calls};
use super::fake_provider::FakeProvider;
use super::gateway_server::{request, send};
use serde_json::Value;
use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;

const SHORT_KILLS: u64 = 20;
const STREAMS: u64 = 64;
const REPORTERS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_at_any_moment_loses_no_call_and_counts_none_twice_sqlite() {
    kill_again_and_again(None, kills()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_at_any_moment_loses_no_call_and_counts_none_twice_postgres() {
    let Ok(server) = std::env::var("TOLLBRIDGE_TEST_POSTGRES") else {
        assert!(std::env::var("TOLLBRIDGE_TEST_ALL").is_err(), "the PostgreSQL half of the tests may not be skipped");
        return;
    };
    let (before, after) = server.split_once("/postgres?").unwrap();
    let url = format!("{before}/server_kill_{}?{after}", uuid::Uuid::now_v7().simple());
    kill_again_and_again(Some(url), kills().div_ceil(4)).await;
}

#[test]
fn the_checker_shares_no_code_with_what_it_checks() {
    for text in [include_str!("kills/checker.rs"), include_str!("kills/checker/records.rs")] {
        for line in text.lines().filter(|line| line.starts_with("use ")) {
            let is_its_own = ["use std::", "use serde_json::", "use self::"].iter().any(|own| line.starts_with(own));
            assert!(is_its_own, "{line}");
        }
        assert!(!text.contains("tollbridge::") && !text.contains("super::"), "by its full name neither");
    }
}

/// Numbers that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub fn pause(&mut self, below_ms: u64) -> Duration {
        Duration::from_millis(self.below(below_ms))
    }

    fn another(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }
}

/// Where the servers of a test live, one after the other.
struct Place {
    folder: TempDir,
    database_url: Option<String>,
    provider: FakeProvider,
    servers: u64,
}

struct Server {
    number: u64,
    process: Child,
}

/// What a server answers once it has dealt with all that its predecessors left.
struct Answers {
    events: Vec<Value>,
    report: Value,
    ready: Value,
}

async fn kill_again_and_again(database_url: Option<String>, kills: u64) {
    let seed = std::env::var("TOLLBRIDGE_KILLS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(any_seed);
    println!("TOLLBRIDGE_KILLS_SEED={seed}");
    let mut dice = Dice(seed);
    let provider = provider::start(dice.another()).await;
    let mut place = Place { folder: tempfile::tempdir().unwrap(), database_url, provider, servers: 0 };
    let (runs, _) = watch::channel(None);
    let log = Arc::new(Log::default());
    let mut clients = JoinSet::new();
    for client in 0..STREAMS {
        clients.spawn(stream_calls(client, runs.subscribe(), log.clone(), dice.another()));
    }
    for client in 0..REPORTERS {
        clients.spawn(report_usage(client, runs.subscribe(), log.clone(), dice.another()));
    }
    for kill in 0..kills {
        if kill > 0 && dice.below(4) == 0 {
            // While it comes up and puts in order what its predecessor left.
            let server = place.start();
            tokio::time::sleep(dice.pause(300)).await;
            server.kill().await;
        }
        let mut server = place.start();
        let run = Run { number: server.number, address: server.address().await, is_killed: Arc::default() };
        let is_killed: Arc<AtomicBool> = run.is_killed.clone();
        runs.send_replace(Some(run));
        tokio::time::sleep(dice.pause(400)).await;
        is_killed.store(true, Ordering::SeqCst);
        server.kill().await;
    }
    drop(runs);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let first = place.answers().await;
    let second = place.answers().await;
    assert!(
        first.events == second.events && first.report["summary"] == second.report["summary"],
        "a start adds nothing"
    );
    place.doctor().await;
    place.write_down(&second, &log);
    match checker::check(place.folder.path()) {
        Ok(tally) => {
            println!("{kills} kills: lost 0, double 0; {tally:?}");
            assert!(
                tally.complete > kills && tally.with_usage > 0 && tally.acknowledged > kills,
                "clients got to work"
            );
        }
        Err(problems) => {
            let (count, shown) = (problems.len(), problems[..problems.len().min(20)].join("\n"));
            panic!("{count} problems; the files stay in {}\n{shown}", place.folder.keep().display());
        }
    }
}

fn kills() -> u64 {
    std::env::var("TOLLBRIDGE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(SHORT_KILLS)
}

fn any_seed() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros() as u64
}

impl Place {
    fn start(&mut self) -> Server {
        self.servers += 1;
        let number = self.servers;
        let log = File::create(self.folder.path().join(format!("server-{number}.log"))).unwrap();
        let mut command = self.command("serve");
        command.stdout(Stdio::piped()).stderr(log);
        Server { number, process: command.spawn().unwrap() }
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollbridge"));
        for name in ["DATABASE_URL", "TOLLBRIDGE_CONFIG", "ANTHROPIC_API_KEY"] {
            command.env_remove(name);
        }
        command
            .arg(name)
            .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
            .env("TOLLBRIDGE_SERVER__DATA_DIR", self.folder.path().join("data"))
            .env("TOLLBRIDGE_SERVER__TIME_ZONE", "UTC")
            .env("TOLLBRIDGE_SERVER__LOG", "warn,tollbridge::capture::recorder=debug")
            .env("TOLLBRIDGE_SERVER__LOG_FORMAT", "json")
            .env("TOLLBRIDGE_GATEWAY__UPSTREAM_URL", self.provider.url())
            .envs(self.database_url.iter().map(|url| ("DATABASE_URL", url)))
            .kill_on_drop(true);
        command
    }

    /// Of a server without clients, which is killed too.
    async fn answers(&mut self) -> Answers {
        let mut server = self.start();
        let address = server.address().await;
        let mut ready = get(address, "/readyz").await;
        for _ in 0..600 {
            if ready["recorder"]["spoolDepth"] == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            ready = get(address, "/readyz").await;
        }
        assert_eq!(ready["recorder"]["spoolDepth"], 0, "the ledger takes all that was left: {ready}");
        let report = get(address, "/api/analytics/tokens?range=week&tz=UTC").await;
        let mut events = Vec::new();
        let mut next = Some("/api/analytics/events?limit=500".to_owned());
        while let Some(path) = next {
            let page = get(address, &path).await;
            events.extend(page["events"].as_array().unwrap().iter().cloned());
            next = page["next"].as_str().map(str::to_owned);
        }
        server.kill().await;
        Answers { events, report, ready }
    }

    async fn doctor(&self) {
        let output = self.command("doctor").output().await.unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// All that the checker is to know.
    fn write_down(&self, answers: &Answers, log: &Log) {
        let write = |name: &str, lines: &[Value]| {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(self.folder.path().join(name), text).unwrap();
        };
        write("provider.jsonl", &self.provider.log());
        write("clients.jsonl", &log.lines());
        write("events.jsonl", &answers.events);
        write("report.json", std::slice::from_ref(&answers.report));
        write("ready.json", std::slice::from_ref(&answers.ready));
    }
}

impl Server {
    async fn address(&mut self) -> SocketAddr {
        let mut line = String::new();
        BufReader::new(self.process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let address = line.trim().strip_prefix("Tollbridge is at http://");
        address.unwrap_or_else(|| panic!("server {} says {line:?}", self.number)).parse().unwrap()
    }

    /// SIGKILL, in the middle of whatever it does.
    async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
}

async fn get(address: SocketAddr, path: &str) -> Value {
    let answer = send(address, &request("GET", path, address, &[], "")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}
