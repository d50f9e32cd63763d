//! `compline demo`: what it shows, that it says what it did not show, and what it leaves.

use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use engine::adapters::clock::SystemClock;
use jobkit::Clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::binary::Place;

/// What was to go with the run that made it.
fn secrets(place: &Place) -> Vec<String> {
    let secrets = ["http.token", "docusign/key.pem", "docusign/hmac", "docusign"];
    let is_there = |name: &&str| place.path().join("compline-demo").join(name).exists();
    secrets.into_iter().filter(is_there).map(str::to_owned).collect()
}

#[test]
fn the_demo_does_what_it_shows_and_says_where_the_results_are() {
    let place = Place::new();

    let ran = place.run(&["demo", "--exit"]).expect(0);

    assert!(!ran.all().contains("is not used") && !ran.err.contains("missing"), "{}", ran.err);
    ran.says(&["scores a ledger", "system.steps", "8 strange entries", "/compline-demo/results"]).says(&[
        "8 of the strange ones among the first 20",
        "workpaper.xlsx",
        "report.html",
        "sends its report for signature",
        "is archived",
        "begin → draft → send →",
        "certificate.pdf",
    ]);
    let results = std::fs::read_dir(place.path().join("compline-demo/results")).unwrap();
    let results: Vec<_> = results.map(|folder| folder.unwrap().path()).collect();
    assert_eq!(results.len(), 1, "one folder per job");
    assert!(results[0].join("workpaper.xlsx").exists() && results[0].join("report.pdf").exists());
    assert_eq!(secrets(&place), [""; 0]);
    // Nobody listens there: whoever asks it gets no answer.
    let elsewhere = "postgres://ada:hush@127.0.0.1:1/jobs";
    let place = place.with("COMPLINE__STORE__URL", elsewhere);
    let again = place.run(&["demo", "--exit", "--json"]).expect(0);
    let own =
        format!("the demo has a store of its own, {}/compline-demo/compline.db", place.path().display());
    assert!(
        again.err.contains("store.url of COMPLINE__STORE__URL is not used") && again.err.contains(&own),
        "{}",
        again.err
    );
    let again = again.json();
    assert_eq!((&again["missing"], secrets(&place)), (&json!([]), vec![]));
    let states: Vec<_> = again["jobs"].as_array().unwrap().iter().map(|told| &told["job"]["state"]).collect();
    assert_eq!(states, ["completed"; 6]);
    the_report_was_signed(&place, &again);
    // As docs/reference/demo-sample.md says: those made to be strange have the highest scores, and the highest risks.
    let ids = |entries: &Value, key: &str| -> std::collections::BTreeSet<String> {
        entries.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().into()).collect()
    };
    let mut results = again["jobs"].as_array().unwrap().iter().map(|told| &told["job"]["result"]);
    let top = results.find(|result| result["top"].is_array()).unwrap()["top"].as_array().unwrap();
    assert_eq!(ids(&json!(top[..8]), "entry"), ids(&again["strange"], "journal_id"));
    assert!(top[..8].iter().all(|entry| entry["rank"].as_u64().unwrap() <= 8), "{top:?}");
}

/// What lies where the demo says is what its log has the hashes of, and the document that was signed begins with the report.
fn the_report_was_signed(place: &Place, told: &Value) {
    let envelope = &told["envelope"];
    assert_eq!(envelope["state"], "archived", "{envelope}");
    let folder = std::path::Path::new(envelope["folder"].as_str().unwrap());
    let archive = envelope["archive"].as_array().unwrap();
    let names: Vec<_> = archive.iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["001-report.pdf", "certificate.pdf", "audit_events.json"]);
    for file in archive {
        let bytes = std::fs::read(folder.join(file["name"].as_str().unwrap())).unwrap();
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(file["sha256"], hash.as_str());
    }
    let sent =
        told["jobs"].as_array().unwrap().iter().find(|told| told["job"]["kind"] == "docusign.send_envelope");
    let report = &sent.unwrap()["job"]["args"]["documents"][0]["path"];
    let report = std::fs::read(report.as_str().unwrap()).unwrap();
    let signed = std::fs::read(folder.join("001-report.pdf")).unwrap();
    assert!(signed.len() > report.len() && signed.starts_with(&report), "another report was signed");
    let key = envelope["key"].as_str().unwrap();
    let url = format!("sqlite://{}/compline-demo/compline.db", place.path().display());
    let status = Place::new().with("COMPLINE__STORE__URL", &url).run(&["docusign", "status", key]);
    status.expect(0).says(&["archived", "certificate.pdf"]);
}

/// It said so, in a line among others, and ended with 0.
#[test]
fn a_demo_without_its_envelope_says_so_and_fails() {
    let place = Place::new();
    let in_the_way = place.path().join("compline-demo/docusign");
    std::fs::create_dir(place.path().join("compline-demo")).unwrap();
    std::fs::write(&in_the_way, "ada's").unwrap();

    let ran = place.run(&["demo", "--exit", "--json"]).expect(1);

    let missing = format!(
        "the envelope: DocuSign cannot be emulated here: {}: ",
        in_the_way.canonicalize().unwrap().display()
    );
    let told = ran.json()["missing"].clone();
    let [told] = told.as_array().unwrap().as_slice() else { panic!("one is missing: {told}") };
    assert!(told.as_str().unwrap().starts_with(&missing), "{told}");
    assert!(ran.err.contains(&format!("missing: {missing}")), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(&in_the_way).unwrap(), "ada's");
}

/// How long a test waits for what it waits for in vain.
const PATIENCE: Duration = Duration::from_secs(120);

fn until(what: &str, is_so: impl Fn() -> bool) {
    let clock = SystemClock::new();
    let last = clock.steady() + PATIENCE;
    while !is_so() {
        assert!(clock.steady() < last, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A demo whose jobs run, and which cannot come to its end by itself: its job that fails once waits for seconds to be tried again.
fn under_way(place: &Place) -> Child {
    let child = place.command(&["demo"]).spawn().unwrap();
    let steps = place.path().join("compline-demo/steps.txt");
    until("its jobs run", || steps.exists());
    child
}

/// The code, and what was said.
fn stopped(child: Child, signal: Signal) -> (Option<i32>, String) {
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// The first signal is enough: it once told its table, and served on until a second one came.
#[test]
fn a_demo_that_is_stopped_takes_away_what_it_made() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::new();

        let (code, told) = stopped(under_way(&place), signal);

        let left: Vec<_> =
            std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!((code, left), (Some(1), Vec::<PathBuf>::new()), "{told}");
        assert!(told.contains("compline-demo is taken away again"), "{told}");
    }
}

/// The jobs that it left were run by the next demo, or by the worker that the tour starts there.
#[test]
fn a_demo_that_is_stopped_in_a_folder_that_was_there_leaves_no_job_and_no_secret() {
    let place = Place::new();
    let folder = place.path().join("compline-demo");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("notes.txt"), "ada's").unwrap();

    let (code, told) = stopped(under_way(&place), Signal::TERM);

    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("its jobs are cancelled") && told.contains("was there before, and stays"),
        "{told}"
    );
    assert_eq!(
        (std::fs::read_to_string(folder.join("notes.txt")).unwrap().as_str(), secrets(&place)),
        ("ada's", vec![])
    );
    let url = format!("sqlite://{}", folder.join("compline.db").display());
    let jobs =
        Place::new().with("COMPLINE__STORE__URL", &url).run(&["jobs", "list", "--json"]).expect(0).json();
    let jobs = jobs.as_array().unwrap();
    let waits =
        |job: &&Value| !["completed", "cancelled", "discarded"].contains(&job["state"].as_str().unwrap());
    assert_eq!(jobs.iter().find(waits), None);
    let last: Vec<_> =
        jobs.iter().filter(|job| job["kind"] == "docusign.send_envelope").map(|job| &job["state"]).collect();
    assert_eq!(last, ["cancelled"]);
}

/// It ended on the spot, with all that it takes away at its end.
#[test]
fn a_demo_whose_table_nobody_reads_takes_its_secrets_away_too() {
    let place = Place::new();
    let mut child = place.command(&["demo"]).spawn().unwrap();
    drop(child.stdout.take());

    let output = child.wait_with_output().unwrap();

    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), secrets(&place)), (Some(0), vec![]), "{told}");
    assert!(place.path().join("compline-demo/results").exists(), "what was shown stays");
}
