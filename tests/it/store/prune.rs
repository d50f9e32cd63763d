use std::collections::BTreeMap;

use jobkit::Progress;
use store::state::JobState;
use store::{JobFilter, PruneRules, Scope};

use crate::support::store::{TestStore, completed, discarded, named, promises, retry, seconds, set, step};

promises![
    only_what_is_older_than_its_rule_is_deleted,
    each_state_has_its_own_rule,
    a_kinds_own_rule_goes_before_the_general_one,
    without_a_rule_everything_is_kept,
    no_more_than_the_limit_is_deleted_oldest_first,
    what_was_kept_goes_when_its_time_has_come,
    new_rules_hold_for_what_the_old_ones_kept,
    everything_that_belongs_to_a_job_goes_with_it,
    what_was_pruned_is_named_in_the_audit_log,
];

fn completed_after(keep: u64) -> PruneRules {
    PruneRules { completed: Some(seconds(keep)), ..PruneRules::default() }
}

async fn only_what_is_older_than_its_rule_is_deleted(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let old = t.run(worker, completed()).await;
    t.clock.advance(seconds(10));
    t.add(|_| {}).await;
    let young = t.run(worker, completed()).await;
    let alive = t.add(|_| {}).await;
    t.clock.advance(seconds(5));

    assert_eq!(t.store.prune(&completed_after(10), 100).await.unwrap(), 1);

    assert_eq!(t.store.job(&Scope::Installation, old).await.unwrap(), None);
    assert_eq!(t.states(&[young, alive]).await, [JobState::Completed, JobState::Available]);
}

async fn each_state_has_its_own_rule(t: TestStore) {
    let worker = t.worker().await;
    t.add_many(2).await;
    let done = t.run(worker, completed()).await;
    let dead = t.run(worker, discarded()).await;
    t.clock.advance(seconds(100));

    let rules = PruneRules { discarded: Some(seconds(200)), ..completed_after(10) };
    t.store.prune(&rules, 100).await.unwrap();

    assert_eq!(
        (t.store.job(&Scope::Installation, done).await.unwrap(), t.state(dead).await),
        (None, JobState::Discarded)
    );
}

async fn a_kinds_own_rule_goes_before_the_general_one(t: TestStore) {
    let worker = t.worker().await;
    let mut kept = Vec::new();
    for kind in ["keep.ever", "keep.long", "keep.short", "other"] {
        kept.push(t.add(|row| row.kind = kind.into()).await);
        t.run(worker, completed()).await;
    }
    t.clock.advance(seconds(50));

    let rule = |kind: &str, keep| ((kind.to_string(), JobState::Completed), keep);
    let by_kind = BTreeMap::from([
        rule("keep.ever", None),
        rule("keep.long", Some(seconds(100))),
        rule("keep.short", Some(seconds(1))),
    ]);
    let rules = PruneRules { by_kind, ..completed_after(60) };
    assert_eq!(t.store.prune(&rules, 100).await.unwrap(), 1);

    let gone = t.store.job(&Scope::Installation, kept.remove(2)).await.unwrap();
    assert_eq!((gone, t.states(&kept).await), (None, vec![JobState::Completed; 3]));
}

async fn without_a_rule_everything_is_kept(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let id = t.run(worker, completed()).await;
    t.clock.advance(seconds(1_000_000));

    assert_eq!(t.store.prune(&PruneRules::default(), 100).await.unwrap(), 0);

    assert_eq!(t.state(id).await, JobState::Completed);
}

async fn what_was_kept_goes_when_its_time_has_come(t: TestStore) {
    let worker = t.worker().await;
    let late = t.add(|row| row.queue = "slow".into()).await;
    let mut ended = Vec::new();
    for kind in ["keep.ever", "short", "long"] {
        ended.push(t.add(|row| row.kind = kind.into()).await);
        t.run(worker, completed()).await;
    }
    let rule = |kind: &str, keep| ((kind.to_string(), JobState::Completed), keep);
    let by_kind = BTreeMap::from([rule("keep.ever", None), rule("short", Some(seconds(10)))]);
    let rules = PruneRules { by_kind, ..completed_after(100) };

    let mut left = Vec::new();
    for wait in [0, 11, 20, 90, 20] {
        t.clock.advance(seconds(wait));
        if wait == 20 && t.state(late).await == JobState::Available {
            // Enqueued before all of them, and behind them in its end.
            let job = t.store.claim(worker, "slow", 1).await.unwrap().remove(0);
            t.finish(worker, &job, completed()).await;
        }
        t.store.prune(&rules, 100).await.unwrap();
        let all = t.store.jobs(&Scope::Installation, &JobFilter::default()).await.unwrap();
        left.push(set(all.into_iter().map(|job| job.id)));
    }

    let [ever, short, long] = ended[..] else { panic!("three: {ended:?}") };
    let wanted = [
        set([late, ever, short, long]),
        set([late, ever, long]),
        set([late, ever, long]),
        set([late, ever]),
        set([ever]),
    ];
    assert_eq!(left, wanted);
}

async fn new_rules_hold_for_what_the_old_ones_kept(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let id = t.run(worker, completed()).await;
    t.clock.advance(seconds(50));
    assert_eq!(t.store.prune(&completed_after(100), 10).await.unwrap(), 0);

    assert_eq!(t.store.prune(&completed_after(10), 10).await.unwrap(), 1);

    assert_eq!(t.store.job(&Scope::Installation, id).await.unwrap(), None);
}

async fn no_more_than_the_limit_is_deleted_oldest_first(t: TestStore) {
    let worker = t.worker().await;
    let mut ended = Vec::new();
    for _ in 0..3 {
        t.add(|_| {}).await;
        ended.push(t.run(worker, completed()).await);
        t.clock.advance(seconds(1));
    }
    t.clock.advance(seconds(100));

    assert_eq!(t.store.prune(&completed_after(10), 2).await.unwrap(), 2);

    assert_eq!(t.store.job(&Scope::Installation, ended[0]).await.unwrap(), None);
    assert_eq!(t.store.job(&Scope::Installation, ended[1]).await.unwrap(), None);
    assert_eq!(t.state(ended[2]).await, JobState::Completed);
}

async fn everything_that_belongs_to_a_job_goes_with_it(t: TestStore) {
    let worker = t.worker().await;
    let mut row = t.row();
    t.insert(std::slice::from_ref(&row)).await;
    t.run(worker, retry(1)).await;
    t.clock.advance(seconds(1));
    t.store.stage(10).await.unwrap();
    let job = t.claim_one(worker).await;
    t.store.save_step(job.held(), &step(job.id, "a", Some(1.into()), &t.clock)).await.unwrap();
    let progress = Progress { done: 1, total: 2, message: "half".into() };
    t.store.save_progress(job.held(), &progress).await.unwrap();
    t.finish(worker, &job, completed()).await;
    t.clock.advance(seconds(100));

    t.store.prune(&completed_after(10), 100).await.unwrap();

    // A job of the same name would inherit whatever was left.
    row.args = "2".into();
    t.insert(&[row]).await;
    let detail = t.job(job.id).await;
    assert_eq!((detail.attempts, detail.steps, detail.progress), (vec![], vec![], None));
}

async fn what_was_pruned_is_named_in_the_audit_log(t: TestStore) {
    let worker = t.worker().await;
    t.add_many(2).await;
    let gone = [t.run(worker, completed()).await, t.run(worker, completed()).await];
    t.clock.advance(seconds(100));

    t.store.prune(&completed_after(10), 100).await.unwrap();

    let audit = t.audit().await;
    let entry = audit.last().unwrap();
    assert_eq!(
        (entry.action.as_str(), entry.actor.as_str(), named(entry)),
        ("job.prune", "system", set(gone))
    );
}
