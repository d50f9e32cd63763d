//! A caller of the emulator, one connection for each call, and what tests say often.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use docusign_emulator::{ACCOUNT_ID, ClockMode, Emulator, INTEGRATION_KEY, Options, USER_ID};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub headers: BTreeMap<String, String>,
    /// As they were spelled.
    pub spelled: String,
    pub body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The code of a refusal, with its status.
    #[track_caller]
    pub fn refused(&self) -> (u16, String) {
        (self.status, self.json()["errorCode"].as_str().unwrap_or_default().to_owned())
    }

    /// Did all of the body come that was promised?
    pub fn is_whole(&self) -> bool {
        self.headers["content-length"] == self.body.len().to_string()
    }
}

/// Somebody with a token.
pub struct Caller {
    pub address: String,
    pub token: String,
}

pub async fn start(change: impl FnOnce(&mut Options)) -> (Emulator, Caller) {
    let at = "2026-03-01T10:00:00Z".parse().unwrap();
    let mut options = Options { clock: ClockMode::StandingAt(at), ..Options::default() };
    change(&mut options);
    let emulator = Emulator::start(options).await.unwrap();
    let mut caller = Caller { address: emulator.address().to_string(), token: String::new() };
    caller.sign_in(&emulator).await;
    (emulator, caller)
}

impl Caller {
    pub async fn sign_in(&mut self, emulator: &Emulator) {
        let said = self.ask_for_token(&assertion(emulator, json!({}))).await.expect(200);
        self.token = said["access_token"].as_str().unwrap().to_owned();
    }

    pub async fn ask_for_token(&self, assertion: &str) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("assertion", assertion)
            .finish();
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", "/oauth/token", &[kind], form.as_bytes()).await.unwrap()
    }

    /// A call of the account with a body of JSON, or nothing if the connection was cut.
    pub async fn try_call(&self, method: &str, path: &str, body: Value) -> Option<Answer> {
        let path = format!("/restapi/v2.1/accounts/{ACCOUNT_ID}{path}");
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.send(method, &path, &[("Content-Type", "application/json")], &body).await
    }

    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: Value) -> impl Future<Output = Answer> {
        let calling = self.try_call(method, path, body);
        async { calling.await.expect("an answer, and the connection was cut") }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let path = format!("/_emulator{path}");
        self.send(method, &path, &[("Content-Type", "application/json")], &body).await.unwrap()
    }

    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Answer> {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if headers.iter().all(|(name, _)| *name != "Host") {
            head.push_str(&format!("Host: {}\r\n", self.address));
        }
        if !self.token.is_empty() {
            head.push_str(&format!("Authorization: Bearer {}\r\n", self.token));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
        let mut all = Vec::new();
        // What came before a cut is looked at all the same.
        let _ = stream.read_to_end(&mut all).await;
        let end = all.windows(4).position(|four| four == b"\r\n\r\n")?;
        let spelled = String::from_utf8_lossy(&all[..end]).into_owned();
        let status = spelled.split(' ').nth(1)?.parse().ok()?;
        let headers = spelled.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Some(Answer { status, headers, spelled, body: all[end + 4..].to_vec() })
    }

    /// A draft, and its id.
    pub async fn draft(&self, transaction: &str) -> String {
        let said = self.call("POST", "/envelopes", definition(transaction, "created")).await.expect(201);
        said["envelopeId"].as_str().unwrap().to_owned()
    }

    pub async fn sent(&self, transaction: &str) -> String {
        let said = self.call("POST", "/envelopes", definition(transaction, "sent")).await.expect(201);
        said["envelopeId"].as_str().unwrap().to_owned()
    }
}

/// An assertion that is granted, but for the change.
pub fn assertion(emulator: &Emulator, change: Value) -> String {
    let now = emulator.now().as_second();
    let mut claims = json!({
        "iss": INTEGRATION_KEY, "sub": USER_ID, "aud": "account-d.docusign.com", "iat": now, "exp": now + 3600,
        "scope": "signature impersonation",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(json!({"alg": "RS256"})), part(claims))
}

/// One document, one signer, one copy after them.
pub fn definition(transaction: &str, status: &str) -> Value {
    json!({
        "emailSubject": "A report", "status": status, "transactionId": transaction,
        "documents": [{"documentId": "1", "name": "report.txt", "documentBase64": STANDARD.encode("sign /here/")}],
        "recipients": {
            "signers": [{
                "recipientId": "1", "routingOrder": "1", "name": "Ann", "email": "ann@example.com",
                "clientUserId": "c1", "tabs": {"signHereTabs": [{"anchorString": "/here/"}]},
            }],
            "carbonCopies": [
                {"recipientId": "2", "routingOrder": "2", "name": "Bob", "email": "bob@example.com"},
            ],
        },
        "customFields": {"textCustomFields": [{"name": "key", "value": transaction}]},
    })
}
