//! What the verifier says of files that entries name: of those of a pack, and of others.

use std::fs;
use std::path::PathBuf;

use audit::Entry;
use tempfile::TempDir;

use super::log::{Log, entry};
use super::{Folder, key, run};

fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn files_are_what_the_entries_say_of_them_or_are_named() {
    let mut log = Log::new(key());
    log.push(&entry(0));
    for (number, names) in [(1, &["a.pdf", "certificate.pdf"][..]), (2, &["b.pdf"])] {
        let files = names.iter().map(|name| format!(r#"{{"name":"{name}","sha256":"{}"}}"#, hash(name)));
        let details = format!(r#"{{"files":[{}]}}"#, files.collect::<Vec<_>>().join(","));
        log.push(&Entry { details: Some(details), ..entry(number) });
    }
    log.push(&Entry {
        details: Some(r#"{"files":[7,{"name":"x"},{"name":"y","sha256":"abc"}]}"#.into()),
        ..entry(3)
    });
    log.sign();
    let folder = Folder::of(log, 0);
    let files = tempfile::tempdir().unwrap();
    let (key, place) = (folder.log.key.vkey().to_string(), files.path().to_str().unwrap());
    let put = |path: &str, text: &str| {
        let path = files.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let check = || folder.told_with(&["--key", &key, "--files", place]);

    for (path, text) in
        [("1/a.pdf", "a.pdf"), ("1/certificate.pdf", "certificate.pdf"), ("from the client.pdf", "b.pdf")]
    {
        put(path, text);
    }
    assert_eq!(check(), (0, Vec::new()));

    put("1/a.pdf", "another");
    put("2/a.pdf", "a.pdf");
    put("elsewhere/c.pdf", "c.pdf");
    fs::remove_file(files.path().join("1/certificate.pdf")).unwrap();
    let (code, mut told) = check();
    told.sort();
    let mut expected = [
        format!(
            "{place}/1/a.pdf has SHA-256 {}, and the entry of leaf 1 says {}",
            hash("another"),
            hash("a.pdf")
        ),
        format!("{place}/1/certificate.pdf is missing: the entry of leaf 1 names it"),
        format!("{place}/2/a.pdf: the entry of leaf 2 names no such file"),
        format!("{place}/2/b.pdf is missing: the entry of leaf 2 names it"),
        format!("{place}/elsewhere/c.pdf has SHA-256 {}, which no entry names", hash("c.pdf")),
    ];
    expected.sort();
    assert_eq!((code, &told[..]), (1, &expected[..]));
    assert_eq!(folder.told_with(&["--key", &key, "--files", "nowhere"]).0, 2);
}

/// A folder that was removed as a whole left nothing by which it could be missed.
#[test]
fn files_that_the_pack_says_to_have_are_missed_and_those_it_left_out_are_told() {
    let file = |name: &str, text: &str| format!(r#"{{"name":"{name}","sha256":"{}"}}"#, hash(text));
    let mut log = Log::new(key());
    for (number, files) in [
        (0, vec![file("a.pdf", "a"), file("gone.pdf", "gone")]),
        (1, vec![file("b.pdf", "b")]),
        // Two of one name: the second lies beside the first.
        (2, vec![file("c.pdf", "c"), file("c.pdf", "another")]),
    ] {
        let details = format!(r#"{{"files":[{}]}}"#, files.join(","));
        log.push(&Entry { details: Some(details), ..entry(number) });
    }
    log.sign();
    let folder = Folder::of(log, 0);
    let pack = tempfile::tempdir().unwrap();
    let files = pack.path().join("files");
    let (key, place) = (folder.log.key.vkey().to_string(), files.to_str().unwrap());
    let put = |path: &str, text: &str| {
        let path = files.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let there = |leaf: u64, name: &str, text: &str, there: &str| {
        format!(r#"{{"leaf":{leaf},"name":"{name}","sha256":"{}","there":"{there}"}}"#, hash(text))
    };
    let told = [
        there(0, "a.pdf", "a", "in_the_pack"),
        there(0, "gone.pdf", "gone", "gone"),
        there(1, "b.pdf", "b", "in_the_pack"),
        there(2, "c.pdf", "c", "in_the_pack"),
        there(2, "c.pdf", "another", "in_the_pack"),
    ];
    fs::write(pack.path().join("facts.json"), format!(r#"{{"claims":[{{"files":[{}]}}]}}"#, told.join(",")))
        .unwrap();
    for (path, text) in [("0/a.pdf", "a"), ("1/b.pdf", "b"), ("2/c.pdf", "c"), ("2-2/c.pdf", "another")] {
        put(path, text);
    }
    let arguments = ["--key", &key, "--files", place];

    let (code, text) = run(folder.home.path(), &arguments);
    let note = format!("note: {place}/0/gone.pdf is not there: gone when the pack was made, says facts.json");
    assert!(code == 0 && text.contains(&note), "{text}");

    for gone in ["1", "2-2"] {
        fs::remove_dir_all(files.join(gone)).unwrap();
    }
    let missing = |path: &str| format!("{place}/{path} is missing: facts.json says that it is in the pack");
    assert_eq!(folder.told_with(&arguments), (1, vec![missing("1/b.pdf"), missing("2/c.pdf")]));
}

/// A pack with two envelopes of its time, one of before and one of after it, as `compline evidence` makes it.
struct Pack {
    home: TempDir,
    key: String,
}

const ENVELOPES: [u64; 4] = [1, 2, 3, 4];
const OF_ITS_TIME: [u64; 2] = [2, 3];

impl Pack {
    fn new() -> Self {
        let mut log = Log::new(key());
        log.push(&entry(0));
        for number in ENVELOPES {
            let details = format!(
                r#"{{"files":[{{"name":"a.pdf","sha256":"{}","address":"file:job/1/a.pdf"}},{{"name":"elsewhere","sha256":"{}"}}]}}"#,
                hash(&number.to_string()),
                hash("elsewhere")
            );
            log.push(&Entry { details: Some(details), ..entry(number) });
        }
        log.sign();
        let home = tempfile::tempdir().unwrap();
        log.export(&home.path().join("log"), 0);
        let pack = Self { home, key: log.key.vkey().to_string() };
        for number in OF_ITS_TIME {
            pack.put(&format!("files/{number}/a.pdf"), &number.to_string());
            // Named without an address, and so never taken along; the folder of its leaf is to be whole all the same.
            pack.put(&format!("files/{number}/elsewhere"), "elsewhere");
        }
        pack.facts(&["in_the_pack"; 2]);
        pack
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn put(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// What facts.json says of the two.
    fn facts(&self, there: &[&str]) {
        let file = |(number, there): (u64, &&str)| {
            format!(
                r#"{{"leaf":{number},"name":"a.pdf","sha256":"{}","there":"{there}"}}"#,
                hash(&number.to_string())
            )
        };
        let files: Vec<_> = OF_ITS_TIME.into_iter().zip(there).map(file).collect();
        let text = format!(
            r#"{{"from":"{}","until":"{}","claims":[{{"files":[{}]}}]}}"#,
            entry(2).at,
            entry(4).at,
            files.join(",")
        );
        self.put("facts.json", &text);
    }

    fn remove(&self, path: &str) {
        match self.path(path).is_dir() {
            true => fs::remove_dir_all(self.path(path)).unwrap(),
            false => fs::remove_file(self.path(path)).unwrap(),
        }
    }

    fn run(&self, files: &[&str]) -> (i32, String) {
        let places: Vec<_> =
            files.iter().map(|files| self.path(files).to_str().unwrap().to_owned()).collect();
        let arguments = places.iter().flat_map(|place| ["--files", place.as_str()]);
        let all: Vec<_> = ["--key", self.key.as_str()].into_iter().chain(arguments).collect();
        let (code, text) = run(&self.path("log"), &all);
        (code, text.replace(&format!("{}/", self.home.path().display()), ""))
    }

    /// Exactly these lines but the last.
    #[track_caller]
    fn says(&self, files: &[&str], code: i32, lines: &[&str]) {
        let (ended, text) = self.run(files);
        let told: Vec<_> = text.lines().collect();
        assert_eq!((ended, &told[..told.len() - 1]), (code, lines), "{text}");
    }
}

const OF_ANOTHER_TIME: &str = "note: 2 files are named by entries of before 2026-11-18T11:06:40Z or from 2026-11-18T11:06:40Z on, and were not to be in the pack";

fn missing(number: u64) -> String {
    format!("WRONG: files/{number}/a.pdf is missing: the entry of leaf {number} names it")
}

/// An envelope whose folder was taken away, with the file that said that it was there, was missed by nobody.
#[test]
fn a_file_that_a_signed_entry_names_is_missed_without_a_word_of_facts_json() {
    let pack = Pack::new();
    pack.says(&["files"], 0, &[OF_ANOTHER_TIME]);

    // With what it says changed.
    pack.remove("files/3");
    pack.facts(&["in_the_pack"]);
    pack.says(&["files"], 1, &[&missing(3), OF_ANOTHER_TIME]);

    // Without it nobody knows of which time the pack is.
    pack.remove("facts.json");
    pack.says(&["files"], 1, &[&missing(1), &missing(3), &missing(4)]);
    pack.remove("files/2");
    let all = ENVELOPES.map(missing);
    pack.says(&["files"], 1, &all.each_ref().map(String::as_str));
}

#[test]
fn what_was_left_out_of_a_pack_is_told_and_nothing_is_missed_in_one_without_files() {
    let pack = Pack::new();
    pack.remove("files");
    pack.facts(&["gone", "not_taken"]);
    let left_out = [
        OF_ANOTHER_TIME,
        "note: files/2/a.pdf is not there: gone when the pack was made, says facts.json",
        "note: files/3/a.pdf is not there: its name is no plain one, says facts.json",
    ];
    pack.says(&["files"], 0, &[left_out[1], left_out[2], left_out[0]]);

    pack.facts(&["not_asked"; 2]);
    let without = "note: files were not taken along when the pack was made, says facts.json";
    pack.says(&["files"], 0, &[without]);
    pack.says(&[], 0, &[without]);
    // One alone is never not asked for.
    pack.facts(&["gone", "not_asked"]);
    pack.says(&["files"], 1, &[&missing(3), left_out[1], OF_ANOTHER_TIME]);
}

#[test]
fn of_copies_from_elsewhere_and_where_no_folder_is_given_a_note_says_what_was_not_looked_at() {
    let pack = Pack::new();
    pack.says(&[], 0, &["note: 4 files that entries name were not looked at: give the folder in which they lie with --files"]);

    pack.remove("facts.json");
    pack.put("copies/contract.pdf", "2");
    pack.says(
        &["copies"],
        0,
        &["note: 3 files that entries name are not in copies, which is not the folder of a pack"],
    );
}
