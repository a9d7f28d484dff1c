//! Invariant 3, the hard way: a process that records calls is killed (`kill -9`) again and again at random moments. Then
//! the ledger is compared with what the process said it was doing, by a fold of its own that shares no code with ours. The
//! whole server is killed in `tests/gateway/kills.rs`; here is what the mutants are tried on, which takes no web server.
//!
//!     cargo nextest run --features server --test recorder        20 kills
//!     TOLLBRIDGE_KILLS=200 cargo nextest run …                   as many as you like
//!
//! With TOLLBRIDGE_TEST_POSTGRES set, the same once more on PostgreSQL.

mod oracle;
mod worker;

use oracle::Expected;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tollbridge::domain::period::Zone;
use tollbridge::domain::query::UsageQuery;
use tollbridge::domain::usage::{Scope, UsageEvent, UserId};
use tollbridge::ledger::spool::{FrameKind, SpoolFile};
use tollbridge::ledger::{EventFilter, Ledger};

const SHORT_KILLS: u32 = 20;

#[test]
fn killed_at_any_moment_no_call_is_lost_and_none_is_counted_twice_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
    kill_again_and_again(folder.path(), &url, kills());
}

#[test]
fn killed_at_any_moment_no_call_is_lost_and_none_is_counted_twice_postgres() {
    let Ok(server) = std::env::var("TOLLBRIDGE_TEST_POSTGRES") else {
        assert!(std::env::var("TOLLBRIDGE_TEST_ALL").is_err(), "the PostgreSQL half of the tests may not be skipped");
        return;
    };
    let (before, after) = server.split_once("/postgres?").unwrap();
    let url = format!("{before}/kill_{}?{after}", uuid::Uuid::now_v7().simple());
    let folder = tempfile::tempdir().unwrap();
    kill_again_and_again(folder.path(), &url, kills().div_ceil(4));
}

/// Not a test of its own: what the killed process runs.
#[test]
#[ignore = "it is run by the other tests, as a process of its own"]
fn worker() {
    let Some(folder) = std::env::var_os(worker::FOLDER) else { return };
    worker::run(Path::new(&folder), &std::env::var(worker::LEDGER).unwrap());
}

fn kill_again_and_again(folder: &Path, url: &str, kills: u32) {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for kill in 0..kills {
        let mut worker = start_worker(folder, url);
        wait_for_its_log(folder, kill);
        // 0 to 400 ms of work: before, in and after every kind of step.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((seed >> 33) % 400));
        worker.0.kill().unwrap();
        worker.0.wait().unwrap();
    }
    let (events, total_calls, differing_rows) = recover_and_read(folder, url);
    let expected = Expected::read(&folder.join(worker::LOG));
    println!("{expected}");
    assert!(expected.ended() > u64::from(kills), "the workers got to work: {expected}");
    expected.compare(&events);
    assert_eq!(total_calls, events.len() as u64, "the rollups count what the events are");
    assert_eq!(differing_rows, 0, "rollups equal their events");
}

fn kills() -> u32 {
    std::env::var("TOLLBRIDGE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(SHORT_KILLS)
}

/// Ends the worker even where the test fails.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start_worker(folder: &Path, url: &str) -> Worker {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--ignored", "--nocapture"])
        .env(worker::FOLDER, folder)
        .env(worker::LEDGER, url)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn();
    Worker(child.unwrap())
}

fn wait_for_its_log(folder: &Path, run: u32) {
    for _ in 0..2_000 {
        let log = std::fs::read_to_string(folder.join(worker::LOG)).unwrap_or_default();
        if log.lines().filter(|line| line.starts_with("run ")).count() as u32 > run {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the worker does not start");
}

/// Starts the recorder once more without calls, twice: the second time there is nothing left to do.
fn recover_and_read(folder: &Path, url: &str) -> (Vec<UsageEvent>, u64, i64) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut found = Vec::new();
        for _ in 0..2 {
            let ledger = Ledger::open(url, &Zone::parse("UTC").unwrap()).await.unwrap();
            let recorder = worker::open_recorder(&ledger, folder).await;
            recorder.drained().await;
            let health = recorder.health();
            assert_eq!(health.lost.total(), 0, "{health:?}");
            recorder.close().await;
            drop(recorder);
            assert_eq!(frames_in(folder).await, 0, "nothing stays in the spool");
            let scope = Scope::User(UserId::owner());
            let report = ledger.report(&scope, &UsageQuery::default(), worker::NOW_MS).await.unwrap();
            let differing_rows = ledger.verify_rollups().await.unwrap().difference();
            found.push((all_events(&ledger, &scope).await, report.summary.total_calls as u64, differing_rows));
            ledger.close().await;
        }
        let second = found.pop().unwrap();
        assert_eq!(found.pop().unwrap(), second, "a second start changes nothing");
        second
    })
}

async fn frames_in(folder: &Path) -> u64 {
    let file = SpoolFile::open(&folder.join("spool.db"), 1 << 30).await.unwrap();
    let mut frames = 0;
    for kind in [FrameKind::Start, FrameKind::Usage, FrameKind::End, FrameKind::Rejected] {
        frames += file.count(kind).await.unwrap();
    }
    file.close().await.unwrap();
    frames
}

async fn all_events(ledger: &Ledger, scope: &Scope) -> Vec<UsageEvent> {
    let mut filter = EventFilter { limit: 500, ..EventFilter::default() };
    let mut events = Vec::new();
    loop {
        let page = ledger.events(scope, &filter).await.unwrap();
        events.extend(page.events);
        filter.after = page.next;
        if filter.after.is_none() {
            return events;
        }
    }
}
