//! Uploads: room that two at once cannot both have, whose a file is, and until when it stays.

use std::sync::Arc;
use std::time::Duration;

use jobkit::{Clock, JobId, OnConflict, Origin, Personal, UploadId};
use store::uploads::{Taken, upload_invited};
use store::{
    Actor, NewUpload, Quota, Received, Release, Reservation, Scope, Store, UploadDeleted, UploadRow,
    UploadState, Why,
};
use tokio::sync::Barrier;

use crate::support::store::{ALL, TestStore, ada, completed, promises, refusal, seconds, unique};

promises![
    an_upload_is_received_and_is_what_was_received,
    of_two_at_once_one_has_the_last_of_the_quota,
    a_quota_is_a_tenants_own_and_is_given_back,
    what_nobody_goes_on_with_is_over_and_cannot_be_finished,
    an_upload_stays_for_as_long_as_a_job_that_names_it_has_not_ended,
    a_job_names_uploads_of_its_own_tenant_that_are_ready_and_not_over,
    nothing_of_a_job_is_left_whose_upload_is_refused,
    an_attempt_gets_what_its_job_may_have_and_nobody_without_the_lease,
    another_tenants_upload_is_answered_as_one_that_never_was,
    an_upload_that_is_in_use_is_not_deleted,
    what_happens_is_written_down_without_a_name,
    room_and_its_entry_come_together_or_not_at_all,
];

const QUOTA: Quota = Quota { bytes: 1_000, count: 3 };
const PATIENCE: Duration = Duration::from_secs(300);
const KEEP: Duration = Duration::from_secs(3_600);
/// On top of the end, before anything is deleted.
const LATE: Duration = Duration::from_secs(60);

fn new(t: &TestStore, tenant: Option<&str>, bytes: u64) -> NewUpload {
    NewUpload {
        id: UploadId(t.ids.next().0),
        tenant: tenant.map(str::to_owned),
        created_by: ada().name,
        name: Some(Personal::new("ada's ledger.csv".into())),
        bytes,
        patience: PATIENCE,
        entry: None,
    }
}

fn received(bytes: u64) -> Received {
    Received { bytes, sha256: [7; 32], format: "text".into(), is_scanned: true, keep: KEEP }
}

async fn reserve(t: &TestStore, tenant: Option<&str>, bytes: u64) -> Result<UploadId, Taken> {
    let new = new(t, tenant, bytes);
    match t.store.reserve_upload(&new, &QUOTA).await.unwrap() {
        Reservation::Taken => Ok(new.id),
        Reservation::Full(taken) => Err(taken),
    }
}

async fn ready(t: &TestStore, tenant: Option<&str>) -> UploadRow {
    let id = reserve(t, tenant, 10).await.unwrap();
    t.store.upload_received(id, &received(10), &ada()).await.unwrap().unwrap()
}

async fn is_there(t: &TestStore, id: UploadId) -> bool {
    t.store.upload(ALL, id).await.unwrap().is_some()
}

async fn job_with(t: &TestStore, tenant: Option<&str>, uploads: &[UploadId]) -> Result<JobId, String> {
    let mut row = t.row();
    row.tenant = tenant.map(str::to_owned);
    row.uploads = uploads.to_vec();
    match t.store.insert(ALL, &[row], &ada()).await {
        Ok(inserted) => Ok(inserted[0].id),
        refused => Err(refusal(refused)),
    }
}

fn why() -> Why {
    Why { reason: "infected", details: serde_json::json!({ "signature": "Eicar" }) }
}

async fn an_upload_is_received_and_is_what_was_received(t: TestStore) {
    let id = reserve(&t, Some("north"), 500).await.unwrap();
    let receiving = t.store.upload(ALL, id).await.unwrap().unwrap();
    assert_eq!((receiving.state, receiving.bytes, receiving.sha256), (UploadState::Receiving, 500, None));
    assert_eq!(receiving.expires_at, t.clock.now() + PATIENCE);

    t.clock.advance(seconds(5));
    let row = t.store.upload_received(id, &received(20), &ada()).await.unwrap().unwrap();

    assert_eq!((row.id, row.tenant.as_deref(), row.state), (id, Some("north"), UploadState::Ready));
    assert_eq!((row.bytes, row.sha256, row.format.as_deref()), (20, Some([7; 32]), Some("text")));
    assert_eq!(row.name.as_ref().map(|name| name.expose().as_str()), Some("ada's ledger.csv"));
    assert_eq!((row.created_by.as_str(), row.is_scanned), ("user:ada", true));
    assert_eq!((row.created_at, row.expires_at), (t.clock.now() - seconds(5), t.clock.now() + KEEP));
    assert_eq!(t.store.uploads(ALL, None, 10).await.unwrap(), std::slice::from_ref(&row));
    let later = ready(&t, None).await;
    let page = async |before, limit| t.store.uploads(ALL, before, limit).await.unwrap();
    assert_eq!(page(None, 1).await, std::slice::from_ref(&later));
    assert_eq!(page(Some(later.id), 10).await, [row]);
    // Once.
    assert_eq!(t.store.upload_received(id, &received(20), &ada()).await.unwrap(), None);
}

async fn of_two_at_once_one_has_the_last_of_the_quota(t: TestStore) {
    let doors: [Arc<dyn Store>; 4] =
        [t.another().await, t.another().await, t.another().await, t.another().await];
    for round in 0..10 {
        let barrier = Arc::new(Barrier::new(doors.len()));
        let tenant = format!("t{round}");
        let racing = doors.iter().map(|door| {
            let (door, barrier) = (door.clone(), barrier.clone());
            let new = new(&t, Some(&tenant), 600);
            tokio::spawn(async move {
                barrier.wait().await;
                door.reserve_upload(&new, &QUOTA).await.unwrap()
            })
        });
        let mut answers = Vec::new();
        for one in racing.collect::<Vec<_>>() {
            answers.push(one.await.unwrap());
        }
        let taken = answers.iter().filter(|answer| **answer == Reservation::Taken).count();
        assert_eq!(taken, 1, "{answers:?}");
        let full = Reservation::Full(Taken { bytes: 600, count: 1 });
        assert_eq!(answers.iter().filter(|answer| **answer == full).count(), 3, "{answers:?}");
    }
}

async fn a_quota_is_a_tenants_own_and_is_given_back(t: TestStore) {
    let first = reserve(&t, Some("north"), 1_000).await.unwrap();
    assert_eq!(reserve(&t, Some("north"), 1).await, Err(Taken { bytes: 1_000, count: 1 }));
    reserve(&t, Some("south"), 1_000).await.unwrap();
    reserve(&t, None, 1_000).await.unwrap();

    // What came is less than what was announced.
    t.store.upload_received(first, &received(10), &ada()).await.unwrap().unwrap();
    let second = reserve(&t, Some("north"), 990).await.unwrap();
    t.store.refuse_upload(second, &why(), &ada()).await.unwrap();
    assert!(!is_there(&t, second).await);
    let third = reserve(&t, Some("north"), 10).await.unwrap();
    reserve(&t, Some("north"), 10).await.unwrap();
    assert_eq!(reserve(&t, Some("north"), 0).await, Err(Taken { bytes: 30, count: 3 }));
    let deleted = t.store.delete_upload(&Scope::Tenant("north".into()), third, &ada()).await.unwrap();
    assert_eq!(deleted, UploadDeleted::Done);
    reserve(&t, Some("north"), 0).await.unwrap();
}

async fn what_nobody_goes_on_with_is_over_and_cannot_be_finished(t: TestStore) {
    let (slow, lost) = (reserve(&t, None, 10).await.unwrap(), reserve(&t, None, 10).await.unwrap());
    t.clock.advance(PATIENCE);
    assert!(t.store.upload_goes_on(slow, PATIENCE).await.unwrap());
    assert_eq!(t.store.expire_uploads(10).await.unwrap(), []);
    t.clock.advance(LATE);

    assert_eq!(t.store.expire_uploads(10).await.unwrap(), [lost]);

    assert!(!t.store.upload_goes_on(lost, PATIENCE).await.unwrap());
    assert_eq!(t.store.upload_received(lost, &received(10), &ada()).await.unwrap(), None);
    // Nothing is said twice.
    t.store.refuse_upload(lost, &why(), &ada()).await.unwrap();
    let told: Vec<_> = t.audit().await.into_iter().map(|entry| (entry.action, entry.details)).collect();
    assert_eq!(told, [("upload.refuse".to_owned(), serde_json::json!({ "reason": "abandoned" }))]);
    assert_eq!(t.store.known_uploads(&[lost, slow]).await.unwrap(), [slow]);
}

async fn an_upload_stays_for_as_long_as_a_job_that_names_it_has_not_ended(t: TestStore) {
    let (used, unused) = (ready(&t, None).await, ready(&t, None).await);
    let job = job_with(&t, None, &[used.id]).await.unwrap();
    t.clock.advance(KEEP + LATE);

    assert_eq!(t.store.expire_uploads(10).await.unwrap(), [unused.id]);
    assert!(is_there(&t, used.id).await && !is_there(&t, unused.id).await);
    // It is over for everybody else.
    let refused = job_with(&t, None, &[used.id]).await.unwrap_err();
    assert!(refused.contains(&used.id.to_string()), "{refused}");

    let worker = t.worker().await;
    assert_eq!(t.run(worker, completed()).await, job);
    assert_eq!(t.store.expire_uploads(10).await.unwrap(), [used.id]);
}

async fn a_job_names_uploads_of_its_own_tenant_that_are_ready_and_not_over(t: TestStore) {
    let own = ready(&t, Some("north")).await.id;
    let (foreign, nobodys) = (ready(&t, Some("south")).await.id, ready(&t, None).await.id);
    let receiving = reserve(&t, Some("north"), 10).await.unwrap();
    let never = UploadId(t.ids.next().0);

    job_with(&t, Some("north"), &[own]).await.unwrap();

    let mut told = Vec::new();
    for id in [foreign, nobodys, receiving, never] {
        let refused = job_with(&t, Some("north"), &[own, id]).await.unwrap_err();
        told.push(refused.replace(&id.to_string(), "IT"));
    }
    told.push(job_with(&t, None, &[own]).await.unwrap_err().replace(&own.to_string(), "IT"));
    t.clock.advance(KEEP);
    told.push(job_with(&t, Some("north"), &[own]).await.unwrap_err().replace(&own.to_string(), "IT"));
    assert!(told.iter().all(|one| *one == told[0]) && told[0].contains("IT"), "{told:?}");
}

/// Also in a batch, with a key that is held, and in a transaction of the caller's.
async fn nothing_of_a_job_is_left_whose_upload_is_refused(t: TestStore) {
    let never = UploadId(t.ids.next().0);
    let (mut good, mut bad) = (t.row(), t.row());
    good.unique = unique(7, Release::AtEnd, OnConflict::ReturnExisting);
    bad.uploads = vec![never];
    let (good_id, bad_id) = (good.id, bad.id);

    refusal(t.store.insert(ALL, &[good.clone(), bad.clone()], &ada()).await);
    let mut connection = t.connection().await;
    refusal(t.store.insert_in(connection.transaction(), ALL, &[bad], &ada()).await);

    for id in [good_id, bad_id] {
        assert!(t.store.job(ALL, id).await.unwrap().is_none());
    }
    // A job that was there under the key holds what is asked of it now.
    t.insert(&[good]).await;
    let upload = ready(&t, None).await;
    let mut again = t.row();
    again.unique = unique(7, Release::AtEnd, OnConflict::Replace);
    again.uploads = vec![upload.id];
    let answer = t.insert(&[again]).await;
    assert_eq!((answer[0].id, answer[0].duplicate), (good_id, true));
    let deleted = t.store.delete_upload(ALL, upload.id, &ada()).await.unwrap();
    assert_eq!(deleted, UploadDeleted::Used(good_id));
}

async fn an_attempt_gets_what_its_job_may_have_and_nobody_without_the_lease(t: TestStore) {
    let (own, foreign) = (ready(&t, Some("north")).await, ready(&t, Some("south")).await);
    let worker = t.worker().await;
    job_with(&t, Some("north"), &[own.id]).await.unwrap();
    let held = t.claim_one(worker).await.held();
    t.clock.advance(KEEP + LATE);
    t.store.expire_uploads(10).await.unwrap();

    let used = t.store.use_upload(held, own.id, &ada()).await.unwrap();

    assert_eq!(used, own);
    let refused = refusal(t.store.use_upload(held, foreign.id, &ada()).await);
    assert!(refused.contains(&foreign.id.to_string()), "{refused}");
    let late = store::Held { fence: store::Fence(held.fence.0 - 1), ..held };
    assert!(matches!(t.store.use_upload(late, own.id, &ada()).await, Err(store::StoreError::LeaseLost)));
    // One that came in by another door, and named it past ours, holds it from its first attempt on.
    let other = ready(&t, Some("north")).await;
    t.add(|row| row.tenant = Some("north".into())).await;
    let held = t.claim_one(worker).await.held();
    t.store.use_upload(held, other.id, &ada()).await.unwrap();
    t.clock.advance(KEEP + LATE);
    assert_eq!(t.store.expire_uploads(10).await.unwrap(), []);
}

async fn another_tenants_upload_is_answered_as_one_that_never_was(t: TestStore) {
    let (own, foreign) = (ready(&t, Some("north")).await, ready(&t, Some("south")).await);
    let nobodys = ready(&t, None).await;
    let north = Scope::Tenant("north".into());

    assert_eq!(t.store.uploads(&north, None, 10).await.unwrap(), std::slice::from_ref(&own));
    assert_eq!(t.store.upload(&north, own.id).await.unwrap(), Some(own));
    for id in [foreign.id, nobodys.id, UploadId(t.ids.next().0)] {
        assert_eq!(t.store.upload(&north, id).await.unwrap(), None);
        assert_eq!(t.store.delete_upload(&north, id, &ada()).await.unwrap(), UploadDeleted::Unknown);
    }
    assert_eq!(t.store.uploads(&Scope::Nobody, None, 10).await.unwrap(), []);
    assert!(is_there(&t, foreign.id).await && is_there(&t, nobodys.id).await);
}

async fn an_upload_that_is_in_use_is_not_deleted(t: TestStore) {
    let upload = ready(&t, None).await;
    let job = job_with(&t, None, &[upload.id]).await.unwrap();

    let kept = t.store.delete_upload(ALL, upload.id, &ada()).await.unwrap();
    assert_eq!(kept, UploadDeleted::Used(job));
    t.change(job, store::Change::Discard).await;
    assert_eq!(t.store.delete_upload(ALL, upload.id, &ada()).await.unwrap(), UploadDeleted::Done);
    assert!(!is_there(&t, upload.id).await);
}

async fn what_happens_is_written_down_without_a_name(t: TestStore) {
    let (first, second) = (ready(&t, Some("north")).await, ready(&t, None).await);
    let refused = reserve(&t, Some("north"), 10).await.unwrap();
    t.store.refuse_upload(refused, &why(), &ada()).await.unwrap();
    t.store.delete_upload(ALL, first.id, &ada()).await.unwrap();
    t.clock.advance(KEEP + LATE);
    t.store.expire_uploads(10).await.unwrap();

    let entries = t.audit().await;

    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let id = entry.object.strip_prefix("upload:").unwrap().to_owned();
            (entry.action.as_str(), id, entry.tenant.as_deref(), entry.actor.as_str(), entry.outcome.as_str())
        })
        .collect();
    let ids = [first.id, second.id, refused].map(|id| id.to_string());
    assert_eq!(
        told,
        [
            ("upload.receive", ids[0].clone(), Some("north"), "user:ada", "ok"),
            ("upload.receive", ids[1].clone(), None, "user:ada", "ok"),
            ("upload.refuse", ids[2].clone(), Some("north"), "user:ada", "refused"),
            ("upload.delete", ids[0].clone(), Some("north"), "user:ada", "ok"),
            ("upload.expire", ids[1].clone(), None, "system", "ok"),
        ]
    );
    assert_eq!(entries[2].details, serde_json::json!({ "reason": "infected", "signature": "Eicar" }));
    assert_eq!(entries[0].details["sha256"], "07".repeat(32));
    assert!(!format!("{entries:?}").contains("ledger"), "{entries:?}");
}

/// A place in a bucket that somebody was told of stands in the log, whatever becomes of the process.
async fn room_and_its_entry_come_together_or_not_at_all(t: TestStore) {
    let invited = |approval| {
        let new = new(&t, Some("north"), 600);
        let by = Actor { origin: Origin { approval, ..Origin::default() }, ..ada() };
        let entry = Some(upload_invited(&by, new.id, Some("north"), 600, KEEP));
        NewUpload { entry, ..new }
    };
    // Nobody gave it, so there can be no entry.
    let refused = invited(Some(t.ids.next().0));
    let (first, second) = (invited(None), invited(None));

    t.store.reserve_upload(&refused, &QUOTA).await.unwrap_err();
    let taken = t.store.reserve_upload(&first, &QUOTA).await.unwrap();
    let full = t.store.reserve_upload(&second, &QUOTA).await.unwrap();

    assert_eq!((taken, full), (Reservation::Taken, Reservation::Full(Taken { bytes: 600, count: 1 })));
    let there = [is_there(&t, refused.id).await, is_there(&t, first.id).await, is_there(&t, second.id).await];
    assert_eq!(there, [false, true, false]);
    let entries = t.audit().await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.object.clone())).collect();
    assert_eq!(told, [("upload.invite", format!("upload:{}", first.id))]);
}
