//! The native entry: the allocator, then parse the command line, run, exit. Everything else is in [`tollbridge::cli`].

use std::process::ExitCode;
use tikv_jemallocator::Jemalloc;

/// Calls allocate on one thread and free on another all the time, which the system's allocator is slow at
/// (docs/performance.md has the figures). SQLite's memory is in it too.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    tollbridge::cli::main()
}
