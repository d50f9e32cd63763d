//! Every route that takes the name of a thing, asked by a tenant for a thing of its own, of another tenant's and of nobody's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use futures::StreamExt;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jobkit::testing::ManualClock;
use jobkit::{Artifacts, Clock, JobId, Owner, Registry};
use serde_json::{Value, json};
use store::schedules::{PutSchedule, Source};
use store::state::JobState;
use store::{
    Actor, ApprovalFilter, ApprovalId, Demand, End, JobFilter, NewApproval, Report, Role, Scope, Store,
    WorkerInfo,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Http, Limits, Parts, Shared, document, guard, router};
use crate::adapters::artifacts::DirArtifacts;
use crate::approvals::Approvals;
use crate::approvals::rules::Rules;
use crate::identity::Principal;
use crate::identity::permission::Permissions;
use crate::limits::book::Book;
use crate::limits::callers::Callers;
use crate::limits::callers::rules::CallerRules;
use crate::limits::limiter::{Calls, StoreLimiter};
use crate::limits::usage::Usage;
use crate::queue::Queue;
use crate::scheduler::Scheduler;
use crate::scheduler::declared::Declared;
use crate::seal::Keyring;
use crate::service::Alarm;
use crate::triggers::webhook::Webhooks;
use crate::wake::Wake;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Live,
    Done,
    Bulk,
    Schedule,
    Approval,
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
    ("get", "/v1/bulk-operations/{id}", Of::Bulk, ""),
    ("post", "/v1/bulk-operations/{id}/cancel", Of::Bulk, ""),
    ("get", "/v1/approvals/{id}", Of::Approval, ""),
    ("post", "/v1/approvals/{id}/grant", Of::Approval, r#"{"sha256": "00"}"#),
    ("post", "/v1/approvals/{id}/refuse", Of::Approval, r#"{"reason": "r"}"#),
    ("post", "/v1/approvals/{id}/withdraw", Of::Approval, r#"{"reason": "r"}"#),
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
    ("delete", "/auth/sessions/{id}", Of::Other, ""),
];

fn without_query(path: &str) -> &str {
    path.split_once('?').map_or(path, |(path, _)| path)
}

#[test]
fn every_route_that_names_a_thing_is_asked_for_foreign_ones() {
    let document = serde_json::to_value(document()).unwrap();
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

/// The owner of a tenant.
fn of_tenant(tenant: &str) -> Principal {
    let (name, scope) = (format!("user:{tenant}"), Scope::Tenant(tenant.into()));
    Principal { name, scope, permissions: Permissions::of_role(Role::Owner), role: Some(Role::Owner) }
}

struct World {
    api: Shared,
    store: Arc<dyn Store>,
    artifacts: Arc<DirArtifacts>,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

/// Names of things.
struct Things {
    live: JobId,
    done: JobId,
    bulk: JobId,
    schedule: String,
    approval: ApprovalId,
}

impl Things {
    fn name(&self, of: Of) -> String {
        match of {
            Of::Live => self.live.to_string(),
            Of::Done => self.done.to_string(),
            Of::Bulk => self.bulk.to_string(),
            Of::Approval => self.approval.to_string(),
            _ => self.schedule.clone(),
        }
    }
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manual = Arc::new(ManualClock::default());
        let clock: Arc<dyn Clock> = manual.clone();
        let url = format!("sqlite://{}", folder.path().join("jobs.db").display());
        let store: Arc<dyn Store> =
            Arc::new(store_sqlite::SqliteStore::open(&url, clock.clone()).await.unwrap());
        store.migrate().await.unwrap();
        let mut registry = Registry::default();
        crate::system::register(&mut registry, crate::system::Config::default());
        crate::bulk::register(&mut registry, store.clone());
        let (registry, alarm) = (Arc::new(registry), Alarm::default());
        let (wake, _) = Wake::start(store.clone(), None, &alarm);
        let book = Arc::new(Book::new(store.clone(), clock.clone()));
        let queue = Arc::new(Queue::new(
            store.clone(),
            registry.clone(),
            Arc::new(Keyring::default()),
            clock.clone(),
            wake.clone(),
            book.clone(),
        ));
        let calls = Calls { rates: Arc::default(), limiter: Arc::new(StoreLimiter { store: store.clone() }) };
        let artifacts = Arc::new(DirArtifacts::new(folder.path().join("artifacts")));
        let declared = Declared::default();
        let callers = Arc::new(Callers::new(CallerRules::off(), store.clone(), None, clock.clone()));
        let parts = Parts {
            store: store.clone(),
            queue: queue.clone(),
            scheduler: Arc::new(Scheduler::new(store.clone(), queue.clone(), declared, wake.clone())),
            approvals: Approvals::new(
                store.clone(),
                clock.clone(),
                Arc::default(),
                wake.clone(),
                Arc::new(Rules::default()),
            ),
            usage: Usage { store: store.clone(), book, calls, wake },
            registry,
            clock: clock.clone(),
            artifacts: artifacts.clone(),
            hooks: Webhooks::new([].into(), queue, clock),
            courier: None,
            token: None,
            identity: None,
            platform: None,
            admin_networks: Vec::new(),
            proxies: Vec::new(),
            callers,
            limits: Limits {
                body_bytes: 1 << 20,
                memory_bytes: 8 << 20,
                batch: 10,
                header_timeout: Duration::from_secs(10),
                body_timeout: Duration::from_secs(10),
                answer_timeout: Duration::from_secs(10),
                write_timeout: Duration::from_secs(10),
                connections: 10,
                stop_delay: Duration::ZERO,
            },
            origins: Vec::new(),
            hints: watch::channel(()).1,
            stop: CancellationToken::new(),
        };
        Self { api: Http::new(parts, &alarm).api, store, artifacts, clock: manual, _folder: folder }
    }

    /// As somebody of this tenant.
    async fn ask(&self, tenant: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let principal = of_tenant(tenant);
        let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let router = TowerToHyperService::new(router::unguarded(self.api.clone()));
        let answer = guard::as_principal(principal, router.call(request)).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn enqueue(&self, tenant: &str, queue: &str) -> JobId {
        let job = json!({ "kind": "system.noop", "queue": queue }).to_string();
        let (status, told) = self.ask(tenant, "post", "/v1/jobs", &job).await;
        assert_eq!(status, 202, "{told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        told["id"].as_str().unwrap().parse().unwrap()
    }

    async fn things(&self, tenant: &str) -> Things {
        let done = self.enqueue(tenant, "done").await;
        let info = WorkerInfo {
            name: "here".into(),
            version: "1".into(),
            lease: Duration::from_secs(30),
            queues: vec!["done".into()],
        };
        let worker = self.store.register(&info).await.unwrap();
        for claimed in self.store.claim(worker, "done", 100).await.unwrap() {
            let (held, attempt) = (claimed.held(), claimed.attempt);
            let end = End::Completed { result: None };
            let report = Report { held, attempt, end, ran: Duration::ZERO, log: Vec::new() };
            self.store.finish(worker, &[report]).await.unwrap();
        }
        let owner = Owner { job: done, claim: 1 };
        self.artifacts.put(owner, "file", tenant.as_bytes().to_vec()).await.unwrap();
        let bulk = r#"{"action": "cancel", "filter": {"kinds": ["none"]}}"#;
        let (status, told) = self.ask(tenant, "post", "/v1/bulk-operations", bulk).await;
        assert_eq!(status, 202, "{told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        let bulk = told["id"].as_str().unwrap().parse().unwrap();
        let live = self.enqueue(tenant, "live").await;
        let schedule = format!("s-{}", live);
        let (status, told) = self.put(tenant, &schedule, None).await;
        assert_eq!(status, 200, "{told}");
        let asked = NewApproval {
            id: ApprovalId(uuid::Uuid::new_v4()),
            action: "models.promote".into(),
            what: format!("{{\"of\": \"{live}\"}}"),
            salt: [0; 16],
            tenant: Some(tenant.into()),
            demand: Demand {
                people: 2,
                permission: "approvals:give".into(),
                expires: Duration::from_secs(60),
            },
        };
        let approval = self.store.ask(&asked, &Actor::new("user:else")).await.unwrap().id;
        Things { live, done, bulk, schedule, approval }
    }

    async fn put(&self, asker: &str, name: &str, tenant: Option<&str>) -> (u16, String) {
        let definition = json!({ "kind": "system.noop", "every": "1h", "tenant": tenant });
        self.ask(asker, "put", &format!("/v1/schedules/{name}"), &definition.to_string()).await
    }

    async fn everything_of(&self, tenant: &str) -> String {
        let scope = Scope::Tenant(tenant.into());
        let jobs = self.store.jobs(&scope, &JobFilter::default()).await.unwrap();
        let filter = ApprovalFilter { limit: 100, ..ApprovalFilter::default() };
        let approvals = self.store.approvals(&scope, &filter).await.unwrap();
        format!("{jobs:?} {:?} {approvals:?}", self.store.schedules(&scope).await.unwrap())
    }
}

#[tokio::test]
async fn another_tenants_thing_is_answered_as_what_never_was() {
    let world = World::new().await;
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
            approval: ApprovalId(uuid::Uuid::new_v4()),
        };
        let ask = async |things: &Things| {
            let name = things.name(*of);
            let path = path.replacen("{id}", &name, 1).replace("{claim}", "1");
            let path = match *of {
                Of::Schedule => path.replace("{name}", &name),
                _ => path.replace("{name}", "file"),
            };
            let (status, told) = world.ask("north", method, &path, body).await;
            (status, told.replace(&name, "IT"))
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

#[tokio::test]
async fn what_comes_in_is_the_callers_own_or_names_the_field() {
    let world = World::new().await;
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
        let (got, told) = world.ask("north", "post", "/v1/jobs", &body.to_string()).await;
        assert_eq!(got, status, "{body}: {told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        if !pointer.is_empty() {
            assert_eq!(told["errors"][0]["field"], pointer, "{told}");
        }
    }
    let (_, listed) = world.ask("north", "get", "/v1/jobs", "").await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert!(listed["jobs"].as_array().unwrap().iter().all(|job| job["tenant"] == "north"), "{listed}");
}

/// The names of schedules are one set, so that one is taken has to be told, and nothing else is.
#[tokio::test]
async fn a_name_that_is_taken_is_all_that_is_told() {
    let world = World::new().await;
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
    assert!(world.store.put_schedule(&Scope::Installation, &row, &Actor::system()).await.unwrap());
    let before = world.everything_of("south").await;

    let answers =
        [world.put("north", &foreign.schedule, None).await, world.put("north", "nobodys", None).await];

    for ((status, told), name) in answers.iter().zip([&foreign.schedule, "nobodys"]) {
        assert_eq!(*status, 409, "{told}");
        assert_eq!(told.replace(name, "IT"), answers[0].1.replace(&foreign.schedule, "IT"));
        assert!(!told.contains("south\"") && !told.contains("onfiguration"), "{told}");
    }
    assert_eq!(world.everything_of("south").await, before);
    let (status, told) = world.put("north", "mine", Some("south")).await;
    assert_eq!(status, 422, "{told}");
    assert!(told.contains("/tenant"), "{told}");
}

#[tokio::test]
async fn two_tenants_with_one_unique_key_have_a_job_each() {
    let world = World::new().await;
    let body = r#"{"kind": "system.noop", "unique_key": "invoice-7"}"#;
    let mut made = Vec::new();
    for tenant in ["north", "south", "north"] {
        let (status, told) = world.ask(tenant, "post", "/v1/jobs", body).await;
        assert!(status == 202 || status == 200, "{told}");
        let told: Value = serde_json::from_str(&told).unwrap();
        made.push(told["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(made[0], made[2]);
    assert_ne!(made[0], made[1]);
}

/// A bulk operation is its tenant's, and so is what it touches.
#[tokio::test]
async fn a_bulk_operation_means_the_tenants_jobs() {
    let world = World::new().await;
    let (own, foreign) = (world.things("north").await, world.things("south").await);
    // What comes in at this moment is not meant.
    world.clock.advance(Duration::from_secs(1));
    let body = r#"{"action": "cancel", "dry_run": true, "filter": {"kinds": ["system.noop"]}}"#;

    let (status, told) = world.ask("north", "post", "/v1/bulk-operations", body).await;

    assert_eq!(status, 200, "{told}");
    assert!(told.contains(&own.live.to_string()) && !told.contains(&foreign.live.to_string()), "{told}");
    let kept = world.store.job(&Scope::Installation, own.bulk).await.unwrap().unwrap().job;
    let args: Value = serde_json::from_str(&kept.args).unwrap();
    assert_eq!((kept.tenant.as_deref(), &args["tenant"]), (Some("north"), &json!("north")));
}

#[tokio::test]
async fn a_stream_tells_a_tenant_of_its_own_jobs_alone() {
    let world = World::new().await;
    let principal = of_tenant("north");
    let request = Request::builder().uri("/v1/events").header("last-event-id", "0-0-0");
    let router = TowerToHyperService::new(router::unguarded(world.api.clone()));
    let (own, foreign) = (world.enqueue("north", "live").await, world.enqueue("south", "live").await);
    let last = world.enqueue("north", "live").await;
    let request = request.body(Body::empty()).unwrap();

    let answer = guard::as_principal(principal, router.call(request)).await.unwrap();

    // Its body is read outside of the request's task.
    let (mut told, mut body) = (String::new(), answer.into_body().into_data_stream());
    while !told.contains(&last.to_string()) {
        let piece = tokio::time::timeout(Duration::from_secs(20), body.next()).await.unwrap();
        told.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
    }
    assert!(told.contains(&own.to_string()) && !told.contains(&foreign.to_string()), "{told}");
    assert!(
        world
            .store
            .job(&Scope::Installation, foreign)
            .await
            .unwrap()
            .is_some_and(|it| it.job.state == JobState::Available)
    );
}
