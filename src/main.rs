//! The native entry: parse the command line, run, exit. Everything else is in [`tollbridge::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tollbridge::cli::main()
}
