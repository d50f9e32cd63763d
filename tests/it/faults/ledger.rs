//! One ledger scored by several processes of the real binary, one of which is killed in the middle: nothing of it shows in the scores.

use std::collections::BTreeMap;
use std::path::Path;

use jobkit::JobId;
use journal::sample::{self, SampleParams};
use serde_json::{Value, json};
use store::JobFilter;
use store::state::JobState;

use super::World;

const PARTITIONS: usize = 3;

on_both![a_ledger_in_partitions_has_the_files_of_one_job_though_a_worker_is_killed];

async fn a_ledger_in_partitions_has_the_files_of_one_job_though_a_worker_is_killed(mut world: World) {
    let home = world.place.path().to_path_buf();
    let ledger = home.join("ledger.csv");
    let mut file = std::fs::File::create(&ledger).unwrap();
    sample::write(&mut file, &SampleParams { entries: 3_000, seed: 7 }).unwrap();
    world.place = world
        .place
        .with("COMPLINE__JOURNAL__ROOTS", &format!("[{home:?}]"))
        .with("COMPLINE__JOURNAL__OUT_DIR", &home.join("results").to_string_lossy());
    let args = |partitions: usize| json!({ "path": ledger, "partitions": partitions }).to_string();
    let mut workers = [world.start("work", "left"), world.start("work", "right")];
    let alone = world.enqueue("journal.score_ledger", &args(1)).await;
    world.until_state(alone, JobState::Completed).await;

    let shared = world.enqueue("journal.score_ledger", &args(PARTITIONS)).await;
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
    let cleared = JobFilter { kinds: vec!["journal.clear_parts".into()], ..JobFilter::default() };
    world
        .until("it is tidied up", async || {
            let jobs = world.store.jobs(&cleared).await.unwrap();
            jobs.iter().map(|job| job.state).eq([JobState::Completed])
        })
        .await;
    let left: Vec<_> = std::fs::read_dir(home.join("results").join(shared.to_string()))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.'))
        .collect();
    assert_eq!(left, [""; 0]);
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
    async fn shares(&self, state: JobState) -> Vec<JobId> {
        let filter = JobFilter {
            kinds: vec!["journal.score_part".into()],
            states: vec![state],
            ..JobFilter::default()
        };
        self.store.jobs(&filter).await.unwrap().into_iter().map(|job| job.id).collect()
    }

    async fn scores_sha256(&self, id: JobId) -> Value {
        let result: Value = serde_json::from_str(&self.job(id).await.job.result.unwrap()).unwrap();
        result["scores_sha256"].clone()
    }
}
