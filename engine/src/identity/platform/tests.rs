//! What a JWT of the platform must say, and what no word in it brings about.

use jobkit::testing::ManualClock;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::json;
use store::Role;

use super::*;
use crate::identity::Permission;
use crate::webhooks::{Answer, Get, HttpClient, Post};
use futures::future::BoxFuture;
use jobkit::PortError;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use url::Url;

const SECRET: &str = "a secret that both sides have, and long enough";
const ISSUER: &str = "https://login.example.org/";

fn settings(algorithm: Algorithm) -> Settings {
    Settings {
        issuer: ISSUER.into(),
        audience: "compline".into(),
        algorithms: vec![algorithm],
        roles: [
            ("operator".to_owned(), Grant::Role(Role::Member)),
            ("boss".to_owned(), Grant::Role(Role::Admin)),
            ("reporting".to_owned(), Grant::Permissions(vec![Permission::JobsRead])),
            ("auditor".to_owned(), Grant::Permissions(vec![Permission::EventsRead])),
        ]
        .into(),
        ..Settings::default()
    }
}

fn keys() -> Keys {
    Keys::new(&SecretString::from("k".repeat(32))).unwrap()
}

fn platform(settings: &Settings, clock: &Arc<ManualClock>) -> Platform {
    let source = Source::Secret(SecretString::from(SECRET));
    Platform::new(settings, source, &keys(), clock.clone())
}

fn claims(clock: &ManualClock) -> Value {
    let now = clock.now().as_second();
    json!({ "iss": ISSUER, "aud": "compline", "sub": "ada@example.org", "role": "operator",
            "iat": now, "exp": now + 300 })
}

fn with(mut claims: Value, field: &str, value: impl Into<Value>) -> Value {
    claims[field] = value.into();
    claims
}

fn without(mut claims: Value, field: &str) -> Value {
    claims.as_object_mut().unwrap().remove(field);
    claims
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> SecretString {
    let message = message(header, claims);
    SecretString::from(format!("{message}.{}", BASE64.encode(sign(message.as_bytes()))))
}

fn by_secret(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

fn plain() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

#[tokio::test]
async fn whoever_the_platform_knows_is_known_by_a_code_and_may_what_the_role_may() {
    let clock = Arc::new(ManualClock::default());
    let platform = platform(&settings(Algorithm::Hs256), &clock);
    let who =
        async |claims: Value| platform.who(&signed(&plain(), &claims, by_secret(SECRET.as_bytes()))).await;

    let known = who(claims(&clock)).await.unwrap();

    assert_eq!((known.permissions, known.role), (Permissions::of_role(Role::Member), Some(Role::Member)));
    assert_eq!(known.scope, Scope::Installation);
    assert!(known.name.starts_with("platform:https://login.example.org/:"), "{}", known.name);
    assert!(!known.name.contains("ada"), "{}", known.name);
    assert_eq!(known.name, name(&keys().subject, ISSUER, "ada@example.org"));
    assert_ne!(who(with(claims(&clock), "sub", "bob")).await.unwrap().name, known.name);

    let both = who(with(claims(&clock), "role", json!(["reporting", "auditor", 7, "king"]))).await.unwrap();
    assert_eq!((both.permissions.names(), both.role), (vec!["jobs:read".into(), "events:read".into()], None));
    let boss = who(with(claims(&clock), "role", json!(["boss", "operator"]))).await.unwrap();
    assert_eq!(boss.role, Some(Role::Admin));
    for nobody in [json!("king"), json!("owner"), json!(7), json!({}), json!(null), json!("")] {
        let known = who(with(claims(&clock), "role", nobody.clone())).await.unwrap();
        assert!(known.permissions.is_empty(), "{nobody}");
    }
}

#[tokio::test]
async fn what_a_token_does_not_say_rightly_makes_it_none() {
    let clock = Arc::new(ManualClock::default());
    let settings = Settings {
        tenant_claim: "org".into(),
        role_claim: "/realm/roles".into(),
        ..settings(Algorithm::Hs256)
    };
    let platform = platform(&settings, &clock);
    let now = clock.now().as_second();
    let fine = with(with(claims(&clock), "org", "north"), "realm", json!({ "roles": ["operator"] }));
    let who =
        async |claims: &Value| platform.who(&signed(&plain(), claims, by_secret(SECRET.as_bytes()))).await;

    let known = who(&fine).await.unwrap();
    assert_eq!(known.scope, Scope::Tenant("north".into()));
    assert_eq!(known.permissions, Permissions::of_role(Role::Member));

    for taken in [
        with(fine.clone(), "exp", now - 29),
        with(fine.clone(), "iat", now + 30),
        with(fine.clone(), "nbf", now + 30),
        with(fine.clone(), "exp", now as f64 + 0.5),
        with(with(fine.clone(), "iat", now - 3_630), "exp", now + 10),
        with(fine.clone(), "aud", json!(["another", "compline"])),
    ] {
        assert!(who(&taken).await.is_some(), "{taken}");
    }
    for refused in [
        with(fine.clone(), "exp", now - 30),
        with(fine.clone(), "exp", "soon"),
        with(fine.clone(), "exp", json!(null)),
        without(fine.clone(), "exp"),
        with(fine.clone(), "iat", now + 31),
        without(fine.clone(), "iat"),
        with(with(fine.clone(), "iat", now - 3_631), "exp", now + 10),
        with(fine.clone(), "nbf", now + 31),
        with(fine.clone(), "iss", "https://login.example.org"),
        with(fine.clone(), "iss", json!([ISSUER])),
        without(fine.clone(), "iss"),
        with(fine.clone(), "aud", "Compline"),
        with(fine.clone(), "aud", json!([])),
        without(fine.clone(), "aud"),
        without(fine.clone(), "sub"),
        with(fine.clone(), "sub", ""),
        with(fine.clone(), "sub", 7),
        with(fine.clone(), "sub", "x".repeat(1_001)),
        without(fine.clone(), "org"),
        with(fine.clone(), "org", json!(null)),
        with(fine.clone(), "org", json!(["north"])),
        with(fine.clone(), "org", ""),
        with(fine.clone(), "org", "north\n"),
    ] {
        // Some of these a library would read and some not; the answer is the same.
        assert!(who(&refused).await.is_none(), "{refused}");
    }
}

#[tokio::test]
async fn what_a_header_says_decides_nothing() {
    let clock = Arc::new(ManualClock::default());
    let platform = platform(&settings(Algorithm::Hs256), &clock);
    let fine = claims(&clock);
    let right = by_secret(SECRET.as_bytes());
    assert!(platform.who(&signed(&plain(), &fine, &right)).await.is_some());
    let lead = json!({ "alg": "HS256", "jku": "https://evil.example/keys", "x5u": "https://evil.example/x", "kid": "../../x" });
    assert!(platform.who(&signed(&lead, &fine, &right)).await.is_some(), "where it leads is passed over");
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "None" }),
        json!({ "alg": "HS512" }),
        json!({ "alg": "RS256" }),
        json!({ "alg": "EdDSA" }),
        json!({ "typ": "JWT" }),
        json!({ "alg": "HS256", "crit": ["exp"] }),
        json!({ "alg": "HS256", "crit": [] }),
    ] {
        assert!(platform.who(&signed(&header, &fine, &right)).await.is_none(), "{header}");
    }
    let unsigned = message(&json!({ "alg": "none" }), &fine);
    let other = signed(&plain(), &fine, by_secret(b"another secret that is as long as the right one"));
    let long = format!("{}{}", message(&plain(), &fine), "A".repeat(LONGEST));
    for text in ["", "a.b.c", &unsigned, &format!("{unsigned}."), other.expose_secret(), &long] {
        assert!(platform.who(&SecretString::from(text)).await.is_none(), "{text}");
    }
}

/// Serves what it is told to, and counts how often it is asked.
#[derive(Default)]
struct Address {
    body: Mutex<Option<Value>>,
    asked: AtomicUsize,
}

impl Address {
    fn holds(&self, keys: &[Value]) {
        *self.body.lock().unwrap() = Some(json!({ "keys": keys }));
    }
}

impl HttpClient for Address {
    fn post(&self, _: Post) -> BoxFuture<'_, Result<Answer, PortError>> {
        unreachable!("keys are fetched")
    }

    fn get(&self, get: Get) -> BoxFuture<'_, Result<(u16, Vec<u8>), PortError>> {
        assert_eq!(get.url.as_str(), "https://login.example.org/jwks");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let body = self.body.lock().unwrap().clone();
        Box::pin(async move {
            let away = || PortError::new("getting", std::io::Error::other("nobody is there"));
            body.map(|body| (200, body.to_string().into_bytes())).ok_or_else(away)
        })
    }

    fn reach<'a>(&'a self, _: &'a Url) -> BoxFuture<'a, Result<(), PortError>> {
        unreachable!("keys are fetched")
    }
}

struct Pair {
    key: Ed25519KeyPair,
    id: &'static str,
}

impl Pair {
    fn new(id: &'static str, seed: u8) -> Self {
        Self { key: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), id }
    }

    fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.id, "use": "sig", "x": BASE64.encode(self.key.public_key()) })
    }

    fn token(&self, clock: &ManualClock) -> SecretString {
        let header = json!({ "alg": "EdDSA", "kid": self.id });
        signed(&header, &claims(clock), |message| self.key.sign(message).as_ref().to_vec())
    }
}

fn by_address(algorithms: &[Algorithm], address: &Arc<Address>, clock: &Arc<ManualClock>) -> Platform {
    let url = "https://login.example.org/jwks".parse().unwrap();
    let jwks = Jwks::new(url, address.clone(), clock.clone());
    let settings = Settings { algorithms: algorithms.to_vec(), ..settings(Algorithm::EdDsa) };
    Platform::new(&settings, Source::Jwks(Arc::new(jwks)), &keys(), clock.clone())
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_for_a_new_one_and_go_on_while_nobody_answers() {
    let clock = Arc::new(ManualClock::default());
    let address = Arc::new(Address::default());
    let (old, new) = (Pair::new("old", 1), Pair::new("new", 2));
    address.holds(&[old.jwk()]);
    let platform = by_address(&[Algorithm::EdDsa], &address, &clock);
    let asked = || address.asked.load(Ordering::SeqCst);

    for _ in 0..3 {
        assert!(platform.who(&old.token(&clock)).await.is_some());
    }
    assert_eq!(asked(), 1);

    address.holds(&[old.jwk(), new.jwk()]);
    assert!(
        platform.who(&new.token(&clock)).await.is_none(),
        "a key that is not known is asked for once a minute"
    );
    assert_eq!(asked(), 1);
    clock.advance(Duration::from_secs(60));
    assert!(platform.who(&new.token(&clock)).await.is_some());
    assert_eq!(asked(), 2);

    *address.body.lock().unwrap() = None;
    clock.advance(Duration::from_secs(3_600));
    assert!(platform.who(&old.token(&clock)).await.is_some(), "keys go on while the address is away");
    clock.advance(Duration::from_secs(86_400));
    assert!(platform.who(&old.token(&clock)).await.is_none(), "and not for more than a day");
}

#[tokio::test]
async fn a_key_that_was_taken_back_is_forgotten() {
    let clock = Arc::new(ManualClock::default());
    let address = Arc::new(Address::default());
    let (old, new) = (Pair::new("old", 1), Pair::new("new", 2));
    address.holds(&[old.jwk()]);
    let platform = by_address(&[Algorithm::EdDsa], &address, &clock);
    assert!(platform.who(&old.token(&clock)).await.is_some());

    address.holds(&[new.jwk()]);
    clock.advance(Duration::from_secs(60));
    assert!(platform.who(&new.token(&clock)).await.is_some());

    assert!(platform.who(&old.token(&clock)).await.is_none());
}

#[tokio::test]
async fn a_public_key_is_no_secret_and_no_key_of_another_algorithm() {
    let clock = Arc::new(ManualClock::default());
    let address = Arc::new(Address::default());
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let ec = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let point = ec.public_key().as_ref().to_vec();
    let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
    let ed = Pair::new("ed", 1);
    let secret = json!({ "kty": "oct", "kid": "oct", "k": BASE64.encode("guessed"), "alg": "HS256" });
    address.holds(&[ed.jwk(), json!({ "kty": "EC", "crv": "P-256", "kid": "ec", "x": x, "y": y }), secret]);
    let all = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256];
    let platform = by_address(&all, &address, &clock);
    let fine = claims(&clock);
    let by_ec = |message: &[u8]| ec.sign(&random, message).unwrap().as_ref().to_vec();

    assert!(platform.who(&ed.token(&clock)).await.is_some());
    let header = json!({ "alg": "ES256", "kid": "ec" });
    assert!(platform.who(&signed(&header, &fine, by_ec)).await.is_some());

    for (header, sign) in [
        (
            json!({ "alg": "HS256", "kid": "ed" }),
            &by_secret(ed.key.public_key().as_ref()) as &dyn Fn(&[u8]) -> Vec<u8>,
        ),
        (json!({ "alg": "HS256", "kid": "ec" }), &by_secret(&point)),
        (json!({ "alg": "HS256", "kid": "oct" }), &by_secret(b"guessed")),
        (json!({ "alg": "EdDSA", "kid": "ec" }), &by_ec),
        (json!({ "alg": "ES256", "kid": "ed" }), &by_ec),
        (json!({ "alg": "RS256", "kid": "ec" }), &by_ec),
        (json!({ "alg": "none", "kid": "ed" }), &|_: &[u8]| Vec::new()),
    ] {
        assert!(platform.who(&signed(&header, &fine, sign)).await.is_none(), "{header}");
    }
    let altered = signed(&json!({ "alg": "ES256", "kid": "ec" }), &fine, |_| by_ec(b"something else"));
    assert!(platform.who(&altered).await.is_none());
}
