//! Approvals over HTTP: asked for by the refusal, given by others, sent with the same request, used once.

use engine::approvals::rules::{Rule, Rules};
use engine::identity::Permission;
use engine::seal::Keyring;
use jobkit::JobId;
use reqwest::Method;
use serde_json::{Value, json};
use store::Role;
use store::state::JobState;

use super::access::{Caller, given, refused, setup, signed_in, token, user};
use crate::support::http::{Answer, Server, Setup, answer};
use crate::support::store::{TestStore, promises, seconds};

promises![
    what_is_approved_is_done_once_and_nothing_else_by_it,
    it_is_given_by_others_who_may_and_have_seen_it,
    a_job_shows_what_it_waits_for_and_goes_on,
    sealed_arguments_are_opened_for_whoever_may_read_jobs,
    a_bulk_operation_waits_with_the_jobs_that_were_settled,
    a_request_under_its_key_is_answered_as_it_was,
    a_role_is_given_as_it_was_approved,
    nobody_gives_what_is_his_own_by_a_detour,
];

fn rule(people: u8, kinds: &[&str]) -> Rule {
    Rule { people, kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(), ..Rule::default() }
}

async fn server(t: TestStore, rules: &[(&str, Rule)]) -> Server {
    let approvals = Rules(rules.iter().map(|(name, rule)| ((*name).to_owned(), rule.clone())).collect());
    let mut keyring = Keyring::default();
    keyring.add("k1", &[9; 32]);
    let setup = Setup { approvals, keyring: keyring.with_current("k1"), ..setup(&t) };
    Server::with(t, setup).await
}

async fn send(
    server: &Server,
    caller: &Caller,
    request: &str,
    body: &Value,
    approval: Option<&str>,
) -> Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let mut request = caller.request(server, method.parse::<Method>().unwrap(), path);
    if let Some(approval) = approval {
        request = request.header("Approval", approval);
    }
    answer(if body.is_null() { request } else { request.json(body) }).await
}

/// The approval that the refusal names.
#[track_caller]
fn asked(answer: &Answer) -> String {
    refused(answer, 409, "approval_required");
    answer.json()["approval"].as_str().unwrap().to_owned()
}

async fn grant(server: &Server, caller: &Caller, approval: &str) -> Answer {
    let shown = caller.get(server, &format!("/v1/approvals/{approval}")).await.expect(200);
    caller
        .post(server, &format!("/v1/approvals/{approval}/grant"), &json!({ "sha256": shown["sha256"] }))
        .await
}

const CANCEL: &str = "jobs.cancel";

async fn cancel(server: &Server, by: &Caller, job: JobId, approval: Option<&str>) -> Answer {
    send(server, by, &format!("POST /v1/jobs/{job}/cancel"), &Value::Null, approval).await
}

async fn what_is_approved_is_done_once_and_nothing_else_by_it(t: TestStore) {
    let server = server(t, &[(CANCEL, rule(1, &[])), ("jobs.discard", rule(1, &[]))]).await;
    let t = &server.t;
    let (member, admin) =
        (signed_in(&server, Role::Member, None).await, signed_in(&server, Role::Admin, None).await);
    let [one, other] = [t.add(|_| {}).await, t.add(|_| {}).await];
    let id = asked(&cancel(&server, &member, one, None).await);
    assert_eq!(asked(&cancel(&server, &member, one, None).await), id, "the same is asked once");
    refused(&cancel(&server, &member, one, Some(&id)).await, 409, "approval_unusable");
    grant(&server, &admin, &id).await.expect(200);

    for (what, answer) in [
        ("another job", cancel(&server, &member, other, Some(&id)).await),
        ("another person", cancel(&server, &admin, one, Some(&id)).await),
        (
            "another action",
            send(&server, &member, &format!("POST /v1/jobs/{one}/discard"), &Value::Null, Some(&id)).await,
        ),
    ] {
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("approval_unusable")), "{what}");
    }
    assert_eq!(t.states(&[one, other]).await, [JobState::Available; 2]);
    cancel(&server, &member, one, Some(&id)).await.expect(200);
    assert_eq!(t.states(&[one, other]).await, [JobState::Cancelled, JobState::Available]);

    let shown = admin.get(&server, &format!("/v1/approvals/{id}")).await.expect(200);
    assert_eq!((&shown["state"], &shown["what"]["jobs"]), (&json!("used"), &json!([one])));
    refused(&cancel(&server, &member, one, Some(&id)).await, 409, "wrong_state");
    // It can take the change again, and the approval is used.
    t.change(one, store::Change::Retry).await;
    refused(&cancel(&server, &member, one, Some(&id)).await, 409, "approval_unusable");
    assert_eq!(t.state(one).await, JobState::Available);
    refused(&cancel(&server, &member, one, Some("7")).await, 400, "invalid_header");
    let never = "019c0a2e-5a5c-7cc1-b6c0-0123456789ab";
    refused(&cancel(&server, &member, one, Some(never)).await, 404, "not_found");
}

async fn it_is_given_by_others_who_may_and_have_seen_it(t: TestStore) {
    let server = server(t, &[(CANCEL, rule(2, &[]))]).await;
    let t = &server.t;
    let [viewer, member, admin, owner] = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];
    let viewer = signed_in(&server, viewer, None).await;
    let member = signed_in(&server, member, None).await;
    let admin = signed_in(&server, admin, None).await;
    let owner = signed_in(&server, owner, None).await;
    let foreign = signed_in(&server, Role::Admin, Some("north")).await;
    let (service, _) = token(t, given("ci", &[Permission::ApprovalsRead, Permission::JobsControl])).await;
    let job = t.add(|_| {}).await;
    let id = asked(&cancel(&server, &admin, job, None).await);
    let at = format!("/v1/approvals/{id}");

    refused(&grant(&server, &admin, &id).await, 403, "vote_refused");
    refused(&grant(&server, &viewer, &id).await, 403, "forbidden");
    refused(&grant(&server, &member, &id).await, 403, "forbidden");
    refused(&grant(&server, &service, &id).await, 403, "forbidden");
    refused(&grant(&server, &Caller::api(), &id).await, 403, "vote_refused");
    refused(&foreign.get(&server, &at).await, 404, "not_found");
    let blind = json!({ "sha256": "00".repeat(32) });
    refused(&foreign.post(&server, &format!("{at}/grant"), &blind).await, 404, "not_found");
    refused(&owner.post(&server, &format!("{at}/grant"), &blind).await, 409, "hash_differs");
    assert_eq!(grant(&server, &owner, &id).await.expect(200)["state"], "pending");
    refused(&grant(&server, &owner, &id).await, 403, "vote_refused");
    // The same person under a second session.
    let body =
        json!({ "email": "owner-all@example.org", "password": super::access::PASSWORD, "bearer": true });
    let again = answer(server.bare(Method::POST, "/auth/sign-in").json(&body)).await.expect(200);
    let again = Caller::new("owner again", again["access_token"].as_str().unwrap());
    refused(&grant(&server, &again, &id).await, 403, "vote_refused");

    let why = json!({ "reason": "another day" });
    refused(&member.post(&server, &format!("{at}/withdraw"), &why).await, 403, "vote_refused");
    assert_eq!(admin.post(&server, &format!("{at}/withdraw"), &why).await.expect(200)["state"], "withdrawn");
    refused(&cancel(&server, &admin, job, Some(&id)).await, 409, "approval_unusable");
    let late = asked(&cancel(&server, &admin, job, None).await);
    t.clock.advance(seconds(3 * 86_400));
    let owner = {
        let again = answer(server.bare(Method::POST, "/auth/sign-in").json(&body)).await.expect(200);
        Caller::new("owner", again["access_token"].as_str().unwrap())
    };
    refused(&grant(&server, &owner, &late).await, 409, "approval_over");
    assert_eq!(t.state(job).await, JobState::Available);
}

async fn a_job_shows_what_it_waits_for_and_goes_on(t: TestStore) {
    let server = server(t, &[("jobs.run", rule(1, &["system.noop"]))]).await;
    let member = signed_in(&server, Role::Member, None).await;
    let admin = signed_in(&server, Role::Admin, None).await;
    let job = json!({ "kind": "system.noop", "delay": "1h" });
    let made = member.post(&server, "/v1/jobs", &job).await.expect(202);
    let id: JobId = made["id"].as_str().unwrap().parse().unwrap();
    let at = format!("/v1/jobs/{id}");
    let shown = member.get(&server, &at).await.expect(200);
    assert_eq!((&shown["state"], &shown["waits_for"]), (&json!("waiting"), &json!([])));
    let listed = admin.get(&server, "/v1/approvals?state=pending&action=jobs.run").await.expect(200);
    assert_eq!(listed["approvals"][0]["id"], shown["approval"]);
    assert_eq!(listed["approvals"][0]["job"], made["id"]);

    let given = grant(&server, &admin, shown["approval"].as_str().unwrap()).await.expect(200);

    assert_eq!(given["state"], "used");
    assert_eq!(member.get(&server, &at).await.expect(200)["state"], "scheduled");
    let other =
        member.post(&server, "/v1/jobs", &json!({ "kind": "system.sleep", "args": { "ms": 1 } })).await;
    let other = other.expect(202);
    let other = member.get(&server, &format!("/v1/jobs/{}", other["id"].as_str().unwrap())).await.expect(200);
    assert_eq!((&other["state"], &other["approval"]), (&json!("available"), &Value::Null));
}

async fn sealed_arguments_are_opened_for_whoever_may_read_jobs(t: TestStore) {
    let server = server(t, &[("jobs.run", rule(1, &["test.sealed"]))]).await;
    let admin = signed_in(&server, Role::Admin, None).await;
    let (service, _) = token(&server.t, given("ci", &[Permission::ApprovalsRead])).await;
    let job = json!({ "kind": "test.sealed", "args": { "secret": "a planted secret" } });
    let made = admin.post(&server, "/v1/jobs", &job).await;
    let made = made.expect(202);
    let shown = admin.get(&server, &format!("/v1/jobs/{}", made["id"].as_str().unwrap())).await.expect(200);
    let at = format!("/v1/approvals/{}", shown["approval"].as_str().unwrap());

    let opened = admin.get(&server, &at).await.expect(200);
    let closed = service.get(&server, &at).await;

    assert_eq!(opened["args"], json!({ "secret": "a planted secret" }));
    assert!(!opened["bytes"].as_str().unwrap().contains("planted"), "{opened}");
    assert!(closed.status == 200 && !closed.text.contains("planted"), "{closed:?}");
}

async fn a_bulk_operation_waits_with_the_jobs_that_were_settled(t: TestStore) {
    let server = server(t, &[(CANCEL, rule(1, &["test.kind"]))]).await;
    let t = &server.t;
    let (member, admin) =
        (signed_in(&server, Role::Member, None).await, signed_in(&server, Role::Admin, None).await);
    let meant = [t.add(|_| {}).await, t.add(|_| {}).await];
    t.clock.advance(seconds(1));
    let bulk = json!({ "action": "cancel", "filter": { "kinds": ["test.kind"] } });
    let begun = member.post(&server, "/v1/bulk-operations", &bulk).await.expect(202);
    let at = begun["href"].as_str().unwrap().to_owned();
    t.add(|_| {}).await;

    let shown = member.get(&server, &at).await.expect(200);
    assert_eq!(shown["state"], "waiting");
    let ids: std::collections::BTreeSet<JobId> =
        serde_json::from_value(shown["filter"]["ids"].clone()).unwrap();
    assert_eq!(ids, meant.into());
    assert_eq!(shown["filter"]["kinds"], json!([]));
    refused(&grant(&server, &member, shown["approval"].as_str().unwrap()).await, 403, "forbidden");
    grant(&server, &admin, shown["approval"].as_str().unwrap()).await.expect(200);
    assert_eq!(member.get(&server, &at).await.expect(200)["state"], "available");

    server.t.add(|row| row.kind = "system.noop".into()).await;
    server.t.clock.advance(seconds(1));
    let none = json!({ "action": "cancel", "filter": { "kinds": ["system.noop"] } });
    let free = member.post(&server, "/v1/bulk-operations", &none).await.expect(202);
    let free = member.get(&server, free["href"].as_str().unwrap()).await.expect(200);
    assert_eq!((&free["state"], &free["approval"]), (&json!("available"), &Value::Null), "of no such kind");
    let nothing = json!({ "action": "cancel", "filter": { "kinds": ["system.sleep"] } });
    refused(&member.post(&server, "/v1/bulk-operations", &nothing).await, 409, "refused");
}

async fn a_request_under_its_key_is_answered_as_it_was(t: TestStore) {
    let server = server(t, &[(CANCEL, rule(1, &[]))]).await;
    let (member, admin) =
        (signed_in(&server, Role::Member, None).await, signed_in(&server, Role::Admin, None).await);
    let job = server.t.add(|_| {}).await;
    let id = asked(&cancel(&server, &member, job, None).await);
    grant(&server, &admin, &id).await.expect(200);
    let send = async || {
        let request = member.request(&server, Method::POST, &format!("/v1/jobs/{job}/cancel"));
        answer(request.header("Approval", &id).header("Idempotency-Key", "k")).await
    };

    let first = send().await.expect(200);
    let again = send().await;

    assert_eq!(again.header("Idempotent-Replayed"), "true", "{again:?}");
    assert_eq!(again.expect(200), first);
}

async fn a_role_is_given_as_it_was_approved(t: TestStore) {
    let server = server(t, &[("users.set_role", rule(1, &[]))]).await;
    let (admin, owner) =
        (signed_in(&server, Role::Admin, None).await, signed_in(&server, Role::Owner, None).await);
    let viewer = user(&server.t, Role::Viewer, None).await;
    let put = format!("PUT /v1/users/{}/role", viewer.id);
    let member = json!({ "role": "member" });
    let id = asked(&send(&server, &admin, &put, &member, None).await);
    grant(&server, &owner, &id).await.expect(200);
    let raised = send(&server, &admin, &put, &json!({ "role": "admin" }), Some(&id)).await;
    refused(&raised, 409, "approval_unusable");

    send(&server, &admin, &put, &member, Some(&id)).await.expect(200);

    let now = admin.get(&server, &format!("/v1/users/{}", viewer.id)).await.expect(200);
    assert_eq!(now["role"], "member");
    let entries = server.t.everything_audited().await;
    let used: Vec<_> = entries.iter().filter(|entry| entry.action == "approval.use").collect();
    let [used] = used[..] else { panic!("{used:?}") };
    let changed = entries.iter().find(|entry| entry.action == "user.role_changed").unwrap();
    assert_eq!((&used.actor, &used.origin), (&changed.actor, &changed.origin), "one request tells both");
}

async fn nobody_gives_what_is_his_own_by_a_detour(t: TestStore) {
    let server = server(t, &[(CANCEL, rule(1, &[])), ("users.reset_password", rule(1, &[]))]).await;
    let (admin, owner) =
        (signed_in(&server, Role::Admin, None).await, signed_in(&server, Role::Owner, None).await);
    let job = server.t.add(|_| {}).await;
    let puppet = json!({ "name": "puppet", "permissions": ["jobs:read", "jobs:control"] });
    let puppet = admin.post(&server, "/v1/tokens", &puppet).await.expect(201);
    let puppet = Caller::new("puppet", puppet["secret"].as_str().unwrap());

    // By a token that he has made.
    let id = asked(&cancel(&server, &puppet, job, None).await);
    refused(&grant(&server, &admin, &id).await, 403, "vote_refused");
    grant(&server, &owner, &id).await.expect(200);
    cancel(&server, &puppet, job, Some(&id)).await.expect(200);

    // As somebody whose password he knows; and what is about himself he does not give either.
    let me = admin.get(&server, "/auth/me").await.expect(200);
    let put = format!("PUT /v1/users/{}/password", me["id"].as_str().unwrap());
    let password = json!({ "password": "another one that nobody guesses" });
    let id = asked(&send(&server, &owner, &put, &password, None).await);
    refused(&grant(&server, &admin, &id).await, 403, "vote_refused");
    admin.get(&server, "/auth/me").await.expect(200);
}
