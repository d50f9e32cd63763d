//! Chains: each end of a job makes what follows once.

use engine::triggers::settings::{Chain, ChainOn, Triggers as Settings};
use jobkit::{JobId, NewJob};
use serde_json::json;
use store::state::JobState;
use store::{Change, End, Scope};

use super::{Door, stop};
use crate::support::store::{TestStore, ada, completed, discarded, promises};

promises![
    the_end_of_a_job_makes_what_follows_once_in_two_processes,
    a_chain_follows_the_ends_that_it_was_told_to,
    a_job_that_is_cancelled_while_it_runs_ends_once,
    an_end_that_nothing_can_be_made_of_is_told_and_passed_over,
    a_chain_goes_on_where_it_stood,
    a_chain_that_is_forgotten_begins_anew,
];

fn settings(on: ChainOn, args: &str) -> Settings {
    let chain = Chain {
        after: "system.sleep".into(),
        on,
        kind: "system.fail".into(),
        args: args.into(),
        queue: "next".into(),
        ..Chain::default()
    };
    Settings { chains: [("c".to_owned(), chain)].into(), ..Settings::default() }
}

const TOLD: &str = r#"{"message": "{/id} {/state} {/args/ms}"}"#;

async fn enqueue(door: &Door, ms: u64) -> JobId {
    let job = NewJob::new("system.sleep", json!({ "ms": ms })).tenant("acme");
    door.app.queue.enqueue(&Scope::Installation, vec![job], &ada()).await.unwrap()[0].id
}

/// The chain stands where it will begin.
async fn started(door: &Door, settings: &Settings) -> Vec<engine::service::Service> {
    door.t.store.follower("chain:c").await.unwrap();
    door.start(settings)
}

async fn end(door: &Door, how: End) -> JobId {
    let worker = door.t.worker().await;
    let job = door.t.store.claim(worker, "default", 1).await.unwrap().remove(0);
    door.t.finish(worker, &job, how).await;
    job.id
}

async fn told(door: &Door) -> Vec<String> {
    let jobs = door.jobs().await;
    let next = jobs.iter().filter(|job| job.queue == "next");
    let message = |args: &str| serde_json::from_str::<serde_json::Value>(args).unwrap()["message"].clone();
    next.map(|job| message(&job.args).as_str().unwrap().to_owned()).collect()
}

async fn the_end_of_a_job_makes_what_follows_once_in_two_processes(t: TestStore) {
    let door = Door::new(&t, None);
    let other = Door::new(&t.second().await, None);
    let settings = settings(ChainOn::Success, TOLD);
    let mut services = started(&door, &settings).await;
    services.extend(other.start(&settings));
    let mut ended = Vec::new();
    for ms in 0..20 {
        enqueue(&door, ms).await;
        ended.push(format!("{} completed {ms}", end(&door, completed()).await));
    }

    door.until("all have followed", async || told(&door).await.len() >= 20).await;
    door.pass(std::time::Duration::from_secs(5)).await;

    let mut found = told(&door).await;
    found.sort_unstable();
    ended.sort_unstable();
    assert_eq!(found, ended);
    assert!(door.jobs().await.iter().all(|job| job.tenant.as_deref() == Some("acme")));
    let taken = t.store.mark_sources().await.unwrap();
    let taken: Vec<_> = taken.iter().map(|row| (row.source.as_str(), row.marks)).collect();
    assert_eq!(taken, [("chain:c", 0)]);
    stop(services).await;
}

/// A chain that is new made jobs for all that had ended since somebody's import began.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_begins_beside_an_open_transaction_makes_nothing_of_what_had_ended() {
    let t = TestStore::postgres().await;
    let door = Door::new(&t, None);
    let mut slow = t.connection().await;
    slow.run("BEGIN").await;
    slow.run("SELECT pg_current_xact_id()").await;
    enqueue(&door, 1).await;
    let before = end(&door, completed()).await;

    let services = started(&door, &settings(ChainOn::Success, TOLD)).await;
    enqueue(&door, 2).await;
    let after = end(&door, completed()).await;
    slow.run("COMMIT").await;

    door.until("it has followed", async || !told(&door).await.is_empty()).await;
    door.pass(std::time::Duration::from_secs(3)).await;
    assert_eq!(told(&door).await, [format!("{after} completed 2")], "and not {before}");
    stop(services).await;
}

async fn a_chain_follows_the_ends_that_it_was_told_to(t: TestStore) {
    let door = Door::new(&t, None);
    let services = started(&door, &settings(ChainOn::Failure, TOLD)).await;
    enqueue(&door, 1).await;
    end(&door, completed()).await;
    enqueue(&door, 2).await;
    let dead = end(&door, discarded()).await;
    let cancelled = enqueue(&door, 3).await;
    t.change(cancelled, Change::Cancel).await;

    door.until("both have followed", async || told(&door).await.len() >= 2).await;
    door.pass(std::time::Duration::from_secs(3)).await;

    assert_eq!(told(&door).await, [format!("{dead} discarded 2"), format!("{cancelled} cancelled 3")]);
    stop(services).await;
}

async fn a_job_that_is_cancelled_while_it_runs_ends_once(t: TestStore) {
    let door = Door::new(&t, None);
    let services = started(&door, &settings(ChainOn::End, TOLD)).await;
    let id = enqueue(&door, 1).await;
    let worker = t.worker().await;
    let job = t.store.claim(worker, "default", 1).await.unwrap().remove(0);
    t.change(id, Change::Cancel).await;
    t.finish(worker, &job, End::Cancelled { reason: "asked".into() }).await;

    door.until("it has followed", async || !told(&door).await.is_empty()).await;
    door.pass(std::time::Duration::from_secs(3)).await;

    assert_eq!(told(&door).await, [format!("{id} cancelled 1")]);
    stop(services).await;
}

async fn an_end_that_nothing_can_be_made_of_is_told_and_passed_over(t: TestStore) {
    let door = Door::new(&t, None);
    let services = started(&door, &settings(ChainOn::End, r#"{"message": "{/result/report}"}"#)).await;
    enqueue(&door, 1).await;
    let poor = end(&door, completed()).await;
    enqueue(&door, 2).await;
    end(&door, End::Completed { result: Some(r#"{"report": "r.csv"}"#.into()) }).await;

    door.until("the other has followed", async || !told(&door).await.is_empty()).await;

    assert_eq!(told(&door).await, ["r.csv"]);
    let skipped: Vec<_> =
        t.audit().await.into_iter().filter(|entry| entry.action == "trigger.skip").collect();
    assert_eq!(skipped[0].details["after"], poor.to_string());
    assert!(skipped[0].details["reason"].as_str().unwrap().contains("`/result/report`"), "{skipped:?}");
    stop(services).await;
}

async fn a_chain_goes_on_where_it_stood(t: TestStore) {
    let door = Door::new(&t, None);
    let settings = settings(ChainOn::Success, TOLD);
    enqueue(&door, 1).await;
    end(&door, completed()).await;
    let services = started(&door, &settings).await;
    stop(services).await;
    // Nobody follows.
    enqueue(&door, 2).await;
    let second = end(&door, completed()).await;

    let services = door.start(&settings);
    door.until("it has followed", async || !told(&door).await.is_empty()).await;

    assert_eq!(told(&door).await, [format!("{second} completed 2")]);
    assert_eq!(t.state(second).await, JobState::Completed);
    stop(services).await;
}

async fn a_chain_that_is_forgotten_begins_anew(t: TestStore) {
    let door = Door::new(&t, None);
    let settings = settings(ChainOn::Success, TOLD);
    stop(started(&door, &settings).await).await;
    // It has looked, and taken nothing.
    assert_eq!(t.store.mark_sources().await.unwrap(), []);
    enqueue(&door, 1).await;
    end(&door, completed()).await;

    assert!(t.store.forget_follower("chain:c", &ada()).await.unwrap());
    assert!(!t.store.forget_follower("chain:c", &ada()).await.unwrap());
    let services = started(&door, &settings).await;
    enqueue(&door, 2).await;
    let second = end(&door, completed()).await;
    door.until("it has followed", async || !told(&door).await.is_empty()).await;
    door.pass(std::time::Duration::from_secs(3)).await;

    assert_eq!(told(&door).await, [format!("{second} completed 2")]);
    let forgotten = t.audit().await.into_iter().find(|entry| entry.action == "trigger.forget").unwrap();
    assert_eq!((forgotten.object.as_str(), forgotten.actor.as_str()), ("chain:c", "user:ada"));
    stop(services).await;
}
