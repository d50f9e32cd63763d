//! The list of models: versions follow each other, a name has one champion, and nothing is ever taken back.

use jobkit::Standing::{Challenger, Champion, Retired};
use jobkit::{Clock, JobId, ModelRecord, NewModel, Standing, StandingChange};
use serde_json::json;
use store::{
    Attempting, Claimed, End, Held, ModelFilter, Once, Promoter, PruneRules, Request, StoreError, WorkerId,
};

use crate::support::store::{TestStore, ada, attempting, completed, model, promises, refusal, seconds};

promises![
    a_model_is_taken_in_once_as_a_challenger_and_written_down,
    the_same_id_with_another_hash_or_another_name_is_refused,
    each_name_counts_its_own_versions_and_two_at_once_get_different_ones,
    a_promotion_changes_all_that_it_says_and_is_written_down_once,
    of_promotions_at_once_the_last_one_leaves_its_champion_alone,
    a_promotion_under_a_key_is_made_once,
    an_attempt_that_lost_its_job_writes_nothing,
    models_come_newest_first_and_in_pages,
    a_model_outlives_the_job_that_made_it,
    nothing_in_the_list_is_changed_or_deleted,
];

async fn attempt(t: &TestStore) -> (WorkerId, Claimed, Attempting) {
    let worker = t.worker().await;
    t.add(|row| row.tenant = Some("acme".into())).await;
    let job = t.claim_one(worker).await;
    let attempt = Attempting { tenant: Some("acme".into()), ..attempting(&job) };
    (worker, job, attempt)
}

fn held(attempt: &Attempting) -> Promoter {
    Promoter::Attempt(attempt.clone())
}

async fn standings(t: &TestStore, name: &str) -> Vec<(u32, Standing)> {
    let models = t.store.models(&ModelFilter::named(name)).await.unwrap();
    models.iter().map(|record| (record.version, record.standing)).collect()
}

/// The actions of the audit log that are about models, each with what it names.
async fn told(t: &TestStore) -> Vec<(String, String)> {
    let audit = t.audit().await;
    let models = audit.into_iter().filter(|entry| entry.action.starts_with("model."));
    models.map(|entry| (entry.action, entry.object)).collect()
}

async fn a_model_is_taken_in_once_as_a_challenger_and_written_down(t: TestStore) {
    let (_, job, attempt) = attempt(&t).await;
    let made = model("a1", "ledger");

    let added = t.store.model_add(&attempt, &made).await.unwrap();
    t.clock.advance(seconds(5));
    let elsewhere = NewModel { path: "file:///models/of another run".into(), ..made.clone() };
    let again = t.store.model_add(&attempt, &elsewhere).await.unwrap();

    let made_at = t.clock.now() - seconds(5);
    let id = made.id.clone();
    let wanted = ModelRecord { model: made, version: 1, standing: Challenger, made_by: job.id, made_at };
    assert_eq!((&added, &again), (&wanted, &wanted));
    assert_eq!(t.store.model(&id).await.unwrap(), Some(wanted));
    assert_eq!(t.store.model("a1").await.unwrap(), None);
    let audit = t.audit().await;
    let [entry] = audit.as_slice() else { panic!("one entry: {audit:?}") };
    assert_eq!((entry.action.as_str(), entry.object.as_str()), ("model.added", id.as_str()));
    assert_eq!((&entry.actor, &entry.tenant), (&attempt.by.name, &attempt.tenant));
    assert_eq!(entry.details, json!({ "name": "ledger", "version": 1, "sha256": added.model.sha256 }));
    let without = NewModel { window: None, ..model("b1", "ledger") };
    assert_eq!(t.store.model_add(&attempt, &without).await.unwrap().model, without);
}

async fn the_same_id_with_another_hash_or_another_name_is_refused(t: TestStore) {
    let (.., attempt) = attempt(&t).await;
    let made = model("a1", "ledger");
    t.store.model_add(&attempt, &made).await.unwrap();

    let other = NewModel { sha256: format!("{}{}", made.id, "f".repeat(48)), ..made.clone() };
    for (model, why) in [
        (other, "belongs to another model"),
        (NewModel { name: "other".into(), ..made.clone() }, "under the name `ledger`"),
        (NewModel { id: "b1".into(), ..made.clone() }, "first digits"),
    ] {
        let refused = refusal(t.store.model_add(&attempt, &model).await);
        assert!(refused.contains(why), "{refused}");
    }

    assert_eq!(t.store.models(&ModelFilter::default()).await.unwrap().len(), 1);
    assert_eq!(told(&t).await, [("model.added".into(), made.id)]);
    assert!(refusal(t.store.model_promote(&held(&attempt), "b1").await).contains("no model b1"));
}

async fn each_name_counts_its_own_versions_and_two_at_once_get_different_ones(t: TestStore) {
    let (.., attempt) = attempt(&t).await;
    t.store.model_add(&attempt, &model("0f", "other")).await.unwrap();
    let doors = [t.store.clone(), t.another().await];
    let adding: Vec<_> = (0..8)
        .map(|n| {
            let (store, attempt) = (doors[n % 2].clone(), attempt.clone());
            tokio::spawn(async move {
                store.model_add(&attempt, &model(&format!("{n}e"), "ledger")).await.unwrap().version
            })
        })
        .collect();

    let mut versions = Vec::new();
    for added in adding {
        versions.push(added.await.unwrap());
    }

    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(standings(&t, "other").await, [(1, Challenger)]);
}

async fn a_promotion_changes_all_that_it_says_and_is_written_down_once(t: TestStore) {
    let (.., attempt) = attempt(&t).await;
    let models = ["a1", "a2", "a3"].map(|digits| model(digits, "ledger"));
    for model in &models {
        t.store.model_add(&attempt, model).await.unwrap();
    }
    let [first, second, third] = models.map(|model| model.id);
    let change = |id: &String, from, to| StandingChange { id: id.clone(), from, to };

    let champion = t.store.model_promote(&held(&attempt), &first).await.unwrap();
    let again = t.store.model_promote(&held(&attempt), &first).await.unwrap();
    let mut replaced = t.store.model_promote(&Promoter::Person(ada()), &third).await.unwrap();

    assert_eq!((champion, again), (vec![change(&first, Challenger, Champion)], vec![]));
    replaced.sort_by(|a, b| a.id.cmp(&b.id));
    let wanted = [
        change(&first, Champion, Retired),
        change(&second, Challenger, Retired),
        change(&third, Challenger, Champion),
    ];
    assert_eq!(replaced, wanted);
    assert_eq!(standings(&t, "ledger").await, [(3, Champion), (2, Retired), (1, Retired)]);
    let audit = t.audit().await;
    let promoted: Vec<_> = audit.iter().filter(|entry| entry.action == "model.promoted").collect();
    let [by_job, by_ada] = promoted.as_slice() else { panic!("two entries: {promoted:?}") };
    assert_eq!((&by_job.actor, &by_job.tenant), (&attempt.by.name, &attempt.tenant));
    assert_eq!((by_ada.actor.as_str(), &by_ada.object), ("user:ada", &third));
    let changes = by_ada.details["changes"].as_array().unwrap();
    assert_eq!((&by_ada.details["version"], changes.len()), (&json!(3), 3));
    assert!(changes.contains(&json!({ "id": first, "from": "champion", "to": "retired" })), "{changes:?}");
}

async fn of_promotions_at_once_the_last_one_leaves_its_champion_alone(t: TestStore) {
    let (.., attempt) = attempt(&t).await;
    let models: Vec<_> = (0..6).map(|n| model(&format!("{n}e"), "ledger")).collect();
    for model in &models {
        t.store.model_add(&attempt, model).await.unwrap();
    }
    let doors = [t.store.clone(), t.another().await];
    // The first round opens the connections, and those that are open come closer together.
    for _ in 0..5 {
        let promoting = models.iter().enumerate().map(|(n, model)| {
            let (store, id) = (doors[n % 2].clone(), model.id.clone());
            tokio::spawn(async move { store.model_promote(&Promoter::Person(ada()), &id).await.unwrap() })
        });
        for promoted in promoting.collect::<Vec<_>>() {
            promoted.await.unwrap();
        }

        let stands = standings(&t, "ledger").await;
        let champions: Vec<_> = stands.iter().filter(|(_, standing)| *standing == Champion).collect();
        assert_eq!(champions.len(), 1, "{stands:?}");
        // Each saw what the one before it had left.
        let audit = t.audit().await;
        let last = audit.iter().rfind(|entry| entry.action == "model.promoted").unwrap();
        assert_eq!(last.details["version"], json!(champions[0].0));
    }
}

async fn a_promotion_under_a_key_is_made_once(t: TestStore) {
    let (.., attempt) = attempt(&t).await;
    let [first, second] = ["a1", "a2"].map(|digits| model(digits, "ledger"));
    for model in [&first, &second] {
        t.store.model_add(&attempt, model).await.unwrap();
    }
    let request = |asked| Request { key: [1; 32], fingerprint: [asked; 32] };
    let promote =
        async |asked, id: &str| t.store.model_promote_once(&request(asked), id, &ada()).await.unwrap();
    assert!(refusal(t.store.model_promote_once(&request(1), "ff", &ada()).await).contains("no model"));

    let Once::Done(done) = promote(1, &first.id).await else { panic!("it was refused before") };
    t.store.model_promote(&Promoter::Person(ada()), &second.id).await.unwrap();

    // An answer that was lost does not bring back what somebody has replaced since.
    assert_eq!(promote(1, &first.id).await, Once::Again(done));
    assert_eq!(promote(2, &first.id).await, Once::Other);
    assert_eq!(standings(&t, "ledger").await, [(2, Champion), (1, Retired)]);
}

async fn an_attempt_that_lost_its_job_writes_nothing(t: TestStore) {
    let (worker, job, lost) = attempt(&t).await;
    let made = model("a1", "ledger");
    t.store.model_add(&lost, &made).await.unwrap();
    t.finish(worker, &job, End::GiveBack).await;
    t.claim_one(worker).await;
    let stranger = Attempting { held: Held { worker: t.worker().await, ..lost.held }, ..lost.clone() };

    for attempt in [&lost, &stranger] {
        let added = t.store.model_add(attempt, &model("a2", "ledger")).await;
        assert!(matches!(added, Err(StoreError::LeaseLost)), "{added:?}");
        let again = t.store.model_add(attempt, &made).await;
        assert!(matches!(again, Err(StoreError::LeaseLost)), "{again:?}");
        let promoted = t.store.model_promote(&held(attempt), &made.id).await;
        assert!(matches!(promoted, Err(StoreError::LeaseLost)), "{promoted:?}");
    }

    assert_eq!(standings(&t, "ledger").await, [(1, Challenger)]);
    assert_eq!(told(&t).await, [("model.added".into(), made.id)]);
}

async fn models_come_newest_first_and_in_pages(t: TestStore) {
    let (.., attempt) = attempt(&t).await;
    for (digits, name) in [("a1", "ledger"), ("b1", "other"), ("a2", "ledger"), ("c1", "third")] {
        t.store.model_add(&attempt, &model(digits, name)).await.unwrap();
    }
    let page = async |names: &[&str], before: Option<&str>, limit| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let before = before.map(|digits| model(digits, "").id);
        let filter = ModelFilter { names, before, limit, ..ModelFilter::default() };
        let models = t.store.models(&filter).await.unwrap();
        models.into_iter().map(|record| record.model.id[..2].to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(page(&[], None, None).await, ["c1", "a2", "b1", "a1"]);
    assert_eq!(page(&[], None, Some(3)).await, ["c1", "a2", "b1"]);
    assert_eq!(page(&[], Some("b1"), Some(3)).await, ["a1"]);
    assert_eq!(page(&["ledger", "third"], None, None).await, ["c1", "a2", "a1"]);
    assert_eq!(page(&["ledger"], Some("c1"), Some(1)).await, ["a2"]);
    assert_eq!(page(&["nobody"], None, None).await, [""; 0]);
    assert_eq!(page(&[], Some("ff"), None).await, [""; 0]);
}

async fn a_model_outlives_the_job_that_made_it(t: TestStore) {
    let (worker, job, attempt) = attempt(&t).await;
    t.store.model_add(&attempt, &model("a1", "ledger")).await.unwrap();
    t.finish(worker, &job, completed()).await;
    t.clock.advance(seconds(10));

    let rules = PruneRules { completed: Some(seconds(5)), ..PruneRules::default() };
    assert_eq!(t.store.prune(&rules, 10).await.unwrap(), 1);

    let made_by: Vec<JobId> =
        t.store.models(&ModelFilter::default()).await.unwrap().iter().map(|record| record.made_by).collect();
    assert_eq!(made_by, [job.id]);
}

async fn nothing_in_the_list_is_changed_or_deleted(t: TestStore) {
    let (.., attempt) = attempt(&t).await;
    t.store.model_add(&attempt, &model("a1", "ledger")).await.unwrap();
    t.store.model_promote(&held(&attempt), &model("a1", "ledger").id).await.unwrap();

    let mut connection = t.connection().await;
    for (table, set) in [("model", "path = 'file:///other'"), ("model_standing", "standing = 'retired'")] {
        for statement in [format!("UPDATE {{}} SET {set}"), "DELETE FROM {}".into()] {
            let refused = connection.refusal(&statement, table).await;
            assert!(refused.contains(&format!("{table} is append-only")), "{statement}: {refused}");
        }
    }

    assert_eq!(standings(&t, "ledger").await, [(1, Champion)]);
}
