//! Jobs for the end of a job, asked for in SQL: the same rows, and the same refusals, as at the other doors.

use std::time::Duration;

use jobkit::JobId;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use store::state::JobState::{Available, Cancelled, Waiting};
use store::{Demand, KindRow};
use uuid::Uuid;

use crate::support::store::{ALL, KIND, QUEUE, TestStore, completed, discarded, ids};

struct Caller {
    t: TestStore,
    sql: PgConnection,
}

impl Caller {
    async fn new() -> Self {
        let t = TestStore::postgres().await;
        // SQL asks the database for the time, and the store of this test must not be behind it.
        t.clock.advance(Duration::from_secs(100 * 366 * 86_400));
        let kind = |kind: &str, internal| KindRow {
            kind: kind.into(),
            queue: QUEUE.into(),
            priority: 5,
            max_attempts: 3,
            encrypted: false,
            unique: false,
            internal,
            approval: None,
        };
        t.store.put_kinds(&[kind(KIND, false), kind("system.callback", true)]).await.unwrap();
        let sql = PgConnection::connect(t.url()).await.unwrap();
        Self { t, sql }
    }

    async fn enqueue(&mut self, options: Value) -> Result<JobId, String> {
        let call = sqlx::query_scalar::<_, Uuid>("SELECT compline.enqueue($1, '{\"n\": 0}', $2)");
        let id = call.bind(KIND).bind(options).fetch_one(&mut self.sql).await;
        id.map(JobId).map_err(|problem| problem.to_string())
    }

    /// The jobs that wait for this one, in the order in which they were made.
    async fn followers(&mut self, of: JobId) -> Vec<JobId> {
        let all = "SELECT child FROM compline.job_dependency WHERE parent = $1 ORDER BY child";
        let all: Vec<Uuid> = sqlx::query_scalar(all).bind(of.0).fetch_all(&mut self.sql).await.unwrap();
        all.into_iter().map(JobId).collect()
    }

    async fn rows(&mut self) -> i64 {
        let count = "SELECT (SELECT count(*) FROM compline.job) + (SELECT count(*) FROM compline.unique_key)";
        sqlx::query_scalar(count).fetch_one(&mut self.sql).await.unwrap()
    }
}

fn job(n: u32) -> Value {
    json!({ "kind": KIND, "args": { "n": n } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_for_the_end_of_a_job_come_with_it_in_sql() {
    let mut caller = Caller::new().await;
    let mut third = job(1);
    third["on_success"] = json!([job(3)]);
    let made = caller
        .enqueue(json!({ "tenant": "acme", "on_success": [third], "on_failure": [job(2)] }))
        .await
        .unwrap();
    let t = caller.t.clone();

    let [success, failure] = caller.followers(made).await[..] else { panic!("two followers") };
    let [after] = caller.followers(success).await[..] else { panic!("one follower of the first") };
    let mut numbers = Vec::new();
    for id in [success, failure, after] {
        let told = t.job(id).await.job;
        let args: Value = serde_json::from_str(&told.args).unwrap();
        numbers.push((args["n"].clone(), told.state, told.tenant.clone()));
    }
    let acme = Some("acme".to_owned());
    assert_eq!(
        numbers,
        [(json!(1), Waiting, acme.clone()), (json!(2), Waiting, acme.clone()), (json!(3), Waiting, acme)]
    );

    let worker = t.worker().await;
    let claimed = t.claim(worker, 5).await;
    assert_eq!(ids(&claimed), [made]);
    t.finish(worker, &claimed[0], completed()).await;
    let states = [t.state(success).await, t.state(failure).await, t.state(after).await];
    assert_eq!(states, [Available, Cancelled, Waiting]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_for_failure_runs_after_one_in_sql() {
    let mut caller = Caller::new().await;
    let made = caller.enqueue(json!({ "on_success": [job(1)], "on_failure": [job(2)] })).await.unwrap();
    let t = caller.t.clone();
    let followers = caller.followers(made).await;
    let worker = t.worker().await;

    let claimed = t.claim(worker, 5).await;
    t.finish(worker, &claimed[0], discarded()).await;

    assert_eq!([t.state(followers[0]).await, t.state(followers[1]).await], [Cancelled, Available]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_is_an_option_in_sql() {
    let mut caller = Caller::new().await;
    let callback = json!({ "url": "https://hooks.example.org/c", "events": ["discarded"] });

    let made = caller.enqueue(json!({ "callback": callback })).await.unwrap();

    let [call] = caller.followers(made).await[..] else { panic!("one follower") };
    let told = caller.t.job(call).await.job;
    let args: Value = serde_json::from_str(&told.args).unwrap();
    let wanted = json!({
        "job": made, "kind": KIND, "url": "https://hooks.example.org/c", "events": ["discarded"], "outcome": true,
    });
    assert_eq!((told.kind.as_str(), told.state, args), ("system.callback", Waiting, wanted));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unique_key_is_the_tenants_own_in_sql_too() {
    let mut caller = Caller::new().await;
    let options = |tenant: Option<&str>| json!({ "unique_key": "k", "tenant": tenant });
    let mut made = Vec::new();
    for tenant in [Some("north"), Some("south"), None, Some("north")] {
        made.push(caller.enqueue(options(tenant)).await.unwrap());
    }

    assert_eq!(made[0], made[3]);
    assert!(made[0] != made[1] && made[0] != made[2] && made[1] != made[2], "{made:?}");
    // As the door hashes it.
    let same = "SELECT key = sha256('\\x00'::bytea || 'north'::bytea || '\\x00'::bytea || $2::text::bytea
                                    || '\\x00'::bytea || 'k'::bytea)
                FROM compline.unique_key WHERE job_id = $1";
    let same = sqlx::query_scalar(same).bind(made[0].0).bind(KIND).fetch_one(&mut caller.sql).await;
    assert!(same.unwrap_or(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_duplicate_brings_nothing_along_in_sql() {
    let mut caller = Caller::new().await;
    let options = json!({ "unique_key": "k", "on_success": [job(1)] });
    let first = caller.enqueue(options.clone()).await.unwrap();
    let before = caller.rows().await;

    let again = caller.enqueue(options).await.unwrap();

    assert_eq!((again, caller.rows().await), (first, before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_follower_is_told_by_its_place_and_nothing_is_left_in_sql() {
    let mut caller = Caller::new().await;
    let with = |field: &str, value: Value| {
        let mut job = job(1);
        job[field] = value;
        job
    };
    let nested = |inner: Value| json!({ "on_success": [job(0), with("on_failure", json!([inner]))] });
    let deep = (0..40).fold(job(0), |inner, _| with("on_success", json!([inner])));
    for (options, told) in [
        (json!({ "on_success": {} }), "options.on_success: must be an array of jobs"),
        (json!({ "on_success": [7] }), "options.on_success[0]: must be an object with a kind"),
        (json!({ "on_failure": [{ "args": {} }] }), "options.on_failure[0]: must be an object with a kind"),
        (json!({ "on_success": [{ "kind": "x" }] }), "options.on_success[0].kind: \"x\" is not known"),
        (nested(json!({ "kind": "x" })), "options.on_success[1].on_failure[0].kind: \"x\" is not known"),
        (nested(with("queue", json!("a b"))), "options.on_success[1].on_failure[0].queue: must be 1 to 64"),
        (nested(with("after", json!([]))), "options.on_success[1].on_failure[0].after: is not an option"),
        (
            nested(json!({ "kind": "system.callback", "args": {} })),
            "options.on_success[1].on_failure[0].kind: \"system.callback\" is made by the engine alone",
        ),
        (
            json!({ "unique_key": "k", "on_success": vec![job(1); 33] }),
            "options.on_success: at most 32 jobs for the end of one",
        ),
        (json!({ "on_success": vec![job(1); 20], "on_failure": vec![job(1); 13] }), "at most 32 jobs"),
        (json!({ "on_success": [deep] }), "at most 32 jobs"),
        (json!({ "callback": "https://x" }), "options.callback: must be an object with a url"),
        (json!({ "callback": { "url": "https://x", "evnts": [] } }), "options.callback: must be an object"),
        (json!({ "callback": { "url": "ftp://x" } }), "options.callback.url: must begin with https://"),
        (json!({ "callback": { "events": [] } }), "options.callback.url: must begin with https://"),
        (
            json!({ "callback": { "url": "https://x", "events": ["begun"] } }),
            "options.callback.events: may name completed",
        ),
        (
            nested(with("callback", json!({ "url": 7 }))),
            "options.on_success[1].on_failure[0].callback.url: must begin",
        ),
    ] {
        let problem = caller.enqueue(options).await.unwrap_err();
        assert!(problem.contains(told), "{told}: {problem}");
    }
    assert_eq!(caller.rows().await, 0);
    let most = json!({ "on_success": vec![job(1); 20], "on_failure": vec![job(1); 12] });
    caller.enqueue(most).await.unwrap();
}

/// Several were told in the database's words, which name no option.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_option_that_is_wrong_is_named_with_what_to_write() {
    let mut caller = Caller::new().await;

    for (options, expected) in [
        (json!({ "priority": 1.5 }), "options.priority: must be a whole number from 1 (first) to 9 (last)"),
        (json!({ "priority": 99_999_999_999_u64 }), "options.priority: must be a whole number"),
        (json!({ "max_attempts": 0 }), "options.max_attempts: must be a whole number from 1 to 1000"),
        (json!({ "max_attempts": 1_001 }), "options.max_attempts: must be"),
        (json!({ "max_attempts": 99_999_999_999_u64 }), "options.max_attempts: must be"),
        (json!({ "run_at": "soon" }), "options.run_at: invalid input syntax"),
        (json!({ "delay_seconds": "NaN" }), "options.delay_seconds: must be a number"),
        (
            json!({ "delay_seconds": 1e300 }),
            "options.delay_seconds: must lead to a moment before the year 9999",
        ),
        (json!({ "tags": "a" }), "options.tags: must be an array of at most 32 texts"),
        (json!({ "tenant": "" }), "options.tenant: must be a text of 1 to 128 bytes"),
        (json!({ "metadata": [] }), "options.metadata: must be an object of at most 16 KiB"),
        (
            json!({ "on_success": [{ "kind": KIND, "priority": 0 }] }),
            "options.on_success[0].priority: must be",
        ),
    ] {
        let problem = caller.enqueue(options.clone()).await.unwrap_err();
        assert!(problem.contains(expected), "{options}: {problem}");
    }
    assert_eq!(caller.rows().await, 0);
    let good =
        json!({ "priority": 9, "max_attempts": 1_000, "delay_seconds": -1e-9, "tags": [], "tenant": null });
    caller.enqueue(good).await.unwrap();
}

/// The worker took them, and no limit by an argument held for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_are_no_object_are_refused_in_sql() {
    let mut caller = Caller::new().await;

    for args in ["[8]", "null", "8", "\"{}\""] {
        let call = sqlx::query("SELECT compline.enqueue($1, $2::jsonb)").bind(KIND).bind(args);
        let problem = call.execute(&mut caller.sql).await.unwrap_err().to_string();
        assert!(problem.contains("args: must be a JSON object"), "{args}: {problem}");
    }
    let problem = caller.enqueue(json!({ "on_failure": [{ "kind": KIND, "args": [8] }] })).await.unwrap_err();
    assert!(problem.contains("options.on_failure[0].args: must be a JSON object"), "{problem}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_a_kind_that_people_approve_waits_by_the_door_of_sql_too() {
    let mut caller = Caller::new().await;
    let t = caller.t.clone();
    let demand =
        Demand { people: 2, permission: "approvals:give".into(), expires: Duration::from_secs(3_600) };
    let kind = KindRow {
        kind: KIND.into(),
        queue: QUEUE.into(),
        priority: 5,
        max_attempts: 3,
        encrypted: false,
        unique: false,
        internal: false,
        approval: Some(demand),
    };
    t.store.put_kinds(std::slice::from_ref(&kind)).await.unwrap();

    let made = caller.enqueue(json!({ "tenant": "acme", "on_success": [job(1)] })).await.unwrap();

    let [after] = caller.followers(made).await[..] else { panic!("one follower") };
    assert_eq!(t.states(&[made, after]).await, [Waiting, Waiting]);
    for (job, n) in [(made, 0), (after, 1)] {
        let asked = t.store.approval_of(ALL, job).await.unwrap().unwrap();
        let what: Value = serde_json::from_str(&asked.what).unwrap();
        assert_eq!((asked.people, asked.tenant.as_deref(), &what["args"]["n"]), (2, Some("acme"), &json!(n)));
        assert_eq!(asked.sha256, store::approvals::digest(&asked.salt, &asked.what));
        assert!(asked.author.starts_with("sql:"), "{}", asked.author);
        let told = t.everything_audited().await;
        let told = told.iter().filter(|entry| entry.object == format!("approval:{}", asked.id));
        assert_eq!(told.map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["approval.ask"]);
    }
    t.store.put_kinds(&[KindRow { approval: None, ..kind }]).await.unwrap();
    let free = caller.enqueue(json!({})).await.unwrap();
    assert_eq!(t.state(free).await, Available);
}
