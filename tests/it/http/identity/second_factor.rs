//! A second factor: begun, confirmed, shown once, lost, removed.

use engine::identity::totp::code_for;
use futures::future::join_all;
use jobkit::{Clock, SecretString};
use serde_json::{Value, json};
use store::identities::Whom;

use super::{PASSWORD, Tokens, credentials, refused, server, setup, sign_in, user, with};
use crate::support::http::{Server, Setup};
use crate::support::store::{TestStore, promises, seconds};

promises![
    a_second_factor_is_asked_for_once_it_is_confirmed,
    a_code_opens_one_session,
    a_recovery_code_opens_one_session_and_takes_the_place_of_the_code,
    a_second_factor_is_removed_with_the_password,
    a_second_factor_needs_the_password_and_a_code_of_its_own,
    without_a_key_to_encrypt_with_there_is_none,
];

/// As an authenticator shows it now.
fn code_now(server: &Server, secret: &str) -> String {
    let now = u64::try_from(server.t.clock.now().as_second()).unwrap();
    code_for(&SecretString::from(secret), now).unwrap()
}

fn begin() -> Value {
    json!({ "step": "begin", "password": PASSWORD })
}

fn confirm(code: &str) -> Value {
    json!({ "step": "confirm", "code": code })
}

/// The secret, and the recovery codes.
async fn confirmed(server: &Server, tokens: &Tokens) -> (String, Vec<String>) {
    let begun = tokens.post(server, "/auth/totp", &begin()).await.expect(200);
    let secret = begun["secret"].as_str().unwrap().to_owned();
    let told = tokens.post(server, "/auth/totp", &confirm(&code_now(server, &secret))).await.expect(200);
    assert_eq!(told["state"], "confirmed");
    let codes = told["recovery_codes"].as_array().unwrap().iter();
    (secret, codes.map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn a_second_factor_is_asked_for_once_it_is_confirmed(t: TestStore) {
    let server = server(t).await;
    let grace = user(&server.t).await;
    let tokens = Tokens::new(&server).await;
    let begun = tokens.post(&server, "/auth/totp", &begin()).await.expect(200);
    let secret = begun["secret"].as_str().unwrap();
    assert!(begun["address"].as_str().unwrap().contains(&format!("secret={secret}&")), "{begun}");
    // Begun is not confirmed.
    sign_in(&server, &credentials()).await.expect(200);

    let told = tokens.post(&server, "/auth/totp", &confirm(&code_now(&server, secret))).await.expect(200);

    assert_eq!(told["recovery_codes"].as_array().unwrap().len(), 10);
    let due = sign_in(&server, &credentials()).await;
    refused(&due, 401, "second_factor_due");
    assert_eq!(due.json()["errors"][0]["field"], "/totp");
    // Whoever does not know the password does not hear that there is one.
    let wrong = with(with(credentials(), "password", "wrong"), "totp", "000000");
    refused(&sign_in(&server, &wrong).await, 401, "sign_in_refused");
    // The secret is in no table as it is.
    let row = server.t.store.user(&Whom::Id(grace.id)).await.unwrap().unwrap();
    let sealed = row.totp.unwrap().sealed;
    assert!(sealed.contains("$sealed") && !sealed.contains(secret), "{sealed}");
    assert_eq!(tokens.get(&server, "/auth/me").await.expect(200)["second_factor"], true);
    // What is due is no failure, however often it is heard.
    for _ in 0..8 {
        refused(&sign_in(&server, &credentials()).await, 401, "second_factor_due");
    }
}

async fn a_code_opens_one_session(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let (secret, _) = confirmed(&server, &Tokens::new(&server).await).await;
    // The code of the confirmation is used, too.
    let used = with(credentials(), "totp", code_now(&server, &secret));
    refused(&sign_in(&server, &used).await, 401, "sign_in_refused");
    server.t.clock.advance(seconds(30));
    let shown = with(credentials(), "totp", code_now(&server, &secret));

    let answers = join_all((0..4).map(|_| sign_in(&server, &shown))).await;

    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401]);
    server.t.clock.advance(seconds(60));
    let next = with(credentials(), "totp", code_now(&server, &secret));
    sign_in(&server, &next).await.expect(200);
}

async fn a_recovery_code_opens_one_session_and_takes_the_place_of_the_code(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let (_, codes) = confirmed(&server, &Tokens::new(&server).await).await;
    let shown = with(credentials(), "recovery_code", codes[0].to_lowercase());

    let opened = sign_in(&server, &with(shown.clone(), "bearer", true)).await.expect(200);

    assert_eq!(opened["user"]["recovery_codes_left"], 9);
    refused(&sign_in(&server, &shown).await, 401, "sign_in_refused");
    refused(&sign_in(&server, &with(credentials(), "recovery_code", "ABCDE")).await, 401, "sign_in_refused");
    let other = with(credentials(), "recovery_code", codes[9].as_str());
    assert_eq!(sign_in(&server, &other).await.expect(200)["user"]["recovery_codes_left"], 8);
}

async fn a_second_factor_is_removed_with_the_password(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let tokens = Tokens::new(&server).await;
    let (_, codes) = confirmed(&server, &tokens).await;
    let remove = |password: &str| json!({ "step": "remove", "password": password });
    refused(&tokens.post(&server, "/auth/totp", &remove("wrong")).await, 401, "sign_in_refused");

    let removed = tokens.post(&server, "/auth/totp", &remove(PASSWORD)).await.expect(200);

    assert_eq!(removed, json!({ "state": "removed" }));
    sign_in(&server, &credentials()).await.expect(200);
    let (_, again) = confirmed(&server, &tokens).await;
    // Codes of the one before are worth nothing.
    refused(
        &sign_in(&server, &with(credentials(), "recovery_code", codes[0].as_str())).await,
        401,
        "sign_in_refused",
    );
    sign_in(&server, &with(credentials(), "recovery_code", again[0].as_str())).await.expect(200);
}

async fn a_second_factor_needs_the_password_and_a_code_of_its_own(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let tokens = Tokens::new(&server).await;
    let post = async |body: &Value| tokens.post(&server, "/auth/totp", body).await;

    refused(&post(&json!({ "step": "begin", "password": "wrong" })).await, 401, "sign_in_refused");
    refused(&post(&confirm("123456")).await, 409, "refused");
    let first = post(&begin()).await.expect(200);
    let second = post(&begin()).await.expect(200);
    let code = code_now(&server, first["secret"].as_str().unwrap());
    refused(&post(&confirm(&code)).await, 401, "sign_in_refused");
    let code = code_now(&server, second["secret"].as_str().unwrap());
    post(&confirm(&code)).await.expect(200);
    refused(&post(&begin()).await, 409, "refused");
    refused(&post(&confirm(&code)).await, 401, "sign_in_refused");
    for body in [
        json!({}),
        json!({ "step": "leap" }),
        json!({ "step": "begin" }),
        json!({ "step": "begin", "password": "" }),
    ] {
        refused(&post(&body).await, 422, "invalid_body");
    }
}

async fn without_a_key_to_encrypt_with_there_is_none(t: TestStore) {
    let setup = Setup { keyring: engine::seal::Keyring::default(), ..setup(&t) };
    let server = Server::with(t, setup).await;
    user(&server.t).await;
    let tokens = Tokens::new(&server).await;

    refused(&tokens.post(&server, "/auth/totp", &begin()).await, 503, "seal_failed");
    sign_in(&server, &credentials()).await.expect(200);
}
