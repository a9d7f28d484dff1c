//! What happens to the ledger and to the disk is no business of a call: it goes on as if nothing were. Who reports usage is
//! told that it was not taken.

use super::answers::{MESSAGE, REQUEST};
use super::fake_provider::FakeProvider;
use super::gateway_server::{Answer, GatewayServer, Setup};
use super::health::figures;
use sqlx::Connection;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tollbridge::domain::recorder_health::RecorderHealth;
use tollbridge::http::state::Clock;

const REPORT: &str =
    r#"{"id":"call-1","model":"claude-sonnet-4-20250514","usage":{"input_tokens":1,"output_tokens":1}}"#;

#[tokio::test]
async fn a_ledger_that_is_gone_changes_nothing_for_the_client() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    server.post("/v1/messages", &[], REQUEST).await;
    server.event().await;
    server.ledger.close().await;
    for _ in 0..3 {
        let answered = server.post("/v1/messages", &[], REQUEST).await;
        assert_eq!((answered.status, answered.text().as_str()), (200, MESSAGE));
        assert!(answered.header("x-tollbridge-call-id").is_some());
    }
    // Longer than what is known of keys is fresh.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.post("/v1/messages", &[], REQUEST).await.status, 200);
}

#[tokio::test]
async fn a_ledger_that_another_process_holds_holds_up_no_call_sqlite() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    let mut other = sqlx::SqliteConnection::connect(&server.database_url).await.unwrap();
    sqlx::query("begin immediate").execute(&mut other).await.unwrap();
    calls_go_on_and_reports_are_refused(&server).await;
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    all_is_recorded_once(&server).await;
}

#[tokio::test]
async fn a_ledger_that_another_process_holds_holds_up_no_call_postgres() {
    let Ok(test_server) = std::env::var("TOLLBRIDGE_TEST_POSTGRES") else {
        assert!(std::env::var("TOLLBRIDGE_TEST_ALL").is_err(), "the PostgreSQL half of the tests may not be skipped");
        return;
    };
    let (before, after) = test_server.split_once("/postgres?").unwrap();
    let url = format!("{before}/held_{}?{after}", uuid::Uuid::now_v7().simple());
    let provider = FakeProvider::start().await;
    let setup = Setup { database_url: Some(url.clone()), ..Setup::default() };
    let server = GatewayServer::with(&provider.url(), setup).await;
    let mut other = sqlx::PgConnection::connect(&url).await.unwrap();
    sqlx::query("begin").execute(&mut other).await.unwrap();
    sqlx::query("lock table usage_event in access exclusive mode").execute(&mut other).await.unwrap();
    calls_go_on_and_reports_are_refused(&server).await;
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    all_is_recorded_once(&server).await;
}

/// As somebody does who restores a copy under a running server, or tidies up.
#[tokio::test]
async fn a_ledger_whose_file_is_taken_away_gets_every_call_when_it_is_back() {
    let provider = FakeProvider::start().await;
    let server = GatewayServer::before(&provider).await;
    server.post("/v1/messages", &[], REQUEST).await;
    server.event().await;
    let path = server.database_url.strip_prefix("sqlite:").unwrap();
    let elsewhere = format!("{path}.elsewhere");
    for takes_its_place in [false, true] {
        std::fs::rename(path, &elsewhere).unwrap();
        if takes_its_place {
            std::fs::copy(&elsewhere, path).unwrap();
        }
        assert_eq!(server.post("/v1/messages", &[], REQUEST).await.status, 200);
        assert_eq!(report(&server).await.status, 503);
        assert_eq!(server.get("/readyz", &[]).await.status, 503);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.recorder.health().spool_depth, 1, "it waits");
        std::fs::rename(&elsewhere, path).unwrap();
        tokio::time::timeout(Duration::from_secs(10), server.recorder.drained()).await.expect("it is recorded");
        assert_eq!(server.get("/readyz", &[]).await.status, 200);
    }
    server.events(3).await;
}

#[tokio::test]
async fn calls_after_the_ledger_was_deleted_are_in_the_next_one() {
    let provider = FakeProvider::start().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let url = provider.url();
    let start = || GatewayServer::at(folder.clone(), &url, Setup::default(), Clock::System);
    let server = start().await;
    server.post("/v1/messages", &[], REQUEST).await;
    server.event().await;
    let path = server.database_url.strip_prefix("sqlite:").unwrap();
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(format!("{path}{suffix}")).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(server.post("/v1/messages", &[], REQUEST).await.status, 200);
    }
    server.stop().await;
    start().await.events(2).await;
}

const CALLS: u64 = 20;

async fn calls_go_on_and_reports_are_refused(server: &GatewayServer) {
    let began = Instant::now();
    let report = async {
        let answer = report(server).await;
        (answer, began.elapsed())
    };
    let calls = async {
        for _ in 0..CALLS {
            let answer = server.post("/v1/messages", &[], REQUEST).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, MESSAGE));
        }
        began.elapsed()
    };
    let ((refused, refused_after), called_for) = tokio::join!(report, calls);
    assert!(called_for < Duration::from_secs(4), "the calls took {called_for:?}");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    // Its own five seconds, and as long for whoever was before it.
    assert!(refused_after < Duration::from_secs(14), "{refused_after:?}");
    let health = counted(server, CALLS).await;
    assert_eq!((health.spool_depth, health.lost.total()), (CALLS, 0), "{health:?}");
}

/// Waits until the recorder knows of so many ended calls: their answers are with their clients before that.
async fn counted(server: &GatewayServer, calls: u64) -> RecorderHealth {
    loop {
        let health = server.recorder.health();
        if health.spool_depth + health.lost.total() >= calls {
            return health;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn all_is_recorded_once(server: &GatewayServer) {
    assert_eq!(report(server).await.status, 201, "what was refused was not recorded");
    assert_eq!(report(server).await.status, 200, "and now it is, once");
    tokio::time::timeout(Duration::from_secs(20), server.recorder.drained()).await.expect("the ledger has all calls");
    server.events(CALLS as usize + 1).await;
    assert_eq!(server.ledger.verify_rollups().await.unwrap().difference(), 0);
    assert_eq!(server.recorder.health().lost.total(), 0);
}

async fn report(server: &GatewayServer) -> Answer {
    server.post("/api/analytics/usage", &[("no-credential", "1")], REPORT).await
}

#[test]
fn a_disk_that_takes_nothing_more_holds_up_no_call_and_what_is_lost_is_counted() {
    // A process of its own: the limit is the whole process's.
    let arguments = ["--exact", "ledger_faults::on_a_full_disk", "--ignored", "--nocapture"];
    let output = Command::new(std::env::current_exe().unwrap()).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "another test runs it, in a process of its own"]
async fn on_a_full_disk() {
    // It comes with each write that fails, and would end the process.
    let _too_large = signal(SignalKind::from_raw(25)).unwrap();
    let provider = FakeProvider::start().await;
    let setup = Setup { queue_max_bytes: Some(128 * 1024), ..Setup::default() };
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let server = GatewayServer::at(folder, &provider.url(), setup, Clock::System).await;
    let mut calls = 0;
    let mut call = async || {
        let answer = server.post("/v1/messages", &[], REQUEST).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, MESSAGE));
        calls += 1;
    };
    call().await;
    server.events(1).await;
    let (room, most) = rlimit::Resource::FSIZE.get().unwrap();
    rlimit::Resource::FSIZE.set(0, most).unwrap();
    for _ in 0..40 {
        call().await;
    }
    let health = counted(&server, 40).await;
    assert_eq!(health.lost.total(), 0, "memory keeps them: {health:?}");
    assert!(health.last_error.is_some_and(|error| error.contains("the spool cannot be written")));
    let refused = report(&server).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{}", refused.text());
    for _ in 0..160 {
        call().await;
    }
    let lost = counted(&server, 200).await.lost;
    assert!(lost.spool_unavailable > 0 && lost.total() == lost.spool_unavailable, "{lost:?}");
    let shown: serde_json::Value = serde_json::from_str(&server.get("/readyz", &[]).await.text()).unwrap();
    assert_eq!(shown["recorder"]["lost"]["spoolUnavailable"], lost.spool_unavailable, "{shown}");
    let first_page = server.get("/", &[]).await.text();
    assert!(first_page.contains("The figures lack") && first_page.contains("sent before being on disk"), "it says so");
    let told = figures(&server).await;
    assert_eq!(
        told["Lost"],
        format!("{0} calls, {0} calls because the spool could not be written, critical", lost.total())
    );
    let late: u64 = told["Written late"].split(' ').next().unwrap().parse().unwrap();
    assert!(late >= 200 && told["Written late"].ends_with(", warning"), "{told:?}");
    assert!(told["Spool"].ends_with("cannot be written: calls wait in memory, critical"), "{told:?}");
    assert!(told["Last error"].contains(", the spool cannot be written: "), "{told:?}");
    assert!(told["Waiting"].starts_with(&format!("{} calls, ", 200 - lost.total())), "{told:?}");

    rlimit::Resource::FSIZE.set(room, most).unwrap();
    let drained = tokio::time::timeout(Duration::from_secs(20), server.recorder.drained()).await;
    assert!(drained.is_ok(), "the ledger takes calls again: {:?}", server.recorder.health());
    call().await;
    server.recorder.drained().await;
    assert_eq!(server.recorder.health().lost, lost, "nothing more is lost once there is room");
    assert!(figures(&server).await["Spool"].ends_with("can be written"));
    server.events(calls - lost.total() as usize).await;
    assert_eq!(server.ledger.verify_rollups().await.unwrap().difference(), 0);
}
