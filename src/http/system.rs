//! The machine around the ledger: free room, and the backups beside it.

use crate::config::Config;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Bytes that may still be written in a folder.
///
/// # Errors
/// The folder is not there, or cannot be asked.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(folder)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Where backups go unless somebody names another place.
pub fn backup_folder(config: &Config) -> PathBuf {
    config.settings.server.data_dir.join("backups")
}

/// When the newest backup in that folder was written, in UTC milliseconds; none where there is none.
pub fn last_backup_at_ms(config: &Config) -> Option<i64> {
    let entries = std::fs::read_dir(backup_folder(config)).ok()?;
    let backups =
        entries.filter_map(Result::ok).filter(|entry| entry.path().extension().is_some_and(|end| end == "db"));
    let written = backups.filter_map(|entry| entry.metadata().ok()?.modified().ok());
    let since_epoch = written.max()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since_epoch.as_millis()).ok()
}
