//! The two schemas are one: same tables, columns, nullability and migrations.

use super::*;
use crate::ledger::LedgerError;
use crate::ledger::db::Db;
use sqlx::Row;
use std::collections::BTreeSet;

type Column = (String, String, bool);

#[tokio::test]
async fn both_live_schemas_are_equal() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = open_sqlite(folder.path()).await;
    let Some(postgres) = open_postgres().await else { return };
    let (Db::Sqlite { reader, .. }, Db::Postgres { pool, .. }) = (&sqlite.db, &postgres.db) else { unreachable!() };
    let in_sqlite: BTreeSet<Column> = sqlx::query(
        "select m.name, p.name, p.\"notnull\" from sqlite_master m, pragma_table_info(m.name) p \
         where m.type = 'table' and m.name not like '\\_%' escape '\\' and m.name not like 'sqlite%'",
    )
    .fetch_all(reader)
    .await
    .unwrap()
    .iter()
    .map(|row| (row.get(0), row.get(1), row.get(2)))
    .collect();
    let in_postgres: BTreeSet<Column> = sqlx::query(
        "select table_name::text, column_name::text, is_nullable = 'NO' from information_schema.columns \
         where table_schema = 'public' and table_name not like '\\_%'",
    )
    .fetch_all(pool)
    .await
    .unwrap()
    .iter()
    .map(|row| (row.get(0), row.get(1), row.get(2)))
    .collect();
    assert!(in_sqlite.len() > 80, "{}", in_sqlite.len());
    assert_eq!(in_sqlite, in_postgres);
}

#[test]
fn both_folders_hold_the_same_migrations() {
    let names = |folder: &str| -> BTreeSet<_> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

on_both!(opening_again_finds_what_was_recorded, |ledger| {
    ledger.apply(vec![event(alice(), "req_1", NOON_MS)]).await.unwrap();
    crate::ledger::migrate::run(&ledger.db).await.unwrap();
    assert_eq!(ledger.verify_rollups().await.unwrap().events, 1);
});

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = open_sqlite(folder.path()).await;
    let two = open_sqlite(folder.path()).await;
    let lock = one.claim().unwrap();
    assert!(matches!(two.claim(), Err(LedgerError::Locked { .. })));
    drop(lock);
    assert!(two.claim().unwrap().is_some());
}

#[tokio::test]
async fn a_locked_database_is_busy_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let one = open_sqlite(folder.path()).await;
    let two = open_sqlite(folder.path()).await;
    let held = one.db.begin().await.unwrap();
    let refused = two.apply(vec![event(alice(), "req_1", NOON_MS)]).await;
    assert!(matches!(refused, Err(LedgerError::Busy)), "{refused:?}");
    drop(held);
    let applied = two.apply(vec![event(alice(), "req_1", NOON_MS)]).await.unwrap();
    assert_eq!(outcomes(&applied), [ApplyOutcome::Inserted]);
}

#[tokio::test]
async fn a_wrong_address_says_what_an_address_looks_like() {
    let refused = Ledger::open("mysql://localhost", &berlin()).await;
    assert!(matches!(refused, Err(LedgerError::Address(_))), "{refused:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ledger.db"), "this is not a database at all, whatever its name".repeat(99))
        .unwrap();
    let refused = Ledger::open(&sqlite_url(folder.path()), &berlin()).await;
    assert!(matches!(refused, Err(LedgerError::Corrupt(_))), "{refused:?}");
}
