//! Backups: what they hold, and what is refused without touching what is there.

use super::*;
use crate::ledger::LedgerError;
use crate::ledger::backup::{BackupError, back_up};
use crate::ledger::db::open_alone;
use crate::ledger::restore::{RestorePlace, Restored, restore};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A ledger with `events` calls, and a backup of it.
async fn backed_up(folder: &Path, events: i64) -> PathBuf {
    fill(folder, events).await;
    let to = folder.join("backup.db");
    back_up(&folder.join("ledger.db"), &folder.join("spool.db"), &to, NOON_MS).await.unwrap();
    to
}

async fn fill(folder: &Path, events: i64) {
    let ledger = open_sqlite(folder).await;
    let calls = (0..events).map(|n| event(alice(), &format!("req_{n}"), NOON_MS + n)).collect();
    ledger.apply(calls).await.unwrap();
    ledger.close().await;
}

async fn restore_in(folder: &Path, from: &Path, force: bool) -> Result<Restored, BackupError> {
    let (ledger, spool, time_zone) = (folder.join("ledger.db"), folder.join("spool.db"), berlin());
    restore(from, RestorePlace { ledger: &ledger, spool: &spool, time_zone: &time_zone }, force, "before").await
}

async fn events_in(folder: &Path) -> i64 {
    let ledger = open_sqlite(folder).await;
    let check = ledger.verify_rollups().await.unwrap();
    ledger.close().await;
    assert_eq!(check.difference(), 0);
    check.events
}

async fn change(path: &Path, sql: &'static str) {
    let mut file = open_alone(path).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut file).await.unwrap();
    sqlx::Connection::close(file).await.unwrap();
}

#[tokio::test]
async fn a_backup_is_one_private_file_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let backup = backed_up(folder.path(), 3).await;
    assert_eq!(std::fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    let beside: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let of_backup = beside.iter().filter(|name| name.to_string_lossy().starts_with("backup"));
    assert_eq!(of_backup.count(), 1, "{beside:?}");

    let bytes = std::fs::read(&backup).unwrap();
    let again = back_up(&folder.path().join("ledger.db"), &folder.path().join("spool.db"), &backup, NOON_MS).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    assert_eq!(std::fs::read(&backup).unwrap(), bytes);
}

#[tokio::test]
async fn what_a_broken_off_backup_left_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("backup.db.partial"), vec![1_u8; 10_000]).unwrap();
    backed_up(folder.path(), 3).await;
    assert!(!folder.path().join("backup.db.partial").exists());
}

#[tokio::test]
async fn a_ledger_whose_sums_lie_is_not_backed_up() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3).await;
    let (ledger, spool, to) =
        (folder.path().join("ledger.db"), folder.path().join("spool.db"), folder.path().join("backup.db"));
    change(&ledger, "update usage_rollup set calls = calls + 1").await;
    let refused = back_up(&ledger, &spool, &to, NOON_MS).await;
    assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{refused:?}");
    assert!(!to.exists() && !folder.path().join("backup.db.partial").exists());
}

#[tokio::test]
async fn a_restored_ledger_is_what_was_backed_up_and_the_old_one_is_kept() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let backup = backed_up(from.path(), 3).await;
    fill(to.path(), 5).await;

    let refused = restore_in(to.path(), &backup, false).await;
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))), "{refused:?}");
    assert_eq!(events_in(to.path()).await, 5);

    let restored = restore_in(to.path(), &backup, true).await.unwrap();
    assert_eq!((restored.events, restored.made_at_ms), (3, Some(NOON_MS)));
    assert_eq!(events_in(to.path()).await, 3);
    let kept = restored.kept.unwrap();
    // The way back is the same way.
    let back = tempfile::tempdir().unwrap();
    assert_eq!(restore_in(back.path(), &kept, false).await.unwrap().events, 5);
    assert_eq!(events_in(back.path()).await, 5);
}

#[tokio::test]
async fn a_server_that_runs_is_not_restored_over() {
    let folder = tempfile::tempdir().unwrap();
    let backup = backed_up(folder.path(), 3).await;
    let serving = open_sqlite(folder.path()).await;
    let lock = serving.claim().unwrap();
    let refused = restore_in(folder.path(), &backup, true).await;
    assert!(matches!(refused, Err(BackupError::Ledger(LedgerError::Locked { .. }))), "{refused:?}");
    serving.close().await;
    drop(lock);
    assert_eq!(restore_in(folder.path(), &backup, true).await.unwrap().events, 3);
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let backup = backed_up(folder.path(), 3).await;
    change(
        &backup,
        "update _sqlx_migrations set version = 9000 where version = (select max(version) from _sqlx_migrations)",
    )
    .await;
    let refused = restore_in(folder.path(), &backup, true).await.unwrap_err().to_string();
    assert!(refused.contains("9000") && refused.contains("a newer Tollbridge made it"), "{refused}");
    assert_eq!(events_in(folder.path()).await, 3);
    // The same for a program that is older than its database.
    let opened = Ledger::open(&format!("sqlite:{}", backup.display()), &berlin()).await.unwrap_err().to_string();
    assert!(opened.contains("a newer Tollbridge made it"), "{opened}");
}

#[tokio::test]
async fn what_is_damaged_or_no_backup_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let whole = backed_up(folder.path(), 400).await;
    let bytes = std::fs::read(&whole).unwrap();
    let broken = folder.path().join("broken.db");
    let mut refusals = Vec::new();
    // Cut off at every sixteenth, and a page overwritten in each.
    for part in 1..16 {
        let at = bytes.len() * part / 16;
        std::fs::write(&broken, &bytes[..at]).unwrap();
        refusals.push(restore_in(folder.path(), &broken, true).await);
        let mut torn = bytes.clone();
        torn[at / 4096 * 4096..][..4096].fill(0xA5);
        std::fs::write(&broken, torn).unwrap();
        refusals.push(restore_in(folder.path(), &broken, true).await);
    }
    std::fs::write(&broken, "not a database at all").unwrap();
    refusals.push(restore_in(folder.path(), &broken, true).await);
    std::fs::remove_file(&broken).unwrap();
    refusals.push(restore_in(folder.path(), &broken, true).await);
    change(&broken, "create table somebody_elses (name text)").await;
    refusals.push(restore_in(folder.path(), &broken, true).await);
    // Whole by its pages, and yet one event short.
    std::fs::write(&broken, &bytes).unwrap();
    change(&broken, "update backup set events = events + 1").await;
    refusals.push(restore_in(folder.path(), &broken, true).await);
    for refused in refusals {
        assert!(refused.is_err(), "{refused:?}");
    }
    assert_eq!(events_in(folder.path()).await, 400);
    assert!(!folder.path().join("ledger.db.restoring").exists());
}
