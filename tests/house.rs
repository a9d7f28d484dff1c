//! The house rules of `src/lib.rs`: which room may name which, and what must never reach the browser.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Each room under `src/`, and the rooms of ours that it may name.
const MAY_NAME: [(&str, &[&str]); 7] = [
    ("domain", &["domain"]),
    ("ledger", &["domain", "ledger"]),
    ("capture", &["domain", "ledger", "capture"]),
    ("watch", &["domain", "ledger", "watch"]),
    ("app", &["domain", "app"]),
    ("http", &["domain", "ledger", "capture", "watch", "app", "config", "http"]),
    ("cli", &["domain", "ledger", "capture", "watch", "app", "config", "http", "cli"]),
];

/// Where each framework may be named.
const ONLY_IN: [(&str, &[&str]); 4] = [
    ("sqlx::", &["ledger"]),
    ("rusqlite::", &["ledger"]),
    ("axum::", &["http", "capture/gateway", "app/server_fns"]),
    ("leptos_axum::", &["http", "app/server_fns"]),
];

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for (path, line, text) in code_lines() {
        let Some((room, allowed)) = MAY_NAME.iter().find(|(room, _)| is_in(&path, room)) else { continue };
        // Server functions reach the server side inside their bodies; the browser never compiles those.
        if is_in(&path, "app/server_fns") {
            continue;
        }
        for named in text.split("crate::").skip(1) {
            let named: String = named.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_room = MAY_NAME.iter().any(|(room, _)| *room == named) || named == "config";
            if is_room && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{room} names {named}: {}:{line}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn frameworks_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, line, text) in code_lines() {
        for (framework, rooms) in ONLY_IN {
            let names_it = text.match_indices(framework).any(|(at, _)| !text[..at].ends_with(is_word));
            if names_it && !rooms.iter().any(|room| is_in(&path, room)) {
                wrong.push(format!("{framework} in {}:{line}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_browser_gets_no_server_crates() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--no-default-features", "--features", "hydrate", "--target", "wasm32-unknown-unknown"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let listed = String::from_utf8(tree.stdout).unwrap();
    let crates: Vec<&str> = listed.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains(&"leptos"), "the list is that of the browser build");
    for server in ["tokio", "sqlx", "axum", "hyper"] {
        assert!(!crates.contains(&server), "{server} is compiled for the browser");
    }
}

/// Invariant 10. Durations (`Instant`) and the time in new ids are not what any figure is worked out from.
#[test]
fn the_clock_is_read_in_one_place() {
    let clocks = ["SystemTime::now", "Utc::now", "Local::now"];
    let found = code_lines().into_iter().filter(|(_, _, text)| clocks.iter().any(|clock| text.contains(clock)));
    let files: Vec<PathBuf> = found.map(|(path, _, _)| path).collect();
    assert_eq!(files, [Path::new("http/state.rs")]);
}

/// Invariant 6: what the ledger answers about usage, it answers about a scope or a user.
#[test]
fn every_question_names_whose_usage_it_is() {
    let mut questions = 0;
    for file in ["usage.rs", "event.rs"] {
        let text = std::fs::read_to_string(source_folder().join("ledger").join(file)).unwrap();
        for function in text.split("\n    pub async fn ").skip(1) {
            let signature = function.split(") ->").next().unwrap();
            let is_scoped = ["&Scope", "&UserId"].iter().any(|whose| signature.contains(whose));
            assert!(is_scoped, "{file}: {signature}");
            questions += 1;
        }
    }
    assert!(questions >= 6, "found {questions}");
}

/// A change of somebody's begins with `begin_change`, which takes who they are and ends with a row in the audit log. What begins
/// a transaction itself is nobody's act: it counts, moves, delivers or tidies up. A new one has to be put on this list.
#[test]
fn whatever_somebody_changes_is_written_into_the_audit_log() {
    const NOBODYS: [(&str, usize); 17] = [
        // Who acknowledged an alert stands in the alert.
        ("alert.rs", 3),
        ("apply.rs", 1),
        // The change itself, and pruning.
        ("audit.rs", 2),
        // Who was seen to create a batch, or to fetch its results.
        ("batch.rs", 1),
        ("delivery.rs", 6),
        ("digest.rs", 1),
        // A day of somebody who is being erased; who does it stands at its beginning and its end.
        ("erasure.rs", 1),
        ("evidence.rs", 1),
        ("import_file.rs", 1),
        // When a key and a session were last used.
        ("caller.rs", 1),
        ("session.rs", 1),
        // Logins through a provider on their way, which are nobody yet.
        ("oidc.rs", 3),
        // The breaker pauses by itself.
        ("pause.rs", 1),
        // The server tells of lost calls by itself.
        ("loss_notice.rs", 1),
        // Events, which are no settings: sample data, and what is no longer kept.
        ("removal.rs", 1),
        ("retention.rs", 2),
        // The zone comes from the configuration.
        ("setting.rs", 1),
    ];
    let mut found = std::collections::BTreeMap::new();
    for (path, _, text) in code_lines().into_iter().filter(|(path, _, _)| is_in(path, "ledger")) {
        let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        if text.contains("db.begin()") && !is_test && path != Path::new("ledger.rs") {
            let name = path.strip_prefix("ledger").unwrap().display().to_string();
            *found.entry(name).or_insert(0) += 1;
        }
    }
    let nobodys = NOBODYS.map(|(file, count)| (file.to_owned(), count));
    assert_eq!(found, nobodys.into(), "a change of somebody's takes an &Actor and begins with begin_change");
}

/// Who acts is worked out in one place; what answers a request is told.
#[test]
fn no_handler_takes_everybody_for_the_owner() {
    let handlers = code_lines().into_iter().filter(|(path, _, text)| {
        ["http", "app", "capture/gateway"].iter().any(|room| is_in(path, room)) && text.contains("UserId::owner()")
    });
    let places: Vec<PathBuf> = handlers.map(|(path, _, _)| path).collect();
    assert_eq!(places, [Path::new("http/auth/principal.rs")]);
}

/// A mutant that does not fit the code any more proves nothing, and `make mutants` takes too long to find out each time.
#[test]
fn every_mutant_of_the_recorder_fits_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut hunks = 0;
    for entry in std::fs::read_dir(root.join("tests/recorder/mutants")).unwrap() {
        let path = entry.unwrap().path();
        let patch = std::fs::read_to_string(&path).unwrap();
        for of_file in patch.split("\n--- a/").skip(1) {
            let code = std::fs::read_to_string(root.join(of_file.lines().next().unwrap())).unwrap();
            for hunk in of_file.split("\n@@ ").skip(1) {
                let lines = hunk.lines().skip(1).filter(|line| !line.starts_with('+'));
                let before: Vec<&str> = lines.map(|line| line.get(1..).unwrap_or_default()).collect();
                assert!(code.contains(before.join("\n").trim_end()), "{}:\n{}", path.display(), before.join("\n"));
                hunks += 1;
            }
        }
    }
    assert!(hunks >= 11, "found {hunks}");
}

/// Names of tests in the documentation would go stale silently. A word of four parts or more in back quotes is one, and one
/// that ends with `::*` is a file of them. So would names of what `make` can do.
#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), "rs", &mut files);
    collect(&root.join("tests"), "rs", &mut files);
    let code: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let makefile = std::fs::read_to_string(root.join("Makefile")).unwrap();
    let mut documents = ["src/lib.rs", "README.md", "CHANGELOG.md", "SECURITY.md"].map(|name| root.join(name)).to_vec();
    collect(&root.join("docs"), "md", &mut documents);
    assert!(documents.len() > 30, "found {}", documents.len());
    let mut named = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for word in text.split('`') {
            let is_test = |c: char| is_word(c) && !c.is_uppercase();
            let is_there = if word.chars().all(is_test) && word.matches('_').count() >= 3 {
                [format!("fn {word}("), format!("on_both!({word},")].iter().any(|text| code.contains(text))
            } else if let Some(module) = word.strip_suffix("::*") {
                files.iter().any(|file| file.ends_with(format!("{module}.rs")) && file.starts_with(root.join("tests")))
            } else if let Some(target) = word.strip_prefix("make ") {
                makefile.contains(&format!("\n{target}:"))
            } else {
                continue;
            };
            assert!(is_there, "{} names {word}, and there is none", document.display());
            named += 1;
        }
    }
    assert!(named > 200, "found {named}");
}

/// Row 28 of docs/security.md.
#[test]
fn attack_28_nothing_starts_a_program() {
    let starts = ["process::Command", "Command::new", "libc::", "dlopen"];
    let found = code_lines().into_iter().filter(|(path, _, text)| {
        // Tests start the program itself, to kill it.
        let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        !is_test && starts.iter().any(|start| text.contains(start))
    });
    assert_eq!(found.map(|(path, line, _)| format!("{}:{line}", path.display())).collect::<Vec<_>>(), [""; 0]);
}

/// Rows 16, 26 and 27 of docs/security.md: versions below which a hole is known.
#[test]
fn known_holes_stay_closed() {
    let lock = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).unwrap();
    let mut seen = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| package.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim_matches('"');
        let (name, version) = (value("name = "), value("version = "));
        let floor = match name {
            "h2" => [0, 4, 16],
            "hyper" => [1, 0, 0],
            "rustls-webpki" => [0, 103, 13],
            "sqlx" => [0, 9, 0],
            "time" => [0, 3, 47],
            "tracing-subscriber" => [0, 3, 20],
            _ => continue,
        };
        let numbers: Vec<u32> = version.split(['.', '-', '+']).filter_map(|part| part.parse().ok()).collect();
        assert!(numbers[..3] >= floor[..], "{name} {version}");
        seen.push(name);
    }
    assert!(["hyper", "sqlx", "tracing-subscriber"].iter().all(|name| seen.contains(name)), "{seen:?}");
}

/// Every line of code under `src/`, without comments and without the tests' modules.
fn code_lines() -> Vec<(PathBuf, usize, String)> {
    let root = source_folder();
    let mut files = Vec::new();
    collect(&root, "rs", &mut files);
    assert!(files.len() > 20, "found {} files", files.len());
    let mut lines = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let path = file.strip_prefix(&root).unwrap().to_owned();
        for (index, line) in text.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push((path.clone(), index + 1, line.to_owned()));
            }
        }
    }
    lines
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn collect(folder: &Path, kind: &str, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, kind, files);
        } else if path.extension().is_some_and(|extension| extension == kind) {
            files.push(path);
        }
    }
}

fn is_in(path: &Path, room: &str) -> bool {
    path.starts_with(room) || path.with_extension("") == Path::new(room)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
