//! A private Azurite, Azure's own emulator of its blobs, on a free port of loopback, in the memory of a process that ends
//! with the test.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engine::adapters::containers::Container;
use engine::reference::SecretRef;
use tokio::net::TcpStream;

use super::ports::free_port;

/// The account that every Azurite has, with the key that everybody knows.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub struct Azurite {
    port: u16,
    server: Child,
    folder: tempfile::TempDir,
    /// Its closing tells the server to end, however this process goes.
    _lives: OwnedFd,
}

impl Azurite {
    pub async fn start() -> Self {
        let port = free_port();
        let main = std::env::var_os("COMPLINE_TEST_AZURITE").unwrap_or_else(|| {
            panic!("COMPLINE_TEST_AZURITE is not set: run scripts/test, or point it to azurite/dist/src/blob/main.js")
        });
        let folder = tempfile::tempdir().unwrap();
        let mut server = Command::new("node")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/azurite/serve.cjs"))
            .arg(main)
            .arg(port.to_string())
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node, of Debian's package nodejs, in PATH");
        let lives = OwnedFd::from(server.stdin.take().unwrap());
        std::fs::write(folder.path().join("key"), KEY).unwrap();
        let azurite = Self { port, server, folder, _lives: lives };
        for _ in 0..3_000 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return azurite;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("Azurite does not answer");
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub async fn make_container(&self, name: &str) {
        let path = format!("/{ACCOUNT}/{name}");
        let answer = signed_put(&self.address(), &path, "restype=container").await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    /// What its settings look like, reached at this address.
    pub fn container(&self, address: &str) -> Container {
        Container {
            account: ACCOUNT.into(),
            access_key: Some(SecretRef::File(self.folder.path().join("key"))),
            endpoint: format!("http://{address}/{ACCOUNT}"),
            ..Container::default()
        }
    }

    /// As above, with a key that is not the account's.
    pub fn container_of_a_stranger(&self, address: &str) -> Container {
        let key = self.folder.path().join("wrong");
        std::fs::write(&key, "d3Jvbmcgd3Jvbmcgd3Jvbmc=").unwrap();
        Container { access_key: Some(SecretRef::File(key)), ..self.container(address) }
    }
}

/// One request by hand, with the signature that Azure wants: containers are made by people and not by us.
async fn signed_put(address: &str, path: &str, query: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let date = "Thu, 01 Jan 2026 00:00:00 GMT";
    let (name, value) = query.split_once('=').unwrap();
    let headers = format!("x-ms-date:{date}\nx-ms-version:2023-11-03\n");
    let text = format!("PUT\n\n\n\n\n\n\n\n\n\n\n\n{headers}/{ACCOUNT}{path}\n{name}:{value}");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &STANDARD.decode(KEY).unwrap());
    let signature = STANDARD.encode(ring::hmac::sign(&key, text.as_bytes()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "PUT {path}?{query} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\
         x-ms-date: {date}\r\nx-ms-version: 2023-11-03\r\nauthorization: SharedKey {ACCOUNT}:{signature}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
