//! For tests of the jobs: a ledger, a model that is in the list, and crashes at every step of a job that needs one there.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use jobkit::testing::{Bench, Crash};
use jobkit::{Failure, Job, Outcome};
use serde_json::json;

use crate::Config;
use crate::output::RunTag;
use crate::registry::entry;
use crate::run::{By, Given, Request, Run, Trained};
use crate::sample::{self, SampleParams};
use crate::settings::Settings;

pub(crate) fn config(folder: &Path) -> Config {
    Config {
        out_dir: folder.join("out"),
        roots: vec![folder.into()],
        settings: settings(),
        ..Config::default()
    }
}

/// Small populations stand apart, and nothing is written that takes long.
fn settings() -> Settings {
    let less = json!({ "populations": { "least_entries": 200 }, "outputs": { "workpaper": false, "report": false } });
    Settings::default().with(&less).unwrap()
}

pub(crate) fn ledger(folder: &Path, name: &str, seed: u64) -> PathBuf {
    let path = folder.join(name);
    sample::write(&mut fs::File::create(&path).unwrap(), &SampleParams { entries: 400, seed }).unwrap();
    path
}

/// A model of the ledger, in a file that no list has.
pub(crate) fn train(name: &str, ledger: &Path, folder: &Path) -> Trained {
    let request = Request {
        path: ledger.into(),
        file: ledger.into(),
        out_dir: folder.join("out").join(name),
        tag: RunTag { run: name.into(), claim: 1 },
        settings: settings(),
        given: Given::default(),
        accept: None,
        by: By::default(),
        model_name: name.into(),
        created: jiff::Timestamp::UNIX_EPOCH,
        threads: 2,
        parts: None,
    };
    Run::new(request).write_model(&|_, _, _| ControlFlow::Continue(())).unwrap()
}

/// As the training of some other job would leave it; the first champion.
pub(crate) async fn list(bench: &Bench, models: &[&Trained]) {
    let ctx = bench.ctx("journal.train_model", 1);
    for model in models {
        ctx.models().add(&ctx, &entry(model)).await.unwrap();
    }
    ctx.models().promote(&ctx, &models[0].id).await.unwrap();
}

/// As [`jobkit::testing::crash_at_every_step`], with models in the list of each world.
pub(crate) async fn crash_at_every_step<J: Job>(
    args: &J::Args,
    job: &J,
    models: &[&Trained],
    mut check: impl FnMut(&Outcome),
) -> Result<usize, Failure>
where
    J::Args: Clone,
{
    let mut tried = 0;
    for point in 0.. {
        for crash in [Crash::BeforeStored(point), Crash::AfterStored(point)] {
            let bench = Bench::default();
            list(&bench, models).await;
            bench.host.crash_at(crash);
            let ctx = bench.ctx(J::KIND, 1);
            let crashed = tokio::select! {
                biased;
                () = bench.host.crashed() => true,
                ended = job.run(args.clone(), &ctx) => {
                    check(&ended?);
                    false
                }
            };
            if !crashed {
                return Ok(tried);
            }
            tried += 1;
            check(&bench.run(job, args, 2).await?);
        }
    }
    Ok(tried)
}

/// Names of all files in the folders of jobs below the folder of results, those of `train` left out.
pub(crate) fn written(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder.join("out"))
        .unwrap()
        .map(|job| job.unwrap())
        .filter(|job| job.file_name().len() == 36)
        .flat_map(|job| fs::read_dir(job.path()).unwrap())
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
