//! A server of its own, an administrator of its roles, and a place with a configuration that looks after one secret.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use engine::adapters::clock::SystemClock;
use jobkit::Clock;
use jobkit::redact::ExposeSecret;
use secret_rotation::adapters::file_store::FileStore;
use secret_rotation::store::SecretStore;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::support::binary::Place;
use crate::support::postgres::OwnServer;

pub const SECRET: &str = "app-db";
/// A machine that runs all tests at once is slow; whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_secs(120);

fn patience() -> (SystemClock, Duration) {
    let clock = SystemClock::new();
    let last = clock.steady() + PATIENCE;
    (clock, last)
}

pub struct House {
    pub server: OwnServer,
    pub place: Place,
}

/// What readers get.
pub struct Login {
    pub user: String,
    pub password: String,
    pub url: String,
}

impl Login {
    pub async fn read(store: &FileStore) -> Self {
        let current = store.labels(SECRET).await.unwrap().current.expect("it was published");
        // A version is destroyed when the one after it is published for a while, and not while it is current.
        let value = store.read(SECRET, &current).await.unwrap().expect("what is current has a value");
        let value: Value = serde_json::from_str(value.expose_secret()).unwrap();
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        Self { user: text("username"), password: text("password"), url: text("url") }
    }
}

/// With what code the server refuses it, if it does.
pub async fn refusal(login: &Login) -> Option<String> {
    match PgConnection::connect(&login.url).await {
        Ok(connection) => {
            let _ = connection.close().await;
            None
        }
        Err(problem) => Some(problem.as_database_error().unwrap().code().unwrap().into_owned()),
    }
}

pub async fn logs_in(login: &Login) -> bool {
    refusal(login).await.is_none()
}

pub fn key(path: &Path, byte: &str) {
    std::fs::write(path, byte.repeat(32)).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

impl House {
    /// Where one role is there and has a password, and the other is not there yet.
    pub async fn new(grace: &str) -> Self {
        let house = Self::with(grace, "").await;
        house.server.ask_for_passwords().await;
        house.server.log_all().await;
        house
    }

    /// Where both roles are there, one without a password, and nobody is asked for one.
    pub async fn that_trusts() -> Self {
        Self::with("0s", "CREATE ROLE app_b LOGIN IN ROLE app; GRANT app_b TO rotator WITH ADMIN OPTION;")
            .await
    }

    async fn with(grace: &str, more: &str) -> Self {
        let server = OwnServer::start();
        // As docs/reference/secrets.md has it granted.
        server
            .run(&format!(
                "CREATE ROLE app NOLOGIN; GRANT CREATE ON SCHEMA public TO app; \
                 CREATE TABLE things (n integer); ALTER TABLE things OWNER TO app; \
                 CREATE ROLE app_a LOGIN PASSWORD 'of-before' IN ROLE app; ALTER ROLE app_a SET role = app; \
                 CREATE ROLE rotator LOGIN CREATEROLE PASSWORD 'of-the-rotator'; \
                 GRANT app, app_a TO rotator WITH ADMIN OPTION; \
                 GRANT pg_signal_backend, pg_read_all_stats TO rotator; {more}"
            ))
            .await;
        let config = format!(
            r#"
[store]
url = "sqlite://jobs.db"
[worker]
lease = "2s"
poll = "100ms"
[log]
filter = "debug"
[databases.app]
url = "env:ROTATOR_URL"
[schedules."secret_rotation.sweep"]
kind = "secret_rotation.sweep"
cron = "0 0 1 1 *"
[secret_rotation.stores.file]
folder = "secrets"
key_path = "key"
[secret_rotation.secrets.{SECRET}]
grace = "{grace}"
max_grace = "2h"
[secret_rotation.secrets.{SECRET}.postgres]
database = "app"
roles = ["app_a", "app_b"]
owner = "app"
must = ["SELECT count(*) FROM things", "INSERT INTO things (n) VALUES (1)"]
"#
        );
        let url = server.url_of("rotator", "of-the-rotator");
        let place = Place::new().file("compline.toml", &config).with("ROTATOR_URL", &url);
        key(&place.path().join("key"), "5c");
        place.run(&["migrate"]).expect(0);
        Self { server, place }
    }

    pub fn store(&self) -> FileStore {
        FileStore::new(self.place.path().join("secrets"), self.place.path().join("key"))
    }

    pub async fn login(&self) -> Login {
        Login::read(&self.store()).await
    }

    pub fn work(&self) -> Working {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(self.place.path().join("worker.log"));
        let log = log.unwrap();
        let mut command = self.place.command(&["work"]);
        Working(command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap())
    }

    pub fn enqueue_rotation(&self) -> String {
        self.place.run(&["secrets", "rotate", SECRET]).expect(0).out.trim().to_owned()
    }

    /// From the command to its end, which the job is returned at.
    pub async fn rotate(&self) -> Value {
        self.ended(&self.enqueue_rotation()).await
    }

    pub async fn ended(&self, id: &str) -> Value {
        let over = [json!("completed"), json!("discarded"), json!("cancelled")];
        self.until("it ended", |job| over.contains(&job["state"]), id).await
    }

    pub async fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool, id: &str) -> Value {
        let (clock, last) = patience();
        loop {
            let job = self.place.job(id);
            if is_so(&job) {
                return job;
            }
            assert!(clock.steady() < last, "not so in time: {what}: {job}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn until_phase(&self, phase: &str) {
        let (clock, last) = patience();
        loop {
            let shown = self.place.run(&["secrets", "show", SECRET, "--json"]).expect(0).json();
            if shown["state"] == json!(phase) {
                return;
            }
            assert!(clock.steady() < last, "it is not {phase} in time: {shown}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether the alert of a stuck rotation is open. News are folded a moment after they are written.
    pub async fn until_told(&self, is_open: bool) {
        let (clock, last) = patience();
        loop {
            let alerts =
                self.place.run(&["alerts", "list", "--rule", "secret_rotation.stuck", "--json"]).expect(0);
            if alerts.out.contains("secret_rotation.stuck/app-db") == is_open {
                return;
            }
            assert!(clock.steady() < last, "open should be {is_open}: {}", alerts.out);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub async fn has_password(&self, role: &str) -> bool {
        let mut server = PgConnection::connect(&self.server.url()).await.unwrap();
        let asked = sqlx::query_scalar("SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = $1");
        asked.bind(role).fetch_one(&mut server).await.unwrap()
    }

    /// The last of them, which readers get, and no other: also not the one that there was before all.
    pub async fn assert_one_lives(&self, logins: &[Login]) {
        let (last, dead) = logins.split_last().unwrap();
        assert!(logs_in(last).await, "{} is let in", last.user);
        for login in dead {
            assert_eq!(refusal(login).await.as_deref(), Some("28P01"), "of before: {}", login.user);
        }
        let before = Login {
            user: "app_a".into(),
            password: "of-before".into(),
            url: self.server.url_of("app_a", "of-before"),
        };
        // The first rotation does not know of it, and the second one has its role.
        if logins.len() > 1 {
            assert_eq!(refusal(&before).await.as_deref(), Some("28P01"));
        }
        let labels = self.store().labels(SECRET).await.unwrap();
        assert_eq!((labels.pending, labels.previous), (None, None));
    }

    /// Whatever anybody can read without the key, by where it is.
    pub async fn all_that_is_told(&self) -> BTreeMap<String, String> {
        let bytes = |name: &str| {
            String::from_utf8_lossy(&std::fs::read(self.place.path().join(name)).unwrap_or_default())
                .into_owned()
        };
        let mut told: BTreeMap<String, String> = [
            ("the log of PostgreSQL", self.server.log()),
            ("the database", bytes("jobs.db")),
            ("what the database has not merged yet", bytes("jobs.db-wal")),
            ("the log of the worker", bytes("worker.log")),
            ("the folder of secrets", bytes("secrets/app-db.json")),
        ]
        .map(|(place, text)| (place.to_owned(), text))
        .into();
        let mut commands: Vec<Vec<&str>> = vec![
            vec!["secrets", "list", "--json"],
            vec!["secrets", "show", SECRET, "--json"],
            vec!["secrets", "show", SECRET],
            vec!["secrets", "doctor", "--json"],
            vec!["audit", "search", "--json"],
            vec!["records", "show", "secret_rotation.secret", SECRET, "--json"],
        ];
        let jobs = self.place.run(&["jobs", "list", "--json"]).expect(0).json();
        let ids: Vec<String> = jobs["jobs"]
            .as_array()
            .or(jobs.as_array())
            .unwrap()
            .iter()
            .map(|job| job["id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids.len(), 4, "{jobs}");
        commands.extend(ids.iter().map(|id| vec!["jobs", "show", id.as_str(), "--json"]));
        for command in commands {
            let ran = self.place.run(&command).expect(0);
            assert!(ran.out.len() > 2, "{command:?} says something");
            told.insert(command.join(" "), ran.all());
        }
        told
    }
}

/// A worker, which ends with the test.
pub struct Working(Child);

impl Working {
    /// As an outage of the machine would.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.kill();
    }
}
