//! Retention as the server does it by itself.

use super::backup::stop;
use super::commands::{run, tollbridge};
use super::crash::{events_in, start_with};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 24 * 60 * 60;

#[test]
fn the_server_removes_old_events_and_an_import_does_not_count_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    for name in ["first", "second"] {
        write_log(&folder.path().join(name));
    }
    let import = |name: &str| {
        let (output, text) = run(tollbridge(&data_dir).args(["import", "claude-code"]).arg(folder.path().join(name)));
        assert!(output.status.success(), "{text}");
        text
    };
    assert!(import("first").contains("2 new"));

    let (server, address) = start_with(&data_dir, &[("TOLLBRIDGE_RETENTION__EVENTS_DAYS", "90")]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while events_in(&run(tollbridge(&data_dir).arg("doctor")).1) != 1 {
        assert!(Instant::now() < deadline, "the old event is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    let ready = super::crash::get(&address, "/readyz");
    assert!(ready.contains("\"oldestEventAtMs\":") && ready.contains("\"databaseBytes\":"), "{ready}");
    stop(server);

    let again = import("second");
    assert!(again.contains("0 new, 0 updated, 1 known before") && again.contains("1 were left out"), "{again}");
    let (output, text) = run(tollbridge(&data_dir).arg("doctor"));
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("which are kept from"), "{text}");
}

/// One call 200 days ago and one an hour ago.
fn write_log(folder: &Path) {
    let logs = folder.join("projects/atlas");
    std::fs::create_dir_all(&logs).unwrap();
    let line = |id: u64, age_s: u64| {
        let at_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - age_s;
        let at = chrono::DateTime::from_timestamp(at_s as i64, 0).unwrap().format("%Y-%m-%dT%H:%M:%S.000Z");
        format!(
            r#"{{"type":"assistant","timestamp":"{at}","sessionId":"s-1","cwd":"/home/dev/atlas","requestId":"req_{id}","message":{{"id":"msg_{id}","type":"message","role":"assistant","model":"claude-sonnet-4-20250514","content":[],"stop_reason":"end_turn","usage":{{"input_tokens":1000,"output_tokens":500}}}}}}"#
        )
    };
    let text = format!("{}\n{}\n", line(1, 200 * DAY_S), line(2, 3_600));
    std::fs::write(logs.join("s-1.jsonl"), text).unwrap();
}
