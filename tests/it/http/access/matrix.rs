//! Every route of the document, and what each sort of caller hears there. A route that is not in the table fails, and so does
//! one in the table that is not in the document.

use std::collections::BTreeSet;
use std::time::Duration;

use engine::identity::{Permission, Permissions};
use reqwest::Method;
use serde_json::Value;
use store::Role;
use store::tokens::TokenChange;

use super::{Caller, given, setup, signed_in, token};
use crate::support::http::Server;
use crate::support::store::{TestStore, ada, promises};

/// Who gets through to a route, and what it says then to a request that asks for nothing sensible.
enum Row {
    /// Everybody.
    Open(&'static str, u16),
    /// Whoever has a session, and hears this; without one, 401.
    Session(&'static str, u16),
    /// Whoever is known at all.
    Known(&'static str, u16),
    /// Whoever has the permission: this role and those above it.
    Asks(&'static str, &'static str, Role, u16),
}

use Role::{Admin, Member, Viewer};
use Row::{Asks, Known, Open, Session};

const TABLE: &[Row] = &[
    Open("GET /livez", 200),
    Open("GET /readyz", 200),
    Open("POST /v1/hooks/{name}", 404),
    Open("POST /v1/webhooks/{name}", 404),
    Open("POST /auth/sign-in", 415),
    Open("POST /auth/refresh", 415),
    Session("POST /auth/sign-out", 204),
    Session("GET /auth/me", 200),
    Session("GET /auth/sessions", 200),
    Session("DELETE /auth/sessions", 200),
    Session("DELETE /auth/sessions/{id}", 404),
    Session("POST /auth/password", 415),
    Session("POST /auth/totp", 415),
    Known("GET /openapi.json", 200),
    Asks("GET /v1/jobs", "jobs:read", Viewer, 200),
    Asks("POST /v1/jobs", "jobs:write", Member, 415),
    Asks("POST /v1/jobs/batch", "jobs:write", Member, 415),
    Asks("GET /v1/jobs/{id}", "jobs:read", Viewer, 404),
    Asks("GET /v1/jobs/{id}/wait", "jobs:read", Viewer, 404),
    Asks("POST /v1/jobs/{id}/retry", "jobs:control", Member, 404),
    Asks("POST /v1/jobs/{id}/cancel", "jobs:control", Member, 404),
    Asks("POST /v1/jobs/{id}/discard", "jobs:control", Member, 404),
    Asks("POST /v1/jobs/{id}/reviews", "reviews:write", Member, 415),
    Asks("GET /v1/jobs/{id}/reviews", "jobs:read", Viewer, 404),
    Asks("GET /v1/jobs/{id}/reviews/latest", "jobs:read", Viewer, 404),
    Asks("GET /v1/jobs/{id}/artifacts", "artifacts:read", Viewer, 404),
    Asks("GET /v1/jobs/{id}/artifacts/{claim}/{name}", "artifacts:read", Viewer, 404),
    Asks("GET /v1/uploads", "uploads:read", Viewer, 200),
    Asks("POST /v1/uploads", "uploads:write", Member, 415),
    Asks("POST /v1/uploads/presign", "uploads:write", Member, 415),
    Asks("POST /v1/uploads/{id}/complete", "uploads:write", Member, 404),
    Asks("GET /v1/uploads/{id}", "uploads:read", Viewer, 404),
    Asks("DELETE /v1/uploads/{id}", "uploads:write", Member, 404),
    Asks("POST /v1/bulk-operations", "jobs:control", Member, 415),
    Asks("GET /v1/bulk-operations/{id}", "jobs:read", Viewer, 404),
    Asks("POST /v1/bulk-operations/{id}/cancel", "jobs:control", Member, 404),
    Asks("GET /v1/events", "events:read", Viewer, 200),
    Asks("GET /v1/kinds", "kinds:read", Viewer, 200),
    Asks("GET /v1/queues", "queues:read", Viewer, 200),
    Asks("POST /v1/queues/{name}/pause", "queues:control", Admin, 415),
    Asks("POST /v1/queues/{name}/resume", "queues:control", Admin, 200),
    Asks("GET /v1/limits", "limits:read", Viewer, 200),
    Asks("GET /v1/limits/{name}", "limits:read", Viewer, 404),
    Asks("POST /v1/limits/{name}/pause", "limits:control", Admin, 415),
    Asks("POST /v1/limits/{name}/resume", "limits:control", Admin, 415),
    Asks("GET /v1/schedules", "schedules:read", Viewer, 200),
    Asks("GET /v1/schedules/{name}", "schedules:read", Viewer, 404),
    Asks("PUT /v1/schedules/{name}", "schedules:write", Admin, 415),
    Asks("DELETE /v1/schedules/{name}", "schedules:write", Admin, 404),
    Asks("POST /v1/schedules/{name}/pause", "schedules:control", Member, 415),
    Asks("POST /v1/schedules/{name}/resume", "schedules:control", Member, 404),
    Asks("POST /v1/schedules/{name}/run", "schedules:control", Member, 404),
    Asks("POST /v1/schedules/{name}/backfill", "schedules:control", Member, 415),
    Asks("POST /v1/schedule-previews", "schedules:read", Viewer, 415),
    Asks("POST /v1/schedule-simulations", "schedules:read", Viewer, 415),
    Asks("GET /v1/alerts", "alerts:read", Viewer, 200),
    Asks("GET /v1/alerts/{id}", "alerts:read", Viewer, 404),
    Asks("POST /v1/alerts/{id}/acknowledge", "alerts:control", Member, 404),
    Asks("POST /v1/alert-routes/{name}/test", "alerts:control", Member, 404),
    Asks("GET /v1/approvals", "approvals:read", Viewer, 200),
    Asks("GET /v1/approvals/{id}", "approvals:read", Viewer, 404),
    Asks("POST /v1/approvals/{id}/grant", "approvals:read", Viewer, 415),
    Asks("POST /v1/approvals/{id}/refuse", "approvals:read", Viewer, 415),
    Asks("POST /v1/approvals/{id}/withdraw", "approvals:read", Viewer, 415),
    Asks("GET /v1/models", "models:read", Viewer, 200),
    Asks("GET /v1/models/{id}", "models:read", Viewer, 404),
    Asks("POST /v1/models/{id}/promote", "models:promote", Admin, 404),
    Asks("GET /v1/records/{collection}", "records:read", Viewer, 200),
    Asks("GET /v1/records/{collection}/{key}", "records:read", Viewer, 404),
    Asks("GET /v1/workers", "workers:read", Viewer, 200),
    Asks("GET /v1/tokens", "tokens:manage", Admin, 200),
    Asks("POST /v1/tokens", "tokens:manage", Admin, 415),
    Asks("GET /v1/tokens/{id}", "tokens:manage", Admin, 404),
    Asks("DELETE /v1/tokens/{id}", "tokens:manage", Admin, 404),
    Asks("POST /v1/tokens/{id}/rotate", "tokens:manage", Admin, 415),
    Asks("GET /v1/users", "users:manage", Admin, 200),
    Asks("POST /v1/users", "users:manage", Admin, 415),
    Asks("GET /v1/users/{id}", "users:manage", Admin, 404),
    Asks("POST /v1/users/{id}/disable", "users:manage", Admin, 404),
    Asks("POST /v1/users/{id}/enable", "users:manage", Admin, 404),
    Asks("PUT /v1/users/{id}/role", "users:manage", Admin, 415),
    Asks("PUT /v1/users/{id}/password", "users:manage", Admin, 415),
    Asks("DELETE /v1/users/{id}/second-factor", "users:manage", Admin, 404),
    Asks("DELETE /v1/users/{id}/sessions", "users:manage", Admin, 404),
];

promises![every_route_lets_in_whom_it_is_for_and_nobody_else];

const ID: &str = "019c0a2e-5a5c-7cc1-b6c0-0123456789ab";

fn route(row: &Row) -> &'static str {
    match row {
        Open(route, _) | Session(route, _) | Known(route, _) | Asks(route, ..) => route,
    }
}

async fn status(server: &Server, caller: &Caller, route: &str) -> u16 {
    let (method, path) = route.split_once(' ').unwrap();
    let id = if path.starts_with("/v1/models") { "0123456789abcdef" } else { ID };
    let path = path.replace("{id}", id).replace("{name}", "nowhere").replace("{claim}", "1");
    let method: Method = method.parse().unwrap();
    // A stream does not end; what it says first is enough.
    caller.request(server, method, &path).send().await.unwrap().status().as_u16()
}

fn documented(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

struct People {
    nobody: Caller,
    api: Caller,
    expired: Caller,
    revoked: Caller,
    /// With a sum that is wrong, of a refresh token, of nothing at all.
    wrong: Vec<Caller>,
    roles: Vec<(Role, Caller)>,
    /// Of a tenant: a service that may all that those of tenants may, and an owner.
    tenants: [Caller; 2],
}

impl People {
    async fn new(server: &Server) -> Self {
        let t = &server.t;
        let all: Vec<_> = Permissions::all().of_services().iter().collect();
        let short = super::Given { life: Duration::from_secs(60), ..given("expired", &all) };
        let (expired, _) = token(t, short).await;
        let (revoked, id) = token(t, given("revoked", &all)).await;
        t.store.change_token(id, &TokenChange::Revoke, &ada()).await.unwrap();
        t.clock.advance(Duration::from_secs(60));
        let of_jobs: Vec<_> = all.iter().copied().filter(|one| !one.is_of_the_installation()).collect();
        let of_tenant = super::Given { tenant: Some("north".into()), ..given("tenant", &of_jobs) };
        let altered = revoked.bearer.clone().unwrap().replace("cpl_", "cplr_");
        let wrong = [TOKEN_THAT_IS_NONE, &altered, "x", "a.b.c", &"y".repeat(5_000)];
        let mut roles = Vec::new();
        for role in Role::ALL {
            roles.push((*role, signed_in(server, *role, None).await));
        }
        Self {
            nobody: Caller::nobody(),
            api: Caller::api(),
            expired,
            revoked,
            wrong: wrong.iter().map(|text| Caller::new(text, text)).collect(),
            roles,
            tenants: [token(t, of_tenant).await.0, signed_in(server, Role::Owner, Some("north")).await],
        }
    }
}

const TOKEN_THAT_IS_NONE: &str = "cpl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn rank(role: Role) -> usize {
    Role::ALL.len() - Role::ALL.iter().position(|one| *one == role).unwrap()
}

async fn every_route_lets_in_whom_it_is_for_and_nobody_else(t: TestStore) {
    let setup = setup(&t);
    let server = Server::with(t, setup).await;
    let document = Caller::api().get(&server, "/openapi.json").await.expect(200);
    let listed: BTreeSet<_> = TABLE.iter().map(|row| route(row).to_owned()).collect();
    assert_eq!(
        listed,
        documented(&document),
        "a route is in the table and not in the document, or the other way"
    );
    let people = People::new(&server).await;
    // With one permission, and with all others that a service may have.
    let mut services = Vec::new();
    for one in Permissions::all().of_services().iter() {
        let others: Vec<_> = Permissions::all().of_services().iter().filter(|other| *other != one).collect();
        let name = one.name().replace(':', "-");
        let (with, _) = token(&server.t, given(&name, &[one])).await;
        let (without, _) = token(&server.t, given(&format!("not-{name}"), &others)).await;
        services.push((one, with, without));
    }

    for row in TABLE {
        let route = route(row);
        let mut expected = vec![(&people.nobody, 401), (&people.expired, 401), (&people.revoked, 401)];
        expected.extend(people.wrong.iter().map(|caller| (caller, 401)));
        match row {
            Open(_, heard) => {
                expected.iter_mut().for_each(|(_, status)| *status = *heard);
                expected.push((&people.api, *heard));
            }
            Session(_, heard) => {
                expected.push((&people.api, 401));
                // Each request of these ends what the next would show.
                if *heard != 204 {
                    expected.extend(people.roles.iter().map(|(_, caller)| (caller, *heard)));
                }
            }
            Known(_, heard) => {
                expected.push((&people.api, *heard));
                expected.extend(people.roles.iter().map(|(_, caller)| (caller, *heard)));
                expected.extend(services.iter().map(|(_, with, _)| (with, *heard)));
                expected.extend(people.tenants.iter().map(|caller| (caller, *heard)));
            }
            Asks(_, permission, least, heard) => {
                let permission: Permission = permission.parse().unwrap();
                expected.push((&people.api, *heard));
                for (role, caller) in &people.roles {
                    expected.push((caller, if rank(*role) >= rank(*least) { *heard } else { 403 }));
                }
                for (one, with, without) in &services {
                    let has = *one == permission;
                    expected.push((with, if has { *heard } else { 403 }));
                    let others = !has && permission.is_for_services();
                    if has || others {
                        expected.push((without, if others { *heard } else { 403 }));
                    }
                }
                let for_tenants = !permission.is_of_the_installation();
                let [service, owner] = &people.tenants;
                expected.push((owner, if for_tenants { *heard } else { 403 }));
                expected
                    .push((service, if for_tenants && permission.is_for_services() { *heard } else { 403 }));
            }
        }
        for (caller, status_is) in expected {
            assert_eq!(status(&server, caller, route).await, status_is, "{route} by {}", caller.name);
        }
    }
}

/// The reference says of each permission which routes ask for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_has_every_route_at_its_permission() {
    let page = include_str!("../../../../docs/reference/access.md");
    for permission in Permission::ALL {
        let asked: Vec<_> = TABLE
            .iter()
            .filter_map(|row| match row {
                Asks(route, asked, ..) if *asked == permission.name() => Some(format!("`{route}`")),
                _ => None,
            })
            .collect();
        let line = format!("| `{permission}` | {} |", asked.join(", "));
        assert!(page.lines().any(|own| own == line), "docs/reference/access.md is to have\n{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_permission_and_is_not_heard_by_strangers() {
    let t = TestStore::sqlite().await;
    let setup = setup(&t);
    let server = Server::with(t, setup).await;
    let (caller, _) = token(&server.t, given("reader", &[Permission::JobsRead])).await;

    let answer = caller.get(&server, "/v1/queues").await;
    super::refused(&answer, 403, "forbidden");
    assert!(answer.json()["detail"].as_str().unwrap().contains("queues:read"), "{answer:?}");
    let answer = Caller::nobody().get(&server, "/v1/queues").await;
    super::refused(&answer, 401, "unauthorized");
    assert!(!answer.text.contains("queues:read"), "{answer:?}");
    let wrong_method = super::answer(caller.request(&server, Method::DELETE, "/v1/queues")).await;
    super::refused(&wrong_method, 405, "method_not_allowed");
    assert_eq!(wrong_method.header("allow"), "GET,HEAD");
}
