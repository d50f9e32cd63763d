use std::sync::Arc;

use jobkit::OnConflict;
use store::state::JobState;
use store::{Change, Release, Scope};
use tokio::sync::Barrier;

use crate::support::store::{TestStore, ada, completed, ids, promises, report, set, unique};

promises![
    two_processes_never_claim_the_same_job,
    two_processes_enqueue_one_job_per_key,
    two_processes_report_on_one_attempt_once,
    two_processes_that_rescue_the_same_worker_rescue_its_jobs_once,
    a_cancellation_and_a_completion_leave_one_end,
    what_one_process_writes_the_other_sees,
    processes_that_start_at_once_all_find_the_schema,
];

const PROCESSES: usize = 4;

async fn two_processes_never_claim_the_same_job(t: TestStore) {
    let added = t.add_many(400).await;
    let start = Arc::new(Barrier::new(PROCESSES));
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let (store, start, worker) = (t.another().await, start.clone(), t.worker().await);
        processes.push(tokio::spawn(async move {
            start.wait().await;
            let mut claimed = Vec::new();
            loop {
                let batch = store.claim(worker, "default", 7).await.unwrap();
                if batch.is_empty() {
                    return claimed;
                }
                claimed.extend(ids(&batch));
            }
        }));
    }
    let mut claimed = Vec::new();
    for process in processes {
        claimed.extend(process.await.unwrap());
    }

    assert_eq!(claimed.len(), added.len(), "nothing is claimed twice");
    assert_eq!(set(claimed), set(added));
}

async fn two_processes_enqueue_one_job_per_key(t: TestStore) {
    let start = Arc::new(Barrier::new(PROCESSES));
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let (store, start) = (t.another().await, start.clone());
        let mut row = t.row();
        row.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting);
        processes.push(tokio::spawn(async move {
            start.wait().await;
            store.insert(&Scope::Installation, &[row], &ada()).await.unwrap()[0]
        }));
    }
    let mut answers = Vec::new();
    for process in processes {
        answers.push(process.await.unwrap());
    }

    let made: Vec<_> = answers.iter().filter(|answer| !answer.duplicate).collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    assert_eq!(set(answers.iter().map(|answer| answer.id)), set([made[0].id]));
}

async fn two_processes_report_on_one_attempt_once(t: TestStore) {
    let worker = t.worker().await;
    let added = t.add_many(20).await;
    let jobs = t.claim(worker, 20).await;
    let reports: Vec<_> = jobs.iter().map(|job| report(job, completed())).collect();
    let start = Arc::new(Barrier::new(PROCESSES));
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let (store, start, reports) = (t.another().await, start.clone(), reports.clone());
        processes.push(tokio::spawn(async move {
            start.wait().await;
            store.finish(worker, &reports).await.unwrap().refused
        }));
    }
    for process in processes {
        assert_eq!(process.await.unwrap(), [], "an earlier try recorded them");
    }

    assert_eq!(t.states(&added).await, vec![JobState::Completed; 20]);
    let audit = t.audit().await;
    let named: Vec<_> = audit.iter().flat_map(crate::support::store::named).collect();
    assert_eq!(named.len(), 20, "each job ends once: {audit:?}");
}

async fn two_processes_that_rescue_the_same_worker_rescue_its_jobs_once(t: TestStore) {
    let worker = t.worker().await;
    let added = t.add_many(10).await;
    t.claim(worker, 10).await;
    let start = Arc::new(Barrier::new(PROCESSES));
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let (store, start) = (t.another().await, start.clone());
        processes.push(tokio::spawn(async move {
            start.wait().await;
            store.rescue(worker, 0).await.unwrap()
        }));
    }
    let mut rescued = Vec::new();
    for process in processes {
        rescued.extend(process.await.unwrap().into_iter().map(|job| job.id));
    }

    assert_eq!(rescued.len(), 10);
    assert_eq!(set(rescued), set(added));
}

async fn a_cancellation_and_a_completion_leave_one_end(t: TestStore) {
    let worker = t.worker().await;
    for _ in 0..10 {
        let id = t.add(|_| {}).await;
        let job = t.claim_one(worker).await;
        let start = Arc::new(Barrier::new(2));
        let (canceller, at) = (t.another().await, start.clone());
        let cancel = tokio::spawn(async move {
            at.wait().await;
            let filter = store::JobFilter { ids: vec![id], ..Default::default() };
            canceller.change(&Scope::Installation, &filter, Change::Cancel, &ada(), 1).await.unwrap()
        });
        start.wait().await;
        assert_eq!(t.finish(worker, &job, completed()).await.refused, []);
        let cancelled = cancel.await.unwrap();

        assert_eq!(t.state(id).await, JobState::Completed);
        assert_eq!(cancelled.ids, []);
        assert_eq!(cancelled.asked.len() + cancelled.refused.len(), 1, "{cancelled:?}");
    }
}

async fn what_one_process_writes_the_other_sees(t: TestStore) {
    let other = t.another().await;
    let id = t.add(|_| {}).await;

    assert_eq!(other.job(&Scope::Installation, id).await.unwrap().unwrap().job.id, id);
    assert_eq!(other.ready_queues().await.unwrap(), ["default"]);
}

async fn processes_that_start_at_once_all_find_the_schema(t: TestStore) {
    let empty = t.empty().await;
    let start = Arc::new(Barrier::new(PROCESSES));
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let (door, start) = (empty.clone(), start.clone());
        processes.push(tokio::spawn(async move {
            start.wait().await;
            let store = door.open().await;
            store.migrate().await.unwrap();
            store.ready_queues().await.unwrap()
        }));
    }
    for process in processes {
        assert_eq!(process.await.unwrap(), [] as [String; 0]);
    }
}
