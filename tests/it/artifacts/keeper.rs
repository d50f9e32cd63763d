//! How long the files of jobs stay.

use std::sync::Arc;

use engine::adapters::artifacts::DirArtifacts;
use engine::artifacts::keeper::Keeper;
use jobkit::{Artifacts, JobId, Owner};
use serde_json::json;
use store::PruneRules;

use super::listed;
use crate::support::store::{TestStore, attempting, completed, model, promises, seconds};

promises![
    the_files_of_a_job_go_when_its_rows_are_gone_and_its_time_is_over,
    for_ever_is_for_ever,
    the_file_of_a_model_stays_with_the_model,
];

const DAY: u64 = 86_400;

struct Bench {
    t: TestStore,
    artifacts: Arc<DirArtifacts>,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(t: TestStore) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Arc::new(DirArtifacts::new(folder.path()));
        Self { t, artifacts, folder }
    }

    fn keeper(&self, keep: Option<u64>) -> Keeper {
        Keeper {
            store: self.t.store.clone(),
            clock: self.t.clock.clone(),
            artifacts: self.artifacts.clone(),
            keep: keep.map(seconds),
        }
    }

    async fn leaves(&self, job: JobId, bytes: &[u8]) {
        self.artifacts.put(Owner { job, claim: 1 }, "a.csv", bytes.to_vec()).await.unwrap();
    }

    async fn prune(&self) {
        let rules = PruneRules { completed: Some(seconds(10)), ..PruneRules::default() };
        self.t.store.prune(&rules, 100).await.unwrap();
    }

    async fn expired(&self) -> Vec<(String, String, serde_json::Value)> {
        let entries = self.t.audit().await.into_iter().filter(|entry| entry.action == "artifact.expire");
        entries.map(|entry| (entry.actor, entry.object, entry.details)).collect()
    }
}

async fn the_files_of_a_job_go_when_its_rows_are_gone_and_its_time_is_over(t: TestStore) {
    let bench = Bench::new(t);
    let worker = bench.t.worker().await;
    bench.t.add(|_| {}).await;
    let gone = bench.t.run(worker, completed()).await;
    bench.leaves(gone, b"12345").await;
    bench.leaves(bench.t.ids.next(), b"of a job that nobody knows, as after a restore").await;
    std::fs::write(bench.folder.path().join("notes.txt"), "not ours").unwrap();
    bench.t.clock.advance(seconds(DAY));
    bench.prune().await;
    let young = bench.t.ids.next();
    bench.leaves(young, b"1").await;
    let waits = bench.t.add(|_| {}).await;
    bench.leaves(waits, b"2").await;

    assert_eq!(bench.keeper(Some(2 * DAY)).look().await.unwrap(), 0);
    assert_eq!(bench.expired().await, []);
    assert_eq!(bench.keeper(Some(DAY)).look().await.unwrap(), 2);
    bench.t.clock.advance(seconds(DAY));
    assert_eq!(bench.keeper(Some(DAY)).look().await.unwrap(), 1);
    assert_eq!(bench.keeper(Some(DAY)).look().await.unwrap(), 0);

    let expired = bench.expired().await;
    let of = |job: JobId, bytes: u64| {
        ("system".to_owned(), format!("job:{job}"), json!({ "files": 1, "bytes": bytes }))
    };
    assert!(expired.contains(&of(gone, 5)) && expired[2] == of(young, 1), "{expired:?}");
    assert_eq!(expired.len(), 3, "{expired:?}");
    assert_eq!(listed(&*bench.artifacts, gone).await, []);
    assert_eq!(listed(&*bench.artifacts, waits).await, [(1, "a.csv".into(), 1)]);
    assert!(bench.folder.path().join("notes.txt").exists());
}

async fn for_ever_is_for_ever(t: TestStore) {
    let bench = Bench::new(t);
    let job = bench.t.ids.next();
    bench.leaves(job, b"1").await;
    bench.t.clock.advance(seconds(10_000 * DAY));

    assert_eq!(bench.keeper(None).look().await.unwrap(), 0);

    assert_eq!(listed(&*bench.artifacts, job).await, [(1, "a.csv".into(), 1)]);
}

async fn the_file_of_a_model_stays_with_the_model(t: TestStore) {
    let bench = Bench::new(t);
    let worker = bench.t.worker().await;
    bench.t.add(|_| {}).await;
    let claimed = bench.t.claim(worker, 1).await.pop().unwrap();
    bench.t.store.model_add(&attempting(&claimed), &model("a1", "ledger")).await.unwrap();
    bench.leaves(claimed.id, b"model").await;
    bench.t.finish(worker, &claimed, completed()).await;
    bench.t.clock.advance(seconds(DAY));
    bench.prune().await;
    assert_eq!(bench.t.store.job(&store::Scope::Installation, claimed.id).await.unwrap(), None);

    assert_eq!(bench.keeper(Some(DAY)).look().await.unwrap(), 0);

    assert_eq!(listed(&*bench.artifacts, claimed.id).await, [(1, "a.csv".into(), 5)]);
}
