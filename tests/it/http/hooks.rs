//! Deliveries over HTTP: the signature is the key to this door, and the bytes are those that were signed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use store::Scope;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::http::{HOOK_SECRET, Server, Setup, limits};
use crate::support::store::{TestStore, promises};

promises![
    a_signed_delivery_becomes_one_job_without_the_token_and_a_forged_one_none,
    nothing_is_read_of_a_strangers_delivery,
    what_strangers_send_leaves_room_for_callers,
    a_delivery_that_comes_again_is_known_whatever_the_kind_says_by_now,
    a_delivery_that_cannot_be_kept_is_refused_in_our_own_words,
];

const BODY: &str = r#"{"wait":  5}"#;

fn signature(body: &str) -> String {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, HOOK_SECRET.as_bytes());
    let code = ring::hmac::sign(&key, body.as_bytes());
    code.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn deliver(server: &Server, hook: &str, body: &str, signature: &str) -> (u16, Value) {
    let post = server.client.post(format!("{}/v1/hooks/{hook}", server.url)).body(body.to_owned());
    let answer = post.header("x-delivery", "7").header("x-signature", signature).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn a_signed_delivery_becomes_one_job_without_the_token_and_a_forged_one_none(t: TestStore) {
    let server = Server::over(t).await;
    let signature = signature(BODY);

    let forged = signature.replace(['0', '1', '2'], "3");
    let (forged, problem) = deliver(&server, "pay", BODY, &forged).await;
    let (unknown, _) = deliver(&server, "pays", BODY, &signature).await;
    let (first, job) = deliver(&server, "pay", BODY, &signature).await;
    let (second, again) = deliver(&server, "pay", BODY, &signature).await;

    assert_eq!((forged, problem["code"].as_str()), (401, Some("invalid_signature")));
    assert_eq!((unknown, first, second), (404, 202, 200));
    assert_eq!((&job["id"], &again["duplicate"]), (&again["id"], &json!(true)));
    let jobs = server.t.store.jobs(&Scope::Installation, &store::JobFilter::default()).await.unwrap();
    let told: Vec<_> = jobs.iter().map(|job| (job.id.to_string(), job.args.clone())).collect();
    assert_eq!(told, [(job["id"].as_str().unwrap().to_owned(), r#"{"ms":5}"#.to_owned())]);
}

/// Sends the head of a delivery, and a part of what it announces.
async fn begin(server: &Server, hook: &str, headers: &str, announced: usize, part: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST /v1/hooks/{hook} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {announced}\r\n\r\n{part}"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn heard(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    let _ = stream.read_to_end(&mut heard).await;
    String::from_utf8_lossy(&heard).into_owned()
}

async fn nothing_is_read_of_a_strangers_delivery(t: TestStore) {
    let server = Server::over(t).await;
    for (hook, headers, code) in [
        ("nobody", "x-signature: 00\r\n", "not_found"),
        ("pay", "", "invalid_signature"),
        ("pay", "x-signature: not hex\r\n", "invalid_signature"),
    ] {
        // The body never comes, so whoever waits for it answers `body_timeout`.
        let told = heard(begin(&server, hook, headers, 1_000_000, "").await).await;
        assert!(told.contains(code), "{hook} {headers}: {told}");
    }
}

async fn what_strangers_send_leaves_room_for_callers(t: TestStore) {
    // However slow the machine is: the first one's bytes stay until it goes.
    let body_timeout = Duration::from_secs(600);
    let tight = engine::http::Limits { body_bytes: 1_000, memory_bytes: 4_000, body_timeout, ..limits() };
    let server = Server::with(t, Setup { limits: tight, ..Setup::default() }).await;
    let signed = "x-signature: 00\r\n";
    let mut first = Vec::new();

    // When the bytes of a first one are here, there is no room for those of a second. That may have come before it, and
    // then it is the first that finds no room, and another must come.
    loop {
        first.push(begin(&server, "pay", signed, 1_000, &"x".repeat(900)).await);
        if heard(begin(&server, "pay", signed, 900, &"x".repeat(900)).await).await.contains("crowded") {
            break;
        }
    }

    server.post("/v1/jobs", &json!({ "kind": "system.noop", "tags": vec!["x"; 32] })).await.expect(202);
    drop(first);
    while heard(begin(&server, "pay", signed, 900, &"x".repeat(900)).await).await.contains("crowded") {}
}

async fn a_delivery_that_comes_again_is_known_whatever_the_kind_says_by_now(t: TestStore) {
    let server = Server::over(t).await;
    let send = async |body: &str| deliver(&server, "note", body, &signature(body)).await;
    let (first, job) = send(r#"{"id":"a"}"#).await;

    server.strict.store(true, Ordering::SeqCst);
    let (again, known) = send(r#"{"id":"a"}"#).await;
    let (new, problem) = send(r#"{"id":"b"}"#).await;

    assert_eq!((first, again, &known["id"]), (202, 200, &job["id"]));
    assert_eq!((new, &problem["code"]), (422, &json!("unusable_delivery")));
}

/// PostgreSQL has no NUL in a text, and what it said of that was passed on.
async fn a_delivery_that_cannot_be_kept_is_refused_in_our_own_words(t: TestStore) {
    let server = Server::over(t).await;
    let body = r#"{"id":"a\u0000b"}"#;

    let (status, problem) = deliver(&server, "note", body, &signature(body)).await;

    assert_eq!((status, &problem["code"]), (422, &json!("unusable_delivery")));
    assert!(problem["detail"].as_str().unwrap().starts_with("unique_key: "), "{problem}");
}
