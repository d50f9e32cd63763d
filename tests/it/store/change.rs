use jobkit::{Clock, When};
use serde_json::json;
use store::state::JobState;
use store::{Actor, Beat, Change, Changed, JobFilter, Scope};

use crate::support::store::{TestStore, ada, completed, discarded, ids, promises, retry, seconds, set, step};

promises![
    a_dead_letter_runs_again_under_its_own_name,
    used_up_attempts_are_granted_anew_each_time,
    attempts_that_are_left_are_not_added_to,
    what_waits_for_a_time_runs_now,
    what_is_not_running_is_cancelled_at_once,
    a_running_job_is_asked_to_stop_and_goes_on_until_it_does,
    a_discarded_job_waits_for_a_person,
    a_job_named_by_id_that_cannot_take_it_is_refused_with_the_reason,
    a_job_that_does_not_exist_is_refused_by_name,
    a_filter_changes_only_what_it_matches,
    a_filter_by_a_state_that_cannot_take_it_changes_nothing,
    an_empty_filter_means_everything_that_can_take_it,
    no_more_than_the_limit_is_changed_newest_first,
    named_jobs_beyond_the_limit_are_left_and_not_refused,
    a_limit_of_zero_changes_nothing,
    those_who_were_asked_to_stop_are_not_asked_in_the_place_of_others,
    the_entry_of_a_change_tells_its_conditions_and_its_jobs,
];

async fn those_who_were_asked_to_stop_are_not_asked_in_the_place_of_others(t: TestStore) {
    let worker = t.worker().await;
    let jobs = t.add_many(3).await;
    t.claim(worker, 3).await;
    let (bob, one) = (Actor::new("user:bob"), 1);
    let ask = async |by: &Actor| {
        t.store
            .change(&Scope::Installation, &JobFilter::default(), Change::Cancel, by, one)
            .await
            .unwrap()
            .asked
    };

    assert_eq!([ask(&ada()).await, ask(&bob).await], [[jobs[2]], [jobs[1]]]);
    // By name it may be asked again, and whoever asked first is the one who is named.
    assert_eq!(t.change(jobs[1], Change::Cancel).await.asked, [jobs[1]]);
    let Beat::Holds { mut cancel } = t.store.beat(worker).await.unwrap() else { panic!("it lives") };
    cancel.sort();
    let told = [(jobs[1], "cancelled by user:bob".into()), (jobs[2], "cancelled by user:ada".into())];
    assert_eq!(cancel, told);
}

async fn a_dead_letter_runs_again_under_its_own_name(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|row| row.tags = vec!["keep".into()]).await;
    let job = t.claim_one(worker).await;
    let step = step(id, "send", Some(7.into()), &t.clock);
    t.store.save_step(job.held(), &step).await.unwrap();
    t.finish(worker, &job, discarded()).await;
    let created_at = t.job(id).await.job.created_at;
    t.clock.advance(seconds(60));

    let changed = t.change(id, Change::Retry).await;

    assert_eq!(changed, Changed { ids: vec![id], woken: vec!["default".into()], ..Changed::default() });
    let detail = t.job(id).await;
    assert_eq!((detail.job.state, detail.job.run_at), (JobState::Available, t.clock.now()));
    assert_eq!((detail.job.created_at, detail.job.finished_at), (created_at, None));
    assert_eq!((detail.job.tags, detail.steps.len()), (vec!["keep".to_string()], 1));
    assert_eq!(detail.attempts.len(), 1, "what happened stays told");
    let again = t.claim_one(worker).await;
    assert_eq!((again.id, again.attempt, again.fence.0), (id, 2, job.fence.0 + 1));
}

async fn used_up_attempts_are_granted_anew_each_time(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|row| row.max_attempts = 1).await;

    for most in [2, 3] {
        t.run(worker, discarded()).await;
        t.change(id, Change::Retry).await;
        assert_eq!(t.job(id).await.job.max_attempts, most);
    }
}

async fn attempts_that_are_left_are_not_added_to(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|row| row.max_attempts = 3).await;
    t.run(worker, discarded()).await;

    t.change(id, Change::Retry).await;

    assert_eq!(t.job(id).await.job.max_attempts, 3);
}

async fn what_waits_for_a_time_runs_now(t: TestStore) {
    let worker = t.worker().await;
    let failed = t.add(|_| {}).await;
    t.run(worker, retry(3_600)).await;
    let later = t.add(|row| row.when = When::After(seconds(3_600))).await;

    let filter = JobFilter { ids: vec![failed, later], ..JobFilter::default() };
    let changed = t.store.change(&Scope::Installation, &filter, Change::Retry, &ada(), 10).await.unwrap();

    assert_eq!((set(changed.ids), changed.woken), (set([failed, later]), vec!["default".to_string()]));
    assert_eq!(t.job(later).await.job.run_at, t.clock.now());
    assert_eq!(set(ids(&t.claim(worker, 5).await)), set([failed, later]));
}

async fn what_is_not_running_is_cancelled_at_once(t: TestStore) {
    let worker = t.worker().await;
    let failed = t.add(|_| {}).await;
    t.run(worker, retry(60)).await;
    let available = t.add(|_| {}).await;
    let later = t.add(|row| row.when = When::After(seconds(60))).await;
    let waiting = t.add(|row| row.after = vec![later]).await;

    // The child before its parent, or it would be gone when its turn comes.
    for id in [failed, available, waiting, later] {
        let changed = t.change(id, Change::Cancel).await;
        assert_eq!((changed.ids, changed.asked, changed.refused), (vec![id], vec![], vec![]));
        let job = t.job(id).await.job;
        assert_eq!((job.state, job.finished_at), (JobState::Cancelled, Some(t.clock.now())));
        assert_eq!(job.error.as_deref(), Some("cancelled by user:ada"));
    }
    assert_eq!(t.claim(worker, 5).await, []);
}

async fn a_running_job_is_asked_to_stop_and_goes_on_until_it_does(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;
    let job = t.claim_one(worker).await;

    let changed = t.change(id, Change::Cancel).await;

    assert_eq!(changed, Changed { asked: vec![id], ..Changed::default() });
    assert_eq!(t.state(id).await, JobState::Running);
    let end = store::End::Cancelled { reason: "cancelled by user:ada".into() };
    assert_eq!(t.finish(worker, &job, end).await.refused, []);
    assert_eq!(t.state(id).await, JobState::Cancelled);
}

async fn a_discarded_job_waits_for_a_person(t: TestStore) {
    let worker = t.worker().await;
    let id = t.add(|_| {}).await;

    let changed = t.change(id, Change::Discard).await;

    assert_eq!(changed.ids, [id]);
    let job = t.job(id).await.job;
    assert_eq!((job.state, job.error.as_deref()), (JobState::Discarded, Some("discarded by user:ada")));
    t.change(id, Change::Retry).await;
    assert_eq!(t.claim_one(worker).await.id, id);
}

async fn a_job_named_by_id_that_cannot_take_it_is_refused_with_the_reason(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let done = t.run(worker, completed()).await;
    let running = t.add(|_| {}).await;
    t.claim_one(worker).await;

    for (id, change, state) in [
        (done, Change::Retry, "completed"),
        (done, Change::Cancel, "completed"),
        (running, Change::Discard, "running"),
    ] {
        let changed = t.change(id, change).await;
        assert_eq!((changed.ids, changed.asked), (vec![], vec![]));
        let [(refused, reason)] = changed.refused.as_slice() else { panic!("one: {:?}", changed.refused) };
        assert_eq!(*refused, id);
        assert!(reason.contains(state), "{reason}");
    }
    assert_eq!(t.states(&[done, running]).await, [JobState::Completed, JobState::Running]);
}

async fn a_job_that_does_not_exist_is_refused_by_name(t: TestStore) {
    let unknown = t.ids.next();

    let changed = t.change(unknown, Change::Cancel).await;

    assert_eq!(changed.refused, [(unknown, "no such job".to_string())]);
}

async fn a_filter_changes_only_what_it_matches(t: TestStore) {
    let matches = t
        .add(|row| {
            row.kind = "a.kind".into();
            row.queue = "q".into();
            row.tenant = Some("acme".into());
            row.tags = vec!["x".into(), "y".into()];
        })
        .await;
    let mut others = Vec::new();
    for (kind, queue, tenant, tag) in [
        ("b.kind", "q", "acme", "x"),
        ("a.kind", "p", "acme", "x"),
        ("a.kind", "q", "other", "x"),
        ("a.kind", "q", "acme", "z"),
    ] {
        let other = t.add(|row| {
            row.kind = kind.into();
            row.queue = queue.into();
            row.tenant = Some(tenant.into());
            row.tags = vec![tag.into()];
        });
        others.push(other.await);
    }

    let filter = JobFilter {
        kinds: vec!["a.kind".into()],
        queues: vec!["q".into()],
        tenants: vec!["acme".into()],
        tags: vec!["x".into()],
        ..JobFilter::default()
    };
    let changed = t.store.change(&Scope::Installation, &filter, Change::Cancel, &ada(), 10).await.unwrap();

    assert_eq!(changed, Changed { ids: vec![matches], ..Changed::default() });
    assert_eq!(t.states(&others).await, [JobState::Available; 4]);
}

async fn a_filter_by_a_state_that_cannot_take_it_changes_nothing(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let done = t.run(worker, completed()).await;
    let filter = JobFilter { states: vec![JobState::Completed], ..JobFilter::default() };

    let changed = t.store.change(&Scope::Installation, &filter, Change::Retry, &ada(), 10).await.unwrap();

    assert_eq!(changed, Changed::default());
    assert_eq!(t.state(done).await, JobState::Completed);
}

async fn an_empty_filter_means_everything_that_can_take_it(t: TestStore) {
    let worker = t.worker().await;
    let added = t.add_many(4).await;
    let jobs = t.claim(worker, 3).await;
    t.finish(worker, &jobs[0], completed()).await;
    t.finish(worker, &jobs[1], discarded()).await;

    let changed = t
        .store
        .change(&Scope::Installation, &JobFilter::default(), Change::Cancel, &ada(), 10)
        .await
        .unwrap();
    assert_eq!((changed.ids, changed.asked, changed.refused), (vec![added[3]], vec![added[2]], vec![]));

    let changed =
        t.store.change(&Scope::Installation, &JobFilter::default(), Change::Retry, &ada(), 10).await.unwrap();
    assert_eq!(set(changed.ids), set([added[1], added[3]]));
}

async fn named_jobs_beyond_the_limit_are_left_and_not_refused(t: TestStore) {
    let added = t.add_many(3).await;
    let filter = JobFilter { ids: added.clone(), ..JobFilter::default() };

    let changed = t.store.change(&Scope::Installation, &filter, Change::Cancel, &ada(), 2).await.unwrap();

    assert_eq!((set(changed.ids), changed.refused), (set(added[1..].iter().copied()), vec![]));
    assert_eq!(t.state(added[0]).await, JobState::Available);
}

async fn a_limit_of_zero_changes_nothing(t: TestStore) {
    let id = t.add(|_| {}).await;

    for limit in [None, Some(0), Some(9)] {
        let filter = JobFilter { limit, ..JobFilter::default() };
        let changed = t.store.change(&Scope::Installation, &filter, Change::Cancel, &ada(), 0).await.unwrap();
        assert_eq!(changed, Changed::default(), "{limit:?}");
    }
    assert_eq!(t.state(id).await, JobState::Available);
}

async fn no_more_than_the_limit_is_changed_newest_first(t: TestStore) {
    let added = t.add_many(5).await;

    let first =
        t.store.change(&Scope::Installation, &JobFilter::default(), Change::Cancel, &ada(), 3).await.unwrap();
    let second =
        t.store.change(&Scope::Installation, &JobFilter::default(), Change::Cancel, &ada(), 3).await.unwrap();

    assert_eq!(set(first.ids), set(added[2..].iter().copied()));
    assert_eq!(set(second.ids), set(added[..2].iter().copied()));
}

/// PostgreSQL wrote down the whole filter, with every field that was empty, and SQLite nothing of it.
async fn the_entry_of_a_change_tells_its_conditions_and_its_jobs(t: TestStore) {
    let (mail, other) = (t.add(|row| row.queue = "mail".into()).await, t.add(|_| {}).await);
    let by_queue = JobFilter {
        queues: vec!["mail".into()],
        created_until: Some(t.clock.now() + seconds(1)),
        limit: Some(7),
        ..JobFilter::default()
    };
    let by_name = JobFilter { ids: vec![other], ..JobFilter::default() };

    t.store.change(&Scope::Installation, &by_queue, Change::Cancel, &ada(), 10).await.unwrap();
    t.store.change(&Scope::Installation, &by_name, Change::Cancel, &ada(), 10).await.unwrap();

    let audit = t.audit().await;
    let told: Vec<_> = audit.iter().map(|entry| (entry.action.as_str(), &entry.details)).collect();
    let conditions = json!({ "queues": ["mail"], "created_until": by_queue.created_until, "jobs": [mail] });
    assert_eq!(told, [("job.cancel", &conditions), ("job.cancel", &json!({ "jobs": [other] }))]);
}
