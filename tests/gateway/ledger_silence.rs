//! A ledger that hangs or cannot be reached: calls go on by what was known of keys and budgets, and do not each wait for it.
//! While it answers, what others change holds within a second.

use super::answers::{MESSAGE, REQUEST};
use super::fake_provider::FakeProvider;
use super::gateway_server::{GatewayServer, Setup};
use super::postgres_proxy::PostgresProxy;
use sqlx::Connection;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tollbridge::domain::api_key::{KeyScope, KeyText, RANDOM_DIGITS};
use tollbridge::domain::audit::Actor;
use tollbridge::domain::budget::{AtLimit, Budget, BudgetPeriod, NamedBudget};
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::period::Zone;
use tollbridge::domain::price::PriceBook;
use tollbridge::domain::usage::UserId;
use tollbridge::http::state::Clock;
use tollbridge::ledger::Ledger;
use tollbridge::ledger::key::CreatedKey;

/// 18 November 2026, 12:00 UTC.
const NOON_MS: i64 = 1_795_003_200_000;
/// What [`REQUEST`] may cost at most, and what it does cost.
const RESERVED: NanoUsd = NanoUsd(15_483_750);
const COST: NanoUsd = NanoUsd(10_500_000);
const CALLS: usize = 20;
/// For all calls together. If each waited for the ledger, one or two would take longer.
const NO_HANG: Duration = Duration::from_secs(5);
/// Longer than anything known counts as fresh.
const A_WHILE: Duration = Duration::from_millis(1_100);

#[tokio::test]
async fn a_ledger_that_hangs_holds_up_no_call_postgres() {
    calls_go_on_while(PostgresProxy::hang).await;
}

#[tokio::test]
async fn a_ledger_that_cannot_be_reached_holds_up_no_call_postgres() {
    calls_go_on_while(PostgresProxy::close).await;
}

async fn calls_go_on_while(block: impl Fn(&PostgresProxy)) {
    let Some(proxy) = PostgresProxy::start().await else { return };
    let provider = FakeProvider::start().await;
    let setup = Setup { database_url: Some(proxy.url.clone()), ..Setup::default() };
    let server = GatewayServer::with(&provider.url(), setup).await;
    assert_eq!(status_of_call(&server, None).await, 200);
    server.event().await;
    block(&proxy);
    tokio::time::sleep(A_WHILE).await;
    all_are(200, &server, None).await;
    proxy.open();
    all_is_recorded(&server, CALLS + 1).await;

    let (known, elsewhere) = (new_key(&server.ledger).await, open(&proxy.direct_url).await);
    assert_eq!(status_of_call(&server, Some(&known.text)).await, 200);
    assert_eq!(status_of_call(&server, None).await, 401);
    server.events(CALLS + 2).await;
    block(&proxy);
    tokio::time::sleep(A_WHILE).await;
    all_are(200, &server, Some(&known.text)).await;
    all_are(401, &server, None).await;
    let unknown = KeyText::from_digits([7; RANDOM_DIGITS]);
    let answered = tokio::time::timeout(NO_HANG, status_of_call(&server, Some(&unknown))).await;
    assert_eq!(answered, Ok(503), "who is not known is not let in, and told so");
    // What nobody can be told of is not known; it is, once somebody can be.
    revoke(&elsewhere, &known).await;
    all_are(200, &server, Some(&known.text)).await;
    proxy.open();
    let stops = async { while status_of_call(&server, Some(&known.text)).await != 401 {} };
    tokio::time::timeout(Duration::from_secs(10), stops).await.expect("the key stops");
    all_is_recorded(&server, provider.seen().len()).await;
}

#[tokio::test]
async fn a_server_that_is_started_before_its_database_waits_for_it_postgres() {
    let Some(proxy) = PostgresProxy::start().await else { return };
    proxy.close();
    let folder = tempfile::tempdir().unwrap();
    let mut server = Command::new(env!("CARGO_BIN_EXE_tollbridge"))
        .arg("serve")
        .env("DATABASE_URL", &proxy.url)
        .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
        .env("TOLLBRIDGE_SERVER__DATA_DIR", folder.path())
        .env_remove("TOLLBRIDGE_CONFIG")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    // Once it has found that nobody is there.
    let too_early = tokio::time::timeout(Duration::from_secs(7), lines.next_line()).await;
    assert!(too_early.is_err() && server.try_wait().unwrap().is_none(), "{too_early:?}");
    proxy.open();
    let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await.expect("it serves").unwrap();
    assert!(line.as_deref().is_some_and(|line| line.starts_with("Tollbridge is at http://")), "{line:?}");
}

#[tokio::test]
async fn a_key_that_another_process_revokes_stops_within_a_second_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    a_revoked_key_stops(format!("sqlite:{}", folder.path().join("both.db").display())).await;
}

#[tokio::test]
async fn a_key_that_another_process_revokes_stops_within_a_second_postgres() {
    let Some(proxy) = PostgresProxy::start().await else { return };
    a_revoked_key_stops(proxy.direct_url).await;
}

async fn a_revoked_key_stops(database_url: String) {
    let provider = FakeProvider::start().await;
    let setup = Setup { database_url: Some(database_url.clone()), ..Setup::default() };
    let server = GatewayServer::with(&provider.url(), setup).await;
    let elsewhere = open(&database_url).await;
    let (busy, idle) = (new_key(&elsewhere).await, new_key(&elsewhere).await);
    assert_eq!(status_of_call(&server, Some(&idle.text)).await, 200);
    let began = Instant::now();
    // Long enough to be renewed beside the calls a few times.
    while began.elapsed() < 2 * A_WHILE {
        assert_eq!(status_of_call(&server, Some(&busy.text)).await, 200);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    revoke(&elsewhere, &idle).await;
    assert_eq!(status_of_call(&server, Some(&idle.text)).await, 401, "what is known of it is old");
    revoke(&elsewhere, &busy).await;
    let revoked = Instant::now();
    while revoked.elapsed() < Duration::from_secs(1) {
        status_of_call(&server, Some(&busy.text)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status_of_call(&server, Some(&busy.text)).await, 401);
}

#[tokio::test]
async fn a_budget_blocks_by_what_is_known_while_the_ledger_hangs_postgres() {
    let Some(proxy) = PostgresProxy::start().await else { return };
    let provider = FakeProvider::start().await;
    let setup = Setup { database_url: Some(proxy.url.clone()), ..Setup::default() };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let server = GatewayServer::at(folder, &provider.url(), setup, Clock::fixed_at(NOON_MS)).await;
    // Room for one call before, and as many as are made while it hangs.
    save_budget(&server.ledger, NanoUsd(RESERVED.0 + COST.0 * CALLS as i64)).await;
    assert_eq!(status_of_call(&server, None).await, 200);
    server.event().await;
    proxy.hang();
    tokio::time::sleep(A_WHILE).await;
    all_are(200, &server, None).await;
    all_are(429, &server, None).await;
    proxy.open();
    all_is_recorded(&server, CALLS + 1).await;
}

#[tokio::test]
async fn a_budget_blocks_after_a_restart_however_long_the_spool_takes() {
    let provider = FakeProvider::start().await;
    let (folder, url) = (Arc::new(tempfile::tempdir().unwrap()), provider.url());
    let start = || GatewayServer::at(folder.clone(), &url, Setup::default(), Clock::fixed_at(NOON_MS));
    let server = start().await;
    assert_eq!(status_of_call(&server, None).await, 200);
    server.event().await;
    server.ledger.close().await;
    for _ in 0..3 {
        assert_eq!(status_of_call(&server, None).await, 200);
    }
    let database_url = server.database_url.clone();
    server.stop().await;

    save_budget(&open(&database_url).await, COST).await;
    let mut other = sqlx::SqliteConnection::connect(&database_url).await.unwrap();
    sqlx::query("begin immediate").execute(&mut other).await.unwrap();
    let server = start().await;
    for _ in 0..3 {
        assert_eq!(status_of_call(&server, None).await, 429, "what the ledger has is all that there is room for");
    }
    assert_eq!(server.recorder.health().spool_depth, 3, "they wait still");
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    all_is_recorded(&server, 4).await;
    // Too little by one for a fifth.
    save_budget(&server.ledger, NanoUsd(4 * COST.0 + RESERVED.0 - 1)).await;
    assert_eq!(status_of_call(&server, None).await, 429, "what was in the spool counts");
    assert_eq!(provider.seen().len(), 4);
}

async fn status_of_call(server: &GatewayServer, key: Option<&KeyText>) -> u16 {
    let headers: Vec<_> = key.iter().map(|key| ("x-tollbridge-key", key.reveal())).collect();
    let answer = server.post("/v1/messages", &headers, REQUEST).await;
    assert!(answer.status != 200 || answer.text() == MESSAGE);
    answer.status
}

async fn all_are(expected: u16, server: &GatewayServer, key: Option<&KeyText>) {
    let calls = async {
        for _ in 0..CALLS {
            assert_eq!(status_of_call(server, key).await, expected);
        }
    };
    tokio::time::timeout(NO_HANG, calls).await.expect("calls do not each wait for the ledger");
}

async fn all_is_recorded(server: &GatewayServer, calls: usize) {
    tokio::time::timeout(Duration::from_secs(30), server.recorder.drained()).await.expect("the ledger has all calls");
    server.events(calls).await;
    assert_eq!(server.recorder.health().lost.total(), 0);
}

/// The ledger as another process has it.
async fn open(database_url: &str) -> Ledger {
    Ledger::open(database_url, &Zone::UTC).await.unwrap()
}

async fn new_key(ledger: &Ledger) -> CreatedKey {
    let user = UserId("ann".into());
    ledger.create_key(&user, "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS).await.unwrap()
}

async fn revoke(ledger: &Ledger, CreatedKey { key, .. }: &CreatedKey) {
    assert!(ledger.revoke_key(&key.user_id, &key.id, &Actor::command_line(), NOON_MS).await.unwrap());
}

/// Sets the one budget, that blocks.
async fn save_budget(ledger: &Ledger, limit: NanoUsd) {
    let budget = NamedBudget {
        id: "daily".into(),
        name: "Daily".into(),
        period: BudgetPeriod::Day,
        limit,
        at_limit: AtLimit::Block,
        ..NamedBudget::of_default(&UserId::owner(), &Budget::default_in(&Zone::UTC))
    };
    ledger.save_named_budget(&budget, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
}
