//! What a Redis adds, and that nothing is missing without it.

use std::time::Duration;

use jobkit::JobId;
use store::Scope;
use store::state::JobState;

use super::Engine;
use super::family::{Act, act};
use crate::support::redis::RedisServer;
use crate::support::store::{TestStore, promises};

promises![
    another_process_is_woken_through_redis_at_once,
    without_redis_the_poll_finds_the_job_and_when_it_is_back_it_wakes_again,
    a_running_job_is_cancelled_by_another_process_at_once,
    who_reads_along_hears_of_news_in_another_process,
];

/// While the clock stands still, so that no poll can be the reason.
async fn reaches(engine: &Engine, id: JobId, state: JobState) -> bool {
    for _ in 0..2_000 {
        if engine.t.state(id).await == state {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

/// One process that works, and another that only enqueues.
async fn two(t: TestStore, server: &RedisServer) -> (Engine, Engine) {
    let here = t.second().await;
    let there = t.another().await;
    let works = Engine::on_redis(t.clone(), t.store.clone(), server.redis());
    (works, Engine::on_redis(here, there, server.redis()))
}

/// The worker has looked at all queues and listens.
async fn settled(works: &Engine, asks: &Engine) {
    let first = asks.enqueue(act(Act::Succeed)).await;
    works.until_state(first, JobState::Completed).await;
}

async fn another_process_is_woken_through_redis_at_once(t: TestStore) {
    let server = RedisServer::start();
    let (works, asks) = two(t, &server).await;
    let worker = works.start();
    settled(&works, &asks).await;

    let id = asks.enqueue(act(Act::Succeed)).await;

    assert!(reaches(&works, id, JobState::Completed).await);
    works.end(worker).await;
}

async fn without_redis_the_poll_finds_the_job_and_when_it_is_back_it_wakes_again(t: TestStore) {
    let server = RedisServer::start();
    let (works, asks) = two(t, &server).await;
    let worker = works.start();
    settled(&works, &asks).await;

    server.stop();
    let id = asks.enqueue(act(Act::Succeed)).await;
    works.until_state(id, JobState::Completed).await;

    server.start_again();
    // The listener comes back by itself; then a job is run though no poll is due.
    let mut woken = false;
    for _ in 0..50 {
        works.t.clock.advance(Duration::from_secs(2));
        tokio::time::sleep(Duration::from_millis(20)).await;
        let id = asks.enqueue(act(Act::Succeed)).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        woken = works.t.state(id).await == JobState::Completed;
        if woken {
            break;
        }
    }
    assert!(woken);
    works.end(worker).await;
}

async fn a_running_job_is_cancelled_by_another_process_at_once(t: TestStore) {
    let server = RedisServer::start();
    let (works, asks) = two(t, &server).await;
    let worker = works.start();
    let id = asks.enqueue(act(Act::WaitAtGate)).await;
    works.until_state(id, JobState::Running).await;
    settled(&works, &asks).await;

    let filter = store::JobFilter { ids: vec![id], ..Default::default() };
    asks.app
        .queue
        .change(&Scope::Installation, &filter, store::Change::Cancel, &crate::support::store::ada(), 1)
        .await
        .unwrap();

    assert!(reaches(&works, id, JobState::Cancelled).await);
    works.end(worker).await;
}

async fn who_reads_along_hears_of_news_in_another_process(t: TestStore) {
    let server = RedisServer::start();
    let (works, asks) = two(t, &server).await;
    let worker = works.start();
    settled(&works, &asks).await;
    let mut hints = asks.app.hints();
    let listening = asks.start();
    asks.until("the listener has come", || async { hints.has_changed().unwrap() }).await;
    hints.mark_unchanged();

    let id = works.enqueue(act(Act::Succeed)).await;

    tokio::time::timeout(Duration::from_secs(20), hints.changed()).await.unwrap().unwrap();
    assert!(reaches(&works, id, JobState::Completed).await);
    works.end(worker).await;
    asks.end(listening).await;
}
