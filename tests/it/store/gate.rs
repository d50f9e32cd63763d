//! A gate against collapse: a statement whose plan turns quadratic is invisible at small batches and ruins
//! large ones. Ten-fold is a collapse; ten per cent is the weather.

use std::time::{Duration, Instant};

use store::WorkerId;

use crate::support::store::{TestStore, completed, promises, report};

promises![larger_batches_are_not_slower_per_job, many_jobs_in_hand_do_not_slow_each_other_down];

async fn larger_batches_are_not_slower_per_job(t: TestStore) {
    let worker = t.worker().await;
    for _ in 0..5 {
        t.add_many(2_000).await;
    }

    let per_job = [
        drain(&t, worker, 10, 1_000).await,
        drain(&t, worker, 100, 2_000).await,
        drain(&t, worker, 500, 4_000).await,
    ];

    for slower in &per_job[1..] {
        assert!(*slower < per_job[0] * 10, "a job at batches of 10, 100 and 500: {per_job:?}");
    }
}

/// A worker of quick jobs has thousands in hand.
async fn many_jobs_in_hand_do_not_slow_each_other_down(t: TestStore) {
    let worker = t.worker().await;
    for _ in 0..4 {
        t.add_many(2_000).await;
    }
    let few = drain(&t, worker, 100, 1_000).await;

    let in_hand = t.claim(worker, 5_000).await;
    let many = drain(&t, worker, 100, 1_000).await;

    assert_eq!(in_hand.len(), 5_000);
    assert!(many < few * 10, "a job beside none and beside 5,000 others: {few:?}, {many:?}");
}

/// The mean time of a job through claim and finish.
#[expect(clippy::disallowed_methods, reason = "the gate is about real time")]
async fn drain(t: &TestStore, worker: WorkerId, batch: usize, jobs: u32) -> Duration {
    let started = Instant::now();
    let mut done = 0;
    while done < jobs {
        let claimed = t.claim(worker, batch).await;
        assert_eq!(claimed.len(), batch);
        let reports: Vec<_> = claimed.iter().map(|job| report(job, completed())).collect();
        assert_eq!(t.store.finish(worker, &reports).await.unwrap().refused, []);
        done += u32::try_from(batch).unwrap();
    }
    started.elapsed() / done
}
