//! The process that gets killed: streams of calls through the recorder, and clients that report usage. It says what it is
//! doing in a log, a line at a time with one `write`, which `kill -9` cannot take back.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tollbridge::capture::recorder::{CallStart, QUEUE_MAX_BYTES, Recorder, RecorderOptions};
use tollbridge::domain::period::Zone;
use tollbridge::domain::price::PriceBook;
use tollbridge::domain::tokens::TokenCounts;
use tollbridge::domain::usage::{CallContext, CallOutcome, ServiceTerms, Source, UsageRecord, UserId};
use tollbridge::ledger::Ledger;

pub const FOLDER: &str = "TOLLBRIDGE_KILL_FOLDER";
pub const LEDGER: &str = "TOLLBRIDGE_KILL_LEDGER";
pub const LOG: &str = "said.log";
/// 2026-11-24 09:30 UTC.
pub const NOW_MS: i64 = 1_795_512_600_000;
const STREAMS: u64 = 64;
const REPORTERS: u64 = 8;

pub async fn open_recorder(ledger: &Ledger, folder: &Path) -> Recorder {
    let options = RecorderOptions {
        spool_path: folder.join("spool.db"),
        spool_max_bytes: 1 << 30,
        queue_max_bytes: QUEUE_MAX_BYTES,
        now_ms: Arc::new(|| NOW_MS),
    };
    Recorder::open(ledger.clone(), PriceBook::builtin(), options).await.unwrap()
}

/// Never ends by itself.
pub fn run(folder: &Path, url: &str) {
    let log = OpenOptions::new().create(true).append(true).open(folder.join(LOG)).unwrap();
    let log = Arc::new(log);
    let run = uuid::Uuid::now_v7().simple().to_string();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let ledger = Ledger::open(url, &Zone::parse("UTC").unwrap()).await.unwrap();
        let recorder = open_recorder(&ledger, folder).await;
        say(&log, &format!("run {run}"));
        let next = Arc::new(AtomicU64::new(0));
        for stream in 0..STREAMS {
            tokio::spawn(stream_calls(recorder.clone(), log.clone(), next.clone(), run.clone(), stream));
        }
        for _ in 0..REPORTERS {
            tokio::spawn(report_calls(recorder.clone(), log.clone(), next.clone(), run.clone()));
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
}

async fn stream_calls(recorder: Recorder, log: Arc<File>, next: Arc<AtomicU64>, run: String, stream: u64) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{run}-{index}");
        let is_written = recorder.start(&start_of(&id)).await;
        // From here on the call must not be lost.
        say(&log, &format!("{} {id}", if is_written { "started" } else { "late" }));
        let (input, output) = (100 + index % 900, 10 + index % 90);
        tokio::time::sleep(Duration::from_millis(1 + stream % 5)).await;
        recorder.usage(&id, &record_of(&id, Source::Gateway, input, 1));
        tokio::time::sleep(Duration::from_millis(1 + index % 20)).await;
        // Said before, because nobody is told whether the end was written.
        say(&log, &format!("ended {id} {input} {output}"));
        recorder.end(&id, &[record_of(&id, Source::Gateway, input, output)]);
    }
}

async fn report_calls(recorder: Recorder, log: Arc<File>, next: Arc<AtomicU64>, run: String) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{run}-{index}");
        let (input, output) = (index % 1_000, 1 + index % 50);
        let report = vec![record_of(&id, Source::Api, input, output)];
        if recorder.record(report.clone()).await.is_ok() {
            say(&log, &format!("acknowledged {id} {input} {output}"));
            // Clients repeat what they are not sure of; it must not count again.
            if index.is_multiple_of(3) {
                recorder.record(report).await.ok();
            }
        }
    }
}

fn say(mut log: &File, line: &str) {
    log.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn start_of(id: &str) -> CallStart {
    CallStart {
        call_id: id.into(),
        user_id: UserId::owner(),
        api_key_id: None,
        started_at_ms: NOW_MS,
        source: Source::Gateway,
        provider: "anthropic".into(),
        model_requested: "claude-sonnet-4-20250514".into(),
        context: CallContext::default(),
    }
}

fn record_of(id: &str, source: Source, input: u64, output: u64) -> UsageRecord {
    UsageRecord {
        user_id: UserId::owner(),
        occurred_at_ms: NOW_MS,
        source,
        dedup_key: format!("req_{id}"),
        part_of: None,
        is_sidechain: false,
        provider: "anthropic".into(),
        model: "claude-sonnet-4-20250514".into(),
        tokens: TokenCounts { input, output, ..TokenCounts::default() },
        has_usage: true,
        is_estimated: false,
        web_search_count: 0,
        terms: ServiceTerms::default(),
        api_key_id: None,
        context: CallContext { request_id: Some(format!("req_{id}")), ..CallContext::default() },
        outcome: CallOutcome::default(),
        usage_json: None,
    }
}
