use store::{Change, Woken};

use crate::support::store::{TestStore, promises};

promises![every_listener_hears_which_queue_was_woken, listeners_hear_that_a_running_job_is_to_be_cancelled];

async fn every_listener_hears_which_queue_was_woken(t: TestStore) {
    let mut first = t.store.listen().await.unwrap();
    let mut second = t.store.listen().await.unwrap();

    t.store.wake("default").await.unwrap();

    let woken = Some(Woken::Queue("default".into()));
    assert_eq!((first.recv().await, second.recv().await), (woken.clone(), woken));
}

async fn listeners_hear_that_a_running_job_is_to_be_cancelled(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    t.claim(worker, 1).await;
    let mut listener = t.store.listen().await.unwrap();

    t.change(id, Change::Cancel).await;

    assert_eq!(listener.recv().await, Some(Woken::Cancel));
}
