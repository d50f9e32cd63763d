//! Who may do what over HTTP, by whatever they show to be known by.

mod foreign;
mod matrix;
mod platform;
mod shown;
mod tokens;
mod users;

use std::time::Duration;

use engine::identity::tokens::{Given, Issued, Tokens};
use engine::identity::users::Given as GivenUser;
use engine::identity::{Permission, Permissions, Users};
use jobkit::redact::ExposeSecret;
use jobkit::{Personal, SecretString};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use store::identities::UserRow;
use store::{Role, TokenId};

use crate::support::http::{Answer, LIVES, Server, Setup, TOKEN, answer, passwords};
use crate::support::store::{TestStore, ada};

pub const PASSWORD: &str = "nanoseconds are eleven inches";

/// In the time of the test.
pub fn setup(t: &TestStore) -> Setup {
    Setup { clock: t.clock.clone(), identity: true, ..Setup::default() }
}

/// A name under which somebody calls, and what is shown.
#[derive(Debug, Clone)]
pub struct Caller {
    name: String,
    /// Of the header `Authorization`; none shows nothing.
    pub bearer: Option<String>,
}

impl Caller {
    pub fn new(name: &str, bearer: &str) -> Self {
        Self { name: name.into(), bearer: Some(bearer.into()) }
    }

    fn nobody() -> Self {
        Self { name: "nobody".into(), bearer: None }
    }

    pub fn api() -> Self {
        Self::new("http.token", TOKEN)
    }

    pub fn request(&self, server: &Server, method: Method, path: &str) -> RequestBuilder {
        let request = server.bare(method, path);
        match &self.bearer {
            Some(bearer) => request.bearer_auth(bearer),
            None => request,
        }
    }

    pub async fn get(&self, server: &Server, path: &str) -> Answer {
        answer(self.request(server, Method::GET, path)).await
    }

    pub async fn post(&self, server: &Server, path: &str, body: &serde_json::Value) -> Answer {
        answer(self.request(server, Method::POST, path).json(body)).await
    }
}

fn email(role: Role, tenant: Option<&str>) -> String {
    format!("{}-{}@example.org", role.name(), tenant.unwrap_or("all"))
}

pub async fn user(t: &TestStore, role: Role, tenant: Option<&str>) -> UserRow {
    let users = Users::new(t.store.clone(), t.clock.clone(), passwords(), LIVES.idle);
    let given = GivenUser {
        email: email(role, tenant).parse().unwrap(),
        name: Personal::new("Grace".into()),
        role,
        tenant: tenant.map(str::to_owned),
        password: SecretString::from(PASSWORD),
    };
    users.create(given, &ada()).await.unwrap()
}

/// A user of this role, who has signed in.
pub async fn signed_in(server: &Server, role: Role, tenant: Option<&str>) -> Caller {
    user(&server.t, role, tenant).await;
    let body = json!({ "email": email(role, tenant), "password": PASSWORD, "bearer": true });
    let answer = answer(server.bare(Method::POST, "/auth/sign-in").json(&body)).await.expect(200);
    Caller::new(role.name(), answer["access_token"].as_str().unwrap())
}

pub fn given(name: &str, permissions: &[Permission]) -> Given {
    Given {
        name: name.into(),
        permissions: permissions.iter().copied().collect(),
        tenant: None,
        networks: Vec::new(),
        life: Duration::from_secs(3_600),
    }
}

pub async fn token(t: &TestStore, given: Given) -> (Caller, TokenId) {
    let tokens = Tokens::new(t.store.clone(), t.clock.clone());
    let name = given.name.clone();
    let Issued { token, secret } = tokens.create(given, Permissions::all(), &ada()).await.unwrap();
    (Caller::new(&name, secret.expose_secret()), token.id)
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
pub fn refused(answer: &Answer, status: u16, expected: &str) {
    assert_eq!((answer.status, code(answer).as_str()), (status, expected), "{answer:?}");
}
