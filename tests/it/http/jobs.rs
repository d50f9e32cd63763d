//! What a caller can do with jobs, from the first request to the last.

use std::collections::BTreeSet;

use engine::http::Limits;
use jobkit::{JobId, Owner};
use reqwest::Method;
use serde_json::{Value, json};
use store::{End, JobFilter, Scope};

use crate::support::http::{Server, Setup, TOKEN, answer, limits};
use crate::support::receiver::Receiver;
use crate::support::store::{TestStore, completed, discarded, promises};

promises![
    a_job_comes_in_and_is_shown_in_full,
    everything_that_a_job_can_be_asked_for_is_kept,
    arguments_are_kept_as_they_were_written,
    a_job_with_a_key_that_is_held_is_answered_with_the_holder,
    a_batch_is_enqueued_whole_or_not_at_all,
    a_job_that_would_wait_for_nobody_is_refused_where_it_says_so,
    a_trace_context_is_kept_with_the_job,
    a_job_brings_the_jobs_for_its_end_and_whom_to_tell,
    jobs_that_come_with_others_count_in_a_batch,
    a_listing_goes_on_where_it_ended,
    a_page_of_large_jobs_is_shorter_and_none_is_left_out,
    many_files_of_a_job_are_listed_in_pages,
    a_job_is_retried_cancelled_and_discarded_by_the_caller_in_the_audit_log,
    a_wait_is_answered_when_the_job_has_ended,
    a_queue_is_paused_with_a_reason_and_resumed,
    workers_and_kinds_are_listed,
    the_files_of_a_job_are_listed_and_fetched_and_no_others,
];

fn id(answer: &Value) -> JobId {
    answer["id"].as_str().unwrap().parse().unwrap()
}

async fn a_job_comes_in_and_is_shown_in_full(t: TestStore) {
    let server = Server::over(t).await;

    let got = server.post("/v1/jobs", &json!({ "kind": "system.sleep", "args": { "ms": 5 } })).await;

    let location = got.header("location").to_owned();
    let enqueued = got.expect(202);
    assert_eq!((&enqueued["duplicate"], location), (&json!(false), format!("/v1/jobs/{}", id(&enqueued))));
    let worker = server.t.worker().await;
    server.t.run(worker, End::Completed { result: Some("{\"slept\":5}".into()) }).await;
    let shown = server.get(&format!("/v1/jobs/{}", id(&enqueued))).await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["args"], &shown["result"], &shown["attempt"]),
        (&json!("completed"), &json!({ "ms": 5 }), &json!({ "slept": 5 }), &json!(1))
    );
    for field in ["attempts", "steps", "waits_for"] {
        assert_eq!(shown[field], json!([]), "{field}");
    }
}

async fn everything_that_a_job_can_be_asked_for_is_kept(t: TestStore) {
    let server = Server::over(t).await;
    let parent = server.t.add(|_| {}).await;
    let wanted = json!({
        "kind": "system.noop", "args": {}, "queue": "mail", "priority": 2, "max_attempts": 7, "tenant": "acme",
        "tags": ["a", "b"], "metadata": { "order": 7 }, "after": [parent], "on_parent_failure": "run",
        "run_at": "2099-01-01T00:00:00Z",
    });

    let enqueued = server.post("/v1/jobs", &wanted).await.expect(202);

    let shown = server.get(&format!("/v1/jobs/{}", id(&enqueued))).await.expect(200);
    for field in ["queue", "priority", "max_attempts", "tenant", "tags", "metadata", "run_at"] {
        assert_eq!(shown[field], wanted[field], "{field}");
    }
    assert_eq!(shown["waits_for"], json!([parent]));
    let later = json!({ "kind": "system.noop", "delay": "1h" });
    let later = server.post("/v1/jobs", &later).await.expect(202);
    assert_eq!(server.get(&format!("/v1/jobs/{}", id(&later))).await.expect(200)["state"], "scheduled");
}

/// They were once read as numbers and written again: 1e400 was refused, and others lost digits.
async fn arguments_are_kept_as_they_were_written(t: TestStore) {
    const ARGS: &str = r#"{ "b": 1e400, "amount": 0.1000000000000000055, "a": 123456789012345678901234567890, "s": "\u00e9" }"#;
    let server = Server::over(t).await;
    let send = async |path: &str, body: String| {
        let request = server.bare(Method::POST, path).bearer_auth(TOKEN);
        answer(request.header("content-type", "application/json").body(body)).await.expect(202)
    };
    let wanted = format!(r#"{{"kind": "test.as_written", "args": {ARGS}, "delay": "1h"}}"#);

    let one = id(&send("/v1/jobs", wanted.clone()).await);
    let many = id(&send("/v1/jobs/batch", format!(r#"{{"jobs": [{wanted}]}}"#)).await["jobs"][0]);
    let parent = format!(r#"{{"kind": "system.noop", "on_success": [{wanted}]}}"#);
    send("/v1/jobs", parent).await;

    let all = server.t.store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap();
    let kept = all.iter().filter(|job| job.kind == "test.as_written");
    let kept: Vec<_> = kept.map(|job| job.args.as_str()).collect();
    assert_eq!(kept, [ARGS; 3]);
    for path in [format!("/v1/jobs/{one}"), format!("/v1/jobs?id={many}")] {
        let shown = server.get(&path).await;
        assert!(shown.text.contains(&format!(r#""args":{ARGS},"#)), "{shown:?}");
    }
}

async fn a_job_with_a_key_that_is_held_is_answered_with_the_holder(t: TestStore) {
    let server = Server::over(t).await;
    let wanted = |ms: u64| json!({ "kind": "system.sleep", "args": { "ms": ms }, "unique_key": "order 7" });
    let first = server.post("/v1/jobs", &wanted(1)).await.expect(202);

    let second = server.post("/v1/jobs", &wanted(2)).await.expect(200);
    let mut replacing = wanted(3);
    replacing["on_conflict"] = json!("replace");
    let third = server.post("/v1/jobs", &replacing).await.expect(200);

    assert_eq!((id(&second), id(&third), &third["duplicate"]), (id(&first), id(&first), &json!(true)));
    let shown = server.get(&format!("/v1/jobs/{}", id(&first))).await.expect(200);
    assert_eq!(shown["args"], json!({ "ms": 3 }));
}

async fn a_batch_is_enqueued_whole_or_not_at_all(t: TestStore) {
    let server = Server::over(t).await;
    let good = json!({ "kind": "system.noop" });

    let refused = json!({ "jobs": [good, { "kind": "system.sleep", "args": { "ms": "soon" } }] });
    let refused = server.post("/v1/jobs/batch", &refused).await.expect(422);
    assert_eq!(refused["errors"][0]["field"], "/jobs/1/args");
    assert_eq!(server.t.store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap(), []);

    let enqueued = server.post("/v1/jobs/batch", &json!({ "jobs": vec![good; 250] })).await.expect(202);
    let told: BTreeSet<_> = enqueued["jobs"].as_array().unwrap().iter().map(id).collect();
    let there = JobFilter { limit: Some(1_000), ..JobFilter::default() };
    let there = server.t.store.jobs(&Scope::Installation, &there).await.unwrap();
    assert_eq!((told.len(), told), (250, there.into_iter().map(|job| job.id).collect()));
}

/// SQLite spoke of an id that the caller never saw, and neither store said where.
async fn a_job_that_would_wait_for_nobody_is_refused_where_it_says_so(t: TestStore) {
    let server = Server::over(t).await;
    let parent = server.t.add(|_| {}).await;
    let nobody = "01890000-0000-7000-8000-000000000000";
    let job = json!({ "kind": "system.noop", "after": [parent, nobody] });

    let one = server.post("/v1/jobs", &job).await.expect(409);
    let batch =
        json!({ "jobs": [{ "kind": "system.noop", "on_success": [{ "kind": "system.noop" }] }, job] });
    let many = server.post("/v1/jobs/batch", &batch).await.expect(409);

    let detail = format!("after: job {nobody} is not known; it was never enqueued or has been pruned");
    for (told, field) in [(one, "/after/1"), (many, "/jobs/1/after/1")] {
        assert_eq!(told["errors"], json!([{ "field": field, "detail": detail }]), "{told}");
    }
}

async fn a_trace_context_is_kept_with_the_job(t: TestStore) {
    let server = Server::over(t).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = server.request("/v1/jobs", &json!({ "kind": "system.noop", "metadata": { "own": 1 } }));

    let enqueued = answer(traced.header("traceparent", parent).header("tracestate", "a=1")).await.expect(202);

    let shown = server.get(&format!("/v1/jobs/{}", id(&enqueued))).await.expect(200);
    assert_eq!(shown["metadata"], json!({ "own": 1, "traceparent": parent, "tracestate": "a=1" }));
    // Metadata that the caller may send is not refused for what its tracer adds.
    let large = json!({ "own": "x".repeat((16 << 10) - 50) });
    let traced = server.request("/v1/jobs", &json!({ "kind": "system.noop", "metadata": large }));
    let enqueued = answer(traced.header("traceparent", parent)).await.expect(202);
    let shown = server.get(&format!("/v1/jobs/{}", id(&enqueued))).await.expect(200);
    assert_eq!(shown["metadata"], large);
}

async fn a_job_brings_the_jobs_for_its_end_and_whom_to_tell(t: TestStore) {
    let receiver = Receiver::start().await;
    let server = Server::with(t, Setup { receiver: Some(receiver.url("")), ..Setup::default() }).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let wanted = json!({
        "kind": "system.noop", "tenant": "acme", "tags": ["main"],
        "on_success": [{ "kind": "system.sleep", "args": { "ms": 1 }, "tags": ["good"],
                         "on_success": [{ "kind": "system.noop", "tags": ["better"] }] }],
        "on_failure": [{ "kind": "system.noop", "tags": ["bad"], "tenant": "other" }],
        "callback": { "url": receiver.url("/hooks/7"), "events": ["completed"] },
    });

    let enqueued =
        answer(server.request("/v1/jobs", &wanted).header("traceparent", parent)).await.expect(202);

    let jobs = server.get("/v1/jobs").await.expect(200)["jobs"].as_array().unwrap().clone();
    let tagged = |tag: &str| jobs.iter().find(|job| job["tags"] == json!([tag])).unwrap();
    let call = jobs.iter().find(|job| job["kind"] == "system.callback").unwrap();
    assert_eq!((jobs.len(), &tagged("main")["id"]), (5, &enqueued["id"]));
    for (job, after) in
        [(tagged("good"), "main"), (tagged("better"), "good"), (tagged("bad"), "main"), (call, "main")]
    {
        let shown = server.get(&format!("/v1/jobs/{}", job["id"].as_str().unwrap())).await.expect(200);
        assert_eq!(
            (&shown["state"], &shown["waits_for"]),
            (&json!("waiting"), &json!([tagged(after)["id"]]))
        );
    }
    assert_eq!((&tagged("better")["tenant"], &tagged("bad")["tenant"]), (&json!("acme"), &json!("other")));
    assert_eq!(tagged("better")["metadata"], json!({ "traceparent": parent }));
    assert_eq!((&call["args"]["job"], &call["args"]["events"]), (&enqueued["id"], &json!(["completed"])));

    let worker = server.t.worker().await;
    server.t.run(worker, completed()).await;
    let states = async || {
        let jobs = server.get("/v1/jobs").await.expect(200)["jobs"].as_array().unwrap().clone();
        let state = |tag: &str| jobs.iter().find(|job| job["tags"] == json!([tag])).unwrap()["state"].clone();
        ["main", "good", "better", "bad"].map(state)
    };
    assert_eq!(states().await, ["completed", "available", "waiting", "cancelled"]);
}

async fn jobs_that_come_with_others_count_in_a_batch(t: TestStore) {
    let limits = Limits { batch: 4, ..limits() };
    let server = Server::with(t, Setup { limits, ..Setup::default() }).await;
    let noop = json!({ "kind": "system.noop" });
    let with_two = json!({ "kind": "system.noop", "on_success": [noop], "on_failure": [noop] });
    let send = async |jobs: &[&Value]| server.post("/v1/jobs/batch", &json!({ "jobs": jobs })).await;

    let enqueued = send(&[&with_two, &noop]).await.expect(202);
    let refused = send(&[&with_two, &noop, &noop]).await.expect(422);

    assert_eq!(enqueued["jobs"].as_array().unwrap().len(), 2);
    assert_eq!((&refused["code"], &refused["errors"][0]["field"]), (&json!("invalid_body"), &json!("/jobs")));
    assert_eq!(server.get("/v1/jobs").await.expect(200)["jobs"].as_array().unwrap().len(), 4);
}

async fn a_listing_goes_on_where_it_ended(t: TestStore) {
    let server = Server::over(t).await;
    let mut mail = Vec::new();
    for n in 0..5 {
        let queue = if n == 2 { "other" } else { "mail" };
        let wanted = json!({ "kind": "system.noop", "queue": queue, "tags": ["x", "y&z"], "tenant": "acme" });
        let enqueued = server.post("/v1/jobs", &wanted).await.expect(202);
        if queue == "mail" {
            mail.push(id(&enqueued));
        }
    }
    mail.reverse();
    let path = "/v1/jobs?queue=mail&state=available&state=running&tag=x&tag=y%26z&tenant=acme&kind=system.noop&limit=3";

    let first = server.get(path).await.expect(200);
    let next = first["next"].as_str().unwrap();
    let second = server.get(&format!("{path}&before={next}")).await.expect(200);

    let ids = |page: &Value| page["jobs"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    assert_eq!([ids(&first), ids(&second)].concat(), mail);
    assert_eq!(second["next"], Value::Null);
    for none in ["created_until=1999-01-01T00:00:00Z", "error=x", "tag=y", "queue=none"] {
        assert_eq!(server.get(&format!("/v1/jobs?{none}")).await.expect(200)["jobs"], json!([]), "{none}");
    }
}

async fn a_page_of_large_jobs_is_shorter_and_none_is_left_out(t: TestStore) {
    let server = Server::over(t).await;
    let large = format!("\"{}\"", "x".repeat(1_000_000));
    let mut added = Vec::new();
    for _ in 0..6 {
        added.push(server.t.add(|row| row.args.clone_from(&large)).await);
    }
    added.push(server.t.add(|_| {}).await);
    added.reverse();

    let (mut told, mut lengths, mut path) = (Vec::new(), Vec::new(), "/v1/jobs".to_owned());
    loop {
        let page = server.get(&path).await.expect(200);
        let ids: Vec<_> = page["jobs"].as_array().unwrap().iter().map(id).collect();
        lengths.push(ids.len());
        told.extend(ids);
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/jobs?before={next}"),
            None => break,
        }
    }

    assert_eq!((told, lengths), (added, vec![5, 2]));
}

async fn many_files_of_a_job_are_listed_in_pages(t: TestStore) {
    let server = Server::over(t).await;
    let job = server.t.add(|_| {}).await;
    for (claim, name) in [(1, "b"), (1, "a"), (12, "a"), (2, "ü %")] {
        server.artifacts.put(Owner { job, claim }, name, Vec::new()).await.unwrap();
    }

    let (mut told, mut after) = (Vec::new(), String::new());
    for _ in 0..4 {
        let encoded: String = after.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let after_that = if after.is_empty() { String::new() } else { format!("&after={encoded}") };
        let listed = server.get(&format!("/v1/jobs/{job}/artifacts?limit=1{after_that}")).await.expect(200);
        let [file] = &listed["artifacts"].as_array().unwrap()[..] else { panic!("{listed}") };
        told.push((file["claim"].as_str().unwrap().to_owned(), file["name"].as_str().unwrap().to_owned()));
        after = listed["next"].as_str().unwrap_or_default().to_owned();
    }

    assert_eq!(after, "");
    let told: Vec<_> = told.iter().map(|(claim, name)| (claim.as_str(), name.as_str())).collect();
    assert_eq!(told, [("1", "a"), ("1", "b"), ("2", "ü %"), ("12", "a")]);
}

async fn a_job_is_retried_cancelled_and_discarded_by_the_caller_in_the_audit_log(t: TestStore) {
    let server = Server::over(t).await;
    let worker = server.t.worker().await;
    let job = server.t.add(|_| {}).await;
    let change = async |what: &str| server.post(&format!("/v1/jobs/{job}/{what}"), &json!({})).await;

    change("discard").await.expect(200);
    assert_eq!(change("cancel").await.expect(409)["code"], "wrong_state");
    change("retry").await.expect(200);
    server.t.claim_one(worker).await;
    assert_eq!(change("cancel").await.expect(202)["asked"], true);

    let audit = server.t.audit().await;
    let told: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    let by = "token:api";
    assert_eq!(told, [("job.discard", by), ("job.retry", by), ("job.cancel", by)]);
}

async fn a_wait_is_answered_when_the_job_has_ended(t: TestStore) {
    let server = Server::over(t).await;
    let worker = server.t.worker().await;
    let job = server.t.add(|_| {}).await;
    let path = format!("/v1/jobs/{job}/wait");
    assert_eq!(server.get(&format!("{path}?timeout=0s")).await.expect(202)["state"], "available");

    let waiting: Vec<_> =
        (0..20).map(|_| tokio::spawn(answer(server.bare(Method::GET, &path).bearer_auth(TOKEN)))).collect();
    server.t.run(worker, discarded()).await;

    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().expect(200)["state"], "discarded");
    }
    assert_eq!(server.get(&path).await.expect(200)["error"], "beyond help");
}

async fn a_queue_is_paused_with_a_reason_and_resumed(t: TestStore) {
    let server = Server::over(t).await;
    server.t.add(|_| {}).await;

    let paused = server.post("/v1/queues/default/pause", &json!({ "reason": "month end" })).await.expect(200);
    assert_eq!(paused, json!({ "queue": "default", "paused": true }));
    let shown = server.get("/v1/queues").await.expect(200)["queues"][0].clone();
    assert_eq!(
        (&shown["paused_by"], &shown["reason"], &shown["counts"]),
        (&json!("token:api"), &json!("month end"), &json!({ "available": 1 }))
    );
    server.post("/v1/queues/default/resume", &json!({})).await.expect(200);
    assert_eq!(server.get("/v1/queues").await.expect(200)["queues"][0]["paused_at"], Value::Null);
}

async fn workers_and_kinds_are_listed(t: TestStore) {
    let server = Server::over(t).await;
    let worker = server.t.worker().await;

    let workers = server.get("/v1/workers").await.expect(200);
    assert_eq!(
        (&workers["workers"][0]["id"], &workers["workers"][0]["lease_ms"]),
        (&json!(worker.0), &json!(30_000.0))
    );
    let kinds = server.get("/v1/kinds").await.expect(200);
    let names: Vec<_> =
        kinds["kinds"].as_array().unwrap().iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "system.bulk",
            "system.callback",
            "system.fail",
            "system.noop",
            "system.sleep",
            "system.steps",
            "test.as_written",
            "test.internal",
            "test.reads_upload",
            "test.sealed"
        ]
    );
    assert_eq!(kinds["kinds"][3]["backoff"]["first_ms"], json!(1_000.0));
}

async fn the_files_of_a_job_are_listed_and_fetched_and_no_others(t: TestStore) {
    let server = Server::over(t).await;
    let (job, other) = (server.t.add(|_| {}).await, server.t.add(|_| {}).await);
    let large: Vec<u8> = (0..600_000u32).map(|n| n as u8).collect();
    let put = async |job, claim, name: &str, bytes: &[u8]| {
        server.artifacts.put(Owner { job, claim }, name, bytes.to_vec()).await.unwrap()
    };
    put(job, 1 << 32, "scores für März.csv", b"a,b").await;
    let address = put(job, 2 << 32, "large.bin", &large).await;
    put(other, 1 << 32, "secret.txt", b"no").await;
    let worker = server.t.worker().await;
    server.t.claim(worker, 2).await;

    let listed = server.get(&format!("/v1/jobs/{job}/artifacts")).await.expect(200);

    let files = listed["artifacts"].as_array().unwrap();
    let told: Vec<_> =
        files.iter().map(|file| (file["name"].as_str().unwrap(), file["bytes"].as_u64().unwrap())).collect();
    assert_eq!(told, [("scores für März.csv", 3), ("large.bin", 600_000)]);
    assert_eq!(files[1]["address"], json!(address));
    let fetch = async |href: &str| {
        let response = server.bare(Method::GET, href).bearer_auth(TOKEN).send().await.unwrap();
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let headers = (header("content-disposition"), header("content-type"));
        (response.status().as_u16(), headers, response.bytes().await.unwrap())
    };
    let (status, headers, bytes) = fetch(files[1]["href"].as_str().unwrap()).await;
    assert_eq!((status, bytes.as_ref() == large), (200, true));
    assert_eq!(headers.1.as_deref(), Some("application/octet-stream"));
    let (status, headers, bytes) = fetch(files[0]["href"].as_str().unwrap()).await;
    assert_eq!((status, bytes.as_ref()), (200, &b"a,b"[..]));
    assert_eq!(headers.0.as_deref(), Some("attachment; filename*=UTF-8''scores%20f%C3%BCr%20M%C3%A4rz.csv"));
    let claim = 1u64 << 32;
    for path in [
        format!("/v1/jobs/{job}/artifacts/{claim}/secret.txt"),
        format!("/v1/jobs/{job}/artifacts/{claim}/..%2F..%2F{other}%2F{claim}%2Fsecret.txt"),
        format!("/v1/jobs/{job}/artifacts/{claim}/%2E%2E"),
        format!("/v1/jobs/{job}/artifacts/7/large.bin"),
    ] {
        let (status, ..) = fetch(&path).await;
        assert_eq!(status, 404, "{path}");
    }
    // What belongs to a job that is gone is nobody's.
    let gone = server.t.ids.next();
    put(gone, claim, "left.txt", b"no").await;
    server.get(&format!("/v1/jobs/{gone}/artifacts")).await.expect(404);
}
