//! Secrets that are rotated by the real binary at a real PostgreSQL, which asks for passwords and writes down whatever it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::adapters::clock::SystemClock;
use jobkit::Clock;
use jobkit::redact::ExposeSecret;
use secret_rotation::adapters::file_store::FileStore;
use secret_rotation::store::SecretStore;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

mod house;

use house::{House, Login, SECRET, logs_in, refusal};

/// How long a client goes by what it has read. Much less than the grace, so that a slow machine fails nobody.
const READS_AGAIN: Duration = Duration::from_millis(300);

/// A client as ours are to be: it reads the value, signs in with it for a while, and reads it again.
async fn client(store: FileStore, ends: Arc<AtomicBool>) -> Client {
    let (clock, mut seen) = (SystemClock::new(), Client::default());
    while !ends.load(Ordering::Relaxed) {
        let login = Login::read(&store).await;
        let read_at = clock.steady();
        while clock.steady() - read_at < READS_AGAIN {
            match PgConnection::connect(&login.url).await {
                Ok(connection) => {
                    *seen.signed_in.entry(login.user.clone()).or_default() += 1;
                    let _ = connection.close().await;
                }
                Err(problem) => {
                    let age = clock.steady() - read_at;
                    seen.failed.push(format!("{} after {age:?}: {problem}", login.user));
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    seen
}

#[derive(Default)]
struct Client {
    signed_in: BTreeMap<String, usize>,
    failed: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_is_refused_while_a_secret_is_rotated_and_nobody_finds_a_value_anywhere() {
    let house = House::new("3s").await;
    let worker = house.work();
    house.rotate().await;
    let mut logins = vec![house.login().await];
    let ends = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| tokio::spawn(client(house.store(), ends.clone()))).collect();

    for _ in 0..3 {
        let done = house.rotate().await;
        assert_eq!(done["result"]["state"], json!("done"), "{done}");
        assert!(done["result"]["old_refused_at"].is_string(), "{done}");
        // The old one is refused by its password, and by nothing else.
        assert_eq!(refusal(logins.last().unwrap()).await.as_deref(), Some("28P01"));
        logins.push(house.login().await);
    }
    ends.store(true, Ordering::Relaxed);

    let mut users = BTreeSet::new();
    for client in clients {
        let client = client.await.unwrap();
        assert_eq!(client.failed, [""; 0]);
        assert_eq!(client.signed_in.keys().collect::<Vec<_>>(), ["app_a", "app_b"]);
        users.extend(client.signed_in.into_keys());
    }
    let turns: Vec<&str> = logins.iter().map(|login| login.user.as_str()).collect();
    assert_eq!(turns, ["app_b", "app_a", "app_b", "app_a"]);
    house.assert_one_lives(&logins).await;
    // What the application makes belongs to the owner, whoever's turn it is.
    let mut as_client = PgConnection::connect(&logins[3].url).await.unwrap();
    sqlx::query("CREATE TABLE made_by_a_client ()").execute(&mut as_client).await.unwrap();
    let owner: String =
        sqlx::query_scalar("SELECT tableowner FROM pg_tables WHERE tablename = 'made_by_a_client'")
            .fetch_one(&mut as_client)
            .await
            .unwrap();
    assert_eq!(owner, "app");

    drop(worker);
    let log = house.server.log();
    assert!(
        log.contains(r#"ALTER ROLE "app_b" PASSWORD 'SCRAM-SHA-256$4096:"#),
        "the server writes all down"
    );
    let told = house.all_that_is_told().await;
    assert!(told["the log of the worker"].contains("secret_rotation"), "{}", told["the log of the worker"]);
    for (place, text) in told {
        for login in &logins {
            assert!(!text.contains(&login.password), "the password of {} is in {place}", login.user);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_at_any_moment_leaves_one_credential_that_lives() {
    let house = House::new("0s").await;
    let mut logins = Vec::new();
    let (mut moment, mut interrupted) = (0x9e37_79b9_u64, 0);

    for round in 1..=6_u64 {
        let id = house.enqueue_rotation();
        for _ in 0..2 {
            // Any generator will do; that of Knuth has a written period.
            moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let mut worker = house.work();
            house.until("it was begun", |job| job["state"] != json!("available"), &id).await;
            tokio::time::sleep(Duration::from_millis((moment >> 33) % 120)).await;
            worker.kill();
        }
        let worker = house.work();
        let done = house.ended(&id).await;
        drop(worker);

        assert_eq!(done["result"]["state"], json!("done"), "{done}");
        assert_eq!(done["result"]["run"], json!(round));
        interrupted += usize::from(done["attempt"].as_u64().unwrap() > 1);
        logins.push(house.login().await);
        house.assert_one_lives(&logins).await;
    }

    assert!(interrupted > 0, "no kill came while it rotated");
    let turns: Vec<&str> = logins.iter().map(|login| login.user.as_str()).collect();
    assert_eq!(turns, ["app_b", "app_a", "app_b", "app_a", "app_b", "app_a"], "no run made two values");
}

/// Such a server refuses no old value, so that nobody's death could be shown.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_nobody_for_a_password_is_refused_before_it_is_touched_and_gone_on_with_when_mended()
 {
    let house = House::that_trusts().await;
    let _worker = house.work();

    let id = house.enqueue_rotation();
    let gone = house.ended(&id).await;

    assert_eq!(gone["state"], json!("discarded"), "{gone}");
    let shown = house.place.run(&["secrets", "show", SECRET, "--json"]).expect(0).json();
    assert_eq!((&shown["state"], &shown["versions"]["current"]), (&json!("needs_human"), &Value::Null));
    let problem = shown["run"]["problem"].as_str().unwrap();
    assert!(problem.contains("pg_hba.conf must ask for scram-sha-256"), "{problem}");
    assert!(!house.has_password("app_b").await, "nothing was changed");
    house.until_told(true).await;

    house.server.ask_for_passwords().await;
    let done = house.rotate().await;

    assert_eq!((&done["result"]["state"], &done["result"]["run"]), (&json!("done"), &json!(1)));
    assert!(logs_in(&house.login().await).await);
    house.place.run(&["secrets", "doctor"]).expect(0).says(&["ok", "lets the version"]);
    house.until_told(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compromised_secret_ends_its_grace_and_its_sessions() {
    let house = House::new("1h").await;
    let _worker = house.work();
    // There was none before, so that nothing is waited for.
    house.rotate().await;
    let old = house.login().await;
    let waits = house.enqueue_rotation();
    house.until_phase("overlap").await;
    let new = house.login().await;
    assert!(logs_in(&old).await && logs_in(&new).await, "both are let in during the grace");
    let mut sessions =
        [PgConnection::connect(&old.url).await.unwrap(), PgConnection::connect(&new.url).await.unwrap()];

    let emergency = house.place.run(&["secrets", "rotate", SECRET, "--compromised"]).expect(0);
    let done = house.ended(emergency.out.trim()).await;

    // Which of the two somebody knows, nobody can tell: both are dead, with all that they had begun.
    assert_eq!((&done["result"]["state"], &done["result"]["run"]), (&json!("done"), &json!(3)));
    for session in &mut sessions {
        assert!(sqlx::query("SELECT 1").execute(session).await.is_err(), "it was ended");
    }
    house.assert_one_lives(&[old, new, house.login().await]).await;
    // The one that waited finds its rotation over. Nobody waits an hour for that here.
    assert_eq!(house.place.job(&waits)["state"], json!("scheduled"));
}

/// What an application signs in with is read by the library, and is opened by nobody who has the folder alone.
#[tokio::test]
async fn what_lies_in_the_folder_is_sealed() {
    let house = House::new("0s").await;
    let _worker = house.work();
    house.rotate().await;
    let login = house.login().await;

    let file = std::fs::read_to_string(house.place.path().join("secrets/app-db.json")).unwrap();
    let elsewhere = house.place.path().join("other-key");
    house::key(&elsewhere, "ab");
    let stranger = FileStore::new(house.place.path().join("secrets"), elsewhere);
    let current = stranger.labels(SECRET).await.unwrap().current.unwrap();

    assert!(!file.contains(&login.password));
    let told = stranger.read(SECRET, &current).await.map(|value| value.unwrap().expose_secret().len());
    assert!(told.unwrap_err().to_string().contains("does not open"));
}
