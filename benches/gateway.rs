//! What passing a call through the gateway costs, beside asking the provider directly and beside nginx as a plain reverse
//! proxy. Not a test: it prints figures. It fails if a call is missing in the ledger afterwards.
//!
//!     make bench-gateway
//!     TOLLBRIDGE_BENCH_CALLS=100000 make bench-gateway      calls at 32 connections; a fifth of it at one
//!     TOLLBRIDGE_BENCH_ONLY=tollbridge …                    one of direct, nginx, tollbridge (to profile)
//!
//! The provider and the clients are threads of this process and speak HTTP/1.1 in prepared bytes, so that they are small
//! beside what is measured. Tollbridge and nginx are processes of their own. All of it on the loopback interface.

#[path = "gateway/clients.rs"]
mod clients;
#[path = "gateway/process.rs"]
mod process;
#[path = "gateway/provider.rs"]
mod provider;

use clients::{Shape, Took};
use process::{KeptAwake, Nginx, Tollbridge};
use std::net::SocketAddr;
use std::time::Duration;

/// Each target takes its turns, so that what else happens on the machine meets all of them.
const ROUNDS: usize = 5;
const WARM_UP_CALLS: usize = 500;

/// What one target did in one shape of load.
#[derive(Default)]
struct Figures {
    times: Vec<Took>,
    took: Duration,
    cpu_s: f64,
}

enum Target {
    Direct(SocketAddr),
    Nginx(Nginx),
    Tollbridge(Tollbridge),
}

fn main() {
    // `cargo test --benches` asks for a test; there is none.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let calls: usize = std::env::var("TOLLBRIDGE_BENCH_CALLS").map_or(50_000, |text| text.parse().unwrap());
    let provider = provider::start();
    let targets = targets(provider);
    let idle: Vec<_> = targets.iter().map(|target| target.resident_kib("VmRSS")).collect();
    println!(
        "{:<32}{:>9}{:>9}{:>11}{:>11}{:>13}{:>10}{:>13}",
        "", "p50 ms", "p99 ms", "+ p50 ms", "+ p99 ms", "+ first p50", "calls/s", "CPU s/1000"
    );
    for (connections, calls) in [(1, calls / 5), (32, calls)] {
        for is_stream in [false, true] {
            compare(&targets, Shape { connections, calls: calls / ROUNDS, is_stream });
        }
    }
    // On one connection all cores sleep between two calls, and much of the time is theirs: how long a virtual machine takes to
    // wake one. Here they do not.
    println!("\ncores kept awake by processes that get what nobody else wants");
    let awake = KeptAwake::start();
    for is_stream in [false, true] {
        compare(&targets, Shape { connections: 1, calls: calls / 5 / ROUNDS, is_stream });
    }
    drop(awake);
    println!("\n{:<32}{:>12}{:>12}", "resident memory, MiB", "idle", "at most");
    for (target, idle) in targets.iter().zip(idle) {
        if let (Some(idle), Some(most)) = (idle, target.resident_kib("VmHWM")) {
            println!("{:<32}{:>12.1}{:>12.1}", target.name(), idle as f64 / 1024.0, most as f64 / 1024.0);
        }
    }
    for target in targets {
        if let Target::Tollbridge(tollbridge) = target {
            tollbridge.prove_every_call_is_recorded();
        }
    }
}

fn targets(provider: SocketAddr) -> Vec<Target> {
    let only = std::env::var("TOLLBRIDGE_BENCH_ONLY").ok();
    let is_wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let mut targets = Vec::new();
    if is_wanted("direct") {
        targets.push(Target::Direct(provider));
    }
    if is_wanted("nginx") {
        targets.push(Target::Nginx(Nginx::start(provider)));
    }
    if is_wanted("tollbridge") {
        targets.push(Target::Tollbridge(Tollbridge::start(provider)));
    }
    targets
}

/// Prints a line for each target. What is added is against the first, which is the provider itself.
fn compare(targets: &[Target], shape: Shape) {
    let mut all: Vec<Figures> = targets.iter().map(|_| Figures::default()).collect();
    for target in targets {
        target.run(Shape { calls: WARM_UP_CALLS, ..shape });
    }
    for _ in 0..ROUNDS {
        for (target, figures) in targets.iter().zip(&mut all) {
            let cpu_before_s = target.cpu_s();
            let (times, took) = target.run(shape);
            figures.cpu_s += target.cpu_s() - cpu_before_s;
            figures.times.extend(times);
            figures.took += took;
        }
    }
    let direct = quantiles(&all[0].times);
    for (target, figures) in targets.iter().zip(&all) {
        let whole = if shape.is_stream { "stream" } else { "plain" };
        let name = format!("{}, {whole}, {} conn.", target.name(), shape.connections);
        let [p50, p99, first] = quantiles(&figures.times);
        let calls = figures.times.len() as f64;
        let cpu_s = figures.cpu_s * 1000.0 / calls;
        println!(
            "{name:<32}{p50:>9.3}{p99:>9.3}{:>11.3}{:>11.3}{:>13.3}{:>10.0}{cpu_s:>13.3}",
            p50 - direct[0],
            p99 - direct[1],
            first - direct[2],
            calls / figures.took.as_secs_f64(),
        );
    }
}

impl Target {
    fn name(&self) -> &'static str {
        match self {
            Self::Direct(_) => "direct",
            Self::Nginx(_) => "nginx",
            Self::Tollbridge(_) => "tollbridge",
        }
    }

    /// How long each call took, and all of them together. Tollbridge has written all of them into its ledger afterwards,
    /// which does not count as time here but does as processor time.
    fn run(&self, shape: Shape) -> (Vec<Took>, Duration) {
        match self {
            Self::Direct(address) => clients::run(*address, shape),
            Self::Nginx(nginx) => clients::run(nginx.address, shape),
            Self::Tollbridge(tollbridge) => {
                let figures = clients::run(tollbridge.address, shape);
                tollbridge.note_calls(shape.calls as u64);
                tollbridge.wait_until_drained();
                figures
            }
        }
    }

    /// Of its processes since their start. The provider's are this one's and tell nothing.
    fn cpu_s(&self) -> f64 {
        self.process_ids().into_iter().map(process::cpu_s).sum()
    }

    fn resident_kib(&self, what: &str) -> Option<u64> {
        let ids = self.process_ids();
        (!ids.is_empty()).then(|| ids.into_iter().map(|id| process::memory_kib(id, what)).sum())
    }

    fn process_ids(&self) -> Vec<u32> {
        match self {
            Self::Direct(_) => Vec::new(),
            Self::Nginx(nginx) => nginx.process_ids(),
            Self::Tollbridge(tollbridge) => vec![tollbridge.process_id()],
        }
    }
}

/// In milliseconds: p50 and p99 of whole answers, and p50 until something of them came.
fn quantiles(times: &[Took]) -> [f64; 3] {
    let whole = sorted(times.iter().map(|took| took.whole));
    let first = sorted(times.iter().map(|took| took.first));
    [percentile(&whole, 50), percentile(&whole, 99), percentile(&first, 50)]
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100].as_secs_f64() * 1000.0
}
