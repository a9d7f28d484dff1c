//! What the Get-started page asks for: what has arrived, which logs there are, how the import stands, and to start it
//! or to load and remove sample data.

use super::codec::Json;
use super::error::AppError;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// Where a way in stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// When its first call happened, `14:05` today, `21 Nov 14:05` before.
    pub first_at: String,
    pub calls: u64,
}

/// All that moves while the page is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrivals {
    pub passed: Option<Arrival>,
    pub imported: Option<Arrival>,
    pub posted: Option<Arrival>,
    pub sample: Option<Arrival>,
    /// IANA name of the zone of the times.
    pub time_zone: String,
    pub import: ImportState,
}

/// A folder with logs of Claude Code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFolder {
    pub path: String,
    pub files: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportState {
    Idle,
    Running(ImportProgress),
    Done(ImportResult),
    Failed(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportProgress {
    pub files_done: u64,
    pub files_total: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub calls: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportResult {
    /// Files read, and those left alone because they had not changed.
    pub files: u64,
    pub files_unchanged: u64,
    pub recorded: u64,
    pub updated: u64,
    pub known: u64,
    /// From before the time from which events are kept.
    pub too_old: u64,
    /// Messages that the client made up itself: nobody is charged for them.
    pub skipped: u64,
    pub broken_count: u64,
    /// The first of them.
    pub broken: Vec<BrokenLogLine>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLogLine {
    pub file: String,
    /// From 1; 0 is the whole file.
    pub line: u64,
    pub reason: String,
}

/// What has arrived, by source, and how the import stands.
///
/// # Errors
/// When the ledger cannot be read.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_arrivals() -> Result<Arrivals, AppError> {
    use super::error::refuse;
    use crate::domain::period::{Zone, local_date};
    use crate::domain::usage::Source;
    let state = expect_context::<crate::http::state::AppState>();
    let principal = super::principal::principal()?;
    let budget = state.ledger.budget(&principal.user_id()).await.map_err(refuse)?;
    let zone = Zone::parse(&budget.time_zone).map_err(|error| refuse(error.into()))?;
    let uses = state.ledger.first_use_by_source(&principal.scope()).await.map_err(refuse)?;
    let today = local_date(&zone, state.clock.now_ms());
    let arrival = |source: Source| {
        let one = uses.iter().find(|one| one.source == source)?;
        let first_at = crate::app::format::moment(&zone.format_instant(one.first_at_ms), today);
        Some(Arrival { first_at, calls: one.calls })
    };
    Ok(Arrivals {
        passed: arrival(Source::Gateway),
        imported: arrival(Source::Import),
        posted: arrival(Source::Api),
        sample: arrival(Source::Demo),
        time_zone: zone.name().into(),
        import: state.imports.state().into(),
    })
}

/// The folders of Claude Code's logs on the server's machine; none for who does not manage it.
///
/// # Errors
/// When they cannot be looked at.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_log_folders() -> Result<Vec<FoundFolder>, AppError> {
    use crate::capture::import::claude_code::measure_log_folder;
    if !super::principal::principal()?.manages_server() {
        return Ok(Vec::new());
    }
    let measure = || log_folders().iter().map(|path| measure_log_folder(path)).collect::<Vec<_>>();
    let found = tokio::task::spawn_blocking(measure).await.map_err(|error| {
        tracing::error!(%error, "the log folders could not be measured");
        AppError::Unavailable
    })?;
    Ok(found
        .into_iter()
        .map(|folder| FoundFolder { path: folder.path.display().to_string(), files: folder.files, bytes: folder.bytes })
        .collect())
}

/// The server's own address as the browser knows it, for snippets: `http://127.0.0.1:3000`.
///
/// # Errors
/// None of its own.
#[server(prefix = "/_fn", input = Json, output = Json)]
pub async fn get_base_url() -> Result<String, AppError> {
    // The Host header was checked before: it is the public one or one of this machine's names.
    let state = expect_context::<crate::http::state::AppState>();
    let parts = use_context::<axum::http::request::Parts>();
    let host = parts.as_ref().and_then(|parts| parts.headers.get(axum::http::header::HOST)?.to_str().ok());
    let host = host.unwrap_or("127.0.0.1:3000");
    let public_host = state.access.public_url().map(|url| url.authority());
    Ok(crate::domain::host::origin_of(host, public_host))
}

/// Starts the import of all logs that were found, and returns at once. While one runs, that one goes on.
///
/// # Errors
/// [`AppError::NotFound`] where there are no logs, [`AppError::Forbidden`] for who does not manage the server.
#[server(prefix = "/_fn")]
pub async fn start_import() -> Result<(), AppError> {
    let user = super::principal::manager()?.user_id();
    let state = expect_context::<crate::http::state::AppState>();
    let folders = log_folders();
    if folders.is_empty() {
        return super::form::go_on_if(false, "/start#import");
    }
    // Asked for twice, it runs once, which is all that was wanted.
    state.imports.start_claude_code(state.ledger.clone(), state.prices.clone(), user, folders).ok();
    super::form::go_on_to("/start#import");
    Ok(())
}

/// Fills the ledger with sample data up to now, in place of what there was of it.
///
/// # Errors
/// When the ledger cannot keep it.
#[server(prefix = "/_fn")]
pub async fn load_sample_data() -> Result<(), AppError> {
    use super::error::refuse;
    use crate::capture::demo::load_demo;
    use crate::domain::usage::Source;
    let state = expect_context::<crate::http::state::AppState>();
    let (user, now_ms) = (super::principal::principal()?.user_id(), state.clock.now_ms());
    state.ledger.remove_source(&user, Source::Demo).await.map_err(refuse)?;
    let zone = state.ledger.time_zone();
    load_demo(&state.ledger, &state.prices, &user, &zone, now_ms).await.map_err(refuse)?;
    super::form::go_on_to("/start#sample");
    Ok(())
}

/// Takes every sample event out again.
///
/// # Errors
/// When the ledger cannot be written.
#[server(prefix = "/_fn")]
pub async fn remove_sample_data() -> Result<(), AppError> {
    use crate::domain::usage::Source;
    let state = expect_context::<crate::http::state::AppState>();
    let user = super::principal::principal()?.user_id();
    state.ledger.remove_source(&user, Source::Demo).await.map_err(super::error::refuse)?;
    super::form::go_on_to("/start#sample");
    Ok(())
}

#[cfg(feature = "ssr")]
fn log_folders() -> Vec<std::path::PathBuf> {
    let home = std::env::home_dir();
    crate::capture::import::claude_code::find_log_folders(|name| std::env::var(name).ok(), home.as_deref())
}

#[cfg(feature = "ssr")]
impl From<crate::capture::import::job::JobState> for ImportState {
    fn from(state: crate::capture::import::job::JobState) -> Self {
        use crate::capture::import::job::JobState;
        match state {
            JobState::Idle => Self::Idle,
            JobState::Running(progress) => Self::Running(ImportProgress {
                files_done: progress.files_done,
                files_total: progress.files_total,
                bytes_done: progress.bytes_done,
                bytes_total: progress.bytes_total,
                calls: progress.records,
            }),
            JobState::Done(summary) => Self::Done(summary.into()),
            // The log has the reason; it may name what is nobody's business here.
            JobState::Failed(_) => Self::Failed("The import stopped before its end.".into()),
        }
    }
}

#[cfg(feature = "ssr")]
impl From<crate::capture::import::ImportSummary> for ImportResult {
    fn from(summary: crate::capture::import::ImportSummary) -> Self {
        let line = |line: crate::capture::import::BrokenLine| BrokenLogLine {
            file: line.file,
            line: line.line,
            reason: line.reason,
        };
        Self {
            files: summary.files,
            files_unchanged: summary.files_unchanged,
            recorded: summary.inserted,
            updated: summary.updated,
            known: summary.duplicates,
            too_old: summary.too_old,
            skipped: summary.synthetic_skipped,
            broken_count: summary.broken_count,
            broken: summary.broken.into_iter().map(line).collect(),
        }
    }
}
