//! Uploads that callers put into the bucket themselves: what is taken is what would be taken over the API, and a refusal leaves
//! nothing, here or there.

use std::sync::Arc;
use std::time::Duration;

use engine::adapters::clock::SystemClock;
use engine::uploads::Rules;
use engine::uploads::quarantine::Quarantine;
use engine::uploads::scanner::Scanner;
use jobkit::{Clock, Owner, UploadId};
use reqwest::Method;
use serde_json::{Value, json};
use store::Quota;

use super::{BucketPlace, BucketPlace as Place, Server as Behind, job, kept_by};
use crate::support::clamav::{ClamServer, eicar};
use crate::support::http::{Answer, Server, Setup, TOKEN, answer};
use crate::support::store::TestStore;

kept_by!([s3, azure]: [
    a_file_is_put_into_the_bucket_completed_and_gone_from_there,
    what_is_not_good_is_refused_and_leaves_nothing_here_or_there,
    an_upload_that_nobody_completes_gives_its_room_back,
    a_bucket_that_is_away_loses_nothing,
    of_two_that_complete_it_at_once_both_hear_of_one_upload,
]);

const CSV: &str = "Entry,Account,Amount\n1,4000,12.50\n";

async fn serve(place: &BucketPlace, rules: Rules, scanner: Option<Arc<dyn Scanner>>) -> Server {
    let setup = Setup {
        artifacts: Some(Arc::new(place.artifacts.clone())),
        quarantine: Some(Arc::new(place.quarantine.clone())),
        uploads: rules,
        scanner,
        ..Setup::default()
    };
    Server::with(TestStore::sqlite().await, setup).await
}

async fn post(server: &Server, path: &str, body: Option<&Value>) -> Answer {
    let request = server.bare(Method::POST, path).bearer_auth(TOKEN);
    answer(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

async fn invited(server: &Server, body: Value) -> Value {
    post(server, "/v1/uploads/presign", Some(&body)).await.expect(201)
}

/// As a stranger would who has the URL and nothing else.
async fn put(server: &Server, place: &Value, bytes: impl Into<reqwest::Body>) -> u16 {
    let method: Method = place["method"].as_str().unwrap().parse().unwrap();
    let mut request = server.client.request(method, place["url"].as_str().unwrap()).body(bytes);
    for header in place["headers"].as_array().unwrap() {
        request = request.header(header["name"].as_str().unwrap(), header["value"].as_str().unwrap());
    }
    request.send().await.unwrap().status().as_u16()
}

async fn complete(server: &Server, place: &Value) -> Answer {
    post(server, place["complete"].as_str().unwrap(), None).await
}

fn id(place: &Value) -> UploadId {
    place["upload"]["id"].as_str().unwrap().parse().unwrap()
}

fn sum(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
}

async fn is_in_the_bucket(place: &BucketPlace, id: UploadId) -> bool {
    place.quarantine.open(id).await.unwrap().is_some()
}

async fn nothing_is_left(server: &Server, place: &BucketPlace, id: UploadId) {
    let listed = server.get("/v1/uploads").await.expect(200);
    assert_eq!(listed["uploads"], json!([]), "{listed}");
    assert_eq!(server.upload_files(), Vec::<std::path::PathBuf>::new());
    assert!(!is_in_the_bucket(place, id).await, "{id} is still in the bucket");
}

async fn a_file_is_put_into_the_bucket_completed_and_gone_from_there(place: BucketPlace) {
    let server = serve(&place, Rules::default(), None).await;
    let wish = json!({ "bytes": CSV.len(), "name": "GL März.csv", "sha256": sum(CSV) });

    let invitation = invited(&server, wish).await;
    assert_eq!((&invitation["upload"]["state"], &invitation["method"]), (&json!("receiving"), &json!("PUT")));
    refused(&complete(&server, &invitation).await, 409, "not_arrived");
    assert!((200..300).contains(&put(&server, &invitation, CSV).await));
    let told = complete(&server, &invitation).await.expect(200);

    assert_eq!(
        (&told["state"], &told["format"], &told["sha256"]),
        (&json!("ready"), &json!("text"), &json!(sum(CSV)))
    );
    assert_eq!((&told["bytes"], &told["name"]), (&json!(CSV.len()), &json!("GL März.csv")));
    let [file] = &server.upload_files()[..] else { panic!("{:?}", server.upload_files()) };
    assert_eq!(std::fs::read_to_string(file).unwrap(), CSV);
    assert!(!is_in_the_bucket(&place, id(&invitation)).await);
    // Again, and after somebody used the URL once more, the answer is the same.
    assert!((200..300).contains(&put(&server, &invitation, CSV).await));
    assert_eq!(complete(&server, &invitation).await.expect(200), told);
    // Nobody takes it for what a job left.
    let job = job();
    server.artifacts.put(Owner { job, claim: 1 }, "a.csv", b"a".to_vec()).await.unwrap();
    let jobs: Vec<_> = futures::StreamExt::collect(server.artifacts.jobs()).await;
    assert_eq!(jobs.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [job]);
    let audit = server.t.audit().await;
    let told: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), entry.object.as_str())).collect();
    let object = format!("upload:{}", id(&invitation));
    assert!(
        told.windows(2)
            .any(|two| two == [("upload.invite", object.as_str()), ("upload.receive", object.as_str())]),
        "{told:?}"
    );
    assert!(
        !format!("{audit:?}").contains("ignature") && !format!("{audit:?}").contains("März"),
        "{audit:?}"
    );
}

async fn what_is_not_good_is_refused_and_leaves_nothing_here_or_there(place: BucketPlace) {
    let clamav = ClamServer::start();
    let server = serve(&place, Rules::default(), Some(clamav.scanner())).await;
    let malware = eicar();
    let wish = |text: &str| json!({ "bytes": text.len() });
    for (wish, came, status, code) in [
        (wish(CSV), CSV.repeat(2), 422, "size_differs"),
        (wish(CSV), CSV[1..].to_owned(), 422, "size_differs"),
        (wish("\0\u{1}\u{2}"), "\0\u{1}\u{2}".to_owned(), 415, "unsupported_format"),
        (json!({ "bytes": CSV.len(), "name": "GL.xlsx" }), CSV.to_owned(), 422, "format_differs"),
        (wish(&malware), malware.clone(), 422, "infected"),
    ] {
        let invitation = invited(&server, wish).await;
        assert!((200..300).contains(&put(&server, &invitation, came).await));

        refused(&complete(&server, &invitation).await, status, code);

        nothing_is_left(&server, &place, id(&invitation)).await;
        refused(&complete(&server, &invitation).await, 404, "not_found");
    }
    // A sum that was announced: S3 itself refuses other bytes (moto does not look), and so do we.
    let invitation = invited(&server, json!({ "bytes": CSV.len(), "sha256": sum(CSV) })).await;
    put(&server, &invitation, CSV.replace('1', "2")).await;
    refused(&complete(&server, &invitation).await, 422, "digest_differs");
    nothing_is_left(&server, &place, id(&invitation)).await;
    clamav.stop();
    let invitation = invited(&server, json!({ "bytes": CSV.len() })).await;
    put(&server, &invitation, CSV).await;
    refused(&complete(&server, &invitation).await, 503, "scanner_away");
    nothing_is_left(&server, &place, id(&invitation)).await;

    for (body, status, code) in [
        (json!({ "bytes": (100u64 << 20) + 1 }), 413, "body_too_large"),
        (json!({ "bytes": 0 }), 422, "invalid_body"),
        (json!({ "bytes": 1, "sha256": "x" }), 422, "invalid_body"),
        (json!({ "bytes": 1, "name": "a\nb" }), 422, "invalid_body"),
        (json!({ "bytes": 1, "tenant": "" }), 422, "invalid_body"),
        (json!({ "bytes": 1, "path": "../a" }), 422, "invalid_body"),
    ] {
        refused(&post(&server, "/v1/uploads/presign", Some(&body)).await, status, code);
    }
}

async fn an_upload_that_nobody_completes_gives_its_room_back(place: BucketPlace) {
    let rules = Rules { quota: Quota { bytes: 100, count: 1 }, ..Rules::default() };
    let server = serve(&place, rules, None).await;
    let wish = json!({ "bytes": CSV.len() });
    let forgotten = invited(&server, wish.clone()).await;
    assert!((200..300).contains(&put(&server, &forgotten, CSV).await));
    refused(&post(&server, "/v1/uploads/presign", Some(&wish)).await, 409, "quota_full");

    server.t.clock.advance(Duration::from_secs(1_800 + 61));
    server.app.uploads.expire().await.unwrap();

    refused(&complete(&server, &forgotten).await, 404, "not_found");
    let next = invited(&server, wish).await;
    // What lies in the bucket for it goes when it is old; what somebody is about to complete stays.
    assert!((200..300).contains(&put(&server, &next, CSV).await));
    let written = SystemClock::new().now();
    server.t.clock.set(written + Duration::from_secs(1_000));
    server.app.uploads.sweep_quarantine().await.unwrap();
    assert!(is_in_the_bucket(&place, id(&forgotten)).await);
    server.t.clock.set(written + Duration::from_secs(3_700));
    server.app.uploads.sweep_quarantine().await.unwrap();
    assert!(!is_in_the_bucket(&place, id(&forgotten)).await);
    assert!(is_in_the_bucket(&place, id(&next)).await);
    let audit = server.t.audit().await;
    let left = audit.iter().find(|entry| entry.action == "upload.refuse").unwrap();
    assert_eq!(
        (left.object.clone(), &left.details["reason"]),
        (format!("upload:{}", id(&forgotten)), &json!("abandoned"))
    );
}

async fn a_bucket_that_is_away_loses_nothing(place: BucketPlace) {
    let server = serve(&place, Rules::default(), None).await;
    let large = CSV.repeat(200_000);
    let invitation = invited(&server, json!({ "bytes": large.len(), "name": "GL.csv" })).await;
    assert!((200..300).contains(&put(&server, &invitation, large.clone()).await));

    place.front.shut();
    refused(&complete(&server, &invitation).await, 503, "artifacts_away");
    place.front.open();

    assert_eq!(server.upload_files(), Vec::<std::path::PathBuf>::new());
    let told = complete(&server, &invitation).await.expect(200);
    assert_eq!((&told["state"], &told["bytes"]), (&json!("ready"), &json!(large.len())));
}

async fn of_two_that_complete_it_at_once_both_hear_of_one_upload(place: BucketPlace) {
    let server = serve(&place, Rules::default(), None).await;
    let large = CSV.repeat(200_000);
    let invitation = invited(&server, json!({ "bytes": large.len() })).await;
    assert!((200..300).contains(&put(&server, &invitation, large).await));

    let (one, other) = tokio::join!(complete(&server, &invitation), complete(&server, &invitation));

    // The other comes while the first is at it, or after it.
    for told in [&one, &other] {
        assert!(
            told.status == 200 || told.json()["code"] == "busy" || told.json()["code"] == "not_arrived",
            "{told:?}"
        );
    }
    assert!(one.status == 200 || other.status == 200);
    let told = complete(&server, &invitation).await.expect(200);
    assert_eq!((&told["state"], server.upload_files().len()), (&json!("ready"), 1));
}

/// Azure looks at signatures, and moto does not.
#[tokio::test(flavor = "multi_thread")]
async fn the_url_is_for_one_file_and_for_writing_it() {
    let place = BucketPlace::azure().await;
    let server = serve(&place, Rules::default(), None).await;
    let (mine, other) = (
        invited(&server, json!({ "bytes": CSV.len() })).await,
        invited(&server, json!({ "bytes": CSV.len() })).await,
    );
    let url = mine["url"].as_str().unwrap();
    let elsewhere = url.replace(&id(&mine).to_string(), &id(&other).to_string());
    let longer = url.replacen("se=20", "se=21", 1);

    for (method, url) in
        [("PUT", &elsewhere), ("PUT", &longer), ("GET", &url.to_owned()), ("DELETE", &url.to_owned())]
    {
        let method: Method = method.parse().unwrap();
        let request =
            server.client.request(method.clone(), url).header("x-ms-blob-type", "BlockBlob").body(CSV);
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(status, 403, "{method} {url}");
    }
    assert!((200..300).contains(&put(&server, &mine, CSV).await));
    assert!(!is_in_the_bucket(&place, id(&other)).await);
    let Behind::Azure(_azurite) = place.server else { panic!("another server") };
}

/// What S3 would look at is in the URL.
#[tokio::test(flavor = "multi_thread")]
async fn the_url_of_s3_is_signed_for_a_quarter_of_an_hour_and_for_the_sum() {
    let place = BucketPlace::s3().await;
    let server = serve(&place, Rules::default(), None).await;

    let invitation = invited(&server, json!({ "bytes": CSV.len(), "sha256": sum(CSV) })).await;

    let url = invitation["url"].as_str().unwrap();
    assert!(url.contains("X-Amz-Expires=900"), "{url}");
    assert!(url.contains("X-Amz-SignedHeaders=host%3Bx-amz-checksum-sha256"), "{url}");
    assert_eq!(invitation["headers"][0]["name"], "x-amz-checksum-sha256");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_artifacts_lie_in_a_folder_it_says_so() {
    let server = Server::with(TestStore::sqlite().await, Setup::default()).await;

    let told = post(&server, "/v1/uploads/presign", Some(&json!({ "bytes": 1 }))).await;

    refused(&told, 409, "presign_off");
    assert!(told.json()["remedy"].as_str().unwrap().contains("artifacts.url"), "{told:?}");
    assert_eq!(server.get("/v1/uploads").await.expect(200)["uploads"], json!([]));
}
