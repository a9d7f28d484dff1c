//! `tollbridge doctor`: whether the ledger can be trusted, a line for each thing looked at. It changes nothing.
//!
//! The exit code is what monitoring asks for: 0 all is well, 1 something should be looked at, 2 something is wrong or could not
//! be looked at. `checks` holds what is looked at.

mod checks;

use crate::config::Config;
use crate::http::state::Clock;
use crate::ledger::LedgerSizes;
use serde::Serialize;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

/// How a check went. The largest of all is how the whole went, and the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    message: String,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    status: Status,
    checks: Vec<Finding>,
    /// Null where there is no ledger, or none that opens.
    sizes: Option<LedgerSizes>,
}

pub async fn run(args: &DoctorArgs, config: &Config) -> ExitCode {
    let (checks, sizes) = checks::examine(config, Clock::System.now_ms()).await;
    let status = checks.iter().map(|finding| finding.status).max().unwrap_or(Status::Ok);
    let report = Report { status, checks, sizes };
    if args.json {
        match serde_json::to_string_pretty(&report) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("tollbridge: {error}"),
        }
    } else {
        print_lines(&report);
    }
    ExitCode::from(status as u8)
}

fn print_lines(report: &Report) {
    for Finding { check, status, message } in &report.checks {
        println!("{:<5} {check:<10} {message}", status.word());
    }
    let worth_a_look = report.checks.iter().filter(|finding| finding.status > Status::Ok).count();
    match worth_a_look {
        0 => println!("All is well."),
        1 => println!("1 thing to look at."),
        more => println!("{more} things to look at."),
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}
