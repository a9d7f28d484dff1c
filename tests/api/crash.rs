//! What a kill may not lose (invariant 3).

use super::commands::{Running, run, tollbridge};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut acknowledged = 0;
    let mut unanswered = 0;
    for kill_after_ms in [100, 170, 240, 310] {
        let (mut server, address) = start(&data_dir);
        let round = format!("{kill_after_ms}");
        let poster = std::thread::spawn(move || post_until_it_breaks(&address, &round));
        std::thread::sleep(Duration::from_millis(kill_after_ms));
        // SIGKILL, in the middle of whatever it does.
        server.0.kill().unwrap();
        server.0.wait().unwrap();
        acknowledged += poster.join().unwrap();
        // The call that the kill met may be on disk or not.
        unanswered += 1;

        let (output, text) = run(tollbridge(&data_dir).arg("doctor"));
        assert_eq!(output.status.code(), Some(0), "{text}");
        let events = events_in(&text);
        assert!((acknowledged..=acknowledged + unanswered).contains(&events), "{acknowledged} acknowledged; {text}");
    }
    assert!(acknowledged > 0, "the server was killed before it answered at all");
}

/// The running server and its address.
pub fn start(data_dir: &Path) -> (Running, String) {
    start_with(data_dir, &[])
}

pub fn start_with(data_dir: &Path, env: &[(&str, &str)]) -> (Running, String) {
    let mut command = tollbridge(data_dir);
    command
        .envs(env.iter().copied())
        .arg("serve")
        .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut server = Running(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("Tollbridge is at http://").unwrap().to_owned();
    (server, address)
}

/// One call after the other; how many of them the server said it had recorded.
fn post_until_it_breaks(address: &str, round: &str) -> u64 {
    let mut acknowledged = 0;
    while let Ok(answer) = post_call(address, &format!("call-{round}-{acknowledged}")) {
        if !answer.starts_with("HTTP/1.1 201") {
            break;
        }
        acknowledged += 1;
    }
    acknowledged
}

pub fn post_call(address: &str, id: &str) -> io::Result<String> {
    let usage = r#"{"input_tokens":1000,"output_tokens":500}"#;
    let body = format!(r#"{{"id":"{id}","model":"claude-sonnet-4-20250514","usage":{usage}}}"#);
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /api/analytics/usage HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

pub fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The number before " events" in what doctor prints.
pub fn events_in(text: &str) -> u64 {
    let before = text.split(" events").next().unwrap();
    before.rsplit(' ').next().unwrap().parse().unwrap()
}
