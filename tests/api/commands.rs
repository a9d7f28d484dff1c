//! The binary itself: how it starts, stops and reports.

use super::crash::start;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use tollbridge::domain::account::{NewPassword, Role};
use tollbridge::domain::audit::Actor;
use tollbridge::domain::period::Zone;
use tollbridge::domain::price::PriceBook;
use tollbridge::http::state::Clock;
use tollbridge::ledger::invite::Joined;
use tollbridge::ledger::{AuditFilter, Ledger};
use tollbridge::{TokenCounts, TrackedCall};

/// The program with a data folder of its own and nothing else from the surroundings.
pub fn tollbridge(data_dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollbridge"));
    for name in ["DATABASE_URL", "LEPTOS_SITE_ADDR", "TOLLBRIDGE_CONFIG"] {
        command.env_remove(name);
    }
    command.env("TOLLBRIDGE_SERVER__DATA_DIR", data_dir).env("TOLLBRIDGE_SERVER__TIME_ZONE", "UTC");
    command
}

pub fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, text)
}

/// Ends the server even where the test fails.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn serve_takes_as_many_open_files_as_the_system_allows_and_says_if_they_are_few() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "ulimit -Sn 300 && ulimit -Hn 2000 && exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_tollbridge"),
        "serve",
    ]);
    command.env("TOLLBRIDGE_SERVER__DATA_DIR", folder.path().join("data")).env_remove("DATABASE_URL");
    command.env("LEPTOS_SITE_ADDR", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = Running(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("http://"), "{line}");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.0.id())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["2000", "2000"], "soft and hard");
    server.0.kill().unwrap();
    let mut log = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("allows 2000 open files"), "{log}");
}

#[test]
fn serve_prints_its_address_answers_and_stops_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut command = tollbridge(&data_dir);
    command.arg("serve").env("LEPTOS_SITE_ADDR", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Running(command.spawn().unwrap());

    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("Tollbridge is at http://").unwrap().to_owned();
    assert_eq!(std::fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);

    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    // A request that is under way when the signal comes is finished.
    let body = r#"{"model":"claude-sonnet-4-20250514","usage":{"input_tokens":1000,"output_tokens":500}}"#;
    let mut open = TcpStream::connect(&address).unwrap();
    write!(
        open,
        "POST /api/analytics/usage HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..10]
    )
    .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let killed = Command::new("kill").args(["-TERM", &server.0.id().to_string()]).status().unwrap();
    assert!(killed.success());
    std::thread::sleep(Duration::from_millis(300));
    open.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");

    assert_eq!(ended(&mut server).code(), Some(0));

    let (output, text) = run(tollbridge(&data_dir).arg("doctor"));
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("1 events") && text.contains("All is well."), "{text}");
}

#[test]
fn before_others_can_reach_it_the_owner_has_to_have_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = tollbridge(folder.path());
        command.arg("serve").env("LEPTOS_SITE_ADDR", "0.0.0.0:0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = Running(command.spawn().unwrap());
        let mut line = String::new();
        let mut lines = BufReader::new(server.0.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        (server, lines, line)
    };
    let (server, mut lines, line) = start();
    assert!(line.contains("its owner has no password yet"), "{line}");
    let mut link = String::new();
    lines.read_line(&mut link).unwrap();
    let address = link.split("http://").nth(1).unwrap().split("/setup?token=").next().unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 303") && answer.contains("location: /login"), "{answer}");
    drop(server);
    set_password(folder.path(), "four words of mine\nfour words of mine\n");
    let (_server, _, line) = start();
    assert!(line.starts_with("Tollbridge is at http://127.0.0.1:"), "{line}");
}

#[test]
fn a_public_address_without_encryption_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let public = ("TOLLBRIDGE_SERVER__PUBLIC_URL", "http://tolls.example.org");
    let (output, text) = run(tollbridge(folder.path()).arg("serve").env(public.0, public.1));
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("[server] public_url: must begin with https://"), "{text}");
}

#[test]
fn people_are_managed_on_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let users = |args: &[&str]| run(tollbridge(folder.path()).arg("users").args(args));
    let (_, text) = users(&["list"]);
    assert!(text.contains("owner") && text.contains("no password"), "{text}");
    for (typed, problem) in [
        ("four words of mine\nfour words of mind\n", "not typed the same twice"),
        ("four words of mine\n", "not typed the same twice"),
        ("short\nshort\n", "at least 15 characters"),
    ] {
        let output = type_password(folder.path(), typed);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && text.contains(problem), "{text}");
    }
    set_password(folder.path(), "four words of mine\nfour words of mine\n");
    let (_, text) = users(&["list"]);
    assert!(text.contains("owner") && !text.contains("no password"), "{text}");
    let (output, text) = users(&["invite", "--role", "admin"]);
    assert!(output.status.success(), "{text}");
    let link = String::from_utf8_lossy(&output.stdout);
    assert!(link.starts_with("http://127.0.0.1:3000/join?token=") && link.trim().len() == 97, "{link}");
    for (args, problem) in [
        (&["invite", "--role", "owner"][..], "there is one owner"),
        (&["disable", "owner"], "the owner stays"),
        (&["role", "owner", "member"], "the owner stays"),
        (&["delete", "owner"], "the owner stays"),
        (&["delete", "nobody"], "nobody logs in as \"nobody\""),
    ] {
        let (output, text) = users(args);
        assert!(output.status.code() == Some(1) && text.contains(problem), "{args:?}: {text}");
    }
}

#[tokio::test]
async fn what_a_command_changes_is_in_the_audit_log_and_a_start_notes_the_prices() {
    let folder = tempfile::tempdir().unwrap();
    set_password(folder.path(), "four words of mine\nfour words of mine\n");
    let (output, text) =
        run(tollbridge(folder.path()).args(["keys", "create", "--name", "laptop", "--scope", "proxy"]));
    assert!(output.status.success(), "{text}");
    for _ in 0..2 {
        let (_server, _address) = start(folder.path());
    }
    let url = format!("sqlite:{}", folder.path().join("tollbridge.db").display());
    let ledger = Ledger::open(&url, &Zone::UTC).await.unwrap();
    let page = ledger.audit_log(&AuditFilter { limit: 9, ..AuditFilter::default() }).await.unwrap();
    let told: Vec<_> = page
        .entries
        .iter()
        .rev()
        .map(|row| (row.note.action.name(), row.actor_kind.name(), row.came_from.as_deref()))
        .collect();
    let by_command = |action| (action, "command_line", Some("command line"));
    let expected = [by_command("password_changed"), by_command("key_created"), ("prices_changed", "server", None)];
    assert_eq!(told, expected, "two starts with the same prices are one row");
    let detail = &page.entries[0].note.detail;
    assert!(detail.contains(" cards, 0 of them your own; the catalogue is of 20"), "{detail}");
}

fn set_password(data_dir: &Path, typed: &str) {
    let output = type_password(data_dir, typed);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn type_password(data_dir: &Path, typed: &str) -> Output {
    let mut command = tollbridge(data_dir);
    command.args(["users", "set-password"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn who_is_deleted_keeps_or_loses_their_usage_as_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let users = |args: &[&str]| run(tollbridge(folder.path()).arg("users").args(args));
    let url = format!("sqlite:{}", folder.path().join("tollbridge.db").display());
    for (login, args, events) in [("ann", &["delete", "ann"][..], 1), ("bob", &["delete", "bob", "--erase-usage"], 1)] {
        let ledger = Ledger::open(&url, &Zone::UTC).await.unwrap();
        let invite = ledger.create_invite(Role::Member, &Actor::command_line(), Clock::System.now_ms()).await.unwrap();
        let password = NewPassword::parse("four words of mine").unwrap();
        let joined = ledger
            .accept_invite(&invite, login, &password, &Actor::command_line(), Clock::System.now_ms())
            .await
            .unwrap();
        let Joined::Account(account) = joined else { panic!("{joined:?}") };
        let call = TrackedCall::new("claude-sonnet-4-20250514", TokenCounts::default(), Clock::System.now_ms());
        ledger.track(&PriceBook::builtin(), &account.user_id, call).await.unwrap();
        ledger.close().await;

        let (output, text) = users(args);
        assert!(output.status.success(), "{text}");
        let ledger = Ledger::open(&url, &Zone::UTC).await.unwrap();
        let check = ledger.verify_rollups().await.unwrap();
        assert_eq!((check.events, check.difference()), (events, 0), "{text}");
        assert_eq!(ledger.knows_user(&account.user_id).await.unwrap(), login == "ann", "{text}");
        ledger.close().await;
        let said = if login == "ann" { "The usage stays under" } else { "with all their usage (one event)" };
        assert!(text.contains(said), "{text}");
        let (_, doctor) = run(tollbridge(folder.path()).arg("doctor"));
        assert!(!doctor.contains("fail"), "{doctor}");
    }
}

#[test]
fn demo_data_comes_and_goes_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let (filled, text) = run(tollbridge(&data_dir).arg("demo"));
    assert!(filled.status.success(), "{text}");
    let count = text.split_whitespace().find_map(|word| word.parse::<u64>().ok()).unwrap();
    assert!(count > 1_000, "{text}");
    let (removed, text) = run(tollbridge(&data_dir).args(["demo", "--remove"]));
    assert!(removed.status.success(), "{text}");
    assert!(text.contains(&format!("Took {count} sample events out.")), "{text}");
    let (doctor, text) = run(tollbridge(&data_dir).arg("doctor"));
    assert_eq!(doctor.status.code(), Some(0), "{text}");
    assert!(text.contains("0 events"), "{text}");
}

#[test]
fn doctor_could_not_look_at_what_is_no_ledger() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tollbridge.db"), vec![7_u8; 8192]).unwrap();
    let (output, text) = run(tollbridge(folder.path()).arg("doctor"));
    assert_eq!(output.status.code(), Some(2), "{text}");
}

#[test]
fn doctor_tells_monitoring_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    run(tollbridge(&data_dir).arg("demo"));
    let doctor = || {
        let output = tollbridge(&data_dir).args(["doctor", "--json"]).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let worst = report["checks"].as_array().unwrap().iter().map(|check| check["status"].as_str().unwrap());
        let of_rank = |status| ["ok", "warn", "fail"].iter().position(|rank| *rank == status).unwrap();
        assert_eq!(worst.map(of_rank).max().unwrap(), of_rank(report["status"].as_str().unwrap()), "{report:#}");
        (output.status.code().unwrap(), report)
    };
    let (code, well) = doctor();
    assert_eq!((code, well["status"].as_str()), (0, Some("ok")), "{well:#}");
    assert!(well["sizes"]["events"].as_i64().unwrap() > 1_000, "{well:#}");
    assert!(well["sizes"]["oldestEventAtMs"].is_i64() && well["sizes"]["databaseBytes"].as_u64() > Some(100_000));
    let checks: Vec<&str> =
        well["checks"].as_array().unwrap().iter().map(|one| one["check"].as_str().unwrap()).collect();
    assert_eq!(checks, ["files", "disk", "prices", "ledger", "integrity", "rollups", "spool", "clock"]);

    std::fs::set_permissions(&data_dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (code, open) = doctor();
    assert_eq!((code, open["checks"][0]["status"].as_str()), (1, Some("warn")), "{open:#}");

    // A page in the middle of the file, overwritten.
    let path = data_dir.join("tollbridge.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..][..4096].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let (code, damaged) = doctor();
    assert_eq!((code, damaged["checks"][4]["status"].as_str()), (2, Some("fail")), "{damaged:#}");
}

#[test]
fn config_shows_what_is_in_force_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (output, text) = run(tollbridge(folder.path()).arg("config").env("DATABASE_URL", "postgres://me:s3cret@db/tb"));
    assert!(output.status.success());
    assert!(text.contains("postgres://me:***@db/tb") && !text.contains("s3cret"), "{text}");
    assert!(text.contains("time_zone = \"UTC\""), "{text}");

    let wrong = run(tollbridge(folder.path()).arg("config").env("TOLLBRIDGE_SERVER__TIMEZONE", "UTC"));
    assert_eq!(wrong.0.status.code(), Some(2));
    assert!(wrong.1.contains("TOLLBRIDGE_SERVER__TIMEZONE"), "{}", wrong.1);
}

#[test]
fn importing_twice_adds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("claude/projects/atlas");
    std::fs::create_dir_all(&logs).unwrap();
    let line = r#"{"type":"assistant","timestamp":"2026-11-20T10:00:00.000Z","sessionId":"s-1","cwd":"/home/dev/atlas","requestId":"req_1","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-20250514","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":500}}}"#;
    std::fs::write(logs.join("s-1.jsonl"), format!("{line}\n{{broken\n")).unwrap();
    let import = || {
        let mut command = tollbridge(&folder.path().join("data"));
        command.args(["import", "claude-code"]).arg(folder.path().join("claude"));
        run(&mut command)
    };
    let (first, text) = import();
    assert!(first.status.success(), "{text}");
    assert!(text.contains("1 new") && text.contains("s-1.jsonl:2"), "{text}");
    let (second, text) = import();
    assert!(second.status.success(), "{text}");
    assert!(text.contains("0 new"), "{text}");

    let nowhere = run(tollbridge(folder.path()).args(["import", "claude-code", "/nowhere"]));
    assert_eq!(nowhere.0.status.code(), Some(1));
}

#[test]
fn prices_are_listed_in_dollars_per_million() {
    let folder = tempfile::tempdir().unwrap();
    let (output, text) = run(tollbridge(folder.path()).args(["prices", "list", "claude-sonnet-4-20250514"]));
    assert!(output.status.success(), "{text}");
    assert!(text.contains("anthropic/claude-sonnet-4"), "{text}");
    let (unknown, text) = run(tollbridge(folder.path()).args(["prices", "list", "acme-llm-9"]));
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text.contains("unpriced"), "{text}");
}

#[test]
fn a_key_is_printed_once_alone_on_a_line_and_can_be_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let create = ["keys", "create", "--name", "laptop", "--scope", "proxy,ingest"];
    let created = tollbridge(folder.path()).args(create).output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let stdout = String::from_utf8(created.stdout).unwrap();
    let key = stdout.strip_suffix('\n').unwrap();
    assert!(key.len() == 52 && key.starts_with("tb_") && !key.contains('\n'), "{stdout:?}");

    let (listed, text) = run(tollbridge(folder.path()).args(["keys", "list"]));
    assert!(listed.status.success());
    assert!(text.contains("laptop") && text.contains("proxy,ingest") && text.contains("never"), "{text}");
    assert!(!text.contains(key) && text.contains(&key[48..]), "{text}");
    let id = text.lines().nth(1).unwrap().split(' ').next().unwrap().to_owned();

    let (revoked, text) = run(tollbridge(folder.path()).args(["keys", "revoke", &id]));
    assert!(revoked.status.success(), "{text}");
    let (again, text) = run(tollbridge(folder.path()).args(["keys", "revoke", &id]));
    assert_eq!(again.status.code(), Some(1), "{text}");
    let (_, text) = run(tollbridge(folder.path()).args(["keys", "list"]));
    assert!(text.contains("revoked"), "{text}");

    for wrong in [["--name", " ", "--scope", "proxy"], ["--name", "x", "--scope", "everything"]] {
        assert!(!tollbridge(folder.path()).args(["keys", "create"]).args(wrong).output().unwrap().status.success());
    }
}

#[test]
fn an_authority_that_cannot_be_read_stops_the_start_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let not_there = folder.path().join("ca.pem");
    let mut server = Running(
        tollbridge(folder.path())
            .arg("serve")
            .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
            .env("TOLLBRIDGE_ALERTS__CA_FILE", &not_there)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let status = ended(&mut server);
    let mut said = String::new();
    server.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!status.success() && said.contains("[alerts] ca_file"), "{said}");
}

/// How a server ends that is about to.
fn ended(server: &mut Running) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(status) = server.0.try_wait().unwrap() {
            return status;
        }
        assert!(Instant::now() < deadline, "it does not stop");
        std::thread::sleep(Duration::from_millis(20));
    }
}
