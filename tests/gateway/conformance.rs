//! The real clients, directly and through us: they must see the same, and the ledger must have every call.
//!
//! Runs where `scripts/conformance.sh` has installed the SDKs (`make conformance`), and is silent elsewhere.

use super::answers::{EVENTS, MESSAGE};
use super::fake_provider::{FakeProvider, Seen, Step, answer, chunk, end_of_chunks, json_answer, stream_head};
use super::gateway_server::GatewayServer;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::usage::PricingState;

const TOOL_EVENTS: [&str; 8] = [
    EVENTS[0],
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"Hm.\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"c2ln\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"get_weather\",\"input\":{}}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"city\\\": \\\"Bern\\\"}\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":40}}\n\n",
    EVENTS[7],
];
const RESULT: &str = r#"{"custom_id":"one","result":{"type":"succeeded","message":{"id":"msg_b1","type":"message","role":"assistant","model":"claude-sonnet-4-20250514","content":[],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":100,"output_tokens":10,"service_tier":"batch"}}}}"#;

const SESSION_ID: &str = "7b1c0a52-5d0e-4a55-9b0c-0f6d2f1e8a11";

/// A provider as the SDKs expect it, with request ids that count from 1.
async fn provider() -> FakeProvider {
    let asked = AtomicU64::new(0);
    FakeProvider::behaving(move |seen| behave(asked.fetch_add(1, Ordering::Relaxed) + 1, seen)).await
}

/// `x-fake-answer` chooses what goes wrong.
fn behave(number: u64, seen: &Seen) -> Vec<Step> {
    let request_id = format!("req_{number}");
    let headers = [
        ("date", "Tue, 24 Nov 2026 07:00:00 GMT"),
        ("request-id", request_id.as_str()),
        ("anthropic-ratelimit-requests-remaining", "49"),
    ];
    let stream = |events: &[&str]| {
        let mut script = vec![stream_head(&headers)];
        script.extend(events.iter().map(chunk));
        script
    };
    let ended = |mut script: Vec<Step>| {
        script.push(end_of_chunks());
        script
    };
    let json = |body: &str| vec![Step::Send(json_answer(200, &headers, body))];
    let path = seen.target.split('?').next().unwrap();
    match (seen.method.as_str(), path) {
        (_, "/v1/models") => json(
            r#"{"data":[{"type":"model","id":"claude-sonnet-4-20250514","display_name":"Sonnet 4","created_at":"2025-05-14T00:00:00Z"}],"has_more":false,"first_id":"a","last_id":"b"}"#,
        ),
        (_, "/v1/messages/count_tokens") => json(r#"{"input_tokens":4096}"#),
        (_, path) if path.ends_with("/results") => {
            vec![Step::Send(answer(200, &[("content-type", "application/x-jsonl")], RESULT))]
        }
        (_, path) if path.starts_with("/v1/messages/batches") => json(&format!(
            r#"{{"id":"msgbatch_1","type":"message_batch","processing_status":"ended","request_counts":{{"processing":0,"succeeded":1,"errored":0,"canceled":0,"expired":0}},"ended_at":"2026-11-24T00:00:00Z","created_at":"2026-11-24T00:00:00Z","expires_at":"2026-11-25T00:00:00Z","archived_at":null,"cancel_initiated_at":null,"results_url":"http://{}/v1/messages/batches/msgbatch_1/results"}}"#,
            seen.header("host")[0]
        )),
        _ => match seen.header("x-fake-answer")[..] {
            ["tools"] => ended(stream(&TOOL_EVENTS)),
            ["hang"] => [stream(&EVENTS[..4]), vec![Step::Hang]].concat(),
            ["error-event"] => {
                let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
                ended([stream(&EVENTS[..4]), vec![chunk(error)]].concat())
            }
            [status] => {
                let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"Slow down"}}"#;
                vec![Step::Send(json_answer(status.parse().unwrap(), &headers, body))]
            }
            _ if String::from_utf8_lossy(&seen.body).replace(' ', "").contains("\"stream\":true") => {
                ended(stream(&EVENTS))
            }
            _ => json(MESSAGE),
        },
    }
}

/// Asserts that the provider behind us was asked the same as the one alone, but for what concerns one connection.
fn assert_same_requests(alone: &FakeProvider, behind: &FakeProvider) {
    let seen = |provider: &FakeProvider| {
        let mut seen = provider.seen();
        // Claude Code first asks for its base URL itself. That address is ours, and is not passed on.
        seen.retain(|seen| seen.target != "/");
        seen
    };
    let (alone, behind) = (seen(alone), seen(behind));
    let asked = |seen: &[Seen]| seen.iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect::<Vec<_>>();
    assert_eq!(asked(&behind), asked(&alone), "one request each, with us or without");
    let headers = |seen: &Seen| {
        let mut headers: Vec<_> =
            seen.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
        headers.retain(|(name, _)| !matches!(name.as_str(), "host" | "connection" | "accept-encoding"));
        headers.sort();
        headers
    };
    for (of_client, of_gateway) in alone.iter().zip(&behind) {
        assert_eq!(headers(of_gateway), headers(of_client), "{}", of_client.target);
        assert_eq!(of_gateway.header("accept-encoding"), ["identity"]);
        assert!(of_gateway.body == of_client.body, "the body of {} {}", of_client.method, of_client.target);
    }
}

/// Runs a client script against both and compares what it printed, what was asked, and what the ledger has.
async fn compare(program: &str, script: &str, packages: &str) -> Option<()> {
    let folder = PathBuf::from(std::env::var_os("TOLLBRIDGE_CONFORMANCE")?).join(packages);
    let (alone, behind) = (provider().await, provider().await);
    let server = GatewayServer::before(&behind).await;
    let run = async |base: String| {
        let mut client = Command::new(folder.join(program));
        client
            .arg(format!("{}/tests/conformance/{script}", env!("CARGO_MANIFEST_DIR")))
            .arg(base)
            .env("NODE_PATH", folder.join("node_modules"));
        let output = tokio::task::spawn_blocking(move || client.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let direct = run(alone.url()).await;
    let mut through = run(format!("http://{}", server.address)).await;
    for (answer, headers) in through["headers"].as_object_mut().unwrap() {
        let ours = headers.as_array_mut().unwrap().extract_if(.., |header| header[0] == "x-tollbridge-call-id");
        assert_eq!(ours.count(), 1, "{answer}");
        assert_eq!(*headers, direct["headers"][answer], "{answer}");
    }
    assert_eq!(through, direct);
    assert_same_requests(&alone, &behind);

    let has_batches = direct["batch"].is_array();
    let events = server.events(if has_batches { 11 } else { 10 }).await;
    let mut tokens: Vec<(u64, u64)> =
        events.iter().map(|event| (event.record.tokens.input, event.record.tokens.output)).collect();
    tokens.sort_unstable();
    // Three refusals; the hung-up and the broken call with estimates; two streams; one with tools; two plain messages.
    let mut expected =
        vec![(0, 0), (0, 0), (0, 0), (25, 6), (25, 6), (25, 12), (25, 12), (25, 40), (1000, 500), (1000, 500)];
    if has_batches {
        expected.insert(8, (100, 10));
    }
    assert_eq!(tokens, expected);
    Some(())
}

#[tokio::test]
async fn conformance_python_newest() {
    compare("bin/python", "sdk.py", "python-newest").await;
}

#[tokio::test]
async fn conformance_python_0_40() {
    compare("bin/python", "sdk.py", "python-old").await;
}

#[tokio::test]
async fn conformance_typescript() {
    compare("node", "sdk.cjs", "typescript").await;
}

/// One turn of the real command, in a home of its own and with the ids given that it would make up: it asks and prints the
/// same, and the ledger has its session and cost.
#[tokio::test]
async fn conformance_claude_code() {
    let Some(folder) = std::env::var_os("TOLLBRIDGE_CONFORMANCE") else { return };
    let claude = PathBuf::from(folder).join("claude-code/node_modules/.bin/claude");
    let (alone, behind) = (provider().await, provider().await);
    let server = GatewayServer::before(&behind).await;
    let home = tempfile::tempdir().unwrap();
    let run = async |base: String| {
        let home = home.path().join("home");
        std::fs::remove_dir_all(&home).ok();
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join(".claude.json"), r#"{"userID":"0123456789abcdef"}"#).unwrap();
        let mut claude = tokio::process::Command::new(&claude);
        claude
            .args(["-p", "say hi", "--model", "claude-sonnet-4-20250514", "--session-id", SESSION_ID])
            .current_dir(&home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &home)
            .env("ANTHROPIC_BASE_URL", base)
            .env("ANTHROPIC_API_KEY", "sk-ant-of-the-client")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_TELEMETRY", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(Duration::from_secs(60), claude.output()).await.unwrap().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
        printed
    };
    let direct = run(alone.url()).await;
    let through = run(format!("http://{}", server.address)).await;
    assert!(direct.contains("And twenty more here"), "{direct}");
    assert_eq!(through, direct);
    assert_same_requests(&alone, &behind);

    let calls = behind.seen().iter().filter(|seen| seen.target.starts_with("/v1/messages?")).count();
    let events = server.events(calls).await;
    let streams: Vec<_> = events.iter().filter(|event| event.record.tokens.input == 25).collect();
    assert!(!streams.is_empty(), "{events:#?}");
    for event in streams {
        assert_eq!(event.record.context.session_id.as_deref(), Some(SESSION_ID));
        // 25 × $3 + 12 × $15 per million.
        assert_eq!((event.cost, event.pricing_state), (Some(NanoUsd(255_000)), PricingState::Exact));
    }
}
