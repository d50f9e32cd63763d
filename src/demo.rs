//! Everything at once, in a folder of its own, without a service: what a newcomer sees first.

pub mod envelope;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::adapters::clock::SystemClock;
use engine::queue::QueueError;
use engine::reference::UrlRef;
use jobkit::{IdGenerator, Job, JobId, NewJob};
use journal::ScoreLedger;
use journal::run::Summary;
use journal::sample::{SampleParams, Strange};
use serde_json::json;
use store::state::JobState;
use store::{Actor, JobDetail, JobFilter, Scope, StoreError};

use self::envelope::{Secrets, Signed, Signing};
use crate::app::signals::Signals;
use crate::app::{App, AppError, RunOptions};
use crate::config::listen::Listen;
use crate::config::settings::Settings;

const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The messages of the envelope come within seconds. Where none does, what is told is how far it got.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("making {path}")]
    File {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    #[error("told to stop before the jobs were there")]
    Stopped,
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One job of the demo and what it shows.
struct Shown {
    what: &'static str,
    id: JobId,
}

/// What came of it, for the table.
pub struct Told {
    pub what: &'static str,
    pub detail: JobDetail,
}

pub struct Demo {
    pub told: Vec<Told>,
    pub strange: Vec<Strange>,
    pub folder: PathBuf,
    /// Or why there is no envelope.
    pub signed: Result<Option<Signed>, String>,
    /// A signal came before all jobs had ended.
    pub stopped: bool,
    app: App,
    settings: Settings,
    signing: Option<Signing>,
}

impl Demo {
    /// Makes the folder, the ledger and the jobs, and runs them to their end, or until a signal stops them.
    pub async fn run(folder: &Path, signals: &Signals) -> Result<Self, DemoError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            |cause| DemoError::File { path, cause }
        };
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let folder = folder.canonicalize().map_err(failed(folder))?;
        let mut settings = settings(&folder);
        let ledger = folder.join("ledger.csv");
        let strange = sample_ledger(&ledger).map_err(failed(&ledger))?;

        let set_up = async {
            let secrets = Secrets { hmac: secret(), token: secret() };
            let signing = Signing::open(&folder, &secrets, &mut settings).await;
            let app = App::open(&settings).await?;
            let shown = enqueue(&app, &folder, &ledger, signing.as_ref().ok()).await?;
            Ok::<_, DemoError>((app, shown, signing))
        };
        // Somebody else may have the file locked.
        let (app, shown, signing) =
            signals.stop.run_until_cancelled(set_up).await.ok_or(DemoError::Stopped)??;
        // Everything else can be shown where there is no loopback.
        let (signing, refused) =
            signing.map_or_else(|cause| (None, cause.to_string()), |signing| (Some(signing), String::new()));
        let ids: Vec<_> = shown.iter().map(|shown| shown.id).collect();
        let ended = serve_until_ended(&app, &settings, ids, signing.as_ref(), signals.child()).await?;
        let mut told = Vec::new();
        for Shown { what, id } in shown {
            if let Some(detail) = app.queue.job(&Scope::Installation, id).await? {
                told.push(Told { what, detail });
            }
        }
        let signed = match &signing {
            Some(signing) => Ok(signing.signed(&app).await?),
            None => Err(refused),
        };
        Ok(Self { told, strange, folder, signed, stopped: !ended, app, settings, signing })
    }

    pub fn all_completed(&self) -> bool {
        let is_archived = |signed: &Option<Signed>| signed.as_ref().is_some_and(Signed::is_archived);
        self.told.iter().all(|told| told.detail.job.state == JobState::Completed)
            && self.signed.as_ref().map_or(true, is_archived)
    }

    /// Where it can be spoken to while it serves.
    pub fn api(&self) -> Option<String> {
        let Listen::At(address) = self.settings.http.listen else { return None };
        let token = self.folder.join(envelope::TOKEN);
        Some(format!("the API is at http://{address}, and its token in {}", token.display()))
    }

    /// What the job over the ledger found, if it came to that.
    pub fn scored(&self) -> Option<Summary> {
        let mut jobs = self.told.iter().map(|told| &told.detail.job);
        let scored = jobs.find(|job| job.kind == ScoreLedger::KIND)?;
        serde_json::from_str(scored.result.as_deref()?).ok()
    }

    /// Goes on as a server until interrupted.
    pub async fn serve(self, signals: Signals) -> Result<(), DemoError> {
        self.app.serve(&self.settings, RunOptions { signals, ..RunOptions::default() }).await?;
        self.close().await;
        Ok(())
    }

    pub async fn close(self) {
        if let Some(signing) = self.signing {
            signing.close().await;
        }
        self.app.close().await;
    }
}

/// Serves until every one of these jobs has ended, and nothing more happens to the envelope; says whether it is so: a signal stops the
/// serving too. A job that failed is waited for until it is tried again.
async fn serve_until_ended(
    app: &App,
    settings: &Settings,
    ids: Vec<JobId>,
    signing: Option<&Signing>,
    signals: Signals,
) -> Result<bool, DemoError> {
    let filter = JobFilter { limit: Some(ids.len()), ids, ..JobFilter::default() };
    let stop = signals.stop.clone();
    let ended = async {
        let mut jobs_ended = None;
        while !stop.is_cancelled() {
            if app.queue.jobs(&Scope::Installation, &filter).await?.iter().all(|job| job.state.is_final()) {
                let now = app.clock.steady();
                let waited = now.saturating_sub(*jobs_ended.get_or_insert(now));
                let is_over = match signing {
                    Some(signing) => signing.step(app).await? || waited >= PATIENCE,
                    None => true,
                };
                if is_over {
                    return Ok(true);
                }
            }
            app.clock.sleep(LOOK_AGAIN).await;
        }
        Ok::<_, DemoError>(false)
    };
    let options = RunOptions { signals, ..RunOptions::default() };
    let ended = async {
        let ended = ended.await;
        // Also when it could not look: nobody else would stop the serving.
        stop.cancel();
        ended
    };
    let (served, ended) = tokio::join!(app.serve(settings, options), ended);
    served?;
    ended
}

fn settings(folder: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.store.url = UrlRef::from(format!("sqlite://{}", folder.join("compline.db").display()).as_str());
    settings.artifacts.directory = folder.join("artifacts");
    settings.uploads.directory = folder.join("uploads");
    settings.journal.out_dir = folder.join("results");
    settings.journal.roots = vec![folder.to_path_buf()];
    settings.system.roots = vec![folder.to_path_buf()];
    settings
}

fn sample_ledger(path: &Path) -> std::io::Result<Vec<Strange>> {
    // The default is the sample that the documentation speaks of.
    let mut out = BufWriter::new(File::create(path)?);
    journal::sample::write(&mut out, &SampleParams::default())
}

/// For what speaks on loopback, and of this demo alone. Its first twelve letters are the time, which is no secret and another for each demo.
fn secret() -> String {
    let ids = IdGenerator::new(Arc::new(SystemClock::new()));
    format!("{}{}", ids.next().0.simple(), ids.next().0.simple())
}

async fn enqueue(
    app: &App,
    folder: &Path,
    ledger: &Path,
    signing: Option<&Signing>,
) -> Result<Vec<Shown>, DemoError> {
    let by = Actor::new("demo");
    let steps = folder.join("steps.txt");
    // The steps of an earlier demo had other keys.
    let _ = std::fs::remove_file(&steps);
    let jobs = vec![
        ("does nothing", NewJob::new("system.noop", json!({}))),
        ("five durable steps", NewJob::new("system.steps", json!({ "n": 5, "ms": 20, "file": steps }))),
        ("fails once, is retried", NewJob::new("system.fail", json!({ "message": "not yet", "times": 1 }))),
        ("scores a ledger", NewJob::new("journal.score_ledger", json!({ "path": ledger }))),
    ];
    let (what, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
    let inserted = app.queue.enqueue(&Scope::Installation, jobs, &by).await?;
    let mut shown: Vec<_> =
        what.into_iter().zip(&inserted).map(|(what, made)| Shown { what, id: made.id }).collect();
    // It is the last of them.
    if let (Some(signing), Some(scored)) = (signing, inserted.last()) {
        let report = folder.join("results").join(scored.id.to_string()).join("report.pdf");
        let job = signing.job(&report, scored.id);
        let sent = app.queue.enqueue(&Scope::Installation, vec![job], &by).await?;
        shown.extend(sent.iter().map(|made| Shown { what: "sends its report for signature", id: made.id }));
    }
    let parents: Vec<_> = shown.iter().map(|shown| shown.id).collect();
    let last = NewJob::new("system.noop", json!({})).after(parents);
    let last = app.queue.enqueue(&Scope::Installation, vec![last], &by).await?;
    shown.extend(last.iter().map(|made| Shown { what: "runs after all of them", id: made.id }));
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use jobkit::When;

    use super::*;

    /// Somebody else had the file locked, and Ctrl-C was not heard.
    #[tokio::test]
    async fn stopped_while_it_is_set_up_there_are_no_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let told = Signals::default();
        told.stop.cancel();

        let demo = Demo::run(folder.path(), &told).await;

        assert!(matches!(demo, Err(DemoError::Stopped)));
    }

    /// The first Ctrl-C was once taken for the end of the work: the demo told its table and served on.
    #[tokio::test]
    async fn stopped_by_a_signal_is_told_from_all_ended() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let app = App::open(&settings).await.unwrap();
        let (quick, late) = (NewJob::new("system.noop", json!({})), NewJob::new("system.noop", json!({})));
        let late = NewJob { when: When::After(Duration::from_secs(3_600)), ..late };
        let made = app
            .queue
            .enqueue(&Scope::Installation, vec![quick, late], &Actor::new("user:ada"))
            .await
            .unwrap();
        // What the handler of the signal does.
        let told = Signals::default();
        told.stop.cancel();

        let all = made.iter().map(|made| made.id).collect();
        assert!(!serve_until_ended(&app, &settings, all, None, told).await.unwrap());
        let first = vec![made[0].id];
        assert!(serve_until_ended(&app, &settings, first, None, Signals::default()).await.unwrap());
        app.close().await;
    }
}
