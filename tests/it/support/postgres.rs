//! One private PostgreSQL server per test process, in a folder of its own on a free port, and one database
//! per test, copied from a migrated template. A test that hurts the server has one of its own.
//!
//! A watchdog that holds the other end of a pipe stops the server when the test process is gone, however
//! it went. Should the watchdog be killed too, the next run sweeps what is left.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};

use jobkit::Clock;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::Store;
use store_postgres::{PgOptions, PostgresStore};
use tokio::sync::OnceCell;

use super::ports::free_port;

const FOLDER: &str = "compline-test-pg-";
const SUPERUSER: &str = "postgres";
const TEMPLATE: &str = "compline_template";

/// Nobody's work is kept longer than the test.
const CARELESS: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";

struct Server {
    postgres: Binaries,
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    /// Its standard input is the pipe whose closing tells it to stop the server.
    _watchdog: Child,
}

static SERVER: OnceCell<Server> = OnceCell::const_new();

/// The address of a new, migrated, empty database.
pub async fn database() -> String {
    create(TEMPLATE).await
}

/// The address of a new database without so much as a schema.
pub async fn empty_database() -> String {
    create("template0").await
}

/// The same, for another user, who owns it.
pub async fn empty_database_of(user: &str) -> String {
    let url = empty_database().await;
    let server = SERVER.get_or_init(Server::start).await;
    let database = url.rsplit('/').next().unwrap();
    server.run(&format!("CREATE ROLE {user} LOGIN; ALTER DATABASE {database} OWNER TO {user}")).await;
    url.replace(&format!("//{SUPERUSER}@"), &format!("//{user}@"))
}

async fn create(template: &str) -> String {
    let server = SERVER.get_or_init(Server::start).await;
    let name = format!("test_{}", server.databases.fetch_add(1, Ordering::Relaxed));
    server.run(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    server.url(&name)
}

pub fn store(url: &str, clock: Arc<dyn Clock>) -> Arc<PostgresStore> {
    let options = PgOptions { manual_clock: Some(clock), ..PgOptions::default() };
    PostgresStore::connect(url, &options).unwrap()
}

/// A server of a test's own, which it may take away and bring back. What was committed outlives that.
pub struct OwnServer(Server);

impl OwnServer {
    pub fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        Self(Server::start_in(&format!("{FOLDER}{}.{number}", std::process::id()), "-c fsync=off"))
    }

    /// A database without so much as a schema.
    pub fn url(&self) -> String {
        self.0.url("postgres")
    }

    /// The same, for somebody who has a password.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        self.url().replace(&format!("//{SUPERUSER}@"), &format!("//{user}:{password}@"))
    }

    /// From now on everybody but the superuser is asked for a password. Before, nobody is.
    pub async fn ask_for_passwords(&self) {
        let rules = format!(
            "local all all trust\nhost all {SUPERUSER} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        );
        std::fs::write(self.0.folder.join("data/pg_hba.conf"), rules).unwrap();
        self.0.run("SELECT pg_reload_conf()").await;
    }

    /// Whatever it is told, it writes down.
    pub async fn log_all(&self) {
        self.0.run("ALTER SYSTEM SET log_statement = 'all'").await;
        self.0.run("SELECT pg_reload_conf()").await;
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.0.folder.join("log")).unwrap()
    }

    /// As the superuser.
    pub async fn run(&self, sql: &str) {
        self.0.run(sql).await;
    }

    /// As a crash would.
    pub fn stop(&self) {
        let data = self.0.folder.join("data");
        self.0.postgres.run_postgres("pg_ctl", &["-D", text(&data), "-m", "immediate", "-w", "stop"]);
    }

    pub fn start_again(&self) {
        assert!(
            self.0.postgres.start_on(self.0.port, &self.0.folder, "-c fsync=off"),
            "PostgreSQL does not start"
        );
    }
}

impl Server {
    async fn start() -> Self {
        let server = Self::start_in(&format!("{FOLDER}{}", std::process::id()), CARELESS);
        server.run(&format!("CREATE DATABASE {TEMPLATE}")).await;
        let template = PostgresStore::connect(&server.url(TEMPLATE), &PgOptions::default()).unwrap();
        template.migrate().await.unwrap();
        // A template can be copied only while nobody is connected to it.
        template.close().await;
        server
    }

    fn start_in(folder: &str, settings: &str) -> Self {
        static SWEPT: Once = Once::new();
        let postgres = Binaries::find();
        SWEPT.call_once(|| sweep(&postgres));
        let folder = std::env::temp_dir().join(folder);
        postgres.run("mkdir", &["-m", "755", text(&folder)]);
        let data = folder.join("data");
        postgres.run_postgres(
            "initdb",
            &[
                "-D",
                text(&data),
                "-U",
                SUPERUSER,
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ],
        );
        let port = postgres.start_on_free_port(&folder, settings);
        let watchdog = postgres.watch(&folder, &data);
        Self { postgres, folder, port, databases: AtomicU32::new(0), _watchdog: watchdog }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    async fn run(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Where the programs are, and as whom to run them: PostgreSQL refuses to run as root.
struct Binaries {
    folder: PathBuf,
    user: Option<&'static str>,
}

impl Binaries {
    fn find() -> Self {
        let in_path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&in_path).collect();
        let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
            .unwrap_or_default();
        versions.sort();
        folders.extend(versions.into_iter().rev());
        let folder = folders.into_iter().find(|folder| folder.join("initdb").is_file());
        let folder = folder.expect("PostgreSQL's initdb, in PATH or /usr/lib/postgresql/*/bin");
        let user = match output(Command::new("id").arg("-u")).trim() {
            "0" => ["postgres", "nobody"].into_iter().find(|user| exists(user)),
            _ => None,
        };
        Self { folder, user }
    }

    /// As the right user, with no file of ours open: a server that outlives a crashed run must not keep a
    /// lock or a pipe of whoever started the tests.
    fn command(&self, program: &str, args: &[&str]) -> Command {
        const CLOSE_FILES: &str = r#"
            for file in /proc/self/fd/*; do
                number=${file##*/}
                if [ "$number" -gt 2 ]; then eval "exec $number>&-"; fi
            done
            exec "$@""#;
        let mut command = Command::new("bash");
        command.args(["-c", CLOSE_FILES, "detached"]);
        if let Some(user) = self.user {
            command.args(["runuser", "-u", user, "--"]);
        }
        command.arg(program).args(args).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn run(&self, program: &str, args: &[&str]) {
        let status = self.command(program, args).status().unwrap();
        assert!(status.success(), "{program} {args:?}: {status}");
    }

    fn postgres(&self, program: &str) -> String {
        text(&self.folder.join(program)).to_owned()
    }

    fn run_postgres(&self, program: &str, args: &[&str]) {
        self.run(&self.postgres(program), args);
    }

    fn start_on_free_port(&self, folder: &Path, settings: &str) -> u16 {
        const TRIES: u32 = 5;
        for _ in 0..TRIES {
            // Somebody else may take the port before the server does; then there is another one.
            let port = free_port();
            if self.start_on(port, folder, settings) {
                return port;
            }
        }
        panic!(
            "PostgreSQL does not start: {}",
            std::fs::read_to_string(folder.join("log")).unwrap_or_default()
        );
    }

    fn start_on(&self, port: u16, folder: &Path, settings: &str) -> bool {
        let (data, log) = (folder.join("data"), folder.join("log"));
        let options = format!(
            "-p {port} -k {} -c listen_addresses=127.0.0.1 -c max_connections=500 -c shared_buffers=64MB {settings}",
            text(folder)
        );
        let args = ["-D", text(&data), "-l", text(&log), "-o", &options, "-w", "start"];
        self.command(&self.postgres("pg_ctl"), &args).status().unwrap().success()
    }

    fn watch(&self, folder: &Path, data: &Path) -> Child {
        const WAIT_FOR_THE_END: &str = r#"
            trap '' INT HUP TERM
            while read -r _; do :; done
            "$0" -D "$1" -m immediate -w stop
            rm -rf "$2""#;
        let pg_ctl = self.postgres("pg_ctl");
        let args = ["-c", WAIT_FOR_THE_END, &pg_ctl, text(data), text(folder)];
        self.command("bash", &args).stdin(Stdio::piped()).spawn().unwrap()
    }

    fn stop(&self, folder: &Path) {
        let data = folder.join("data");
        let args = ["-D", text(&data), "-m", "immediate", "-w", "stop"];
        // It may not run any more.
        let _ = self.command(&self.postgres("pg_ctl"), &args).status();
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Stops and removes the servers of test processes that are gone.
fn sweep(postgres: &Binaries) {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.split('.').next()?.parse::<u32>().ok());
        if let Some(owner) = owner
            && (owner == std::process::id() || !Path::new(&format!("/proc/{owner}")).exists())
        {
            postgres.stop(&entry.path());
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn output(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn exists(user: &str) -> bool {
    Command::new("id").arg(user).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}
