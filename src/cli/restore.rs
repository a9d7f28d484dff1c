//! `tollbridge restore`: a backup in the ledger's place. The server must not run.

use super::backup::{say_what_postgres_has, time_label};
use super::{CommandError, make_private_folder};
use crate::config::Config;
use crate::http::state::Clock;
use crate::ledger::restore::{RestorePlace, restore};
use crate::ledger::sqlite_path;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// What `tollbridge backup` wrote.
    #[arg(value_name = "PATH")]
    from: PathBuf,
    /// Also where the ledger holds something; that is kept beside.
    #[arg(long)]
    force: bool,
}

pub async fn run(args: &RestoreArgs, config: &Config) -> Result<ExitCode, CommandError> {
    let url = config.database_url();
    let Some(ledger) = sqlite_path(url.reveal()) else {
        let command = "pg_restore --clean --if-exists --dbname=\"$DATABASE_URL\" tollbridge.dump";
        return Ok(say_what_postgres_has(&url, command));
    };
    let folder = &config.settings.server.data_dir;
    make_private_folder(folder).map_err(|source| CommandError::DataFolder { path: folder.clone(), source })?;
    let (spool, time_zone) = (config.spool_path(), config.zone);
    let place = RestorePlace { ledger, spool: &spool, time_zone: &time_zone };
    let label = format!("before-{}", time_label(Clock::System.now_ms()));
    let restored = restore(&args.from, place, args.force, &label).await?;
    let of_when = restored.made_at_ms.map(|at_ms| format!(" of {}", time_label(at_ms))).unwrap_or_default();
    println!(
        "{} is now the backup{of_when}: {} events. The {} frames of calls that were on their way are taken up at the next start.",
        ledger.display(),
        restored.events,
        restored.frames
    );
    if let Some(kept) = restored.kept {
        println!("What was there before is kept in {}.", kept.display());
    }
    Ok(ExitCode::SUCCESS)
}
