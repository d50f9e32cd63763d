//! The programs in `examples/` do what they say, against the real binary.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use engine::adapters::tls;
use jobkit::testing::ManualClock;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use store::{JobFilter, JobRow, Scope, Store};

use crate::support::binary::Place;
use crate::support::postgres;
use crate::support::redis::RedisServer;

const TOKEN: &str = "a token for examples, long enough";

/// `compline serve` on a PostgreSQL and a Redis of its own, with an address that the examples are told.
struct Office {
    _place: Place,
    database: String,
    redis: RedisServer,
    url: String,
    serve: Child,
}

impl Drop for Office {
    fn drop(&mut self) {
        let _ = self.serve.kill();
        let _ = self.serve.wait();
    }
}

impl Office {
    async fn open() -> Self {
        let (database, redis) = (postgres::empty_database().await, RedisServer::start());
        // Somebody else may take the port before the server does; then the test says so.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = Place::new()
            .with("COMPLINE__STORE__URL", &database)
            .with("COMPLINE__REDIS__URL", &redis.url())
            .with("COMPLINE__TRIGGERS__STREAM__ENABLED", "true")
            .with("COMPLINE__HTTP__LISTEN", &format!("127.0.0.1:{port}"))
            .with("COMPLINE__HTTP__TOKEN", "env:THE_TOKEN")
            .with("THE_TOKEN", TOKEN);
        place.run(&["migrate"]).expect(0);
        let serve = place.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let office = Self { _place: place, database, redis, url: format!("http://127.0.0.1:{port}"), serve };
        let client = reqwest::Client::builder().no_proxy();
        let client = client.tls_backend_preconfigured(tls::client(None).unwrap()).build().unwrap();
        office
            .until("it is ready", async || {
                let answer = client.get(format!("{}/readyz", office.url)).send().await;
                answer.is_ok_and(|answer| answer.status() == 200)
            })
            .await;
        // The SQL function knows a kind when a worker that knows it has said so.
        office
            .until("its kinds are known", async || {
                office.ask("SELECT kind FROM compline.kind WHERE kind = 'system.noop'").await.len() == 1
            })
            .await;
        office
    }

    async fn ask(&self, sql: &'static str) -> Vec<String> {
        let mut connection = PgConnection::connect(&self.database).await.unwrap();
        sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
    }

    fn store(&self) -> std::sync::Arc<dyn Store> {
        postgres::store(&self.database, std::sync::Arc::new(ManualClock::default()))
    }

    async fn until(&self, what: &str, condition: impl AsyncFn() -> bool) {
        for _ in 0..1_200 {
            if condition().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never came true: {what}");
    }

    /// With what `examples/README.md` says that they take from the environment.
    async fn run(&self, mut command: Command) -> String {
        command.env("COMPLINE_URL", &self.url).env("COMPLINE_TOKEN", TOKEN);
        command.env("DATABASE_URL", &self.database).env("REDIS_URL", self.redis.url());
        let ran: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{out}\n{err}");
        out.trim().to_owned()
    }

    /// The examples mark their jobs.
    async fn jobs(&self) -> Vec<JobRow> {
        let filter = JobFilter { tags: vec!["example".into()], ..JobFilter::default() };
        self.store().jobs(&Scope::Installation, &filter).await.unwrap()
    }

    async fn is_there(&self, id: &str) -> bool {
        self.store().job(&Scope::Installation, id.parse().unwrap()).await.unwrap().is_some()
    }
}

fn python(name: &str) -> Command {
    let python =
        std::env::var_os("COMPLINE_TEST_PYTHON").expect("COMPLINE_TEST_PYTHON; scripts/test sets it");
    let mut command = Command::new(python);
    command.arg(root().join("examples/python").join(name));
    command
}

fn typescript(name: &str) -> Command {
    let compiled =
        std::env::var_os("COMPLINE_TEST_TYPESCRIPT").expect("COMPLINE_TEST_TYPESCRIPT; scripts/test sets it");
    let mut command = Command::new("node");
    command.arg(PathBuf::from(compiled).join(name));
    command
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

async fn over_http(example: fn() -> Command) {
    let office = Office::open().await;
    let mut command = example();
    command.env("ORDER", "4711");

    let said = office.run(command).await;

    let [job] = office.jobs().await.try_into().unwrap();
    assert_eq!(said, format!("{} completed", job.id));
    // As the caller's language wrote it, spaces and all.
    assert_eq!(serde_json::from_str::<Value>(&job.args).unwrap(), json!({ "ms": 10 }));
    assert_eq!(job.metadata.unwrap()["order"], json!("4711"));
}

async fn in_a_transaction(example: fn() -> Command, order: &str) {
    let office = Office::open().await;
    let said = office.run(example()).await;

    let [enqueued, rolled_back] = said.lines().collect::<Vec<_>>().try_into().unwrap();
    let id = enqueued.strip_prefix("enqueued ").unwrap();
    assert!(office.is_there(id).await);
    let id = rolled_back
        .strip_prefix("rolled back ")
        .unwrap()
        .strip_suffix(" because the card was declined")
        .unwrap();
    assert!(!office.is_there(id).await, "rolled back with the order");
    assert_eq!(office.ask("SELECT id::text FROM orders").await, [order]);
}

async fn through_the_stream(example: fn() -> Command) {
    let office = Office::open().await;

    let said = office.run(example()).await;

    assert!(said.starts_with("added "), "{said}");
    office.until("the job is there", async || office.jobs().await.len() == 1).await;
    assert_eq!(office.jobs().await[0].kind, "system.noop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_enqueues_over_http_and_waits() {
    over_http(|| python("enqueue_http.py")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_enqueues_in_its_own_transaction() {
    in_a_transaction(|| python("enqueue_in_transaction.py"), "7").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_enqueues_through_the_stream() {
    through_the_stream(|| python("enqueue_stream.py")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_enqueues_over_http_and_waits() {
    over_http(|| typescript("http.js")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_enqueues_in_its_own_transaction() {
    in_a_transaction(|| typescript("transaction.js"), "17").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typescript_enqueues_through_the_stream() {
    through_the_stream(|| typescript("stream.js")).await;
}
