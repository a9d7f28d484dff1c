//! `tollbridge import`: usage from the logs that clients keep.

use super::{CommandError, open_ledger, price_book};
use crate::capture::import::claude_code::find_log_folders;
use crate::capture::import::{ImportSummary, Progress};
use crate::capture::log_import::import_claude_code_logs;
use crate::config::Config;
use crate::domain::usage::UserId;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Subcommand)]
pub enum ImportCommand {
    /// Read the session logs of Claude Code. Repeating it adds only what is new.
    ClaudeCode {
        /// The folder that holds `projects/`; without it, where Claude Code keeps its logs on this machine.
        dir: Option<PathBuf>,
    },
}

pub async fn run(command: ImportCommand, config: &Config) -> Result<(), CommandError> {
    let ImportCommand::ClaudeCode { dir } = command;
    let folders = folders(dir)?;
    for folder in &folders {
        println!("Reading {}", folder.display());
    }
    let ledger = open_ledger(config).await?;
    let prices = price_book(config);
    let result = import_claude_code_logs(&ledger, &prices, &UserId::owner(), folders, progress_printer()).await;
    ledger.close().await;
    let summary = result.map_err(|error| CommandError::Failed(error.to_string()))?;
    print_summary(&summary);
    Ok(())
}

fn folders(dir: Option<PathBuf>) -> Result<Vec<PathBuf>, CommandError> {
    match dir {
        Some(dir) if dir.join("projects").is_dir() => Ok(vec![dir]),
        Some(dir) => Err(CommandError::Failed(format!("{} holds no folder `projects`", dir.display()))),
        None => {
            let home = std::env::home_dir();
            let found = find_log_folders(|name| std::env::var(name).ok(), home.as_deref().map(Path::new));
            if found.is_empty() {
                return Err(CommandError::Failed(
                    "no Claude Code logs were found in CLAUDE_CONFIG_DIR, ~/.claude or ~/.config/claude; name the folder \
                     that holds `projects`"
                        .into(),
                ));
            }
            Ok(found)
        }
    }
}

/// One line that is written over, for a person who waits; nothing where nobody watches.
fn progress_printer() -> impl FnMut(Progress) {
    let is_watched = std::io::stderr().is_terminal();
    move |progress| {
        if !is_watched {
            return;
        }
        let percent = (progress.bytes_done * 100).checked_div(progress.bytes_total).unwrap_or(100);
        let line = format!(
            "\r{percent:>3} %  {} of {} files, {} calls",
            progress.files_done, progress.files_total, progress.records
        );
        let mut out = std::io::stderr().lock();
        // Only decoration: a terminal that is gone does not stop the import.
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).ok();
        if progress.files_done == progress.files_total {
            out.write_all(b"\n").ok();
        }
    }
}

fn print_summary(summary: &ImportSummary) {
    println!(
        "{} files ({} unchanged), {} lines: {} new, {} updated, {} known before.",
        summary.files, summary.files_unchanged, summary.lines, summary.inserted, summary.updated, summary.duplicates
    );
    if summary.too_old > 0 {
        println!(
            "{} were left out: they are older than the events that the ledger keeps, and may be counted already.",
            summary.too_old
        );
    }
    if summary.synthetic_skipped > 0 {
        println!("{} messages that the client made up itself were left out.", summary.synthetic_skipped);
    }
    if summary.broken_count > 0 {
        println!("{} lines could not be read:", summary.broken_count);
        for line in &summary.broken {
            println!("  {}:{}: {}", line.file, line.line, line.reason);
        }
    }
}
