//! Every route that takes the name of a thing, asked by a tenant for a thing of its own, of another tenant's and of nobody's.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use jobkit::{JobId, Owner, RecordChange, RecordFilter, RecordId, UploadId};
use reqwest::Method;
use serde_json::{Value, json};
use store::schedules::{PutSchedule, Source};
use store::state::JobState;
use store::{
    Actor, ApprovalFilter, ApprovalId, Attempting, Demand, End, JobFilter, NewApproval, NewUpload, Quota,
    Received, RecordPage, Report, Reservation, Role, Scope, WorkerInfo,
};

use super::{Caller, setup, signed_in};
use crate::support::http::{Answer, Server, answer};
use crate::support::store::{ALL, TestStore, attempting, promises};

promises![
    every_route_that_names_a_thing_is_asked_for_foreign_ones,
    another_tenants_thing_is_answered_as_what_never_was,
    what_comes_in_is_the_callers_own_or_names_the_field,
    a_name_that_is_taken_is_all_that_is_told,
    two_tenants_with_one_unique_key_have_a_job_each,
    a_bulk_operation_means_the_tenants_jobs,
    a_stream_tells_a_tenant_of_its_own_jobs_alone,
];

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Live,
    Done,
    Bulk,
    Schedule,
    Upload,
    Approval,
    Record,
    /// Of the installation: whether a tenant may is decided before, by the permission that the route asks for.
    Installation,
    /// Whoever calls is known by something else than a principal: a session, or a signature.
    Other,
}

/// A route that names a thing fails this test until it is here.
const ROUTES: &[(&str, &str, Of, &str)] = &[
    ("get", "/v1/jobs/{id}", Of::Live, ""),
    ("get", "/v1/jobs/{id}/wait?timeout=0s", Of::Live, ""),
    ("post", "/v1/jobs/{id}/retry", Of::Live, ""),
    ("post", "/v1/jobs/{id}/discard", Of::Live, ""),
    ("post", "/v1/jobs/{id}/cancel", Of::Live, ""),
    ("post", "/v1/jobs/{id}/reviews", Of::Done, r#"{"items": [{"item": "a", "decision": "cleared"}]}"#),
    ("get", "/v1/jobs/{id}/reviews", Of::Done, ""),
    ("get", "/v1/jobs/{id}/reviews/latest", Of::Done, ""),
    ("get", "/v1/jobs/{id}/artifacts", Of::Done, ""),
    ("get", "/v1/jobs/{id}/artifacts/{claim}/{name}", Of::Done, ""),
    ("get", "/v1/uploads/{id}", Of::Upload, ""),
    ("post", "/v1/uploads/{id}/complete", Of::Upload, ""),
    ("delete", "/v1/uploads/{id}", Of::Upload, ""),
    ("get", "/v1/bulk-operations/{id}", Of::Bulk, ""),
    ("post", "/v1/bulk-operations/{id}/cancel", Of::Bulk, ""),
    ("get", "/v1/approvals/{id}", Of::Approval, ""),
    ("post", "/v1/approvals/{id}/grant", Of::Approval, r#"{"sha256": "00"}"#),
    ("post", "/v1/approvals/{id}/refuse", Of::Approval, r#"{"reason": "r"}"#),
    ("post", "/v1/approvals/{id}/withdraw", Of::Approval, r#"{"reason": "r"}"#),
    ("get", "/v1/records/{collection}/{key}", Of::Record, ""),
    // A list of the caller's own: `a_tenant_is_shown_its_own`.
    ("get", "/v1/records/{collection}", Of::Other, ""),
    ("get", "/v1/schedules/{name}", Of::Schedule, ""),
    ("post", "/v1/schedules/{name}/pause", Of::Schedule, r#"{"reason": "r"}"#),
    ("post", "/v1/schedules/{name}/resume", Of::Schedule, ""),
    ("post", "/v1/schedules/{name}/run", Of::Schedule, ""),
    (
        "post",
        "/v1/schedules/{name}/backfill",
        Of::Schedule,
        r#"{"from": "1970-01-01T00:00:00Z", "until": "1970-01-01T00:00:01Z"}"#,
    ),
    ("delete", "/v1/schedules/{name}", Of::Schedule, ""),
    // A name that is taken cannot be made: `a_name_that_is_taken_is_all_that_is_told`.
    ("put", "/v1/schedules/{name}", Of::Other, ""),
    ("post", "/v1/queues/{name}/pause", Of::Installation, ""),
    ("post", "/v1/queues/{name}/resume", Of::Installation, ""),
    ("get", "/v1/limits/{name}", Of::Installation, ""),
    ("post", "/v1/limits/{name}/pause", Of::Installation, ""),
    ("post", "/v1/limits/{name}/resume", Of::Installation, ""),
    ("get", "/v1/alerts/{id}", Of::Installation, ""),
    ("post", "/v1/alerts/{id}/acknowledge", Of::Installation, ""),
    ("post", "/v1/alert-routes/{name}/test", Of::Installation, ""),
    ("get", "/v1/models/{id}", Of::Installation, ""),
    ("post", "/v1/models/{id}/promote", Of::Installation, ""),
    ("get", "/v1/tokens/{id}", Of::Installation, ""),
    ("delete", "/v1/tokens/{id}", Of::Installation, ""),
    ("post", "/v1/tokens/{id}/rotate", Of::Installation, ""),
    ("get", "/v1/users/{id}", Of::Installation, ""),
    ("post", "/v1/users/{id}/disable", Of::Installation, ""),
    ("post", "/v1/users/{id}/enable", Of::Installation, ""),
    ("put", "/v1/users/{id}/role", Of::Installation, ""),
    ("put", "/v1/users/{id}/password", Of::Installation, ""),
    ("delete", "/v1/users/{id}/second-factor", Of::Installation, ""),
    ("delete", "/v1/users/{id}/sessions", Of::Installation, ""),
    ("post", "/v1/hooks/{name}", Of::Other, ""),
    ("post", "/v1/webhooks/{name}", Of::Other, ""),
    ("delete", "/auth/sessions/{id}", Of::Other, ""),
];

fn without_query(path: &str) -> &str {
    path.split_once('?').map_or(path, |(path, _)| path)
}

async fn every_route_that_names_a_thing_is_asked_for_foreign_ones(t: TestStore) {
    let document = Server::over(t).await.get("/openapi.json").await.expect(200);
    let mut named = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|_| path.contains('{')) {
            named.insert((method.clone(), path.clone()));
        }
    }
    let known =
        ROUTES.iter().map(|(method, path, ..)| ((*method).to_owned(), without_query(path).to_owned()));
    assert_eq!(known.collect::<BTreeSet<_>>(), named);
}

/// Two tenants, and the owner of each.
struct World {
    server: Server,
    north: Caller,
    south: Caller,
}

/// Names of things.
struct Things {
    live: JobId,
    done: JobId,
    bulk: JobId,
    schedule: String,
    upload: String,
    approval: ApprovalId,
    record: String,
}

impl Things {
    fn name(&self, of: Of) -> String {
        match of {
            Of::Live => self.live.to_string(),
            Of::Done => self.done.to_string(),
            Of::Bulk => self.bulk.to_string(),
            Of::Upload => self.upload.clone(),
            Of::Approval => self.approval.to_string(),
            Of::Record => self.record.clone(),
            _ => self.schedule.clone(),
        }
    }
}

fn id(told: &Value) -> JobId {
    told["id"].as_str().unwrap().parse().unwrap()
}

impl World {
    async fn new(t: TestStore) -> Self {
        let setup = setup(&t);
        let server = Server::with(t, setup).await;
        let north = signed_in(&server, Role::Owner, Some("north")).await;
        let south = signed_in(&server, Role::Owner, Some("south")).await;
        Self { server, north, south }
    }

    /// As the owner of this tenant.
    async fn ask(&self, tenant: &str, method: &str, path: &str, body: &str) -> Answer {
        let caller = if tenant == "north" { &self.north } else { &self.south };
        let method: Method = method.to_uppercase().parse().unwrap();
        // The one thing that answers never have in common otherwise.
        let mut request = caller.request(&self.server, method, path).header("x-request-id", "asked");
        if !body.is_empty() {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        answer(request).await
    }

    async fn enqueue(&self, tenant: &str, queue: &str) -> JobId {
        let job = json!({ "kind": "system.noop", "queue": queue }).to_string();
        id(&self.ask(tenant, "post", "/v1/jobs", &job).await.expect(202))
    }

    async fn things(&self, tenant: &str) -> Things {
        let done = self.enqueue(tenant, "done").await;
        let info = WorkerInfo {
            name: "here".into(),
            version: "1".into(),
            lease: Duration::from_secs(30),
            queues: vec!["done".into()],
        };
        let store = &self.server.t.store;
        let worker = store.register(&info).await.unwrap();
        for claimed in store.claim(worker, "done", 100).await.unwrap() {
            let (held, attempt) = (claimed.held(), claimed.attempt);
            if claimed.id == done {
                self.record(tenant, &attempting(&claimed)).await;
            }
            let end = End::Completed { result: None };
            let report = Report { held, attempt, end, ran: Duration::ZERO, log: Vec::new() };
            store.finish(worker, &[report]).await.unwrap();
        }
        let owner = Owner { job: done, claim: 1 };
        self.server.artifacts.put(owner, "file", tenant.as_bytes().to_vec()).await.unwrap();
        let bulk = r#"{"action": "cancel", "filter": {"kinds": ["none"]}}"#;
        let bulk = id(&self.ask(tenant, "post", "/v1/bulk-operations", bulk).await.expect(202));
        let live = self.enqueue(tenant, "live").await;
        let schedule = format!("s-{live}");
        self.put(tenant, &schedule, None).await.expect(200);
        let upload = self.upload(tenant).await;
        let approval = self.approval(tenant).await;
        Things { live, done, bulk, schedule, upload, approval, record: format!("of {done}") }
    }

    async fn record(&self, tenant: &str, attempt: &Attempting) {
        let change = RecordChange {
            id: RecordId {
                collection: "post.letter".into(),
                tenant: Some(tenant.into()),
                key: format!("of {}", attempt.held.job),
            },
            from: 0,
            names: Vec::new(),
            state: "written".into(),
            due_at: None,
            body: Value::Null,
            action: "post.letter.written".into(),
            details: Value::Null,
            news: Vec::new(),
            hold: jobkit::Hold::Kept,
        };
        self.server.t.store.record_put(attempt, &change).await.unwrap();
    }

    async fn approval(&self, tenant: &str) -> ApprovalId {
        let asked = NewApproval {
            id: ApprovalId(uuid::Uuid::new_v4()),
            action: "models.promote".into(),
            what: r#"{"of": "it"}"#.into(),
            salt: [0; 16],
            tenant: Some(tenant.into()),
            demand: Demand {
                people: 2,
                permission: "approvals:give".into(),
                expires: Duration::from_secs(60),
            },
        };
        self.server.t.store.ask(&asked, &Actor::new("user:else")).await.unwrap().id
    }

    async fn upload(&self, tenant: &str) -> String {
        let id = UploadId(uuid::Uuid::new_v4());
        let (by, life) = (Actor::system(), Duration::from_secs(60));
        let new = NewUpload {
            id,
            tenant: Some(tenant.into()),
            created_by: by.name.clone(),
            name: None,
            bytes: 1,
            patience: life,
            entry: None,
        };
        let (store, quota) = (&self.server.t.store, Quota { bytes: 1 << 30, count: 1_000 });
        assert_eq!(store.reserve_upload(&new, &quota).await.unwrap(), Reservation::Taken);
        let received =
            Received { bytes: 1, sha256: [7; 32], format: "text".into(), is_scanned: false, keep: life };
        store.upload_received(id, &received, &by).await.unwrap().unwrap();
        id.to_string()
    }

    async fn put(&self, asker: &str, name: &str, tenant: Option<&str>) -> Answer {
        let definition = json!({ "kind": "system.noop", "every": "1h", "tenant": tenant });
        self.ask(asker, "put", &format!("/v1/schedules/{name}"), &definition.to_string()).await
    }

    async fn everything_of(&self, tenant: &str) -> String {
        let (store, scope) = (&self.server.t.store, Scope::Tenant(tenant.into()));
        let jobs = store.jobs(&scope, &JobFilter::default()).await.unwrap();
        let uploads = store.uploads(&scope, None, 100).await.unwrap();
        let filter = ApprovalFilter { limit: 100, ..ApprovalFilter::default() };
        let approvals = store.approvals(&scope, &filter).await.unwrap();
        let filter = RecordFilter { collection: "post.letter".into(), ..RecordFilter::default() };
        let records = store.records(&scope, &RecordPage::of(&filter)).await.unwrap();
        format!("{jobs:?} {:?} {uploads:?} {approvals:?} {records:?}", store.schedules(&scope).await.unwrap())
    }
}

async fn another_tenants_thing_is_answered_as_what_never_was(t: TestStore) {
    let world = World::new(t).await;
    for (method, path, of, body) in ROUTES {
        if matches!(of, Of::Installation | Of::Other) {
            continue;
        }
        let (own, foreign) = (world.things("north").await, world.things("south").await);
        let never = Things {
            live: JobId(uuid::Uuid::new_v4()),
            done: JobId(uuid::Uuid::new_v4()),
            bulk: JobId(uuid::Uuid::new_v4()),
            schedule: "never".into(),
            upload: uuid::Uuid::new_v4().to_string(),
            approval: ApprovalId(uuid::Uuid::new_v4()),
            record: "never".into(),
        };
        let ask = async |things: &Things| {
            let name = things.name(*of);
            let path = path.replacen("{id}", &name, 1).replace("{claim}", "1");
            let path = path.replace("{collection}", "post.letter").replace("{key}", &name);
            let path = match *of {
                Of::Schedule => path.replace("{name}", &name),
                _ => path.replace("{name}", "file"),
            };
            let answer = world.ask("north", method, &path, body).await;
            (answer.status, answer.text.replace(&name, "IT"))
        };
        let before = world.everything_of("south").await;

        let unknown = ask(&never).await;

        assert_eq!(unknown.0, 404, "{method} {path}: {unknown:?}");
        assert_eq!(ask(&foreign).await, unknown, "{method} {path}");
        assert_eq!(world.everything_of("south").await, before, "{method} {path}");
        let own = ask(&own).await;
        assert!(own.0 < 300 || own.0 == 409, "{method} {path}: {own:?}");
    }
}

async fn what_comes_in_is_the_callers_own_or_names_the_field(t: TestStore) {
    let world = World::new(t).await;
    let foreign = world.things("south").await;
    for (body, status, pointer) in [
        (json!({ "kind": "system.noop", "tenant": "north" }), 202, ""),
        (json!({ "kind": "system.noop", "tenant": "south" }), 422, "/tenant"),
        (
            json!({ "kind": "system.noop", "on_success": [{ "kind": "system.noop", "tenant": "south" }] }),
            422,
            "/on_success/0/tenant",
        ),
        (json!({ "kind": "system.noop", "after": [foreign.live] }), 409, "/after/0"),
    ] {
        let told = world.ask("north", "post", "/v1/jobs", &body.to_string()).await.expect(status);
        if !pointer.is_empty() {
            assert_eq!(told["errors"][0]["field"], pointer, "{told}");
        }
    }
    let listed = world.ask("north", "get", "/v1/jobs", "").await.expect(200);
    assert!(listed["jobs"].as_array().unwrap().iter().all(|job| job["tenant"] == "north"), "{listed}");
}

/// The names of schedules are one set, so that one is taken has to be told, and nothing else is.
async fn a_name_that_is_taken_is_all_that_is_told(t: TestStore) {
    let world = World::new(t).await;
    let foreign = world.things("south").await;
    let row = PutSchedule {
        name: "nobodys".into(),
        source: Source::Config,
        definition: json!({ "definition": { "kind": "system.noop" } }).to_string(),
        digest: "d".into(),
        enabled: true,
        next_fire: None,
        revision: None,
    };
    assert!(world.server.t.store.put_schedule(ALL, &row, &Actor::system()).await.unwrap());
    let before = world.everything_of("south").await;

    let answers =
        [world.put("north", &foreign.schedule, None).await, world.put("north", "nobodys", None).await];

    for (Answer { status, text: told, .. }, name) in answers.iter().zip([&foreign.schedule, "nobodys"]) {
        assert_eq!(*status, 409, "{told}");
        assert_eq!(told.replace(name, "IT"), answers[0].text.replace(&foreign.schedule, "IT"));
        assert!(!told.contains("south\"") && !told.contains("onfiguration"), "{told}");
    }
    assert_eq!(world.everything_of("south").await, before);
    let told = world.put("north", "mine", Some("south")).await.expect(422);
    assert_eq!(told["errors"][0]["field"], "/tenant", "{told}");
}

async fn two_tenants_with_one_unique_key_have_a_job_each(t: TestStore) {
    let world = World::new(t).await;
    let body = r#"{"kind": "system.noop", "unique_key": "invoice-7"}"#;
    let mut made = Vec::new();
    for tenant in ["north", "south", "north"] {
        let answer = world.ask(tenant, "post", "/v1/jobs", body).await;
        assert!([200, 202].contains(&answer.status), "{answer:?}");
        made.push(id(&answer.json()));
    }
    assert_eq!(made[0], made[2]);
    assert_ne!(made[0], made[1]);
}

/// A bulk operation is its tenant's, and so is what it touches.
async fn a_bulk_operation_means_the_tenants_jobs(t: TestStore) {
    let world = World::new(t).await;
    let (own, foreign) = (world.things("north").await, world.things("south").await);
    // What comes in at this moment is not meant.
    world.server.t.clock.advance(Duration::from_secs(1));
    let body = r#"{"action": "cancel", "dry_run": true, "filter": {"kinds": ["system.noop"]}}"#;

    let told = world.ask("north", "post", "/v1/bulk-operations", body).await.expect(200).to_string();

    assert!(told.contains(&own.live.to_string()) && !told.contains(&foreign.live.to_string()), "{told}");
    let kept = world.server.t.store.job(ALL, own.bulk).await.unwrap().unwrap().job;
    let args: Value = serde_json::from_str(&kept.args).unwrap();
    assert_eq!((kept.tenant.as_deref(), &args["tenant"]), (Some("north"), &json!("north")));
}

async fn a_stream_tells_a_tenant_of_its_own_jobs_alone(t: TestStore) {
    let world = World::new(t).await;
    let (own, foreign) = (world.enqueue("north", "live").await, world.enqueue("south", "live").await);
    let last = world.enqueue("north", "live").await;

    let request = world.north.request(&world.server, Method::GET, "/v1/events");
    let request = request.header("last-event-id", "0-0-0").send().await.unwrap();

    let (mut told, mut body) = (String::new(), request.bytes_stream());
    while !told.contains(&last.to_string()) {
        let piece = tokio::time::timeout(Duration::from_secs(20), body.next()).await.unwrap();
        told.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
    }
    assert!(told.contains(&own.to_string()) && !told.contains(&foreign.to_string()), "{told}");
    let kept = world.server.t.store.job(ALL, foreign).await.unwrap().unwrap();
    assert_eq!(kept.job.state, JobState::Available);
}
