//! What `doctor` looks at. Each check is one line; one that fails does not stop the others.

use super::Status::{Fail, Ok as Fine, Warn};
use super::{Finding, Status};
use crate::cli::price_book;
use crate::config::Config;
use crate::domain::price::catalogue_day;
use crate::http::system::{backup_folder, free_bytes};
use crate::ledger::spool::SpoolState;
use crate::ledger::{Ledger, LedgerError, LedgerSizes, RollupCheck, newest_schema, sqlite_path};
use chrono::{DateTime, Utc};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const MIB: u64 = 1024 * 1024;
/// Below it nothing can be recorded for long.
const LEAST_FREE_BYTES: u64 = 100 * MIB;
/// Room for a full spool of the default size.
const ENOUGH_FREE_BYTES: u64 = 1024 * MIB;
/// Calls are handed over within a second while the ledger takes them.
const SPOOL_LAG_MS: i64 = 60_000;
/// What clocks of a few machines may differ by.
const CLOCK_SLACK_MS: i64 = 5 * 60_000;
/// Providers change prices a few times a year.
const CATALOGUE_DAYS: i64 = 180;

/// Looks at everything, in the order in which it is told.
pub(super) async fn examine(config: &Config, now_ms: i64) -> (Vec<Finding>, Option<LedgerSizes>) {
    let mut findings = vec![files(config), disk(config), catalogue(config, now_ms)];
    let url = config.database_url();
    if sqlite_path(url.reveal()).is_some_and(|path| !path.exists()) {
        // Opening would make the file, and a look should change nothing.
        findings.push(finding("ledger", Fine, format!("{url} is not there yet; `tollbridge serve` makes it")));
        return (findings, None);
    }
    let ledger = match Ledger::open_as_it_is(url.reveal()).await {
        Ok(ledger) => ledger,
        Err(error) => {
            findings.push(finding("ledger", Fail, format!("{url} cannot be opened: {error}")));
            return (findings, None);
        }
    };
    let sizes = ledger.measure(&config.spool_path(), now_ms).await;
    findings.push(looked("ledger", schema(&ledger, &url.to_string(), &sizes).await));
    findings.push(pages(&ledger).await);
    findings.push(rollups(&ledger).await);
    findings.push(spool(config, now_ms).await);
    findings.extend(sizes.iter().map(|sizes| clock(sizes, now_ms)));
    ledger.close().await;
    (findings, sizes.ok())
}

fn finding(check: &'static str, status: Status, message: impl Into<String>) -> Finding {
    Finding { check, status, message: message.into() }
}

/// A check that could not look has failed.
fn looked(check: &'static str, found: Result<Finding, LedgerError>) -> Finding {
    found.unwrap_or_else(|error| finding(check, Fail, format!("could not be looked at: {error}")))
}

/// Only its owner may reach what is in the data folder.
fn files(config: &Config) -> Finding {
    let folder = &config.settings.server.data_dir;
    if !folder.exists() {
        return finding("files", Fine, format!("{} is not there yet", folder.display()));
    }
    let url = config.database_url();
    let mut paths: Vec<PathBuf> = vec![folder.clone(), config.spool_path()];
    paths.extend(sqlite_path(url.reveal()).map(Path::to_path_buf));
    let backups = std::fs::read_dir(backup_folder(config)).into_iter().flatten();
    paths.extend(backups.filter_map(|entry| Some(entry.ok()?.path())));
    let others_reach = |path: &PathBuf| Some(path.metadata().ok()?.permissions().mode() & 0o077 != 0);
    let open: Vec<String> =
        paths.iter().filter(|path| others_reach(path) == Some(true)).map(|path| path.display().to_string()).collect();
    if open.is_empty() {
        return finding("files", Fine, format!("only their owner reaches {} and what is in it", folder.display()));
    }
    finding("files", Warn, format!("others can reach {}; chmod go= takes that away", open.join(", ")))
}

fn disk(config: &Config) -> Finding {
    let folder = &config.settings.server.data_dir;
    match free_bytes(folder) {
        Ok(free) => {
            let status = match free {
                ..LEAST_FREE_BYTES => Fail,
                LEAST_FREE_BYTES..ENOUGH_FREE_BYTES => Warn,
                _ => Fine,
            };
            finding("disk", status, format!("{} free for {}", in_mib(free), folder.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            finding("disk", Fine, format!("{} is not there yet", folder.display()))
        }
        Err(error) => finding("disk", Warn, format!("the free space cannot be told: {error}")),
    }
}

fn catalogue(config: &Config, now_ms: i64) -> Finding {
    let cards = price_book(config).len();
    let Some(day) = catalogue_day() else {
        return finding("prices", Warn, format!("{cards} cards, of an unknown day"));
    };
    let age_days = (date_of(now_ms).date_naive() - day).num_days();
    let status = if age_days > CATALOGUE_DAYS { Warn } else { Fine };
    finding("prices", status, format!("{cards} cards; the catalogue is of {day}, {} days ago", age_days.max(0)))
}

async fn schema(ledger: &Ledger, url: &str, sizes: &Result<LedgerSizes, LedgerError>) -> Result<Finding, LedgerError> {
    let (found, known) = (ledger.schema_version().await?, newest_schema());
    if found > known {
        return Ok(finding("ledger", Fail, LedgerError::NewerSchema { found, known }.to_string()));
    }
    let sizes = match sizes {
        Ok(sizes) => sizes,
        Err(error) => return Ok(finding("ledger", Fail, format!("{url} cannot be measured: {error}"))),
    };
    let oldest = sizes.oldest_event_at_ms.map(|at_ms| format!(" since {}", date_of(at_ms).date_naive()));
    let upgrade = if found < known { format!(", which the next start brings to {known}") } else { String::new() };
    let told = format!(
        "{url} holds {} events{}, {}; schema {found}{upgrade}",
        sizes.events,
        oldest.unwrap_or_default(),
        in_mib(sizes.database_bytes),
    );
    Ok(finding("ledger", Fine, told))
}

async fn pages(ledger: &Ledger) -> Finding {
    looked(
        "integrity",
        ledger.find_damage().await.map(|damage| match damage {
            None => finding("integrity", Fine, "no page, row or index is damaged"),
            Some(damage) => finding("integrity", Fail, format!("damaged: {damage}")),
        }),
    )
}

async fn rollups(ledger: &Ledger) -> Finding {
    looked(
        "rollups",
        ledger.verify_rollups().await.map(|check| match check.difference() {
            0 => finding(
                "rollups",
                Fine,
                format!("{} rows equal the sums of their events{}", check.rollup_rows, since(&check)),
            ),
            differing => {
                finding("rollups", Fail, format!("{differing} of {} rows differ from their events", check.rollup_rows))
            }
        }),
    )
}

/// Sums of events that retention has removed can no longer be compared with them.
fn since(check: &RollupCheck) -> String {
    let line = check
        .events_from_ms
        .map(|at_ms| format!(", which are kept from {}", date_of(at_ms).format("%Y-%m-%d %H:%M UTC")));
    line.unwrap_or_default()
}

async fn spool(config: &Config, now_ms: i64) -> Finding {
    let path = config.spool_path();
    if !path.exists() {
        return finding("spool", Fine, format!("{} is not there yet", path.display()));
    }
    looked(
        "spool",
        SpoolState::look(&path).await.map(|state| {
            let lag_ms = state.oldest_waiting_at_ms.map_or(0, |at_ms| (now_ms - at_ms).max(0));
            let (bytes, limit) = (state.bytes, config.settings.recorder.spool_max_bytes);
            let told = format!("{} calls wait, {} of {}", state.waiting, in_mib(bytes), in_mib(limit));
            if state.rejected > 0 {
                return finding("spool", Warn, format!("{told}; {} calls that the ledger refuses", state.rejected));
            }
            if lag_ms > SPOOL_LAG_MS {
                return finding(
                    "spool",
                    Warn,
                    format!("{told}; the oldest for {} s. Is the server running?", lag_ms / 1_000),
                );
            }
            let is_filling = state.waiting > 0 && bytes > limit / 5 * 4;
            finding("spool", if is_filling { Warn } else { Fine }, told)
        }),
    )
}

/// Days and budgets follow the clock. One that was ahead shows in what it left.
fn clock(sizes: &LedgerSizes, now_ms: i64) -> Finding {
    let ahead_ms = |at_ms: Option<i64>| at_ms.map_or(0, |at_ms| at_ms.saturating_sub(now_ms));
    let recorded_ahead_ms = ahead_ms(sizes.last_recorded_at_ms);
    let event_ahead_ms = ahead_ms(sizes.newest_event_at_ms);
    if recorded_ahead_ms > CLOCK_SLACK_MS {
        let message = format!("went back: an event was recorded {} s ahead of now", recorded_ahead_ms / 1_000);
        return finding("clock", Warn, message);
    }
    if event_ahead_ms > CLOCK_SLACK_MS {
        let message =
            format!("the newest event is {} s ahead of now; its client's clock may be wrong", event_ahead_ms / 1_000);
        return finding("clock", Warn, message);
    }
    finding("clock", Fine, format!("it is {}, and no event is later", date_of(now_ms).format("%Y-%m-%d %H:%M:%S UTC")))
}

fn date_of(at_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at_ms).unwrap_or_default()
}

fn in_mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(MIB))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_795_512_600_000;

    #[test]
    fn a_clock_that_was_ahead_is_told_from_one_that_is_right() {
        let of = |newest: i64, recorded: i64| {
            let sizes = LedgerSizes {
                newest_event_at_ms: Some(NOW_MS + newest),
                last_recorded_at_ms: Some(NOW_MS + recorded),
                ..LedgerSizes::default()
            };
            clock(&sizes, NOW_MS)
        };
        assert_eq!(of(-1, -1).status, Fine);
        assert_eq!(of(CLOCK_SLACK_MS, CLOCK_SLACK_MS).status, Fine);
        let of_client = of(CLOCK_SLACK_MS + 1, 0);
        assert!(of_client.status == Warn && of_client.message.contains("client"), "{}", of_client.message);
        let went_back = of(0, 3_600_000);
        assert!(went_back.status == Warn && went_back.message.contains("went back"), "{}", went_back.message);
        assert_eq!(clock(&LedgerSizes::default(), NOW_MS).status, Fine);
    }

    #[test]
    fn the_catalogue_has_a_day_and_grows_old() {
        let day = catalogue_day().expect("the catalogue says when it was made");
        let made_ms = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
        let config = Config::from_text(include_str!("../../../Leptos.toml"), None, []).unwrap();
        assert_eq!(catalogue(&config, made_ms).status, Fine);
        assert_eq!(catalogue(&config, made_ms + 200 * 86_400_000).status, Warn);
    }
}
