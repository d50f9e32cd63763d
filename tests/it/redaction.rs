//! Secrets planted wherever one may be, and every output of the binary searched for them.

mod logs;

use crate::support::binary::Place;

const PASSWORD: &str = "pw-7d1f3c";
const KEY: &str = "5ecre7aa5ecre7aa";
const HEX_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// Everything that prints settings or fails because of them.
const COMMANDS: &[&[&str]] = &[
    &["config", "show"],
    &["config", "check"],
    &["doctor"],
    &["migrate"],
    &["enqueue", "system.noop"],
    &["jobs", "list"],
    &["queues", "list"],
    &["workers", "list"],
];

#[track_caller]
fn keeps_its_secrets(place: &Place) {
    for command in COMMANDS {
        for form in [&[][..], &["--json"]] {
            let ran = place.run(&[command, form].concat());
            for secret in [PASSWORD, KEY, HEX_KEY] {
                assert!(!ran.all().contains(secret), "{command:?} prints {secret}:\n{}", ran.all());
            }
        }
    }
}

fn place() -> Place {
    Place::new().with("COMPLINE__LOG__FILTER", "trace").with("COMPLINE__STORE__ACQUIRE_TIMEOUT", "300ms")
}

#[test]
fn a_password_in_the_url_is_never_printed() {
    for url in [
        format!("postgres://ada:{PASSWORD}@127.0.0.1:1/db"),
        format!("postgres://ada:{PASSWORD}/@x@127.0.0.1:1/db"),
        format!("postgres://127.0.0.1:1/db?user=ada&password={PASSWORD}"),
        format!("mysql://ada:{PASSWORD}@127.0.0.1/db"),
        format!("postgres://ada:{PASSWORD}@[bad/db"),
    ] {
        keeps_its_secrets(&place().file("compline.toml", &format!("[store]\nurl = \"{url}\"\n")));
    }
    let url = format!("postgres://ada:{PASSWORD}@127.0.0.1:1/db");
    keeps_its_secrets(&place().with("COMPLINE__STORE__URL", &url));
    keeps_its_secrets(&place().with("COMPLINE__STORE__URL", "env:DATABASE_URL").with("DATABASE_URL", &url));
}

#[test]
fn what_a_reference_points_at_is_never_printed() {
    let toml = "[encryption]\ncurrent = \"k1\"\n[encryption.keys]\nk1 = \"env:KEY\"\nk2 = \"file:key\"\n";
    let good = place().file("compline.toml", toml).with("KEY", HEX_KEY).file("key", HEX_KEY);
    good.run(&["config", "check"]).expect(0);
    keeps_its_secrets(&good);

    let bad = place().file("compline.toml", toml).with("KEY", KEY).file("key", KEY);
    bad.run(&["config", "check"]).expect(2).says(&["encryption.keys.k1", "openssl rand -hex 32"]);
    keeps_its_secrets(&bad);
}

#[test]
fn a_literal_where_a_reference_belongs_is_refused_and_never_printed() {
    for toml in [
        format!("[encryption.keys]\nk1 = \"{KEY}\"\n"),
        format!("[encryption]\nkeys = \"{KEY}\"\n"),
        format!("[encryption.keys]\nk1 = \"{KEY}\n"),
        format!("[encryption.keys]\nk1 = {{ literal = \"{KEY}\" }}\n"),
    ] {
        let place = place().file("compline.toml", &toml);
        place.run(&["config", "check"]).expect(2).says(&["compline.toml:2"]);
        keeps_its_secrets(&place);
    }
    let place = place().with("COMPLINE__ENCRYPTION__KEYS__K1", KEY);
    place.run(&["config", "check"]).expect(2).says(&["COMPLINE__ENCRYPTION__KEYS__K1", "`env:NAME`"]);
    keeps_its_secrets(&place);
}

#[test]
fn what_is_encrypted_is_readable_with_its_key_and_nowhere_in_the_files() {
    const PERSONAL: &str = "DE02-1203-0000";
    let toml = "[kinds.\"system.fail\"]\nencrypted = true\n[encryption]\ncurrent = \"k1\"\n\
        [encryption.keys]\nk1 = \"env:KEY\"\n";
    let place = place().file("compline.toml", toml).with("KEY", HEX_KEY);

    let args = format!(r#"{{"message":"{PERSONAL}","times":0}}"#);
    let id = place.enqueue(&["system.fail", "--args", &args]);
    // Its error says what it was given.
    let args = format!(r#"{{"message":"{PERSONAL}","permanent":true}}"#);
    let failed = place.enqueue(&["system.fail", "--args", &args]);
    place.work(1);

    assert_eq!(place.job(&id)["state"], "completed");
    assert_eq!(place.job(&id)["args"]["message"], PERSONAL);
    assert_eq!(place.job(&failed)["error"], PERSONAL);
    assert_eq!(place.job(&failed)["attempts"][0]["error"], PERSONAL);
    let review = ["jobs", "review", &id, "JE-1", "--decision", "comment", "--comment", PERSONAL];
    place.run(&review).expect(0);
    let reviews = place.run(&["jobs", "reviews", &id, "--json"]).expect(0).json();
    assert_eq!(reviews[0]["comment"], PERSONAL);
    for entry in std::fs::read_dir(place.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = if path.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        let found = bytes.windows(PERSONAL.len()).any(|window| window == PERSONAL.as_bytes());
        assert!(!found, "{} holds it in the clear", path.display());
    }
    let place = place.file("keyless.toml", "");
    for list in [&["jobs", "list", "--json"][..], &["jobs", "list"]] {
        let ran = place.run(&[list, &["--config", "keyless.toml"]].concat()).expect(0).says(&[&id, &failed]);
        assert!(!ran.all().contains(PERSONAL));
    }
    for form in [&[][..], &["--json"]] {
        for (id, state) in [(&id, "completed"), (&failed, "discarded")] {
            let show = [&["jobs", "show", id, "--config", "keyless.toml"], form].concat();
            let ran = place.run(&show).expect(0).says(&[state, "sealed with key `k1`", "encryption.keys"]);
            assert!(!ran.all().contains(PERSONAL));
        }
    }
    place.run(&["jobs", "wait", &id, "--config", "keyless.toml"]).expect(0).says(&["completed"]);
    let reviews = ["jobs", "reviews", &id, "--json", "--config", "keyless.toml"];
    place.run(&reviews).expect(0).says(&["JE-1", "sealed with key `k1`"]);
}

/// The standard library wrote the last words of a job to standard error, in the clear and beside the JSON.
#[test]
fn the_last_words_of_a_job_that_panics_are_sealed_in_the_store_and_nowhere_else() {
    const PERSONAL: &str = "DE02-1203-0000";
    let toml = "[kinds.\"system.fail\"]\nencrypted = true\n[encryption]\ncurrent = \"k1\"\n\
        [encryption.keys]\nk1 = \"env:KEY\"\n[log]\nformat = \"json\"\n";
    let place = place().file("compline.toml", toml).with("KEY", HEX_KEY);
    let args = format!(r#"{{"message":"{PERSONAL}","panic":true}}"#);
    let id = place.enqueue(&["system.fail", "--args", &args, "--max-attempts", "1"]);

    let ran = place.work(1);

    assert!(!ran.all().contains(PERSONAL), "{}", ran.all());
    let lines: Vec<serde_json::Value> =
        ran.err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let told = lines.iter().filter_map(|line| line["message"].as_str());
    let told: Vec<_> = told.filter(|text| text.contains("panicked")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with(&format!("job {id} panicked at engine/src/system.rs:")), "{told:?}");
    assert_eq!(place.job(&id)["error"], format!("panicked: {PERSONAL}"));
}
