//! Files: each one that is whole makes a job, as it is, once.

use std::path::Path;
use std::time::Duration;

use engine::triggers::settings::{Folder, Triggers as Settings};

use super::{Door, stop};
use crate::support::store::{TestStore, promises};

promises![
    a_file_makes_a_job_once_it_has_stopped_growing,
    a_file_that_changes_makes_another_job,
    a_file_that_was_taken_is_not_taken_again_by_the_next_process,
    two_processes_that_watch_one_folder_take_each_file_once,
    a_folder_that_is_away_is_waited_for_and_told_of,
    a_copy_of_the_folder_makes_nothing_again,
    a_name_that_is_no_text_keeps_no_others_and_is_told_of,
    a_file_that_the_store_refuses_keeps_no_others,
];

const BLIND: &str = "trigger.blind/folder:ledgers";

fn settings(path: &Path) -> Settings {
    let folder = Folder {
        path: path.into(),
        suffix: ".csv".into(),
        every: Duration::from_millis(500),
        stable_for: Duration::from_secs(2),
        // It takes any arguments that name a file, and nobody runs it.
        kind: "system.steps".into(),
        args: r#"{"n": 1, "file": "{/path}"}"#.into(),
        ..Folder::default()
    };
    Settings { folders: [("ledgers".to_owned(), folder)].into(), ..Settings::default() }
}

async fn files(door: &Door) -> Vec<String> {
    let name =
        |args: &serde_json::Value| args["file"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    door.args().await.iter().map(name).collect()
}

async fn a_file_makes_a_job_once_it_has_stopped_growing(t: TestStore) {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(&t, None);
    let services = door.start(&settings(folder.path()));
    let file = folder.path().join("a.csv");
    for text in ["id", "id,amount", "id,amount\n1,2"] {
        std::fs::write(&file, text).unwrap();
        door.pass(Duration::from_millis(1_500)).await;
        assert_eq!(files(&door).await, [""; 0]);
    }

    door.until("the file is taken", async || !files(&door).await.is_empty()).await;
    door.pass(Duration::from_secs(10)).await;

    assert_eq!(files(&door).await, ["a.csv"]);
    assert_eq!(door.args().await[0]["file"], file.canonicalize().unwrap().to_str().unwrap());
    stop(services).await;
}

async fn a_file_that_changes_makes_another_job(t: TestStore) {
    let folder = tempfile::tempdir().unwrap();
    let door = Door::new(&t, None);
    let services = door.start(&settings(folder.path()));
    std::fs::write(folder.path().join("a.csv"), "one").unwrap();
    std::fs::write(folder.path().join("a.txt"), "one").unwrap();
    door.until("the file is taken", async || files(&door).await.len() == 1).await;

    std::fs::write(folder.path().join("a.csv"), "another").unwrap();
    door.until("it is taken again", async || files(&door).await.len() == 2).await;

    assert_eq!(files(&door).await, ["a.csv", "a.csv"]);
    stop(services).await;
}

async fn a_file_that_was_taken_is_not_taken_again_by_the_next_process(t: TestStore) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "one").unwrap();
    let door = Door::new(&t, None);
    let services = door.start(&settings(folder.path()));
    door.until("the file is taken", async || files(&door).await.len() == 1).await;
    stop(services).await;

    let services = door.start(&settings(folder.path()));
    std::fs::write(folder.path().join("b.csv"), "two").unwrap();
    door.until("the other is taken", async || files(&door).await.len() == 2).await;
    door.pass(Duration::from_secs(5)).await;

    assert_eq!(files(&door).await, ["a.csv", "b.csv"]);
    stop(services).await;
}

async fn two_processes_that_watch_one_folder_take_each_file_once(t: TestStore) {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..50).map(|n| format!("{n:02}.csv")).collect();
    for name in &names {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let door = Door::new(&t, None);
    let another = t.second().await;
    let other = Door::new(&another, None);

    let services = [door.start(&settings(folder.path())), other.start(&settings(folder.path()))];
    door.until("all are taken", async || files(&door).await.len() >= names.len()).await;
    door.pass(Duration::from_secs(5)).await;

    let mut taken = files(&door).await;
    taken.sort_unstable();
    assert_eq!(taken, names);
    stop(services.into_iter().flatten().collect()).await;
}

async fn a_folder_that_is_away_is_waited_for_and_told_of(t: TestStore) {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("mounted-later");
    let door = Door::new(&t, None);
    let services = door.start(&settings(&folder));
    door.pass(Duration::from_secs(5)).await;
    assert_eq!(door.alerts().await.get(BLIND), None, "it may come in a moment");
    door.until("it is told of", async || door.alerts().await.get(BLIND) == Some(&true)).await;

    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.csv"), "one").unwrap();

    door.until("the file is taken", async || files(&door).await == ["a.csv"]).await;
    door.until("its end is told", async || door.alerts().await.get(BLIND) == Some(&false)).await;
    stop(services).await;
}

/// As from an archive, which keeps the second and not the rest, and no inode.
async fn a_copy_of_the_folder_makes_nothing_again(t: TestStore) {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let door = Door::new(&t, None);
    for name in ["a.csv", "below/b.csv"] {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, name).unwrap();
    }
    let services = door.start(&settings(folder.path()));
    door.until("both are taken", async || files(&door).await.len() == 2).await;
    stop(services).await;
    for name in ["a.csv", "below/b.csv"] {
        let (from, to) = (folder.path().join(name), copy.path().join(name));
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&from, &to).unwrap();
        let modified = std::fs::metadata(&from).unwrap().modified().unwrap();
        let second = modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let second = std::time::UNIX_EPOCH + Duration::from_secs(second);
        std::fs::File::options().write(true).open(&to).unwrap().set_modified(second).unwrap();
    }

    let services = door.start(&settings(copy.path()));
    std::fs::write(copy.path().join("c.csv"), "new").unwrap();
    door.until("the new one is taken", async || files(&door).await.contains(&"c.csv".to_owned())).await;
    door.pass(Duration::from_secs(5)).await;

    let mut taken = files(&door).await;
    taken.sort_unstable();
    assert_eq!(taken, ["a.csv", "b.csv", "c.csv"]);
    stop(services).await;
}

/// The listing once ended there, and whatever came after it in the folder was never taken.
async fn a_name_that_is_no_text_keeps_no_others_and_is_told_of(t: TestStore) {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let odd: Vec<_> =
        [b"\xff.csv", b"\xfe.csv"].map(|name| folder.path().join(std::ffi::OsStr::from_bytes(name))).into();
    let names: Vec<String> = (0..20).map(|n| format!("{n:02}.csv")).collect();
    for file in names.iter().map(|name| folder.path().join(name)).chain(odd.clone()) {
        std::fs::write(file, "one").unwrap();
    }
    let door = Door::new(&t, None);

    let services = door.start(&settings(folder.path()));
    door.until("all that can be are taken", async || files(&door).await.len() == names.len()).await;
    door.until("it is told of", async || door.alerts().await.get(BLIND) == Some(&true)).await;
    odd.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    door.until("its end is told", async || door.alerts().await.get(BLIND) == Some(&false)).await;

    let mut taken = files(&door).await;
    taken.sort_unstable();
    assert_eq!(taken, names);
    stop(services).await;
}

/// PostgreSQL cannot remember a path of three thousand letters; SQLite can.
async fn a_file_that_the_store_refuses_keeps_no_others(t: TestStore) {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 7_u64;
    let mut letters = |count: usize| -> String {
        let letter = |_| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'a' + u8::try_from((number >> 40) % 26).unwrap())
        };
        (0..count).map(letter).collect()
    };
    let deep = (0..15).fold(folder.path().to_path_buf(), |path, _| path.join(letters(220)));
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("deep.csv"), "one").unwrap();
    let mut names: Vec<String> = (0..30).map(|n| format!("{n:02}.csv")).collect();
    for name in &names {
        std::fs::write(folder.path().join(name), "one").unwrap();
    }
    let door = Door::new(&t, None);

    let services = door.start(&settings(folder.path()));
    let skipped = async || {
        let entries = t.everything_audited().await;
        entries.into_iter().filter(|entry| entry.action == "trigger.skip").collect::<Vec<_>>()
    };
    door.until("each is taken or set aside", async || {
        files(&door).await.len() + skipped().await.len() > names.len()
    })
    .await;
    door.pass(Duration::from_secs(3)).await;

    let mut taken = files(&door).await;
    taken.sort_unstable();
    match skipped().await.as_slice() {
        [] => names.push("deep.csv".into()),
        [entry] => {
            assert!(entry.details["file"].as_str().unwrap().ends_with("/deep.csv"));
            assert!(door.alerts().await.contains_key("trigger.refused/folder:ledgers"));
        }
        more => panic!("it is set aside once: {more:?}"),
    }
    assert_eq!(taken, names);
    stop(services).await;
}
