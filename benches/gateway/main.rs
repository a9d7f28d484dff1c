//! What a call costs that passes through Tollbridge: added latency, throughput, CPU time and memory, beside the provider
//! asked directly and beside nginx in the same place. Not a test: it prints figures. It fails if a call is not recorded.
//!
//!     make bench-gateway                             32,000 calls of each kind on 32 connections, an eighth of it on one
//!     TOLLBRIDGE_BENCH_CALLS=320000 make bench-gateway
//!
//! The provider and the load are in this process, Tollbridge and nginx are processes of their own; all on loopback. The
//! routes take turns, so that what else the machine does falls on all of them.

mod load;
mod process;
mod provider;

use load::{Answer, Measured, run};
use process::{Nginx, Tollbridge};
use provider::Provider;
use std::net::SocketAddr;
use std::time::Duration;

const ROUNDS: usize = 5;
const CONNECTIONS: [usize; 2] = [1, 32];

/// A way to the provider.
struct Route<'a> {
    name: &'static str,
    address: SocketAddr,
    /// User and system time of the processes on the way, all that they owe to the calls included.
    cpu: Box<dyn Fn() -> Duration + 'a>,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let calls: usize = std::env::var("TOLLBRIDGE_BENCH_CALLS").map_or(32_000, |text| text.parse().unwrap());
    let provider = Provider::start().await;
    let nginx = Nginx::start(provider.address);
    let tollbridge = Tollbridge::start(provider.address);
    let idle = tollbridge.memory();
    let mut routes = vec![Route { name: "directly", address: provider.address, cpu: Box::new(|| Duration::ZERO) }];
    if let Some(nginx) = &nginx {
        routes.push(Route { name: "nginx", address: nginx.address, cpu: Box::new(|| nginx.cpu()) });
    } else {
        println!("nginx is not installed: measured without it");
    }
    routes.push(Route {
        name: "tollbridge",
        address: tollbridge.address,
        cpu: Box::new(|| {
            tollbridge.wait_until_drained();
            tollbridge.cpu()
        }),
    });

    println!(
        "\n{:<9}{:>12} {:<11}{:>9}{:>9}{:>11}{:>11}{:>10}{:>14}",
        "answer", "connections", "route", "p50 ms", "p99 ms", "+p50 ms", "+p99 ms", "calls/s", "CPU s/1,000"
    );
    let mut made = 0;
    for answer in [Answer::Plain, Answer::Stream] {
        for connections in CONNECTIONS {
            let calls = if connections == 1 { calls / 8 } else { calls };
            let measured = measure(&routes, answer, connections, calls / ROUNDS).await;
            made += measured.last().unwrap().0.calls();
            print_rows(&routes, answer, connections, &measured);
        }
    }

    let loaded = tollbridge.memory();
    println!(
        "\nresident memory of tollbridge, MiB: {:.1} idle, {:.1} at most, {:.1} afterwards",
        idle.now, loaded.most, loaded.now
    );
    let health = tollbridge.health();
    let recorded = tollbridge.recorded_calls();
    println!("{made} calls made, {recorded} recorded, {} of them late; {}", health["late"], health["lost"]);
    assert_eq!(recorded, made as u64, "calls recorded and calls made");
}

/// What each route took, in the order of the routes, with its CPU time.
async fn measure(routes: &[Route<'_>], answer: Answer, connections: usize, calls: usize) -> Vec<(Measured, Duration)> {
    let mut measured: Vec<_> = routes.iter().map(|_| (Measured::default(), Duration::ZERO)).collect();
    for _ in 0..ROUNDS {
        for (route, (sum, cpu)) in routes.iter().zip(&mut measured) {
            let before = (route.cpu)();
            sum.add(run(route.address, answer, connections, calls).await);
            *cpu += (route.cpu)() - before;
        }
    }
    measured
}

fn print_rows(routes: &[Route<'_>], answer: Answer, connections: usize, measured: &[(Measured, Duration)]) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let direct = &measured[0].0;
    for (index, (route, (taken, cpu))) in routes.iter().zip(measured).enumerate() {
        let (p50, p99) = (millis(taken.percentile(50)), millis(taken.percentile(99)));
        let added = |own: f64, direct: f64| if index == 0 { String::new() } else { format!("{:.3}", own - direct) };
        let cpu_s = cpu.as_secs_f64() / taken.calls() as f64 * 1e3;
        println!(
            "{:<9}{connections:>12} {:<11}{p50:>9.3}{p99:>9.3}{:>11}{:>11}{:>10.0}{:>14}",
            format!("{answer:?}").to_lowercase(),
            route.name,
            added(p50, millis(direct.percentile(50))),
            added(p99, millis(direct.percentile(99))),
            taken.calls_per_second(),
            if index == 0 { String::new() } else { format!("{cpu_s:.3}") },
        );
    }
}
