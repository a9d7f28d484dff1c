//! What a kill may not lose (invariant 3).

use super::commands::{Running, run, tollbridge};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    const KILLS: u64 = 3;
    const CALLS: u64 = 20;
    for round in 1..=KILLS {
        let mut command = tollbridge(folder.path());
        command.arg("serve").env("LEPTOS_SITE_ADDR", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = Running(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Tollbridge is at http://").unwrap();
        for call in 0..CALLS {
            let answer = post_call(address, &format!("call-{round}-{call}"));
            assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        }
        // SIGKILL, at once after the last acknowledgement.
        server.0.kill().unwrap();
        server.0.wait().unwrap();

        let (output, text) = run(tollbridge(folder.path()).arg("doctor"));
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.contains(&format!("{} events", round * CALLS)), "{text}");
    }
}

fn post_call(address: &str, id: &str) -> String {
    let usage = r#"{"input_tokens":1000,"output_tokens":500}"#;
    let body = format!(r#"{{"id":"{id}","model":"claude-sonnet-4-20250514","usage":{usage}}}"#);
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /api/analytics/usage HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
