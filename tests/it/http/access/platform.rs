//! JWTs that another JOSE library made, and a real address where the keys are.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::Arc;
use std::time::Duration;

use engine::adapters::http_client::WebClient;
use engine::identity::platform::Source;
use engine::identity::platform::jwks::Jwks;
use engine::identity::platform::settings::{Algorithm, Grant, Platform};
use jobkit::Clock;
use serde_json::{Value, json};
use store::Role;

use super::{Caller, refused, setup};
use crate::support::http::{Server, Setup};
use crate::support::python;
use crate::support::store::TestStore;

/// `tests/python/jose_platform.py`.
struct Foreign {
    process: Child,
    says: BufReader<ChildStdout>,
    hears: ChildStdin,
    port: u16,
}

impl Foreign {
    fn start() -> Self {
        let mut script = python::script("jose_platform.py");
        let script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = script.spawn().unwrap();
        let (hears, says) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut it = Self { process, says: BufReader::new(says), hears, port: 0 };
        it.port = u16::try_from(it.hear().as_u64().unwrap()).unwrap();
        it
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|problem| panic!("{problem}: {line}"))
    }

    fn tell(&mut self, command: &Value) -> Value {
        writeln!(self.hears, "{command}").unwrap();
        self.hear()
    }

    fn asked(&mut self) -> u64 {
        self.tell(&json!(["asked"])).as_u64().unwrap()
    }

    fn token(&mut self, algorithm: &str, key: &str, claims: &Value) -> Caller {
        let token = self.tell(&json!(["sign", algorithm, key, claims]));
        Caller::new(key, token.as_str().unwrap())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const ISSUER: &str = "https://login.example.org/";

fn with_platform(t: &TestStore, port: u16) -> Setup {
    let settings = Platform {
        issuer: ISSUER.into(),
        audience: "compline".into(),
        algorithms: vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
        role_claim: "roles".into(),
        roles: [("operator".to_owned(), Grant::Role(Role::Member))].into(),
        ..Platform::default()
    };
    let url = format!("http://127.0.0.1:{port}/jwks").parse().unwrap();
    let jwks = Jwks::new(url, Arc::new(WebClient::new(None).unwrap()), t.clock.clone());
    Setup { platform: Some((settings, Source::Jwks(Arc::new(jwks)))), ..setup(t) }
}

fn claims(t: &TestStore) -> Value {
    let now = t.clock.now().as_second();
    json!({ "iss": ISSUER, "aud": ["compline"], "sub": "ada@example.org", "roles": ["operator"],
            "iat": now, "exp": now + 300 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_of_the_platform_come_in_by_keys_that_are_fetched_from_it() {
    let t = TestStore::sqlite().await;
    let mut platform = Foreign::start();
    platform.tell(&json!(["publish", "rsa1", "ec1", "ed1"]));
    let setup = with_platform(&t, platform.port);
    let server = Server::with(t, setup).await;
    let fine = claims(&server.t);

    for (algorithm, key) in [("RS256", "rsa1"), ("ES256", "ec1"), ("EdDSA", "ed1")] {
        let caller = platform.token(algorithm, key, &fine);
        caller.get(&server, "/v1/jobs").await.expect(200);
        caller.post(&server, "/v1/jobs", &json!({ "kind": "system.noop" })).await.expect(202);
        refused(&caller.get(&server, "/v1/tokens").await, 403, "forbidden");
        let stranger = platform.token(algorithm, &format!("{}x", &key[..key.len() - 1]), &fine);
        refused(&stranger.get(&server, "/v1/jobs").await, 401, "unauthorized");
    }
    assert_eq!(platform.asked(), 1);
    let told = server.t.everything_audited().await;
    let actors: std::collections::BTreeSet<_> = told.iter().map(|entry| entry.actor.as_str()).collect();
    let actor = actors.iter().next().unwrap();
    assert_eq!(actors.len(), 1, "{actors:?}");
    assert!(actor.starts_with("platform:https://login.example.org/:") && !actor.contains("ada"), "{actor}");

    let mut late = fine.clone();
    late["exp"] = json!(server.t.clock.now().as_second() - 31);
    let late = platform.token("RS256", "rsa1", &late);
    refused(&late.get(&server, "/v1/jobs").await, 401, "unauthorized");
    let mut nobody = fine.clone();
    nobody["roles"] = json!(["owner", "admin"]);
    let nobody = platform.token("RS256", "rsa1", &nobody);
    refused(&nobody.get(&server, "/v1/jobs").await, 403, "forbidden");
    nobody.get(&server, "/openapi.json").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_found_and_the_old_ones_go_on_while_the_address_is_away() {
    let t = TestStore::sqlite().await;
    let mut platform = Foreign::start();
    platform.tell(&json!(["publish", "ed1"]));
    let setup = with_platform(&t, platform.port);
    let server = Server::with(t, setup).await;
    let fine = claims(&server.t);
    let (old, new) = (platform.token("EdDSA", "ed1", &fine), platform.token("EdDSA", "ed2", &fine));
    old.get(&server, "/v1/jobs").await.expect(200);

    platform.tell(&json!(["publish", "ed1", "ed2"]));
    for _ in 0..5 {
        refused(&new.get(&server, "/v1/jobs").await, 401, "unauthorized");
    }
    assert_eq!(platform.asked(), 1);
    server.t.clock.advance(Duration::from_secs(60));
    new.get(&server, "/v1/jobs").await.expect(200);
    assert_eq!(platform.asked(), 2);

    platform.tell(&json!(["away"]));
    server.t.clock.advance(Duration::from_secs(120));
    let unknown = platform.token("EdDSA", "ed3", &fine);
    refused(&unknown.get(&server, "/v1/jobs").await, 401, "unauthorized");
    assert_eq!(platform.asked(), 3);
    for caller in [&old, &new] {
        caller.get(&server, "/v1/jobs").await.expect(200);
    }
}
