//! What `doctor` and the other commands say of a place that is not as it should be.

use crate::support::binary::Place;
use crate::support::ports::free_port;

#[test]
fn the_doctor_finds_a_healthy_place_healthy_and_names_what_is_not() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let checks = place.run(&["doctor", "--json"]).expect(0).json();
    let names: Vec<_> =
        checks.as_array().unwrap().iter().map(|c| (c["name"].clone(), c["health"].clone())).collect();
    for name in ["configuration", "store", "schema", "clock", "artifacts", "ledgers", "encryption"] {
        assert!(names.contains(&(name.into(), "ok".into())), "{name}: {checks}");
    }

    let place = Place::new()
        .file("artifacts", "a file stands where the directory should be")
        .file(
            "compline.toml",
            "[encryption]\ncurrent = \"k1\"\n[encryption.keys]\nk1 = \"env:UNSET_KEY\"\n[journal]\nroots = [\"nowhere\"]",
        );
    let ran = place.run(&["doctor"]);
    assert_ne!(ran.code, 0);
    ran.says(&["FAIL  artifacts", "artifacts.directory", "FAIL  encryption", "UNSET_KEY"]).says(&[
        "warn  ledgers",
        "nowhere",
        "journal.roots",
        "results/journal has room for ",
    ]);
}

#[test]
fn the_doctor_names_the_line_of_a_setting_that_no_run_can_mean() {
    let place = Place::new().file("compline.toml", "[journal.settings.risk]\nhigh = 2.0\n");

    place.run(&["doctor"]).expect(2).says(&[
        "FAIL  configuration",
        "compline.toml:2",
        "journal.settings.risk.medium, high",
        "write two numbers between 0 and 1",
    ]);
}

/// The kernel's limit on the size of a file stands in for a disk that is full.
#[test]
fn the_doctor_says_when_the_store_has_no_room_left() {
    let place = Place::new();
    place.run(&["migrate"]).expect(0);
    let mut shell = std::process::Command::new("sh");
    let line = "trap '' XFSZ; ulimit -f 1000; exec \"$0\" doctor";
    shell.args(["-c", line, env!("CARGO_BIN_EXE_compline")]).current_dir(place.path()).env_clear();

    let told = shell.output().unwrap();

    let text = String::from_utf8_lossy(&told.stdout);
    assert!(!told.status.success(), "{text}");
    assert!(text.contains("FAIL  store") && text.contains("nothing more can be written beside"), "{text}");
    assert_eq!(
        std::fs::read_dir(place.path())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(".tmp") })
            .count(),
        0
    );
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let place = Place::new().file("compline.db", &"no database, ".repeat(100));

    place.run(&["jobs", "list"]).expect(4).says(&["`compline.db` cannot be opened", "not a database"]);
}

#[test]
fn the_doctor_names_the_token_that_ends_next_and_a_platform_that_cannot_be_asked() {
    let place = Place::new();
    let create = |name: &str, life: &str| {
        let args = ["tokens", "create", "--name", name, "--permission", "jobs:read", "--expires", life];
        place.run(&args).expect(0);
    };
    create("long", "15d");
    place.run(&["doctor"]).says(&["ok    tokens", "1 token of services"]);
    create("short", "13d");
    create("shortest", "2d");
    place.run(&["doctor"]).says(&[
        "warn  tokens",
        "2 tokens end within 14 days, shortest first",
        "rotate shortest",
    ]);

    let port = free_port();
    let text = format!(
        "[identity]\nkey = \"env:KEY\"\n[identity.platform]\nissuer = \"https://login.example.org/\"\naudience = \"x\"\n\
         algorithms = [\"RS256\"]\njwks_url = \"http://127.0.0.1:{port}/keys\"\nroles = {{ ops = \"viewer\" }}\n"
    );
    let key = "a key for tests, of thirty-two bytes and more";
    let place = Place::new().file("compline.toml", &text).with("KEY", key);
    place.run(&["doctor"]).expect(4).says(&["FAIL  platform", "does not answer", "jwks_url"]);
}
