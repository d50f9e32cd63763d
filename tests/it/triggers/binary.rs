//! The real binary with triggers: killed at any moment, and with a ledger to score.

use std::collections::BTreeMap;
use std::process::Child;
use std::time::Duration;

use serde_json::Value;

use crate::support::binary::Place;
use crate::support::postgres::empty_database;
use crate::support::redis::RedisServer;

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(place: &Place) -> Killed {
    use std::process::Stdio;
    let mut command = place.command(&["serve"]);
    Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn jobs(place: &Place) -> Vec<Value> {
    let listed = place.run(&["jobs", "list", "--limit", "5000", "--json"]).expect(0).json();
    listed.as_array().unwrap_or_else(|| panic!("a list: {listed}")).clone()
}

fn on_redis(server: &RedisServer) -> Place {
    Place::new()
        .with("COMPLINE__REDIS__URL", &server.url())
        .with("COMPLINE__TRIGGERS__STREAM__ENABLED", "true")
        .with("COMPLINE__TRIGGERS__STREAM__CLAIM_AFTER", "1s")
}

const ENTRIES: usize = 1_000;

async fn each_entry_is_enqueued_once_though_its_consumers_are_killed(place: Place, server: RedisServer) {
    let redis = server.redis();
    place.run(&["migrate"]).expect(0);
    let mut consumers: Vec<Killed> = (0..2).map(|_| serve(&place)).collect();
    for few in 0..ENTRIES / 50 {
        let mut add = redis::pipe();
        for n in few * 50..few * 50 + 50 {
            add.cmd("XADD").arg(&["compline:enqueue", "*", "kind", "system.noop"]);
            add.arg("tags").arg(format!("[\"{n}\"]")).ignore();
        }
        redis.pipeline::<()>("adding entries", &add).await.unwrap();
        // At whatever it is in the middle of.
        tokio::time::sleep(Duration::from_millis(50)).await;
        consumers[few % 2] = serve(&place);
    }

    let mut left = ENTRIES as i64;
    for _ in 0..1_200 {
        left = redis.query("looking", redis::cmd("XLEN").arg("compline:enqueue")).await.unwrap();
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(left, 0);
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for job in jobs(&place) {
        *found.entry(job["tags"][0].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let wanted: BTreeMap<String, usize> = (0..ENTRIES).map(|n| (n.to_string(), 1)).collect();
    assert_eq!(found, wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_entry_is_enqueued_once_on_sqlite_though_its_consumers_are_killed() {
    let server = RedisServer::start();
    let place = on_redis(&server);
    each_entry_is_enqueued_once_though_its_consumers_are_killed(place, server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_entry_is_enqueued_once_on_postgres_though_its_consumers_are_killed() {
    let server = RedisServer::start();
    let place = on_redis(&server).with("COMPLINE__STORE__URL", &empty_database().await);
    each_entry_is_enqueued_once_though_its_consumers_are_killed(place, server).await;
}

#[test]
fn a_new_ledger_is_scored() {
    let ledgers = tempfile::tempdir().unwrap();
    let folder = ledgers.path().canonicalize().unwrap();
    let place = Place::new().file(
        "compline.toml",
        &format!(
            "[journal]\nroots = [{folder:?}]\n[triggers.folders.ledgers]\npath = {folder:?}\nsuffix = \".csv\"\n\
             every = \"100ms\"\nstable_for = \"300ms\"\nkind = \"journal.score_ledger\"\n"
        ),
    );
    place.run(&["migrate"]).expect(0);
    let _serving = serve(&place);
    let mut ledger = Vec::new();
    journal::sample::write(&mut ledger, &journal::sample::SampleParams::default()).unwrap();
    std::fs::write(folder.join("january.csv"), ledger).unwrap();

    for _ in 0..600 {
        let states: Vec<_> =
            jobs(&place).iter().map(|job| job["state"].as_str().unwrap().to_owned()).collect();
        if states == ["completed"] {
            return;
        }
        assert!(states.len() <= 1, "{states:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the ledger was not scored: {:?}", jobs(&place));
}

#[tokio::test]
async fn an_entry_that_was_set_aside_is_shown_and_given_back() {
    let server = RedisServer::start();
    let place = on_redis(&server);
    place.run(&["migrate"]).expect(0);
    let redis = server.redis();
    let mut add = redis::cmd("XADD");
    add.arg(&["compline:enqueue", "*", "kind", "system.nop", "tenant", "acme"]);
    let _: String = redis.query("adding an entry", &add).await.unwrap();
    let serving = serve(&place);
    let listed = || place.run(&["triggers", "rejected", "list", "--json"]).expect(0).json();
    let mut found = listed();
    for _ in 0..400 {
        if !found.as_array().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        found = listed();
    }
    drop(serving);

    assert_eq!(found[0]["fields"], serde_json::json!([["kind", "system.nop"], ["tenant", "acme"]]));
    assert!(found[0]["error"].as_str().unwrap().contains("system.nop"), "{found}");
    place.run(&["triggers", "list"]).expect(0).says(&["stream:compline:enqueue", "0 waiting, 1 rejected"]);

    let id = found[0]["id"].as_str().unwrap();
    place.run(&["triggers", "rejected", "requeue", id]).expect(0).says(&["1 given back"]);
    place.run(&["triggers", "rejected", "requeue", id]).expect(3).says(&["was not set aside"]);

    place.run(&["triggers", "list"]).expect(0).says(&["1 waiting, 0 rejected"]);
    Place::new().run(&["triggers", "rejected", "list"]).expect(2).says(&["no Redis is configured"]);
}

#[test]
fn a_job_brings_the_jobs_for_its_own_end() {
    let place = Place::new().file("alarm.json", r#"{"kind": "system.noop", "queue": "alarm"}"#);
    let end = ["--on-success", "system.noop:{}", "--on-failure", "@alarm.json"];
    let enqueue = |kind: &[&str]| place.enqueue(&[kind, &["--tenant", "acme"], &end].concat());
    let good = enqueue(&["system.noop"]);
    let bad = enqueue(&["system.fail", "--args", r#"{"message": "no", "permanent": true}"#]);

    place.work(1);

    let mut ended: Vec<_> = jobs(&place)
        .iter()
        .filter(|job| job["id"] != good.as_str() && job["id"] != bad.as_str())
        .map(|job| ["queue", "state", "tenant"].map(|of| job[of].as_str().unwrap().to_owned()).join(" "))
        .collect();
    ended.sort_unstable();
    let wanted =
        ["alarm cancelled acme", "alarm completed acme", "default cancelled acme", "default completed acme"];
    assert_eq!(ended, wanted);
    for (option, value, problem) in [
        ("--on-success", "system.nop:{}", "system.nop"),
        ("--on-success", "system.noop:{", "--on-success: what was given is not JSON"),
        ("--on-failure", "@nowhere.json", "`nowhere.json` cannot be read"),
    ] {
        place.run(&["enqueue", "system.noop", option, value]).expect(2).says(&[problem]);
    }
}

#[test]
fn doctor_and_the_list_say_that_a_folder_cannot_be_read() {
    let place = Place::new();
    let folder = place.path().join("ledgers");
    let trigger = "[triggers.folders.ledgers]\nkind = \"system.noop\"\nargs = \"{}\"\n";
    let place = place.file("compline.toml", &format!("{trigger}path = {folder:?}\n"));
    place.run(&["migrate"]).expect(0);

    place.run(&["doctor"]).says(&["warn  triggers", "folder trigger ledgers:", "remedy: make or mount"]);
    place.run(&["triggers", "list"]).expect(0).says(&["folder:ledgers", "No such file"]);
    std::fs::create_dir(&folder).unwrap();
    place.run(&["doctor"]).says(&["ok    triggers", "1 folder can be read"]);
}

#[test]
fn a_chain_that_never_began_cannot_be_forgotten() {
    let place = Place::new();
    place.run(&["triggers", "forget", "nobody"]).expect(3).says(&["no chain `nobody` has begun"]);
}
