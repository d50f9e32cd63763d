//! The real server as a process: what it logs, and what is left when it is killed.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::adapters::tls;
use serde_json::{Value, json};

use crate::support::binary::Place;
use crate::support::postgres::empty_database;
use crate::support::serving::Serving;

const TOKEN: &str = "a token for the binary, long enough";

fn place(database: Option<&str>) -> Place {
    let place = Place::new().with("COMPLINE__HTTP__TOKEN", "env:THE_TOKEN").with("THE_TOKEN", TOKEN);
    match database {
        Some(url) => place.with("COMPLINE__STORE__URL", url),
        None => place,
    }
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.tls_backend_preconfigured(tls::client(None).unwrap()).build().unwrap()
}

async fn eventually(what: &str, condition: impl AsyncFn() -> bool) {
    for _ in 0..1_200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never came true: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trace_of_a_request_stands_in_its_log_line_and_with_its_job() {
    let place = place(None).with("COMPLINE__LOG__FILTER", "debug");
    place.run(&["migrate"]).expect(0);
    let serving = Serving::start(&place);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");

    let request = client().post(format!("{}/v1/jobs", serving.url)).bearer_auth(TOKEN);
    let request = request.header("traceparent", &parent).header("x-request-id", "mine-1");
    let enqueued =
        request.json(&json!({ "kind": "system.sleep", "args": { "ms": 1 } })).send().await.unwrap();
    assert_eq!(enqueued.status(), 202);
    let enqueued: Value = serde_json::from_str(&enqueued.text().await.unwrap()).unwrap();
    let id = enqueued["id"].as_str().unwrap();

    eventually("the request is logged with its trace", async || {
        !serving.lines_with(&["POST /v1/jobs answered 202", "mine-1", trace]).is_empty()
    })
    .await;
    assert_eq!(place.job(id)["metadata"], json!({ "traceparent": parent }));
}

/// The real cost of a password, and a log at its most talkative.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_in_is_known_and_the_log_does_not_say_as_whom() {
    const EMAIL: &str = "grace.hopper@example.org";
    const PASSWORD: &str = "a compiler for everybody, please";
    let place = place(None)
        .with("COMPLINE__LOG__FILTER", "trace")
        .with("COMPLINE__IDENTITY__KEY", "env:THE_KEY")
        .with("THE_KEY", "a key for the binary, of thirty-two bytes and more");
    let create =
        ["users", "create", "--email", EMAIL, "--name", "Grace", "--role", "owner", "--password-stdin"];
    place.run_with_input(&create, PASSWORD).expect(0);
    let serving = Serving::start(&place);
    let post = async |path: &str, body: Value| {
        let answer = client().post(format!("{}{path}", serving.url)).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };

    let wrong = json!({ "email": EMAIL, "password": "a wrong password" });
    assert_eq!(post("/auth/sign-in", wrong).await.0, 401);
    let (status, told) =
        post("/auth/sign-in", json!({ "email": EMAIL, "password": PASSWORD, "bearer": true })).await;
    assert_eq!(status, 200, "{told}");
    let refresh = told["refresh_token"].as_str().unwrap();
    let (status, next) = post("/auth/refresh", json!({ "refresh_token": refresh })).await;
    assert_eq!((status, &next["session"]), (200, &told["session"]));

    place.run(&["users", "sessions", EMAIL]).expect(0).says(&["127.0.0.1"]);
    place.run(&["users", "sign-out", EMAIL]).expect(0).says(&["1 sessions"]);
    let after = next["refresh_token"].as_str().unwrap();
    assert_eq!(post("/auth/refresh", json!({ "refresh_token": after })).await.0, 401);
    eventually("all of it is logged", async || {
        serving.lines_with(&["POST /auth/refresh answered 401"]).len() == 1
    })
    .await;
    for secret in
        [EMAIL, "Grace", PASSWORD, "a wrong password", refresh, told["access_token"].as_str().unwrap()]
    {
        assert_eq!(serving.lines_with(&[secret]), [""; 0], "{secret}");
    }
}

/// A caller that heard nothing sends it again, to whoever is there then.
async fn one_key_makes_one_job_though_the_server_is_killed(place: Place) {
    place.run(&["migrate"]).expect(0);
    let client = client();
    let send = async |url: String, key: usize| {
        let wanted =
            json!({ "kind": "system.noop", "tags": [key.to_string()], "run_at": "2099-01-01T00:00:00Z" });
        let request = client.post(format!("{url}/v1/jobs")).bearer_auth(TOKEN).json(&wanted);
        let answer = request.header("idempotency-key", format!("key {key}")).send().await.ok()?;
        let told: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
        told["id"].as_str().map(str::to_owned)
    };
    const KEYS: usize = 40;
    let mut told: Vec<BTreeSet<String>> = vec![BTreeSet::new(); KEYS];
    for _ in 0..3 {
        let mut serving = Serving::start(&place);
        let url = serving.url.clone();
        let requests = futures::future::join_all((0..KEYS * 3).map(|n| send(url.clone(), n % KEYS)));
        let killing = async {
            // At whatever it is in the middle of.
            tokio::time::sleep(Duration::from_millis(40)).await;
            serving.kill();
        };
        let (answers, ()) = tokio::join!(requests, killing);
        for (n, id) in answers.into_iter().enumerate() {
            told[n % KEYS].extend(id);
        }
    }
    let serving = Serving::start(&place);
    for (key, told) in told.iter_mut().enumerate() {
        told.extend(send(serving.url.clone(), key).await);
        assert_eq!(told.len(), 1, "key {key}: {told:?}");
    }

    let listed = place.run(&["jobs", "list", "--limit", "1000", "--json"]).expect(0).json();
    let there: BTreeSet<String> =
        listed.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(there, told.into_iter().flatten().collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_makes_one_job_on_sqlite_though_the_server_is_killed() {
    one_key_makes_one_job_though_the_server_is_killed(place(None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_key_makes_one_job_on_postgres_though_the_server_is_killed() {
    one_key_makes_one_job_though_the_server_is_killed(place(Some(&empty_database().await))).await;
}
