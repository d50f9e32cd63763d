//! Users over HTTP: whoever manages them, and nobody who raises himself or touches one above.

use reqwest::Method;
use serde_json::{Value, json};
use store::Role;

use super::{Caller, PASSWORD, refused, setup, signed_in, user};
use crate::support::http::{Answer, Server, Setup, answer};
use crate::support::store::{TestStore, promises};

promises![
    a_user_is_made_and_looked_after_and_each_change_holds_at_once,
    an_admin_touches_no_owner_makes_none_and_does_not_raise_himself,
    what_is_asked_wrongly_is_told_with_its_field,
];

const OTHER: &str = "a compiler for everybody, please";

async fn server(t: TestStore) -> Server {
    let setup = setup(&t);
    Server::with(t, setup).await
}

async fn send(server: &Server, caller: &Caller, request: &str, body: &Value) -> Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let request = caller.request(server, method.parse::<Method>().unwrap(), path);
    answer(if body.is_null() { request } else { request.json(body) }).await
}

fn new_user(role: &str) -> Value {
    json!({ "email": "bob@example.org", "name": "Bob", "role": role, "password": OTHER })
}

async fn a_user_is_made_and_looked_after_and_each_change_holds_at_once(t: TestStore) {
    let server = server(t).await;
    let admin = signed_in(&server, Role::Admin, None).await;
    let made = admin.post(&server, "/v1/users", &new_user("viewer")).await;
    assert!(!made.text.contains("argon2") && !made.text.contains(OTHER), "{made:?}");
    let made = made.expect(201);
    let at = |path: &str| format!("/v1/users/{}{path}", made["id"].as_str().unwrap());
    assert_eq!(admin.get(&server, &at("")).await.expect(200), made);
    let sign_in = async |password: &str| {
        let body = json!({ "email": "BOB@example.org", "password": password, "bearer": true });
        answer(server.bare(Method::POST, "/auth/sign-in").json(&body)).await
    };
    let bob = Caller::new("bob", sign_in(OTHER).await.expect(200)["access_token"].as_str().unwrap());
    let job = json!({ "kind": "system.noop" });
    refused(&bob.post(&server, "/v1/jobs", &job).await, 403, "forbidden");

    let role = json!({ "role": "member" });
    assert_eq!(
        send(&server, &admin, &format!("PUT {}", at("/role")), &role).await.expect(200)["changed"],
        true
    );
    bob.post(&server, "/v1/jobs", &job).await.expect(202);
    assert_eq!(
        send(&server, &admin, &format!("PUT {}", at("/role")), &role).await.expect(200)["changed"],
        false
    );

    send(&server, &admin, &format!("POST {}", at("/disable")), &Value::Null).await.expect(200);
    refused(&bob.get(&server, "/v1/jobs").await, 401, "unauthorized");
    refused(&sign_in(OTHER).await, 401, "sign_in_refused");
    send(&server, &admin, &format!("POST {}", at("/enable")), &Value::Null).await.expect(200);
    send(&server, &admin, &format!("PUT {}", at("/password")), &json!({ "password": PASSWORD }))
        .await
        .expect(200);
    refused(&sign_in(OTHER).await, 401, "sign_in_refused");
    let bob = Caller::new("bob", sign_in(PASSWORD).await.expect(200)["access_token"].as_str().unwrap());
    let factor = send(&server, &admin, &format!("DELETE {}", at("/second-factor")), &Value::Null).await;
    assert_eq!(factor.expect(200)["changed"], false);
    let ended = send(&server, &admin, &format!("DELETE {}", at("/sessions")), &Value::Null).await;
    assert_eq!(ended.expect(200)["ended"], 1);
    refused(&bob.get(&server, "/v1/jobs").await, 401, "unauthorized");
    refused(&admin.post(&server, "/v1/users", &new_user("viewer")).await, 409, "refused");
    let listed = admin.get(&server, "/v1/users").await.expect(200);
    let emails: Vec<_> = listed["users"].as_array().unwrap().iter().map(|user| &user["email"]).collect();
    assert!(emails.contains(&&json!("bob@example.org")), "{emails:?}");
}

async fn an_admin_touches_no_owner_makes_none_and_does_not_raise_himself(t: TestStore) {
    let server = server(t).await;
    let owner = user(&server.t, Role::Owner, None).await;
    let admin = signed_in(&server, Role::Admin, None).await;
    let own = admin.get(&server, "/auth/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    let before = server.t.everything_audited().await.len();

    refused(&admin.post(&server, "/v1/users", &new_user("owner")).await, 403, "forbidden");
    for id in [owner.id.to_string(), own] {
        for (request, body) in [
            ("POST /disable", Value::Null),
            ("POST /enable", Value::Null),
            ("PUT /role", json!({ "role": "viewer" })),
            ("PUT /role", json!({ "role": "owner" })),
            ("PUT /password", json!({ "password": OTHER })),
            ("DELETE /second-factor", Value::Null),
            ("DELETE /sessions", Value::Null),
        ] {
            let request = request.replace(" /", &format!(" /v1/users/{id}/"));
            refused(&send(&server, &admin, &request, &body).await, 403, "forbidden");
        }
    }

    assert_eq!(server.t.everything_audited().await.len(), before, "nothing was changed");
    // Whoever has the token of the installation is above all, and makes another owner before the last one goes.
    let disable = format!("POST /v1/users/{}/disable", owner.id);
    let kept = send(&server, &Caller::api(), &disable, &Value::Null).await;
    refused(&kept, 409, "refused");
    assert!(kept.text.contains("make another one first"), "{kept:?}");
    Caller::api().post(&server, "/v1/users", &new_user("owner")).await.expect(201);
    send(&server, &Caller::api(), &disable, &Value::Null).await.expect(200);
}

async fn what_is_asked_wrongly_is_told_with_its_field(t: TestStore) {
    let server = server(t).await;
    let api = Caller::api();
    let make = |field: &str, value: Value| {
        let mut body = new_user("viewer");
        body[field] = value;
        body
    };
    for (body, field) in [
        (make("email", json!("bob")), "/email"),
        (make("name", json!(" ")), "/name"),
        (make("role", json!("king")), "/role"),
        (make("tenant", json!("")), "/tenant"),
        (make("password", json!("short")), "/password"),
        (make("password", json!("passwordpassword")), "/password"),
        (make("colour", json!(1)), "/colour"),
    ] {
        let answer = api.post(&server, "/v1/users", &body).await;
        refused(&answer, 422, "invalid_body");
        assert_eq!(answer.json()["errors"][0]["field"], json!(field), "{body}");
    }
    refused(&api.get(&server, "/v1/users/7").await, 400, "invalid_parameter");
    let closed = Server::with(server.t.clone(), Setup::default()).await;
    refused(&api.get(&closed, "/v1/users").await, 503, "sign_in_off");
}
