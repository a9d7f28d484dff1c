//! Importing Claude Code's session logs: which folders hold them, which files are new, and the way from the files to
//! whoever keeps the records. What a log says is in [`session`] and [`mod@line`].

pub mod line;
pub mod session;

use super::{BATCH_RECORDS, ImportBatch, ImportError, ImportSummary, Progress, ReadFiles};
use crate::domain::usage::{UsageRecord, UserId};
use crate::ledger::{ApplyOutcome, FileMark};
use serde::{Deserialize, Serialize};
use session::read_session;
use std::fs::{File, Metadata};
use std::future::Future;
use std::io::{self, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tokio::sync::mpsc;
use walkdir::WalkDir;

/// Bytes read from disk at a time.
const READ_BUFFER_BYTES: usize = 256 * 1024;
/// Batches that may wait for the ledger; with the fold of one file, all that an import keeps in memory.
const WAITING_BATCHES: usize = 2;

/// A folder with session logs, and how much there is to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFolder {
    pub path: PathBuf,
    pub files: u64,
    pub bytes: u64,
}

/// Where Claude Code keeps its logs on this machine: `CLAUDE_CONFIG_DIR` (a comma-separated list is fine), `~/.claude`
/// and `$XDG_CONFIG_HOME/claude`, as far as they hold a `projects` folder. No folder is named twice.
pub fn find_log_folders(env: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Vec<PathBuf> {
    let configured = env("CLAUDE_CONFIG_DIR").unwrap_or_default();
    let listed =
        configured.split(',').map(str::trim).filter(|path| !path.is_empty()).map(|path| expand_home(path, home));
    let xdg_config = env("XDG_CONFIG_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let xdg_config = xdg_config.or_else(|| home.map(|home| home.join(".config")));
    let usual = [home.map(|home| home.join(".claude")), xdg_config.map(|config| config.join("claude"))];

    let mut found: Vec<PathBuf> = Vec::new();
    let mut real_paths = Vec::new();
    for folder in listed.chain(usual.into_iter().flatten()) {
        let Ok(real_path) = folder.join("projects").canonicalize() else { continue };
        if real_path.is_dir() && !real_paths.contains(&real_path) {
            real_paths.push(real_path);
            found.push(folder);
        }
    }
    found
}

/// How many session logs a folder holds. Looks at every file's size, so keep it off the async runtime.
pub fn measure_log_folder(path: &Path) -> LogFolder {
    let files = list_session_files(&[path.to_owned()]);
    LogFolder {
        path: path.to_owned(),
        files: files.len() as u64,
        bytes: files.iter().map(|file| file.mark.size_bytes).sum(),
    }
}

/// Reads all session logs below `roots` (configuration folders, any folder, or single files) and hands their records
/// to `keep` in batches, in the order of the paths. Files that `read_files` knows unchanged are passed over.
///
/// Reading runs beside the async runtime and waits for `keep`; a file of any size takes the same memory. Importing
/// twice is harmless: the records come with the same keys. A file or line that cannot be read is reported in the
/// summary and does not stop the import.
///
/// # Errors
/// When `keep` fails; the import ends there and can simply be run again.
pub async fn import_claude_code<E, Kept>(
    roots: Vec<PathBuf>,
    user: UserId,
    read_files: ReadFiles,
    mut keep: impl FnMut(ImportBatch) -> Kept,
    mut on_progress: impl FnMut(Progress),
) -> Result<ImportSummary, ImportError<E>>
where
    Kept: Future<Output = Result<Vec<ApplyOutcome>, E>>,
{
    let (sender, mut steps) = mpsc::channel(WAITING_BATCHES);
    let reader = tokio::task::spawn_blocking(move || read_all(&roots, &user, &read_files, sender));
    let mut kept = ImportSummary::default();
    while let Some(Step { batch, progress }) = steps.recv().await {
        // On an error the channel closes, and with it the reader stops.
        kept.add_outcomes(&keep(batch).await.map_err(ImportError::Keep)?);
        on_progress(progress);
    }
    let read = reader.await?;
    let ImportSummary { inserted, updated, duplicates, too_old, .. } = kept;
    Ok(ImportSummary { inserted, updated, duplicates, too_old, ..read })
}

struct Step {
    batch: ImportBatch,
    progress: Progress,
}

struct SessionFile {
    path: PathBuf,
    mark: FileMark,
}

/// Sends all new records and returns what it read, without the outcomes, which only the receiver knows.
fn read_all(roots: &[PathBuf], user: &UserId, read_files: &ReadFiles, steps: mpsc::Sender<Step>) -> ImportSummary {
    let files = list_session_files(roots);
    let progress = Progress {
        files_total: files.len() as u64,
        bytes_total: files.iter().map(|file| file.mark.size_bytes).sum(),
        ..Progress::default()
    };
    let mut outbox = Outbox { steps, batch: ImportBatch::default(), progress };
    let mut summary = ImportSummary::default();
    for SessionFile { path, mark } in files {
        let name = path.to_string_lossy().into_owned();
        if read_files.get(&name) == Some(&mark) {
            summary.files_unchanged += 1;
            outbox.finish_file(mark);
            continue;
        }
        match read_file(&path, user, &mut summary, &name, &mut outbox) {
            // A mark may only travel behind all records of its file.
            Ok(()) => outbox.batch.finished_files.push((name, mark)),
            Err(error) => summary.add_broken(&name, 0, format!("cannot be read: {}", error.kind())),
        }
        outbox.finish_file(mark);
        if outbox.send_if_full().is_break() {
            return summary;
        }
    }
    // Nobody left to send to is fine: then nobody waits for the summary either.
    let _ = outbox.send();
    // A file that breaks off has handed records on too, so they are counted where they leave.
    ImportSummary { records: outbox.progress.records, ..summary }
}

fn read_file(
    path: &Path,
    user: &UserId,
    summary: &mut ImportSummary,
    name: &str,
    outbox: &mut Outbox,
) -> io::Result<()> {
    let reader = BufReader::with_capacity(READ_BUFFER_BYTES, File::open(path)?);
    let report = read_session(reader, user, |record| outbox.add(record))?;
    summary.files += 1;
    summary.lines += report.lines;
    summary.synthetic_skipped += report.synthetic_skipped;
    let unnamed = report.broken_count - report.broken.len() as u64;
    for (line, error) in report.broken {
        summary.add_broken(name, line, error.to_string());
    }
    summary.broken_count += unnamed;
    Ok(())
}

/// What is read and not sent yet.
struct Outbox {
    steps: mpsc::Sender<Step>,
    batch: ImportBatch,
    progress: Progress,
}

impl Outbox {
    fn add(&mut self, record: UsageRecord) -> ControlFlow<()> {
        self.batch.records.push(record);
        self.progress.records += 1;
        self.send_if_full()
    }

    fn finish_file(&mut self, mark: FileMark) {
        self.progress.files_done += 1;
        self.progress.bytes_done += mark.size_bytes;
    }

    fn send_if_full(&mut self) -> ControlFlow<()> {
        let is_full = self.batch.records.len().max(self.batch.finished_files.len()) >= BATCH_RECORDS;
        if is_full { self.send() } else { ControlFlow::Continue(()) }
    }

    /// Waits until there is room; breaks off when the receiver is gone.
    fn send(&mut self) -> ControlFlow<()> {
        let step = Step { batch: std::mem::take(&mut self.batch), progress: self.progress };
        match self.steps.blocking_send(step) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

/// All session logs below the roots, sorted by path, each once. Folders that cannot be read are passed over.
fn list_session_files(roots: &[PathBuf]) -> Vec<SessionFile> {
    let mut files: Vec<SessionFile> = roots.iter().flat_map(|root| session_files_below(root)).collect();
    files.sort_by(|one, two| one.path.cmp(&two.path));
    files.dedup_by(|one, two| one.path == two.path);
    files
}

fn session_files_below(root: &Path) -> impl Iterator<Item = SessionFile> {
    let projects = root.join("projects");
    let start = if projects.is_dir() { projects } else { root.to_owned() };
    // Projects are sometimes linked in from elsewhere; walkdir stops at loops.
    WalkDir::new(start).follow_links(true).into_iter().filter_map(Result::ok).filter_map(|entry| {
        let is_log = entry.file_type().is_file() && entry.path().extension().is_some_and(|end| end == "jsonl");
        let metadata = is_log.then(|| entry.metadata().ok()).flatten()?;
        Some(SessionFile { path: entry.into_path(), mark: mark_of(&metadata) })
    })
}

fn mark_of(metadata: &Metadata) -> FileMark {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified_at_ms = modified.and_then(|age| i64::try_from(age.as_millis()).ok()).unwrap_or(0);
    FileMark { size_bytes: metadata.len(), modified_at_ms }
}

fn expand_home(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests;
