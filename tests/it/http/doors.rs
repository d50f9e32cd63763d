//! Deliveries to doors of families: what is authentic is taken once and answered well, and nothing else is kept.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use store::{AlertFilter, JobFilter, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;

use crate::support::http::{Answer, Server, Setup, answer, limits};
use crate::support::store::{TestStore, promises};

promises![
    an_authentic_delivery_becomes_one_job_and_a_forged_one_none,
    deliveries_that_come_at_once_are_one_job,
    one_that_the_store_refuses_keeps_no_other_from_it,
    nothing_is_read_of_a_strangers_delivery,
    what_is_too_large_is_refused,
    what_no_job_can_be_made_of_is_answered_well_and_people_are_told,
    a_family_makes_what_nobody_enqueues_by_its_name,
    what_was_taken_is_known_whatever_the_kind_says_by_now,
    what_cannot_be_told_or_kept_is_to_come_again,
    a_delivery_may_have_a_header_for_each_of_a_hundred_keys,
];

async fn deliver(server: &Server, door: &str, seal: &str, body: &str) -> Answer {
    let post = server.client.post(format!("{}/v1/webhooks/{door}", server.url)).body(body.to_owned());
    answer(post.header("x-seal", seal)).await
}

/// The arguments of all jobs.
async fn jobs(server: &Server) -> BTreeSet<String> {
    let jobs = server.t.store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap();
    jobs.into_iter().map(|job| job.args).collect()
}

/// What people are told: of what, and how often it happened.
async fn alerts(server: &Server) -> Vec<(String, u64)> {
    while server.t.store.fold(100, &server.t.ids).await.unwrap() > 0 {}
    let alerts = server.t.store.alerts(&AlertFilter::default()).await.unwrap();
    alerts.into_iter().map(|alert| (alert.key, alert.count)).collect()
}

async fn an_authentic_delivery_becomes_one_job_and_a_forged_one_none(t: TestStore) {
    let server = Server::over(t).await;

    let forged = deliver(&server, "post", "bad", "a").await.expect(401);
    let unknown = deliver(&server, "posts", "good", "a").await.expect(404);
    let before = (
        jobs(&server).await,
        server.t.store.mark_sources().await.unwrap(),
        server.t.everything_audited().await,
    );
    let first = deliver(&server, "post", "good", "a").await.expect(200);
    let again = deliver(&server, "post", "good", "a").await.expect(200);
    deliver(&server, "post", "good", "b").await.expect(200);

    assert_eq!(
        (&forged["code"], &forged["detail"]),
        (&json!("invalid_signature"), &json!("this is not their seal"))
    );
    assert_eq!(unknown["code"], "not_found");
    assert_eq!(before, (BTreeSet::new(), vec![], vec![]));
    assert_eq!(first["duplicate"], false);
    assert_eq!(again, json!({ "job": first["job"], "duplicate": true }));
    assert_eq!(jobs(&server).await, ["a", "b"].map(|letter| format!(r#"{{"letter":"{letter}"}}"#)).into());
    assert_eq!(server.t.everything_audited().await[0].actor, "door:post");
    assert_eq!(alerts(&server).await, []);
}

async fn deliveries_that_come_at_once_are_one_job(t: TestStore) {
    let server = Arc::new(Server::over(t).await);
    for letter in ["a", "b", "c"] {
        let barrier = Arc::new(Barrier::new(6));
        let coming = (0..6).map(|_| {
            let (server, barrier) = (server.clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                deliver(&server, "post", "good", letter).await.expect(200)
            })
        });
        let mut told = Vec::new();
        for answer in coming.collect::<Vec<_>>() {
            told.push(answer.await.unwrap());
        }

        let ids: BTreeSet<_> = told.iter().map(|told| told["job"].to_string()).collect();
        let new = told.iter().filter(|told| told["duplicate"] == json!(false)).count();
        assert_eq!((ids.len(), new), (1, 1), "{told:?}");
    }
}

/// They are taken together.
async fn one_that_the_store_refuses_keeps_no_other_from_it(t: TestStore) {
    let server = Arc::new(Server::over(t).await);
    let letters: Vec<String> = (0..24).map(|n| format!("{}{n}", ["a", "b", "orphan"][n % 3])).collect();
    let barrier = Arc::new(Barrier::new(letters.len()));
    let coming = letters.iter().cloned().map(|letter| {
        let (server, barrier) = (server.clone(), barrier.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            (letter.clone(), deliver(&server, "post", "good", &letter).await.expect(200))
        })
    });

    for told in coming.collect::<Vec<_>>() {
        let (letter, told) = told.await.unwrap();
        let is_taken = (told["job"].is_string(), told["duplicate"].clone());
        assert_eq!(is_taken, (!letter.starts_with("orphan"), json!(false)), "{letter}: {told}");
    }
    let taken = letters.iter().filter(|letter| !letter.starts_with("orphan"));
    assert_eq!(jobs(&server).await, taken.map(|letter| format!(r#"{{"letter":"{letter}"}}"#)).collect());
}

async fn nothing_is_read_of_a_strangers_delivery(t: TestStore) {
    let server = Server::over(t).await;
    for (door, code) in [("nobody", "not_found"), ("post", "invalid_signature")] {
        let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
        // The body never comes, so whoever waits for it answers `body_timeout`.
        let head = format!(
            "POST /v1/webhooks/{door} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1000000\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.contains(code), "{door}: {heard}");
    }
}

async fn what_is_too_large_is_refused(t: TestStore) {
    let tight = engine::http::Limits { body_bytes: 100, ..limits() };
    let server = Server::with(t, Setup { limits: tight, ..Setup::default() }).await;

    let told = deliver(&server, "post", "good", &"x".repeat(101)).await.expect(413);

    assert_eq!((told["code"].as_str(), jobs(&server).await), (Some("body_too_large"), BTreeSet::new()));
}

async fn what_no_job_can_be_made_of_is_answered_well_and_people_are_told(t: TestStore) {
    let server = Server::over(t).await;
    let unusable = json!({ "job": null, "duplicate": false });

    server.strict.store(true, Ordering::SeqCst);
    assert_eq!(deliver(&server, "post", "good", "a").await.expect(200), unusable);
    server.strict.store(false, Ordering::SeqCst);
    // Marks that no store could keep.
    for mark in ["", "a\0b", &"m".repeat(513)] {
        assert_eq!(deliver(&server, "post", "good", mark).await.expect(200), unusable, "{mark:?}");
    }

    assert_eq!(jobs(&server).await, BTreeSet::new());
    assert_eq!(alerts(&server).await, [("trigger.refused/door:post".to_owned(), 4)]);
    // What was not taken may come again.
    let later = deliver(&server, "post", "good", "a").await.expect(200);
    assert_eq!(later["duplicate"], false);
    assert_eq!(jobs(&server).await, [r#"{"letter":"a"}"#.to_owned()].into());
}

async fn a_family_makes_what_nobody_enqueues_by_its_name(t: TestStore) {
    let server = Server::over(t).await;
    let by_name = json!({ "kind": "test.internal", "args": {} });
    server.post("/v1/jobs", &by_name).await.expect(422);

    let told = deliver(&server, "post", "good", "internal").await.expect(200);

    assert_eq!(told["duplicate"], false, "{told}");
    assert_eq!(jobs(&server).await, [r#"{"letter":"internal"}"#.to_owned()].into());
}

async fn what_was_taken_is_known_whatever_the_kind_says_by_now(t: TestStore) {
    let server = Server::over(t).await;
    let first = deliver(&server, "post", "good", "a").await.expect(200);

    server.strict.store(true, Ordering::SeqCst);
    let again = deliver(&server, "post", "good", "a").await.expect(200);

    assert_eq!(again, json!({ "job": first["job"], "duplicate": true }));
    assert_eq!(alerts(&server).await, []);
}

async fn what_cannot_be_told_or_kept_is_to_come_again(t: TestStore) {
    let server = Server::over(t).await;

    let unsure = deliver(&server, "post", "smudged", "a").await;
    let kept = (jobs(&server).await, alerts(&server).await);
    server.t.store.close().await;
    let away = deliver(&server, "post", "good", "a").await;

    assert_eq!(kept, (BTreeSet::new(), vec![]));
    for (told, code) in [(unsure, "unverified"), (away, "store_away")] {
        assert!(!told.header("retry-after").is_empty(), "{told:?}");
        let told: Value = told.expect(503);
        assert_eq!(told["code"], code, "{told}");
    }
}

/// The server once read no more than 64 headers, so that an account with more keys was never heard.
async fn a_delivery_may_have_a_header_for_each_of_a_hundred_keys(t: TestStore) {
    let server = Server::over(t).await;
    let signed = |count: usize| {
        let post = server.client.post(format!("{}/v1/webhooks/post", server.url)).body("a");
        (1..=count).fold(post.header("x-seal", "good"), |post, number| {
            post.header(format!("X-DocuSign-Signature-{number}"), "A".repeat(44))
        })
    };

    answer(signed(100)).await.expect(200);
    let too_many = answer(signed(200)).await;

    assert_eq!(too_many.status, 431);
    assert_eq!(jobs(&server).await, BTreeSet::from([r#"{"letter":"a"}"#.to_owned()]));
}
