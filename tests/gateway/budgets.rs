//! Budgets that block: what is refused, in which words, and that no interleaving overspends.

use super::answers::{EVENTS, REQUEST, STREAM_REQUEST};
use super::fake_provider::{FakeProvider, Step, chunk, end_of_chunks, json_answer, stream_head};
use super::gateway_server::{Answer, GatewayServer, Setup, read_answer, read_until, request};
use sqlx::Connection;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tollbridge::domain::audit::Actor;
use tollbridge::domain::budget::{AtLimit, Budget, BudgetPeriod, BudgetScope, NamedBudget};
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::period::Zone;
use tollbridge::domain::price::PriceBook;
use tollbridge::domain::usage::UserId;
use tollbridge::http::state::Clock;

/// 18 November 2026, 12:00 UTC.
const NOON_MS: i64 = 1_795_003_200_000;
/// 1,024 tokens of output at $15 and the 98 bytes of [`REQUEST`] as 33 tokens written to the cache at $3.75 per million.
const RESERVED: NanoUsd = NanoUsd(15_483_750);
/// The same for [`STREAM_REQUEST`]: 1,024 tokens of output and 112 bytes as 38 tokens.
const STREAM_RESERVED: NanoUsd = NanoUsd(15_502_500);
/// What [`EVENTS`] cost: 25 tokens in at $3 and 12 out at $15 per million.
const STREAM_COST: NanoUsd = NanoUsd(255_000);
/// What the answer costs.
const COST: NanoUsd = NanoUsd(10_500_000);

fn daily(limit: NanoUsd) -> NamedBudget {
    NamedBudget {
        id: "daily".into(),
        name: "Daily".into(),
        period: BudgetPeriod::Day,
        limit,
        at_limit: AtLimit::Block,
        ..NamedBudget::of_default(&UserId::owner(), &Budget::default_in(&Zone::UTC))
    }
}

async fn server_with(provider: &FakeProvider, budget: &NamedBudget) -> GatewayServer {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let clock = Clock::fixed_at(NOON_MS);
    let server = GatewayServer::at(folder, &provider.url(), Setup::default(), clock).await;
    server.ledger.save_named_budget(budget, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    server
}

async fn ask(server: &GatewayServer) -> Answer {
    server.post("/v1/messages", &[], REQUEST).await
}

/// A request of more than the gateway takes in before it asks the provider, with its model at the end.
fn large_request() -> String {
    let prompt = "x".repeat(600_000);
    format!(
        r#"{{"messages":[{{"role":"user","content":"{prompt}"}}],"max_tokens":8,"model":"claude-sonnet-4-20250514"}}"#
    )
}

#[tokio::test]
async fn a_refusal_says_exactly_what_and_until_when() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider, &daily(NanoUsd(RESERVED.0 - 1))).await;
    let refused = ask(&server).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert_eq!(refused.header("retry-after"), Some("43200"));
    assert_eq!(refused.header("content-type"), Some("application/json"));
    let body: serde_json::Value = serde_json::from_slice(&refused.body).unwrap();
    let id = body["request_id"].as_str().unwrap();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("spend limit reached (daily; resets 2026-11-19 00:00 UTC). Daily (all calls): "),
        "{message}"
    );
    let expected =
        format!(r#"{{"type":"error","error":{{"type":"billing_error","message":"{message}"}},"request_id":"{id}"}}"#);
    assert_eq!(refused.text(), expected);
    assert!(provider.seen().is_empty(), "the provider was not asked");
    server.events(0).await;
}

#[tokio::test]
async fn a_call_that_just_fits_passes() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider, &daily(RESERVED)).await;
    assert_eq!(ask(&server).await.status, 200);
    assert_eq!(server.event().await.cost, Some(COST));
    assert_eq!(ask(&server).await.status, 429, "what is left is less than it may cost");
}

#[tokio::test]
async fn a_thousand_calls_at_once_do_not_overspend() {
    let provider = FakeProvider::start().await;
    let limit = NanoUsd(1_000_000_000);
    let server = Arc::new(server_with(&provider, &daily(limit)).await);
    let calls: Vec<_> = (0..1_000)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { ask(&server).await.status })
        })
        .collect();
    let mut passed = 0;
    for call in calls {
        match call.await.unwrap() {
            200 => passed += 1,
            429 => {}
            other => panic!("{other}"),
        }
    }
    assert_eq!(provider.seen().len(), passed, "a refused call never reaches the provider");
    assert!(passed >= 64, "as many as could be reserved at once: {passed}");
    server.recorder.drained().await;
    let budget = daily(limit);
    let spent = server.ledger.spent_of(&budget, budget.interval_at(NOON_MS)).await.unwrap();
    assert_eq!(spent, NanoUsd(COST.0 * passed as i64));
    assert!(spent <= limit, "{spent}");
}

#[tokio::test]
async fn a_reservation_ends_with_its_call() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider, &daily(RESERVED)).await;
    let free = r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#;
    provider.play(vec![Step::Send(json_answer(529, &[], free))]);
    assert_eq!(ask(&server).await.status, 529);
    provider.play(vec![Step::Reset]);
    assert_eq!(ask(&server).await.status, 502);
    // One that hangs holds all that there is, until its client hangs up.
    provider.play(vec![Step::Hang]);
    let hanging = server.begin("/v1/messages", &[], REQUEST).await;
    while provider.seen().len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ask(&server).await.status, 429);
    drop(hanging);
    provider.hung_up().await;
    server.events(3).await;
    assert_eq!(ask(&server).await.status, 200);
}

#[tokio::test]
async fn what_a_call_did_cost_takes_the_place_of_what_was_reserved_and_counts_once() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider, &daily(NanoUsd(2 * COST.0 + RESERVED.0))).await;
    // While the ledger takes nothing, what has ended is known here alone.
    let mut other = sqlx::SqliteConnection::connect(&server.database_url).await.unwrap();
    sqlx::query("begin immediate").execute(&mut other).await.unwrap();
    for _ in 0..3 {
        assert_eq!(ask(&server).await.status, 200);
    }
    assert_eq!(ask(&server).await.status, 429);
    sqlx::query("rollback").execute(&mut other).await.unwrap();
    server.recorder.drained().await;
    // The ledger has all three, and is asked again.
    server
        .ledger
        .save_named_budget(
            &daily(NanoUsd(3 * COST.0 + RESERVED.0)),
            &PriceBook::builtin(),
            &Actor::command_line(),
            NOON_MS,
        )
        .await
        .unwrap();
    assert_eq!(ask(&server).await.status, 200, "none of them counts twice");
}

#[tokio::test]
async fn the_next_period_opens_also_while_the_ledger_does_not_answer() {
    let provider = FakeProvider::start().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let clock = Clock::fixed_at(NOON_MS);
    let server = GatewayServer::at(folder, &provider.url(), Setup::default(), clock.clone()).await;
    server
        .ledger
        .save_named_budget(&daily(RESERVED), &PriceBook::builtin(), &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    assert_eq!(ask(&server).await.status, 200);
    server.event().await;
    assert_eq!(ask(&server).await.status, 429);
    server.ledger.close().await;
    let Clock::Fixed(now_ms) = &clock else { unreachable!() };
    for day in 1..=2 {
        now_ms.store(NOON_MS + day * 86_400_000, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(ask(&server).await.status, 200, "day {day}: yesterday's spend is yesterday's");
        assert_eq!(ask(&server).await.status, 429, "day {day}: what is known decides");
    }
}

#[tokio::test]
async fn a_large_request_that_is_refused_never_arrives_whole() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider, &daily(NanoUsd(100_000_000))).await;
    // 200,000 tokens may cost $0.75, so it is refused, whichever way it is framed.
    let body = large_request();
    let refused = server.post("/v1/messages", &[], &body).await;
    assert_eq!((refused.status, refused.error_type().as_str()), (429, "billing_error"));
    assert_eq!(post_chunked(&server, &body).await.status, 429);
    assert!(provider.seen().is_empty());
    server.events(0).await;
    assert_eq!(ask(&server).await.status, 200, "nothing is held for what was refused");
}

#[tokio::test]
async fn a_large_request_that_fits_arrives_as_it_was() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider, &daily(NanoUsd(10_000_000_000))).await;
    let body = large_request();
    assert_eq!(server.post("/v1/messages", &[], &body).await.status, 200);
    assert_eq!(post_chunked(&server, &body).await.status, 200);
    assert!(provider.seen().iter().all(|seen| seen.body == body.as_bytes()));
    assert_eq!(server.events(2).await[0].record.model, "claude-sonnet-4-20250514");
}

#[tokio::test]
async fn what_is_free_passes_when_nothing_is_left() {
    let provider = FakeProvider::start().await;
    let server = server_with(&provider, &daily(NanoUsd(10_000_000))).await;
    assert_eq!(ask(&server).await.status, 429);
    assert_eq!(server.post("/v1/messages/count_tokens", &[], REQUEST).await.status, 200);
    assert_eq!(server.get("/v1/models", &[]).await.status, 200);
    server.events(0).await;
}

#[tokio::test]
async fn the_next_period_opens_by_itself_and_a_limit_that_only_tells_never_blocks() {
    let provider = FakeProvider::start().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let clock = Clock::fixed_at(NOON_MS);
    let server = GatewayServer::at(folder, &provider.url(), Setup::default(), clock.clone()).await;
    let budget = daily(RESERVED);
    server.ledger.save_named_budget(&budget, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(ask(&server).await.status, 200);
    assert_eq!(ask(&server).await.status, 429);
    let Clock::Fixed(now_ms) = &clock else { unreachable!() };
    now_ms.store(budget.interval_at(NOON_MS).end_ms, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(ask(&server).await.status, 200, "a new day");
    assert_eq!(ask(&server).await.status, 429);
    let tells = NamedBudget { at_limit: AtLimit::Notify, ..budget };
    server.ledger.save_named_budget(&tells, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(ask(&server).await.status, 200);
}

#[tokio::test]
async fn a_budget_blocks_what_it_counts_and_nothing_else() {
    let provider = FakeProvider::start().await;
    let of_shop = NamedBudget { scope: BudgetScope::Project("shop".into()), ..daily(NanoUsd(1)) };
    let server = server_with(&provider, &of_shop).await;
    let in_project = |project: &'static str| [("x-tollbridge-project", project)];
    assert_eq!(server.post("/v1/messages", &in_project("shop"), REQUEST).await.status, 429);
    assert_eq!(server.post("/v1/messages", &in_project("blog"), REQUEST).await.status, 200);
    let roomy = NamedBudget { id: "roomy".into(), ..daily(NanoUsd(10_000_000_000)) };
    server.ledger.save_named_budget(&roomy, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(
        server.post("/v1/messages", &in_project("blog"), REQUEST).await.status,
        200,
        "beside another that counts it"
    );
    let of_opus = NamedBudget { scope: BudgetScope::User, model: Some("opus".into()), ..of_shop };
    server.ledger.save_named_budget(&of_opus, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();
    assert_eq!(ask(&server).await.status, 200);
    let opus = REQUEST.replace("claude-sonnet-4-20250514", "claude-opus-4-20250514");
    assert_eq!(server.post("/v1/messages", &[], &opus).await.status, 429);
}

#[tokio::test]
async fn an_alias_does_not_slip_past_the_budget_of_its_model() {
    let provider = FakeProvider::start().await;
    let of_dated = NamedBudget { model: Some("claude-sonnet-4-20250514".into()), ..daily(RESERVED) };
    let server = server_with(&provider, &of_dated).await;
    let with_model = |model: &str| REQUEST.replace("claude-sonnet-4-20250514", model);
    assert_eq!(server.post("/v1/messages", &[], &with_model("claude-sonnet-4-0")).await.status, 200);
    // All of it is spent now, so that even a spelling without a price has no room.
    server
        .ledger
        .save_named_budget(
            &NamedBudget { limit: COST, ..of_dated },
            &PriceBook::builtin(),
            &Actor::command_line(),
            NOON_MS,
        )
        .await
        .unwrap();
    for alias in ["claude-sonnet-4-0", "claude-sonnet-4-latest", "claude-sonnet-4", "claude-sonnet-4-20250514"] {
        assert_eq!(server.post("/v1/messages", &[], &with_model(alias)).await.status, 429, "{alias}");
    }
    assert_eq!(server.post("/v1/messages", &[], &with_model("claude-sonnet-4-5")).await.status, 200);
}

#[tokio::test]
async fn a_streamed_answer_is_settled_to_what_it_did_cost() {
    let provider = FakeProvider::start().await;
    // Room for one streamed call at its most, and twice what one turns out to cost.
    let server = server_with(&provider, &daily(NanoUsd(STREAM_RESERVED.0 + 2 * STREAM_COST.0))).await;
    provider.play(streamed());
    // While it streams, it holds the most that it may cost, so that a second one has no room.
    let mut first = server.begin("/v1/messages", &[], STREAM_REQUEST).await;
    let head = read_until(&mut first, "content_block_start").await;
    assert!(head.starts_with(b"HTTP/1.1 200"));
    assert_eq!(server.post("/v1/messages", &[], STREAM_REQUEST).await.status, 429);
    read_until(&mut first, "0\r\n\r\n").await;
    // From its end on it holds what it did cost: two more fit, each measured by those before it.
    for _ in 0..2 {
        provider.play(streamed());
        let answer = server.post("/v1/messages", &[], STREAM_REQUEST).await;
        assert_eq!((answer.status, answer.is_complete), (200, true));
    }
    let refused = server.post("/v1/messages", &[], STREAM_REQUEST).await;
    assert_eq!(refused.status, 429, "three have been spent, and one more may not fit");
    assert_eq!(provider.seen().len(), 3);
    let costs: Vec<_> = server.events(3).await.iter().map(|event| event.cost).collect();
    assert_eq!(costs, [Some(STREAM_COST); 3]);
    assert_eq!(server.post("/v1/messages", &[], STREAM_REQUEST).await.status, 429, "nor once the ledger has them");
}

/// [`EVENTS`] with a pause in the middle that a second call fits into.
fn streamed() -> Vec<Step> {
    let pieces = |events: &[&str]| events.iter().map(chunk).collect::<Vec<_>>();
    let pause = vec![Step::Wait(Duration::from_millis(300))];
    [vec![stream_head(&[])], pieces(&EVENTS[..3]), pause, pieces(&EVENTS[3..]), vec![end_of_chunks()]].concat()
}

#[tokio::test]
async fn a_restart_knows_what_was_spent() {
    let provider = FakeProvider::start().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let url = provider.url();
    let start = || GatewayServer::at(folder.clone(), &url, Setup::default(), Clock::fixed_at(NOON_MS));
    let server = start().await;
    server
        .ledger
        .save_named_budget(&daily(RESERVED), &PriceBook::builtin(), &Actor::command_line(), NOON_MS)
        .await
        .unwrap();
    assert_eq!(ask(&server).await.status, 200);
    server.stop().await;
    let server = start().await;
    assert_eq!(ask(&server).await.status, 429);
    server.event().await;
}

/// The rest of its request comes when it is over, and must not have it begin again.
#[tokio::test]
async fn a_call_that_is_answered_before_its_request_has_come_is_recorded_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_buf(&mut Vec::with_capacity(64 * 1024)).await.unwrap();
        stream.write_all(&json_answer(413, &[("request-id", "req_1")], "{}")).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap()
    });
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let start = || GatewayServer::at(folder.clone(), &url, Setup::default(), Clock::fixed_at(NOON_MS));
    let server = start().await;
    let budget = daily(NanoUsd(1_000_000_000_000));
    server.ledger.save_named_budget(&budget, &PriceBook::builtin(), &Actor::command_line(), NOON_MS).await.unwrap();

    let sent = String::from_utf8(request("POST", "/v1/messages", server.address, &[], &large_request())).unwrap();
    let sent = sent.replace("connection: close\r\n", "");
    let (most, rest) = sent.as_bytes().split_at(sent.len() - 1_000);
    let mut client = TcpStream::connect(server.address).await.unwrap();
    client.write_all(most).await.unwrap();
    assert!(read_until(&mut client, "\r\n\r\n{}").await.starts_with(b"HTTP/1.1 413"));
    server.event().await;
    client.write_all(rest).await.unwrap();
    // Once the provider has all of it, what is decided before its end was decided.
    client.shutdown().await.unwrap();
    server.stop().await;
    assert!(provider.await.unwrap() > 500_000, "the request went on");

    let server = start().await;
    server.recorder.drained().await;
    assert_eq!(server.event().await.record.outcome.status_code, Some(413));
    assert_eq!(server.recorder.health().lost.total(), 0);
}

/// The body in three chunks, the model in the last.
async fn post_chunked(server: &GatewayServer, body: &str) -> Answer {
    let mut bytes = request("POST", "/v1/messages", server.address, &[("transfer-encoding", "chunked")], "");
    for piece in body.as_bytes().chunks(body.len() / 3 + 1) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&bytes).await.unwrap();
    read_answer(&mut stream).await
}
