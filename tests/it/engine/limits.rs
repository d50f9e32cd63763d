//! Limits as the engine keeps them: when jobs begin, how many run, and what a change of the rules does.

use std::time::Duration;

use engine::scheduler::definition::Definition;
use jobkit::{Clock, JobId, NewJob, When};
use store::Scope;
use store::rule::{By, Rate, Rule, Rules};
use store::state::JobState;
use store::triggers::Intake;

use super::Engine;
use super::family::{Act, act};
use crate::support::store::{Connection, TestStore, ada, promises, seconds};

promises![
    jobs_of_a_rate_begin_no_sooner_than_it_allows,
    no_more_jobs_run_at_once_than_a_limit_allows_and_a_free_place_is_taken,
    jobs_of_another_queue_get_the_place_that_became_free,
    what_nothing_limits_and_what_is_limited_run_beside_each_other,
    jobs_that_wait_are_limited_by_a_rule_that_came_later,
    jobs_that_wait_go_on_when_their_limit_is_gone,
    a_provider_that_asks_for_time_is_left_alone_by_the_whole_bucket,
    limited_jobs_that_cannot_be_claimed_keep_other_queues_from_nothing,
    a_limit_that_is_resumed_before_its_pause_is_over_has_its_jobs_go_on_at_once,
    a_job_may_stop_its_queue_for_a_while,
    a_job_behind_an_open_breaker_comes_again_and_uses_no_attempt,
    a_worker_that_stops_gives_back_what_waits_for_its_time,
    every_door_gives_a_job_its_lane,
];

fn limit(rate: Option<&str>, concurrency: Option<u32>) -> Rules {
    let rate = rate.map(|pace| Rate { pace: pace.parse().unwrap(), burst: 1 });
    let (kinds, queues) = (vec!["test.*".into()], Vec::new());
    Rules::new([Rule { name: "x".into(), kinds, queues, by: By::All, rate, concurrency }])
}

impl Engine {
    fn limited(t: TestStore, rules: Rules) -> Self {
        Engine { limits: rules, ..Engine::over(t) }
    }

    /// With the limits in force, as they are when a process that works has started before.
    async fn ready(t: TestStore, rules: Rules) -> Self {
        t.store.put_limits(&rules).await.unwrap();
        t.store.lanes_are_put(1).await.unwrap();
        Self::limited(t, rules)
    }

    async fn enqueue_many(&self, count: usize, job: impl Fn() -> NewJob) -> Vec<JobId> {
        let jobs = (0..count).map(|_| job()).collect();
        let inserted = self.app.queue.enqueue(&Scope::Installation, jobs, &ada()).await.unwrap();
        inserted.into_iter().map(|row| row.id).collect()
    }

    async fn until_begun(&self, count: usize) {
        self.until(&format!("{count} have begun"), || async {
            self.scene.starts.lock().unwrap().len() >= count
        })
        .await;
    }

    /// Lets so much time pass.
    async fn rest(&self, time: Duration) {
        let from = self.t.clock.steady();
        self.until("time has passed", || async { self.t.clock.steady() >= from + time }).await;
    }
}

async fn jobs_of_a_rate_begin_no_sooner_than_it_allows(t: TestStore) {
    let engine = Engine::ready(t, limit(Some("4/s"), None)).await;
    let jobs = engine.enqueue_many(12, || act(Act::Succeed)).await;
    let worker = engine.start();

    for id in jobs {
        engine.until_state(id, JobState::Completed).await;
    }

    let starts = engine.scene.starts.lock().unwrap().clone();
    for (first, start) in starts.iter().enumerate() {
        let in_a_second = starts[first..].iter().filter(|other| **other < *start + seconds(1)).count();
        // Late by less than a quarter of a second: one more.
        assert!(in_a_second <= 5, "{in_a_second} in a second: {starts:?}");
    }
    assert!(starts[11] - starts[0] >= Duration::from_millis(2_500), "{starts:?}");
    engine.end(worker).await;
}

async fn no_more_jobs_run_at_once_than_a_limit_allows_and_a_free_place_is_taken(t: TestStore) {
    let engine = Engine::ready(t, limit(None, Some(2))).await;
    let jobs = engine.enqueue_many(6, || act(Act::WaitAtGate)).await;
    let worker = engine.start();

    for done in 1..=6_usize {
        engine.until_begun(6.min(done + 1)).await;
        engine.scene.gate.add_permits(1);
    }

    for id in jobs {
        engine.until_state(id, JobState::Completed).await;
    }
    assert_eq!(engine.scene.most_at_once(), 2);
    engine.end(worker).await;
}

async fn jobs_of_another_queue_get_the_place_that_became_free(t: TestStore) {
    let engine = Engine::ready(t, limit(None, Some(1))).await;
    let first = engine.enqueue(act(Act::WaitAtGate).queue("a")).await;
    let worker = engine.start();
    engine.until_state(first, JobState::Running).await;
    let second = engine.enqueue(act(Act::Succeed).queue("b")).await;
    engine.rest(seconds(2)).await;
    assert_eq!(engine.t.state(second).await, JobState::Available);

    engine.scene.gate.add_permits(1);

    engine.until_state(second, JobState::Completed).await;
    engine.end(worker).await;
}

async fn what_nothing_limits_and_what_is_limited_run_beside_each_other(t: TestStore) {
    let engine = Engine::ready(t, limit(None, Some(1))).await;
    let held = engine.enqueue(act(Act::WaitAtGate)).await;
    let blocked = engine.enqueue_many(50, || act(Act::Succeed)).await;
    let free = engine.enqueue_many(20, || NewJob::new("system.noop", serde_json::json!({}))).await;
    let worker = engine.start();

    for id in free {
        engine.until_state(id, JobState::Completed).await;
    }

    assert_eq!(engine.t.state(held).await, JobState::Running);
    assert_eq!(engine.t.states(&blocked).await, [JobState::Available; 50]);
    engine.scene.gate.add_permits(1);
    engine.until_state(blocked[49], JobState::Completed).await;
    engine.end(worker).await;
}

async fn jobs_that_wait_are_limited_by_a_rule_that_came_later(t: TestStore) {
    let engine = Engine::limited(t, limit(None, Some(1)));
    let later = |job: NewJob| job.when(When::After(seconds(60)));
    let jobs = engine.enqueue_many(3, || later(act(Act::WaitAtGate))).await;
    let worker = engine.start();

    engine.until_begun(1).await;
    engine.rest(seconds(5)).await;

    assert_eq!(engine.scene.most_at_once(), 1);
    let set = engine.t.store.limits().await.unwrap();
    assert_eq!((set.version, set.laned), (1, 1));
    engine.scene.gate.add_permits(3);
    for id in jobs {
        engine.until_state(id, JobState::Completed).await;
    }
    engine.end(worker).await;
}

async fn jobs_that_wait_go_on_when_their_limit_is_gone(t: TestStore) {
    let before = Engine::ready(t, limit(None, Some(1))).await;
    before.enqueue_many(3, || act(Act::WaitAtGate)).await;
    let engine = Engine { limits: Rules::default(), ..before };
    let worker = engine.start();

    engine.until_begun(3).await;

    assert_eq!(engine.scene.most_at_once(), 3);
    engine.scene.gate.add_permits(3);
    engine.end(worker).await;
}

async fn a_provider_that_asks_for_time_is_left_alone_by_the_whole_bucket(t: TestStore) {
    let engine = Engine::ready(t, limit(None, Some(1))).await;
    let asks = engine.enqueue(act(Act::HoldOff(Some("x".into())))).await;
    let other = engine.enqueue(act(Act::Succeed)).await;
    let worker = engine.start();
    engine.until_state(asks, JobState::Scheduled).await;

    engine.rest(seconds(50)).await;
    assert_eq!(engine.t.state(other).await, JobState::Available);

    engine.until_state(other, JobState::Completed).await;
    let asked = engine.until_state(asks, JobState::Completed).await;
    assert_eq!(asked.job.attempt, 1, "no attempt was used");
    engine.end(worker).await;
}

/// They once waited for the next look at all queues: nobody who waits for a place was meant.
async fn a_limit_that_is_resumed_before_its_pause_is_over_has_its_jobs_go_on_at_once(t: TestStore) {
    let engine = Engine::ready(t, limit(None, Some(1))).await;
    let mut options = Engine::options();
    options.fetch.poll = seconds(3_600);
    let worker = engine.start_with(options);
    let before = engine.enqueue(act(Act::Succeed)).await;
    engine.until_state(before, JobState::Completed).await;
    let until = engine.t.clock.now() + seconds(7_200);
    engine.app.limits.pause("x", None, until, &ada(), "").await.unwrap();
    let paused = engine.enqueue(act(Act::Succeed)).await;
    engine.rest(seconds(60)).await;
    assert_eq!(engine.t.state(paused).await, JobState::Available);

    engine.app.limits.resume("x", None, &ada()).await.unwrap();

    engine.at_this_moment("it has ended", async || engine.t.state(paused).await == JobState::Completed).await;
    engine.end(worker).await;
}

async fn a_job_may_stop_its_queue_for_a_while(t: TestStore) {
    let engine = Engine::over(t);
    let asks = engine.enqueue(act(Act::HoldOff(None))).await;
    let worker = engine.start();
    engine.until_state(asks, JobState::Scheduled).await;
    let other = engine.enqueue(act(Act::Succeed)).await;
    let elsewhere = engine.enqueue(act(Act::Succeed).queue("elsewhere")).await;

    engine.until_state(elsewhere, JobState::Completed).await;
    engine.rest(seconds(50)).await;
    assert_eq!(engine.t.state(other).await, JobState::Available);

    engine.until_state(other, JobState::Completed).await;
    engine.until_state(asks, JobState::Completed).await;
    engine.end(worker).await;
}

async fn a_job_behind_an_open_breaker_comes_again_and_uses_no_attempt(t: TestStore) {
    let engine = Engine::over(t);
    let mut options = Engine::options();
    options.breakers.failures = 1;
    options.breakers.cool_down = seconds(30);
    let worker = engine.start_with(options);
    let first = engine.enqueue(act(Act::Call)).await;
    engine.until_state(first, JobState::Retryable).await;

    let second = engine.enqueue(act(Act::Call)).await;
    let waits = engine.until_state(second, JobState::Scheduled).await;

    assert_eq!(waits.job.attempt, 0, "nobody called, and no attempt is used");
    engine.until_state(first, JobState::Completed).await;
    engine.end(worker).await;
}

async fn a_worker_that_stops_gives_back_what_waits_for_its_time(t: TestStore) {
    let engine = Engine::ready(t, limit(Some("10/s"), None)).await;
    let jobs = engine.enqueue_many(4, || act(Act::Succeed)).await;
    let worker = engine.start();
    engine.until_begun(1).await;

    engine.end(worker).await;

    let states = engine.t.states(&jobs).await;
    assert!(
        states.iter().all(|state| matches!(state, JobState::Completed | JobState::Available)),
        "{states:?}"
    );
}

/// From here on no claim from this queue works, and the store is there.
async fn refuse_claims(t: &TestStore, queue: &str) {
    let mut connection = t.connection().await;
    let when = format!("NEW.state = 'running' AND NEW.queue = '{queue}'");
    match connection {
        Connection::Sqlite(_) => {
            let trigger = "CREATE TRIGGER refuse BEFORE UPDATE ON job";
            connection.run(&format!("{trigger} WHEN {when} BEGIN SELECT RAISE(ABORT, 'no'); END")).await;
        }
        Connection::Postgres(_) => {
            let refuse = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                          $$ BEGIN RAISE EXCEPTION 'no'; END $$";
            connection.run(refuse).await;
            let trigger = "CREATE TRIGGER refuse BEFORE UPDATE ON compline.job FOR EACH ROW";
            connection.run(&format!("{trigger} WHEN ({when}) EXECUTE FUNCTION refuse()")).await;
        }
    }
}

/// Each failure once ended the round and had all queues wait, up to two seconds.
async fn limited_jobs_that_cannot_be_claimed_keep_other_queues_from_nothing(t: TestStore) {
    refuse_claims(&t, "a").await;
    let of_one_queue = Rule { queues: vec!["a".into()], ..limit(None, Some(1)).get("x").unwrap().clone() };
    let engine = Engine::ready(t, Rules::new([of_one_queue])).await;
    let worker = engine.start();
    let before = engine.enqueue(act(Act::Succeed)).await;
    engine.until_state(before, JobState::Completed).await;

    for _ in 0..5 {
        let refused = engine.enqueue(act(Act::Succeed).queue("a")).await;
        let other = engine.enqueue(act(Act::Succeed).queue("m")).await;
        engine.at_this_moment("it ends", async || engine.t.state(other).await == JobState::Completed).await;
        assert_eq!(engine.t.state(refused).await, JobState::Available);
    }

    engine.end(worker).await;
}

/// The back-off began anew after each failure, because giving back what may have been claimed works all the while; and the
/// log had a line of trouble and one of its end ten times in a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_limited_jobs_that_fail_are_tried_more_and_more_rarely() {
    let engine = Engine::ready(TestStore::postgres().await, limit(None, Some(1))).await;
    let mut sql = engine.t.connection().await;
    // A sequence counts what is rolled back too.
    for statement in [
        "CREATE SEQUENCE compline.tried",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM nextval('compline.tried'); RAISE EXCEPTION 'no' USING ERRCODE = 'query_canceled'; END $$",
        "CREATE TRIGGER refuse BEFORE UPDATE ON compline.job FOR EACH ROW
         WHEN (NEW.state = 'running' AND NEW.lane IS NOT NULL) EXECUTE FUNCTION refuse()",
    ] {
        sql.run(statement).await;
    }
    let mut options = Engine::options();
    options.fetch.poll = seconds(3_600);
    engine.enqueue(act(Act::Succeed)).await;
    let worker = engine.start_with(options);

    for _ in 0..40 {
        engine.t.clock.advance(Duration::from_millis(75));
        // Long enough to claim, to fail and to give back.
        tokio::time::sleep(Duration::from_millis(40)).await;
    }

    let Connection::Postgres(sql) = &mut sql else { panic!("not PostgreSQL") };
    let tried: i64 =
        sqlx::query_scalar("SELECT last_value FROM compline.tried").fetch_one(sql).await.unwrap();
    assert!((2..=8).contains(&tried), "{tried} times in three seconds");
    engine.hard.cancel();
    engine.end(worker).await;
}

/// A job, what comes with it, what a trigger brings, and what a schedule enqueues; HTTP and the others use the same rows.
async fn every_door_gives_a_job_its_lane(t: TestStore) {
    let everything = Rule { kinds: Vec::new(), ..limit(None, Some(1)).get("x").unwrap().clone() };
    let engine = Engine::ready(t, Rules::new([everything])).await;
    let follows = |job: NewJob| NewJob { on_success: vec![act(Act::Succeed)], ..job };
    engine.enqueue(follows(act(Act::Succeed))).await;

    let queue = &engine.app.queue;
    queue.freshen().await.unwrap();
    let intake = |mark: &str, rows| Intake { mark: mark.into(), rows };
    let brought = intake("one", queue.rows(&Scope::Installation, vec![follows(act(Act::Succeed))]).unwrap());
    queue.take("stream:x", &[brought], &ada()).await.unwrap();
    let definition =
        Definition { kind: "system.noop".into(), cron: Some("@daily".into()), ..Definition::default() };
    engine.app.scheduler.put(&Scope::Installation, "daily", definition, &ada()).await.unwrap();
    engine.app.scheduler.run_now(&Scope::Installation, "daily", &ada()).await.unwrap();

    let jobs = engine.t.store.laned_jobs(None, 100, true).await.unwrap();
    assert_eq!(jobs.len(), 5);
    for job in jobs {
        assert_eq!(job.lane.as_ref().map(|lane| lane.as_str()), Some("x"), "{}", job.kind);
    }
}
