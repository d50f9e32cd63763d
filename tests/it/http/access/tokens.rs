//! Tokens of services over HTTP, as whoever manages them and whoever shows them meets them.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::identity::Permission;
use engine::identity::networks::Network;
use engine::identity::platform::Source;
use engine::identity::platform::settings::{Algorithm, Grant, Platform};
use jobkit::{Clock, SecretString};
use reqwest::Method;
use serde_json::{Value, json};
use store::Role;

use super::{Caller, Given, given, refused, setup, signed_in, token};
use crate::support::http::{Server, Setup, answer};
use crate::support::store::{TestStore, ada, promises};

promises![
    a_token_is_made_used_rotated_and_revoked_and_each_holds_at_once_everywhere,
    nobody_gives_or_rotates_what_he_has_not,
    a_token_is_shown_from_its_networks_alone,
    administrative_permissions_are_used_from_their_networks_alone,
    a_session_comes_in_by_its_cookie_and_only_from_our_own_pages,
    what_a_service_does_is_written_down_under_its_name,
    a_stream_of_events_ends_with_the_token_that_opened_it,
    what_is_asked_wrongly_is_told_with_its_field,
];

async fn server(t: TestStore) -> Server {
    let setup = setup(&t);
    Server::with(t, setup).await
}

fn secret(answer: &Value) -> Caller {
    Caller::new(answer["token"]["name"].as_str().unwrap(), answer["secret"].as_str().unwrap())
}

async fn a_token_is_made_used_rotated_and_revoked_and_each_holds_at_once_everywhere(t: TestStore) {
    let first = server(t).await;
    let second = server(first.t.second().await).await;
    let admin = signed_in(&first, Role::Admin, None).await;
    let wanted = json!({ "name": "billing", "permissions": ["jobs:read"], "expires_in": "30d" });

    let made = admin.post(&first, "/v1/tokens", &wanted).await.expect(201);
    let id = made["token"]["id"].as_str().unwrap().to_owned();
    let old = secret(&made);
    let at = |path: &str| format!("/v1/tokens/{id}{path}");
    assert_eq!((&made["token"]["state"], &made["token"]["tenant"]), (&json!("live"), &Value::Null));
    for server in [&first, &second] {
        old.get(server, "/v1/jobs").await.expect(200);
    }
    let shown = admin.get(&second, &at("")).await;
    assert!(!shown.text.contains("cpl_") && !shown.text.contains("hash"), "{shown:?}");
    assert_eq!(shown.expect(200)["used_at"], json!(first.t.clock.now()));
    refused(&admin.post(&first, "/v1/tokens", &wanted).await, 409, "refused");

    let rotated = admin.post(&first, &at("/rotate"), &json!({ "grace": "1h" })).await.expect(200);
    let new = secret(&rotated);
    assert_ne!(new.bearer, old.bearer);
    for caller in [&old, &new] {
        caller.get(&second, "/v1/jobs").await.expect(200);
    }
    first.t.clock.advance(Duration::from_secs(3_600));
    refused(&old.get(&second, "/v1/jobs").await, 401, "unauthorized");
    new.get(&second, "/v1/jobs").await.expect(200);

    let admin = {
        let body =
            json!({ "email": super::email(Role::Admin, None), "password": super::PASSWORD, "bearer": true });
        let answer = answer(first.bare(Method::POST, "/auth/sign-in").json(&body)).await.expect(200);
        Caller::new("admin", answer["access_token"].as_str().unwrap())
    };
    let revoke = |server: &Server| answer(admin.request(server, Method::DELETE, &at("")));
    assert_eq!(revoke(&first).await.expect(200)["changed"], json!(true));
    refused(&new.get(&second, "/v1/jobs").await, 401, "unauthorized");
    assert_eq!(revoke(&second).await.expect(200)["changed"], json!(false));
    refused(&admin.post(&first, &at("/rotate"), &json!({})).await, 409, "refused");
    let listed = admin.get(&second, "/v1/tokens").await.expect(200);
    assert_eq!((&listed["tokens"][0]["id"], &listed["tokens"][0]["state"]), (&json!(id), &json!("revoked")));
}

/// Whoever the platform lets manage tokens, and who may do little beside.
fn little(t: &TestStore) -> (Setup, Caller) {
    const SECRET: &str = "a secret that both sides have, and long enough";
    let settings = Platform {
        issuer: "https://login.example.org/".into(),
        audience: "compline".into(),
        algorithms: vec![Algorithm::Hs256],
        roles: [(
            "clerk".to_owned(),
            Grant::Permissions(vec![Permission::TokensManage, Permission::JobsRead]),
        )]
        .into(),
        ..Platform::default()
    };
    let now = t.clock.now().as_second();
    let claims = json!({ "iss": settings.issuer, "aud": "compline", "sub": "ada", "role": "clerk",
                         "iat": now, "exp": now + 600 });
    let encode =
        |value: &Value| base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, value.to_string());
    let message = format!("{}.{}", encode(&json!({ "alg": "HS256" })), encode(&claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = ring::hmac::sign(&key, message.as_bytes());
    let tag = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, tag);
    let platform = Some((settings, Source::Secret(SecretString::from(SECRET))));
    (Setup { platform, ..setup(t) }, Caller::new("clerk", &format!("{message}.{tag}")))
}

async fn nobody_gives_or_rotates_what_he_has_not(t: TestStore) {
    let (setup, clerk) = little(&t);
    let server = Server::with(t, setup).await;
    let make = async |name: &str, permissions: &[&str]| {
        clerk.post(&server, "/v1/tokens", &json!({ "name": name, "permissions": permissions })).await
    };
    let made = make("own", &["jobs:read"]).await.expect(201);
    assert!(made["token"]["created_by"].as_str().unwrap().starts_with("platform:https://login"), "{made}");
    for (name, permissions) in [
        ("more", &["jobs:read", "jobs:write"][..]),
        ("most", &["limits:control"]),
        ("manager", &["tokens:manage"]),
    ] {
        refused(&make(name, permissions).await, 422, "invalid_body");
    }
    let (powerful, id) =
        token(&server.t, given("powerful", &[Permission::JobsRead, Permission::JobsControl])).await;
    let rotate = clerk.post(&server, &format!("/v1/tokens/{id}/rotate"), &json!({})).await;
    refused(&rotate, 422, "invalid_body");
    powerful.get(&server, "/v1/jobs").await.expect(200);
    let listed = clerk.get(&server, "/v1/tokens").await.expect(200);
    let tokens = listed["tokens"].as_array().unwrap();
    let names: BTreeSet<_> = tokens.iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["own", "powerful"]));
    answer(clerk.request(&server, Method::DELETE, &format!("/v1/tokens/{id}"))).await.expect(200);
    refused(&powerful.get(&server, "/v1/jobs").await, 401, "unauthorized");
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

async fn a_token_is_shown_from_its_networks_alone(t: TestStore) {
    let setup = Setup { proxies: networks(&["127.0.0.0/8"]), ..setup(&t) };
    let server = Server::with(t, setup).await;
    let given = Given { networks: networks(&["10.0.0.0/8"]), ..given("billing", &[Permission::JobsRead]) };
    let (caller, _) = token(&server.t, given).await;
    let from = async |forwarded: &str| {
        let request = caller.request(&server, Method::GET, "/v1/jobs").header("x-forwarded-for", forwarded);
        answer(request).await
    };

    from("10.1.2.3").await.expect(200);
    refused(&from("192.0.2.7").await, 403, "network_refused");
    refused(&from("10.1.2.3, 192.0.2.7").await, 403, "network_refused");
    refused(&caller.get(&server, "/v1/jobs").await, 403, "network_refused");
}

async fn administrative_permissions_are_used_from_their_networks_alone(t: TestStore) {
    let setup =
        Setup { proxies: networks(&["127.0.0.0/8"]), admin_networks: networks(&["10.0.0.0/8"]), ..setup(&t) };
    let server = Server::with(t, setup).await;
    let owner = signed_in(&server, Role::Owner, None).await;
    for caller in [&Caller::api(), &owner] {
        let resume = async |forwarded: &str| {
            let request = caller.request(&server, Method::POST, "/v1/queues/mail/resume");
            answer(request.header("x-forwarded-for", forwarded)).await
        };
        resume("10.1.2.3").await.expect(200);
        let answer = resume("192.0.2.7").await;
        refused(&answer, 403, "network_refused");
        assert!(answer.text.contains("queues:control"), "{answer:?}");
        caller.get(&server, "/v1/queues").await.expect(200);
    }
    // A stranger hears the same from everywhere.
    refused(&Caller::nobody().get(&server, "/v1/tokens").await, 401, "unauthorized");
}

async fn a_session_comes_in_by_its_cookie_and_only_from_our_own_pages(t: TestStore) {
    let server = server(t).await;
    super::user(&server.t, Role::Admin, None).await;
    let body = json!({ "email": super::email(Role::Admin, None), "password": super::PASSWORD });
    let signed_in = answer(server.bare(Method::POST, "/auth/sign-in").json(&body)).await;
    let lines: Vec<_> =
        signed_in.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    let cookies: Vec<_> = lines.iter().map(|line| line.split(';').next().unwrap()).collect();
    let cookies = cookies.join("; ");
    let csrf = signed_in.expect(200)["csrf_token"].as_str().unwrap().to_owned();
    let request = |method: Method, path: &str| server.bare(method, path).header("cookie", &cookies);
    let pause = json!({ "reason": "month end" });
    let post = || request(Method::POST, "/v1/queues/mail/pause").json(&pause);

    answer(request(Method::GET, "/v1/jobs")).await.expect(200);
    refused(&answer(post()).await, 403, "csrf_refused");
    let foreign = post().header("x-csrf-token", &csrf).header("sec-fetch-site", "cross-site");
    refused(&answer(foreign).await, 403, "csrf_refused");
    answer(post().header("x-csrf-token", &csrf)).await.expect(200);

    // A cookie that is wrong is not made good by a token that is right, nor by another cookie.
    let api = Caller::api();
    let stale = api.request(&server, Method::GET, "/v1/jobs").header("cookie", "__Host-compline=stale");
    refused(&answer(stale).await, 401, "session_over");
    let twice = request(Method::GET, "/v1/jobs").header("cookie", "__Host-compline=another");
    refused(&answer(twice).await, 401, "session_over");
    let other = api.request(&server, Method::GET, "/v1/jobs").header("cookie", "theme=dark");
    answer(other).await.expect(200);
}

async fn what_a_service_does_is_written_down_under_its_name(t: TestStore) {
    let server = server(t).await;
    let (caller, _) = token(&server.t, given("billing", &[Permission::JobsWrite])).await;
    let member = signed_in(&server, Role::Member, None).await;
    let job = json!({ "kind": "system.noop" });

    caller.post(&server, "/v1/jobs", &job).await.expect(202);
    member.post(&server, "/v1/jobs", &job).await.expect(202);

    // The key of one caller is no key of another's.
    let once = async |caller: &Caller| {
        let request = caller.request(&server, Method::POST, "/v1/jobs").header("idempotency-key", "k-1");
        answer(request.json(&json!({ "kind": "system.noop", "tags": ["once"] }))).await.expect(202)["id"]
            .clone()
    };
    let (first, other, again) = (once(&caller).await, once(&member).await, once(&caller).await);
    assert_eq!((first == other, first == again), (false, true));

    let told = server.t.everything_audited().await;
    let user = told.iter().find(|entry| entry.action == "user.created").unwrap();
    let actors: Vec<_> =
        told.iter().filter(|entry| entry.action == "job.enqueue").map(|entry| entry.actor.as_str()).collect();
    let both = ["service:billing", user.object.as_str()];
    assert_eq!(actors, [both, both].concat());
}

async fn a_stream_of_events_ends_with_the_token_that_opened_it(t: TestStore) {
    let server = server(t).await;
    let life = Duration::from_secs(300 * 86_400);
    let (caller, id) = token(&server.t, Given { life, ..given("listener", &[Permission::EventsRead]) }).await;
    let stream = caller.request(&server, Method::GET, "/v1/events").send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let reading = tokio::spawn(stream.bytes());
    let clock = &server.t.clock;
    for _ in 0..20 {
        clock.advance(Duration::from_secs(15));
        caller.get(&server, "/v1/jobs").await;
    }
    assert!(!reading.is_finished(), "it goes on for as long as it may");

    server.t.store.change_token(id, &store::tokens::TokenChange::Revoke, &ada()).await.unwrap();

    // Each round is one time that it looks again; whoever answers gives it the time to.
    for _ in 0..1_000 {
        if reading.is_finished() {
            break;
        }
        clock.advance(Duration::from_secs(15));
        refused(&caller.get(&server, "/v1/jobs").await, 401, "unauthorized");
    }
    assert!(reading.is_finished(), "it went on");
}

async fn what_is_asked_wrongly_is_told_with_its_field(t: TestStore) {
    let server = server(t).await;
    let api = Caller::api();
    let make = |field: &str, value: Value| {
        let mut body = json!({ "name": "billing", "permissions": ["jobs:read"] });
        body[field] = value;
        body
    };
    for (body, field) in [
        (make("name", json!("")), "/name"),
        (make("name", json!("a b")), "/name"),
        (make("permissions", json!([])), "/permissions"),
        (make("permissions", json!(["jobs:read", "jobs:fly"])), "/permissions/1"),
        (make("permissions", json!(["users:manage"])), "/permissions"),
        (make("tenant", json!("")), "/tenant"),
        (make("networks", json!(["10.0.0.0/8", "10.0.0.0/33"])), "/networks/1"),
        (make("expires_in", json!("1s")), "/expires_in"),
        (make("expires_in", json!("367d")), "/expires_in"),
        (make("expires_in", json!("soon")), "/expires_in"),
        (make("colour", json!(1)), "/colour"),
    ] {
        let answer = api.post(&server, "/v1/tokens", &body).await;
        refused(&answer, 422, "invalid_body");
        assert_eq!(answer.json()["errors"][0]["field"], json!(field), "{body}");
    }
    let limits = json!({ "name": "billing", "permissions": ["limits:read"], "tenant": "north" });
    refused(&api.post(&server, "/v1/tokens", &limits).await, 422, "invalid_body");
    refused(&api.get(&server, "/v1/tokens/7").await, 400, "invalid_parameter");
    assert_eq!(api.get(&server, "/v1/tokens").await.expect(200)["tokens"], json!([]));
    assert!(server.t.everything_audited().await.is_empty());
}
