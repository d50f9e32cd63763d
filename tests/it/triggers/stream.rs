//! The Redis stream: what is written there becomes a job once, or is set aside with its reason.

use std::sync::Arc;
use std::time::Duration;

use engine::adapters::redis::Redis;
use engine::triggers::settings::{Stream, Triggers as Settings};
use engine::triggers::stream::entry::mark;
use engine::triggers::stream::group::{Group, Standing};
use jobkit::NewJob;
use serde_json::json;
use store::Scope;
use store::state::JobState;
use store::triggers::Intake;

use super::{Door, stop};
use crate::support::redis::RedisServer;
use crate::support::store::{TestStore, ada, promises};

promises![
    an_entry_becomes_the_job_that_it_says,
    what_cannot_be_a_job_is_set_aside_with_its_error_and_keeps_nobody,
    an_entry_that_was_set_aside_can_be_given_back,
    an_entry_of_a_consumer_that_died_before_the_commit_is_taken_over,
    an_entry_of_a_consumer_that_died_after_the_commit_makes_no_second_job,
    an_entry_whose_job_another_version_made_is_not_set_aside,
    an_entry_that_cannot_be_set_aside_stays,
    a_redis_that_goes_away_and_comes_back_is_read_on,
    a_stream_that_somebody_deleted_is_made_anew,
];

fn settings() -> Settings {
    let stream = Stream { enabled: true, claim_after: Duration::from_secs(1) };
    Settings { stream, ..Settings::default() }
}

async fn add(redis: &Redis, fields: &[(&str, &str)]) -> String {
    let mut add = redis::cmd("XADD");
    add.arg("compline:enqueue").arg("*");
    for (name, value) in fields {
        add.arg(name).arg(value);
    }
    redis.query("adding an entry", &add).await.unwrap()
}

fn looking(redis: &Arc<Redis>) -> Group {
    Group::new(redis.clone(), "test".into(), Duration::from_secs(1))
}

const DONE: Standing = Standing { length: 0, rejected: 0 };

async fn an_entry_becomes_the_job_that_it_says(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    // Before anybody reads, and after.
    add(&redis, &[("kind", "system.noop"), ("queue", "mail"), ("tenant", "acme"), ("key", "k")]).await;
    let services = door.start(&settings());
    let group = looking(&redis);
    door.until("the first is done", async || group.standing().await.unwrap() == DONE).await;
    add(&redis, &[("kind", "system.noop"), ("delay", "1h"), ("tags", r#"["a"]"#), ("priority", "2")]).await;
    door.until("the second is done", async || door.jobs().await.len() == 2).await;

    let jobs = door.jobs().await;
    let first = &jobs[0];
    assert_eq!((first.queue.as_str(), first.tenant.as_deref()), ("mail", Some("acme")));
    let second = &jobs[1];
    assert_eq!(
        (second.state, second.tags.as_slice(), second.priority),
        (JobState::Scheduled, &["a".into()][..], 2)
    );
    door.until("it is acknowledged", async || group.standing().await.unwrap() == DONE).await;
    stop(services).await;
}

async fn what_cannot_be_a_job_is_set_aside_with_its_error_and_keeps_nobody(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    let mut bad = Vec::new();
    for fields in [
        &[("kind", "system.nop")][..],
        &[("kind", "system.noop"), ("prioritaet", "1")],
        &[("kind", "system.sleep"), ("args", r#"{"ms": "long"}"#)],
    ] {
        bad.push(add(&redis, fields).await);
        add(&redis, &[("kind", "system.noop")]).await;
    }
    // A text that PostgreSQL cannot hold, which only the store finds out.
    add(&redis, &[("kind", "system.noop"), ("tenant", "a\0b")]).await;
    let services = door.start(&settings());
    let group = looking(&redis);

    door.until("all are dealt with", async || group.standing().await.unwrap().length == 0).await;
    stop(services).await;

    let rejected = group.rejected(10).await.unwrap();
    let found: Vec<_> = rejected.iter().map(|entry| entry.entry.clone()).take(3).collect();
    assert_eq!(found, bad);
    for (entry, error) in rejected.iter().zip(["system.nop", "prioritaet: is no field", "ms"]) {
        assert!(entry.error.contains(error), "{entry:?}");
    }
    assert_eq!(rejected[1].fields[1], (b"prioritaet".to_vec(), b"1".to_vec()));
    let plain = door.jobs().await.into_iter().filter(|job| job.tenant.is_none());
    assert_eq!(plain.map(|job| job.kind).collect::<Vec<_>>(), ["system.noop"; 3]);
}

async fn an_entry_that_was_set_aside_can_be_given_back(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    add(&redis, &[("kind", "system.nop"), ("tenant", "acme")]).await;
    let services = door.start(&settings());
    let group = looking(&redis);
    door.until("it is set aside", async || group.standing().await.unwrap().rejected == 1).await;
    stop(services).await;
    let rejected = group.rejected(10).await.unwrap().remove(0);

    assert!(group.requeue(&rejected.id).await.unwrap().is_some());
    assert_eq!(group.requeue(&rejected.id).await.unwrap(), None);

    assert_eq!(group.standing().await.unwrap(), Standing { length: 1, rejected: 0 });
    group.make().await.unwrap();
    let again = group.read(10, Duration::from_millis(100)).await.unwrap().remove(0);
    assert_eq!(again.fields, rejected.fields);
}

/// A consumer that has read what there is, and does no more.
async fn dead_consumer(redis: &Arc<Redis>) -> Vec<String> {
    let dead = Group::new(redis.clone(), "dead".into(), Duration::from_secs(1));
    dead.make().await.unwrap();
    let read = dead.read(100, Duration::from_millis(100)).await.unwrap();
    read.into_iter().map(|entry| entry.id).collect()
}

async fn an_entry_of_a_consumer_that_died_before_the_commit_is_taken_over(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    add(&redis, &[("kind", "system.noop"), ("queue", "orphan")]).await;
    assert_eq!(dead_consumer(&redis).await.len(), 1);

    let services = door.start(&settings());
    let group = looking(&redis);
    door.until("it is taken over", async || group.standing().await.unwrap() == DONE).await;

    let queues: Vec<_> = door.jobs().await.into_iter().map(|job| job.queue).collect();
    assert_eq!(queues, ["orphan"]);
    stop(services).await;
}

async fn an_entry_of_a_consumer_that_died_after_the_commit_makes_no_second_job(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    add(&redis, &[("kind", "system.noop")]).await;
    let read = dead_consumer(&redis).await;
    let rows =
        door.app.queue.rows(&Scope::Installation, vec![NewJob::new("system.noop", json!({}))]).unwrap();
    let intake = Intake { mark: mark(&read[0]), rows };
    let taken = t.store.take("stream:compline:enqueue", &[intake], &ada()).await.unwrap();

    let services = door.start(&settings());
    let group = looking(&redis);
    door.until("it is acknowledged", async || group.standing().await.unwrap() == DONE).await;

    let jobs: Vec<_> = door.jobs().await.into_iter().map(|job| job.id).collect();
    assert_eq!(jobs, [taken[0].id]);
    stop(services).await;
}

/// A newer version may know a kind that this one does not, make the job, and die before it can say so.
async fn an_entry_whose_job_another_version_made_is_not_set_aside(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    add(&redis, &[("kind", "system.of_tomorrow")]).await;
    let read = dead_consumer(&redis).await;
    let rows =
        door.app.queue.rows(&Scope::Installation, vec![NewJob::new("system.noop", json!({}))]).unwrap();
    let intake = Intake { mark: mark(&read[0]), rows };
    t.store.take("stream:compline:enqueue", &[intake], &ada()).await.unwrap();

    let services = door.start(&settings());
    let group = looking(&redis);
    door.until("it is acknowledged", async || group.standing().await.unwrap() == DONE).await;

    assert_eq!(group.rejected(10).await.unwrap(), []);
    stop(services).await;
}

/// The stream for what is set aside is none, so it cannot be written.
async fn an_entry_that_cannot_be_set_aside_stays(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    let _: String =
        redis.query("in the way", redis::cmd("SET").arg("compline:enqueue:rejected").arg("x")).await.unwrap();
    add(&redis, &[("kind", "system.nop")]).await;
    let services = door.start(&settings());
    door.pass(Duration::from_secs(3)).await;
    let _: i64 =
        redis.query("out of the way", redis::cmd("DEL").arg("compline:enqueue:rejected")).await.unwrap();

    let group = looking(&redis);
    door.until("it is set aside", async || group.standing().await.unwrap().rejected == 1).await;
    assert_eq!(group.standing().await.unwrap(), Standing { length: 0, rejected: 1 });
    stop(services).await;
}

async fn a_redis_that_goes_away_and_comes_back_is_read_on(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    let services = door.start(&settings());
    add(&redis, &[("kind", "system.noop"), ("queue", "before")]).await;
    door.until("the first has come", async || door.jobs().await.len() == 1).await;

    server.stop();
    door.pass(Duration::from_secs(5)).await;
    server.start_again();
    let mut added = false;
    while !added {
        let mut add = redis::cmd("XADD");
        add.arg(&["compline:enqueue", "*", "kind", "system.noop", "queue", "after"]);
        added = redis.query::<String>("adding an entry", &add).await.is_ok();
    }

    door.until("the second has come", async || door.jobs().await.len() == 2).await;
    let queues: Vec<_> = door.jobs().await.into_iter().map(|job| job.queue).collect();
    assert_eq!(queues, ["before", "after"]);
    stop(services).await;
}

async fn a_stream_that_somebody_deleted_is_made_anew(t: TestStore) {
    let server = RedisServer::start();
    let redis = server.redis();
    let door = Door::new(&t, Some(redis.clone()));
    let services = door.start(&settings());
    add(&redis, &[("kind", "system.noop"), ("queue", "before")]).await;
    door.until("the first has come", async || door.jobs().await.len() == 1).await;

    let _: i64 = redis.query("deleting", redis::cmd("DEL").arg("compline:enqueue")).await.unwrap();
    add(&redis, &[("kind", "system.noop"), ("queue", "after")]).await;

    door.until("the second has come", async || door.jobs().await.len() == 2).await;
    stop(services).await;
}
