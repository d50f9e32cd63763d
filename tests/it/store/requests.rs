//! Requests that are carried out once.

use std::time::Duration;

use jobkit::{Clock, JobId, OnConflict};
use serde_json::json;
use store::schedules::{Fired, Firing, Occasion, PutSchedule, Source};
use store::state::JobState;
use store::{Change, Inserted, Once, Release, Request, Scope, StoreError};

use crate::support::store::{TestStore, ada, completed, discarded, promises, seconds, unique};

promises![
    a_request_is_carried_out_once_through_all_doors,
    what_was_answered_is_answered_again_whatever_became_of_the_jobs,
    a_key_with_another_request_writes_nothing,
    a_request_that_fails_leaves_nothing,
    a_change_is_made_once_through_all_doors,
    a_change_that_a_job_cannot_take_leaves_its_key_free,
    a_firing_is_done_once_and_one_that_is_lost_leaves_its_key_free,
    old_requests_are_forgotten_the_oldest_first,
];

fn request(key: u8, asked: u8) -> Request {
    Request { key: [key; 32], fingerprint: [asked; 32] }
}

async fn a_request_is_carried_out_once_through_all_doors(t: TestStore) {
    let doors = [t.store.clone(), t.another().await];
    let callers: Vec<_> = (0..20)
        .map(|n| {
            let (store, row) = (doors[n % 2].clone(), t.row());
            tokio::spawn(async move {
                store.insert_once(&Scope::Installation, &request(1, 1), &[row], &ada()).await.unwrap()
            })
        })
        .collect();

    let (mut done, mut again) = (Vec::new(), Vec::new());
    for caller in callers {
        match caller.await.unwrap() {
            Once::Done(inserted) => done.push(inserted),
            Once::Again(inserted) => again.push(inserted),
            Once::Other => panic!("it is the same request"),
        }
    }

    assert_eq!((done.len(), again.len()), (1, 19));
    assert!(again.iter().all(|answer| *answer == done[0]), "{again:?}");
    let jobs = t.store.jobs(&Scope::Installation, &Default::default()).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [done[0][0].id]);
    let audit = t.audited_behind(store::Position::START, 10).await;
    assert_eq!(audit.len(), 1);
}

async fn what_was_answered_is_answered_again_whatever_became_of_the_jobs(t: TestStore) {
    let holder = t.add(|row| row.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting)).await;
    let mut duplicate = t.row();
    duplicate.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting);
    let rows = [t.row(), duplicate];
    let Once::Done(first) =
        t.store.insert_once(&Scope::Installation, &request(1, 1), &rows, &ada()).await.unwrap()
    else {
        panic!("it is new")
    };
    assert_eq!((first[1].id, first[1].duplicate), (holder, true));
    t.change(holder, Change::Cancel).await;

    let again = t.store.insert_once(&Scope::Installation, &request(1, 1), &rows, &ada()).await.unwrap();

    assert_eq!(again, Once::Again(first));
}

async fn a_key_with_another_request_writes_nothing(t: TestStore) {
    t.store.insert_once(&Scope::Installation, &request(1, 1), &[t.row()], &ada()).await.unwrap();

    let row = t.row();
    let other = t
        .store
        .insert_once(&Scope::Installation, &request(1, 2), std::slice::from_ref(&row), &ada())
        .await
        .unwrap();

    assert_eq!((other, t.store.job(&Scope::Installation, row.id).await.unwrap()), (Once::Other, None));
}

async fn a_request_that_fails_leaves_nothing(t: TestStore) {
    let mut orphan = t.row();
    orphan.after = vec![JobId(uuid::Uuid::nil())];
    let failed = t.store.insert_once(&Scope::Installation, &request(1, 1), &[orphan], &ada()).await;
    assert!(matches!(failed, Err(StoreError::Refused(_))), "{failed:?}");

    let other = t.store.insert_once(&Scope::Installation, &request(1, 2), &[t.row()], &ada()).await.unwrap();

    assert!(matches!(other, Once::Done(_)), "{other:?}");
}

async fn a_change_is_made_once_through_all_doors(t: TestStore) {
    let worker = t.worker().await;
    let job = t.add(|_| {}).await;
    t.run(worker, discarded()).await;
    let doors = [t.store.clone(), t.another().await];
    let callers: Vec<_> = (0..20)
        .map(|n| {
            let store = doors[n % 2].clone();
            tokio::spawn(async move {
                store
                    .change_once(&Scope::Installation, &request(1, 1), job, Change::Retry, &ada())
                    .await
                    .unwrap()
            })
        })
        .collect();

    let (mut done, mut again) = (Vec::new(), Vec::new());
    for caller in callers {
        match caller.await.unwrap() {
            Once::Done(changed) => done.push(changed),
            Once::Again(changed) => again.push(changed),
            Once::Other => panic!("it is the same request"),
        }
    }

    assert_eq!((done.len(), &done[0].ids, again.len()), (1, &vec![job], 19));
    assert!(again.iter().all(|answer| *answer == done[0]), "{again:?}");
    t.run(worker, discarded()).await;
    let late =
        t.store.change_once(&Scope::Installation, &request(1, 1), job, Change::Retry, &ada()).await.unwrap();
    assert_eq!((late, t.state(job).await), (Once::Again(done.remove(0)), JobState::Discarded));
    let other =
        t.store.change_once(&Scope::Installation, &request(1, 2), job, Change::Retry, &ada()).await.unwrap();
    assert_eq!((other, t.state(job).await), (Once::Other, JobState::Discarded));
    let retried = t.audit().await.iter().filter(|entry| entry.action == "job.retry").count();
    assert_eq!(retried, 1);
}

async fn a_change_that_a_job_cannot_take_leaves_its_key_free(t: TestStore) {
    let worker = t.worker().await;
    let job = t.add(|_| {}).await;
    let retry = async || {
        t.store.change_once(&Scope::Installation, &request(1, 1), job, Change::Retry, &ada()).await.unwrap()
    };

    let Once::Done(refused) = retry().await else { panic!("it was not asked before") };
    assert_eq!((refused.ids.len(), refused.refused[0].0), (0, job));
    t.run(worker, discarded()).await;

    assert!(matches!(retry().await, Once::Done(changed) if changed.ids == [job]));
    t.run(worker, completed()).await;
    let done =
        t.store.change_once(&Scope::Installation, &request(2, 1), job, Change::Retry, &ada()).await.unwrap();
    assert!(matches!(done, Once::Done(changed) if changed.ids.is_empty() && changed.refused.len() == 1));
    assert_eq!(t.state(job).await, JobState::Completed);
}

async fn a_firing_is_done_once_and_one_that_is_lost_leaves_its_key_free(t: TestStore) {
    let now = t.clock.now();
    let row = t.row();
    let firing = Firing {
        name: "close".into(),
        jobs: vec![(now, row.clone())],
        cancel: Vec::new(),
        occasion: Occasion::Run,
        details: json!({ "fire_time": now }),
        news: Vec::new(),
    };
    let fire = async |asked: u8| {
        t.store.fire_once(&Scope::Installation, &request(1, asked), &firing, &ada()).await.unwrap()
    };
    assert_eq!(fire(1).await, Once::Done(Fired::Lost), "there is no such schedule");
    let put = PutSchedule {
        name: "close".into(),
        source: Source::Api,
        definition: "{}".into(),
        digest: String::new(),
        enabled: true,
        next_fire: None,
        revision: None,
    };
    assert!(t.store.put_schedule(&Scope::Installation, &put, &ada()).await.unwrap());

    let first = fire(2).await;
    let again = fire(2).await;

    let fired = Fired::Enqueued(vec![(now, Inserted { id: row.id, duplicate: false })]);
    assert_eq!((first, again), (Once::Done(fired.clone()), Once::Again(fired)));
    assert_eq!(fire(3).await, Once::Other);
    let runs = t.audit().await.iter().filter(|entry| entry.action == "schedule.run").count();
    assert_eq!(runs, 1);
}

async fn old_requests_are_forgotten_the_oldest_first(t: TestStore) {
    for key in 1..=3 {
        t.store.insert_once(&Scope::Installation, &request(key, 1), &[t.row()], &ada()).await.unwrap();
        t.clock.advance(seconds(10));
    }

    assert_eq!(t.store.forget_requests(Duration::from_secs(15), 1).await.unwrap(), 1);

    let again = async |key| {
        t.store.insert_once(&Scope::Installation, &request(key, 1), &[t.row()], &ada()).await.unwrap()
    };
    assert!(matches!(again(1).await, Once::Done(_)));
    assert!(matches!(again(2).await, Once::Again(_)));
    assert_eq!(t.store.forget_requests(Duration::from_secs(15), 10).await.unwrap(), 1);
    assert!(matches!(again(3).await, Once::Again(_)));
}
