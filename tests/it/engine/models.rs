//! A running job and the list of models.

use jobkit::{ModelRecord, Standing, StandingChange};
use serde_json::{Value, json};
use store::state::JobState;

use super::Engine;
use super::family::{Act, act};
use crate::support::store::{TestStore, model, promises};

promises![
    a_job_takes_a_model_in_makes_it_the_champion_and_finds_it,
    a_model_that_cannot_be_taken_in_is_not_tried_again,
];

fn train(digits: &str, name: &str) -> Act {
    Act::Train(Box::new(model(digits, name)))
}

async fn a_job_takes_a_model_in_makes_it_the_champion_and_finds_it(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();

    let mut told = Vec::new();
    for digits in ["a1", "a2"] {
        let mut job = act(train(digits, "ledger"));
        job.tenant = Some("acme".into());
        let id = engine.enqueue(job).await;
        let ended = engine.until_state(id, JobState::Completed).await;
        let result: Value = serde_json::from_str(&ended.job.result.unwrap()).unwrap();
        told.push((id, result));
    }

    let (id, second) = &told[1];
    let changes: Vec<StandingChange> = serde_json::from_value(second["changes"].clone()).unwrap();
    let to = changes.iter().map(|change| (&change.id[..2], change.to)).collect::<Vec<_>>();
    assert_eq!(to.len(), 2);
    assert!(to.contains(&("a1", Standing::Retired)) && to.contains(&("a2", Standing::Champion)), "{to:?}");
    let found: ModelRecord = serde_json::from_value(second["found"].clone()).unwrap();
    assert_eq!((found.version, found.standing, found.made_by), (2, Standing::Champion, *id));
    assert_eq!(found.model, model("a2", "ledger"));
    let named: Vec<ModelRecord> = serde_json::from_value(second["named"].clone()).unwrap();
    assert_eq!(named.iter().map(|record| record.version).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(second["added"]["standing"], "challenger");

    let audit = engine.t.audit().await;
    let of_models: Vec<_> = audit.iter().filter(|entry| entry.action.starts_with("model.")).collect();
    let actions: Vec<_> = of_models.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["model.added", "model.promoted", "model.added", "model.promoted"]);
    let last = of_models[3];
    assert_eq!(
        (&last.actor, last.tenant.as_deref(), &last.object),
        (&format!("job:{id} (test.act)"), Some("acme"), &found.model.id)
    );
    assert_eq!(last.details["version"], json!(2));
    engine.end(worker).await;
}

async fn a_model_that_cannot_be_taken_in_is_not_tried_again(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();

    let id = engine.enqueue(act(train("a1", ""))).await;

    let ended = engine.until_state(id, JobState::Discarded).await;
    assert_eq!((ended.job.attempt, ended.job.error.unwrap().contains("its name has 1 to 200")), (1, true));
    engine.end(worker).await;
}
