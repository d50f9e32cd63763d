//! A running job and what its family keeps of things: one story, which the stores and the fake of the testing kit have to tell alike.

use std::sync::Arc;

use jobkit::testing::Bench;
use jobkit::{
    Ctx, Failure, Gravity, Hold, Job, NewJob, News, Outcome, Put, Record, RecordChange, RecordFilter,
    RecordId, Registry,
};
use serde_json::{Value, json};
use store::state::JobState;

use super::Engine;
use super::family::Scene;
use crate::support::store::{TestStore, promises};

promises![the_fake_and_the_stores_tell_one_story, news_of_a_rule_that_nobody_registered_is_refused,];

/// Keeps letters, and tells what became of it.
struct Keeps;

fn id(key: &str) -> RecordId {
    RecordId { collection: "post.letter".into(), tenant: None, key: key.into() }
}

fn change(key: &str) -> RecordChange {
    RecordChange {
        id: id(key),
        from: 0,
        names: vec![format!("stamp-{key}"), format!("seal-{key}")],
        state: "written".into(),
        due_at: None,
        body: json!({ "pages": 2, "to": [null, "é"] }),
        action: "post.letter.written".into(),
        details: json!({ "pages": 2 }),
        news: Vec::new(),
        hold: Hold::Kept,
    }
}

fn told(record: &Record) -> Value {
    json!([record.id, record.names, record.state, record.due_at, record.body, record.version])
}

fn put(put: &Put) -> Value {
    match put {
        Put::Done(record) => told(record),
        Put::Moved => json!("moved"),
        Put::Taken(name) => json!({ "taken": name }),
    }
}

impl Job for Keeps {
    type Args = Value;
    const KIND: &'static str = "test.keeps";

    async fn run(&self, args: Value, ctx: &Ctx) -> Result<Outcome, Failure> {
        let records = ctx.records();
        if let Some(rule) = args.get("rule").and_then(Value::as_str) {
            let news = vec![News::happened(rule, "a", Gravity::Info, "lost")];
            records.put(ctx, RecordChange { news, ..change("a") }).await?;
            return Ok(Outcome::done());
        }
        let at =
            |seconds: i64| jiff::Timestamp::from_second(1_700_000_000 + seconds).map_err(Failure::permanent);
        let mut story = Vec::new();
        for (key, due) in [("b", Some(20)), ("a", Some(10)), ("d", Some(10)), ("c", None)] {
            let due_at = due.map(at).transpose()?;
            story.push(put(&records.put(ctx, RecordChange { due_at, ..change(key) }).await?));
        }
        story.push(put(&records.put(ctx, change("a")).await?));
        let named =
            RecordChange { names: vec!["new".into(), "seal-b".into(), "stamp-a".into()], ..change("e") };
        story.push(put(&records.put(ctx, named).await?));
        let first = records.hold(ctx, &id("a")).await?.ok_or_else(|| Failure::permanent("it is free"))?;
        let renamed = RecordChange { names: vec!["other-a".into()], ..first.to("sent", "post.letter.sent") };
        story.push(put(&records.put(ctx, renamed).await?));
        story.push(put(&records.put(ctx, first.to("lost", "post.letter.lost")).await?));
        let silent = records.get(ctx, &id("a")).await?.ok_or_else(|| Failure::permanent("it is there"))?;
        let later = RecordChange { due_at: Some(at(12)?), ..silent.to("sent", "") };
        story.push(put(&records.put(ctx, later.clone()).await?));
        let quiet = RecordChange { from: later.from + 1, state: "lost".into(), ..later };
        story.push(json!(
            records.put(ctx, quiet).await.map(|_| ()).map_err(|refused| refused.to_string()).err()
        ));
        let freed = RecordChange { names: vec!["stamp-a".into()], ..change("f") };
        story.push(put(&records.put(ctx, freed).await?));
        for name in ["other-a", "stamp-a", "seal-a", "new"] {
            let found = records.named(ctx, "post.letter", name).await?;
            story.push(json!([name, found.as_ref().map(told)]));
        }
        for key in ["a", "e"] {
            story.push(json!([
                key,
                records.get(ctx, &id(key)).await?.as_ref().map(told),
                records.hold(ctx, &id(key)).await?.as_ref().map(told)
            ]));
        }
        records.let_go(ctx, &id("a")).await?;
        records.let_go(ctx, &id("none")).await?;
        story.push(json!(records.hold(ctx, &id("a")).await?.as_ref().map(told)));
        let all = RecordFilter { collection: "post.letter".into(), ..RecordFilter::default() };
        let due_by = Some(at(15)?);
        for filter in [
            all.clone(),
            RecordFilter { limit: 2, ..all.clone() },
            RecordFilter { after: Some(id("b")), limit: 2, ..all.clone() },
            RecordFilter { states: vec!["sent".into(), "odd".into()], ..all.clone() },
            RecordFilter { due_by, ..all.clone() },
            RecordFilter { due_by, after: Some(id("d")), limit: 1, ..all.clone() },
            RecordFilter { collection: "post.parcel".into(), ..all },
        ] {
            let found = records.list(ctx, &filter).await?;
            story.push(json!(found.iter().map(|record| &record.id.key).collect::<Vec<_>>()));
        }
        let odd = RecordChange { state: String::new(), ..change("g") };
        story.push(json!(
            records.put(ctx, odd).await.map(|_| ()).map_err(|refused| refused.to_string()).err()
        ));
        Ok(Outcome::Completed(Some(json!(story))))
    }
}

fn engine(t: TestStore) -> Engine {
    let mut registry = Registry::default();
    registry.add(Keeps).add_rule("post.lost");
    Engine::with(t, Arc::new(Scene::default()), registry, Default::default())
}

async fn the_fake_and_the_stores_tell_one_story(t: TestStore) {
    let Ok(Outcome::Completed(Some(expected))) = Bench::default().run(&Keeps, &json!({}), 1).await else {
        panic!("the fake tells it")
    };
    let engine = engine(t);
    let worker = engine.start();

    let job = engine.enqueue(NewJob::new("test.keeps", json!({}))).await;
    let ended = engine.until_state(job, JobState::Completed).await;

    let story: Value = serde_json::from_str(&ended.job.result.unwrap()).unwrap();
    for (at, (told, expected)) in
        story.as_array().unwrap().iter().zip(expected.as_array().unwrap()).enumerate()
    {
        assert_eq!(told, expected, "what is told at {at}");
    }
    assert_eq!(story, expected);
    let audit = engine.t.audit().await;
    let sent = audit.iter().find(|entry| entry.action == "post.letter.sent").unwrap();
    assert_eq!(
        (&sent.actor, &sent.object),
        (&format!("job:{job} (test.keeps)"), &"post.letter/a".to_owned())
    );
    engine.end(worker).await;
}

async fn news_of_a_rule_that_nobody_registered_is_refused(t: TestStore) {
    let engine = engine(t);
    let worker = engine.start();

    let known = engine.enqueue(NewJob::new("test.keeps", json!({ "rule": "post.lost" }))).await;
    engine.until_state(known, JobState::Completed).await;
    let unknown = engine.enqueue(NewJob::new("test.keeps", json!({ "rule": "post.found" }))).await;
    let ended = engine.until_state(unknown, JobState::Discarded).await;

    let error = ended.job.error.unwrap();
    assert!(error.contains("no family has registered the rule `post.found`"), "{error}");
    engine.end(worker).await;
}
