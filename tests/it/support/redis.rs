//! A private Redis, in a folder of its own on a free port, which a test may take away and bring back. What was
//! written outlives that: every command is on the disk before it is answered.
//!
//! A watchdog that holds the other end of a pipe stops the server when the test process is gone, however it
//! went. Should the watchdog be killed too, the next run sweeps what is left.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use engine::adapters::redis::Redis;
use jobkit::SecretString;

use super::ports::free_port;
use super::smtp::Authority;

const FOLDER: &str = "compline-test-redis-";

pub struct RedisServer {
    folder: PathBuf,
    port: u16,
    /// What else the server is told at its start.
    more: Vec<String>,
    /// Its standard input is the pipe whose closing tells it to stop the server.
    _watchdog: Child,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::with(|_| Vec::new())
    }

    /// With TLS alone, by this authority's certificate, for whoever knows the password.
    pub fn encrypted(authority: &Authority, password: &str) -> Self {
        let (certificate, key) = authority.server();
        Self::with(|port| {
            let files = [("--tls-cert-file", certificate.clone()), ("--tls-key-file", key.clone())];
            let files = files.into_iter().flat_map(|(flag, file)| [flag.to_owned(), text(&file).to_owned()]);
            let plain = ["--port", "0", "--tls-port"].map(str::to_owned);
            let rest = ["--tls-auth-clients", "no", "--requirepass", password].map(str::to_owned);
            plain.into_iter().chain([port.to_string()]).chain(files).chain(rest).collect()
        })
    }

    fn with(more: impl Fn(u16) -> Vec<String>) -> Self {
        static SWEPT: Once = Once::new();
        static STARTED: AtomicU32 = AtomicU32::new(0);
        SWEPT.call_once(sweep);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("{FOLDER}{}.{number}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        const TRIES: u32 = 5;
        for _ in 0..TRIES {
            // Somebody else may take the port before the server does; then there is another one.
            let port = free_port();
            let more = more(port);
            if start_on(port, &folder, &more) {
                let watchdog = watch(&folder);
                return Self { folder, port, more, _watchdog: watchdog };
            }
        }
        panic!("Redis does not start: {}", std::fs::read_to_string(folder.join("log")).unwrap_or_default());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Of one with TLS, for whoever knows the password.
    pub fn secure_url(&self, password: &str) -> SecretString {
        SecretString::from(format!("rediss://:{password}@localhost:{}/0", self.port))
    }

    /// The way that a process of ours has to it.
    pub fn redis(&self) -> Arc<Redis> {
        Arc::new(Redis::new(&SecretString::from(self.url()), "compline").unwrap())
    }

    /// As a crash would.
    pub fn stop(&self) {
        stop(&self.folder);
        while answers(self.port) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn start_again(&self) {
        assert!(start_on(self.port, &self.folder, &self.more), "Redis does not start again");
    }
}

fn start_on(port: u16, folder: &Path, more: &[String]) -> bool {
    let log = folder.join("log");
    // What an earlier start said there is not what this one says; there is none at the first.
    let _ = std::fs::remove_file(&log);
    let status = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", text(folder)])
        .args(["--daemonize", "yes", "--pidfile", text(&folder.join("pid"))])
        .args(["--logfile", text(&log), "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("redis-server, of Debian's package of that name, in PATH");
    if !status.success() {
        return false;
    }
    for _ in 0..2_000 {
        // Its own word, and not a connection alone: while it loads what it kept, it takes connections and refuses
        // every command; and somebody else's server may have the port.
        if folder.join("pid").exists() && is_ready(&log) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

fn is_ready(log: &Path) -> bool {
    std::fs::read_to_string(log).is_ok_and(|log| log.contains("Ready to accept connections"))
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

const STOP: &str = r#"
    read -r pid < "$0/pid" || exit 0
    kill -KILL "$pid"
    rm -f "$0/pid""#;

fn stop(folder: &Path) {
    // It may not run any more.
    let _ = Command::new("bash").args(["-c", STOP, text(folder)]).stderr(Stdio::null()).status();
}

fn watch(folder: &Path) -> Child {
    let wait = format!("trap '' INT HUP TERM\nwhile read -r _; do :; done\n({STOP})\nrm -rf \"$0\"");
    let mut bash = Command::new("bash");
    bash.args(["-c", &wait, text(folder)]).current_dir("/");
    bash.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Stops and removes the servers of test processes that are gone.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name();
        let owner =
            name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.split('.').next()?.parse::<u32>().ok());
        if let Some(owner) = owner
            && (owner == std::process::id() || !Path::new(&format!("/proc/{owner}")).exists())
        {
            stop(&entry.path());
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
