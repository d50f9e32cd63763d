//! Everything at once, in a folder of its own, without a service: what a newcomer sees first.

pub mod emulated;
pub mod envelope;
pub mod folder;
mod missing;

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
use store::{Actor, Change, JobDetail, JobFilter, Scope, StoreError};

use self::envelope::{Secrets, Signed, Signing};
use self::folder::Folder;
use crate::app::signals::Signals;
use crate::app::{App, AppError, RunOptions};
use crate::config::listen::Listen;
use crate::config::settings::Settings;

const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The messages of the envelope come within seconds. Where none does, what is told is how far it got.
const PATIENCE: Duration = Duration::from_secs(60);
/// Whoever has the store locked does not keep the demo from ending.
const GOODBYE: Duration = Duration::from_secs(2);
/// Of all that it enqueues itself.
const TAG: &str = "demo";
/// In the demo's folder: its store.
pub const STORE: &str = "compline.db";

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
    #[error("the job {0} is gone from the demo's store")]
    Gone(JobId),
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
    stage: Stage,
}

/// What it happens on.
struct Stage {
    app: App,
    settings: Settings,
    signing: Result<Signing, String>,
}

impl Demo {
    /// Makes the folder, the ledger and the jobs, and runs them to their end, or until a signal stops them. What does not stay of the folder
    /// goes with the `Folder`.
    pub async fn run(folder: &mut Folder, signals: &Signals) -> Result<Self, DemoError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            |cause| DemoError::File { path, cause }
        };
        let wanted = folder.path().to_path_buf();
        folder.make().map_err(failed(&wanted))?;
        let place = folder.path().to_path_buf();
        let mut settings = settings(&place);
        let ledger = place.join("ledger.csv");
        let strange = sample_ledger(&ledger).map_err(failed(&ledger))?;

        // Somebody else may have the file locked.
        let opened = signals.stop.run_until_cancelled(async {
            let secrets = Secrets { hmac: secret(), token: secret() };
            // Everything else can be shown where there is no loopback.
            let signing = Signing::open(folder, &secrets, &mut settings).await;
            let signing = signing.map_err(|cause| cause.to_string());
            App::open(&settings).await.map(|app| (app, signing))
        });
        let (app, signing) = opened.await.ok_or(DemoError::Stopped)??;
        let stage = Stage { app, settings, signing };
        match stage.play(&place, &ledger, signals).await {
            Ok(Played { told, signed, stopped }) => {
                if !stopped {
                    folder.keep();
                }
                Ok(Self { told, strange, folder: place, signed, stopped, stage })
            }
            Err(problem) => {
                stage.leave().await;
                Err(problem)
            }
        }
    }

    /// What was to be seen and is not, each on a line; none where it showed what it says.
    pub fn missing(&self) -> Vec<String> {
        let outputs = self.scored().map(|summary| summary.outputs).unwrap_or_default();
        missing::missing(&self.told, &outputs, &self.signed, Path::exists)
    }

    /// Where it can be spoken to while it serves.
    pub fn api(&self) -> Option<String> {
        let Listen::At(address) = self.stage.settings.http.listen else { return None };
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
        let Stage { app, settings, .. } = &self.stage;
        let served = app.serve(settings, RunOptions { signals, ..RunOptions::default() }).await;
        self.close().await;
        Ok(served.map(drop)?)
    }

    pub async fn close(self) {
        self.stage.leave().await;
    }
}

/// What there is to tell.
struct Played {
    told: Vec<Told>,
    signed: Result<Option<Signed>, String>,
    stopped: bool,
}

impl Stage {
    async fn play(&self, folder: &Path, ledger: &Path, signals: &Signals) -> Result<Played, DemoError> {
        let Self { app, settings, signing } = self;
        let signing = signing.as_ref();
        let shown = enqueue(app, folder, ledger, signing.ok());
        let shown = signals.stop.run_until_cancelled(shown).await.ok_or(DemoError::Stopped)??;
        let ids: Vec<_> = shown.iter().map(|shown| shown.id).collect();
        let ended = serve_until_ended(app, settings, ids, signing.ok(), signals.child()).await?;
        let mut told = Vec::new();
        for Shown { what, id } in shown {
            let detail = app.queue.job(&Scope::Installation, id).await?;
            told.push(Told { what, detail: detail.ok_or(DemoError::Gone(id))? });
        }
        let signed = match signing {
            Ok(signing) => Ok(signing.signed(app).await?),
            Err(problem) => Err(problem.clone()),
        };
        Ok(Played { told, signed, stopped: !ended })
    }

    /// On every way out. What still waits would be tried by whoever works on this store next, and the emulated DocuSign is gone by then.
    async fn leave(self) {
        let Self { app, signing, .. } = self;
        tokio::select! {
            cancelled = cancel_the_rest(&app) => if let Err(problem) = cancelled {
                tracing::warn!("jobs of the demo that have not ended are left: {}", store::chain(&problem));
            },
            () = app.clock.sleep(GOODBYE) => tracing::warn!("jobs of the demo that have not ended may be left: the store is locked"),
        }
        if let Ok(signing) = signing {
            signing.close().await;
        }
        app.close().await;
    }
}

async fn cancel_the_rest(app: &App) -> Result<(), QueueError> {
    let kinds = app.registry.kinds().map(|info| info.kind);
    let emulated = kinds.filter(|kind| kind.starts_with("docusign.")).map(str::to_owned).collect();
    for own in [
        JobFilter { tags: vec![TAG.into()], ..JobFilter::default() },
        JobFilter { kinds: emulated, ..JobFilter::default() },
    ] {
        let own = JobFilter { states: Change::Cancel.from_states().to_vec(), ..own };
        app.queue.change(&Scope::Installation, &own, Change::Cancel, &by(), MOST_LEFT).await?;
    }
    Ok(())
}

/// A demo has a dozen.
const MOST_LEFT: usize = 1_000;

fn by() -> Actor {
    Actor::new("demo")
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
    settings.store.url = UrlRef::from(format!("sqlite://{}", folder.join(STORE).display()).as_str());
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
    let by = by();
    let tagged = |job: NewJob| NewJob { tags: vec![TAG.into()], ..job };
    let steps = folder.join("steps.txt");
    // The steps of an earlier demo had other keys.
    let _ = std::fs::remove_file(&steps);
    let jobs = vec![
        ("does nothing", NewJob::new("system.noop", json!({}))),
        ("five durable steps", NewJob::new("system.steps", json!({ "n": 5, "ms": 20, "file": steps }))),
        ("fails once, is retried", NewJob::new("system.fail", json!({ "message": "not yet", "times": 1 }))),
        ("scores a ledger", NewJob::new("journal.score_ledger", json!({ "path": ledger }))),
    ];
    let (what, jobs): (Vec<_>, Vec<_>) = jobs.into_iter().map(|(what, job)| (what, tagged(job))).unzip();
    let inserted = app.queue.enqueue(&Scope::Installation, jobs, &by).await?;
    let mut shown: Vec<_> =
        what.into_iter().zip(&inserted).map(|(what, made)| Shown { what, id: made.id }).collect();
    // It is the last of them.
    if let (Some(signing), Some(scored)) = (signing, inserted.last()) {
        let report = folder.join("results").join(scored.id.to_string()).join("report.pdf");
        let job = tagged(signing.job(&report, scored.id));
        let sent = app.queue.enqueue(&Scope::Installation, vec![job], &by).await?;
        shown.extend(sent.iter().map(|made| Shown { what: "sends its report for signature", id: made.id }));
    }
    let parents: Vec<_> = shown.iter().map(|shown| shown.id).collect();
    let last = tagged(NewJob::new("system.noop", json!({})).after(parents));
    let last = app.queue.enqueue(&Scope::Installation, vec![last], &by).await?;
    shown.extend(last.iter().map(|made| Shown { what: "runs after all of them", id: made.id }));
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use jobkit::When;
    use store::state::JobState;

    use super::*;

    /// Somebody else had the file locked, and Ctrl-C was not heard.
    #[tokio::test]
    async fn stopped_while_it_is_set_up_there_are_no_jobs_and_no_folder() {
        let place = tempfile::tempdir().unwrap();
        let mut folder = Folder::at(&place.path().join("demo"));
        let told = Signals::default();
        told.stop.cancel();

        let demo = Demo::run(&mut folder, &told).await;

        assert!(matches!(demo, Err(DemoError::Stopped)));
        assert!(folder.path().join("ledger.csv").exists());
        drop(folder);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }

    /// It left the secrets of a server that had ended, and the server's emulator to whoever ends it.
    #[tokio::test]
    async fn one_that_cannot_open_its_store_takes_its_secrets_away() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join(STORE)).unwrap();
        let mut folder = Folder::at(place.path());

        let demo = Demo::run(&mut folder, &Signals::default()).await;

        assert!(matches!(demo, Err(DemoError::App(_))));
        assert!(folder.path().join("docusign/key.pem").exists());
        drop(folder);
        let mut left: Vec<_> =
            std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [STORE, "ledger.csv"]);
    }

    /// The next demo in this folder ran them beside its own, and asked its own DocuSign for an envelope of the first.
    #[tokio::test]
    async fn what_it_leaves_undone_is_cancelled_and_other_peoples_jobs_stay() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let app = App::open(&settings).await.unwrap();
        let ours = enqueue(&app, folder.path(), &folder.path().join("ledger.csv"), None).await.unwrap();
        let (own, all) = (NewJob::new("system.noop", json!({})), JobFilter::default());
        let own = app.queue.enqueue(&Scope::Installation, vec![own], &Actor::new("user:ada")).await.unwrap();
        let sweep = vec![NewJob::new("docusign.reconcile", json!({}))];
        let sweep = app.queue.enqueue(&Scope::Installation, sweep, &Actor::new("schedule")).await.unwrap();

        cancel_the_rest(&app).await.unwrap();

        let jobs = app.store.jobs(&Scope::Installation, &all).await.unwrap();
        let waiting: Vec<_> = jobs.iter().filter(|job| !job.state.is_final()).map(|job| job.id).collect();
        let mut cancelled: Vec<_> =
            jobs.iter().filter(|job| job.state == JobState::Cancelled).map(|job| job.id).collect();
        cancelled.sort();
        let mut expected: Vec<_> = ours.iter().map(|shown| shown.id).chain([sweep[0].id]).collect();
        expected.sort();
        assert_eq!((waiting, cancelled), (vec![own[0].id], expected));
        app.close().await;
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
