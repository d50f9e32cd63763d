//! The OpenAPI document, held against the server by `schemathesis`: no 5xx, no answer that is not described, nothing
//! wrong accepted, nothing open that should be closed.

use std::collections::BTreeSet;
use std::process::Stdio;

use futures::StreamExt;
use jobkit::{CallEnd, Clock, LogLevel, LogLine, Owner, Progress, RecordChange, RecordId};
use reqwest::Method;
use serde_json::{Value, json};
use store::breaker::BreakerRules;
use store::rule::{By, Rate, Rule, Rules};
use store::{News, Report, Role, Severity};

use super::access::signed_in;
use crate::support::http::{Server, Setup, TOKEN, answer};
use crate::support::store::{TestStore, attempting, completed, discarded, model, promises, report, step};

promises![
    the_document_is_served_and_describes_every_route,
    schemathesis_finds_nothing,
    schemathesis_finds_nothing_by_four_roles_of_two_tenants,
    what_is_shown_of_things_that_exist_is_as_described,
];

async fn the_document_is_served_and_describes_every_route(t: TestStore) {
    let server = Server::over(t).await;

    let document = server.get("/openapi.json").await.expect(200);

    assert_eq!((&document["openapi"], &document["info"]["title"]), (&json!("3.1.0"), &json!("Compline")));
    let mut names = BTreeSet::new();
    let problem = &json!({ "$ref": "#/components/schemas/Problem" });
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            assert!(names.insert(operation["operationId"].to_string()), "two are named as {method} {path}");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let told = &answer["content"]["application/problem+json"]["schema"];
                // What is missing is told there in a form of its own.
                let failed =
                    status.starts_with(['4', '5']) && (path.as_str(), status.as_str()) != ("/readyz", "503");
                assert_eq!(failed, told == problem, "{method} {path} {status}: {answer}");
            }
        }
    }
}

/// What it said, and the requests it made with their answers.
async fn schemathesis(server: &Server, token: &str, more: &[&str], settings: &str) -> String {
    let python = std::env::var("COMPLINE_TEST_PYTHON")
        .expect("COMPLINE_TEST_PYTHON, a Python with tests/python/requirements.txt; scripts/test makes it");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), settings).unwrap();
    let url = format!("{}/openapi.json", server.url);
    let header = format!("Authorization: Bearer {token}");
    let args = [
        "-m",
        "schemathesis.cli",
        "run",
        &url,
        "--header",
        &header,
        // What a kind takes, and which fields go together, is not in the document.
        "--checks",
        "all",
        "--exclude-checks",
        "positive_data_acceptance",
        "--seed",
        "7",
        "--request-timeout",
        "20",
        "--suppress-health-check",
        "all",
        "--warnings",
        "off",
        "--report-vcr-path",
        "told.yaml",
    ];

    let ran = tokio::process::Command::new(python)
        .args(args)
        .args(more)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();

    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    std::fs::read_to_string(folder.path().join("told.yaml")).unwrap()
}

/// Where nobody signs in, the routes of sessions say 503, which is right and looks like a fault.
fn signing_in() -> Setup {
    Setup { identity: true, ..Setup::default() }
}

async fn schemathesis_finds_nothing(t: TestStore) {
    const SECONDS: &str = "45";
    let server = Server::with(t, signing_in()).await;
    // A stream does not end; a wait does when the job has, and here nobody works.
    let more =
        ["--exclude-path", "/v1/events", "--exclude-path", "/v1/jobs/{id}/wait", "--max-time", SECONDS];

    schemathesis(&server, TOKEN, &more, "").await;

    let _: Value = server.get("/livez").await.expect(200);
}

/// As long for each of eight as for all of them when nothing is said; `scripts/campaigns/contract` says more.
fn seconds_for_each() -> String {
    std::env::var("COMPLINE_TEST_CONTRACT_SECONDS").unwrap_or_else(|_| "6".into())
}

async fn schemathesis_finds_nothing_by_four_roles_of_two_tenants(t: TestStore) {
    let server = Server::with(t, signing_in()).await;
    let seconds = seconds_for_each();
    // Beside what has no end: whoever ends his own sessions hears 401 from then on.
    let left_out = ["/v1/events", "/v1/jobs/{id}/wait", "/auth/sign-out", "/auth/sessions"];
    let more: Vec<_> = left_out.iter().flat_map(|path| ["--exclude-path", path]).collect();
    let more: Vec<_> = more.into_iter().chain(["--max-time", &seconds]).collect();
    let mut callers = Vec::new();
    for tenant in ["north", "south"] {
        for role in Role::ALL {
            callers.push(signed_in(&server, *role, Some(tenant)).await.bearer.unwrap());
        }
    }

    // Two at a time, as there are processors to be found here.
    let runs = callers.iter().map(|caller| schemathesis(&server, caller, &more, ""));
    let _: Vec<_> = futures::stream::iter(runs).buffered(2).collect().await;

    // Whoever was not let in, or was sent away, would have found nothing either.
    for caller in &callers {
        answer(server.bare(Method::GET, "/v1/jobs").bearer_auth(caller)).await.expect(200);
    }
}

/// Ids that are made up are answered with 404, so what is shown of things that exist was held against nothing.
async fn what_is_shown_of_things_that_exist_is_as_described(t: TestStore) {
    let server = Server::with(t, signing_in()).await;
    let things = seed(&server).await;
    let settings: String = things
        .iter()
        .map(|(path, parameters)| {
            let parameters: Vec<_> =
                parameters.iter().map(|(name, value)| format!("\"path.{name}\" = \"{value}\"")).collect();
            format!(
                "[[operations]]\ninclude-path = \"{path}\"\nparameters = {{ {} }}\n",
                parameters.join(", ")
            )
        })
        .collect();
    // The ids are given, also where it means to send something else in their place: that is refused elsewhere.
    let checks = "positive_data_acceptance,negative_data_rejection";
    let more = [
        "--include-method",
        "GET",
        "--exclude-path",
        "/v1/events",
        "--max-examples",
        "10",
        "--exclude-checks",
        checks,
    ];

    let told = schemathesis(&server, TOKEN, &more, &settings).await;

    for (path, parameters) in things {
        let fill = |path: String, (name, value): &(&str, String)| path.replace(&format!("{{{name}}}"), value);
        let path = parameters.iter().fold(path.to_owned(), fill);
        assert!(was_shown(&told, &format!("{}{path}", server.url)), "{path} was not answered with 200");
    }
}

/// Whether the address was asked for and answered with 200.
fn was_shown(told: &str, address: &str) -> bool {
    told.split("\n- id: ").any(|exchange| {
        let uri = exchange.lines().find_map(|line| line.trim().strip_prefix("uri: "));
        let asked = uri.is_some_and(|uri| uri.trim_matches(['\'', '"']) == address);
        let status =
            exchange.lines().any(|line| matches!(line.trim(), "code: '200'" | "code: 200" | "code: \"200\""));
        asked && status
    })
}

/// One of each thing that can be shown, as full as it comes; each path with its parameters.
async fn seed(server: &Server) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let (t, id) = (&server.t, |answer: &Value| answer["id"].as_str().unwrap().to_owned());
    t.take_in(&[("a1", "ledger")]).await;
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let keeper = attempting(&t.claim_one(worker).await);
    let letter = RecordChange {
        id: RecordId { collection: "post.letter".into(), tenant: None, key: "L-1".into() },
        from: 0,
        names: vec!["stamp-1".into()],
        state: "sent".into(),
        due_at: Some(t.clock.now()),
        body: json!({ "pages": [1, null] }),
        action: "post.letter.sent".into(),
        details: Value::Null,
        news: Vec::new(),
        hold: jobkit::Hold::Kept,
    };
    t.store.record_put(&keeper, &letter).await.unwrap();
    t.add(|_| {}).await;
    let reviewed = t.run(worker, completed()).await.to_string();
    let review = json!({ "by": "Ada", "items": [
        { "item": "JE-1", "decision": "follow_up", "comment": "who is it?" },
        { "item": "JE-2", "decision": "cleared" },
    ] });
    server.post(&format!("/v1/jobs/{reviewed}/reviews"), &review).await.expect(200);
    let wanted = json!({
        "kind": "test.as_written", "args": { "amount": 1.50 }, "tenant": "acme", "tags": ["x"],
        "metadata": { "order": 7 }, "max_attempts": 2, "delay": "1s",
    });
    let job = id(&server.post("/v1/jobs", &wanted).await.expect(202));
    server.post(&format!("/v1/jobs/{job}/retry"), &json!({})).await.expect(200);
    let claimed = t.claim_one(worker).await;
    t.store.save_step(claimed.held(), &step(claimed.id, "send", Some(json!([1])), &t.clock)).await.unwrap();
    let progress = Progress { done: 1, total: 2, message: "half".into() };
    t.store.save_progress(claimed.held(), &progress).await.unwrap();
    let owner = Owner { job: claimed.id, claim: 1 };
    server.artifacts.put(owner, "scores.csv", b"a,b".to_vec()).await.unwrap();
    let log = vec![LogLine { at: t.clock.now(), level: LogLevel::Info, text: "begun".into() }];
    let discarded = report(&claimed, discarded());
    t.store.finish(worker, &[Report { log, ..discarded }]).await.unwrap();

    let hourly = json!({ "kind": "test.as_written", "cron": "@hourly", "args": { "n": 1 } });
    let put = server.bare(Method::PUT, "/v1/schedules/hourly").bearer_auth(TOKEN).json(&hourly);
    answer(put).await.expect(200);
    server.post("/v1/schedules/hourly/run", &json!({})).await.expect(202);
    server.post("/v1/schedules/hourly/pause", &json!({ "reason": "month end" })).await.expect(200);
    server.post("/v1/queues/default/pause", &json!({ "reason": "month end" })).await.expect(200);
    let bulk =
        json!({ "action": "cancel", "filter": { "kinds": ["a.b"], "created_from": "2026-01-01T00:00:00Z" } });
    let bulk = id(&server.post("/v1/bulk-operations", &bulk).await.expect(202));

    let stuck = News::began("queue.stuck", "mail", Severity::Critical, "mail is stuck").queue("mail");
    t.store.raise(&[stuck]).await.unwrap();
    while t.store.fold(100, &t.ids).await.unwrap() > 0 {}
    let alert = id(&server.get("/v1/alerts").await.expect(200)["alerts"][0]);

    let rule = Rule {
        name: "accounts".into(),
        kinds: vec!["test.*".into()],
        queues: vec!["default".into()],
        by: By::Args(vec!["id".into()]),
        rate: Some(Rate { pace: "50/s".parse().unwrap(), burst: 5 }),
        concurrency: Some(7),
    };
    t.store.put_limits(&Rules::new([rule])).await.unwrap();
    let pause = json!({ "key": "a", "until": "2999-01-01T00:00:00Z", "reason": "they asked us to wait" });
    server.post("/v1/limits/accounts/pause", &pause).await.expect(200);
    t.store.leave_breaker("docusign", CallEnd::Failed, BreakerRules::default()).await.unwrap();

    let token = json!({ "name": "billing", "permissions": ["jobs:read"], "networks": ["10.0.0.0/8"] });
    let token = server.post("/v1/tokens", &token).await.expect(201);
    let rotation = format!("/v1/tokens/{}/rotate", id(&token["token"]));
    server.post(&rotation, &json!({ "grace": "7d" })).await.expect(200);
    let user = json!({ "email": "ada@example.org", "name": "Ada", "role": "viewer", "tenant": "north",
                       "password": "nanoseconds are eleven inches" });
    let user = id(&server.post("/v1/users", &user).await.expect(201));

    let of = |name: &'static str, value: &str| vec![(name, value.to_owned())];
    let file = vec![("id", job.clone()), ("claim", "1".to_owned()), ("name", "scores.csv".to_owned())];
    vec![
        ("/readyz", vec![]),
        ("/v1/jobs", vec![]),
        ("/v1/queues", vec![]),
        ("/v1/workers", vec![]),
        ("/v1/kinds", vec![]),
        ("/v1/schedules", vec![]),
        ("/v1/alerts", vec![]),
        ("/v1/limits", vec![]),
        ("/v1/jobs/{id}", of("id", &job)),
        ("/v1/jobs/{id}/wait", of("id", &job)),
        ("/v1/jobs/{id}/artifacts", of("id", &job)),
        ("/v1/jobs/{id}/artifacts/{claim}/{name}", file),
        ("/v1/bulk-operations/{id}", of("id", &bulk)),
        ("/v1/schedules/{name}", of("name", "hourly")),
        ("/v1/alerts/{id}", of("id", &alert)),
        ("/v1/limits/{name}", of("name", "accounts")),
        ("/v1/jobs/{id}/reviews", of("id", &reviewed)),
        ("/v1/jobs/{id}/reviews/latest", of("id", &reviewed)),
        ("/v1/tokens", vec![]),
        ("/v1/tokens/{id}", of("id", &id(&token["token"]))),
        ("/v1/users", vec![]),
        ("/v1/users/{id}", of("id", &user)),
        ("/v1/records/{collection}", of("collection", "post.letter")),
        ("/v1/records/{collection}/{key}", vec![("collection", "post.letter".into()), ("key", "L-1".into())]),
        ("/v1/models", vec![]),
        ("/v1/models/{id}", of("id", &model("a1", "ledger").id)),
    ]
}
