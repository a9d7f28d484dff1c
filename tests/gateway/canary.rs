//! Invariant 8 against everything at once (row 8): forty secrets go through every route and every fault, and afterwards not one is
//! anywhere where we write: database, spool, log, our own answers. All of them begin alike, so that half of one is found too.

use super::answers::{EVENTS, MESSAGE};
use super::fake_provider::{FakeProvider, Step, answer, chunk, end_of_chunks, find, json_answer, stream_head};
use super::gateway_server::{Answer, GatewayServer, Setup};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tollbridge::app::routes::NAV;
use tollbridge::http::router::{API, OPEN};
use tollbridge::http::state::Clock;

/// What no text of ours has in it.
const MARK: &str = "kanarie";
const SECRETS: usize = 40;
const SERVERS_KEY: &str = "sk-ant-kanarie-40";

/// Hands the secrets out, so that none is forgotten and none is used twice without saying so.
struct Secrets(BTreeSet<usize>);

impl Secrets {
    fn next(&mut self) -> String {
        let number = self.0.len() + 1;
        self.0.insert(number);
        format!("{MARK}-{number:02}")
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn forty_secrets_leave_no_trace_on_any_route_or_fault() {
    let log = Log::default();
    let sink = log.clone();
    tracing_subscriber::fmt()
        .with_env_filter("debug,tollbridge=trace")
        .with_writer(move || sink.clone())
        .try_init()
        .expect("this test is alone in its process");
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let provider = FakeProvider::start().await;
    let setup = Setup { provider_key: Some(SERVERS_KEY), ..Setup::default() };
    let server = GatewayServer::at(folder.clone(), &provider.url(), setup, Clock::System).await;
    let mut secrets = Secrets(BTreeSet::new());

    let headers = secret_headers(&mut secrets);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let target = format!("/v1/messages?beta=true&token={}", secrets.next());
    let body = secret_request(&mut secrets);
    let faults = faults(&mut secrets);
    let calls = faults.len() + 1;
    let mut ours = Vec::new();
    for script in faults {
        provider.play(script);
        let sent = server.post(&target, &headers, &body).await;
        // What the provider says passes; what we say in its place does not repeat anything.
        if sent.header("x-tollbridge-call-id").is_none() {
            ours.push(sent);
        }
    }
    // A client that hangs up in the middle of its request, with its secrets half sent.
    let half = server.begin("/v1/messages", &headers, &body).await;
    drop(half);
    let passed: String =
        provider.seen().iter().map(|seen| format!("{:?} {}", seen, String::from_utf8_lossy(&seen.body))).collect();
    let arrived = (1..SECRETS).filter(|number| passed.contains(&format!("{MARK}-{number:02}"))).count();
    assert!(arrived >= 15, "the secrets were on their way: {arrived} arrived");

    // Refused by us before anything is sent.
    ours.extend(refusals(&server, &mut secrets).await);
    // The chat, and what programs report.
    ours.extend(reports(&server, &mut secrets, &provider).await);
    // Pages and questions, with cookies and parameters that mean nothing here.
    ours.extend(questions(&server, &mut secrets).await);
    secrets.next();
    assert_eq!(secrets.0.len(), SECRETS, "the last is the server's own key");

    server.recorder.drained().await;
    let events = server.ledger.verify_rollups().await.unwrap().events;
    assert!(events >= calls as i64 - 1, "{events} of {calls} calls were recorded");
    let mut leaks = Vec::new();
    for answer in &ours {
        leaks.extend(leak(&answer.body, "an answer of ours"));
        leaks.extend(leak(format!("{:?}", answer.headers).as_bytes(), "the head of an answer of ours"));
    }
    assert!(ours.len() > 60, "{}", ours.len());
    server.stop().await;
    let written = log.0.lock().unwrap().clone();
    assert!(written.len() > 1_000, "the log is listened to");
    leaks.extend(leak(&written, "the log"));
    let files = files_in(folder.path());
    assert!(files.len() >= 2, "ledger and spool are looked at: {files:?}");
    for file in files {
        leaks.extend(leak(&std::fs::read(&file).unwrap(), &file.display().to_string()));
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
    assert!(leak(SERVERS_KEY.as_bytes(), "what has one").is_some(), "the search finds what is there");
}

/// One `x-api-key`: two credentials would be refused.
fn secret_headers(secrets: &mut Secrets) -> Vec<(&'static str, String)> {
    let names = [
        "cookie",
        "proxy-authorization",
        "x-goog-api-key",
        "api-key",
        "x-internal-token",
        "referer",
        "x-forwarded-user",
    ];
    let mut headers: Vec<_> = names.into_iter().map(|name| (name, secrets.next())).collect();
    headers.push(("x-api-key", format!("sk-ant-{}", secrets.next())));
    headers
}

fn secret_request(secrets: &mut Secrets) -> String {
    let mut next = || secrets.next();
    serde_json::json!({
        "model": "claude-sonnet-4-20250514", "max_tokens": 64,
        "system": [{"type": "text", "text": next()}],
        "metadata": {"user_id": format!("user_{}_account__session_s-4", next())},
        "stop_sequences": [next()],
        "mcp_servers": [{"type": "url", "url": "https://mcp.example", "name": "m", "authorization_token": next()}],
        "tools": [{"name": "lookup", "description": next(), "input_schema": {"type": "object", "title": next()}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": next()},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": next()}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "lookup", "input": {"password": next()}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": next()}]}]
    })
    .to_string()
}

/// What the provider does with a call: it answers well, repeats what it was told, breaks off, lies.
fn faults(secrets: &mut Secrets) -> Vec<Vec<Step>> {
    let told = secrets.next();
    let thought = secrets.next();
    let refused = secrets.next();
    let cookie = secrets.next();
    let [signature, place, page, count] = std::array::from_fn(|_| secrets.next());
    let message = MESSAGE.replace("Hello", &told);
    let delta = format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"thinking_delta\",\"thinking\":\"{thought}\",\"signature\":\"{signature}\"}}}}\n\n"
    );
    let error =
        format!(r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"{refused} is too long"}}}}"#);
    let in_stream = format!("event: error\ndata: {error}\n\n");
    let streaming = |rest: Vec<Step>| {
        [vec![stream_head(&[("set-cookie", &cookie)]), chunk(EVENTS[0]), chunk(&delta)], rest].concat()
    };
    let mut all = vec![
        vec![Step::Send(json_answer(200, &[("set-cookie", &cookie)], &message))],
        streaming(EVENTS[3..].iter().map(chunk).chain([end_of_chunks()]).collect()),
        streaming(vec![Step::Reset]),
        streaming(vec![Step::Close]),
        streaming(vec![chunk(&in_stream), end_of_chunks()]),
        streaming(vec![chunk(format!("data: {{\"type\":\"{thought}\",\n\n")), end_of_chunks()]),
        vec![Step::Send(answer(502, &[("content-type", "text/html")], &format!("<h1>{page}</h1>")))],
        vec![Step::Send(json_answer(302, &[("location", &format!("https://evil.example/{place}"))], "{}"))],
        vec![Step::Send(json_answer(200, &[("request-id", "req_1")], &format!("{{\"usage\": \"{count}\"}}")))],
        vec![Step::Close],
        vec![Step::Reset],
    ];
    all.extend(
        [400, 401, 403, 404, 413, 429, 500, 529].map(|status| vec![Step::Send(json_answer(status, &[], &error))]),
    );
    all
}

async fn refusals(server: &GatewayServer, secrets: &mut Secrets) -> Vec<Answer> {
    let (one, two, three, four) = (secrets.next(), secrets.next(), secrets.next(), secrets.next());
    let ours = format!("tb_{one}000000000000000000000000000000000000000000");
    vec![
        server.post("/v1/messages", &[("x-api-key", &ours)], "{}").await,
        server.post("/v1/messages", &[("x-api-key", &two), ("authorization", &format!("Bearer {two}"))], "{}").await,
        server.post(&format!("/v1/{three}"), &[], "{}").await,
        server.post("/v1/messages", &[("sec-fetch-site", "cross-site")], &format!("{{\"system\":\"{four}\"}}")).await,
        server.post("/v1/messages", &[("host", "evil.example"), ("x-secret", &four)], "{}").await,
    ]
}

async fn reports(server: &GatewayServer, secrets: &mut Secrets, provider: &FakeProvider) -> Vec<Answer> {
    let mut next = || secrets.next();
    let (prompt, key) = (next(), next());
    let events = [
        format!(r#"{{"model":"m","usage":{{"input_tokens":1}},"prompt":"{prompt}"}}"#),
        format!(r#"{{"model":"m","usage":{{"input_tokens":1}},"messages":[{{"content":"{prompt}"}}]}}"#),
        format!(r#"{{"model":"m","usage":"{}"}}"#, next()),
        format!(r#"{{"model":"m","usage":{{"input_tokens":"{prompt}"}}}}"#),
        format!(r#"[{{"model":"m","usage":{{"input_tokens":1}},"apiKey":"{key}"}}]"#),
        format!(r#"{{"model":"m","usage":{{"input_tokens":1}},"occurredAt":"{}"}}"#, next()),
        format!(r#"{{"model":"m" "{prompt}""#),
    ];
    let mut answers = Vec::new();
    for event in events {
        answers.push(server.post("/api/analytics/usage", &[("no-credential", "1")], &event).await);
    }
    answers.push(
        server
            .post("/api/analytics/budget", &[("no-credential", "1")], &format!(r#"{{"monthlyLimitCents":"{key}"}}"#))
            .await,
    );
    let bearer = format!("Bearer {key}");
    answers.push(server.post("/api/analytics/usage", &[("authorization", &bearer)], "{}").await);
    let chat = format!(r#"{{"message":"{}","history":[{{"role":"user","content":"{}"}}]}}"#, next(), prompt);
    let error = format!(r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"{prompt}"}}}}"#);
    for script in [vec![Step::Send(json_answer(400, &[], &error))], vec![Step::Reset]] {
        provider.play(script);
        answers.push(server.post("/api/chat", &[("no-credential", "1")], &chat).await);
    }
    answers
}

async fn questions(server: &GatewayServer, secrets: &mut Secrets) -> Vec<Answer> {
    let cookie = format!("sid={}; theme=dark", secrets.next());
    let bearer = format!("Bearer {}", secrets.next());
    let parameter = secrets.next();
    let sent: [(&str, &str); 2] = [("cookie", &cookie), ("authorization", &bearer)];
    let mut answers = Vec::new();
    for path in questions_there_are() {
        answers.push(server.get(&path, &sent).await);
        // Names that routes know, so that some read the value.
        let query = ["access_token", "code", "state", "token", "next", "after", "person", "user", "kind"]
            .map(|name| format!("{name}={parameter}"))
            .join("&");
        let asked = server.get(&format!("{path}?{query}"), &sent).await;
        // A page keeps the parameters of its own address in its forms, for whoever asked for it.
        let is_page =
            asked.status != 404 && asked.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
        if !is_page {
            answers.push(asked);
        }
    }
    answers
}

/// Every address that answers a plain GET.
fn questions_there_are() -> Vec<String> {
    let pages = NAV.iter().flat_map(|entry| entry.aliases.iter().chain([&entry.href])).map(|page| (*page).to_owned());
    let open = OPEN.iter().filter(|route| route.method == "GET").map(|route| route.path.to_owned());
    // The live stream does not end.
    let api = API.iter().filter(|route| route.method == "GET" && route.path != "/live");
    let api = api.map(|route| format!("/api{}", route.path.replace("{id}", "none")));
    pages.chain(open).chain(api).chain(["/nowhere".to_owned()]).collect()
}

/// The first secret in there with what is around it.
fn leak(bytes: &[u8], what: &str) -> Option<String> {
    let at = find(bytes, MARK.as_bytes())?;
    let around = &bytes[at.saturating_sub(200)..(at + 60).min(bytes.len())];
    Some(format!("{what}: {}", String::from_utf8_lossy(around)))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}
