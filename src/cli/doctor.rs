//! `tollbridge doctor`: whether the ledger can be trusted. Exit code 0: all is well; 1: something is wrong; 2: it could
//! not look.

use super::price_book;
use crate::config::Config;
use crate::ledger::Ledger;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

const SOMETHING_IS_WRONG: u8 = 1;
const COULD_NOT_LOOK: u8 = 2;

pub async fn run(config: &Config) -> ExitCode {
    match examine(config).await {
        Ok(0) => {
            println!("All is well.");
            ExitCode::SUCCESS
        }
        Ok(problems) => {
            println!("{problems} {} to look at.", if problems == 1 { "thing" } else { "things" });
            ExitCode::from(SOMETHING_IS_WRONG)
        }
        Err(reason) => {
            eprintln!("tollbridge: {reason}");
            ExitCode::from(COULD_NOT_LOOK)
        }
    }
}

/// Prints a line for each thing looked at; the number of problems.
async fn examine(config: &Config) -> Result<u32, String> {
    let mut problems = 0;
    let mut say = |is_well: bool, line: String| {
        println!("{} {line}", if is_well { "ok  " } else { "BAD " });
        problems += u32::from(!is_well);
    };

    let folder = &config.settings.server.data_dir;
    match std::fs::metadata(folder) {
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            let is_private = mode & 0o077 == 0;
            say(
                is_private,
                format!(
                    "data folder {} has mode {mode:o}{}",
                    folder.display(),
                    if is_private { "" } else { "; only its owner should reach it: chmod 700" }
                ),
            );
        }
        Err(error) => say(true, format!("data folder {} is not there yet ({error})", folder.display())),
    }

    let prices = price_book(config).map_err(|error| error.to_string())?;
    say(true, format!("price book has {} cards", prices.len()));

    let url = config.database_url();
    if is_missing_sqlite_file(url.reveal()) {
        say(true, format!("ledger {url} is not there yet; `tollbridge serve` makes it"));
        return Ok(problems);
    }
    let zone = config.zone().map_err(|error| error.to_string())?;
    let ledger = Ledger::open(url.reveal(), &zone).await.map_err(|error| format!("the ledger {url}: {error}"))?;
    let verdict = ledger.verify_rollups().await;
    ledger.close().await;
    let check = verdict.map_err(|error| format!("the ledger {url}: {error}"))?;
    say(true, format!("ledger {url} opens; {} events, {} rollup rows", check.events, check.rollup_rows));
    let differing = check.difference();
    say(differing == 0, format!("rollups recomputed from events: {differing} rows differ"));
    Ok(problems)
}

/// Opening would make the file, and a look should change nothing.
fn is_missing_sqlite_file(url: &str) -> bool {
    url.strip_prefix("sqlite:").is_some_and(|path| {
        let path = path.trim_start_matches("//").split('?').next().unwrap_or_default();
        !std::path::Path::new(path).exists()
    })
}
