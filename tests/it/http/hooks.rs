//! Deliveries over HTTP: the signature is the key to this door, and the bytes are those that were signed.

use serde_json::{Value, json};

use crate::support::http::Server;
use crate::support::store::{TestStore, promises};

promises![a_signed_delivery_becomes_one_job_without_the_token_and_a_forged_one_none];

const BODY: &str = r#"{"wait":  5}"#;

async fn deliver(server: &Server, hook: &str, signature: &str) -> (u16, Value) {
    let post = server.client.post(format!("{}/v1/hooks/{hook}", server.url)).body(BODY);
    let answer = post.header("x-delivery", "7").header("x-signature", signature).send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn a_signed_delivery_becomes_one_job_without_the_token_and_a_forged_one_none(t: TestStore) {
    let server = Server::over(t).await;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, crate::support::http::HOOK_SECRET.as_bytes());
    let code = ring::hmac::sign(&key, BODY.as_bytes());
    let signature: String = code.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();

    let (forged, problem) = deliver(&server, "pay", &signature.replace(['0', '1', '2'], "3")).await;
    let (unknown, _) = deliver(&server, "pays", &signature).await;
    let (first, job) = deliver(&server, "pay", &signature).await;
    let (second, again) = deliver(&server, "pay", &signature).await;

    assert_eq!((forged, problem["code"].as_str()), (401, Some("invalid_signature")));
    assert_eq!((unknown, first, second), (404, 202, 200));
    assert_eq!((&job["id"], &again["duplicate"]), (&again["id"], &json!(true)));
    let jobs = server.t.store.jobs(&engine::store::JobFilter::default()).await.unwrap();
    let told: Vec<_> = jobs.iter().map(|job| (job.id.to_string(), job.args.clone())).collect();
    assert_eq!(told, [(job["id"].as_str().unwrap().to_owned(), r#"{"ms":5}"#.to_owned())]);
}
