//! Schedules over the whole engine: they fire by themselves, once, and say what is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use compline::app::{App, Parts};
use engine::adapters::artifacts::DirArtifacts;
use engine::scheduler::calendar::CalendarRules;
use engine::scheduler::declared::Declared;
use engine::scheduler::definition::{Definition, MisfireRule};
use engine::scheduler::policy::Overlap;
use engine::scheduler::{Drift, ScheduleError, State};
use engine::seal::Keyring;
use engine::uploads::Place;
use jiff::Timestamp;
use jobkit::Clock;
use serde_json::json;
use store::schedules::{PutSchedule, Source};
use store::state::JobState;
use store::{AlertFilter, JobFilter, JobRow, Scope};

use super::family::Act;
use super::{Engine, until};
use crate::support::store::{TestStore, ada, promises};

promises![
    a_schedule_enqueues_its_jobs_one_for_each_time,
    three_processes_give_each_time_one_job,
    after_an_outage_each_policy_catches_up_its_own,
    a_job_that_overlaps_waits_is_left_out_or_takes_over,
    arguments_name_the_times_they_are_for,
    a_kind_that_is_gone_is_said_and_the_next_time_is_tried,
    a_schedule_that_was_put_right_is_broken_no_more,
    a_time_that_was_filled_in_keeps_its_job,
    a_run_by_hand_is_not_previous_to_an_earlier_time,
    a_clock_that_was_ahead_puts_no_schedule_to_sleep,
    schedules_that_cannot_be_read_hold_up_no_others_and_are_told_of,
    a_paused_schedule_makes_up_for_nothing,
    the_configuration_owns_its_schedules,
    a_backfill_fills_in_what_is_missing_and_nothing_twice,
    a_backfill_trusts_no_memory_of_a_schedule_that_was_deleted,
    a_run_by_hand_has_its_own_time,
    bad_schedules_are_refused_at_the_door,
];

/// Succeeds at once.
fn every_minute() -> Definition {
    Definition {
        kind: "test.act".into(),
        args: json!({ "act": Act::Succeed }),
        cron: Some("* * * * *".into()),
        zone: "Europe/Berlin".into(),
        ..Definition::default()
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Engine {
    async fn put(&self, name: &str, definition: Definition) {
        self.app.scheduler.put(&Scope::Installation, name, definition, &ada()).await.unwrap();
    }

    /// The jobs of a schedule by their fire times.
    async fn jobs_of(&self, name: &str) -> BTreeMap<Timestamp, JobRow> {
        let filter = JobFilter { limit: Some(1_000), ..JobFilter::default() };
        let jobs = self.t.store.jobs(&Scope::Installation, &filter).await.unwrap();
        let mut found = BTreeMap::new();
        for job in jobs {
            let metadata = job.metadata.clone().unwrap_or_default();
            if metadata["schedule"] == name {
                let twice = found.insert(at(metadata["fire_time"].as_str().unwrap()), job);
                assert!(twice.is_none(), "two jobs for one fire time: {twice:?}");
            }
        }
        found
    }

    async fn times_of(&self, name: &str) -> Vec<String> {
        self.jobs_of(name).await.keys().map(|at| at.strftime("%H:%M").to_string()).collect()
    }

    async fn until_times(&self, name: &str, count: usize) {
        self.until(&format!("{name} has fired {count} times"), || async move {
            self.jobs_of(name).await.len() >= count
        })
        .await;
    }

    /// The same jobs, with what the configuration of another process says.
    fn another(&self, declared: Declared) -> App {
        App::new(Parts {
            store: self.t.store.clone(),
            clock: self.t.clock.clone(),
            registry: self.app.registry.clone(),
            keyring: Arc::new(Keyring::default()),
            artifacts: Arc::new(DirArtifacts::new(std::env::temp_dir())),
            uploads: Place::at(std::env::temp_dir().join("compline-uploads")),
            redis: None,
            declared,
            calls: BTreeMap::new(),
            approvals: Arc::default(),
        })
    }
}

/// Manual clocks begin at 10:00 UTC on Friday, 2 January 2026.
async fn a_schedule_enqueues_its_jobs_one_for_each_time(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    engine.put("minutely", every_minute()).await;

    engine.until_times("minutely", 3).await;

    let jobs = engine.jobs_of("minutely").await;
    assert_eq!(engine.times_of("minutely").await[..3], ["10:01", "10:02", "10:03"]);
    let first = jobs.values().next().unwrap();
    engine.until_state(first.id, JobState::Completed).await;
    assert!(first.created_at < at("2026-01-02T10:01:02Z"), "late: {}", first.created_at);
    engine.end(worker).await;
}

async fn three_processes_give_each_time_one_job(t: TestStore) {
    let engine = Engine::over(t);
    let (one, two) = (Engine::over(engine.t.second().await), Engine::over(engine.t.second().await));
    let workers = [engine.start(), one.start(), two.start()];
    for name in ["a", "b", "c"] {
        let definition = Definition { cron: Some("*/5 * * * * *".into()), ..every_minute() };
        engine.put(name, definition).await;
    }

    for name in ["a", "b", "c"] {
        engine.until_times(name, 12).await;
    }

    for name in ["a", "b", "c"] {
        let times: Vec<_> = engine.jobs_of(name).await.into_keys().collect();
        let gaps: Vec<_> = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect();
        assert!(gaps.iter().all(|gap| *gap == 5), "{name}: {times:?}");
    }
    for (engine, worker) in [&engine, &one, &two].into_iter().zip(workers) {
        engine.end(worker).await;
    }
}

/// Those that are open, by key, each with its count.
async fn alerts(t: &TestStore) -> BTreeMap<String, u64> {
    t.store.fold(100, &t.ids).await.unwrap();
    let all = AlertFilter { limit: Some(1_000), ..AlertFilter::default() };
    let open = t.store.alerts(&all).await.unwrap();
    open.into_iter().filter(|alert| alert.closed_at.is_none()).map(|alert| (alert.key, alert.count)).collect()
}

async fn after_an_outage_each_policy_catches_up_its_own(t: TestStore) {
    let engine = Engine::over(t);
    for (name, misfire) in
        [("skip", MisfireRule::Skip), ("once", MisfireRule::Once), ("all", MisfireRule::All)]
    {
        let cron = Some("*/10 * * * *".into());
        let usual = every_minute();
        let misfire_limit = if misfire == MisfireRule::All { 2 } else { usual.misfire_limit };
        engine.put(name, Definition { misfire, misfire_limit, cron, ..usual }).await;
    }
    // Nobody is there from 10:00 until 10:35.
    engine.t.clock.advance(Duration::from_secs(35 * 60));
    let worker = engine.start();

    engine.until_times("skip", 1).await;
    engine.until_times("once", 2).await;
    engine.until_times("all", 3).await;

    assert_eq!(engine.times_of("skip").await, ["10:40"]);
    assert_eq!(engine.times_of("once").await, ["10:30", "10:40"]);
    assert_eq!(engine.times_of("all").await, ["10:20", "10:30", "10:40"]);
    let missed = |name: &'static str| {
        let scheduler = engine.app.scheduler.clone();
        async move { scheduler.show(&Scope::Installation, name).await.unwrap().missed }
    };
    assert_eq!((missed("skip").await, missed("once").await, missed("all").await), (3, 2, 1));
    let told = ["all", "once", "skip"].map(|name| format!("schedule.missed/{name}"));
    assert_eq!(alerts(&engine.t).await, told.into_iter().zip([1, 2, 3]).collect());
    engine.end(worker).await;
}

async fn a_job_that_overlaps_waits_is_left_out_or_takes_over(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    for (name, overlap) in
        [("skip", Overlap::Skip), ("queue", Overlap::QueueOne), ("cancel", Overlap::CancelOld)]
    {
        let args = json!({ "act": Act::WaitAtGate });
        engine.put(name, Definition { overlap, args, ..every_minute() }).await;
    }
    engine
        .until("five minutes have gone by", || async { engine.t.clock.now() > at("2026-01-02T10:05:10Z") })
        .await;

    assert_eq!(engine.times_of("skip").await, ["10:01"]);
    let queued: Vec<_> = engine.jobs_of("queue").await.into_values().map(|job| job.state).collect();
    assert_eq!(queued, [JobState::Running, JobState::Waiting]);
    engine
        .until("the old ones have made room", || async {
            let states: Vec<_> = engine.jobs_of("cancel").await.into_values().map(|job| job.state).collect();
            states.len() >= 5 && states[..4].iter().all(|state| *state == JobState::Cancelled)
        })
        .await;
    engine.scene.gate.add_permits(1_000);
    engine.end(worker).await;
}

async fn arguments_name_the_times_they_are_for(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    let secret = "{{previous_fire_time:%H:%M}} to {{fire_time:%H:%M}}";
    engine.put("told", Definition { args: json!({ "act": { "secret": secret } }), ..every_minute() }).await;

    engine.until_times("told", 2).await;

    let args: Vec<_> = engine.jobs_of("told").await.into_values().map(|job| job.args).take(2).collect();
    // In Berlin it is an hour later.
    assert!(args[0].contains("11:00 to 11:01") && args[1].contains("11:01 to 11:02"), "{args:?}");
    engine.end(worker).await;
}

async fn a_kind_that_is_gone_is_said_and_the_next_time_is_tried(t: TestStore) {
    let engine = Engine::over(t);
    engine.put("gone", every_minute()).await;
    // This program does not have the kind any more.
    let old = Engine::with(
        engine.t.second().await,
        Arc::default(),
        jobkit::Registry::default(),
        Keyring::default(),
    );
    let worker = old.start();

    old.until("two times went by", || async {
        old.app.scheduler.show(&Scope::Installation, "gone").await.unwrap().missed >= 2
    })
    .await;

    let schedule = old.app.scheduler.show(&Scope::Installation, "gone").await.unwrap();
    assert_eq!(schedule.state, State::Active);
    assert!(schedule.last_error.unwrap().contains("unknown kind `test.act`"));
    assert!(alerts(&old.t).await.contains_key("schedule.broken/gone"));
    assert_eq!(engine.times_of("gone").await, [] as [String; 0]);
    old.end(worker).await;
    let worker = engine.start();
    engine.until_times("gone", 1).await;
    assert_eq!(engine.app.scheduler.show(&Scope::Installation, "gone").await.unwrap().last_error, None);
    assert!(!alerts(&engine.t).await.contains_key("schedule.broken/gone"), "it fires again");
    engine.end(worker).await;
}

/// Whoever repairs it is not told for ever that it is broken, and hears of it when it breaks again.
async fn a_schedule_that_was_put_right_is_broken_no_more(t: TestStore) {
    type Repair = fn(&Engine) -> futures::future::BoxFuture<'_, ()>;
    let repairs: [(&str, Repair); 3] = [
        ("put", |engine| {
            Box::pin(engine.put("put", Definition { tags: vec!["x".into()], ..every_minute() }))
        }),
        ("pause", |engine| {
            Box::pin(async {
                engine.app.scheduler.pause(&Scope::Installation, "pause", &ada(), "").await.unwrap();
            })
        }),
        ("delete", |engine| {
            Box::pin(async {
                engine.app.scheduler.delete(&Scope::Installation, "delete", &ada()).await.unwrap();
            })
        }),
    ];
    let engine = Engine::over(t);
    for (name, _) in repairs {
        engine.put(name, every_minute()).await;
    }
    let registry = jobkit::Registry::default();
    let old = Engine::with(engine.t.second().await, Arc::default(), registry, Keyring::default());
    let worker = old.start();
    old.until("all are broken", || async {
        let open = alerts(&old.t).await;
        repairs.iter().all(|(name, _)| open.contains_key(&format!("schedule.broken/{name}")))
    })
    .await;
    old.end(worker).await;

    for (_, repair) in repairs {
        repair(&engine).await;
    }

    let open = alerts(&engine.t).await;
    assert!(!open.keys().any(|key| key.starts_with("schedule.broken/")), "{open:?}");
}

/// A time that `cancel_old` comes to has its job from a backfill: that job is not cancelled for itself.
async fn a_time_that_was_filled_in_keeps_its_job(t: TestStore) {
    let engine = Engine::over(t);
    let hourly = Definition {
        cron: Some("@hourly".into()),
        overlap: Overlap::CancelOld,
        misfire: MisfireRule::All,
        args: json!({ "act": Act::WaitAtGate }),
        ..every_minute()
    };
    engine.put("hourly", hourly).await;
    engine.t.clock.advance(Duration::from_secs(70 * 60));
    let range = (at("2026-01-02T11:00:00Z"), at("2026-01-02T11:05:00Z"));
    let filled =
        engine.app.scheduler.backfill(&Scope::Installation, "hourly", range, false, &ada()).await.unwrap();

    let worker = engine.start();
    engine
        .until("the tick has come by", || async {
            let schedule = engine.app.scheduler.show(&Scope::Installation, "hourly").await.unwrap();
            schedule.next_fire == Some(at("2026-01-02T12:00:00Z"))
        })
        .await;

    let jobs = engine.jobs_of("hourly").await;
    let job = &jobs[&at("2026-01-02T11:00:00Z")];
    assert_eq!((Some(job.id), jobs.len()), (filled[0].job_id, 1));
    assert_ne!(job.state, JobState::Cancelled);
    engine.scene.gate.add_permits(1_000);
    engine.end(worker).await;
}

async fn a_run_by_hand_is_not_previous_to_an_earlier_time(t: TestStore) {
    let engine = Engine::over(t);
    let secret = "{{previous_fire_time:%H:%M}} to {{fire_time:%H:%M}}";
    let args = json!({ "act": { "secret": secret } });
    engine.put("told", Definition { cron: Some("@hourly".into()), args, ..every_minute() }).await;
    engine.t.clock.advance(Duration::from_secs(70 * 60));
    engine.app.scheduler.run_now(&Scope::Installation, "told", &ada()).await.unwrap();

    let worker = engine.start();
    engine.until_times("told", 2).await;

    // In Berlin it is an hour later.
    let args = engine.jobs_of("told").await[&at("2026-01-02T11:00:00Z")].args.clone();
    assert!(args.contains("11:00 to 12:00"), "{args}");
    engine.end(worker).await;
}

async fn a_clock_that_was_ahead_puts_no_schedule_to_sleep(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    engine.put("minutely", every_minute()).await;
    engine.until_times("minutely", 1).await;
    let next = || async {
        engine.app.scheduler.show(&Scope::Installation, "minutely").await.unwrap().next_fire.unwrap()
    };
    engine.t.clock.set(at("2027-01-02T10:00:30Z"));
    engine.until("it has moved on", || async { next().await > at("2027-01-01T00:00:00Z") }).await;

    engine.t.clock.set(at("2026-01-02T10:05:30Z"));
    engine
        .until("it fires in this year again", || async {
            engine.jobs_of("minutely").await.contains_key(&at("2026-01-02T10:06:00Z"))
        })
        .await;

    let set_back: Vec<_> =
        engine.t.audit().await.into_iter().filter(|entry| entry.action == "schedule.set_back").collect();
    assert_eq!(set_back[0].object, "minutely");
    assert_eq!(set_back[0].details["next"], "2026-01-02T10:06:00Z");
    let last = engine.app.scheduler.show(&Scope::Installation, "minutely").await.unwrap().last_fire.unwrap();
    assert!(last < at("2026-01-02T11:00:00Z"), "{last}");
    engine.end(worker).await;
}

/// More of them than are looked at in one go, and all due before the one that can be read.
async fn schedules_that_cannot_be_read_hold_up_no_others_and_are_told_of(t: TestStore) {
    let engine = Engine::over(t);
    let names: Vec<String> = (0..201).map(|n| format!("odd-{n:03}")).collect();
    for name in &names {
        let odd = PutSchedule {
            name: name.clone(),
            source: Source::Api,
            definition: r#"{"of":"another version"}"#.into(),
            digest: "d".into(),
            enabled: true,
            next_fire: Some(engine.t.clock.now()),
            revision: None,
        };
        assert!(engine.t.store.put_schedule(&Scope::Installation, &odd, &ada()).await.unwrap());
    }
    engine.put("minutely", every_minute()).await;

    let worker = engine.start();
    engine.until_times("minutely", 2).await;
    let told: BTreeMap<String, u64> =
        names.iter().map(|name| (format!("schedule.broken/{name}"), 1)).collect();
    let seen = std::sync::Mutex::new(BTreeMap::new());
    engine
        .until("all are told of", || async {
            let open = alerts(&engine.t).await;
            let all = open.len() >= told.len();
            *seen.lock().unwrap() = open;
            all
        })
        .await;
    engine.until_times("minutely", 4).await;

    assert_eq!(seen.into_inner().unwrap(), told);
    assert_eq!(alerts(&engine.t).await, told, "each is told once");
    let odd = engine.app.scheduler.show(&Scope::Installation, "odd-007").await.unwrap();
    assert!(odd.last_error.unwrap().contains("cannot be read"));
    engine.end(worker).await;
}

async fn a_paused_schedule_makes_up_for_nothing(t: TestStore) {
    let engine = Engine::over(t);
    let worker = engine.start();
    engine.put("minutely", every_minute()).await;
    engine.app.scheduler.pause(&Scope::Installation, "minutely", &ada(), "audit").await.unwrap();
    engine
        .until("three minutes have gone by", || async { engine.t.clock.now() > at("2026-01-02T10:03:10Z") })
        .await;
    let paused = engine.app.scheduler.show(&Scope::Installation, "minutely").await.unwrap();
    assert_eq!((paused.state, paused.reason.as_deref()), (State::Paused, Some("audit")));

    engine.app.scheduler.resume(&Scope::Installation, "minutely", &ada()).await.unwrap();
    engine.until_times("minutely", 1).await;

    assert_eq!(engine.times_of("minutely").await, ["10:04"]);
    engine.end(worker).await;
}

async fn the_configuration_owns_its_schedules(t: TestStore) {
    let engine = Engine::over(t);
    let declared = Declared {
        schedules: [("nightly".to_owned(), every_minute()), ("weekly".to_owned(), every_minute())].into(),
        calendars: [("germany".to_owned(), CalendarRules::default())].into(),
    };
    let one = engine.another(declared.clone());
    let listed = one.scheduler.list(&Scope::Installation).await.unwrap();
    assert!(listed.iter().all(|schedule| schedule.drift == Some(Drift::NotApplied)), "{listed:?}");
    let engine = Engine { app: Arc::new(one), ..engine };
    let worker = engine.start();
    engine.until_times("nightly", 1).await;

    let refused =
        engine.app.scheduler.put(&Scope::Installation, "nightly", every_minute(), &ada()).await.unwrap_err();
    assert!(matches!(refused, ScheduleError::Owned(_)), "{refused}");
    let refused = engine.app.scheduler.delete(&Scope::Installation, "weekly", &ada()).await.unwrap_err();
    assert!(refused.to_string().contains("owned by the configuration"), "{refused}");
    engine.app.scheduler.pause(&Scope::Installation, "weekly", &ada(), "").await.unwrap();
    assert!(
        engine
            .app
            .scheduler
            .list(&Scope::Installation)
            .await
            .unwrap()
            .iter()
            .all(|schedule| schedule.drift.is_none())
    );
    engine.end(worker).await;

    // The next version has another time for one, and nothing to say of the other.
    let hourly = Definition { cron: Some("@hourly".into()), ..every_minute() };
    let newer = Declared { schedules: [("nightly".to_owned(), hourly)].into(), ..declared };
    let two = engine.another(newer);
    let drift: Vec<_> = two
        .scheduler
        .list(&Scope::Installation)
        .await
        .unwrap()
        .into_iter()
        .map(|schedule| schedule.drift)
        .collect();
    assert_eq!(drift, [Some(Drift::Differs), Some(Drift::NotDeclared)]);
    let fresh = tokio_util::sync::CancellationToken::new;
    let engine = Engine { app: Arc::new(two), stop: fresh(), hard: fresh(), ..engine };
    let worker = engine.start();
    engine
        .until("the other is retired", || async {
            engine.app.scheduler.show(&Scope::Installation, "weekly").await.unwrap().state == State::Retired
        })
        .await;
    let nightly = engine.app.scheduler.show(&Scope::Installation, "nightly").await.unwrap();
    assert_eq!((nightly.next_fire, nightly.drift), (Some(at("2026-01-02T11:00:00Z")), None));
    engine.end(worker).await;
}

async fn a_backfill_fills_in_what_is_missing_and_nothing_twice(t: TestStore) {
    let engine = Engine::over(t);
    engine.put("hourly", Definition { cron: Some("@hourly".into()), ..every_minute() }).await;
    let scheduler = &engine.app.scheduler;
    let range = (at("2026-01-01T22:00:00Z"), at("2026-01-02T01:00:00Z"));

    let preview = scheduler.backfill(&Scope::Installation, "hourly", range, true, &ada()).await.unwrap();
    assert!(preview.iter().all(|one| one.job_id.is_none() && !one.there_already), "{preview:?}");
    assert_eq!(engine.times_of("hourly").await, [] as [String; 0]);
    let told = scheduler.backfill(&Scope::Installation, "hourly", range, false, &ada()).await.unwrap();
    let wider = (at("2026-01-01T21:00:00Z"), range.1);
    let again = scheduler.backfill(&Scope::Installation, "hourly", wider, false, &ada()).await.unwrap();

    assert_eq!(engine.times_of("hourly").await, ["21:00", "22:00", "23:00", "00:00"]);
    assert_eq!(
        again[1..].iter().map(|one| one.job_id).collect::<Vec<_>>(),
        told.iter().map(|one| one.job_id).collect::<Vec<_>>()
    );
    assert_eq!(again.iter().map(|one| one.there_already).collect::<Vec<_>>(), [false, true, true, true]);
    let future = (at("2026-01-02T09:00:00Z"), at("2026-01-03T09:00:00Z"));
    let refused = scheduler
        .backfill(&Scope::Installation, "hourly", future, true, &ada())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.starts_with("until: lies in the future"), "{refused}");
    let long = (at("2020-01-01T00:00:00Z"), at("2021-01-01T00:00:00Z"));
    let refused =
        scheduler.backfill(&Scope::Installation, "hourly", long, true, &ada()).await.unwrap_err().to_string();
    assert!(refused.contains("more than 1000 fire times"), "{refused}");
}

/// What fired under the name long ago is forgotten, but not that something did.
async fn a_backfill_trusts_no_memory_of_a_schedule_that_was_deleted(t: TestStore) {
    let engine = Engine::over(t);
    let hourly = || Definition { cron: Some("@hourly".into()), ..every_minute() };
    engine.put("hourly", hourly()).await;
    let scheduler = &engine.app.scheduler;
    let range = (at("2026-01-01T22:00:00Z"), at("2026-01-02T01:00:00Z"));
    scheduler.backfill(&Scope::Installation, "hourly", range, false, &ada()).await.unwrap();
    assert!(engine.t.store.delete_schedule(&Scope::Installation, "hourly", &ada()).await.unwrap());
    engine.t.clock.advance(Duration::from_secs(200 * 86_400));
    engine.t.store.forget_fires(Duration::from_secs(100 * 86_400), 100).await.unwrap();
    engine.put("hourly", hourly()).await;

    let refused = scheduler
        .backfill(&Scope::Installation, "hourly", range, false, &ada())
        .await
        .unwrap_err()
        .to_string();

    assert!(refused.contains("no longer remembered"), "{refused}");
    let young = (engine.t.clock.now() - Duration::from_secs(7_200), engine.t.clock.now());
    assert_eq!(
        scheduler.backfill(&Scope::Installation, "hourly", young, false, &ada()).await.unwrap().len(),
        2
    );
    engine.t.store.forget_fires(Duration::from_secs(0), 100).await.unwrap();
    let refused = scheduler
        .backfill(&Scope::Installation, "hourly", range, false, &ada())
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("no longer remembered"), "what fired since hides nothing: {refused}");
}

async fn a_run_by_hand_has_its_own_time(t: TestStore) {
    let engine = Engine::over(t);
    engine.put("yearly", Definition { cron: Some("@yearly".into()), ..every_minute() }).await;
    let next = engine.app.scheduler.show(&Scope::Installation, "yearly").await.unwrap().next_fire;

    let job = engine.app.scheduler.run_now(&Scope::Installation, "yearly", &ada()).await.unwrap();

    let jobs = engine.jobs_of("yearly").await;
    assert_eq!(jobs[&engine.t.clock.now()].id, job.id);
    assert_eq!(engine.app.scheduler.show(&Scope::Installation, "yearly").await.unwrap().next_fire, next);
    let unknown = engine.app.scheduler.run_now(&Scope::Installation, "unknown", &ada()).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no schedule `unknown`");
}

async fn bad_schedules_are_refused_at_the_door(t: TestStore) {
    let engine = Engine::over(t);
    for (name, definition, says) in [
        ("a b", every_minute(), "name: `a b` must be"),
        (
            "a",
            Definition { cron: Some("61 * * * *".into()), ..every_minute() },
            "cron: the minute field: `61`",
        ),
        ("a", Definition { kind: "test.unknown".into(), ..every_minute() }, "unknown kind `test.unknown`"),
        ("a", Definition { args: json!({ "act": "fly" }), ..every_minute() }, "args of `test.act`: `act`"),
        (
            "a",
            Definition { args: json!({ "act": "{{fire_tme}}" }), ..every_minute() },
            "args: `{{fire_tme}}` is not known",
        ),
        ("a", Definition { priority: Some(10), ..every_minute() }, "priority"),
        (
            "a",
            Definition { calendar: Some("mars".into()), ..every_minute() },
            "calendar: `mars` is not known",
        ),
    ] {
        let refused =
            engine.app.scheduler.put(&Scope::Installation, name, definition, &ada()).await.unwrap_err();
        let text = store::chain(&refused);
        assert!(text.contains(says), "{text}");
    }
    assert_eq!(engine.app.scheduler.list(&Scope::Installation).await.unwrap(), []);
    until(&engine.t.clock, "nothing stays behind", || async { engine.t.audit().await.is_empty() }).await;
}
