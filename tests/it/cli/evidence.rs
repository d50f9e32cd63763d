//! `compline evidence` as an operator makes it and as an auditor checks it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use audit::{Receipt, Vkey, leaf_hash};
use serde_json::{Value, json};

use super::audit::grow;
use crate::support::binary::Place;

fn unpacked(zip: &Path, to: &Path) -> BTreeMap<String, String> {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    archive.extract(to).unwrap();
    let mut files = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(file.name().unwrap().into_owned(), String::from_utf8_lossy(&bytes).into_owned());
    }
    files
}

/// A place whose log is signed, with its public key.
fn signed() -> (Place, std::path::PathBuf, String, Vkey) {
    signed_in(Place::new(), "jobs.db")
}

fn signed_in(place: Place, file: &str) -> (Place, std::path::PathBuf, String, Vkey) {
    let file = place.path().join(file);
    let place = place.with("COMPLINE__STORE__URL", &format!("sqlite://{}", file.display()));
    let made =
        place.run(&["audit", "key", "create", "--name", "example.com/log", "--out", "audit.key", "--json"]);
    let key: Vkey = made.expect(0).json()["key"].as_str().unwrap().parse().unwrap();
    let secret = std::fs::read_to_string(place.path().join("audit.key")).unwrap().trim().to_owned();
    let place = place.file(
        "compline.toml",
        "[audit]\nkey = \"file:audit.key\"\n[audit.anchors.one]\ndirectory = \"one\"\n",
    );
    (place, file, secret, key)
}

#[test]
fn every_sentence_of_a_pack_stands_on_entries_that_can_be_checked_without_us() {
    let (place, file, secret, key) = signed();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    place.run(&["evidence", "--from", "1h"]).expect(1).says(&["nothing is signed yet"]);
    place.enqueue(&["system.noop"]);
    let failing = place.enqueue(&["system.fail", "--args", r#"{"message":"no"}"#, "--max-attempts", "1"]);
    place.work(1);
    place.run(&["queues", "pause", "mail", "--reason", "month <b>end</b>"]).expect(0);
    let create = ["tokens", "create", "--name", "billing", "--permission", "jobs:read"];
    place.run(&create).expect(0);
    place.run(&["tokens", "revoke", "billing"]).expect(0);
    runtime.block_on(grow(&file, &secret, &place.path().join("one")));
    // Not signed yet, and for the next pack.
    place.run(&["queues", "resume", "mail"]).expect(0);

    let made = place.run(&["evidence", "--from", "1h", "--framework", "soc2", "--json"]).expect(0).json();

    assert_eq!((&made["findings"], &made["file"]), (&json!([]), &json!("evidence.zip")));
    place.run(&["evidence", "--from", "1h"]).expect(2).says(&["evidence.zip is there already"]);
    let folder = place.path().join("taken");
    let files = unpacked(&place.path().join("evidence.zip"), &folder);
    assert!(!files.keys().any(|name| name.contains("openings")), "{files:?}");
    let facts: Value = serde_json::from_str(&files["facts.json"]).unwrap();
    let claim = |name: &str| {
        let claims = facts["claims"].as_array().unwrap();
        claims.iter().find(|claim| claim["claim"] == name).unwrap().clone()
    };
    assert_eq!((&claim("jobs.enqueued")["count"], &claim("jobs.completed")["count"]), (&json!(2), &json!(1)));
    let discarded = claim("jobs.discarded");
    assert_eq!(discarded["count"], 1);
    assert!(discarded["entries"][0]["detail"].as_str().unwrap().contains(&failing), "{discarded}");
    let [service] = &facts["services"].as_array().unwrap()[..] else { panic!("one service: {facts}") };
    assert_eq!((&service["name"], &service["live"]), (&json!("billing"), &json!(false)));
    assert_eq!(service["permissions"], json!(["jobs:read"]));
    assert!(service["revoked_at"].is_string() && service["created_by"].as_str().unwrap().starts_with("cli:"));
    assert!(files["report.html"].contains("<td>billing</td><td>jobs:read</td>"));
    let changes = claim("changes.made");
    assert_eq!((&changes["count"], &changes["entries"][0]["action"]), (&json!(1), &json!("queue.pause")));

    // What the sentence says of the leaf is what the entry there says, and its receipt proves it.
    let (leaf, seq) = (changes["entries"][0]["leaf"].as_u64().unwrap(), changes["entries"][0]["seq"].clone());
    let entries = files.iter().find(|(name, _)| name.starts_with("log/entries/")).unwrap().1;
    let line = entries.lines().nth(usize::try_from(leaf).unwrap()).unwrap();
    assert!(line.contains("queue.pause"), "{line}");
    let receipt = Receipt::parse(&files[&format!("receipts/entry-{seq}.tlog-proof")]).unwrap();
    receipt.verify(leaf_hash(line.as_bytes()), "example.com/log", std::slice::from_ref(&key)).unwrap();
    assert_eq!(files[&format!("receipts/entry-{seq}.json")], line);
    let page = &files["report.html"];
    for said in ["<strong>1</strong> job failed for good", "month &lt;b&gt;end", "CC8.1", "example.com/log"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains("164.312") && !page.contains("queue.resume"), "{page}");

    let python = std::env::var("COMPLINE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let check = |folder: &Path| {
        Command::new(&python)
            .current_dir(folder)
            .args(["log/verify.py", "--key", &key.to_string(), "log"])
            .output()
            .unwrap()
    };
    let checked = check(&folder);
    assert!(checked.status.success(), "{checked:?}");
    let entries = folder.join(files.keys().find(|name| name.starts_with("log/entries/")).unwrap());
    let changed = std::fs::read_to_string(&entries).unwrap().replace("queue.pause", "queue.pausd");
    std::fs::write(&entries, changed).unwrap();
    assert!(!check(&folder).status.success());
    // That it was made is in the log itself.
    place.run(&["audit", "search", "--action", "audit.evidence"]).expect(0).says(&["audit.evidence"]);
}

/// The demo has an envelope signed; its log is an operator's as any other.
#[test]
fn an_envelope_stands_in_the_pack_with_what_was_signed_and_a_file_that_was_changed_is_named() {
    let place = Place::new();
    let told = place.run(&["demo", "--exit", "--json"]).expect(0).json();
    let (place, file, secret, key) = signed_in(place, "compline-demo/compline.db");
    let place = place.with("COMPLINE__ARTIFACTS__DIRECTORY", "compline-demo/artifacts");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(grow(&file, &secret, &place.path().join("one")));

    let pack = |out: &str, more: &[&str]| {
        let args = [&["evidence", "--from", "1h", "--json", "--out", out][..], more].concat();
        place.run(&args)
    };
    let made = pack("q1.zip", &["--with-files"]).expect(0).json();

    assert_eq!(
        made["files"],
        json!({ "named": 3, "in_the_pack": 3, "gone": 0, "differing": 0, "not_taken": 0 })
    );
    let folder = place.path().join("taken");
    let files = unpacked(&place.path().join("q1.zip"), &folder);
    let facts: Value = serde_json::from_str(&files["facts.json"]).unwrap();
    let claims = facts["claims"].as_array().unwrap();
    let counts: BTreeMap<_, _> = claims
        .iter()
        .filter(|claim| claim["theme"] == "envelopes")
        .map(|claim| (claim["claim"].as_str().unwrap(), claim["count"].as_u64().unwrap()))
        .collect();
    let expected =
        [("archived", 3), ("completed", 1), ("declined", 0), ("sent", 1), ("unresolved", 0), ("voided", 0)];
    assert_eq!(
        counts,
        expected
            .map(|(name, count)| (format!("envelopes.{name}"), count))
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect()
    );
    let archived = claims.iter().find(|claim| claim["claim"] == "envelopes.archived").unwrap();
    let (named, kept) =
        (archived["files"].as_array().unwrap(), told["envelope"]["archive"].as_array().unwrap());
    assert_eq!(named.len(), kept.len());
    let entries = files.iter().find(|(name, _)| name.starts_with("log/entries/")).unwrap().1;
    for (named, kept) in named.iter().zip(kept) {
        for field in ["name", "sha256", "bytes", "address"] {
            assert_eq!(named[field], kept[field], "{field}");
        }
        // The entry that the file stands beside has the hash, and the page too.
        let line = entries.lines().nth(usize::try_from(named["leaf"].as_u64().unwrap()).unwrap()).unwrap();
        let sha256 = named["sha256"].as_str().unwrap();
        assert!(line.contains("docusign.envelope.archive") && line.contains(sha256), "{line}");
        assert!(files["report.html"].contains(sha256));
        assert!(files.contains_key(&format!("receipts/entry-{}.tlog-proof", named["seq"])));
    }

    let python = std::env::var("COMPLINE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let check = || {
        let key = key.to_string();
        let args = ["log/verify.py", "--key", &key, "--files", "files", "log"];
        let ran = Command::new(&python).current_dir(&folder).args(args).output().unwrap();
        (ran.status.code(), String::from_utf8(ran.stdout).unwrap())
    };
    let (code, text) = check();
    assert!(code == Some(0) && text.contains("3 files of files are what entries say"), "{text}");
    let leaf = named[0]["leaf"].to_string();
    std::fs::write(folder.join("files").join(&leaf).join("certificate.pdf"), "%PDF-1.7\n%%EOF\n").unwrap();
    let (code, text) = check();
    assert!(
        code == Some(1) && text.contains(&format!("WRONG: files/{leaf}/certificate.pdf has SHA-256")),
        "{text}"
    );

    // Whoever takes the envelope away, and the page that says that it is there, is found by what was signed.
    std::fs::remove_dir_all(folder.join("files").join(&leaf)).unwrap();
    std::fs::remove_file(folder.join("facts.json")).unwrap();
    let (code, text) = check();
    for file in named {
        let missing = format!("WRONG: files/{leaf}/{} is missing", file["name"].as_str().unwrap());
        assert!(code == Some(1) && text.contains(&missing), "{text}");
    }

    // What lies with the operator is compared when it is taken along, and is not asked for otherwise.
    let own = Path::new(told["envelope"]["folder"].as_str().unwrap());
    std::fs::write(own.join("001-report.pdf"), "%PDF-1.7\n%%EOF\n").unwrap();
    std::fs::remove_file(own.join("certificate.pdf")).unwrap();
    let made = pack("q2.zip", &["--with-files"]).expect(1).json();
    assert_eq!(
        made["files"],
        json!({ "named": 3, "in_the_pack": 1, "gone": 1, "differing": 1, "not_taken": 0 })
    );
    let again = unpacked(&place.path().join("q2.zip"), &place.path().join("again"));
    assert!(again["report.html"].contains("Of 1 files other bytes lie in their place"));
    assert!(!again.keys().any(|name| name.ends_with("001-report.pdf")), "{:?}", again.keys());
    let made = pack("q3.zip", &[]).expect(0).json();
    assert_eq!(
        made["files"],
        json!({ "named": 3, "in_the_pack": 0, "gone": 0, "differing": 0, "not_taken": 0 })
    );
}

#[test]
fn a_pack_of_a_log_that_was_changed_says_so_first() {
    let (place, file, secret, _) = signed();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    place.enqueue(&["system.noop"]);
    place.run(&["queues", "pause", "mail", "--reason", "month end"]).expect(0);
    runtime.block_on(async {
        grow(&file, &secret, &place.path().join("one")).await;
        super::audit::change(&file).await;
    });

    place
        .run(&["evidence", "--from", "1h", "--out", "bad.zip"])
        .expect(1)
        .says(&["1 things in the log do not fit"]);

    let files = unpacked(&place.path().join("bad.zip"), &place.path().join("taken"));
    let page = &files["report.html"];
    assert!(
        page.contains("entry 2 was altered") && page.contains("Nothing below can be relied on"),
        "{page}"
    );
}

#[test]
fn a_period_a_framework_and_a_file_that_cannot_be_are_named() {
    let (place, ..) = signed();
    for (args, said) in [
        (&["evidence"][..], "--from"),
        (&["evidence", "--from", "2026-02-01", "--to", "2026-01-01"], "does not lie before --to"),
        (&["evidence", "--from", "yesterday"], "such as 2026-01-31"),
        (&["evidence", "--from", "1h", "--framework", "gdpr"], "soc2, hipaa, iso27001"),
    ] {
        place.run(args).expect(2).says(&[said]);
    }
    assert!(!place.path().join("evidence.zip").exists());
    assert!(!place.path().join("evidence.zip.parts").exists());
}
