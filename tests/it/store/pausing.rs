//! Pauses: of buckets and of queues, by people and by jobs, with an end and without. And circuit breakers.

use jobkit::{Admission, CallEnd, Clock};
use store::breaker::BreakerRules;
use store::{Held, HoldOff, LimitedClaim, Scope, StoreError};

use super::limits::{at_once, rules};
use crate::support::store::{QUEUE, TestStore, ada, ids, promises, seconds, set};

promises![
    a_paused_bucket_rests_until_its_time_and_no_longer,
    a_paused_queue_gives_no_limited_jobs_either,
    a_queue_paused_until_a_time_resumes_by_itself,
    what_a_job_found_out_holds_for_others_and_is_audited,
    a_person_who_paused_longer_is_not_overruled,
    who_lost_the_lease_holds_nothing_off,
    a_provider_that_fails_is_left_alone_and_one_tries_again,
];

async fn a_paused_bucket_rests_until_its_time_and_no_longer(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 5)]);
    let jobs = t.add_in("x/1", 2).await;
    let until = t.clock.now() + seconds(30);

    t.store.pause_bucket("x/1", until, &ada(), "the provider is down").await.unwrap();

    let claim = t.limited(worker, 1, &rules).await;
    assert_eq!((claim.jobs.len(), claim.again), (0, Some(seconds(30))));
    let row = t.bucket("x/1").await;
    assert_eq!((row.paused_until, row.reason.as_deref()), (Some(until), Some("the provider is down")));
    t.clock.advance(seconds(30));
    assert_eq!(ids(&t.limited(worker, 1, &rules).await.jobs), jobs[..1]);

    t.store.pause_bucket("x/1", until + seconds(60), &ada(), "").await.unwrap();
    t.store.resume_bucket("x/1", &ada()).await.unwrap();

    assert_eq!(ids(&t.limited(worker, 1, &rules).await.jobs), jobs[1..]);
    let told: Vec<_> = t.audit().await.into_iter().map(|entry| (entry.action, entry.object)).collect();
    let wanted = ["limit.pause", "limit.pause", "limit.resume"].map(|action| (action.into(), "x/1".into()));
    assert_eq!(told, wanted);
}

async fn a_paused_queue_gives_no_limited_jobs_either(t: TestStore) {
    let worker = t.worker().await;
    t.add_in("x/1", 1).await;
    t.store.pause(QUEUE, None, &ada(), "").await.unwrap();

    let claim = t.limited(worker, 1, &rules([at_once("x", 5)])).await;

    assert_eq!(claim, LimitedClaim::default());
}

async fn a_queue_paused_until_a_time_resumes_by_itself(t: TestStore) {
    let worker = t.worker().await;
    let plain = t.add_many(1).await;
    let tenants = t.add(|row| row.tenant = Some("acme".into())).await;
    let limited = t.add_in("x/1", 1).await;
    let until = t.clock.now() + seconds(30);
    t.store.pause(QUEUE, Some(until), &ada(), "month end").await.unwrap();
    assert_eq!(t.claim(worker, 5).await, []);
    assert_eq!(t.store.ready_queues().await.unwrap(), [""; 0]);
    assert_eq!(t.store.queues(&Scope::Installation).await.unwrap()[0].resume_at, Some(until));

    t.clock.advance(seconds(30));

    assert_eq!(t.store.ready_queues().await.unwrap(), [QUEUE]);
    let row = t.store.queues(&Scope::Installation).await.unwrap().remove(0);
    assert_eq!((row.paused_at, row.paused_by, row.reason, row.resume_at), (None, None, None, None));
    assert_eq!(set(ids(&t.claim(worker, 5).await)), set([plain[0], tenants]));
    assert_eq!(ids(&t.limited(worker, 5, &rules([at_once("x", 5)])).await.jobs), limited);

    // A pause that is over is none: the next begins anew.
    t.store.pause(QUEUE, None, &ada(), "").await.unwrap();
    assert_eq!(t.store.queues(&Scope::Installation).await.unwrap()[0].paused_at, Some(t.clock.now()));
    t.store.resume(QUEUE, &ada()).await.unwrap();
    assert_eq!(t.store.queues(&Scope::Installation).await.unwrap()[0].paused_at, None);
}

async fn what_a_job_found_out_holds_for_others_and_is_audited(t: TestStore) {
    let worker = t.worker().await;
    let rules = rules([at_once("x", 5)]);
    t.add_in("x/1", 2).await;
    let job = t.limited(worker, 1, &rules).await.jobs.remove(0);
    let plain = t.add_many(1).await;
    let by = store::Actor::new(format!("job:{}", job.id));

    for what in [HoldOff::Bucket("x/1".into()), HoldOff::Queue(QUEUE.into())] {
        t.store.hold_off(job.held(), &what, seconds(60), &by, "429 Too Many Requests").await.unwrap();
    }

    assert_eq!(t.claim(worker, 5).await, []);
    let row = t.store.queues(&Scope::Installation).await.unwrap().remove(0);
    assert_eq!((row.resume_at, row.paused_by), (Some(t.clock.now() + seconds(60)), Some(by.name.clone())));
    assert_eq!(t.bucket("x/1").await.paused_until, Some(t.clock.now() + seconds(60)));
    let told: Vec<_> = t.audit().await.into_iter().map(|entry| (entry.actor, entry.action)).collect();
    assert_eq!(told, [(by.name.clone(), "limit.pause".into()), (by.name.clone(), "queue.pause".into())]);
    t.clock.advance(seconds(60));
    assert_eq!(ids(&t.claim(worker, 5).await), plain);
}

async fn a_person_who_paused_longer_is_not_overruled(t: TestStore) {
    let worker = t.worker().await;
    t.add_in("x/1", 1).await;
    let job = t.limited(worker, 1, &rules([at_once("x", 5)])).await.jobs.remove(0);
    let later = t.clock.now() + seconds(600);
    t.store.pause_bucket("x/1", later, &ada(), "audit").await.unwrap();
    t.store.pause(QUEUE, None, &ada(), "audit").await.unwrap();

    for what in [HoldOff::Bucket("x/1".into()), HoldOff::Queue(QUEUE.into())] {
        t.store.hold_off(job.held(), &what, seconds(60), &ada(), "429").await.unwrap();
    }

    assert_eq!(t.bucket("x/1").await.paused_until, Some(later));
    let row = t.store.queues(&Scope::Installation).await.unwrap().remove(0);
    assert_eq!((row.resume_at, row.reason.as_deref()), (None, Some("audit")));
}

async fn who_lost_the_lease_holds_nothing_off(t: TestStore) {
    let worker = t.worker().await;
    t.add_in("x/1", 1).await;
    let job = t.limited(worker, 1, &rules([at_once("x", 5)])).await.jobs.remove(0);
    let old = Held { fence: store::Fence(job.fence.0 - 1), ..job.held() };

    let refused =
        t.store.hold_off(old, &HoldOff::Queue(QUEUE.into()), seconds(60), &ada(), "").await.unwrap_err();

    assert!(matches!(refused, StoreError::LeaseLost), "{refused:?}");
    assert_eq!(t.store.queues(&Scope::Installation).await.unwrap()[0].paused_at, None);
    assert_eq!(t.audit().await, []);
}

async fn a_provider_that_fails_is_left_alone_and_one_tries_again(t: TestStore) {
    let breaker = BreakerRules { failures: 2, cool_down: seconds(30) };
    let other = t.another().await;
    let enter = async || other.enter_breaker("docusign:acct", breaker).await.unwrap();
    let leave = async |end| t.store.leave_breaker("docusign:acct", end, breaker).await.unwrap();

    for end in [CallEnd::Failed, CallEnd::Answered, CallEnd::Failed, CallEnd::Unknown] {
        leave(end).await;
        assert_eq!(enter().await, Admission::Go, "not twice in a row: {end:?}");
    }
    leave(CallEnd::Failed).await;
    assert_eq!(enter().await, Admission::Wait(seconds(30)));
    assert_eq!(other.enter_breaker("docusign:other", breaker).await.unwrap(), Admission::Go);
    let rows = t.store.breakers().await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.failures, row.open_until)).collect();
    assert_eq!(told, [("docusign:acct", 2, Some(t.clock.now() + seconds(30)))]);

    t.clock.advance(seconds(30));
    assert_eq!(enter().await, Admission::Go);
    assert_eq!(enter().await, Admission::Wait(seconds(30)), "one tries");
    leave(CallEnd::Unknown).await;
    assert_eq!(
        enter().await,
        Admission::Wait(seconds(30)),
        "it may have been another, and then somebody still tries"
    );
    t.clock.advance(seconds(30));
    assert_eq!(enter().await, Admission::Go, "who tried was never heard of");
    leave(CallEnd::Failed).await;
    assert_eq!(enter().await, Admission::Wait(seconds(30)));
    t.clock.advance(seconds(30));
    assert_eq!(enter().await, Admission::Go);
    leave(CallEnd::Answered).await;

    assert_eq!((enter().await, enter().await), (Admission::Go, Admission::Go));
    assert_eq!(t.store.breakers().await.unwrap(), []);
    let told = t.audit().await;
    let told: Vec<_> = told.iter().map(|entry| (entry.action.as_str(), entry.object.as_str())).collect();
    assert_eq!(told, [("breaker.open", "docusign:acct"), ("breaker.close", "docusign:acct")]);
}
