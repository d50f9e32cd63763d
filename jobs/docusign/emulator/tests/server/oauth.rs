//! Tokens over HTTP: refused, granted, running out, revoked.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use docusign_emulator::{ClockMode, Emulator, INTEGRATION_KEY, Options};
use serde_json::{Value, json};

use crate::client::{Caller, assertion, start};

#[tokio::test]
async fn a_token_lasts_an_hour_and_no_longer() {
    let (emulator, mut caller) = start(|_| {}).await;
    caller.get("/envelopes?from_date=2026-01-01").await.expect(200);
    emulator.advance(Duration::from_secs(3599)).unwrap();
    caller.get("/envelopes?from_date=2026-01-01").await.expect(200);
    emulator.advance(Duration::from_secs(1)).unwrap();
    let late = caller.get("/envelopes?from_date=2026-01-01").await;
    assert_eq!(late.refused(), (401, "AUTHORIZATION_INVALID_TOKEN".into()));
    caller.sign_in(&emulator).await;
    caller.get("/envelopes?from_date=2026-01-01").await.expect(200);
}

#[tokio::test]
async fn what_is_no_token_is_refused_in_three_ways() {
    let (_emulator, mut caller) = start(|_| {}).await;
    caller.control("POST", "/tokens/revoke", Value::Null).await.expect(200);
    assert_eq!(caller.get("/envelopes").await.refused(), (401, "AUTHORIZATION_INVALID_TOKEN".into()));
    caller.token = "invented".into();
    assert_eq!(caller.get("/envelopes").await.refused(), (401, "USER_AUTHENTICATION_FAILED".into()));
    caller.token = String::new();
    assert_eq!(caller.get("/envelopes").await.refused(), (401, "PARTNER_AUTHENTICATION_FAILED".into()));
}

#[tokio::test]
async fn consent_is_given_on_the_page_and_then_the_grant_works() {
    let (emulator, caller) = start(|options| options.no_consent_users = vec!["ann".into()]).await;
    let asked = assertion(&emulator, json!({"sub": "ann"}));
    assert_eq!(caller.ask_for_token(&asked).await.expect(400), json!({"error": "consent_required"}));

    let query = format!(
        "client_id={}&scope=signature%20impersonation&response_type=code&state=s&redirect_uri=http://localhost/back",
        INTEGRATION_KEY
    );
    let page = caller.send("GET", &format!("/oauth/auth?{query}"), &[], b"").await.unwrap();
    assert!(String::from_utf8_lossy(&page.body).contains("Allow as ann"));
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let agreed =
        caller.send("POST", "/oauth/auth", &[kind], format!("{query}&user=ann").as_bytes()).await.unwrap();
    assert_eq!(agreed.status, 302);
    assert!(agreed.headers["location"].starts_with("http://localhost/back?code="), "{:?}", agreed.headers);
    assert!(agreed.headers["location"].ends_with("&state=s"));

    caller.ask_for_token(&asked).await.expect(200);
}

/// A public key, and a token that was signed for it; whoever made them kept no private key.
const SIGNED: &str = include_str!("signed.txt");

#[tokio::test]
async fn with_a_public_key_only_its_signatures_are_believed() {
    let mut parts = SIGNED.split("\n\n");
    let (pem, token) = (parts.next().unwrap().to_owned(), parts.next().unwrap().trim().to_owned());
    let options = Options {
        public_key: Some(pem),
        clock: ClockMode::StandingAt("2026-03-01T10:00:00Z".parse().unwrap()),
        ..Options::default()
    };
    let emulator = Emulator::start(options).await.unwrap();
    let caller = Caller { address: emulator.address().to_string(), token: String::new() };
    caller.ask_for_token(&token).await.expect(200);

    let (head, rest) = token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let mut other: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    other["exp"] = json!(other["exp"].as_i64().unwrap() + 1);
    let forged = format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(other.to_string()));
    for forged in [forged, assertion(&emulator, json!({}))] {
        let refused = caller.ask_for_token(&forged).await.expect(400);
        assert_eq!(refused["error_description"], "no_valid_keys_or_signatures");
    }
}
