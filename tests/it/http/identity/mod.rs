//! People who sign in over HTTP, as a browser does and as a program does.

mod account;
mod browser;
mod locked;
mod second_factor;
mod sessions;

use engine::identity::Users;
use engine::identity::users::Given;
use engine::seal::Keyring;
use jobkit::{Personal, SecretString};
use reqwest::header::COOKIE;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use store::Role;
use store::identities::UserRow;

use crate::support::http::{Answer, LIVES, Server, Setup, answer, passwords};
use crate::support::store::{TestStore, ada};

const EMAIL: &str = "Grace.Hopper@example.org";
const PASSWORD: &str = "a compiler for everybody, please";

/// In the time of the test.
fn setup(t: &TestStore) -> Setup {
    Setup {
        clock: t.clock.clone(),
        identity: true,
        keyring: {
            let mut keyring = Keyring::default();
            keyring.add("k1", &[9; 32]);
            keyring.with_current("k1")
        },
        ..Setup::default()
    }
}

async fn server(t: TestStore) -> Server {
    let setup = setup(&t);
    Server::with(t, setup).await
}

async fn user(t: &TestStore) -> UserRow {
    let users = Users::new(t.store.clone(), t.clock.clone(), passwords(), LIVES.idle);
    let given = Given {
        email: EMAIL.parse().unwrap(),
        name: Personal::new("Grace".into()),
        role: Role::Admin,
        tenant: None,
        password: SecretString::from(PASSWORD),
    };
    users.create(given, &ada()).await.unwrap()
}

fn credentials() -> Value {
    json!({ "email": EMAIL, "password": PASSWORD })
}

fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

async fn sign_in(server: &Server, body: &Value) -> Answer {
    answer(server.bare(Method::POST, "/auth/sign-in").json(body)).await
}

/// As a program: the tokens come in the answer.
#[derive(Debug, Clone)]
struct Tokens {
    access: String,
    refresh: String,
    session: String,
}

impl Tokens {
    fn of(body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{name}: {body}")).to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token"), session: text("session") }
    }

    async fn new(server: &Server) -> Self {
        Self::of(&sign_in(server, &with(credentials(), "bearer", true)).await.expect(200))
    }

    fn request(&self, server: &Server, method: Method, path: &str) -> RequestBuilder {
        server.bare(method, path).bearer_auth(&self.access)
    }

    async fn get(&self, server: &Server, path: &str) -> Answer {
        answer(self.request(server, Method::GET, path)).await
    }

    async fn post(&self, server: &Server, path: &str, body: &Value) -> Answer {
        answer(self.request(server, Method::POST, path).json(body)).await
    }

    async fn refresh(&self, server: &Server) -> Answer {
        refresh(server, &self.refresh).await
    }
}

async fn refresh(server: &Server, token: &str) -> Answer {
    let body = json!({ "refresh_token": token });
    answer(server.bare(Method::POST, "/auth/refresh").json(&body)).await
}

/// As a browser: cookies by name, and the attributes that each came with.
#[derive(Debug, Clone, Default)]
struct Jar(Vec<(String, String, String)>);

impl Jar {
    fn of(answer: &Answer) -> Self {
        let lines = answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap());
        let cookie = |line: &str| {
            let (pair, attributes) = line.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned(), attributes.to_owned())
        };
        Self(lines.map(cookie).collect())
    }

    fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(own, ..)| own == name).map_or("", |(_, value, _)| value)
    }

    fn attributes(&self, name: &str) -> &str {
        self.0.iter().find(|(own, ..)| own == name).map_or("", |(.., attributes)| attributes)
    }

    /// Shows them all, and nothing else.
    fn request(&self, server: &Server, method: Method, path: &str) -> RequestBuilder {
        let pairs: Vec<_> = self.0.iter().map(|(name, value, _)| format!("{name}={value}")).collect();
        server.bare(method, path).header(COOKIE, pairs.join("; "))
    }
}

fn code(answer: &Answer) -> String {
    answer.json()["code"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, expected: &str) {
    assert_eq!((answer.status, code(answer).as_str()), (status, expected), "{answer:?}");
}

/// What two callers hear alike, but for what is each one's own.
fn same_answer(one: &Answer, other: &Answer) {
    assert_eq!((one.status, &one.text), (other.status, &other.text));
    let names = |answer: &Answer| {
        let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(one), names(other));
}

/// Another process on the same database.
async fn second(server: &Server) -> Server {
    let t = server.t.second().await;
    let setup = setup(&t);
    Server::with(t, setup).await
}
