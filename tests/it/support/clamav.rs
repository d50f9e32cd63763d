//! A private ClamAV, on a socket in a folder of its own, with one signature that the test makes itself: that of EICAR, which
//! every scanner knows and which harms nobody. Nothing is fetched.
//!
//! A watchdog that holds the other end of a pipe stops the daemon when the test process is gone, however it went.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use engine::adapters::clamav::{Address, ClamAv};
use engine::uploads::scanner::Scanner;

/// In two parts, so that no scanner takes this file for it.
pub fn eicar() -> String {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat()
}

/// Larger files are not looked at.
pub const MOST: usize = 1 << 20;

pub struct ClamServer {
    folder: PathBuf,
    /// Its standard input is the pipe whose closing tells it to stop the daemon.
    _watchdog: Child,
}

impl ClamServer {
    pub fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("compline-test-clamav-{}.{number}", std::process::id()));
        // Of a process of the same number that was killed with its watchdog.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("db")).unwrap();
        let hex: String = eicar().bytes().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(folder.join("db/own.ndb"), format!("Eicar-Compline:0:*:{hex}\n")).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        let settings = [
            ("LocalSocket", at("clamd.sock")),
            ("PidFile", at("pid")),
            ("LogFile", at("log")),
            ("DatabaseDirectory", at("db")),
            ("TemporaryDirectory", at("")),
            ("StreamMaxLength", MOST.to_string()),
            ("MaxThreads", "4".into()),
            ("AlertExceedsMax", "yes".into()),
        ];
        let text: String = settings.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
        std::fs::write(folder.join("clamd.conf"), text).unwrap();
        let server = Self { _watchdog: watch(&folder), folder };
        server.start_again();
        server
    }

    pub fn address(&self) -> String {
        format!("unix:{}", self.folder.join("clamd.sock").display())
    }

    pub fn scanner(&self) -> Arc<dyn Scanner> {
        self.patient(Duration::from_secs(30))
    }

    /// One that waits so long for an answer.
    pub fn patient(&self, timeout: Duration) -> Arc<dyn Scanner> {
        let address: Address = self.address().parse().unwrap();
        Arc::new(ClamAv { address, timeout, oldest: Duration::from_secs(86_400) })
    }

    pub fn start_again(&self) {
        let _ = std::fs::remove_file(self.folder.join("clamd.sock"));
        // It puts itself into the background, with its descriptors closed. Whoever it leaves behind for that may miss the signal to end, on a machine
        // that is busy, and is not waited for.
        let mut launcher = Command::new("clamd")
            .args(["-c", text(&self.folder.join("clamd.conf"))])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("clamd, of Debian's package clamav-daemon, in PATH");
        let log = || std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        for _ in 0..12_000 {
            if self.folder.join("pid").exists()
                && std::os::unix::net::UnixStream::connect(self.folder.join("clamd.sock")).is_ok()
            {
                let _ = launcher.kill();
                let _ = launcher.wait();
                return;
            }
            let ended = launcher.try_wait().unwrap();
            assert!(ended.is_none_or(|status| status.success()), "{}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("clamd does not start: {}", log());
    }

    /// As a crash would.
    pub fn stop(&self) {
        stop(&self.folder);
    }

    /// It takes connections and says nothing.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = std::fs::read_to_string(self.folder.join("pid")).unwrap();
        let status = Command::new("kill").args([&format!("-{signal}"), pid.trim()]).status().unwrap();
        assert!(status.success());
    }
}

const STOP: &str = r#"
    read -r pid < "$0/pid" || exit 0
    kill -KILL "$pid"
    rm -f "$0/pid" "$0/clamd.sock""#;

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

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
