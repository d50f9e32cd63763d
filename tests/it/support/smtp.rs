//! A real mail server, and an authority that vouches for it. It ends with the test.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use super::python::script;

pub const USER: &str = "compline";
pub const PASSWORD: &str = "pw-smtp-83c1";

/// Certificates in files, made for one test.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // By the same name as what it signs, OpenSSL would take that for signed by itself.
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let it = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(it.file("ca.pem"), authority.pem()).unwrap();
        std::fs::write(it.file("server.pem"), server.pem()).unwrap();
        std::fs::write(it.file("key.pem"), key.serialize_pem()).unwrap();
        it
    }

    pub fn certificate(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// What it vouches for: the certificate of `localhost`, and its key.
    pub fn server(&self) -> (PathBuf, PathBuf) {
        (self.file("server.pem"), self.file("key.pem"))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub struct Smtp {
    pub port: u16,
    mails: Arc<(Mutex<Vec<Value>>, Condvar)>,
    child: Child,
}

impl Smtp {
    /// Without encryption and without signing in.
    pub fn plain(port: u16) -> Self {
        Self::start(script("smtp_server.py").args([&port.to_string(), "plain"]))
    }

    /// `starttls` or `tls`; whoever sends must sign in.
    pub fn encrypted(mode: &str, authority: &Authority) -> Self {
        let mut command = script("smtp_server.py");
        command.args(["0", mode]).arg(authority.file("server.pem")).arg(authority.file("key.pem"));
        Self::start(command.args([USER, PASSWORD]))
    }

    fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .next()
            .expect("tests/python/smtp_server.py starts; run it by hand to see why it does not")
            .unwrap()
            .parse()
            .unwrap();
        let mails = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let seen = mails.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                seen.0.lock().unwrap().push(serde_json::from_str(&line).unwrap());
                seen.1.notify_all();
            }
        });
        Self { port, mails, child }
    }

    pub fn mails(&self) -> Vec<Value> {
        self.mails.0.lock().unwrap().clone()
    }

    /// So many, or those that came in time. The server has them before whoever sent them hears so, and we a little later.
    pub fn arrived(&self, count: usize) -> Vec<Value> {
        let (mails, more) = &*self.mails;
        let long = Duration::from_secs(20);
        let waited = more.wait_timeout_while(mails.lock().unwrap(), long, |mails| mails.len() < count);
        waited.unwrap().0.clone()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
