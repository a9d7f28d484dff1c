//! `tollbridge backup`: the ledger, and the calls that wait for it, as one file. The server may run.

use super::{CommandError, make_private_folder};
use crate::config::{Config, DatabaseUrl};
use crate::http::state::Clock;
use crate::http::system::backup_folder;
use crate::ledger::backup::back_up;
use crate::ledger::sqlite_path;
use chrono::DateTime;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The database has tools of its own for this.
const NOT_OURS: u8 = 3;

#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// The file to write, or a folder for it; without it, the folder `backups` in the data folder.
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

pub async fn run(args: &BackupArgs, config: &Config) -> Result<ExitCode, CommandError> {
    let url = config.database_url();
    let Some(ledger) = sqlite_path(url.reveal()) else {
        return Ok(say_what_postgres_has(&url, "pg_dump --format=custom --file=tollbridge.dump \"$DATABASE_URL\""));
    };
    let now_ms = Clock::System.now_ms();
    let to = target(args, config, now_ms)?;
    let summary = back_up(ledger, &config.spool_path(), &to, now_ms).await?;
    println!(
        "Wrote {}: {} events, and {} frames of calls that were on their way to them. Opened again and added up: all is there.",
        to.display(),
        summary.events,
        summary.frames
    );
    Ok(ExitCode::SUCCESS)
}

/// Says with which command PostgreSQL does it. The address may hold a password, so it is not in the command.
pub fn say_what_postgres_has(url: &DatabaseUrl, command: &str) -> ExitCode {
    eprintln!(
        "tollbridge: the ledger is {url}, and PostgreSQL's own tools do this while the server runs:\n  {command}\n\
         Calls that wait for the ledger are in the spool on the server's machine, and reach it by themselves."
    );
    ExitCode::from(NOT_OURS)
}

/// `20261124T093000Z`.
pub fn time_label(now_ms: i64) -> String {
    DateTime::from_timestamp_millis(now_ms).unwrap_or_default().format("%Y%m%dT%H%M%SZ").to_string()
}

fn target(args: &BackupArgs, config: &Config, now_ms: i64) -> Result<PathBuf, CommandError> {
    let name = format!("tollbridge-{}.db", time_label(now_ms));
    match &args.to {
        Some(folder) if folder.is_dir() => Ok(folder.join(name)),
        Some(file) => Ok(file.clone()),
        None => {
            let folder = backup_folder(config);
            make_private_folder(&folder).map_err(|source| CommandError::DataFolder { path: folder.clone(), source })?;
            Ok(Path::new(&folder).join(name))
        }
    }
}
