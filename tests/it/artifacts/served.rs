//! Artifacts in buckets, as the API and the doctor show them.

use std::sync::Arc;

use engine::adapters::artifacts::MARKER;
use jobkit::Owner;
use reqwest::Method;
use serde_json::json;

use super::{BucketPlace, BucketPlace as Place, Place as AnyPlace, Server as Behind, bytes, kept_by};
use crate::support::binary;
use crate::support::http::{Server, Setup, TOKEN};
use crate::support::store::TestStore;

kept_by!([s3, azure]: [
    the_files_of_a_job_are_listed_and_fetched_from_where_they_are,
    the_doctor_writes_and_reads_there_and_names_what_is_wrong,
]);

async fn the_files_of_a_job_are_listed_and_fetched_from_where_they_are(place: BucketPlace) {
    let setup = Setup { artifacts: Some(Arc::new(place.artifacts.clone())), ..Setup::default() };
    let server = Server::with(TestStore::sqlite().await, setup).await;
    let job = server.t.add(|_| {}).await;
    let whole = bytes(3, (9 << 20) + 1);
    let address = server.artifacts.put(Owner { job, claim: 1 }, "März.csv", whole.clone()).await.unwrap();

    let listed = server.get(&format!("/v1/jobs/{job}/artifacts")).await.expect(200);
    let [file] = &listed["artifacts"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!(
        (&file["name"], &file["bytes"], &file["address"]),
        (&json!("März.csv"), &json!(whole.len()), &json!(address))
    );
    let href = file["href"].as_str().unwrap().to_owned();
    let fetched = server.bare(Method::GET, &href).bearer_auth(TOKEN).send().await.unwrap();
    assert_eq!(fetched.status(), 200);
    assert!(fetched.bytes().await.unwrap() == whole, "other bytes came");
    server.get(&format!("/v1/jobs/{job}/artifacts/1/none.csv")).await.expect(404);

    place.front.shut();
    for path in [href, format!("/v1/jobs/{job}/artifacts")] {
        let away = server.get(&path).await.expect(503);
        assert_eq!(away["code"], "artifacts_away", "{away}");
        assert!(!away.to_string().contains("127.0.0.1"), "{away}");
    }
}

async fn the_doctor_writes_and_reads_there_and_names_what_is_wrong(bucket: BucketPlace) {
    let address = bucket.front.address();
    let (scheme, section) = match &bucket.server {
        Behind::S3(_) => (
            "s3",
            format!(
                "[buckets.books]\nendpoint = \"http://{address}\"\naccess_key_id = \"file:key\"\nsecret_access_key = \"file:key\"\n"
            ),
        ),
        Behind::Azure(azurite) => {
            let container = azurite.container(&address);
            let key = container.access_key.unwrap();
            (
                "azure",
                format!(
                    "[containers.books]\naccount = \"{}\"\nendpoint = \"{}\"\naccess_key = \"{key}\"\n",
                    container.account, container.endpoint
                ),
            )
        }
    };
    let text = format!("[artifacts]\nurl = \"{scheme}://books/jobs\"\n{section}");
    let place = binary::Place::new().file("key", "a key").file("compline.toml", &text);
    let run = async || {
        let place = &place;
        tokio::task::block_in_place(|| place.run(&["doctor"]))
    };
    run().await.says(&[&format!("ok    artifacts      {scheme}://books/jobs can be written")]);

    bucket.front.shut();
    let told = run().await;
    assert_ne!(told.code, 0);
    told.says(&[
        "FAIL  artifacts",
        &format!("{scheme}://books/jobs cannot be written"),
        "remedy: look at artifacts.url",
    ]);
    drop(AnyPlace::of(bucket));
}

/// An empty folder may be new, or the place where a disk should be.
#[test]
fn the_doctor_says_where_nothing_was_kept_yet_and_leaves_no_marker() {
    let place = binary::Place::new();
    let says = "artifacts can be written; nothing was kept there yet, or its disk is not mounted";

    for _ in 0..2 {
        place.run(&["doctor"]).says(&[says]);
    }

    let folder = place.path().join("artifacts");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::write(folder.join(MARKER), "").unwrap();
    let told = place.run(&["doctor"]);
    assert!(told.out.contains("artifacts can be written\n"), "{}", told.out);
}
