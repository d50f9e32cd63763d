//! Passwords: changed by their user, refused when they are bad, kept anew when what they cost grows.

use std::sync::Arc;

use engine::identity::password::Passwords;
use engine::identity::users::Given;
use engine::identity::{IdentityError, Users};
use jobkit::redact::ExposeSecret;
use jobkit::{Personal, SecretString};
use serde_json::{Value, json};
use store::Role;
use store::identities::Whom;

use super::{EMAIL, PASSWORD, Tokens, credentials, refused, server, sign_in, user, with};
use crate::support::http::{LIVES, passwords};
use crate::support::store::{TestStore, ada, promises};

promises![
    a_new_password_takes_the_place_of_the_old_and_ends_other_sessions,
    a_password_that_is_easily_guessed_is_refused_with_its_field,
    a_password_that_cost_something_else_is_kept_anew,
    who_runs_the_installation_makes_users_and_helps_them,
];

fn change(current: &str, new: &str) -> Value {
    json!({ "current_password": current, "new_password": new })
}

const NEW: &str = "nanoseconds are eleven inches";

async fn a_new_password_takes_the_place_of_the_old_and_ends_other_sessions(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let (own, other) = (Tokens::new(&server).await, Tokens::new(&server).await);
    refused(&own.post(&server, "/auth/password", &change("wrong", NEW)).await, 401, "sign_in_refused");

    let changed = own.post(&server, "/auth/password", &change(PASSWORD, NEW)).await;

    assert_eq!(changed.status, 204, "{changed:?}");
    own.get(&server, "/auth/me").await.expect(200);
    own.refresh(&server).await.expect(200);
    refused(&other.get(&server, "/auth/me").await, 401, "session_over");
    refused(&sign_in(&server, &credentials()).await, 401, "sign_in_refused");
    sign_in(&server, &with(credentials(), "password", NEW)).await.expect(200);
}

async fn a_password_that_is_easily_guessed_is_refused_with_its_field(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let own = Tokens::new(&server).await;
    let long = "x7!q".repeat(65);
    for new in ["", "short", "passwordpassword", "Grace.Hopper@example.org", &long] {
        let told = own.post(&server, "/auth/password", &change(PASSWORD, new)).await.expect(422);
        assert_eq!(
            (&told["code"], &told["errors"][0]["field"]),
            (&json!("invalid_body"), &json!("/new_password"))
        );
    }
    sign_in(&server, &credentials()).await.expect(200);
}

async fn a_password_that_cost_something_else_is_kept_anew(t: TestStore) {
    let server = server(t).await;
    let before = Passwords::with(engine::identity::password::params(16, 1).unwrap()).unwrap();
    let users = Users::new(server.t.store.clone(), server.t.clock.clone(), Arc::new(before), LIVES.idle);
    let grace = users.create(given(EMAIL, PASSWORD), &ada()).await.unwrap();
    assert!(grace.password.expose_secret().contains("m=16,t=1"));

    sign_in(&server, &credentials()).await.expect(200);

    let kept = server.t.store.user(&Whom::Id(grace.id)).await.unwrap().unwrap().password;
    assert!(kept.expose_secret().contains("m=8,t=1"));
    sign_in(&server, &credentials()).await.expect(200);
}

fn given(email: &str, password: &str) -> Given {
    Given {
        email: email.parse().unwrap(),
        name: Personal::new("Grace".into()),
        role: Role::Viewer,
        tenant: Some("north".into()),
        password: SecretString::from(password),
    }
}

async fn who_runs_the_installation_makes_users_and_helps_them(t: TestStore) {
    let server = server(t).await;
    let users = Users::new(server.t.store.clone(), server.t.clock.clone(), passwords(), LIVES.idle);
    let grace = users.create(given(EMAIL, PASSWORD), &ada()).await.unwrap();
    let tokens = Tokens::new(&server).await;
    let again = users.create(given(&EMAIL.to_uppercase(), NEW), &ada()).await.unwrap_err();
    assert!(again.to_string().contains("already"), "{again}");
    let nameless = Given { name: Personal::new(" ".into()), ..given("x@y", NEW) };
    for (bad, field) in [
        (nameless, "name"),
        (Given { tenant: Some("t".repeat(129)), ..given("x@y", NEW) }, "tenant"),
        (given("x@y", "short"), "password"),
    ] {
        let refused = users.create(bad, &ada()).await.unwrap_err();
        assert!(matches!(&refused, IdentityError::Invalid { field: own, .. } if *own == field), "{refused}");
    }
    assert_eq!(users.sessions(grace.id).await.unwrap().len(), 1);

    users.reset_password(&grace, &SecretString::from(NEW), &ada()).await.unwrap();

    refused(&tokens.get(&server, "/auth/me").await, 401, "session_over");
    let tokens = Tokens::of(
        &sign_in(&server, &with(with(credentials(), "password", NEW), "bearer", true)).await.expect(200),
    );
    let session = tokens.session.parse().unwrap();
    assert_eq!(users.sign_out(grace.id, Some(session), &ada()).await.unwrap(), 1);
    assert_eq!(users.sign_out(grace.id, Some(session), &ada()).await.unwrap(), 0);
    refused(&tokens.refresh(&server).await, 401, "session_over");
}
