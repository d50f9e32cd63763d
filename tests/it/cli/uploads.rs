//! `uploads` as people type it, and a ledger that goes that way to its scores.

use std::fs::File;
use std::io::BufWriter;

use serde_json::Value;

use crate::support::binary::{Place, Ran};
use crate::support::clamav::{ClamServer, eicar};

const CSV: &str = "Entry,Account,Amount\n1,4000,12.50\n";

/// Each has a sign beside it.
fn files(place: &Place) -> usize {
    let names = std::fs::read_dir(place.path().join("uploads"))
        .map(|all| all.map(|file| file.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>())
        .unwrap_or_default();
    let is_sign =
        |name: &String| name.strip_prefix(".kept-").is_some_and(|id| names.iter().any(|one| one == id));
    names.iter().filter(|name| !is_sign(name)).count()
}

fn listed(place: &Place) -> Vec<Value> {
    place.run(&["uploads", "list", "--json"]).expect(0).json().as_array().unwrap().clone()
}

#[test]
fn a_file_is_put_looked_at_and_taken_away() {
    let place = Place::new().file("GL.csv", CSV).file("GL.xlsx", CSV).file("empty.csv", "");

    let address =
        place.run(&["uploads", "put", "GL.csv", "--tenant", "north"]).expect(0).out.trim().to_owned();

    let id = address.strip_prefix("upload:").unwrap();
    let shown = place.run(&["uploads", "show", &address, "--json"]).expect(0).json();
    assert_eq!(
        (&shown["name"], &shown["format"], &shown["state"]),
        (&"GL.csv".into(), &"text".into(), &"ready".into())
    );
    assert_eq!((&shown["tenant"], &shown["bytes"]), (&"north".into(), &CSV.len().into()));
    assert!(shown["created_by"].as_str().unwrap().starts_with("cli:"), "{shown}");
    place.run(&["uploads", "list"]).expect(0).says(&[id, "GL.csv", "north", "ready"]);
    place.run(&["uploads", "show", id]).expect(0).says(&["scanned     no", &address]);
    for (file, says) in [
        ("GL.xlsx", "the file is text, and its name, which ends in .xlsx, says otherwise"),
        ("empty.csv", "the file is empty"),
        ("nowhere.csv", "cannot be read"),
        (".", "is not a file"),
    ] {
        let ran = place.run(&["uploads", "put", file]);
        assert_ne!(ran.code, 0, "{file}");
        ran.says(&[says]);
    }
    assert_eq!((listed(&place).len(), files(&place)), (1, 1));
    let job = ["enqueue", "journal.score_ledger", "--tenant", "north", "--args"];
    let args = format!(r#"{{"path": "{address}"}}"#);
    let job = place.run(&[&job[..], &[&args]].concat()).expect(0).out.trim().to_owned();
    place.run(&["uploads", "rm", id]).expect(1).says(&[&job, "has not ended"]);
    place.run(&["jobs", "cancel", &job]).expect(0);
    place.run(&["uploads", "rm", id]).expect(0).says(&["is deleted"]);
    assert_eq!((listed(&place).len(), files(&place)), (0, 0));
    place.run(&["uploads", "show", id]).expect(3).says(&["there is no such upload"]);
    place.run(&["uploads", "rm", id]).expect(3);
    place.run(&["uploads", "show", "x"]).expect(2).says(&["is no id of an upload"]);
}

#[test]
fn a_ledger_that_was_put_is_scored_and_one_that_is_not_there_is_refused_at_the_door() {
    let place = Place::new();
    let params = journal::sample::SampleParams { entries: 400, seed: 3 };
    let mut file = BufWriter::new(File::create(place.path().join("GL.csv")).unwrap());
    journal::sample::write(&mut file, &params).unwrap();
    drop(file);
    let put = place.run(&["uploads", "put", "GL.csv", "--json"]).expect(0).json();
    let args = |path: &str| format!(r#"{{"path": "{path}", "top": 3}}"#);

    // The worker may read no folder at all, and the file that was put may be gone.
    std::fs::remove_file(place.path().join("GL.csv")).unwrap();
    let address = put["address"].as_str().unwrap();
    let job = place.enqueue(&["journal.score_ledger", "--args", &args(address)]);
    place.work(0).says(&["1 completed, 0 discarded"]);

    let job = place.job(&job);
    assert_eq!((&job["state"], &job["result"]["path"]), (&"completed".into(), &address.into()), "{job}");
    let never = "upload:019c0a2e-5a5c-7cc1-b6c0-0123456789ab";
    let refused = place.run(&["enqueue", "journal.score_ledger", "--args", &args(never)]);
    assert_ne!(refused.code, 0);
    refused.says(&["there is no upload 019c0a2e-5a5c-7cc1-b6c0-0123456789ab"]);
    let foreign =
        place.run(&["enqueue", "journal.score_ledger", "--tenant", "north", "--args", &args(address)]);
    assert_ne!(foreign.code, 0);
    foreign.says(&["there is no upload"]);
    let odd = place.run(&["enqueue", "journal.score_ledger", "--args", &args("upload:x")]);
    assert_ne!(odd.code, 0);
    odd.says(&["path: is no id of an upload"]);
}

fn doctor(place: &Place) -> (Ran, Value) {
    let ran = place.run(&["doctor", "--json"]);
    let checks = ran.json();
    let scanner = checks.as_array().unwrap().iter().find(|check| check["name"] == "scanner").unwrap().clone();
    (ran, scanner)
}

#[test]
fn the_doctor_and_put_ask_the_scanner_and_without_it_nothing_is_taken() {
    let clamd = ClamServer::start();
    let place = Place::new()
        .with("COMPLINE__UPLOADS__CLAMAV", &clamd.address())
        .file("GL.csv", CSV)
        .file("bad.csv", &format!("{CSV}2,1,{}\n", eicar()));
    place.run(&["migrate"]).expect(0);
    let (ran, scanner) = doctor(&place);
    ran.expect(0);
    assert_eq!(scanner["health"], "warn", "{scanner}");
    assert!(scanner["text"].as_str().unwrap().contains("no signatures of its makers"), "{scanner}");

    place.run(&["uploads", "put", "GL.csv"]).expect(0);
    place.run(&["uploads", "put", "bad.csv"]).expect(1).says(&["the file holds Eicar-Compline"]);
    clamd.stop();
    place.run(&["uploads", "put", "GL.csv"]).expect(1).says(&["compline doctor"]);

    let (ran, scanner) = doctor(&place);
    assert_ne!(ran.code, 0);
    assert_eq!(scanner["health"], "fail", "{scanner}");
    assert!(scanner["remedy"].as_str().unwrap().contains("start clamd"), "{scanner}");
    assert_eq!((listed(&place).len(), files(&place)), (1, 1));
}

/// The kernel's limit on the size of a file stands in for a disk that is full.
#[test]
fn a_disk_that_is_full_is_told_and_nothing_is_left() {
    let place = Place::new().file("GL.csv", &CSV.repeat(100_000));
    place.run(&["migrate"]).expect(0);
    let mut shell = std::process::Command::new("sh");
    let line = "trap '' XFSZ; ulimit -f 4000; exec \"$0\" uploads put GL.csv";
    shell.args(["-c", line, env!("CARGO_BIN_EXE_compline")]).current_dir(place.path()).env_clear();

    let told = shell.output().unwrap();

    let text = String::from_utf8_lossy(&told.stderr);
    assert!(!told.status.success() && text.contains("the disk for uploads is full"), "{text}");
    assert_eq!((listed(&place).len(), files(&place)), (0, 0));
}
