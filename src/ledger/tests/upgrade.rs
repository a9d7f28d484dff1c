//! Upgrades: whatever version a ledger is of, it opens with its numbers; and a migration happens or does not, wherever it is
//! broken off.

use super::*;
use crate::domain::api_key::{KeyScope, KeyText};
use crate::domain::budget::Budget;
use crate::domain::query::UsageQuery;
use crate::domain::report::UsageReport;
use crate::ledger::EventFilter;
use crate::ledger::db::{Db, with_tx};
use crate::ledger::migrate::{POSTGRES, SQLITE, newest_version, version_of};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, SqlSafeStr};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Each table with its columns, and whether a column is a boolean by its type.
type Columns = BTreeMap<String, BTreeMap<String, bool>>;

/// A ledger of today, whose rows become those of older ones, and what it says.
struct Source {
    ledger: Ledger,
    key: KeyText,
    told: Told,
    _folder: tempfile::TempDir,
}

/// What a ledger says of its usage, from events and from rollups.
#[derive(Debug, PartialEq)]
struct Told {
    events: Vec<UsageEvent>,
    report: UsageReport,
}

impl Source {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = open_sqlite(folder.path()).await;
        let mut events: Vec<UsageEvent> =
            (0..12).map(|n| event(alice(), &format!("req_{n}"), NOON_MS + n * HOUR_MS)).collect();
        events[1].record.outcome.success = false;
        events[2].record.context.project = Some("it's a shop".into());
        events[3].record.is_sidechain = true;
        events[4] = UsageEvent { cost: None, pricing_state: PricingState::Unpriced, ..events[4].clone() };
        events[5].record.tokens.thinking = 7;
        events.push(event(UserId("bob".into()), "req_0", NOON_MS));
        ledger.apply(events).await.unwrap();
        let budget = Budget { monthly_limit: NanoUsd(77_000_000_000), ..Budget::default_in(&berlin()) };
        ledger.save_budget(&alice(), &budget, &Actor::command_line(), NOON_MS).await.unwrap();
        let key = ledger
            .create_key(&alice(), "laptop", &[KeyScope::Proxy], &Actor::command_line(), NOON_MS)
            .await
            .unwrap()
            .text;
        Self { told: told_by(&ledger).await, ledger, key, _folder: folder }
    }

    /// Puts its rows into an older schema, as far as that has room for them.
    async fn copy_into(&self, db: &Db) {
        let ours = columns_of(&self.ledger.db).await;
        let Db::Sqlite { reader, .. } = &self.ledger.db else { unreachable!() };
        for (table, columns) in columns_of(db).await {
            let shared: Vec<_> = columns.iter().filter(|(name, _)| ours[&table].contains_key(*name)).collect();
            let names: Vec<&str> = shared.iter().map(|(name, _)| name.as_str()).collect();
            let values = shared.iter().map(|(name, is_boolean)| match is_boolean {
                true => format!("'cast(cast(' || quote({name}) || ' as integer) as boolean)'"),
                false => format!("quote({name})"),
            });
            let statements: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
                "select 'insert into {table} ({}) values (' || {} || ') on conflict do nothing' from {table}",
                names.join(", "),
                values.collect::<Vec<_>>().join(" || ', ' || "),
            )))
            .fetch_all(reader)
            .await
            .unwrap();
            let mut tx = db.begin().await.unwrap();
            for statement in statements {
                with_tx!(&mut tx, |connection| {
                    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap();
                });
            }
            tx.commit().await.unwrap();
        }
    }

    /// Opens an older ledger and compares.
    async fn compare(&self, url: &str, from_version: i64) {
        let ledger = Ledger::open(url, &berlin()).await.unwrap();
        assert_eq!(ledger.schema_version().await.unwrap(), newest_version(), "from {from_version}");
        let check = ledger.verify_rollups().await.unwrap();
        assert_eq!((check.difference(), check.events), (0, 13), "from {from_version}");
        assert_eq!(told_by(&ledger).await, self.told, "from {from_version}");
        assert_eq!(ledger.budget(&alice()).await.unwrap().monthly_limit, NanoUsd(77_000_000_000));
        // Keys came with the second migration.
        let is_known = ledger.authenticate(&self.key, NOON_MS).await.unwrap().is_some();
        assert_eq!(is_known, from_version >= 2, "from {from_version}");
        ledger.close().await;
    }
}

#[tokio::test]
async fn every_earlier_version_opens_and_keeps_its_numbers_sqlite() {
    let source = Source::new().await;
    for at in 0..SQLITE.iter().count() {
        let folder = tempfile::tempdir().unwrap();
        open_each_state(&source, &sqlite_url(folder.path()), &SQLITE, at).await;
    }
}

#[tokio::test]
async fn every_earlier_version_opens_and_keeps_its_numbers_postgres() {
    let source = Source::new().await;
    for at in 0..POSTGRES.iter().count() {
        let Some(url) = postgres_url() else { return };
        open_each_state(&source, &url, &POSTGRES, at).await;
    }
}

async fn open_each_state(source: &Source, url: &str, migrator: &Migrator, at: usize) {
    let version = migrator.migrations[at].version;
    make_state(source, url, migrator, at + 1).await.close().await;
    source.compare(url, version).await;
}

#[tokio::test]
async fn a_migration_that_fails_at_any_statement_leaves_the_old_schema_sqlite() {
    let source = Source::new().await;
    for (at, statements) in places(&SQLITE) {
        let folder = tempfile::tempdir().unwrap();
        fail_at(&source, &sqlite_url(folder.path()), &SQLITE, at, statements).await;
    }
}

#[tokio::test]
async fn a_migration_that_fails_at_any_statement_leaves_the_old_schema_postgres() {
    let source = Source::new().await;
    for (at, statements) in places(&POSTGRES) {
        let Some(url) = postgres_url() else { return };
        fail_at(&source, &url, &POSTGRES, at, statements).await;
    }
}

async fn fail_at(source: &Source, url: &str, migrator: &Migrator, at: usize, statements: usize) {
    let db = make_state(source, url, migrator, at).await;
    let before = columns_of(&db).await;
    let failing = broken_off(migrator, at, statements, "select no_such_function()");
    run(&db, &failing).await.unwrap_err();
    assert_eq!(columns_of(&db).await, before, "migration {at}, statement {statements}");
    let version = version_of(&db).await.unwrap();
    db.close().await;
    if at > 0 {
        source.compare(url, version).await;
    }
}

const KILLED_FOLDER: &str = "TOLLBRIDGE_KILLED_MIGRATION";

#[tokio::test]
async fn a_migration_that_is_killed_at_any_statement_leaves_the_old_schema() {
    let source = Source::new().await;
    for (at, statements) in places(&SQLITE) {
        let folder = tempfile::tempdir().unwrap();
        let db = make_state(&source, &sqlite_url(folder.path()), &SQLITE, at).await;
        let before = columns_of(&db).await;
        db.close().await;
        let ended = migrate_and_die(folder.path(), at, statements);
        assert_eq!(ended.code(), None, "it was to end by a signal: {ended}");
        let db = Db::open(&sqlite_url(folder.path())).await.unwrap();
        assert_eq!(columns_of(&db).await, before, "migration {at}, statement {statements}");
        db.close().await;
        if at > 0 {
            source.compare(&sqlite_url(folder.path()), SQLITE.migrations[at - 1].version).await;
        }
    }
}

fn migrate_and_die(folder: &Path, at: usize, statements: usize) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::tests::upgrade::dying_process", "--ignored"])
        .env(KILLED_FOLDER, format!("{at} {statements} {}", folder.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

/// Not a test of its own: the process that is killed. Behind the last statement it counts without end, and SQLite's own
/// progress call ends the process there and then.
#[tokio::test]
#[ignore = "it is run by another test, as a process of its own"]
async fn dying_process() {
    const ENDLESS: &str = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";
    let Ok(order) = std::env::var(KILLED_FOLDER) else { return };
    let [at, statements, folder] = order.splitn(3, ' ').collect::<Vec<_>>()[..] else { unreachable!() };
    let dying = broken_off(&SQLITE, at.parse().unwrap(), statements.parse().unwrap(), ENDLESS);
    let db = Db::open(&sqlite_url(Path::new(folder))).await.unwrap();
    let Db::Sqlite { writer, .. } = &db else { unreachable!() };
    let mut connection = writer.acquire().await.unwrap();
    // So that what is not committed is on disk all the same, and has to be told from what is.
    sqlx::raw_sql("pragma cache_size = 1").execute(&mut *connection).await.unwrap();
    connection.lock_handle().await.unwrap().set_progress_handler(2_000_000, || std::process::abort());
    dying.run(&mut *connection).await.ok();
}

/// Every place at which a migration can be broken off: its index, and how many of its statements have run.
fn places(migrator: &Migrator) -> Vec<(usize, usize)> {
    let of = |at: usize| (1..=statements_of(migrator, at).len()).map(move |statements| (at, statements));
    let places: Vec<_> = (0..migrator.iter().count()).flat_map(of).collect();
    assert!(places.len() > 20, "{places:?}");
    places
}

fn statements_of(migrator: &Migrator, at: usize) -> Vec<&str> {
    migrator.migrations[at]
        .sql
        .as_str()
        .split_inclusive(";\n")
        .filter(|statement| !statement.trim().is_empty())
        .collect()
}

/// The migrations up to the one at `at`, of which only so many statements are left, and then `last`.
fn broken_off(migrator: &Migrator, at: usize, statements: usize, last: &str) -> Migrator {
    let mut migrations = migrator.migrations[..=at].to_vec();
    let text = format!("{}{last}", statements_of(migrator, at)[..statements].concat());
    migrations[at].sql = AssertSqlSafe(text).into_sql_str();
    Migrator::with_migrations(migrations)
}

/// A database that has seen the first `count` migrations, with rows in it.
async fn make_state(source: &Source, url: &str, migrator: &Migrator, count: usize) -> Db {
    let db = Db::open(url).await.unwrap();
    run(&db, &Migrator::with_migrations(migrator.migrations[..count].to_vec())).await.unwrap();
    source.copy_into(&db).await;
    db
}

async fn run(db: &Db, migrator: &Migrator) -> Result<(), sqlx::migrate::MigrateError> {
    match db {
        Db::Sqlite { writer, .. } => migrator.run(writer).await,
        Db::Postgres { pool, .. } => migrator.run(pool).await,
    }
}

async fn told_by(ledger: &Ledger) -> Told {
    let filter = EventFilter { limit: 100, ..EventFilter::default() };
    let events = ledger.events(&Scope::Everyone, &filter).await.unwrap().events;
    let report = ledger.report(&Scope::Everyone, &UsageQuery::default(), NOON_MS + DAY_MS).await.unwrap();
    Told { events, report }
}

async fn columns_of(db: &Db) -> Columns {
    const IN_SQLITE: &str = "select m.name, p.name, false from sqlite_master m, pragma_table_info(m.name) p \
        where m.type = 'table' and m.name not like '\\_%' escape '\\' and m.name not like 'sqlite%'";
    const IN_POSTGRES: &str = "select table_name::text, column_name::text, data_type = 'boolean' \
        from information_schema.columns where table_schema = 'public' and table_name not like '\\_%'";
    let rows: Vec<(String, String, bool)> = match db {
        Db::Sqlite { reader, .. } => sqlx::query_as(IN_SQLITE).fetch_all(reader).await.unwrap(),
        Db::Postgres { pool, .. } => sqlx::query_as(IN_POSTGRES).fetch_all(pool).await.unwrap(),
    };
    let mut tables = Columns::new();
    for (table, column, is_boolean) in rows {
        tables.entry(table).or_default().insert(column, is_boolean);
    }
    tables
}
