use super::line::{Line, parse_line};
use super::session::SessionReport;
use super::*;
use crate::capture::recorder;
use crate::domain::period::Zone;
use crate::domain::price::PriceBook;
use crate::domain::tokens::TokenCounts;
use crate::ledger::{ApplyOutcome, Ledger, LedgerError};
use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::io::{BufRead, Read, Write};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/claude-code");
const SESSION_1: &str = "5e551011-0000-4000-8000-000000000001";
const SESSION_2: &str = "5e551011-0000-4000-8000-000000000002";

/// The ledger's rule for two sightings of one call, without the database.
#[derive(Default)]
struct KeptCalls(HashMap<String, UsageRecord>);

impl KeptCalls {
    fn apply(&mut self, record: UsageRecord) -> ApplyOutcome {
        if let Some(known) = self.0.get_mut(&record.dedup_key) {
            if record.tokens.output <= known.tokens.output {
                return ApplyOutcome::Duplicate;
            }
            *known = record;
            return ApplyOutcome::Updated;
        }
        let same_message = |known: &&UsageRecord| known.context.message_id == record.context.message_id;
        let known = self.0.values().find(same_message).map(|known| (known.is_sidechain, known.dedup_key.clone()));
        match known {
            Some(_) if record.is_sidechain => return ApplyOutcome::Duplicate,
            Some((true, key)) => self.0.remove(&key),
            _ => None,
        };
        self.0.insert(record.dedup_key.clone(), record);
        ApplyOutcome::Inserted
    }

    fn tokens(&self) -> TokenCounts {
        self.0.values().fold(TokenCounts::default(), |sum, record| sum.plus(&record.tokens))
    }
}

async fn import(root: &Path, read_files: ReadFiles) -> (ImportSummary, KeptCalls, ReadFiles) {
    let mut kept = KeptCalls::default();
    let mut finished = ReadFiles::new();
    let keep = |batch: ImportBatch| {
        assert!(batch.records.len() <= BATCH_RECORDS);
        finished.extend(batch.finished_files);
        let outcomes = batch.records.into_iter().map(|record| kept.apply(record)).collect();
        async move { Ok::<_, Infallible>(outcomes) }
    };
    let summary = import_claude_code(vec![root.into()], UserId::owner(), read_files, keep, |_| {}).await.unwrap();
    (summary, kept, finished)
}

fn read(reader: impl BufRead) -> (Vec<UsageRecord>, SessionReport) {
    let mut records = Vec::new();
    let report = read_session(reader, &UserId::owner(), |record| {
        records.push(record);
        ControlFlow::Continue(())
    });
    (records, report.unwrap())
}

fn read_fixture(path: &str) -> (Vec<UsageRecord>, SessionReport) {
    read(BufReader::new(File::open(format!("{FIXTURES}/{path}")).unwrap()))
}

fn rules(file: &str) -> String {
    format!("rules/projects/-home-dev-shop/{file}")
}

fn tokens(input: u64, writes: [u64; 2], cache_read: u64, output: u64) -> TokenCounts {
    let [cache_write_5m, cache_write_1h] = writes;
    TokenCounts { input, cache_write_5m, cache_write_1h, cache_read, output, ..TokenCounts::default() }
}

/// The counts without the thinking memo, which is not what these tests are about.
fn billed(record: &UsageRecord) -> TokenCounts {
    TokenCounts { output_thinking: None, ..record.tokens }
}

#[test]
fn the_lines_of_one_message_are_one_call_with_the_final_output() {
    let (records, _) = read_fixture(&rules(&format!("{SESSION_1}.jsonl")));
    let call = &records[0];
    assert_eq!(call.dedup_key, "req_1");
    assert_eq!(billed(call), tokens(2, [8655, 0], 15030, 260));
    assert_eq!(call.context.tools_used, ["Bash", "Read"], "each line shows one of them");
    assert_eq!(call.context.message_id.as_deref(), Some("msg_A"));
    assert_eq!(call.context.session_id.as_deref(), Some(SESSION_1));
    assert_eq!(call.context.project.as_deref(), Some("shop"));
    assert_eq!(call.outcome.stop_reason.as_deref(), Some("tool_use"));
    assert_eq!(call.occurred_at_ms, 1_787_392_803_000, "2026-08-22T10:00:03Z, the line that won");
    assert_eq!((call.provider.as_str(), call.model.as_str()), ("anthropic", "claude-opus-5"));
    assert!(!call.is_sidechain);
    // The side chain's replay as req_9 is gone; the sub-agent's calls are not.
    let keys: Vec<_> = records.iter().map(|record| record.dedup_key.as_str()).collect();
    assert_eq!(keys, ["req_1", "req_s1", "req_s3"]);
}

#[test]
fn the_later_line_wins_when_outputs_are_equal() {
    let line = |model: &str, output: u64| {
        format!(
            r#"{{"type":"assistant","timestamp":"2026-08-22T10:00:00Z","sessionId":"s","requestId":"req_1","message":{{"id":"m","model":"{model}","usage":{{"input_tokens":1,"output_tokens":{output}}}}}}}"#
        )
    };
    let text = [line("first", 5), line("second", 5), line("third", 4)].join("\n");
    let (records, report) = read(text.as_bytes());
    assert_eq!((records.len(), report.lines), (1, 3));
    assert_eq!(records[0].model, "second");
}

#[test]
fn sub_agents_logs_are_usage_of_their_own() {
    let (records, _) = read_fixture(&rules(&format!("{SESSION_1}/subagents/agent-a1.jsonl")));
    let found: Vec<_> = records.iter().map(|record| (record.dedup_key.as_str(), billed(record))).collect();
    assert_eq!(found, [("req_s1", tokens(3, [500, 0], 0, 80)), ("req_s2", tokens(5, [0, 0], 500, 40))]);
    assert!(records.iter().all(|record| record.is_sidechain));
}

#[test]
fn progress_lines_of_older_versions_hold_the_sub_agents_calls() {
    let (records, report) = read_fixture("real/projects/cipher-box/50a26efb-0883-46a0-93ce-6aad0cda8d18.jsonl");
    let found: Vec<_> = records.iter().map(billed).collect();
    let expected = [
        tokens(3, [0, 6864], 20993, 2), // on 8 lines
        tokens(1, [0, 2835], 27857, 1), // on 3
        tokens(1, [0, 3477], 30692, 1), // on 3
    ];
    assert_eq!(found, expected);
    assert_eq!((report.lines, report.broken_count), (14, 0));
    assert_eq!(records[0].context.project.as_deref(), Some("project-1"), "only the outer line knows");
    assert_eq!(records[0].context.session_id.as_deref(), Some("50a26efb-0883-46a0-93ce-6aad0cda8d18"));
    assert_eq!(records[0].dedup_key, "req_011CjLR3nmqrdhLPnUxYzmyB");
    assert!(records[0].is_sidechain, "gives way to the sub-agent's own log");
}

#[test]
fn a_fallbacks_first_attempt_is_a_part_beside_the_answer() {
    let (records, _) = read_fixture("real/projects/oh-my-posh/55882128-7a07-403b-b1f4-1d9e78dda410.jsonl");
    let found: Vec<_> = records.iter().map(|record| (record.model.as_str(), billed(record))).collect();
    let expected = [
        ("claude-opus-4-8", tokens(2, [0, 0], 54112, 136)),
        ("claude-fable-5", tokens(2, [0, 21874], 32238, 2)),
        ("claude-opus-4-8", tokens(1, [0, 1323], 54112, 148)),
        ("claude-opus-4-8", tokens(1, [0, 1474], 55435, 3)),
    ];
    assert_eq!(found, expected);
    assert_eq!(records[1].part_of.as_deref(), Some("req_011CiehmKJDEAVUFEOL8d91l"));
    assert!(records.iter().enumerate().all(|(n, record)| record.part_of.is_some() == (n == 1)));
}

#[test]
fn advisor_and_compaction_are_parts_with_keys_and_models_of_their_own() {
    let (records, _) = read_fixture(&rules("iterations.jsonl"));
    let found: Vec<_> =
        records.iter().map(|record| (record.dedup_key.as_str(), record.model.as_str(), billed(record))).collect();
    let expected = [
        ("req_i", "claude-sonnet-5", tokens(20, [0, 0], 0, 200)),
        ("req_i:advisor:0", "claude-opus-5", tokens(1500, [0, 0], 0, 400)),
        ("req_i:compaction:1", "claude-sonnet-5", tokens(90_000, [0, 0], 0, 3000)),
    ];
    assert_eq!(found, expected, "and the replay as req_i2 is gone with its parts");
    assert_eq!(records[1].context.message_id.as_deref(), Some("msg_I:advisor:0"));
    assert_eq!(records[1].part_of.as_deref(), Some("req_i"));
}

#[test]
fn odd_lines_are_told_apart_and_broken_ones_named() {
    let (records, report) = read_fixture(&rules("odd-lines.jsonl"));
    assert_eq!(report.synthetic_skipped, 2);
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].dedup_key, format!("msg:{SESSION_2}:msg_C"), "gateways leave the request id out");
    assert_eq!(billed(&records[0]), tokens(6, [0, 0], 60, 66));
    assert_eq!((records[1].provider.as_str(), records[1].model.as_str()), ("google", "gemini-2.5-pro"));
    assert_eq!(records[1].context.project.as_deref(), Some("Shop Two"), "a Windows path");

    let lines: Vec<u64> = report.broken.iter().map(|(line, _)| *line).collect();
    assert_eq!((lines, report.broken_count), (vec![3, 8, 9, 10], 4));
    let reasons: Vec<String> = report.broken.iter().map(|(_, error)| error.to_string()).collect();
    assert!(reasons[0].starts_with("not valid JSON"), "{reasons:?}");
    assert_eq!(reasons[1], "a message with usage has no valid timestamp");
    assert!(reasons[2].contains("input_tokens") && reasons[3].contains("input_tokens"), "{reasons:?}");
    assert!(!reasons.concat().contains("SECRET"));
}

#[test]
fn what_depends_on_the_call_reaches_the_record() {
    let (records, _) = read_fixture(&rules(&format!("{SESSION_2}.jsonl")));
    let call = &records[1];
    assert_eq!(billed(call), tokens(10, [100, 7000], 20_000, 300));
    assert_eq!(call.web_search_count, 2);
    assert_eq!((call.terms.speed.as_deref(), call.terms.geo.as_deref()), (Some("fast"), Some("us")));
    assert_eq!(call.context.tools_used, ["web_search"]);
    assert!(call.usage_json.as_deref().is_some_and(|json| json.contains("\"ephemeral_1h_input_tokens\":7000")));
}

#[tokio::test]
async fn a_whole_folder_counts_every_call_once_and_no_text() {
    let (summary, kept, finished) = import(&Path::new(FIXTURES).join("rules"), ReadFiles::new()).await;
    assert_eq!((summary.files, summary.files_unchanged, summary.lines), (5, 0, 28));
    // Twice a call was seen again in another file: the nested copy of req_s1, and req_1 in the resumed session.
    assert_eq!((summary.records, summary.inserted, summary.updated, summary.duplicates), (12, 10, 0, 2));
    assert_eq!((summary.synthetic_skipped, summary.broken_count), (2, 4));
    assert!(summary.broken[0].file.ends_with("odd-lines.jsonl") && summary.broken[0].line == 3);

    let input = 2 + 3 + 5 + 4 + 10 + 6 + 8 + 20 + 1_500 + 90_000;
    let cache_read = 15_030 + 500 + 20_000 + 60 + 80;
    let output = 260 + 80 + 40 + 5 + 300 + 66 + 88 + 200 + 400 + 3_000;
    let expected = tokens(input, [8_655 + 500 + 600 + 100, 7_000], cache_read, output);
    assert_eq!(TokenCounts { output_thinking: None, ..kept.tokens() }, expected);
    assert_eq!(finished.len(), 5);
    assert!(!format!("{:?} {summary:?}", kept.0).contains("SECRET"), "prompts and answers stay where they are");
}

#[tokio::test]
async fn unchanged_files_are_passed_over_and_grown_ones_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("projects/-home-dev-shop");
    fs::create_dir_all(&project).unwrap();
    let session = |name: &str| format!("{FIXTURES}/{}", rules(name));
    fs::copy(session(&format!("{SESSION_2}.jsonl")), project.join("a.jsonl")).unwrap();
    let whole = fs::read(session("iterations.jsonl")).unwrap();
    // The writer is in the middle of its first line.
    fs::write(project.join("b.jsonl"), &whole[..300]).unwrap();

    let (first, _, finished) = import(folder.path(), ReadFiles::new()).await;
    assert_eq!((first.files, first.records, first.broken_count), (2, 2, 0), "a torn last line is no error");

    let (second, _, unchanged) = import(folder.path(), finished.clone()).await;
    assert_eq!((second.files, second.files_unchanged, second.lines, unchanged.len()), (0, 2, 0, 0));

    File::options().append(true).open(project.join("b.jsonl")).unwrap().write_all(&whole[300..]).unwrap();
    let (third, _, _) = import(folder.path(), finished).await;
    assert_eq!((third.files, third.files_unchanged, third.records, third.broken_count), (1, 1, 3, 0));
}

#[tokio::test]
async fn an_import_stops_when_its_records_cannot_be_kept() {
    let keep = |_: ImportBatch| async { Err::<Vec<ApplyOutcome>, _>("disk full") };
    let root = Path::new(FIXTURES).join("rules");
    let stopped = import_claude_code(vec![root], UserId::owner(), ReadFiles::new(), keep, |_| {}).await;
    assert!(matches!(stopped, Err(ImportError::Keep("disk full"))));
}

#[tokio::test]
async fn progress_ends_where_it_said_it_would() {
    let mut last = Progress::default();
    let keep =
        |batch: ImportBatch| async move { Ok::<_, Infallible>(vec![ApplyOutcome::Inserted; batch.records.len()]) };
    let root = Path::new(FIXTURES).join("rules");
    let size = measure_log_folder(&root);
    let on_progress = |progress| last = progress;
    import_claude_code(vec![root], UserId::owner(), ReadFiles::new(), keep, on_progress).await.unwrap();
    assert_eq!((last.files_done, last.files_total, last.records), (5, 5, 12));
    assert_eq!((last.bytes_done, last.bytes_total), (size.bytes, size.bytes));
    assert_eq!(size.files, 5);
}

#[test]
fn log_folders_are_found_once_each_and_only_with_projects() {
    let home = tempfile::tempdir().unwrap();
    for folder in [".claude/projects", ".config/claude/projects", "work/projects", "no-logs"] {
        fs::create_dir_all(home.path().join(folder)).unwrap();
    }
    let configured = format!("~/work, {0}/.claude,{0}/no-logs", home.path().display());
    let env = |name: &str| (name == "CLAUDE_CONFIG_DIR").then(|| configured.clone());
    let expected = ["work", ".claude", ".config/claude"].map(|folder| home.path().join(folder));
    assert_eq!(find_log_folders(env, Some(home.path())), expected);
    assert_eq!(find_log_folders(|_| None, None), Vec::<PathBuf>::new());

    let elsewhere = home.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("claude/projects")).unwrap();
    let env = |name: &str| (name == "XDG_CONFIG_HOME").then(|| elsewhere.display().to_string());
    assert_eq!(find_log_folders(env, None), [elsewhere.join("claude")]);
}

#[test]
fn a_line_with_endless_names_is_broken_not_kept() {
    let id = "x".repeat(600);
    let line = format!(
        r#"{{"type":"assistant","timestamp":"2026-08-22T10:00:00Z","requestId":"{id}","message":{{"usage":{{"output_tokens":1}}}}}}"#
    );
    let error = parse_line(line.as_bytes(), &UserId::owner()).unwrap_err();
    assert_eq!(error.to_string(), "requestId is longer than 512 bytes");
    let other = parse_line(br#"{"type":"user","message":7,"requestId":{}}"#, &UserId::owner()).unwrap();
    assert!(matches!(other, Line::Other), "lines of other kinds may have any shape");
}

#[test]
fn a_refusal_before_any_output_is_a_call_that_costs_nothing() {
    let line = |output: u64| {
        let line = format!(
            r#"{{"type":"assistant","timestamp":"2026-08-22T10:00:00Z","requestId":"r","message":{{"model":"claude-opus-5","stop_reason":"refusal","usage":{{"input_tokens":9,"output_tokens":{output}}}}}}}"#
        );
        read(line.as_bytes()).0.remove(0)
    };
    assert!(line(0).tokens.is_empty() && line(0).has_usage);
    assert_eq!(billed(&line(1)), tokens(9, [0, 0], 0, 1));
}

/// A log of any length that never is in memory.
struct EndlessLog {
    calls_left: u64,
    line: Vec<u8>,
    read: usize,
}

impl Read for EndlessLog {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read == self.line.len() {
            if self.calls_left == 0 {
                return Ok(0);
            }
            self.calls_left -= 1;
            self.read = 0;
            let (n, text) = (self.calls_left, "lorem ipsum ".repeat(80));
            self.line = format!(
                r#"{{"type":"assistant","timestamp":"2026-08-22T10:00:00Z","sessionId":"s","cwd":"/p","requestId":"req_{n}","message":{{"id":"msg_{n}","model":"claude-opus-5","content":[{{"type":"text","text":"{text}"}}],"usage":{{"input_tokens":1,"output_tokens":2}}}}}}
"#
            )
            .into_bytes();
        }
        let count = buffer.len().min(self.line.len() - self.read);
        buffer[..count].copy_from_slice(&self.line[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

/// 60 MB by default; `TOLLBRIDGE_TEST_LOG_CALLS=420000` makes it 500 MB. nextest gives each test a process of its own,
/// whose memory this is.
#[test]
fn a_file_of_any_size_takes_the_same_memory() {
    let count = std::env::var("TOLLBRIDGE_TEST_LOG_CALLS").map_or(50_000, |text| text.parse().unwrap());
    let log = EndlessLog { calls_left: count, line: Vec::new(), read: 0 };
    let mut calls = 0_u64;
    let report = read_session(BufReader::new(log), &UserId::owner(), |_| {
        calls += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((calls, report.unwrap().lines), (count, count));
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim_end_matches("kB").trim();
    println!("peak memory: {peak} kB");
    assert!(peak.parse::<u64>().unwrap() < 40 * 1024, "{peak} kB");
}

#[tokio::test]
async fn the_ledger_counts_the_folder_once_however_often_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let zone = Zone::parse("UTC").unwrap();
    let ledger = Ledger::open(&format!("sqlite:{}", folder.path().join("ledger.db").display()), &zone).await.unwrap();
    let book = PriceBook::builtin();
    let keep = |batch: ImportBatch| async {
        let applied = recorder::record(&ledger, &book, batch.records).await?;
        Ok::<_, LedgerError>(applied.iter().map(|applied| applied.outcome).collect())
    };
    let root = Path::new(FIXTURES).join("rules");
    let mut counts = Vec::new();
    for _ in 0..2 {
        let summary = import_claude_code(vec![root.clone()], UserId::owner(), ReadFiles::new(), keep, |_| {}).await;
        let summary = summary.unwrap();
        counts.push((summary.inserted, summary.updated, summary.duplicates));
    }
    assert_eq!(counts, [(10, 0, 2), (0, 0, 12)]);
}
