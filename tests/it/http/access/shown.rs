//! Whoever is shown what jobs were given and found, or who somebody is, has an entry that says so before it is shown.

use std::time::Duration;

use engine::identity::Permission;
use jobkit::{AuditEntry, JobId, Owner, Personal, UploadId};
use reqwest::Method;
use serde_json::{Value, json};
use store::{
    ApprovalId, AuditSearch, Demand, End, JobDemand, NewApproval, NewRow, NewUpload, Quota, Reservation, Role,
};

use super::{Caller, given, setup, signed_in, token};
use crate::support::http::{Server, answer};
use crate::support::store::{Connection, TestStore, ada, completed, named, promises, set};

promises![
    what_is_shown_of_a_job_is_an_entry_a_minute_for_each_who_is_shown_it,
    a_list_names_its_jobs_and_each_tenants_apart,
    a_file_is_named_by_a_commitment,
    people_and_what_they_decided_are_shown_with_an_entry,
    what_is_to_be_approved_and_names_of_files_are_shown_with_an_entry,
    where_no_entry_can_be_written_nothing_is_shown,
    events_tell_of_reading_only_whoever_asks_for_it,
];

async fn server(t: TestStore) -> Server {
    let setup = setup(&t);
    Server::with(t, setup).await
}

/// The oldest first.
async fn entries(t: &TestStore) -> Vec<AuditEntry> {
    let of_reading = AuditSearch { action: Some("access.".into()), ..AuditSearch::default() };
    let found = t.store.search_audit(&of_reading, 100).await.unwrap();
    found.into_iter().rev().map(|(_, entry)| entry).collect()
}

/// Who was shown what of how many.
fn told(entry: &AuditEntry) -> (&str, &str, Vec<&str>) {
    let parts = entry.details["parts"].as_array().unwrap();
    (&entry.actor, &entry.action, parts.iter().map(|part| part.as_str().unwrap()).collect())
}

async fn done(t: &TestStore, tenant: Option<&str>) -> JobId {
    let worker = t.worker().await;
    t.add(|row| row.tenant = tenant.map(str::to_owned)).await;
    t.run(worker, completed()).await
}

async fn what_is_shown_of_a_job_is_an_entry_a_minute_for_each_who_is_shown_it(t: TestStore) {
    let server = server(t).await;
    let t = &server.t;
    let job = t.add(|_| {}).await;
    let path = format!("/v1/jobs/{job}");
    let (billing, _) = token(t, given("billing", &[Permission::JobsRead])).await;
    let (audit, _) = token(t, given("audit", &[Permission::JobsRead])).await;

    for _ in 0..3 {
        billing.get(&server, &path).await.expect(200);
    }
    let request = billing.request(&server, Method::GET, &path).header("x-request-id", "second");
    answer(request).await.expect(200);
    audit.get(&server, &path).await.expect(200);
    let first = entries(t).await;

    let both =
        [("service:billing", "access.job", vec!["args"]), ("service:audit", "access.job", vec!["args"])];
    assert_eq!(first.iter().map(told).collect::<Vec<_>>(), both);
    for entry in &first {
        assert_eq!((named(entry), entry.object.clone()), (set([job]), format!("job:{job}")));
        assert!(entry.origin.request.as_deref().is_some_and(|request| request != "second"), "{entry:?}");
        let source = entry.origin.source.clone().expect("an address");
        assert_eq!(t.store.openings(&[source]).await.unwrap().len(), 1);
    }

    // What came to it since is another part; and a minute later it is said again.
    let worker = t.worker().await;
    t.run(worker, End::Completed { result: Some(r#"{"total":3}"#.into()) }).await;
    billing.get(&server, &format!("{path}/wait")).await.expect(200);
    billing.get(&server, &path).await.expect(200);
    t.clock.advance(Duration::from_secs(60));
    billing.get(&server, &path).await.expect(200);

    let all = entries(t).await;
    let later: Vec<_> = all[first.len()..].iter().map(told).collect();
    let again = ("service:billing", "access.job", vec!["args", "result"]);
    assert_eq!(later, [again.clone(), again]);
    // What is not there is not shown.
    billing.get(&server, "/v1/jobs/00000000-0000-0000-0000-000000000000").await.expect(404);
    assert_eq!(entries(t).await, all);
}

async fn a_list_names_its_jobs_and_each_tenants_apart(t: TestStore) {
    let server = server(t).await;
    let t = &server.t;
    let (north, south) = (done(t, Some("north")).await, done(t, Some("south")).await);
    let other = done(t, Some("north")).await;
    let (service, _) = token(t, given("billing", &[Permission::JobsRead])).await;
    service.get(&server, &format!("/v1/jobs/{other}")).await.expect(200);
    let before = entries(t).await.len();

    service.get(&server, "/v1/jobs").await.expect(200);
    service.get(&server, "/v1/jobs?limit=2").await.expect(200);

    let all = entries(t).await;
    let told: Vec<_> = all[before..].iter().map(|entry| (entry.tenant.as_deref(), named(entry))).collect();
    assert_eq!(told, [(Some("north"), set([north])), (Some("south"), set([south]))]);
}

async fn a_file_is_named_by_a_commitment(t: TestStore) {
    let server = server(t).await;
    let t = &server.t;
    let job = done(t, Some("north")).await;
    let name = "Ada Lovelace.pdf";
    server.artifacts.put(Owner { job, claim: 7 }, name, b"hers".to_vec()).await.unwrap();
    let (service, _) = token(t, given("files", &[Permission::ArtifactsRead])).await;

    let listed = service.get(&server, &format!("/v1/jobs/{job}/artifacts")).await.expect(200);
    let file = service.get(&server, listed["artifacts"][0]["href"].as_str().unwrap()).await;

    assert_eq!((file.status, file.text.as_str()), (200, "hers"));
    let all = entries(t).await;
    let parts = [
        ("service:files", "access.artifact", vec!["names"]),
        ("service:files", "access.artifact", vec!["file"]),
    ];
    assert_eq!(all.iter().map(told).collect::<Vec<_>>(), parts);
    let entry = &all[1];
    assert_eq!((named(entry), entry.tenant.as_deref()), (set([job]), Some("north")));
    assert!(!format!("{all:?}").contains("Ada"), "{all:?}");
    let commitment = entry.details["personal"]["file"].as_str().expect("a commitment").to_owned();
    let [opening] = &t.store.openings(&[commitment]).await.unwrap()[..] else { panic!("one opening") };
    assert_eq!((opening.value.expose().as_str(), &opening.subject), (name, &format!("job:{job}")));
}

async fn people_and_what_they_decided_are_shown_with_an_entry(t: TestStore) {
    let server = server(t).await;
    let admin = signed_in(&server, Role::Admin, None).await;
    let t = &server.t;
    let job = done(t, None).await;
    let reviews = format!("/v1/jobs/{job}/reviews");
    admin.get(&server, &reviews).await.expect(200);
    let body = json!({ "items": [{ "item": "JE-1", "decision": "cleared" }] });
    admin.post(&server, &reviews, &body).await.expect(200);

    admin.get(&server, &reviews).await.expect(200);
    admin.get(&server, &format!("{reviews}/latest")).await.expect(200);
    let users = admin.get(&server, "/v1/users").await.expect(200);
    let id = users["users"][0]["id"].as_str().unwrap().to_owned();
    admin.get(&server, &format!("/v1/users/{id}")).await.expect(200);

    let all = entries(t).await;
    let who = format!("user:{id}");
    let both =
        [(who.as_str(), "access.review", vec!["reviews"]), (who.as_str(), "access.user", vec!["user"])];
    assert_eq!(all.iter().map(told).collect::<Vec<_>>(), both);
    assert_eq!((named(&all[0]), all[1].object.as_str()), (set([job]), who.as_str()));
}

/// Of a job that waits it is the job that is shown.
async fn what_is_to_be_approved_and_names_of_files_are_shown_with_an_entry(t: TestStore) {
    let server = server(t).await;
    let admin = signed_in(&server, Role::Admin, None).await;
    let t = &server.t;
    let (deed, upload) = (asked(t).await, handed_in(t).await);
    let (of_job, job) = asked_for_a_job(t).await;

    for path in [
        format!("/v1/approvals/{deed}"),
        format!("/v1/approvals/{of_job}"),
        format!("/v1/uploads/{upload}"),
        "/v1/uploads".into(),
    ] {
        admin.get(&server, &path).await.expect(200);
    }

    let all = entries(t).await;
    let said: Vec<_> = all.iter().map(|entry| (entry.action.as_str(), entry.object.clone())).collect();
    assert_eq!(
        said,
        [
            ("access.approval", format!("approval:{deed}")),
            ("access.job", format!("job:{job}")),
            ("access.upload", format!("upload:{upload}")),
        ]
    );
    assert!(!format!("{all:?}").contains("Ada"), "{all:?}");
}

fn demand() -> Demand {
    Demand { people: 1, permission: "approvals:give".into(), expires: Duration::from_secs(3_600) }
}

async fn asked(t: &TestStore) -> ApprovalId {
    let asked = NewApproval {
        id: ApprovalId(t.ids.next().0),
        action: "users.create".into(),
        what: r#"{"name":"Ada in the approval"}"#.into(),
        salt: [7; 16],
        tenant: None,
        demand: demand(),
    };
    t.store.ask(&asked, &ada()).await.unwrap().id
}

async fn asked_for_a_job(t: &TestStore) -> (ApprovalId, JobId) {
    let id = ApprovalId(t.ids.next().0);
    let row = NewRow { approval: Some(JobDemand { id, demand: demand() }), ..t.row() };
    (id, t.insert(&[row]).await[0].id)
}

async fn handed_in(t: &TestStore) -> UploadId {
    let id = UploadId(t.ids.next().0);
    let new = NewUpload {
        id,
        tenant: None,
        created_by: ada().name,
        name: Some(Personal::new("Ada in the name.csv".into())),
        bytes: 1,
        patience: Duration::from_secs(3_600),
        entry: None,
    };
    let quota = Quota { bytes: 1 << 30, count: 10 };
    assert_eq!(t.store.reserve_upload(&new, &quota).await.unwrap(), Reservation::Taken);
    id
}

/// From here on the log takes no entry of reading, and what is read is there.
async fn refuse_entries(t: &TestStore) {
    let mut connection = t.connection().await;
    let sql = match &connection {
        Connection::Postgres(_) => {
            "ALTER TABLE compline.audit_entry ADD CONSTRAINT none CHECK (action NOT LIKE 'access.%') NOT VALID"
        }
        Connection::Sqlite(_) => {
            "CREATE TRIGGER none BEFORE INSERT ON audit_entry WHEN NEW.action LIKE 'access.%'
             BEGIN SELECT RAISE(ABORT, 'none'); END"
        }
    };
    connection.run(sql).await;
}

async fn where_no_entry_can_be_written_nothing_is_shown(t: TestStore) {
    let server = server(t).await;
    let admin = signed_in(&server, Role::Admin, None).await;
    let t = &server.t;
    let worker = t.worker().await;
    t.add(|row| row.args = r#"{"secret":"in the arguments"}"#.into()).await;
    let job = t.run(worker, completed()).await;
    server.artifacts.put(Owner { job, claim: 7 }, "a.txt", b"in the file".to_vec()).await.unwrap();
    let body = json!({ "items": [{ "item": "JE-1", "decision": "cleared", "comment": "in the review" }] });
    admin.post(&server, &format!("/v1/jobs/{job}/reviews"), &body).await.expect(200);
    let (approval, upload) = (asked(t).await, handed_in(t).await);
    refuse_entries(t).await;

    for path in [
        format!("/v1/jobs/{job}"),
        format!("/v1/jobs/{job}/wait"),
        "/v1/jobs".into(),
        format!("/v1/jobs/{job}/artifacts"),
        format!("/v1/jobs/{job}/artifacts/7/a.txt"),
        format!("/v1/jobs/{job}/reviews"),
        format!("/v1/jobs/{job}/reviews/latest"),
        "/v1/users".into(),
        format!("/v1/approvals/{approval}"),
        format!("/v1/uploads/{upload}"),
        "/v1/uploads".into(),
    ] {
        let answer = admin.get(&server, &path).await;
        assert!(answer.status >= 500 && answer.json()["code"].is_string(), "{path}: {answer:?}");
        for secret in ["in the", "a.txt", "example.org"] {
            assert!(!answer.text.contains(secret), "{path}: {answer:?}");
        }
    }
    // What shows nothing of the kind goes on.
    Caller::api().get(&server, "/v1/queues").await.expect(200);
    assert_eq!(entries(t).await, []);
}

/// Who reads a job on each event of it would else be told of that, and read it again.
async fn events_tell_of_reading_only_whoever_asks_for_it(t: TestStore) {
    let server = Server::over(t).await;
    let job = server.t.add(|_| {}).await;
    let api = Caller::api();
    let open = async |path: &str| api.request(&server, Method::GET, path).send().await.unwrap();
    let mut all = open("/v1/events").await;
    let mut reading = open("/v1/events?action=access.job").await;
    api.get(&server, &format!("/v1/jobs/{job}")).await.expect(200);
    api.post(&server, "/v1/queues/mail/pause", &json!({ "reason": "month end" })).await.expect(200);

    let mut told = Vec::new();
    for stream in [&mut all, &mut reading] {
        let mut text = String::new();
        let event = loop {
            let line =
                text.lines().find_map(|line| line.strip_prefix("data: ").or(line.strip_prefix("data:")));
            if let Some(event) = line.and_then(|line| serde_json::from_str::<Value>(line).ok()) {
                break event;
            }
            text.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("an event")));
        };
        told.push(event["action"].clone());
    }
    assert_eq!(told, ["queue.pause", "access.job"]);
}
