//! How long one analytics answer takes, and how fast events go in. Not a test: it prints figures.
//!
//!     make bench                                   1 million events in SQLite, in a temporary folder
//!     TOLLBRIDGE_BENCH_EVENTS=10000000 make bench
//!     TOLLBRIDGE_BENCH_URL=postgres://… make bench
//!     TOLLBRIDGE_BENCH_FILL=1 …                    only fills; with TOLLBRIDGE_BENCH_URL=sqlite:/a/ledger.db for scripts/measure_page.mjs
//!
//! 12 models, 50 users, 13 months, working hours on weekdays busier than the rest.

use std::time::{Duration, Instant};
use tollbridge::domain::cost::CostParts;
use tollbridge::domain::money::NanoUsd;
use tollbridge::domain::period::Zone;
use tollbridge::domain::query::{Range, UsageQuery};
use tollbridge::domain::tokens::TokenCounts;
use tollbridge::domain::usage::{
    CallContext, CallOutcome, PricingState, Scope, ServiceTerms, Source, UsageEvent, UsageRecord, UserId,
};
use tollbridge::ledger::Ledger;

const USERS: u64 = 50;
const MODELS: [(&str, &str); 12] = [
    ("claude-opus-5-5", "opus"),
    ("claude-opus-5", "opus"),
    ("claude-sonnet-5-5", "sonnet"),
    ("claude-sonnet-5", "sonnet"),
    ("claude-sonnet-4-6", "sonnet"),
    ("claude-haiku-5-5", "haiku"),
    ("claude-haiku-4-5", "haiku"),
    ("gpt-5", "gpt-5"),
    ("gpt-5-mini", "gpt-5-mini"),
    ("gemini-2.5-pro", "gemini-2.5-pro"),
    ("gemini-2.5-flash", "gemini-2.5-flash"),
    ("acme-llm-9", "acme-llm-9"),
];
const DAY_MS: u64 = 86_400_000;
const DAYS: u64 = 395;
/// 2026-11-24 12:00 UTC.
const NOW_MS: i64 = 1_795_521_600_000;
const ANSWERS: usize = 200;

#[tokio::main]
async fn main() {
    let count: u64 = std::env::var("TOLLBRIDGE_BENCH_EVENTS").map_or(1_000_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let url = std::env::var("TOLLBRIDGE_BENCH_URL")
        .unwrap_or_else(|_| format!("sqlite:{}", folder.path().join("ledger.db").display()));
    let ledger = Ledger::open(&url, &Zone::parse("Europe/Berlin").unwrap()).await.unwrap();
    fill(&ledger, count).await;
    if std::env::var_os("TOLLBRIDGE_BENCH_FILL").is_some() {
        return ledger.close().await;
    }

    println!("\n{:<34}{:>10}{:>10}", "one analytics answer", "p50 ms", "p95 ms");
    for (whose, scope) in [("one user", Scope::User(user(0))), ("everyone", Scope::Everyone)] {
        for range in [Range::Day, Range::Week, Range::Month, Range::Year] {
            for model in [None, Some("claude-opus-5".to_owned())] {
                let by = if model.is_some() { "one model" } else { "all models" };
                let query = UsageQuery { range, model, ..UsageQuery::default() };
                let times = time_answers(&ledger, &scope, &query).await;
                let name = format!("{whose}, {range:?}, {by}");
                println!("{name:<34}{:>10.2}{:>10.2}", percentile(&times, 50), percentile(&times, 95));
            }
        }
        let started = Instant::now();
        let query = UsageQuery { range: Range::Year, ..UsageQuery::default() };
        ledger.heat_map(&scope, &query, NOW_MS).await.unwrap();
        println!("{:<34}{:>10.2}", format!("{whose}, Year, heat map (once)"), millis(started.elapsed()));
    }
    ledger.close().await;
}

async fn fill(ledger: &Ledger, count: u64) {
    const CHUNK: u64 = 20_000;
    let mut applying = Duration::ZERO;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut done = 0;
    while done < count {
        let size = CHUNK.min(count - done);
        let mut events: Vec<_> = (0..size).map(|n| event(done + n, count, &mut random)).collect();
        events.sort_by_key(|event| event.record.occurred_at_ms);
        let started = Instant::now();
        ledger.apply(events).await.unwrap();
        applying += started.elapsed();
        done += size;
    }
    let seconds = applying.as_secs_f64();
    println!("applied {count} events in {seconds:.1} s: {:.0} events/s", count as f64 / seconds);
}

/// The first of them is the one whose figures the dashboard shows.
fn user(n: u64) -> UserId {
    if n == 0 { UserId::owner() } else { UserId(format!("user-{n}")) }
}

/// Events come roughly in the order of their time, as calls do.
fn event(n: u64, count: u64, random: &mut u64) -> UsageEvent {
    let day = n * DAYS / count;
    let hour = if draw(random, 4) == 0 { draw(random, 24) } else { 8 + draw(random, 10) };
    let at_ms = NOW_MS as u64 - (DAYS - day) * DAY_MS + hour * 3_600_000 + draw(random, 3_600_000);
    let (model, family) = MODELS[draw(random, MODELS.len() as u64) as usize];
    let (input, output) = (200 + draw(random, 3_000), 50 + draw(random, 1_500));
    let cache_read = draw(random, 60_000);
    let priced = family != "acme-llm-9";
    let parts = CostParts {
        input: NanoUsd(input as i64 * 3_000),
        cache_read: NanoUsd(cache_read as i64 * 300),
        output: NanoUsd(output as i64 * 15_000),
        ..CostParts::default()
    };
    UsageEvent {
        id: uuid::Uuid::now_v7().to_string(),
        model_family: family.into(),
        cost: priced.then_some(NanoUsd(parts.input.0 + parts.cache_read.0 + parts.output.0)),
        cost_parts: if priced { parts } else { CostParts::default() },
        pricing_state: if priced { PricingState::Exact } else { PricingState::Unpriced },
        price_card_id: priced.then(|| "bench/card".into()),
        record: UsageRecord {
            user_id: user(draw(random, USERS)),
            occurred_at_ms: at_ms as i64,
            source: Source::Api,
            dedup_key: format!("req_{n:012x}{:08x}", draw(random, u64::from(u32::MAX))),
            part_of: None,
            is_sidechain: false,
            provider: "bench".into(),
            model: model.into(),
            tokens: TokenCounts { input, cache_read, output, ..TokenCounts::default() },
            has_usage: true,
            is_estimated: false,
            web_search_count: 0,
            terms: ServiceTerms::default(),
            api_key_id: None,
            context: CallContext { session_id: Some(format!("session-{}", n / 40)), ..CallContext::default() },
            outcome: CallOutcome { response_time_ms: Some(800 + draw(random, 9_000)), ..CallOutcome::default() },
            usage_json: Some(format!("{{\"input_tokens\":{input},\"output_tokens\":{output}}}")),
        },
    }
}

async fn time_answers(ledger: &Ledger, scope: &Scope, query: &UsageQuery) -> Vec<Duration> {
    let mut times = Vec::with_capacity(ANSWERS);
    for _ in 0..ANSWERS {
        let started = Instant::now();
        let report = ledger.report(scope, query, NOW_MS).await.unwrap();
        times.push(started.elapsed());
        assert!(report.summary.total_calls > 0 || query.range == Range::Day);
    }
    times.sort();
    times
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    millis(sorted[(sorted.len() - 1) * percent / 100])
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A number below `below` (xorshift64*; the same sequence each time).
fn draw(state: &mut u64, below: u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d) % below
}
