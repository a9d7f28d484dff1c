//! The commands. Each prints plainly what it did; the exit code says whether it worked: 0 yes, 1 no, 2 the command line
//! or the configuration is wrong. `doctor` uses 1 for "look at it" and 2 for "wrong"; `backup` and `restore` use
//! 3 where the database is none of theirs.

mod backup;
mod config;
mod demo;
mod doctor;
mod import;
mod keys;
mod prices;
mod restore;
mod serve;
mod users;

use crate::config::{Config, ConfigError, LogFormat};
use crate::domain::price::PriceBook;
use crate::ledger::backup::BackupError;
use crate::ledger::{Ledger, LedgerError};
use clap::{Parser, Subcommand};
use std::fs::{DirBuilder, Permissions};
use std::io::{self, IsTerminal};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;

/// A self-hosted ledger for what LLM calls cost.
#[derive(Debug, Parser)]
#[command(name = "tollbridge", version, about)]
struct CommandLine {
    /// The configuration file; without it, Leptos.toml in the working folder if there is one.
    #[arg(long, global = true, env = "TOLLBRIDGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the dashboard and the API (the default).
    Serve,
    /// Read usage from the logs that clients keep.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Fill in three months of made-up usage for a look around.
    Demo(demo::DemoArgs),
    /// Make, list and revoke the keys that clients show.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Say who may use the dashboard: passwords, invitations, roles.
    #[command(subcommand)]
    Users(users::UsersCommand),
    /// Copy the ledger into one file, also while the server runs.
    Backup(backup::BackupArgs),
    /// Put a backup in the ledger's place.
    Restore(restore::RestoreArgs),
    /// Check the ledger, what it lives on, and what waits for it. Exit code 0: well; 1: look at it; 2: wrong.
    Doctor(doctor::DoctorArgs),
    /// Print the configuration in force, secrets hidden.
    Config,
    /// Look up prices.
    #[command(subcommand)]
    Prices(prices::PricesCommand),
}

/// Why a command ended without success.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the data folder {} cannot be used: {source}", path.display())]
    DataFolder { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error("{0}")]
    Failed(String),
}

/// Parses the command line, runs the command, and says how it went.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    let config = match Config::load(line.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return report(&error.into(), ExitCode::from(2)),
    };
    start_logging(&config);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return report(&CommandError::Failed(error.to_string()), ExitCode::FAILURE),
    };
    match runtime.block_on(run(line.command.unwrap_or(Command::Serve), config)) {
        Ok(code) => code,
        Err(error) => report(&error, ExitCode::FAILURE),
    }
}

async fn run(command: Command, config: Config) -> Result<ExitCode, CommandError> {
    match command {
        Command::Serve => serve::run(config).await?,
        Command::Import(command) => import::run(command, &config).await?,
        Command::Demo(args) => demo::run(&args, &config).await?,
        Command::Keys(command) => keys::run(command, &config).await?,
        Command::Users(command) => users::run(command, &config).await?,
        Command::Backup(args) => return backup::run(&args, &config).await,
        Command::Restore(args) => return restore::run(&args, &config).await,
        Command::Doctor(args) => return Ok(doctor::run(&args, &config).await),
        Command::Config => config::run(&config),
        Command::Prices(command) => prices::run(&command, &config)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the ledger that the configuration names; makes the data folder first if the ledger lives there.
async fn open_ledger(config: &Config) -> Result<Ledger, CommandError> {
    let folder = &config.settings.server.data_dir;
    make_private_folder(folder).map_err(|source| CommandError::DataFolder { path: folder.clone(), source })?;
    Ok(Ledger::open(config.database_url().reveal(), &config.zone).await?)
}

/// The built-in catalogue with the user's own prices over it.
fn price_book(config: &Config) -> Arc<PriceBook> {
    Arc::new(PriceBook::builtin().with_overrides(config.own_cards.clone()))
}

/// A folder that only its owner can enter, whatever the umask. One that is already there is left as it is.
fn make_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o700))
}

fn start_logging(config: &Config) {
    let filter = EnvFilter::try_new(&config.settings.server.log).unwrap_or_else(|error| {
        eprintln!("tollbridge: [server] log = {:?} is no filter ({error}); using \"info\"", config.settings.server.log);
        EnvFilter::new("info")
    });
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = match config.settings.server.log_format {
        LogFormat::Json => logs.json().try_init(),
        LogFormat::Text => logs.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
    };
    // Only a test that runs two commands in one process starts it twice.
    drop(started);
}

fn report(error: &CommandError, code: ExitCode) -> ExitCode {
    eprintln!("tollbridge: {error}");
    code
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serve_is_the_default() {
        assert!(CommandLine::parse_from(["tollbridge"]).command.is_none());
    }

    #[test]
    fn the_data_folder_is_private() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("deep/data");
        make_private_folder(&folder).unwrap();
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        make_private_folder(&folder).unwrap();
    }
}
