use engine::callback::{CallArgs, KIND, QUEUE};
use engine::queue::QueueError;
use engine::seal::Keyring;
use jobkit::{Callback, CallbackEvent, JobId, NewJob};
use serde_json::{Value, json};
use store::state::JobState;
use store::{Change, JobDetail, JobFilter, Scope};

use super::{House, failing, webhooks_to};
use crate::support::receiver::{Answer, Receiver};
use crate::support::store::{TestStore, ada, promises};

promises![
    whoever_asked_hears_how_the_job_ended,
    whoever_asked_hears_of_a_failure_with_its_error,
    only_the_endings_that_were_asked_for_are_told,
    a_job_that_is_alive_again_is_told_of_when_it_has_ended_again,
    a_receiver_that_fails_is_called_again_under_the_same_id,
    a_receiver_that_is_gone_ends_in_a_dead_letter,
    an_address_that_nobody_allowed_is_refused_at_the_door,
    what_was_allowed_once_may_not_be_called_now,
    a_duplicate_brings_no_callback_of_its_own,
    what_is_encrypted_does_not_leave_the_house,
    the_callback_comes_and_goes_with_the_transaction_of_its_job,
];

fn noop() -> NewJob {
    NewJob::new("system.noop", json!({}))
}

fn house(t: &TestStore, allow: &str) -> House {
    House::over(t, t.store.clone(), Some(webhooks_to(&[allow], &t.clock)))
}

async fn callbacks(t: &TestStore) -> Vec<JobDetail> {
    let filter = JobFilter { kinds: vec![KIND.into()], ..JobFilter::default() };
    let mut details = Vec::new();
    for job in t.store.jobs(&Scope::Installation, &filter).await.unwrap() {
        details.push(t.job(job.id).await);
    }
    details
}

async fn until_called(house: &House, t: &TestStore, state: JobState) -> JobDetail {
    crate::engine::until(&house.clock, &format!("the callback is {state}"), || async {
        callbacks(t).await.iter().any(|call| call.job.state == state)
    })
    .await;
    callbacks(t).await.remove(0)
}

fn data(receiver: &Receiver, at: usize) -> Value {
    receiver.received()[at].json()["data"].clone()
}

async fn whoever_asked_hears_how_the_job_ended(t: TestStore) {
    let receiver = Receiver::start().await;
    let house = house(&t, &receiver.url("/hooks")).start(Default::default());

    let id = house.enqueue(noop().callback(receiver.url("/hooks/1"))).await;

    let call = until_called(&house, &t, JobState::Completed).await;
    let [told] = &receiver.received()[..] else { panic!("one message") };
    assert_eq!((told.verify(), told.path.as_str()), (Ok(()), "/hooks/1"));
    assert_eq!(told.json()["type"], "job.completed");
    let wanted = json!({
        "id": id, "kind": "system.noop", "state": "completed", "attempts": 1, "result": null, "error": null,
    });
    assert_eq!(data(&receiver, 0), wanted);
    assert_eq!(call.steps[0].key.as_str(), told.id());
}

async fn whoever_asked_hears_of_a_failure_with_its_error(t: TestStore) {
    let receiver = Receiver::start().await;
    let house = house(&t, &receiver.url("/")).start(Default::default());

    house.enqueue(failing().callback(receiver.url("/"))).await;

    until_called(&house, &t, JobState::Completed).await;
    assert_eq!(receiver.received()[0].json()["type"], "job.discarded");
    assert_eq!(data(&receiver, 0)["error"], "ada@example.org is not amused");
}

async fn only_the_endings_that_were_asked_for_are_told(t: TestStore) {
    let receiver = Receiver::start().await;
    let house = house(&t, &receiver.url("/")).start(Default::default());
    let callback = Callback { url: receiver.url("/"), events: vec![CallbackEvent::Discarded] };

    house.enqueue(NewJob { callback: Some(callback), ..noop() }).await;

    let call = until_called(&house, &t, JobState::Cancelled).await;
    assert!(call.job.error.unwrap().contains("nobody asked to hear of that"));
    assert_eq!(receiver.received(), []);
}

async fn a_job_that_is_alive_again_is_told_of_when_it_has_ended_again(t: TestStore) {
    let receiver = Receiver::start().await;
    let house = house(&t, &receiver.url("/")).start(Default::default());
    t.store.pause(QUEUE, None, &ada(), "").await.unwrap();
    let id = house.enqueue(failing().callback(receiver.url("/"))).await;
    until_called(&house, &t, JobState::Available).await;
    t.store.pause("default", None, &ada(), "").await.unwrap();
    assert_eq!(t.change(id, Change::Retry).await.ids, [id]);

    t.store.resume(QUEUE, &ada()).await.unwrap();
    let call = until_called(&house, &t, JobState::Waiting).await;
    assert_eq!((call.waits_for, receiver.received().len()), (vec![id], 0));
    t.store.resume("default", &ada()).await.unwrap();

    until_called(&house, &t, JobState::Completed).await;
    assert_eq!(receiver.received().len(), 1);
    assert_eq!((&data(&receiver, 0)["id"], &data(&receiver, 0)["state"]), (&json!(id), &json!("discarded")));
}

async fn a_receiver_that_fails_is_called_again_under_the_same_id(t: TestStore) {
    let receiver = Receiver::start().await;
    receiver.answers([Answer::Status(500), Answer::Cut]);
    let house = house(&t, &receiver.url("/")).start(Default::default());

    house.enqueue(noop().callback(receiver.url("/"))).await;

    let call = until_called(&house, &t, JobState::Completed).await;
    let ids = receiver.ids();
    assert_eq!((ids.len(), call.job.attempt), (3, 3));
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

async fn a_receiver_that_is_gone_ends_in_a_dead_letter(t: TestStore) {
    let receiver = Receiver::start().await;
    receiver.answers([Answer::Status(410)]);
    let house = house(&t, &receiver.url("/")).start(Default::default());

    house.enqueue(noop().callback(receiver.url("/"))).await;

    let call = until_called(&house, &t, JobState::Discarded).await;
    assert!(call.job.error.unwrap().contains("410"));
    assert_eq!(receiver.received().len(), 1);
}

async fn an_address_that_nobody_allowed_is_refused_at_the_door(t: TestStore) {
    let house = house(&t, "https://hooks.example.org/compline");
    let nobody = House::over(&t, t.store.clone(), None);
    let none = House::over(&t, t.store.clone(), Some(webhooks_to(&[], &t.clock)));
    for (house, url, why) in [
        (&house, "http://169.254.169.254/latest/meta-data", "https://"),
        (&house, "https://hooks.example.org.evil.test/compline", "webhooks.allow"),
        (&house, "https://hooks.example.org/other", "webhooks.allow"),
        (&house, "no address", "no address"),
        (&none, "https://hooks.example.org/compline", "webhooks.allow"),
        (&nobody, "https://hooks.example.org/compline", "no address may be called"),
    ] {
        let refused = house
            .app
            .queue
            .enqueue(&Scope::Installation, vec![noop(), noop().callback(url)], &ada())
            .await
            .unwrap_err();

        assert!(
            matches!(&refused, QueueError::Invalid { field: "callback", problem } if problem.contains(why)),
            "{refused:?}"
        );
    }
    assert_eq!(t.store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap(), []);
}

/// SQL cannot ask, and what is configured changes.
async fn what_was_allowed_once_may_not_be_called_now(t: TestStore) {
    let receiver = Receiver::start().await;
    let before = house(&t, &receiver.url("/"));
    before.enqueue(noop().callback(receiver.url("/"))).await;

    let house = house(&t, "https://hooks.example.org").start(Default::default());

    let call = until_called(&house, &t, JobState::Discarded).await;
    assert!(call.job.error.unwrap().contains("webhooks.allow"));
    assert_eq!(receiver.received(), []);
}

async fn a_duplicate_brings_no_callback_of_its_own(t: TestStore) {
    let receiver = Receiver::start().await;
    let house = house(&t, &receiver.url("/"));
    let job = || noop().unique_key("k").callback(receiver.url("/"));

    let first = house.app.queue.enqueue(&Scope::Installation, vec![job()], &ada()).await.unwrap();
    let again =
        house.app.queue.enqueue(&Scope::Installation, vec![noop(), job(), noop()], &ada()).await.unwrap();

    assert_eq!((again.len(), again[1].id, again[1].duplicate), (3, first[0].id, true));
    let calls = callbacks(&t).await;
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].waits_for, [first[0].id]);
    let house = house.start(Default::default());
    until_called(&house, &t, JobState::Completed).await;
    assert_eq!(data(&receiver, 0)["id"], json!(first[0].id));
}

async fn what_is_encrypted_does_not_leave_the_house(t: TestStore) {
    let receiver = Receiver::start().await;
    let webhooks = webhooks_to(&[&receiver.url("/")], &t.clock);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff").unwrap();
    let keys: engine::seal::Encryption = serde_json::from_value(
        json!({ "current": "k1", "keys": { "k1": format!("file:{}", file.display()) } }),
    )
    .unwrap();
    let keyring = Keyring::load(&keys).unwrap();
    let house = House::with(&t, t.store.clone(), Some(webhooks), keyring, |registry| {
        registry.override_policy("system.fail", |policy| policy.encrypted = true).unwrap();
    });
    let house = house.start(Default::default());

    house.enqueue(failing().callback(receiver.url("/"))).await;

    until_called(&house, &t, JobState::Completed).await;
    assert_eq!(
        (&data(&receiver, 0)["error"], &data(&receiver, 0)["state"]),
        (&Value::Null, &json!("discarded"))
    );
    assert!(!receiver.received()[0].body.contains("amused"));
}

async fn the_callback_comes_and_goes_with_the_transaction_of_its_job(t: TestStore) {
    use sqlx::Connection as _;
    let receiver = Receiver::start().await;
    let house = house(&t, &receiver.url("/"));
    let job = || vec![noop().callback(receiver.url("/"))];
    let mut connection = t.connection().await;
    macro_rules! in_a_transaction {
        ($connection:expr, $end:ident) => {{
            let mut tx = $connection.begin().await.unwrap();
            let made =
                house.app.queue.enqueue_in(&mut *tx, &Scope::Installation, job(), &ada()).await.unwrap();
            tx.$end().await.unwrap();
            made.iter().map(|one| one.id).collect::<Vec<JobId>>()
        }};
    }
    use crate::support::store::Connection;
    let made = match &mut connection {
        Connection::Postgres(connection) => {
            assert_eq!(in_a_transaction!(connection, rollback).len(), 1);
            in_a_transaction!(connection, commit)
        }
        Connection::Sqlite(connection) => {
            assert_eq!(in_a_transaction!(connection, rollback).len(), 1);
            in_a_transaction!(connection, commit)
        }
    };

    let calls = callbacks(&t).await;
    assert_eq!((made.len(), calls.len()), (1, 1));
    let args: CallArgs = serde_json::from_str(&calls[0].job.args).unwrap();
    assert_eq!((args.job, calls[0].waits_for.as_slice()), (made[0], &made[..]));
    assert_eq!(calls[0].job.state, JobState::Waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_asks_for_a_callback_of_the_job_it_enqueues_and_of_no_other() {
    let t = TestStore::postgres().await;
    let receiver = Receiver::start().await;
    let house = house(&t, &receiver.url("/")).start(Default::default());
    let crate::support::store::Connection::Postgres(mut connection) = t.connection().await else {
        panic!("PostgreSQL")
    };
    // The function asks the database for the time, and the engine of this test must not be behind it.
    t.clock.advance(std::time::Duration::from_secs(100 * 366 * 86_400));
    let known = "SELECT count(*) FROM compline.kind WHERE kind = 'system.callback'";
    let pool = sqlx::postgres::PgPool::connect(t.url()).await.unwrap();
    crate::engine::until(&t.clock, "the kinds are known", || async {
        sqlx::query_scalar::<_, i64>(known).fetch_one(&pool).await.unwrap() == 1
    })
    .await;
    let ask = "SELECT compline.callback(compline.enqueue('system.noop', '{}', $1), $2)";
    let asked = async |connection: &mut sqlx::PgConnection, options: Value, url: String| {
        let asked = sqlx::query_scalar::<_, Option<uuid::Uuid>>(ask).bind(options).bind(url);
        asked.fetch_one(connection).await
    };

    let made = asked(&mut connection, json!({}), receiver.url("/")).await.unwrap();

    let call = until_called(&house, &t, JobState::Completed).await;
    assert_eq!((made, call.job.kind.as_str()), (Some(call.job.id.0), KIND));
    assert_eq!(receiver.received()[0].json()["type"], "job.completed");
    // Nobody works that queue, so the job keeps its key.
    let held = json!({ "queue": "nobody", "unique_key": "k" });
    assert!(asked(&mut connection, held.clone(), receiver.url("/")).await.unwrap().is_some());
    assert_eq!(asked(&mut connection, held, receiver.url("/")).await.unwrap(), None);
    let refused = asked(&mut connection, json!({}), "ftp://x".into()).await.unwrap_err().to_string();
    assert!(refused.contains("url: must begin with https://"), "{refused}");
    let old = sqlx::query_scalar::<_, Option<uuid::Uuid>>("SELECT compline.callback($1, $2)")
        .bind(call.job.id.0)
        .bind(receiver.url("/"));
    assert_eq!(old.fetch_one(&mut connection).await.unwrap(), None);
}

/// It would tell anybody how the jobs of others end, and what came of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_is_not_enqueued_by_its_name_through_any_door() {
    let t = TestStore::postgres().await;
    let receiver = Receiver::start().await;
    let house = house(&t, &receiver.url("/")).start(Default::default());
    let other = house.enqueue(NewJob::new("system.noop", json!({}))).await;
    let args = json!({ "job": other, "kind": "system.noop", "url": receiver.url("/"), "outcome": true });
    let mut follower = NewJob::new("system.noop", json!({}));
    follower.on_success.push(NewJob::new(KIND, args.clone()));

    for job in [NewJob::new(KIND, args.clone()), follower] {
        let refused = house.app.queue.enqueue(&Scope::Installation, vec![job], &ada()).await.unwrap_err();
        let refused = store::chain(&refused);
        assert!(refused.contains("kind: `system.callback` is made by the engine alone"), "{refused}");
    }
    let pool = sqlx::postgres::PgPool::connect(t.url()).await.unwrap();
    let published = "SELECT count(*) FROM compline.kind WHERE kind = 'system.callback'";
    crate::engine::until(&t.clock, "the kinds are known", || async {
        sqlx::query_scalar::<_, i64>(published).fetch_one(&pool).await.unwrap() == 1
    })
    .await;
    let ask = sqlx::query("SELECT compline.enqueue($1, $2)").bind(KIND).bind(&args);
    let refused = ask.execute(&pool).await.unwrap_err().to_string();
    assert!(refused.contains("kind: \"system.callback\" is made by the engine alone"), "{refused}");
    assert_eq!(receiver.received().len(), 0);
}
