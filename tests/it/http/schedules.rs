//! Schedules over HTTP: what a caller puts is what fires, and what the configuration owns stays its own.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::http::{Server, TOKEN, answer};
use crate::support::store::{TestStore, promises};

promises![
    a_schedule_is_put_shown_replaced_and_deleted,
    what_is_shown_can_be_put_again_as_it_is,
    a_schedule_is_paused_with_a_reason_and_resumed,
    a_run_by_hand_enqueues_one_job_now,
    a_run_under_a_key_is_one_run_however_often_it_is_asked_for,
    a_backfill_tells_first_enqueues_once_and_then_nothing,
    the_next_fire_times_are_told_in_words_and_instants,
    a_simulation_tells_what_becomes_of_each_fire_time,
    what_the_configuration_owns_is_refused_and_can_be_paused,
];

async fn call(server: &Server, method: Method, path: &str, body: &Value) -> crate::support::http::Answer {
    answer(server.bare(method, path).bearer_auth(TOKEN).json(body)).await
}

fn hourly() -> Value {
    json!({
        "kind": "system.sleep", "args": { "ms": 5 }, "cron": "0 * * * *", "zone": "Europe/Berlin", "tags": ["a"],
        "misfire": "all", "misfire_limit": 24, "jitter": "0s", "queue": "slow",
    })
}

async fn put(server: &Server, name: &str, definition: &Value) -> Value {
    call(server, Method::PUT, &format!("/v1/schedules/{name}"), definition).await.expect(200)
}

fn names(listed: &Value) -> Vec<&str> {
    listed["schedules"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

/// Manual clocks begin at 10:00 UTC on Friday, 2 January 2026.
async fn a_schedule_is_put_shown_replaced_and_deleted(t: TestStore) {
    let server = Server::over(t).await;

    let made = put(&server, "hourly", &hourly()).await;

    assert_eq!(
        (&made["source"], &made["state"], &made["drift"]),
        (&json!("api"), &json!("active"), &Value::Null)
    );
    assert_eq!(made["next_fire"], "2026-01-02T11:00:00Z");
    assert_eq!(made["words"], "at minute 0 of every hour, Europe/Berlin");
    for (field, wanted) in hourly().as_object().unwrap() {
        assert_eq!(&made["definition"][field], wanted, "{field}");
    }
    assert_eq!(server.get("/v1/schedules/hourly").await.expect(200), made);
    assert_eq!(names(&server.get("/v1/schedules").await.expect(200)), ["declared", "hourly"]);

    let replaced = put(&server, "hourly", &json!({ "kind": "system.noop", "every": "1h30m" })).await;
    assert_eq!(
        (&replaced["definition"]["every"], &replaced["definition"]["cron"]),
        (&json!("1h30m"), &Value::Null)
    );

    let deleted = call(&server, Method::DELETE, "/v1/schedules/hourly", &Value::Null).await.expect(200);
    assert_eq!(deleted, json!({ "schedule": "hourly", "deleted": true }));
    assert_eq!(server.get("/v1/schedules/hourly").await.expect(404)["code"], "not_found");
    let audit = server.t.audit().await;
    let told: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), entry.actor.as_str())).collect();
    let by = "token:api";
    assert_eq!(told, [("schedule.put", by), ("schedule.put", by), ("schedule.delete", by)]);
}

async fn what_is_shown_can_be_put_again_as_it_is(t: TestStore) {
    let server = Server::over(t).await;
    let full = json!({
        "kind": "system.sleep", "args": { "ms": 5 }, "cron": "30 6 * * MON-FRI", "zone": "Asia/Tokyo",
        "calendar": "house", "days": "next_business_day", "jitter": "5m", "from": "2026-02-01",
        "until": "2027-01-01T00:00:00Z", "misfire": "all", "misfire_limit": 7, "misfire_within": "2d",
        "overlap": "queue_one", "queue": "q", "priority": 2, "tenant": "acme", "tags": ["a", "b"], "enabled": false,
    });
    let first = put(&server, "full", &full).await;
    assert_eq!((&first["definition"], &first["state"]), (&full, &json!("disabled")));

    let again = put(&server, "full", &first["definition"]).await;

    assert_eq!(again, first);
}

async fn a_schedule_is_paused_with_a_reason_and_resumed(t: TestStore) {
    let server = Server::over(t).await;
    put(&server, "hourly", &hourly()).await;

    let paused =
        server.post("/v1/schedules/hourly/pause", &json!({ "reason": "month end" })).await.expect(200);

    assert_eq!(paused, json!({ "schedule": "hourly", "paused": true }));
    let shown = server.get("/v1/schedules/hourly").await.expect(200);
    assert_eq!(
        (&shown["state"], &shown["paused_by"], &shown["reason"], &shown["next_fire"]),
        (&json!("paused"), &json!("token:api"), &json!("month end"), &Value::Null)
    );
    server.t.clock.advance(Duration::from_secs(2 * 3_600));
    let resumed = server.post("/v1/schedules/hourly/resume", &json!({})).await.expect(200);
    assert_eq!(resumed, json!({ "schedule": "hourly", "paused": false }));
    assert_eq!(server.get("/v1/schedules/hourly").await.expect(200)["next_fire"], "2026-01-02T13:00:00Z");
}

async fn a_run_by_hand_enqueues_one_job_now(t: TestStore) {
    let server = Server::over(t).await;
    put(&server, "hourly", &hourly()).await;

    let got = server.post("/v1/schedules/hourly/run", &json!({})).await;

    let location = got.header("location").to_owned();
    let job = got.expect(202);
    assert_eq!(location, format!("/v1/jobs/{}", job["id"].as_str().unwrap()));
    let shown = server.get(&location).await.expect(200);
    assert_eq!(
        (&shown["kind"], &shown["queue"], &shown["args"]),
        (&json!("system.sleep"), &json!("slow"), &json!({ "ms": 5 }))
    );
    assert_eq!(shown["metadata"], json!({ "schedule": "hourly", "fire_time": "2026-01-02T10:00:00Z" }));
    assert_eq!(server.t.audit().await.last().unwrap().actor, "token:api");

    let jobs = async || server.get("/v1/jobs").await.expect(200)["jobs"].as_array().unwrap().len();
    assert_eq!(jobs().await, 1);
    server.t.clock.advance(Duration::from_secs(60));
    server.post("/v1/schedules/hourly/run", &json!({})).await.expect(202);
    assert_eq!(jobs().await, 2, "sent again it is another run");
}

async fn a_run_under_a_key_is_one_run_however_often_it_is_asked_for(t: TestStore) {
    let server = Server::over(t).await;
    put(&server, "hourly", &hourly()).await;
    put(&server, "other", &hourly()).await;
    let run = async |name: &str| {
        let request = server.request(&format!("/v1/schedules/{name}/run"), &json!({}));
        answer(request.header("idempotency-key", "a")).await
    };

    let first = run("hourly").await;
    server.t.clock.advance(Duration::from_secs(60));
    let again = run("hourly").await;

    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    assert_eq!(first.expect(202), again.expect(202));
    assert_eq!(run("other").await.expect(422)["code"], "idempotency_key_reused");
    assert_eq!(server.get("/v1/jobs").await.expect(200)["jobs"].as_array().unwrap().len(), 1);
    let missing = server.request("/v1/schedules/none/run", &json!({})).header("idempotency-key", "b");
    assert_eq!(answer(missing).await.expect(404)["code"], "not_found");
}

async fn a_backfill_tells_first_enqueues_once_and_then_nothing(t: TestStore) {
    let server = Server::over(t).await;
    put(&server, "hourly", &hourly()).await;
    let range = |dry_run: bool| json!({ "from": "2026-01-02T07:00:00Z", "until": "2026-01-02T10:00:00Z", "dry_run": dry_run });
    let backfill = async |dry_run| {
        let told = server.post("/v1/schedules/hourly/backfill", &range(dry_run)).await.expect(200);
        told["fire_times"].as_array().unwrap().clone()
    };

    let preview = backfill(true).await;
    let times: Vec<_> = preview.iter().map(|one| one["fire_time"].as_str().unwrap()).collect();
    assert_eq!(times, ["2026-01-02T07:00:00Z", "2026-01-02T08:00:00Z", "2026-01-02T09:00:00Z"]);
    assert!(preview.iter().all(|one| one["job_id"].is_null() && one["there_already"] == false));
    assert_eq!(server.get("/v1/jobs").await.expect(200)["jobs"], json!([]));

    let first = backfill(false).await;
    let again = backfill(false).await;

    let ids = |told: &[Value]| {
        told.iter().map(|one| one["job_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), ids(&again));
    assert!(first.iter().all(|one| one["there_already"] == false));
    assert!(again.iter().all(|one| one["there_already"] == true));
    assert_eq!(server.get("/v1/jobs").await.expect(200)["jobs"].as_array().unwrap().len(), 3);
}

async fn the_next_fire_times_are_told_in_words_and_instants(t: TestStore) {
    let server = Server::over(t).await;
    put(&server, "hourly", &hourly()).await;

    let of_name =
        server.post("/v1/schedule-previews", &json!({ "schedule": "hourly", "count": 2 })).await.expect(200);
    assert_eq!(
        of_name["times"],
        json!([
            { "fire_time": "2026-01-02T11:00:00Z", "local": "Fri 2026-01-02 12:00:00 CET" },
            { "fire_time": "2026-01-02T12:00:00Z", "local": "Fri 2026-01-02 13:00:00 CET" },
        ])
    );

    // The sixth of January is a holiday of the house.
    let described = json!({
        "definition": { "cron": "0 9 * * TUE", "calendar": "house" }, "count": 1, "after": "2026-01-05T00:00:00Z",
    });
    let described = server.post("/v1/schedule-previews", &described).await.expect(200);
    assert_eq!(
        (&described["words"], &described["times"][0]["fire_time"]),
        (
            &json!("at 09:00 on Tuesday, only on business days of `house`, UTC"),
            &json!("2026-01-13T09:00:00Z")
        )
    );
}

async fn a_simulation_tells_what_becomes_of_each_fire_time(t: TestStore) {
    let server = Server::over(t).await;
    put(&server, "hourly", &hourly()).await;
    let wanted = json!({
        "schedule": "hourly", "from": "2026-03-29T00:00:00Z", "until": "2026-03-29T05:00:00Z", "takes": "10m",
        "outages": [{ "from": "2026-03-29T00:30:00Z", "until": "2026-03-29T02:30:00Z" }], "misfire": "once",
    });

    let told = server.post("/v1/schedule-simulations", &wanted).await.expect(200);

    let event = |at: &str, outcome: &str, starts: Option<&str>| {
        let time = |at: &str| format!("2026-03-29T{at}:00Z");
        json!({ "fire_time": time(at), "outcome": outcome, "starts": starts.map(time) })
    };
    assert_eq!(
        told["events"],
        json!([
            event("00:00", "fired", Some("00:00")),
            event("01:00", "missed", None),
            event("02:00", "caught_up", Some("02:30")),
            event("03:00", "fired", Some("03:00")),
            event("04:00", "fired", Some("04:00")),
        ])
    );
    assert_eq!(server.get("/v1/jobs").await.expect(200)["jobs"], json!([]));
}

async fn what_the_configuration_owns_is_refused_and_can_be_paused(t: TestStore) {
    let server = Server::over(t).await;
    assert_eq!(server.get("/v1/schedules/declared").await.expect(200)["drift"], "not_applied");
    let worker = server.work();
    while server.get("/v1/schedules/declared").await.expect(200)["drift"] == "not_applied" {}

    for (method, body) in [(Method::PUT, hourly()), (Method::DELETE, Value::Null)] {
        let refused = call(&server, method, "/v1/schedules/declared", &body).await.expect(409);
        assert_eq!(
            (&refused["code"], &refused["errors"][0]["field"]),
            (&json!("owned_by_configuration"), &json!("name"))
        );
        assert!(refused["remedy"].as_str().unwrap().contains("in the configuration"), "{refused}");
    }

    server.post("/v1/schedules/declared/pause", &json!({ "reason": "audit" })).await.expect(200);
    let shown = server.get("/v1/schedules/declared").await.expect(200);
    assert_eq!((&shown["state"], &shown["source"]), (&json!("paused"), &json!("config")));
    server.stop.cancel();
    worker.abort();
}
