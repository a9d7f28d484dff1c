//! The import that a server runs in the background: at most one at a time, watched by whoever asks, finished even if
//! nobody waits for it. What an import does is in [`crate::capture::log_import`].

use super::{ImportSummary, Progress};
use crate::capture::log_import::import_claude_code_logs;
use crate::domain::price::PriceBook;
use crate::domain::usage::UserId;
use crate::ledger::Ledger;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

/// How the server's import stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum JobState {
    /// None was started since the server did.
    #[default]
    Idle,
    Running(Progress),
    Done(ImportSummary),
    /// It stopped early. What it had recorded stays, and the next one goes on from there.
    Failed(String),
}

/// The one import of a server. Cheap to clone; all clones watch the same one.
#[derive(Clone, Debug, Default)]
pub struct ImportJobs {
    state: Arc<Mutex<JobState>>,
}

/// An import is under way already; that one goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an import is already running")]
pub struct AlreadyRunning;

impl ImportJobs {
    pub fn state(&self) -> JobState {
        self.lock().clone()
    }

    /// Starts to read Claude Code's logs below `roots` into the ledger and returns at once.
    ///
    /// # Errors
    /// [`AlreadyRunning`]. Must be called within a tokio runtime.
    pub fn start_claude_code(
        &self,
        ledger: Ledger,
        book: Arc<PriceBook>,
        user: UserId,
        roots: Vec<PathBuf>,
    ) -> Result<(), AlreadyRunning> {
        self.start(|job| async move {
            let on_progress = |progress| job.report(progress);
            let imported = import_claude_code_logs(&ledger, &book, &user, roots, on_progress).await;
            if let Err(error) = &imported {
                tracing::error!(%error, "the import of Claude Code logs stopped");
            }
            job.finish(imported.map_err(|error| error.to_string()));
        })
    }

    /// Runs `work` in the background, which tells through its [`RunningJob`] how far it is and how it ended.
    fn start<Work>(&self, work: impl FnOnce(RunningJob) -> Work) -> Result<(), AlreadyRunning>
    where
        Work: Future<Output = ()> + Send + 'static,
    {
        let mut state = self.lock();
        if matches!(*state, JobState::Running(_)) {
            return Err(AlreadyRunning);
        }
        *state = JobState::Running(Progress::default());
        drop(state);
        tokio::spawn(work(RunningJob { jobs: self.clone() }));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, JobState> {
        // A state is replaced whole, so a panic elsewhere cannot have left half of one.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The right to say how the running import stands. Dropped without an end (a panic, say), it says that it failed, so
/// that the next import can start.
struct RunningJob {
    jobs: ImportJobs,
}

impl RunningJob {
    fn report(&self, progress: Progress) {
        *self.jobs.lock() = JobState::Running(progress);
    }

    fn finish(self, result: Result<ImportSummary, String>) {
        *self.jobs.lock() = result.map_or_else(JobState::Failed, JobState::Done);
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        let mut state = self.jobs.lock();
        if matches!(*state, JobState::Running(_)) {
            *state = JobState::Failed("the import stopped unexpectedly".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    /// Lets the background work go as far as it can.
    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_import_goes_from_idle_through_running_to_done() {
        let jobs = ImportJobs::default();
        assert_eq!(jobs.state(), JobState::Idle);
        let (end, ended) = oneshot::channel();
        let halfway = Progress { files_done: 1, files_total: 2, ..Progress::default() };
        let work = |job: RunningJob| async move {
            job.report(halfway);
            job.finish(ended.await.unwrap());
        };
        jobs.start(work).unwrap();
        assert_eq!(jobs.state(), JobState::Running(Progress::default()), "from the first moment");
        settle().await;
        assert_eq!(jobs.state(), JobState::Running(halfway));
        let summary = ImportSummary { records: 7, inserted: 7, ..ImportSummary::default() };
        end.send(Ok(summary.clone())).unwrap();
        settle().await;
        assert_eq!(jobs.state(), JobState::Done(summary));
    }

    #[tokio::test]
    async fn never_two_at_once_and_another_after_the_end() {
        let jobs = ImportJobs::default();
        let (end, ended) = oneshot::channel::<()>();
        let work = |job: RunningJob| async move {
            ended.await.unwrap();
            job.finish(Err("the disk is full".into()));
        };
        jobs.start(work).unwrap();
        let second = jobs.clone().start(|_| async { panic!("a second one ran") });
        assert_eq!(second, Err(AlreadyRunning));
        end.send(()).unwrap();
        settle().await;
        assert_eq!(jobs.state(), JobState::Failed("the disk is full".into()));
        jobs.start(|job| async move { job.finish(Ok(ImportSummary::default())) }).unwrap();
        settle().await;
        assert_eq!(jobs.state(), JobState::Done(ImportSummary::default()));
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_no_lasting_lock() {
        let jobs = ImportJobs::default();
        let work = |job: RunningJob| async move {
            let _job = job;
            panic!("as if a reader broke");
        };
        jobs.start(work).unwrap();
        settle().await;
        assert!(matches!(jobs.state(), JobState::Failed(_)));
        assert_eq!(jobs.start(|job| async move { drop(job) }), Ok(()));
    }

    #[tokio::test]
    async fn logs_reach_the_ledger() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
        let ledger = Ledger::open(&url, &crate::domain::period::Zone::UTC).await.unwrap();
        let logs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/claude-code/rules");
        let jobs = ImportJobs::default();
        let mut summaries = Vec::new();
        for _ in 0..2 {
            jobs.start_claude_code(ledger.clone(), PriceBook::builtin(), UserId::owner(), vec![logs.clone()]).unwrap();
            while matches!(jobs.state(), JobState::Running(_)) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            let JobState::Done(summary) = jobs.state() else { panic!("{:?}", jobs.state()) };
            summaries.push(summary);
        }
        assert!(summaries[0].inserted > 0, "{:?}", summaries[0]);
        assert_eq!((summaries[1].inserted, summaries[1].updated), (0, 0), "the second time all is known");
        ledger.close().await;
    }
}
