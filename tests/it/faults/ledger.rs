//! One ledger scored by several processes of the real binary, one of which is killed in the middle: nothing of it shows in the scores.

use std::collections::BTreeMap;
use std::path::Path;

use jobkit::JobId;
use journal::sample::{self, SampleParams};
use serde_json::{Value, json};
use store::state::JobState;
use store::{JobFilter, Scope};

use super::World;

const PARTITIONS: usize = 3;

on_both![
    a_ledger_in_partitions_has_the_files_of_one_job_though_a_worker_is_killed,
    a_ledger_in_partitions_that_is_cancelled_leaves_neither_work_nor_files,
];

async fn a_ledger_in_partitions_has_the_files_of_one_job_though_a_worker_is_killed(world: World) {
    let world = world.with_ledger();
    let home = world.place.path();
    let mut workers = [world.start("work", "left"), world.start("work", "right")];
    let alone = world.score(1).await;
    world.until_state(alone, JobState::Completed).await;

    let shared = world.score(PARTITIONS).await;
    world.until("some shares are done", async || world.shares(JobState::Completed).await.len() > 4).await;
    workers[0].kill();
    workers[0] = world.start("work", "next");
    world.until_state(shared, JobState::Completed).await;

    let found = [alone, shared].map(|id| results(&home.join("results").join(id.to_string())));
    assert_eq!(found[0].keys().collect::<Vec<_>>(), found[1].keys().collect::<Vec<_>>());
    assert_eq!(world.scores_sha256(alone).await, world.scores_sha256(shared).await);
    for (name, bytes) in &found[0] {
        // The workpaper says when the job was made.
        assert!(name == "workpaper.xlsx" || found[1][name] == *bytes, "{name}");
    }
    assert_eq!(world.shares(JobState::Completed).await.len(), 6 * PARTITIONS);
    world.until_it_is_tidied_up(shared).await;
    for worker in workers {
        worker.stop().await;
    }
}

async fn a_ledger_in_partitions_that_is_cancelled_leaves_neither_work_nor_files(world: World) {
    let world = world.with_ledger();
    let workers = [world.start("work", "left"), world.start("work", "right")];
    let shared = world.score(PARTITIONS).await;
    world.until("some shares are done", async || world.shares(JobState::Completed).await.len() > 4).await;

    world.place.run(&["jobs", "cancel", &shared.to_string()]).expect(0);
    world.until_state(shared, JobState::Cancelled).await;
    world.until_it_is_tidied_up(shared).await;

    let all = 6 * PARTITIONS;
    world
        .until("no share is left", async || {
            let (done, not) = (world.shares(JobState::Completed), world.shares(JobState::Cancelled));
            done.await.len() + not.await.len() == all
        })
        .await;
    assert_ne!(world.shares(JobState::Cancelled).await.len(), 0);
    world.until_it_is_tidied_up(shared).await;
    for worker in workers {
        worker.stop().await;
    }
}

/// What was written, by name; not what is put aside.
fn results(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let files = files.filter(|file| file.file_type().unwrap().is_file());
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect()
}

impl World {
    fn with_ledger(mut self) -> Self {
        let home = self.place.path().to_path_buf();
        let mut file = std::fs::File::create(home.join("ledger.csv")).unwrap();
        sample::write(&mut file, &SampleParams { entries: 3_000, seed: 7 }).unwrap();
        self.place = self
            .place
            .with("COMPLINE__JOURNAL__ROOTS", &format!("[{home:?}]"))
            .with("COMPLINE__JOURNAL__OUT_DIR", &home.join("results").to_string_lossy());
        self
    }

    async fn score(&self, partitions: usize) -> JobId {
        let args = json!({ "path": self.place.path().join("ledger.csv"), "partitions": partitions });
        self.enqueue("journal.score_ledger", &args.to_string()).await
    }

    /// The job that comes behind is done, and what was put aside or begun is gone.
    async fn until_it_is_tidied_up(&self, id: JobId) {
        let cleared = JobFilter { kinds: vec!["journal.clear_parts".into()], ..JobFilter::default() };
        let done = async || {
            let jobs = self.store.jobs(&Scope::Installation, &cleared).await.unwrap();
            jobs.iter().map(|job| job.state).eq([JobState::Completed])
        };
        self.until("it is tidied up", done).await;
        let folder = std::fs::read_dir(self.place.path().join("results").join(id.to_string())).unwrap();
        let names = folder.map(|file| file.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = names.filter(|name| name.starts_with('.')).collect();
        assert_eq!(left, [""; 0]);
    }

    async fn shares(&self, state: JobState) -> Vec<JobId> {
        let filter = JobFilter {
            kinds: vec!["journal.score_part".into()],
            states: vec![state],
            ..JobFilter::default()
        };
        self.store.jobs(&Scope::Installation, &filter).await.unwrap().into_iter().map(|job| job.id).collect()
    }

    async fn scores_sha256(&self, id: JobId) -> Value {
        let result: Value = serde_json::from_str(&self.job(id).await.job.result.unwrap()).unwrap();
        result["scores_sha256"].clone()
    }
}
