//! Approvals: given for one thing, by others than its author, in time, and used once.

use std::sync::Arc;
use std::time::Duration;

use jobkit::{AuditEntry, JobId};
use serde_json::Value;
use store::approvals::judge::VoteRefusal;
use store::approvals::{EXPIRED, digest};
use store::schedules::PutSchedule;
use store::state::JobState;
use store::{
    Actor, AlertFilter, ApprovalFilter, ApprovalId, ApprovalRow, ApprovalState, Change, Demand, JobDemand,
    KindRow, NewApproval, NewRow, NewVote, Scope, StoreError, Verdict, Voted,
};
use tokio::sync::Barrier;

use crate::support::store::{ALL, Connection, KIND, TestStore, ada, completed, discarded, promises, seconds};

promises![
    a_job_waits_until_the_last_of_its_people_gave_it_and_runs_as_it_was_shown,
    a_job_waits_for_its_parents_and_for_people,
    neither_its_author_nor_somebody_twice_nor_a_service_gives_it,
    what_was_changed_in_the_database_is_not_approved,
    a_refusal_cancels_the_job_and_nobody_runs_it_again,
    what_was_over_before_it_began_is_not_run_by_a_retry,
    a_retry_runs_what_was_approved_and_nothing_else,
    what_is_taken_back_or_cancelled_is_over,
    what_nobody_gave_in_time_is_over_and_people_are_told,
    two_who_vote_at_once_are_one_after_the_other,
    an_approval_is_used_once_in_the_transaction_of_what_it_is_for,
    two_uses_at_once_are_one,
    what_is_not_granted_any_more_lets_nothing_through,
    a_request_that_is_sent_again_asks_once,
    a_tenants_approval_is_nothing_to_others,
    behind_a_schedule_stands_whoever_said_what_it_does,
];

const HOUR: Duration = Duration::from_secs(3_600);

fn demand(people: u8) -> Demand {
    Demand { people, permission: "approvals:give".into(), expires: HOUR }
}

fn approved(t: &TestStore, people: u8) -> NewRow {
    let id = ApprovalId(t.ids.next().0);
    NewRow { approval: Some(JobDemand { id, demand: demand(people) }), ..t.row() }
}

async fn ask_for_a_job(t: &TestStore, people: u8) -> (JobId, ApprovalRow) {
    let job = t.insert(&[approved(t, people)]).await[0].id;
    (job, of(t, job).await)
}

async fn of(t: &TestStore, job: JobId) -> ApprovalRow {
    t.store.approval_of(ALL, job).await.unwrap().expect("a job that is asked for")
}

async fn now(t: &TestStore, approval: &ApprovalRow) -> ApprovalRow {
    t.store.approval(ALL, approval.id).await.unwrap().expect("an approval that is there")
}

fn person(name: &str) -> Actor {
    Actor::new(format!("user:{name}"))
}

fn grant(approval: &ApprovalRow) -> NewVote {
    NewVote { approval: approval.id, verdict: Verdict::Grant, sha256: Some(approval.hash()), reason: None }
}

fn refuse(approval: &ApprovalRow) -> NewVote {
    let reason = Some("not this year".to_owned());
    NewVote { verdict: Verdict::Refuse, sha256: None, reason, ..grant(approval) }
}

async fn vote(t: &TestStore, vote: NewVote, by: &Actor) -> Voted {
    t.store.vote(ALL, &vote, by).await.unwrap()
}

async fn gives(t: &TestStore, approval: &ApprovalRow, name: &str) -> ApprovalState {
    match vote(t, grant(approval), &person(name)).await {
        Voted::Done(now, _) => now.state,
        other => panic!("{name}: {other:?}"),
    }
}

#[track_caller]
fn refusal(voted: Voted) -> VoteRefusal {
    match voted {
        Voted::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// Actions of the log about approvals, each with who did it.
async fn told(t: &TestStore) -> Vec<(String, String)> {
    let all: Vec<AuditEntry> = t.everything_audited().await;
    let about = all.into_iter().filter(|entry| entry.action.starts_with("approval."));
    about.map(|entry| (entry.action, entry.actor)).collect()
}

fn entries(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(action, by)| (format!("approval.{action}"), (*by).to_owned())).collect()
}

async fn a_job_waits_until_the_last_of_its_people_gave_it_and_runs_as_it_was_shown(t: TestStore) {
    let worker = t.worker().await;
    let (job, approval) = ask_for_a_job(&t, 2).await;

    assert_eq!(t.state(job).await, JobState::Waiting);
    assert_eq!(t.claim(worker, 10).await, []);
    assert_eq!((approval.author.as_str(), approval.people, approval.job), ("user:ada", 2, Some(job)));
    let shown: Value = serde_json::from_str(&approval.what).unwrap();
    assert_eq!(
        (&shown["kind"], &shown["args"]["n"], &shown["job"]),
        (&"test.kind".into(), &1.into(), &serde_json::json!(job))
    );
    assert_eq!(approval.sha256, digest(&approval.salt, &approval.what));
    assert_eq!(gives(&t, &approval, "bob").await, ApprovalState::Pending);
    assert_eq!(t.state(job).await, JobState::Waiting);

    assert_eq!(gives(&t, &approval, "eve").await, ApprovalState::Used);

    assert_eq!(t.run(worker, completed()).await, job);
    let log = [("ask", "user:ada"), ("grant", "user:bob"), ("grant", "user:eve"), ("use", "user:eve")];
    assert_eq!(told(&t).await, entries(&log));
    let voters: Vec<_> = now(&t, &approval).await.votes.into_iter().map(|vote| vote.voter).collect();
    assert_eq!(voters, ["user:bob", "user:eve"]);
}

async fn a_job_waits_for_its_parents_and_for_people(t: TestStore) {
    let worker = t.worker().await;
    let parent = t.add(|_| {}).await;
    let row = NewRow { after: vec![parent], ..approved(&t, 1) };
    let child = t.insert(&[row]).await[0].id;
    let approval = of(&t, child).await;

    assert_eq!(gives(&t, &approval, "bob").await, ApprovalState::Used);

    assert_eq!(t.state(child).await, JobState::Waiting);
    assert_eq!(t.run(worker, completed()).await, parent);
    assert_eq!(t.run(worker, completed()).await, child);
}

async fn neither_its_author_nor_somebody_twice_nor_a_service_gives_it(t: TestStore) {
    let (job, approval) = ask_for_a_job(&t, 2).await;
    for (by, expected) in [
        (ada(), VoteRefusal::Author),
        (Actor::new("service:ci"), VoteRefusal::NoPerson("service:ci".into())),
        (Actor::new("token:api"), VoteRefusal::NoPerson("token:api".into())),
    ] {
        assert_eq!(refusal(vote(&t, grant(&approval), &by).await), expected);
    }
    let blind = NewVote { sha256: Some("00".repeat(32)), ..grant(&approval) };
    let blind = refusal(vote(&t, blind, &person("bob")).await);
    assert_eq!(blind, VoteRefusal::OtherHash(approval.hash()));
    gives(&t, &approval, "bob").await;

    let again = vote(&t, grant(&approval), &person("bob")).await;

    assert_eq!(refusal(again), VoteRefusal::VotedAlready);
    assert_eq!(
        (now(&t, &approval).await.state, t.state(job).await),
        (ApprovalState::Pending, JobState::Waiting)
    );
}

async fn what_was_changed_in_the_database_is_not_approved(t: TestStore) {
    let (job, approval) = ask_for_a_job(&t, 1).await;
    let table = if matches!(t.connection().await, Connection::Postgres(_)) { "compline.job" } else { "job" };
    for change in ["args = '{\"n\":2}'", "queue = 'other'", "priority = 1", "max_attempts = 9"] {
        t.connection().await.run(&format!("UPDATE {table} SET {change}")).await;

        let voted = vote(&t, grant(&approval), &person("bob")).await;

        assert_eq!(refusal(voted), VoteRefusal::Changed, "{change}");
        assert_eq!(t.state(job).await, JobState::Waiting, "{change}");
        let back = "args = '{\"n\":1}', queue = 'default', priority = 5, max_attempts = 3";
        t.connection().await.run(&format!("UPDATE {table} SET {back}")).await;
    }
    let refused: Vec<_> =
        t.everything_audited().await.into_iter().filter(|entry| entry.outcome == "refused").collect();
    assert_eq!(refused.len(), 4, "each try stands in the log");
    assert!(refused.iter().all(|entry| entry.action == "approval.grant" && entry.actor == "user:bob"));
    assert_eq!(gives(&t, &approval, "bob").await, ApprovalState::Used, "as it was shown it is approved");
}

async fn a_refusal_cancels_the_job_and_nobody_runs_it_again(t: TestStore) {
    let (job, approval) = ask_for_a_job(&t, 2).await;
    gives(&t, &approval, "bob").await;

    let voted = vote(&t, refuse(&approval), &person("eve")).await;

    let Voted::Done(refused, _) = voted else { panic!("{voted:?}") };
    assert_eq!((refused.state, refused.reason.as_deref()), (ApprovalState::Refused, Some("not this year")));
    let ended = t.job(job).await.job;
    assert_eq!(ended.state, JobState::Cancelled);
    assert_eq!(ended.error, Some(format!("approval {} was refused by user:eve", approval.id)));
    let over = vote(&t, grant(&approval), &person("dan")).await;
    assert_eq!(refusal(over), VoteRefusal::Over(ApprovalState::Refused));
    let changed = t.change(job, Change::Retry).await;
    assert_eq!(changed.ids, []);
    let why = format!("its approval {} is refused; enqueue it anew", approval.id);
    assert_eq!(changed.refused, [(job, why)]);
    assert_eq!(t.state(job).await, JobState::Cancelled);
}

async fn what_was_over_before_it_began_is_not_run_by_a_retry(t: TestStore) {
    let parent = t.insert(&[t.row()]).await[0].id;
    t.change(parent, Change::Cancel).await;
    let row = NewRow { after: vec![parent], ..approved(&t, 1) };
    let job = t.insert(&[row]).await[0].id;
    assert_eq!(t.state(job).await, JobState::Cancelled);

    let changed = t.change(job, Change::Retry).await;

    let approval = of(&t, job).await;
    assert_eq!(approval.state, ApprovalState::Withdrawn);
    let why = format!("its approval {} is withdrawn; enqueue it anew", approval.id);
    assert_eq!((changed.ids, changed.refused), (vec![], vec![(job, why)]));
    assert_eq!(told(&t).await, entries(&[("ask", "user:ada"), ("withdraw", "system")]));
}

async fn a_retry_runs_what_was_approved_and_nothing_else(t: TestStore) {
    let worker = t.worker().await;
    t.add(|_| {}).await;
    let before = t.run(worker, discarded()).await;
    let kind = KindRow {
        kind: KIND.into(),
        queue: "default".into(),
        priority: 5,
        max_attempts: 3,
        encrypted: false,
        unique: false,
        internal: false,
        approval: Some(demand(1)),
    };
    t.store.put_kinds(&[kind]).await.unwrap();
    let (job, approval) = ask_for_a_job(&t, 1).await;
    gives(&t, &approval, "bob").await;
    assert_eq!(t.run(worker, discarded()).await, job);

    let unasked = t.change(before, Change::Retry).await;
    let table = if matches!(t.connection().await, Connection::Postgres(_)) { "compline." } else { "" };
    let change = async |args: &str| {
        t.connection().await.run(&format!("UPDATE {table}job_history SET args = '{args}'")).await;
        t.change(job, Change::Retry).await
    };
    let other = change(r#"{"n":2}"#).await;
    let same = change(r#"{"n":1}"#).await;

    let why = "people approve jobs of its kind, and were not asked for this one; enqueue it anew";
    assert_eq!((unasked.ids, unasked.refused), (vec![], vec![(before, why.to_owned())]));
    let why =
        format!("its approval {} is of other bytes: somebody changed its row; enqueue it anew", approval.id);
    assert_eq!((other.ids, other.refused), (vec![], vec![(job, why)]));
    assert_eq!((same.ids, same.refused), (vec![job], vec![]));
}

async fn what_is_taken_back_or_cancelled_is_over(t: TestStore) {
    let (job, approval) = ask_for_a_job(&t, 1).await;
    let withdrawn = t.store.withdraw(ALL, approval.id, "a slip", &ada()).await.unwrap();
    let Voted::Done(withdrawn, _) = withdrawn else { panic!("{withdrawn:?}") };
    assert_eq!((withdrawn.state, t.state(job).await), (ApprovalState::Withdrawn, JobState::Cancelled));

    let (job, other) = ask_for_a_job(&t, 1).await;
    t.change(job, Change::Cancel).await;
    assert_eq!(now(&t, &other).await.state, ApprovalState::Withdrawn);

    for approval in [approval, other] {
        let over = vote(&t, grant(&approval), &person("bob")).await;
        assert_eq!(refusal(over), VoteRefusal::Over(ApprovalState::Withdrawn));
    }
    let log = [("ask", "user:ada"), ("withdraw", "user:ada"), ("ask", "user:ada"), ("withdraw", "system")];
    assert_eq!(told(&t).await, entries(&log));
}

async fn what_nobody_gave_in_time_is_over_and_people_are_told(t: TestStore) {
    let (job, approval) = ask_for_a_job(&t, 1).await;
    t.clock.advance(HOUR - seconds(1));
    assert_eq!(t.store.expire_approvals(10).await.unwrap().ids, []);
    t.clock.advance(seconds(1));
    let late = vote(&t, grant(&approval), &person("bob")).await;
    assert_eq!(refusal(late), VoteRefusal::Expired(approval.expires_at), "before anybody has looked");

    assert_eq!(t.store.expire_approvals(10).await.unwrap().ids, [approval.id]);

    assert_eq!(
        (now(&t, &approval).await.state, t.state(job).await),
        (ApprovalState::Expired, JobState::Cancelled)
    );
    assert_eq!(t.job(job).await.job.error, Some(format!("approval {} expired", approval.id)));
    assert_eq!(told(&t).await, entries(&[("ask", "user:ada"), ("expire", "system")]));
    t.store.fold(10, &t.ids).await.unwrap();
    let alerts =
        t.store.alerts(&AlertFilter { rules: vec![EXPIRED.into()], ..AlertFilter::default() }).await.unwrap();
    assert_eq!(alerts.into_iter().map(|alert| alert.jobs).collect::<Vec<_>>(), [vec![job]]);
    assert_eq!(t.store.expire_approvals(10).await.unwrap().ids, []);
}

async fn two_who_vote_at_once_are_one_after_the_other(t: TestStore) {
    for _ in 0..8 {
        let (job, approval) = ask_for_a_job(&t, 1).await;
        let start = Arc::new(Barrier::new(2));
        let votes = ["bob", "eve"].map(|name| {
            let (t, approval, start) = (t.clone(), approval.clone(), start.clone());
            tokio::spawn(async move {
                let t = t.second().await;
                start.wait().await;
                t.store.vote(ALL, &grant(&approval), &person(name)).await.unwrap()
            })
        });
        let [one, other] = votes;
        let voted = [one.await.unwrap(), other.await.unwrap()];

        let done = voted.iter().filter(|voted| matches!(voted, Voted::Done(..))).count();
        let over = VoteRefusal::Over(ApprovalState::Used);
        assert_eq!(done, 1, "{voted:?}");
        assert!(voted.iter().any(|voted| *voted == Voted::Refused(over.clone())), "{voted:?}");
        assert_eq!((now(&t, &approval).await.votes.len(), t.state(job).await), (1, JobState::Available));
    }
}

fn deed(t: &TestStore, what: &str) -> NewApproval {
    NewApproval {
        id: ApprovalId(t.ids.next().0),
        action: "limits.pause".into(),
        what: what.into(),
        salt: [3; 16],
        tenant: None,
        demand: demand(1),
    }
}

async fn granted(t: &TestStore, what: &str) -> ApprovalRow {
    let approval = t.store.ask(&deed(t, what), &ada()).await.unwrap();
    assert_eq!(gives(t, &approval, "bob").await, ApprovalState::Granted);
    approval
}

fn pause<'t>(t: &'t TestStore, by: &'t Actor) -> impl Future<Output = Result<(), StoreError>> + 't {
    use jobkit::Clock as _;
    let until = t.clock.now() + jiff::SignedDuration::from_hours(2);
    async move { t.store.pause_bucket("all", until, by, "as approved").await }
}

async fn paused(t: &TestStore) -> usize {
    t.everything_audited().await.iter().filter(|entry| entry.action == "limit.pause").count()
}

async fn an_approval_is_used_once_in_the_transaction_of_what_it_is_for(t: TestStore) {
    let approval = granted(&t, "{}").await;
    let by = ada().by_leave_of(approval.id);

    pause(&t, &by).await.unwrap();

    assert_eq!(now(&t, &approval).await.state, ApprovalState::Used);
    let again = pause(&t, &by).await;
    assert!(matches!(again, Err(StoreError::Unapproved(id)) if id == approval.id), "{again:?}");
    assert_eq!(paused(&t).await, 1, "nothing of the second is there");
    let log = [("ask", "user:ada"), ("grant", "user:bob"), ("use", "user:ada")];
    assert_eq!(told(&t).await, entries(&log));
}

async fn two_uses_at_once_are_one(t: TestStore) {
    for round in 1..=8 {
        let approval = granted(&t, &round.to_string()).await;
        let start = Arc::new(Barrier::new(2));
        let uses = [(); 2].map(|()| {
            let (t, by, start) = (t.clone(), ada().by_leave_of(approval.id), start.clone());
            tokio::spawn(async move {
                let t = t.second().await;
                start.wait().await;
                pause(&t, &by).await
            })
        });
        let [one, other] = uses;
        let used = [one.await.unwrap(), other.await.unwrap()];

        assert_eq!(used.iter().filter(|used| used.is_ok()).count(), 1, "{used:?}");
        assert_eq!(paused(&t).await, round);
    }
}

async fn what_is_not_granted_any_more_lets_nothing_through(t: TestStore) {
    let pending = t.store.ask(&deed(&t, "1"), &ada()).await.unwrap();
    let withdrawn = granted(&t, "2").await;
    t.store.withdraw(ALL, withdrawn.id, "no", &person("eve")).await.unwrap();
    let expired = granted(&t, "3").await;
    let jobs = ask_for_a_job(&t, 1).await.1;
    for approval in [&pending, &withdrawn, &jobs] {
        assert!(pause(&t, &ada().by_leave_of(approval.id)).await.is_err(), "{approval:?}");
    }
    t.clock.advance(HOUR);
    assert!(pause(&t, &ada().by_leave_of(expired.id)).await.is_err());
    let unknown = ApprovalId(t.ids.next().0);
    assert!(pause(&t, &ada().by_leave_of(unknown)).await.is_err());

    assert_eq!(paused(&t).await, 0);
}

async fn a_request_that_is_sent_again_asks_once(t: TestStore) {
    let first = t.store.ask(&deed(&t, "1"), &ada()).await.unwrap();
    let again = t.store.ask(&deed(&t, "1"), &ada()).await.unwrap();
    let other = t.store.ask(&deed(&t, "2"), &ada()).await.unwrap();
    let bobs = t.store.ask(&deed(&t, "1"), &person("bob")).await.unwrap();
    assert_eq!(again.id, first.id);
    // What was asked of one is not enough where the rule wants two meanwhile.
    let stricter = t.store.ask(&NewApproval { demand: demand(2), ..deed(&t, "1") }, &ada()).await.unwrap();
    assert_eq!((stricter.id != first.id, stricter.people), (true, 2));
    t.store.withdraw(ALL, stricter.id, "a slip", &ada()).await.unwrap();
    t.clock.advance(HOUR);
    let anew = t.store.ask(&deed(&t, "1"), &ada()).await.unwrap();

    let filter = ApprovalFilter { limit: 10, ..ApprovalFilter::default() };
    let all: Vec<_> = t.store.approvals(ALL, &filter).await.unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(all, [anew.id, stricter.id, bobs.id, other.id, first.id]);
    assert_eq!(t.store.approvals_open().await.unwrap(), (4, Some(first.asked_at)));
    let older = ApprovalFilter { before: Some(bobs.id), limit: 1, ..ApprovalFilter::default() };
    assert_eq!(t.store.approvals(ALL, &older).await.unwrap(), [other]);
}

async fn a_tenants_approval_is_nothing_to_others(t: TestStore) {
    let north = Scope::Tenant("north".into());
    let row = NewRow { tenant: Some("north".into()), ..approved(&t, 1) };
    let job = t.store.insert(&north, &[row], &ada()).await.unwrap()[0].id;
    let approval = of(&t, job).await;
    let filter = ApprovalFilter { limit: 10, ..ApprovalFilter::default() };
    for scope in [Scope::Tenant("south".into()), Scope::Nobody] {
        assert_eq!(t.store.approval(&scope, approval.id).await.unwrap(), None);
        assert_eq!(t.store.approval_of(&scope, job).await.unwrap(), None);
        assert_eq!(t.store.approvals(&scope, &filter).await.unwrap(), []);
        let voted = t.store.vote(&scope, &grant(&approval), &person("bob")).await.unwrap();
        assert_eq!(voted, Voted::Unknown);
        let withdrawn = t.store.withdraw(&scope, approval.id, "no", &person("bob")).await.unwrap();
        assert_eq!(withdrawn, Voted::Unknown);
    }

    let own = t.store.approvals(&north, &filter).await.unwrap();

    assert_eq!(own, std::slice::from_ref(&approval));
    let voted = t.store.vote(&north, &grant(&approval), &person("bob")).await.unwrap();
    assert!(matches!(voted, Voted::Done(..)), "{voted:?}");
    assert_eq!(t.state(job).await, JobState::Available);
}

async fn behind_a_schedule_stands_whoever_said_what_it_does(t: TestStore) {
    let put = super::schedules::put("nightly", None);
    t.store.put_schedule(ALL, &put, &person("eve")).await.unwrap();
    let row = approved(&t, 1);
    t.store.insert(ALL, std::slice::from_ref(&row), &Actor::new("schedule:nightly")).await.unwrap();

    let approval = of(&t, row.id).await;

    assert_eq!(approval.author, "user:eve");
    assert_eq!(refusal(vote(&t, grant(&approval), &person("eve")).await), VoteRefusal::Author);

    // A calendar of hers that the configuration renews does not make it the configuration's.
    let revision = t.store.schedules(ALL).await.unwrap()[0].revision;
    let renewed = PutSchedule { revision: Some(revision), ..super::schedules::put("nightly", None) };
    assert!(t.store.put_schedule(ALL, &renewed, &Actor::new("configuration")).await.unwrap());
    let row = approved(&t, 1);
    t.store.insert(ALL, std::slice::from_ref(&row), &Actor::new("schedule:nightly")).await.unwrap();
    assert_eq!(of(&t, row.id).await.author, "user:eve");
}
