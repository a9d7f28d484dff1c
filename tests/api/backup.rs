//! Backups of a server that is being written to, by the commands.

use super::commands::{Running, run, tollbridge};
use super::crash::{events_in, post_call, start};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const POSTERS: usize = 4;

#[test]
fn a_backup_under_load_holds_all_that_was_acknowledged_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let (server, address) = start(&here);
    let load = Load::start(&address);
    for round in 0..3 {
        let before = load.wait_for_more(20);
        let backup = folder.path().join(format!("backup-{round}.db"));
        let (output, text) = run(tollbridge(&here).args(["backup", "--to"]).arg(&backup));
        let after = load.acknowledged();
        assert_eq!(output.status.code(), Some(0), "{text}");
        let events = events_in(&text);
        // One call a poster may be in and not answered yet.
        assert!((before..=after + POSTERS as u64).contains(&events), "{before} {events} {after}");
        assert_eq!(std::fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);

        // While calls come in, doctor sees one moment.
        let (output, text) = run(tollbridge(&here).arg("doctor"));
        assert_eq!(output.status.code(), Some(0), "{text}");
        let (output, text) = run(tollbridge(&here).args(["backup", "--to"]).arg(&backup));
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("is there already"), "{text}");

        let place = there.join(round.to_string());
        let (output, text) = run(tollbridge(&place).arg("restore").arg(&backup));
        assert_eq!((output.status.code(), events_in(&text)), (Some(0), events), "{text}");
        let (output, text) = run(tollbridge(&place).arg("doctor"));
        assert_eq!((output.status.code(), events_in(&text)), (Some(0), events), "{text}");
    }
    load.stop();
    drop(server);
}

#[test]
fn a_running_server_is_not_restored_over_and_a_full_ledger_only_by_force() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let (server, address) = start(&data_dir);
    assert!(post_call(&address, "call-1").unwrap().starts_with("HTTP/1.1 201"));
    let (output, text) = run(tollbridge(&data_dir).arg("backup"));
    assert_eq!(output.status.code(), Some(0), "{text}");
    let backup = only_file_in(&data_dir.join("backups"));
    assert!(post_call(&address, "call-2").unwrap().starts_with("HTTP/1.1 201"));

    let (output, text) = run(tollbridge(&data_dir).arg("restore").arg(&backup).arg("--force"));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("another Tollbridge serves"), "{text}");
    assert!(post_call(&address, "call-3").unwrap().starts_with("HTTP/1.1 201"));
    stop(server);

    let (output, text) = run(tollbridge(&data_dir).arg("restore").arg(&backup));
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("--force"), "{text}");
    assert_eq!(events_in(&run(tollbridge(&data_dir).arg("doctor")).1), 3);

    let (output, text) = run(tollbridge(&data_dir).arg("restore").arg(&backup).arg("--force"));
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("kept in"), "{text}");
    assert_eq!(events_in(&run(tollbridge(&data_dir).arg("doctor")).1), 1);
    // And it serves again, with what came after the backup added anew.
    let (_server, address) = start(&data_dir);
    assert!(post_call(&address, "call-2").unwrap().starts_with("HTTP/1.1 201"));
}

#[test]
fn postgres_is_backed_up_by_its_own_tools() {
    let folder = tempfile::tempdir().unwrap();
    for (command, tool) in [(vec!["backup"], "pg_dump"), (vec!["restore", "x.dump"], "pg_restore")] {
        let url = "postgres://me:s3cret@db/tb";
        let (output, text) = run(tollbridge(folder.path()).args(command).env("DATABASE_URL", url));
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(tool) && text.contains("$DATABASE_URL") && !text.contains("s3cret"), "{text}");
    }
}

/// Programs that report calls, each one after the other.
struct Load {
    acknowledged: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    posters: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(address: &str) -> Self {
        let (acknowledged, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let poster = |number: usize| {
            let (address, acknowledged, is_over) = (address.to_owned(), acknowledged.clone(), is_over.clone());
            std::thread::spawn(move || {
                for call in 0.. {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let answer = post_call(&address, &format!("call-{number}-{call}")).unwrap();
                    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            })
        };
        let posters = (0..POSTERS).map(poster).collect();
        Self { acknowledged, is_over, posters }
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn wait_for_more(&self, calls: u64) -> u64 {
        let enough = self.acknowledged() + calls;
        while self.acknowledged() < enough {
            assert!(self.posters.iter().any(|poster| !poster.is_finished()), "no call is answered any more");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.acknowledged()
    }

    /// Fails if any call was refused.
    fn stop(self) {
        self.is_over.store(true, Ordering::SeqCst);
        for poster in self.posters {
            poster.join().unwrap();
        }
    }
}

pub fn stop(mut server: Running) {
    server.0.kill().unwrap();
    server.0.wait().unwrap();
}

fn only_file_in(folder: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let file = files.next().unwrap();
    assert_eq!(files.next(), None);
    file
}
