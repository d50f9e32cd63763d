use jobkit::{JobId, OnConflict, OnParentFailure, When};
use store::state::JobState::{Available, Cancelled, Scheduled, Waiting};
use store::{Change, End, Release, Scope};

use crate::support::store::{
    TestStore, ada, completed, discarded, ids, named, promises, refusal, seconds, set, unique,
};

promises![
    a_child_waits_until_all_its_parents_have_completed,
    a_parent_named_twice_is_waited_for_once,
    a_chain_in_one_batch_runs_in_order,
    fan_out_and_fan_in_run_in_order,
    the_end_of_the_last_parent_wakes_the_childs_queue,
    parents_that_end_in_one_batch_free_the_child_once,
    a_child_for_later_is_scheduled_when_its_parents_have_ended,
    a_parent_that_completed_before_is_not_waited_for,
    an_unknown_parent_is_refused_by_name,
    a_job_may_not_wait_for_itself,
    a_discarded_parent_cancels_those_that_wait_for_it_and_theirs,
    a_cancelled_child_says_which_parent_and_is_audited,
    a_child_that_runs_all_the_same_runs_after_a_failed_parent,
    a_child_of_a_parent_that_failed_before_is_born_cancelled,
    a_child_of_a_parent_that_failed_before_may_run_all_the_same,
    a_child_cancelled_by_one_parent_is_not_freed_by_the_other,
    a_child_that_was_cancelled_by_a_person_stays_so,
    cancelling_a_waiting_parent_cancels_its_children,
    a_cancelled_child_frees_its_unique_key,
    a_child_of_a_duplicate_waits_for_the_job_that_was_there,
    a_running_job_may_wait_for_others,
    waiting_for_jobs_that_have_ended_is_no_waiting,
    a_job_that_waits_goes_on_however_the_others_end,
    a_job_for_failure_runs_when_its_parent_fails,
    a_job_for_failure_is_cancelled_when_its_parent_completes,
    a_job_for_failure_is_judged_at_once_when_its_parent_has_ended,
    what_comes_with_a_duplicate_is_left_out,
];

fn after(t: &TestStore, parents: &[JobId]) -> store::NewRow {
    let mut row = t.row();
    row.after = parents.to_vec();
    row
}

async fn child_of(t: &TestStore, parents: &[JobId]) -> JobId {
    t.insert(&[after(t, parents)]).await[0].id
}

async fn a_child_waits_until_all_its_parents_have_completed(t: TestStore) {
    let worker = t.worker().await;
    let parents = t.add_many(2).await;
    let child = child_of(&t, &parents).await;
    assert_eq!((t.state(child).await, t.job(child).await.waits_for), (Waiting, parents.clone()));

    let jobs = t.claim(worker, 5).await;
    assert_eq!(ids(&jobs), parents);
    t.finish(worker, &jobs[0], completed()).await;
    assert_eq!((t.state(child).await, t.job(child).await.waits_for), (Waiting, parents[1..].to_vec()));
    t.finish(worker, &jobs[1], completed()).await;

    assert_eq!((t.state(child).await, t.job(child).await.waits_for), (Available, vec![]));
    assert_eq!(t.claim_one(worker).await.id, child);
}

async fn a_parent_named_twice_is_waited_for_once(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let child = child_of(&t, &[parent, parent]).await;

    t.run(worker, completed()).await;

    assert_eq!(t.state(child).await, Available);
}

async fn a_chain_in_one_batch_runs_in_order(t: TestStore) {
    let worker = t.worker().await;
    let mut rows = vec![t.row()];
    for link in 1..4 {
        rows.push(after(&t, &[rows[link - 1].id]));
    }
    t.insert(&rows).await;

    for row in &rows {
        assert_eq!(t.run(worker, completed()).await, row.id);
    }
}

async fn fan_out_and_fan_in_run_in_order(t: TestStore) {
    let worker = t.worker().await;
    let start = t.row();
    let middle: Vec<_> = (0..3).map(|_| after(&t, &[start.id])).collect();
    let middle_ids: Vec<_> = middle.iter().map(|row| row.id).collect();
    let end = after(&t, &middle_ids);
    let mut rows = vec![start.clone()];
    rows.extend(middle);
    rows.push(end.clone());
    t.insert(&rows).await;

    assert_eq!(t.run(worker, completed()).await, start.id);
    let jobs = t.claim(worker, 5).await;
    assert_eq!(set(ids(&jobs)), set(middle_ids));
    for job in &jobs {
        assert_eq!(t.state(end.id).await, Waiting);
        t.finish(worker, job, completed()).await;
    }
    assert_eq!(t.run(worker, completed()).await, end.id);
}

async fn the_end_of_the_last_parent_wakes_the_childs_queue(t: TestStore) {
    let worker = t.worker().await;
    let parents = t.add_many(2).await;
    let mut child = after(&t, &parents);
    child.queue = "other".into();
    t.insert(&[child]).await;
    let jobs = t.claim(worker, 2).await;

    assert_eq!(t.finish(worker, &jobs[0], completed()).await.woken, [] as [String; 0]);
    assert_eq!(t.finish(worker, &jobs[1], completed()).await.woken, ["other"]);
}

async fn parents_that_end_in_one_batch_free_the_child_once(t: TestStore) {
    let worker = t.worker().await;
    let parents = t.add_many(3).await;
    let child = child_of(&t, &parents).await;
    let jobs = t.claim(worker, 3).await;
    let reports: Vec<_> = jobs.iter().map(|job| crate::support::store::report(job, completed())).collect();

    t.store.finish(worker, &reports[..2]).await.unwrap();
    assert_eq!(t.state(child).await, Waiting);
    t.store.finish(worker, &reports[2..]).await.unwrap();
    assert_eq!(t.state(child).await, Available);
}

async fn a_child_for_later_is_scheduled_when_its_parents_have_ended(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let mut child = after(&t, &[parent]);
    child.when = When::After(seconds(60));
    t.insert(std::slice::from_ref(&child)).await;

    t.run(worker, completed()).await;

    assert_eq!(t.state(child.id).await, Scheduled);
}

async fn a_parent_that_completed_before_is_not_waited_for(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let parent = t.run(worker, completed()).await;

    let child = child_of(&t, &[parent]).await;

    assert_eq!(t.state(child).await, Available);
}

async fn an_unknown_parent_is_refused_by_name(t: TestStore) {
    let unknown = t.ids.next();
    let (good, bad) = (t.row(), after(&t, &[unknown]));

    let reason = refusal(t.store.insert(&Scope::Installation, &[good.clone(), bad], &ada()).await);

    assert!(reason.contains(&unknown.to_string()), "{reason}");
    assert_eq!(t.store.job(&Scope::Installation, good.id).await.unwrap(), None, "nothing of the batch stays");
}

async fn a_job_may_not_wait_for_itself(t: TestStore) {
    let mut row = t.row();
    row.after = vec![row.id];

    refusal(t.store.insert(&Scope::Installation, &[row.clone()], &ada()).await);

    assert_eq!(t.store.job(&Scope::Installation, row.id).await.unwrap(), None);
}

async fn a_discarded_parent_cancels_those_that_wait_for_it_and_theirs(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let child = child_of(&t, &[parent]).await;
    let grandchild = child_of(&t, &[child]).await;
    let stranger = t.add(|row| row.when = When::After(seconds(60))).await;

    t.run(worker, discarded()).await;

    assert_eq!(t.states(&[child, grandchild, stranger]).await, [Cancelled, Cancelled, Scheduled]);
}

async fn a_cancelled_child_says_which_parent_and_is_audited(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let child = child_of(&t, &[parent]).await;
    let grandchild = child_of(&t, &[child]).await;

    t.run(worker, discarded()).await;

    for (id, of) in [(child, parent), (grandchild, child)] {
        let error = t.job(id).await.job.error.unwrap();
        assert!(error.contains(&of.to_string()), "{error}");
    }
    let cancels: Vec<_> = t.audit().await.into_iter().filter(|entry| entry.action == "job.cancel").collect();
    assert_eq!(set(cancels.iter().flat_map(named)), set([child, grandchild]));
    assert!(cancels.iter().all(|entry| entry.actor == "system"), "{cancels:?}");
}

async fn a_child_that_runs_all_the_same_runs_after_a_failed_parent(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let mut child = after(&t, &[parent]);
    child.on_parent_failure = OnParentFailure::Run;
    t.insert(std::slice::from_ref(&child)).await;

    t.run(worker, discarded()).await;

    assert_eq!(t.claim_one(worker).await.id, child.id);
}

async fn a_child_of_a_parent_that_failed_before_is_born_cancelled(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let parent = t.run(worker, discarded()).await;
    let child = after(&t, &[parent]);
    let grandchild = after(&t, &[child.id]);

    let answers = t.insert(&[child.clone(), grandchild.clone()]).await;

    assert_eq!(answers.iter().map(|row| row.id).collect::<Vec<_>>(), [child.id, grandchild.id]);
    assert_eq!(t.states(&[child.id, grandchild.id]).await, [Cancelled, Cancelled]);
    let error = t.job(child.id).await.job.error.unwrap();
    assert!(error.contains(&parent.to_string()), "{error}");
    assert_eq!(t.claim(worker, 5).await, []);
}

async fn a_child_of_a_parent_that_failed_before_may_run_all_the_same(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let parent = t.run(worker, discarded()).await;
    let mut child = after(&t, &[parent]);
    child.on_parent_failure = OnParentFailure::Run;

    t.insert(std::slice::from_ref(&child)).await;

    assert_eq!(t.state(child.id).await, Available);
}

async fn a_child_cancelled_by_one_parent_is_not_freed_by_the_other(t: TestStore) {
    let worker = t.worker().await;
    let parents = t.add_many(2).await;
    let child = child_of(&t, &parents).await;
    let jobs = t.claim(worker, 2).await;
    t.finish(worker, &jobs[0], discarded()).await;

    let answer = t.finish(worker, &jobs[1], completed()).await;

    assert_eq!((t.state(child).await, answer.woken), (Cancelled, vec![]));
}

async fn a_child_that_was_cancelled_by_a_person_stays_so(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let child = child_of(&t, &[parent]).await;
    t.change(child, Change::Cancel).await;
    assert_eq!(t.job(child).await.waits_for, []);

    t.run(worker, completed()).await;

    assert_eq!(t.state(child).await, Cancelled);
}

async fn cancelling_a_waiting_parent_cancels_its_children(t: TestStore) {
    for change in [Change::Cancel, Change::Discard] {
        let parent = t.add(|_| {}).await;
        let child = child_of(&t, &[parent]).await;
        let grandchild = child_of(&t, &[child]).await;

        let changed = t.change(parent, change).await;

        assert_eq!(changed.ids, [parent]);
        assert_eq!(t.states(&[child, grandchild]).await, [Cancelled, Cancelled]);
    }
}

async fn a_cancelled_child_frees_its_unique_key(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let mut child = after(&t, &[parent]);
    child.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting);
    t.insert(&[child]).await;
    t.run(worker, discarded()).await;

    let mut next = t.row();
    next.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting);

    assert!(!t.insert(&[next]).await[0].duplicate);
}

async fn a_child_of_a_duplicate_waits_for_the_job_that_was_there(t: TestStore) {
    let worker = t.worker().await;
    let there = t.add(|row| row.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting)).await;
    let mut duplicate = t.row();
    duplicate.unique = unique(1, Release::AtEnd, OnConflict::ReturnExisting);
    let child = after(&t, &[duplicate.id]);

    t.insert(&[duplicate, child.clone()]).await;

    assert_eq!(t.job(child.id).await.waits_for, [there]);
    t.run(worker, completed()).await;
    assert_eq!(t.state(child.id).await, Available);
}

async fn a_running_job_may_wait_for_others(t: TestStore) {
    let worker = t.worker().await;
    let job = t.add(|_| {}).await;
    let running = t.claim_one(worker).await;
    let others = t.add_many(2).await;
    let ended = t.ids.next();

    let answer = t.finish(worker, &running, End::WaitFor(vec![others[0], others[1], ended, job])).await;

    assert_eq!((answer.refused, answer.woken), (vec![], vec![]));
    let detail = t.job(job).await;
    assert_eq!((detail.job.state, detail.job.attempt, detail.waits_for), (Waiting, 0, others));
    t.run(worker, completed()).await;
    t.run(worker, completed()).await;
    let again = t.claim_one(worker).await;
    assert_eq!((again.id, again.attempt), (job, 1));
}

async fn waiting_for_jobs_that_have_ended_is_no_waiting(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let ended = t.run(worker, completed()).await;
    let job = t.add(|_| {}).await;

    let running = t.claim_one(worker).await;
    let answer = t.finish(worker, &running, End::WaitFor(vec![ended])).await;

    assert_eq!((t.state(job).await, answer.woken), (Available, vec!["default".to_string()]));
}

async fn a_job_that_waits_goes_on_however_the_others_end(t: TestStore) {
    let worker = t.worker().await;
    let job = t.add(|_| {}).await;
    let running = t.claim_one(worker).await;
    let other = t.add(|_| {}).await;
    t.finish(worker, &running, End::WaitFor(vec![other])).await;

    t.run(worker, discarded()).await;

    assert_eq!(t.claim_one(worker).await.id, job);
}

async fn a_job_for_failure_runs_when_its_parent_fails(t: TestStore) {
    let worker = t.worker().await;
    let mut parents = t.add_many(2).await;
    parents.push(t.add(|row| row.when = When::After(seconds(60))).await);
    let mut children = Vec::new();
    for parent in &parents[1..] {
        children.push(child_for_failure(&t, *parent).await);
    }

    t.run(worker, completed()).await;
    t.run(worker, discarded()).await;
    t.change(parents[2], Change::Cancel).await;

    assert_eq!(t.states(&children).await, [Available; 2]);
    assert_eq!(set(ids(&t.claim(worker, 5).await)), set(children));
}

async fn a_job_for_failure_is_cancelled_when_its_parent_completes(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let child = child_for_failure(&t, parent).await;
    let grandchild = child_of(&t, &[child]).await;
    let for_its_failure = child_for_failure(&t, child).await;

    t.run(worker, completed()).await;

    assert_eq!(t.states(&[child, grandchild, for_its_failure]).await, [Cancelled, Cancelled, Available]);
    let reason = t.job(child).await.job.error.unwrap();
    assert_eq!(reason, format!("parent job {parent} completed, and this job was for its failure"));
    let cancelled: Vec<_> =
        t.audit().await.into_iter().filter(|entry| entry.action == "job.cancel").collect();
    assert_eq!(set(cancelled.iter().flat_map(named)), set([child, grandchild]));
}

async fn a_job_for_failure_is_judged_at_once_when_its_parent_has_ended(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let done = t.run(worker, completed()).await;
    t.add(|_| {}).await;
    let dead = t.run(worker, discarded()).await;

    let children = [child_for_failure(&t, done).await, child_for_failure(&t, dead).await];

    assert_eq!(t.states(&children).await, [Cancelled, Available]);
}

async fn what_comes_with_a_duplicate_is_left_out(t: TestStore) {
    let with_follower = || {
        let mut parent = t.row();
        parent.unique = unique(7, Release::AtEnd, OnConflict::ReturnExisting);
        let mut follower = after(&t, &[parent.id]);
        follower.comes_with = Some(parent.id);
        let mut last = after(&t, &[follower.id]);
        last.comes_with = Some(follower.id);
        vec![parent, follower, last]
    };

    let first = t.insert(&with_follower()).await;
    let second = t.insert(&with_follower()).await;

    assert!(first.iter().all(|made| !made.duplicate));
    assert!(second.iter().all(|made| made.duplicate && made.id == first[0].id));
    let all = t.store.jobs(&Scope::Installation, &store::JobFilter::default()).await.unwrap();
    assert_eq!(set(all.iter().map(|job| job.id)), set(first.iter().map(|made| made.id)));
}

async fn child_for_failure(t: &TestStore, parent: JobId) -> JobId {
    let mut row = after(t, &[parent]);
    row.on_parent_failure = OnParentFailure::Only;
    t.insert(&[row]).await[0].id
}
