//! A private S3 of `moto` on a free port of loopback, in the memory of a Python process that ends with the test.

use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use engine::adapters::buckets::{Bucket, Buckets};
use engine::adapters::tls;
use engine::reference::SecretRef;

use super::ports::free_port;
use super::python;

/// moto asks who signed, and not whether it is right.
const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

pub struct S3 {
    port: u16,
    server: Mutex<Child>,
    client: reqwest::Client,
    /// Its closing tells the server to end, however this process goes.
    _lives: OwnedFd,
}

impl S3 {
    pub async fn start() -> Self {
        let port = free_port();
        let mut server = python::script("s3_server.py")
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lives = OwnedFd::from(server.stdin.take().unwrap());
        let client =
            reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls::client(None).unwrap());
        let client = client.build().unwrap();
        let s3 = Self { port, server: Mutex::new(server), client, _lives: lives };
        for _ in 0..3_000 {
            if s3.client.get(s3.at("moto-api/data.json")).send().await.is_ok() {
                return s3;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("moto does not answer");
    }

    fn at(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// An object by bucket and key; the bucket is made with it.
    pub async fn put(&self, path: &str, text: &str) {
        let (bucket, _) = path.split_once('/').unwrap();
        for (path, body) in [(bucket, ""), (path, text)] {
            let put = self.client.put(self.at(path)).header("authorization", SIGNED).body(body.to_owned());
            let answer = put.send().await.unwrap();
            assert!(answer.status().is_success(), "{path}: {answer:?}");
        }
    }

    /// A bucket in which what is put can be deleted by nobody for ten years.
    pub async fn locked_bucket(&self, name: &str) {
        let make = self.client.put(self.at(name)).header("authorization", SIGNED);
        let made = make.header("x-amz-bucket-object-lock-enabled", "true").send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
        let rule = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>\
                    <Mode>COMPLIANCE</Mode><Years>10</Years></DefaultRetention></Rule></ObjectLockConfiguration>";
        let lock = self.client.put(self.at(&format!("{name}?object-lock"))).header("authorization", SIGNED);
        let locked = lock.body(rule).send().await.unwrap();
        assert!(locked.status().is_success(), "{locked:?}");
    }

    pub async fn make_bucket(&self, name: &str) {
        let made = self.client.put(self.at(name)).header("authorization", SIGNED).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
    }

    /// From here on nobody is believed whose key moto has not given out itself: nobody at all.
    pub async fn believe_nobody(&self) {
        let told = self.client.post(self.at("moto-api/reset-auth")).body("0").send().await.unwrap();
        assert!(told.status().is_success(), "{told:?}");
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What its settings look like.
    pub fn bucket(&self) -> Bucket {
        // Any variable does that is there: moto believes everybody.
        let key = || Some(SecretRef::Env("PATH".into()));
        Bucket {
            endpoint: format!("http://127.0.0.1:{}", self.port),
            access_key_id: key(),
            secret_access_key: key(),
            ..Bucket::default()
        }
    }

    pub fn buckets(&self, names: &[&str]) -> Buckets {
        Buckets::open(&names.iter().map(|name| ((*name).to_owned(), self.bucket())).collect()).unwrap()
    }

    pub fn stop(&self) {
        let mut server = self.server.lock().unwrap();
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.stop();
    }
}
