//! What the verifier for auditors says of a folder that is as it should be, and of folders that somebody changed.
//!
//! It is another program in another language, so it is run as an auditor would.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy does not know helpers for tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use audit::commitment::Opening;
use audit::export::{checkpoint_path, entries_path};
use audit::{Checkpoint, Entry, Hash, SigningKey};
use log::{Log, ORIGIN, entry};
use ring::rand::SystemRandom;
use secrecy::ExposeSecret;
use tempfile::TempDir;

#[path = "verifier/files.rs"]
mod files;
#[path = "support/log.rs"]
mod log;

struct Folder {
    home: TempDir,
    log: Log,
}

fn key() -> SigningKey {
    SigningKey::generate(ORIGIN, &SystemRandom::new()).unwrap()
}

fn log_of(leaves: u64, key: SigningKey) -> Log {
    let mut log = Log::new(key);
    for number in 0..leaves {
        if number % 700 == 0 {
            log.sign();
        }
        log.push(&entry(number));
    }
    log.sign();
    log
}

impl Folder {
    fn new(leaves: u64, from: u64) -> Self {
        Self::of(log_of(leaves, key()), from)
    }

    fn of(log: Log, from: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        log.export(home.path(), from);
        Self { home, log }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    /// Changes the lines of the file of entries that begins at this leaf.
    fn edit(&self, first: u64, change: impl FnOnce(&mut Vec<String>)) {
        let path = self.path(&entries_path(first));
        let mut lines: Vec<_> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        change(&mut lines);
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        fs::write(path, text).unwrap();
    }

    fn flip(&self, path: &str, byte: usize) {
        let mut bytes = fs::read(self.path(path)).unwrap();
        bytes[byte] ^= 1;
        fs::write(self.path(path), bytes).unwrap();
    }

    fn told(&self) -> (i32, Vec<String>) {
        self.told_with(&["--key", &self.log.key.vkey().to_string()])
    }

    /// The exit code, and the lines that say what is wrong.
    fn told_with(&self, arguments: &[&str]) -> (i32, Vec<String>) {
        let (code, text) = run(self.home.path(), arguments);
        let wrong = text.lines().filter_map(|line| line.strip_prefix("WRONG: ")).map(str::to_owned).collect();
        (code, wrong)
    }

    fn says(&self, wrong: &[&str]) {
        let (code, told) = self.told();
        assert_eq!(told, wrong);
        assert_eq!(code, i32::from(!wrong.is_empty()));
    }
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let python = std::env::var_os("COMPLINE_VERIFIER_PYTHON").unwrap_or_else(|| "python3".into());
    let ran = Command::new(python).arg("-B").arg(folder.join("verify.py")).args(arguments).output().unwrap();
    let text = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
    assert!(!text.contains("Traceback"), "{text}");
    (ran.status.code().unwrap(), text)
}

const FILE: &str = "entries/00000000000000000000.jsonl";

#[test]
fn an_export_of_any_size_and_beginning_is_well() {
    for (leaves, from) in
        [(0, 0), (1, 0), (255, 0), (256, 0), (257, 100), (4_096, 0), (9_000, 300), (66_000, 65_600)]
    {
        Folder::new(leaves, from).says(&[]);
    }
    let folder = Folder::new(600, 0);
    let (code, text) = run(folder.home.path(), &["--key", &folder.log.key.vkey().to_string()]);
    let expected = format!(
        "all is well: 2 checkpoints of {ORIGIN}, the newest of 600 leaves; 600 entries from leaf 0 on\n"
    );
    assert_eq!((code, text), (0, expected));
}

#[test]
fn entries_that_were_changed_are_named() {
    let folder = Folder::new(1_000, 0);
    folder.edit(0, |lines| {
        lines[7] = lines[7].replace("\"ok\"", "\"no\"");
        lines[300] = lines[300].replace("\"seq\":301", "\"seq\":999");
        lines[999] = lines[999].replace("actor-5", "actor-6");
    });
    folder.says(&[
        &format!("entry of leaf 7 is altered: it stands in {FILE} line 8 and has seq 8 now"),
        &format!("entry of leaf 300 is altered: it stands in {FILE} line 301 and has seq 999 now"),
        &format!("entry of leaf 999 is altered: it stands in {FILE} line 1000 and has seq 1000 now"),
    ]);
}

#[test]
fn entries_that_were_removed_are_named() {
    let folder = Folder::new(9_000, 0);
    folder.edit(0, |lines| {
        lines.drain(100..103);
        lines.remove(3_000);
    });
    folder.edit(8_192, |lines| lines.truncate(800));
    fs::remove_file(folder.path(&entries_path(4_096))).unwrap();
    folder.says(&[
        "entries of leaves 100 to 102 are missing",
        "entry of leaf 3003 is missing",
        "entries of leaves 4096 to 8191 are missing",
        "entries of leaves 8992 to 8999 are missing",
    ]);
}

#[test]
fn an_export_without_its_entries_is_not_an_anchor() {
    let folder = Folder::new(300, 0);
    fs::remove_file(folder.path(FILE)).unwrap();
    folder.says(&["entries of leaves 0 to 299 are missing"]);
    fs::remove_dir(folder.path("entries")).unwrap();
    folder.says(&[]);
}

#[test]
fn entries_that_were_added_or_moved_are_named() {
    let folder = Folder::new(5_000, 0);
    folder.edit(0, |lines| {
        let (copy, other) = (lines[10].clone(), lines[20].replace("actor", "nobody"));
        lines.insert(1_000, copy);
        lines.insert(500, other);
        lines.swap(2_000, 2_001);
    });
    let moved = fs::read_to_string(folder.path(&entries_path(4_096))).unwrap();
    folder.edit(4_096, |lines| drop(lines.remove(4)));
    folder.edit(0, |lines| lines.push(moved.lines().nth(4).unwrap().to_owned()));
    let (code, told) = folder.told();
    assert_eq!(code, 1);
    assert_eq!(
        told,
        [
            format!("{FILE} has 4099 lines, more than 4096"),
            format!("entry with seq 11, {FILE} line 1002, is extra: it stands there twice"),
            format!("entry of leaf 1999, seq 2000, is reordered: it stands in {FILE} line 2001"),
            format!("entry of leaf 4100, seq 4101, is reordered: it stands in {FILE} line 4099"),
            format!("entry with seq 21, {FILE} line 501, is extra: no leaf of the signed tree is there"),
        ]
    );
}

#[test]
fn entries_behind_the_newest_checkpoint_are_extra() {
    let folder = Folder::new(300, 0);
    folder.edit(0, |lines| lines.push(lines[0].replace("\"seq\":1,", "\"seq\":301,")));
    folder.says(&[&format!(
        "entry with seq 301, {FILE} line 301, is extra: no leaf of the signed tree is there"
    )]);
}

#[test]
fn tiles_that_were_changed_are_named_and_the_entries_are_not() {
    let folder = Folder::new(1_000, 0);
    folder.flip("tile/0/001", 33);
    folder.says(&["tile tile/0/001 does not fit hash 1 of the tile above it, tile/1/000"]);
}

#[test]
fn tiles_that_are_gone_or_cut_are_named() {
    let folder = Folder::new(1_000, 0);
    fs::remove_file(folder.path("tile/0/001")).unwrap();
    fs::write(folder.path("tile/0/000"), [0; 100]).unwrap();
    let (code, told) = folder.told();
    assert_eq!(code, 1);
    assert_eq!(told[0], "tile tile/0/000 has 100 bytes instead of 8192");
    assert!(told.contains(&"tile tile/0/001 is missing".into()), "{told:?}");
    assert!(
        told.contains(&format!("{FILE} cannot be checked, because of a tile that is missing")),
        "{told:?}"
    );
}

#[test]
fn a_tile_of_an_earlier_size_must_be_the_beginning_of_the_later_one() {
    let folder = Folder::new(1_000, 0);
    let full = fs::read(folder.path("tile/0/000")).unwrap();
    fs::create_dir(folder.path("tile/0/000.p")).unwrap();
    fs::write(folder.path("tile/0/000.p/3"), &full[..96]).unwrap();
    folder.says(&[]);
    folder.flip("tile/0/000.p/3", 5);
    folder.says(&["tile tile/0/000.p/3 is not the beginning of tile/0/000"]);
}

#[test]
fn a_tree_that_was_rewritten_whole_does_not_have_the_signed_roots() {
    // Without the key, the best that a forger can do is to make all tiles and entries anew.
    let key_of_log = key();
    let mut forged = Log::new(key());
    for number in 0..1_000 {
        forged.push(&Entry { outcome: if number == 5 { "no" } else { "ok" }.into(), ..entry(number) });
    }
    forged.sign();
    let real = Folder::of(log_of(1_000, key_of_log), 0);
    let folder = Folder::of(forged, 0);
    fs::copy(real.path("checkpoint"), folder.path("checkpoint")).unwrap();
    fs::remove_file(folder.path(&checkpoint_path(1_000))).unwrap();
    let (code, told) = folder.told_with(&["--key", &real.log.key.vkey().to_string()]);
    assert_eq!((code, told.len()), (1, 1));
    assert!(
        told[0]
            .starts_with("checkpoint of size 1000 has a root that is not the one of the first 1000 leaves")
    );
}

#[test]
fn checkpoints_that_nobody_known_signed_are_named() {
    let folder = Folder::new(1_000, 0);
    let (vkey, path) = (folder.log.key.vkey().to_string(), checkpoint_path(700));
    let note = fs::read_to_string(folder.path(&path)).unwrap();
    let stranger = Checkpoint::new(ORIGIN, 700, Hash([1; 32])).sign(&[&key()]).unwrap();
    let elsewhere = Checkpoint::new("elsewhere", 700, Hash([1; 32])).sign(&[&folder.log.key]).unwrap();
    for (text, told) in [
        (note.replace("\n700\n", "\n701\n"), format!("has a bad signature of {vkey}")),
        (stranger, "has no signature of a known key".into()),
        (elsewhere, "is of elsewhere, and no key of that name has signed it".into()),
        (note.replace("\n\n", "\n"), "is not a signed note".into()),
        (note.replace("— ", "- "), "has a line that is no signature".into()),
        (folder.log.checkpoints[0].2.clone(), "is of size 0, which is not what its name says".into()),
    ] {
        fs::write(folder.path(&path), text).unwrap();
        folder.says(&[&format!("checkpoint {path} {told}")]);
    }
}

#[test]
fn checkpoints_that_contradict_each_other_are_named() {
    let folder = Folder::new(1_000, 0);
    let sign = |size| Checkpoint::new(ORIGIN, size, Hash([1; 32])).sign(&[&folder.log.key]).unwrap();
    fs::write(folder.path(&checkpoint_path(800)), sign(800)).unwrap();
    fs::write(folder.path("checkpoint"), sign(1_000)).unwrap();
    let (code, told) = folder.told();
    assert_eq!((code, told.len()), (1, 2));
    assert!(told[0].starts_with("checkpoint checkpoint is not consistent with another one of size 1000"));
    assert!(
        told[1].starts_with("checkpoint of size 800 has a root that is not the one of the first 800 leaves")
    );
    fs::copy(folder.path(&checkpoint_path(700)), folder.path("checkpoint")).unwrap();
    assert!(folder.told().1[0].starts_with("checkpoint checkpoint is of size 700 and not the newest"));
}

#[test]
fn an_anchor_finds_what_was_changed_and_signed_anew() {
    let seed = key().to_secret();
    let same = || seed.expose_secret().parse::<SigningKey>().unwrap();
    let anchor = Folder::of(log_of(1_000, same()), 0);
    fs::remove_dir_all(anchor.path("entries")).unwrap();
    let anchor_path = anchor.home.path().to_str().unwrap().to_owned();
    let vkey = same().vkey().to_string();
    let arguments = ["--key", &vkey, "--anchor", &anchor_path];

    let longer = Folder::of(log_of(2_000, same()), 0);
    assert_eq!(longer.told_with(&arguments), (0, Vec::new()));

    let mut forged = Log::new(same());
    for number in 0..2_000 {
        forged.push(&Entry { outcome: if number == 5 { "no" } else { "ok" }.into(), ..entry(number) });
    }
    forged.sign();
    let (code, told) = Folder::of(forged, 0).told_with(&arguments);
    assert_eq!(code, 1);
    assert!(told[0].contains("checkpoint of size 700 of"), "{told:?}");
    let named = format!("leaf 5, {FILE} line 6, which has seq 6 now, is another one in {anchor_path}");
    assert!(told.last().unwrap().starts_with(&named), "{told:?}");

    let (code, told) = Folder::of(log_of(900, same()), 0).told_with(&arguments);
    assert_eq!(code, 1);
    assert!(
        told[0].contains("has a signed checkpoint of 1000 leaves, and this folder ends at 900"),
        "{told:?}"
    );

    anchor.flip("tile/0/000", 3);
    let (_, told) = longer.told_with(&arguments);
    let misfit = "tile tile/0/000 does not fit hash 0 of the tile above it, tile/1/000";
    assert_eq!(told[0], format!("{anchor_path}: {misfit}"));
}

/// Of 300 leaves by one key, of 600 by the next, of 900 by the one after it.
fn rotated() -> (Log, [String; 3]) {
    let mut log = Log::new(key());
    for number in 0..900 {
        match number {
            300 | 600 => log.hand_over(key()),
            150 | 450 | 750 => log.sign(),
            _ => {}
        }
        log.push(&entry(number));
    }
    log.sign();
    let keys = [0, 1, 2].map(|at: usize| log.keys[at].to_string());
    (log, keys)
}

#[test]
fn any_key_leads_to_those_before_and_after_it() {
    let (log, keys) = rotated();
    let folder = Folder::of(log, 0);
    for key in &keys {
        assert_eq!(folder.told_with(&["--key", key]), (0, Vec::new()));
    }
    let (_, text) = run(folder.home.path(), &["--key", &keys[0]]);
    assert!(text.contains("note: 2 other keys are trusted"), "{text}");
    let stranger = key().vkey().to_string();
    let (code, told) = folder.told_with(&["--key", &stranger]);
    assert!(code == 1 && told[0].contains("has no signature of a known key"), "{told:?}");
}

#[test]
fn a_key_that_signs_out_of_its_time_is_named() {
    let (mut log, keys) = rotated();
    let thief = key();
    // The second key is stolen after it handed over, and the third one is lost on the way.
    let second = key();
    let mut other = Log::new(key());
    other.push(&entry(0));
    let first = other.keys[0].to_string();
    other.hand_over(second.to_secret().expose_secret().parse().unwrap());
    other.push(&entry(1));
    other.hand_over(key());
    other.push(&entry(2));
    let stolen = other.checkpoint().sign(&[&second]).unwrap();
    other.keep(stolen);
    let names = other.keys.clone();
    let folder = Folder::of(other, 0);
    let (code, told) = folder.told_with(&["--key", &first]);
    let late = format!("is signed by {}, which had handed over to {} with 2 leaves", names[1], names[2]);
    assert!(code == 1 && told[0] == format!("checkpoint {} {late}", checkpoint_path(3)), "{told:?}");

    // A hand-over that the old key never signed, and one that was changed after it was.
    log.push(&entry(900));
    let mut forged = log.checkpoint();
    forged.extensions.push(format!("handover {} {}", keys[2], thief.vkey()));
    let forged = forged.sign(&[&thief]).unwrap();
    log.keep(forged);
    let folder = Folder::of(log, 0);
    let (code, told) = folder.told_with(&["--key", &keys[0]]);
    let problem =
        format!("checkpoint {} hands a key over, and not both keys have signed it", checkpoint_path(901));
    assert!(code == 1 && told.contains(&problem), "{told:?}");
    let path = folder.path(&checkpoint_path(300));
    let note = fs::read_to_string(&path).unwrap();
    fs::write(&path, note.replace(&keys[1], &thief.vkey().to_string())).unwrap();
    let (code, told) = folder.told_with(&["--key", &keys[0]]);
    assert!(code == 1 && told[0].contains("00000000000000000300 has a bad signature"), "{told:?}");
}

#[test]
fn a_key_that_hands_over_twice_is_named() {
    let mut log = Log::new(key());
    let stolen = log.key.to_secret();
    log.push(&entry(0));
    log.hand_over(key());
    log.push(&entry(1));
    log.sign();
    log.push(&entry(2));
    let thief = key();
    let old = stolen.expose_secret().parse::<SigningKey>().unwrap();
    let note = audit::succession::hand_over(log.checkpoint(), &old, &thief).unwrap();
    log.keep(note);
    let (first, second) = (log.keys[0].to_string(), log.keys[1].to_string());

    let (code, told) = Folder::of(log, 0).told_with(&["--key", &first]);

    let twice = format!(
        "key {first} has handed over twice: to {second} with 1 leaves and to {} with 3; one of them is a thief's",
        thief.vkey()
    );
    assert!(code == 1 && told[0] == twice, "{told:?}");
}

#[test]
fn openings_must_open_what_the_entries_hold() {
    let random = SystemRandom::new();
    let opening = |field: &str, value: &str| Opening::new(field, value.into(), &random).unwrap();
    let openings =
        [opening("source", "192.0.2.7"), opening("email", "ada@example.com"), opening("email", "gone")];
    let commitments = openings.each_ref().map(|opening| opening.commit().to_string());
    let mut log = Log::new(key());
    log.push(&Entry { source: Some(commitments[0].clone()), ..entry(0) });
    for commitment in &commitments[1..] {
        let details = Some(format!(r#"{{"personal":{{"email":"{commitment}"}}}}"#));
        log.push(&Entry { details, ..entry(1) });
    }
    let erased = Some(format!(r#"{{"commitments":["{}"],"basis":"request"}}"#, commitments[2]));
    log.push(&Entry { action: "audit.redact".into(), details: erased, ..entry(3) });
    log.sign();
    let folder = Folder::of(log, 0);
    let lines: Vec<String> = openings.iter().zip(&commitments).enumerate().map(|(leaf, (opening, commitment))| {
        let salt = Hash(*opening.salt).to_hex();
        let (field, value, digits) = (&opening.field, opening.value.expose_secret(), &commitment[2..]);
        format!(r#"{{"leaf":{leaf},"field":"{field}","salt":"{salt}","value":"{value}","commitment":"{digits}"}}"#)
    }).collect();
    let write = |lines: &[String]| fs::write(folder.path("openings.jsonl"), lines.join("\n")).unwrap();

    write(&lines[..2]);
    folder.says(&[]);
    write(&lines[..1]);
    let (code, text) = run(folder.home.path(), &["--key", &folder.log.key.vkey().to_string()]);
    assert!(code == 0 && text.contains("note: 1 commitments have no opening here"), "{text}");

    let changed = [
        lines[0].replace("192.0.2.7", "192.0.2.8"),
        lines[1].replace("\"leaf\":1", "\"leaf\":0"),
        lines[2].clone(),
        "{}".into(),
    ];
    write(&changed);
    let of = |what: &str, line: u64| format!("opening of {what}, openings.jsonl line {line},");
    folder.says(&[
        &format!(
            "{} does not open its commitment: salt, field or value was changed",
            of("'source' of leaf 0", 1)
        ),
        &format!("{} is of a commitment that the entry does not have", of("'email' of leaf 0", 2)),
        &format!("{} is still there, though an entry says that it was erased", of("'email' of leaf 2", 3)),
        "openings.jsonl line 4 is no opening",
    ]);
}

#[test]
fn what_cannot_be_read_ends_with_2() {
    let folder = Folder::new(10, 0);
    let vkey = folder.log.key.vkey().to_string();
    for arguments in [
        &["--key", "nonsense"][..],
        &["--key", &vkey.replace("example", "simple")],
        &["--keys", "nowhere"],
        &["--key", &vkey, "nowhere"],
        &["--key", &vkey, "--anchor", "nowhere"],
        &["--wrong"],
    ] {
        assert_eq!(run(folder.home.path(), arguments).0, 2, "{arguments:?}");
    }
    let keys = folder.path("keys").to_str().unwrap().to_owned();
    assert_eq!(folder.told_with(&["--keys", &keys]), (0, Vec::new()));
    let (code, text) = run(folder.home.path(), &[]);
    assert!(code == 0 && text.contains("note: the keys are those of the folder itself"), "{text}");
    for path in ["checkpoint", &checkpoint_path(0), &checkpoint_path(10)] {
        fs::remove_file(folder.path(path)).unwrap();
    }
    assert_eq!(folder.told().0, 2);
}
