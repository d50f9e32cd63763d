//! Jobs and others: children, limits, queues, tenants, secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::seal::{Keyring, Part, is_sealed};
use jobkit::{JobId, NewJob, Registry};
use serde_json::json;
use store::chain;
use store::state::JobState;
use store::{Actor, End, Scope};

use super::Engine;
use super::family::{self, Act, Sealed, act};
use crate::support::store::{TestStore, ada, promises};

promises![
    a_fan_out_waits_for_its_children_without_holding_a_slot,
    a_chain_runs_in_order,
    no_more_jobs_of_a_queue_run_than_it_allows,
    a_queue_that_nobody_rang_for_is_found_while_another_is_full,
    slots_that_become_free_go_to_each_queue_in_turn,
    slow_jobs_that_were_claimed_ahead_keep_nothing_from_what_is_urgent,
    a_paused_queue_rests_everywhere_and_goes_on_when_resumed,
    an_effect_in_a_step_happens_once_though_the_worker_dies,
    a_job_that_cannot_be_encrypted_is_refused_with_the_setting_to_make,
    encrypted_jobs_are_sealed_in_the_store_and_open_at_the_door,
    a_parent_whose_child_cannot_be_opened_here_is_tried_again,
    a_sealed_job_leaves_nothing_in_the_clear_on_a_worker_that_does_not_call_its_kind_encrypted,
    a_job_is_told_of_jobs_of_its_own_tenant_alone,
];

async fn a_fan_out_waits_for_its_children_without_holding_a_slot(t: TestStore) {
    let engine = Engine::over(t);
    // One slot: a parent that held it while waiting would wait for ever.
    let mut options = Engine::options();
    options.fetch.concurrency = 1;
    let worker = engine.start_with(options);

    let id = engine.enqueue(act(Act::FanOut(5))).await;
    let detail = engine.until_state(id, JobState::Completed).await;

    assert_eq!(detail.job.result.as_deref(), Some(r#"{"children":5}"#));
    assert_eq!((detail.job.attempt, engine.scene.begun(id)), (1, 2));
    engine.end(worker).await;
}

async fn a_chain_runs_in_order(t: TestStore) {
    let engine = Engine::over(t);
    let first = engine.enqueue(act(Act::WaitAtGate)).await;
    let second = engine.enqueue(act(Act::Succeed).after([first])).await;
    let third = engine.enqueue(act(Act::Succeed).after([second, first])).await;
    let worker = engine.start();
    engine.until_state(first, JobState::Running).await;
    assert_eq!(engine.t.states(&[second, third]).await, [JobState::Waiting; 2]);

    engine.scene.gate.add_permits(1);
    engine.until_state(third, JobState::Completed).await;

    assert_eq!(*engine.scene.order.lock().unwrap(), [first, second, third]);
    engine.end(worker).await;
}

/// Quick jobs earn that others are claimed ahead. Returns the slow ones, which wait at the gate.
async fn quick_ones_and_then_slow(engine: &Engine) -> Vec<JobId> {
    for _ in 0..200 {
        engine.enqueue(act(Act::Succeed)).await;
    }
    let mut slow = Vec::new();
    for _ in 0..40 {
        slow.push(engine.enqueue(act(Act::WaitAtGate)).await);
    }
    slow
}

async fn how_many_run(engine: &Engine, jobs: &[JobId]) -> usize {
    let states = engine.t.states(jobs).await;
    states.into_iter().filter(|state| *state == JobState::Running).count()
}

/// A backlog in one queue once had every slot that became free, and the queues behind it in the alphabet none.
async fn slots_that_become_free_go_to_each_queue_in_turn(t: TestStore) {
    let engine = Engine::over(t);
    let mut backlog = Vec::new();
    for _ in 0..20 {
        backlog.push(engine.enqueue(act(Act::WaitAtGate).queue("a")).await);
    }
    let worker = engine.start();
    let running = async || how_many_run(&engine, &backlog).await;
    engine.until("all slots are taken", async || running().await == 4).await;
    let others = [
        engine.enqueue(act(Act::Succeed).queue("m")).await,
        engine.enqueue(act(Act::Succeed).queue("z")).await,
    ];

    // A slot, which each of these passes on.
    engine.scene.gate.add_permits(1);
    for id in others {
        engine.until_state(id, JobState::Completed).await;
    }

    // What was claimed ahead meanwhile is given back, since nothing moves.
    let left = async || engine.t.states(&backlog).await.contains(&JobState::Available);
    engine.until("there is a backlog still", left).await;
    engine.scene.gate.add_permits(backlog.len());
    for id in backlog {
        engine.until_state(id, JobState::Completed).await;
    }
    engine.end(worker).await;
}

/// What was claimed ahead once waited for their slot as `running`, however long that took, and
/// nothing else was claimed meanwhile.
async fn slow_jobs_that_were_claimed_ahead_keep_nothing_from_what_is_urgent(t: TestStore) {
    let engine = Engine::over(t);
    let slow = quick_ones_and_then_slow(&engine).await;
    let running = async || how_many_run(&engine, &slow).await;
    let worker = engine.start();
    engine.at_this_moment("more are claimed than can run", async || running().await > 4).await;

    engine.until("only those that run are", async || running().await == 4).await;
    let urgent = engine.enqueue(act(Act::Succeed).priority(1)).await;
    engine.scene.gate.add_permits(1);
    engine.until_state(urgent, JobState::Completed).await;

    assert!(running().await <= 4);
    engine.scene.gate.add_permits(slow.len());
    for id in slow {
        engine.until_state(id, JobState::Completed).await;
        assert_eq!(engine.scene.begun(id), 1);
    }
    engine.end(worker).await;
}

/// A row that somebody keeps locked, as an enqueue after that job does, is waited for alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_job_that_was_claimed_ahead_keeps_the_others_from_nothing() {
    let engine = Engine::over(TestStore::postgres().await);
    let slow = quick_ones_and_then_slow(&engine).await;
    let running = async || how_many_run(&engine, &slow).await;
    let worker = engine.start();
    engine.at_this_moment("all are claimed", async || running().await == 40).await;
    let (locked, others) = slow.split_last().unwrap();
    let mut other = engine.t.connection().await;
    other.run("BEGIN").await;
    other.run(&format!("SELECT FROM compline.job WHERE id = '{locked}' FOR UPDATE")).await;

    engine.until("all others are given back", async || running().await <= 5).await;
    engine.scene.gate.add_permits(100);
    for id in others {
        engine.until_state(*id, JobState::Completed).await;
    }

    assert_eq!(engine.t.state(*locked).await, JobState::Running);
    other.run("COMMIT").await;
    engine.until_state(*locked, JobState::Completed).await;
    engine.end(worker).await;
}

async fn no_more_jobs_of_a_queue_run_than_it_allows(t: TestStore) {
    let engine = Engine::over(t);
    let mut options = Engine::options();
    options.fetch.queue_concurrency = BTreeMap::from([("narrow".to_owned(), 2)]);
    let mut narrow = Vec::new();
    for _ in 0..6 {
        narrow.push(engine.enqueue(act(Act::WaitAtGate).queue("narrow")).await);
    }
    let worker = engine.start_with(options);

    for done in 1..=6 {
        engine.scene.gate.add_permits(1);
        engine
            .until("another one ended", || async {
                let states = engine.t.states(&narrow).await;
                states.iter().filter(|state| **state == JobState::Completed).count() >= done
            })
            .await;
    }

    assert_eq!(engine.scene.most_at_once(), 2);
    engine.end(worker).await;
}

/// All queues were looked at only when nothing else was to do: one that was full, or always had more, kept the
/// others from being found.
async fn a_queue_that_nobody_rang_for_is_found_while_another_is_full(t: TestStore) {
    let engine = Engine::over(t);
    let mut options = Engine::options();
    options.fetch.queue_concurrency = BTreeMap::from([("narrow".to_owned(), 1)]);
    let mut narrow = Vec::new();
    for _ in 0..2 {
        narrow.push(engine.enqueue(act(Act::WaitAtGate).queue("narrow")).await);
    }
    let worker = engine.start_with(options);
    engine.until_state(narrow[0], JobState::Running).await;

    // As another process does; on SQLite no word of it gets here.
    let mut row = engine.t.row();
    (row.kind, row.args, row.queue) = ("test.act".into(), r#"{"act":"succeed"}"#.into(), "other".into());
    engine.t.another().await.insert(&Scope::Installation, &[row.clone()], &ada()).await.unwrap();

    engine.until_state(row.id, JobState::Completed).await;
    assert_eq!(engine.t.states(&narrow).await, [JobState::Running, JobState::Available]);
    engine.scene.gate.add_permits(2);
    engine.end(worker).await;
}

async fn a_paused_queue_rests_everywhere_and_goes_on_when_resumed(t: TestStore) {
    let engine = Engine::over(t);
    let ada = Actor::new("user:ada");
    engine.app.queue.pause("mail", None, &ada, "provider is down").await.unwrap();
    let worker = engine.start();
    let paused = engine.enqueue(act(Act::Succeed).queue("mail")).await;
    let other = engine.enqueue(act(Act::Succeed)).await;

    engine.until_state(other, JobState::Completed).await;
    let steady = jobkit::Clock::steady(&*engine.t.clock);
    engine
        .until("several polls passed", || async {
            jobkit::Clock::steady(&*engine.t.clock) > steady + Duration::from_secs(5)
        })
        .await;
    assert_eq!(engine.t.state(paused).await, JobState::Available);

    engine.app.queue.resume("mail", &ada).await.unwrap();
    engine.until_state(paused, JobState::Completed).await;
    engine.end(worker).await;
}

async fn an_effect_in_a_step_happens_once_though_the_worker_dies(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let id = engine.enqueue(act(Act::StepThenGate)).await;
    engine.until("the effect is stored", || async { !engine.t.job(id).await.steps.is_empty() }).await;

    // It goes on elsewhere: given back here, taken by the next.
    engine.hard.cancel();
    engine.end(worker).await;
    let again = Engine::with(
        engine.t,
        engine.scene.clone(),
        {
            let mut registry = Registry::default();
            family::register(&mut registry, &engine.scene);
            registry
        },
        Keyring::default(),
    );
    again.scene.gate.add_permits(1);
    let worker = again.start();
    let detail = again.until_state(id, JobState::Completed).await;

    assert_eq!(again.scene.effects.lock().unwrap().len(), 1);
    assert_eq!(again.scene.begun(id), 2);
    let log: Vec<_> = detail.attempts.iter().flat_map(|a| &a.log).map(|line| line.text.as_str()).collect();
    assert_eq!(log, ["the effect is done"]);
    again.end(worker).await;
}

async fn a_job_that_cannot_be_encrypted_is_refused_with_the_setting_to_make(t: TestStore) {
    let mut registry = Registry::default();
    registry.add(Sealed);
    let engine = Engine::with(t, std::sync::Arc::default(), registry, Keyring::default());
    let job = NewJob::new("test.sealed", json!({ "word": "plugh" }));

    let refused =
        engine.app.queue.enqueue(&Scope::Installation, vec![job], &Actor::new("user:ada")).await.unwrap_err();

    let told = chain(&refused);
    assert!(told.starts_with("args: ") && told.contains("`test.sealed`"), "{told}");
    assert!(told.contains("set encryption.current"), "{told}");
}

async fn encrypted_jobs_are_sealed_in_the_store_and_open_at_the_door(t: TestStore) {
    let mut registry = Registry::default();
    registry.add(Sealed);
    let engine = Engine::with(t, std::sync::Arc::default(), registry, keyring());
    let worker = engine.start();

    let id = engine.enqueue(NewJob::new("test.sealed", json!({ "word": "plugh" }))).await;
    let stored = engine.until_state(id, JobState::Completed).await;

    // Its name, its times and how far it is may be read; not a word of what it was given or said.
    assert!(!format!("{stored:?}").contains("plugh"), "{stored:?}");
    assert!(is_sealed(&stored.job.args) && is_sealed(stored.job.result.as_ref().unwrap()));
    assert_eq!((stored.attempts.len(), stored.steps[0].name.as_str()), (3, "say"));

    let opened = engine.app.queue.job(&Scope::Installation, id).await.unwrap().unwrap();
    assert_eq!(opened.job.args, r#"{"word":"plugh"}"#);
    // The third attempt was told what the first one's step gave.
    let result = r#"{"first":"plugh on attempt 1","word":"plugh"}"#;
    assert_eq!(opened.job.result.as_deref(), Some(result));
    assert_eq!(opened.steps[0].result, Some(json!("plugh on attempt 1")));
    assert_eq!(opened.progress.unwrap().message, "plugh on attempt 3");
    let errors: Vec<_> = opened.attempts.iter().map(|attempt| attempt.error.as_deref()).collect();
    assert_eq!(errors, [Some("plugh on attempt 1"), Some("panicked: plugh on attempt 2"), None]);
    let log: Vec<_> = opened.attempts.iter().flat_map(|a| &a.log).map(|line| line.text.as_str()).collect();
    assert_eq!(log, ["plugh on attempt 1", "plugh on attempt 2", "plugh on attempt 3"]);
    engine.end(worker).await;
}

/// It was once discarded, though a worker that had been given the new key could have gone on.
async fn a_parent_whose_child_cannot_be_opened_here_is_tried_again(t: TestStore) {
    let elsewhere = t.worker().await;
    let child = t.add(|_| {}).await;
    let mut keyring = Keyring::default();
    keyring.add("k1", &[7; 32]);
    let result = keyring.with_current("k1").seal(child, Part::Result, "7").unwrap();
    t.run(elsewhere, End::Completed { result: Some(result) }).await;
    let engine = Engine::over(t);
    let worker = engine.start();

    let parent = engine.enqueue(act(Act::AskAfter(vec![child]))).await;
    engine.until("it was tried", || async { !engine.t.job(parent).await.attempts.is_empty() }).await;

    let attempt = engine.t.job(parent).await.attempts.remove(0);
    assert_eq!(attempt.end, "failed");
    assert!(attempt.error.as_ref().is_some_and(|error| error.contains("`k1`")), "{attempt:?}");
    engine.end(worker).await;
}

/// What an attempt wrote was sealed by its worker's own configuration alone, so during a roll-out the words of
/// jobs that had been sealed with care stood in the clear.
async fn a_sealed_job_leaves_nothing_in_the_clear_on_a_worker_that_does_not_call_its_kind_encrypted(
    t: TestStore,
) {
    let mut registry = Registry::default();
    registry.add(Sealed);
    let door = Engine::with(t, std::sync::Arc::default(), registry.clone(), keyring());
    let id = door.enqueue(NewJob::new("test.sealed", json!({ "word": "plugh" }))).await;
    registry.override_policy("test.sealed", |policy| policy.encrypted = false).unwrap();
    let engine = Engine::with(door.t, std::sync::Arc::default(), registry, keyring());
    let worker = engine.start();

    let stored = engine.until_state(id, JobState::Completed).await;

    assert!(!format!("{stored:?}").contains("plugh"), "{stored:?}");
    let opened = engine.app.queue.job(&Scope::Installation, id).await.unwrap().unwrap();
    let result = r#"{"first":"plugh on attempt 1","word":"plugh"}"#;
    assert_eq!(opened.job.result.as_deref(), Some(result));
    engine.end(worker).await;
}

fn keyring() -> Keyring {
    let mut keyring = Keyring::default();
    keyring.add("k1", &[7; 32]);
    keyring.with_current("k1")
}

/// What another tenant's job found is not this one's to read, nor whether there is such a job.
async fn a_job_is_told_of_jobs_of_its_own_tenant_alone(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let of =
        |tenant: Option<&str>, act: Act| NewJob { tenant: tenant.map(str::to_owned), ..family::act(act) };
    let mut jobs = Vec::new();
    for tenant in [Some("north"), Some("south"), None] {
        let job = engine.enqueue(of(tenant, Act::Succeed)).await;
        engine.until_state(job, JobState::Completed).await;
        jobs.push(job);
    }
    jobs.push(engine.t.ids.next());
    let completed = json!(["completed", { "times": 1 }]);
    let unknown = json!(["unknown", null]);
    for (tenant, told) in [
        (Some("north"), [&completed, &unknown, &unknown, &unknown]),
        (Some("south"), [&unknown, &completed, &unknown, &unknown]),
        (None, [&completed, &completed, &completed, &unknown]),
    ] {
        let asking = engine.enqueue(of(tenant, Act::AskAfter(jobs.clone()))).await;
        let ended = engine.until_state(asking, JobState::Completed).await;

        let result: serde_json::Value = serde_json::from_str(&ended.job.result.unwrap()).unwrap();
        assert_eq!(result["told"], json!(told), "{tenant:?}");
    }
    engine.end(worker).await;
}
