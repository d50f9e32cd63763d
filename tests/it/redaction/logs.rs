//! One word planted in everything that a server is given, and everything that it says searched for it: the log at its most
//! talkative, the answers to others, the events and the alerts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::adapters::tls;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::binary::Place;
use crate::support::postgres::empty_database;
use crate::support::receiver::Receiver;
use crate::support::serving::Serving;

/// In each secret and each piece of personal data, with where it was planted.
const CANARY: &str = "cnry";

const TOKEN: &str = "cnry-http-token-long-enough";
const EMAIL: &str = "cnry.lovelace@example.org";
const PASSWORD: &str = "cnry and nanoseconds are eleven inches";
const HOOK_SECRET: &str = "cnry-hook-secret";
const HEX_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn configuration(receiver: u16) -> String {
    format!(
        r#"
[log]
format = "json"
filter = "trace"
[http]
token = "env:TOKEN"
[http.rate_limits]
enabled = false
[identity]
key = "env:IDENTITY_KEY"
[redis]
url = "env:REDIS_URL"
[kinds."system.sleep"]
encrypted = true
[encryption]
current = "k1"
[encryption.keys]
k1 = "env:SEAL_KEY"
[webhooks]
allow = ["http://127.0.0.1:{receiver}/"]
secrets = ["env:WEBHOOK_SECRET"]
[triggers.webhooks.pay]
scheme = "plain"
header = "x-signature"
secrets = ["env:HOOK_SECRET"]
kind = "system.fail"
unique_key = "{{/headers/x-delivery}}"
args = '{{"message": "{{/body/iban}}", "permanent": true}}'
[mail]
host = "127.0.0.1"
port = 1
tls = "none"
from = "cnry-from@example.org"
user = "cnry-mail-user"
password = "env:MAIL_PASSWORD"
[alerts.routes.people]
mail = ["cnry-to@example.org"]
[alerts.routes.ops]
webhook = "http://127.0.0.1:{receiver}/cnry-path?token=cnry-query"
"#
    )
}

fn place(receiver: u16, store: Option<&str>) -> Place {
    let place = Place::new().file("compline.toml", &configuration(receiver));
    let place = [
        ("TOKEN", TOKEN),
        ("IDENTITY_KEY", "cnry-identity-key-of-thirty-two-bytes"),
        ("REDIS_URL", "redis://ada:cnry-redis@127.0.0.1:1/0"),
        ("SEAL_KEY", HEX_KEY),
        ("WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("HOOK_SECRET", HOOK_SECRET),
        ("MAIL_PASSWORD", "cnry-mail-password"),
    ]
    .into_iter()
    .fold(place, |place, (name, value)| place.with(name, value));
    match store {
        Some(url) => place.with("COMPLINE__STORE__URL", "env:STORE_URL").with("STORE_URL", url),
        None => place,
    }
}

struct Caller {
    client: Client,
    url: String,
    /// What was made up while it ran: tokens, codes, secrets.
    made: Vec<String>,
}

impl Caller {
    fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.header("user-agent", "cnry-agent").header("referer", "https://cnry.example/")
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(TOKEN)
    }

    /// Whatever is answered to somebody who shows nothing tells nothing.
    async fn as_a_stranger(&self, request: RequestBuilder, status: u16) -> Value {
        let answer = request.send().await.unwrap();
        let (told, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        let body = answer.text().await.unwrap();
        assert_eq!(told, status, "{body}");
        assert!(!body.contains(CANARY) && !headers.contains(CANARY), "{headers}\n{body}");
        serde_json::from_str(&body).unwrap()
    }
}

async fn send(request: RequestBuilder, status: u16) -> Value {
    let answer = request.send().await.unwrap();
    let told = answer.status().as_u16();
    let body = answer.text().await.unwrap();
    assert_eq!(told, status, "{body}");
    serde_json::from_str(&body).unwrap_or_default()
}

/// Jobs with something in every field, some of which fail, panic and call back.
async fn enqueue(caller: &Caller, receiver: u16) -> Vec<String> {
    let mut ids = Vec::new();
    for (kind, args) in [
        ("system.fail", json!({ "message": "cnry-error", "permanent": true })),
        ("system.fail", json!({ "message": "cnry-panic", "panic": true })),
        ("system.sleep", json!({ "ms": 1 })),
    ] {
        let job = json!({
            "kind": kind, "args": args, "max_attempts": 1,
            "metadata": { "note": "cnry-metadata" },
            "tags": ["cnry-tag"],
            "tenant": "north",
            "unique_key": format!("cnry-unique-{}", ids.len()),
            "callback": { "url": format!("http://127.0.0.1:{receiver}/cnry-callback?token=cnry") },
        });
        let request =
            caller.request(Method::POST, "/v1/jobs").header("x-request-id", format!("r-{}", ids.len()));
        let key = format!("cnry-idempotency-{}", ids.len());
        let told = send(request.header("idempotency-key", key).json(&job), 202).await;
        ids.push(told["id"].as_str().unwrap().to_owned());
    }
    let job = json!({ "kind": "system.sleep", "args": { "ms": "cnry" } });
    send(caller.request(Method::POST, "/v1/jobs").json(&job), 422).await;
    send(
        caller.request(Method::POST, "/v1/jobs").body("{\"cnry").header("content-type", "application/json"),
        400,
    )
    .await;
    send(caller.request(Method::GET, "/v1/jobs?cnry=1"), 400).await;
    send(caller.request(Method::GET, "/v1/jobs/cnry"), 400).await;
    send(caller.request(Method::GET, "/cnry/nowhere"), 404).await;
    let review = json!({ "item": "cnry-item", "decision": "comment", "comment": "cnry-comment" });
    drop(
        caller
            .request(Method::POST, &format!("/v1/jobs/{}/reviews", ids[0]))
            .json(&review)
            .send()
            .await
            .unwrap(),
    );
    ids
}

async fn sign_in(caller: &mut Caller) {
    let post = |path: &str, body: &Value| caller.bare(Method::POST, path).json(body);
    let wrong = json!({ "email": EMAIL, "password": "cnry, the wrong one" });
    caller.as_a_stranger(post("/auth/sign-in", &wrong), 401).await;
    let right = json!({ "email": EMAIL, "password": PASSWORD, "bearer": true });
    let told = send(post("/auth/sign-in", &right), 200).await;
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let (access, refresh) = (text(&told, "access_token"), text(&told, "refresh_token"));
    let begin = json!({ "step": "begin", "password": PASSWORD });
    let begun = send(post("/auth/totp", &begin).bearer_auth(&access), 200).await;
    let next = send(post("/auth/refresh", &json!({ "refresh_token": refresh })), 200).await;
    let mut made = vec![text(&next, "access_token"), text(&next, "refresh_token"), access, refresh];
    made.extend(begun["secret"].as_str().map(str::to_owned));
    // Cookies are secrets too.
    let cookies =
        post("/auth/sign-in", &json!({ "email": EMAIL, "password": PASSWORD })).send().await.unwrap();
    let lines = cookies.headers().get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
    made.extend(lines.map(|line| line.split(['=', ';']).nth(1).unwrap().to_owned()));
    assert_eq!(made.len(), 8, "{begun}");
    caller.made = made;
}

async fn deliver(caller: &Caller) {
    let body = r#"{"iban":"cnry-iban"}"#;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, HOOK_SECRET.as_bytes());
    let code = ring::hmac::sign(&key, body.as_bytes());
    let code: String = code.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let post = || caller.bare(Method::POST, "/v1/hooks/pay").header("x-delivery", "cnry-delivery").body(body);
    caller.as_a_stranger(post().header("x-signature", "cnry-forged"), 401).await;
    send(post().header("x-signature", &code), 202).await;
    let unusable = r#"{"cnry":"cnry"}"#;
    let code = ring::hmac::sign(&key, unusable.as_bytes());
    let code: String = code.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let post = caller.bare(Method::POST, "/v1/hooks/pay").header("x-delivery", "cnry-other").body(unusable);
    send(post.header("x-signature", code), 422).await;
}

/// All that is told of what happens from here on.
async fn listen(caller: &Caller) -> Arc<Mutex<String>> {
    let mut stream = caller.request(Method::GET, "/v1/events").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let heard = Arc::new(Mutex::new(String::new()));
    let own = heard.clone();
    tokio::spawn(async move {
        while let Ok(Some(piece)) = stream.chunk().await {
            own.lock().unwrap().push_str(&String::from_utf8_lossy(&piece));
        }
    });
    heard
}

async fn strangers(caller: &Caller) {
    for (path, status) in [("/v1/jobs?state=cnry", 401), ("/v1/jobs/cnry", 401), ("/cnry", 404)] {
        let request = caller.bare(Method::GET, path).bearer_auth("cnry-wrong-token");
        caller.as_a_stranger(request.header("cookie", "__Host-compline=cnry; x=cnry"), status).await;
    }
}

/// The sums of what was planted, and how it may be seen in a line.
fn said(line: &str, made: &[String]) -> bool {
    // `Y25yeS` is how it begins in Base64, as it goes to a mail server.
    line.contains(CANARY) || line.contains("Y25yeS") || made.iter().any(|secret| line.contains(secret))
}

async fn nothing_is_said(store: Option<String>) {
    let receiver = Receiver::start().await;
    let place = place(receiver.port, store.as_deref());
    place.run(&["migrate"]).expect(0);
    let create =
        ["users", "create", "--email", EMAIL, "--name", "cnry", "--role", "owner", "--password-stdin"];
    place.run_with_input(&create, PASSWORD).expect(0);
    let serving = Serving::start(&place);
    let client = Client::builder().no_proxy().tls_backend_preconfigured(tls::client(None).unwrap());
    let mut caller = Caller { client: client.build().unwrap(), url: serving.url.clone(), made: Vec::new() };

    let events = listen(&caller).await;
    let ids = enqueue(&caller, receiver.port).await;
    sign_in(&mut caller).await;
    deliver(&caller).await;
    strangers(&caller).await;
    for id in &ids {
        place.run(&["jobs", "wait", id, "--timeout", "60s"]);
    }
    let told = |what: &str| !serving.lines_with(&[what]).is_empty();
    eventually(async || told("panicked at engine/src/system.rs")).await;
    eventually(async || {
        told("alert.route") && receiver.received().iter().any(|one| one.path.contains("cnry-path"))
    })
    .await;

    eventually(async || ids.iter().all(|id| events.lock().unwrap().matches(id.as_str()).count() > 1)).await;
    let events = events.lock().unwrap().clone();
    assert!(events.contains("user.signed_in") && !said(&events, &caller.made), "{events}");
    let alerts = send(caller.request(Method::GET, "/v1/alerts"), 200).await.to_string();
    assert!(alerts.contains("job.discarded") && !said(&alerts, &caller.made), "{alerts}");
    for message in receiver.received().iter().filter(|one| one.path.contains("cnry-path")) {
        assert!(!said(&message.body, &caller.made), "{message:?}");
    }
    let lines = serving.lines_with(&[]);
    let leaks: Vec<_> = lines.iter().filter(|line| said(line, &caller.made)).collect();
    assert!(leaks.is_empty(), "{} of {} lines:\n{leaks:#?}", leaks.len(), lines.len());
    belong(&lines, &ids);
}

/// Whatever is logged of a request or a job says which.
fn belong(lines: &[String], ids: &[String]) {
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    let enqueued = lines.iter().filter(|line| line["message"] == "POST /v1/jobs answered 202");
    let requests: Vec<_> = enqueued.map(|line| line["request.id"].as_str().unwrap()).collect();
    assert_eq!(requests, ["r-0", "r-1", "r-2"]);
    let panicked =
        lines.iter().find(|line| line["message"].as_str().unwrap().contains("panicked at")).unwrap();
    assert_eq!(panicked["job.id"], ids[1]);
}

async fn eventually(condition: impl AsyncFn() -> bool) {
    for _ in 0..1_200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_is_given_is_said_nowhere_on_sqlite() {
    nothing_is_said(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_is_given_is_said_nowhere_on_postgres() {
    nothing_is_said(Some(empty_database().await)).await;
}
