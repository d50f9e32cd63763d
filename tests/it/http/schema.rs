//! The OpenAPI document, held against the server by `schemathesis`: no 5xx, no answer that is not described, nothing
//! wrong accepted, nothing open that should be closed.

use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::http::{Server, TOKEN};
use crate::support::store::{TestStore, promises};

promises![the_document_is_served_and_describes_every_route, schemathesis_finds_nothing];

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

async fn schemathesis_finds_nothing(t: TestStore) {
    const SECONDS: &str = "45";
    let python = std::env::var("COMPLINE_TEST_PYTHON")
        .expect("COMPLINE_TEST_PYTHON, a Python with tests/python/requirements.txt; scripts/test makes it");
    let server = Server::over(t).await;
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{}/openapi.json", server.url);
    let header = format!("Authorization: Bearer {TOKEN}");
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
        // A stream does not end; a wait does when the job has, and here nobody works.
        "--exclude-path",
        "/v1/events",
        "--exclude-path",
        "/v1/jobs/{id}/wait",
        "--max-time",
        SECONDS,
        "--seed",
        "7",
        "--request-timeout",
        "20",
        "--suppress-health-check",
        "all",
        "--warnings",
        "off",
    ];

    let ran = tokio::process::Command::new(python)
        .args(args)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();

    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{told}\n{}", String::from_utf8_lossy(&ran.stderr));
    let _: Value = server.get("/livez").await.expect(200);
}
