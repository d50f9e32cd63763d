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
    a_folder_that_is_away_is_waited_for,
];

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

async fn a_folder_that_is_away_is_waited_for(t: TestStore) {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("mounted-later");
    let door = Door::new(&t, None);
    let services = door.start(&settings(&folder));
    door.pass(Duration::from_secs(5)).await;

    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.csv"), "one").unwrap();

    door.until("the file is taken", async || files(&door).await == ["a.csv"]).await;
    stop(services).await;
}
