//! Schedules in the store: who may change one, and that a fire time has one job however many want it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use jobkit::{Clock, JobId, OnConflict, When};
use serde_json::json;
use store::schedules::{FireRange, Fired, Firing, Occasion, PutSchedule, ScheduleRow, Source};
use store::state::JobState;
use store::{Actor, Inserted, NewRow, Release, Scope};
use tokio::sync::Barrier;

use crate::support::store::{TestStore, ada, completed, named, promises, refusal, seconds, unique};

promises![
    a_schedule_is_put_read_and_listed,
    a_put_that_read_an_older_row_is_not_taken,
    a_schedule_that_rests_is_never_due,
    a_pause_outlives_a_new_definition,
    what_is_due_comes_first_and_the_next_is_told,
    a_firing_enqueues_and_advances_in_one,
    two_processes_that_fire_one_schedule_fire_it_once,
    a_fire_time_that_has_its_job_is_given_no_other,
    a_firing_that_cannot_be_written_leaves_nothing,
    a_run_does_not_advance_and_a_tick_decides_anew,
    jobs_that_make_room_are_cancelled_in_the_same_breath,
    a_job_that_makes_room_gives_up_its_unique_key,
    a_time_that_meets_the_key_of_another_job_is_recorded_and_cancels_nothing,
    only_jobs_that_have_not_ended_are_live,
    an_error_is_kept_until_the_next_firing_that_has_none,
    old_fire_times_are_forgotten_and_young_ones_kept,
    a_schedule_that_is_made_anew_is_at_another_revision,
    deleting_a_schedule_keeps_its_jobs_and_its_memory,
    what_a_process_cannot_read_is_left_out_while_it_stays_as_it_is,
    what_a_wrong_clock_carried_away_is_set_back_with_an_entry,
    a_retired_schedule_comes_back_with_its_memory,
];

pub fn put(name: &str, next: Option<Timestamp>) -> PutSchedule {
    PutSchedule {
        name: name.into(),
        source: Source::Api,
        definition: r#"{"n":1}"#.into(),
        digest: "d1".into(),
        enabled: true,
        next_fire: next,
        revision: None,
    }
}

async fn made(t: &TestStore, name: &str) -> ScheduleRow {
    assert!(
        t.store.put_schedule(&Scope::Installation, &put(name, Some(t.clock.now())), &ada()).await.unwrap()
    );
    read(t, name).await
}

async fn read(t: &TestStore, name: &str) -> ScheduleRow {
    t.store.schedule(&Scope::Installation, name).await.unwrap().expect("a schedule that is there")
}

fn tick(row: &ScheduleRow, jobs: Vec<(Timestamp, NewRow)>) -> Firing {
    let occasion = Occasion::Tick {
        revision: row.revision,
        next: row.next_fire.map(|next| next + seconds(60)),
        missed: 0,
        error: None,
    };
    Firing {
        name: row.name.clone(),
        jobs,
        cancel: Vec::new(),
        occasion,
        details: json!({ "fired": 1 }),
        news: Vec::new(),
    }
}

/// A job as the schedule `nightly` makes it.
fn own(t: &TestStore) -> NewRow {
    NewRow { metadata: Some(json!({ "schedule": "nightly" })), ..t.row() }
}

fn by() -> Actor {
    Actor::new("schedule:nightly")
}

fn ids(fired: &Fired) -> Vec<JobId> {
    match fired {
        Fired::Enqueued(jobs) => jobs.iter().map(|(_, job)| job.id).collect(),
        Fired::Lost => panic!("somebody else was quicker"),
    }
}

/// All fire times that have a job, the newest first.
async fn fired(t: &TestStore, name: &str) -> Vec<(Timestamp, JobId)> {
    let range =
        FireRange { from: Timestamp::UNIX_EPOCH, until: t.clock.now() + seconds(1_000_000), limit: 100 };
    let rows = t.store.fires(&Scope::Installation, name, range).await.unwrap();
    rows.into_iter().map(|row| (row.fire_time, row.job_id)).collect()
}

async fn a_schedule_is_put_read_and_listed(t: TestStore) {
    let now = t.clock.now();
    made(&t, "weekly").await;
    let row = made(&t, "nightly").await;

    assert_eq!((row.source, row.enabled), (Source::Api, true));
    assert_eq!((row.definition.as_str(), row.digest.as_str()), (r#"{"n":1}"#, "d1"));
    assert_eq!((row.next_fire, row.last_fire, row.missed), (Some(now), None, 0));
    assert_eq!((row.created_at, row.changed_at), (now, now));
    let names: Vec<_> =
        t.store.schedules(&Scope::Installation).await.unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["nightly", "weekly"]);
    assert_eq!(t.store.schedule(&Scope::Installation, "monthly").await.unwrap(), None);
    let audit = t.audit().await;
    assert_eq!((audit[1].action.as_str(), audit[1].object.as_str()), ("schedule.put", "nightly"));
    assert_eq!((audit[1].actor.as_str(), &audit[1].details["digest"]), ("user:ada", &json!("d1")));
}

async fn a_put_that_read_an_older_row_is_not_taken(t: TestStore) {
    let row = made(&t, "nightly").await;
    let newer = PutSchedule { digest: "d2".into(), revision: Some(row.revision), ..put("nightly", None) };

    assert!(
        !t.store.put_schedule(&Scope::Installation, &put("nightly", None), &ada()).await.unwrap(),
        "one is there"
    );
    assert!(t.store.put_schedule(&Scope::Installation, &newer, &ada()).await.unwrap());
    assert!(!t.store.put_schedule(&Scope::Installation, &newer, &ada()).await.unwrap(), "it has moved on");
    assert!(t.store.delete_schedule(&Scope::Installation, "nightly", &ada()).await.unwrap());
    let gone = PutSchedule { revision: Some(row.revision + 1), ..newer };
    assert!(!t.store.put_schedule(&Scope::Installation, &gone, &ada()).await.unwrap(), "it is gone");

    assert_eq!(t.store.schedules(&Scope::Installation).await.unwrap(), []);
    let puts = t.audit().await.into_iter().filter(|entry| entry.action == "schedule.put");
    assert_eq!(puts.map(|entry| entry.details["digest"].clone()).collect::<Vec<_>>(), ["d1", "d2"]);
}

async fn a_schedule_that_rests_is_never_due(t: TestStore) {
    let now = t.clock.now();
    let off = PutSchedule { enabled: false, ..put("off", Some(now)) };
    assert!(t.store.put_schedule(&Scope::Installation, &off, &ada()).await.unwrap());
    made(&t, "paused").await;
    assert!(t.store.pause_schedule(&Scope::Installation, "paused", &ada(), "audit").await.unwrap());
    let row = made(&t, "retired").await;
    let config =
        PutSchedule { source: Source::Config, revision: Some(row.revision), ..put("retired", Some(now)) };
    assert!(t.store.put_schedule(&Scope::Installation, &config, &ada()).await.unwrap());
    assert!(t.store.retire_schedule("retired", row.revision + 1, &ada()).await.unwrap());

    let due = t.store.schedules_due(10, &[]).await.unwrap();

    assert_eq!((due.rows, due.next, due.now), (vec![], None, now));
    for name in ["off", "paused", "retired"] {
        let row = read(&t, name).await;
        assert!(row.rests() && row.next_fire.is_none(), "{row:?}");
    }
    assert!(!t.store.pause_schedule(&Scope::Installation, "unknown", &ada(), "").await.unwrap());
}

async fn a_pause_outlives_a_new_definition(t: TestStore) {
    made(&t, "nightly").await;
    t.store.pause_schedule(&Scope::Installation, "nightly", &ada(), "year end").await.unwrap();
    let row = read(&t, "nightly").await;
    let paused_at = row.paused_at;
    let next = t.clock.now() + seconds(60);

    let newer = PutSchedule { revision: Some(row.revision), ..put("nightly", Some(next)) };
    assert!(t.store.put_schedule(&Scope::Installation, &newer, &ada()).await.unwrap());

    let row = read(&t, "nightly").await;
    assert_eq!((row.paused_at, row.paused_by.as_deref()), (paused_at, Some("user:ada")));
    assert_eq!((row.reason.as_deref(), row.next_fire), (Some("year end"), None));
    assert!(
        !t.store
            .resume_schedule(&Scope::Installation, "nightly", row.revision - 1, Some(next), &ada())
            .await
            .unwrap()
    );
    assert!(
        t.store
            .resume_schedule(&Scope::Installation, "nightly", row.revision, Some(next), &ada())
            .await
            .unwrap()
    );
    let row = read(&t, "nightly").await;
    assert_eq!((row.paused_at, row.next_fire), (None, Some(next)));
    let audit: Vec<_> = t.audit().await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(audit, ["schedule.put", "schedule.pause", "schedule.put", "schedule.resume"]);
}

async fn what_is_due_comes_first_and_the_next_is_told(t: TestStore) {
    let now = t.clock.now();
    for (name, after) in [("b", 10), ("a", 20), ("c", 40)] {
        t.store
            .put_schedule(&Scope::Installation, &put(name, Some(now + seconds(after))), &ada())
            .await
            .unwrap();
    }
    t.clock.advance(seconds(25));

    let due = t.store.schedules_due(10, &[]).await.unwrap();

    let names: Vec<_> = due.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!((names, due.next), (vec!["b", "a"], Some(seconds(15))));
    assert_eq!(t.store.schedules_due(1, &[]).await.unwrap().rows[0].name, "b");
}

async fn a_firing_enqueues_and_advances_in_one(t: TestStore) {
    let now = t.clock.now();
    let row = made(&t, "nightly").await;
    let job = t.row();
    let (id, next) = (job.id, now + seconds(60));

    let answer =
        t.store.fire_schedule(&Scope::Installation, &tick(&row, vec![(now, job)]), &by()).await.unwrap();

    assert_eq!(answer, Fired::Enqueued(vec![(now, Inserted { id, duplicate: false })]));
    assert_eq!(t.state(id).await, JobState::Available);
    let made = row.revision;
    let row = read(&t, "nightly").await;
    assert_eq!((row.next_fire, row.last_fire, row.revision), (Some(next), Some(now), made + 1));
    assert_eq!(fired(&t, "nightly").await, [(now, id)]);
    let entries = t.audited_behind(store::Position::START, 100).await;
    let actions: Vec<_> = entries.iter().map(|(_, entry)| entry.action.as_str()).collect();
    assert_eq!(actions, ["schedule.put", "job.enqueue", "schedule.fire"]);
    let entry = &entries[2].1;
    assert_eq!((entry.actor.as_str(), entry.object.as_str()), ("schedule:nightly", "nightly"));
    assert_eq!((named(entry), &entry.details["fired"]), (BTreeSet::from([id]), &json!(1)));
}

async fn two_processes_that_fire_one_schedule_fire_it_once(t: TestStore) {
    const PROCESSES: usize = 6;
    let now = t.clock.now();
    let row = made(&t, "nightly").await;
    let start = Arc::new(Barrier::new(PROCESSES));
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let (store, start, firing) = (t.another().await, start.clone(), tick(&row, vec![(now, t.row())]));
        processes.push(tokio::spawn(async move {
            start.wait().await;
            store.fire_schedule(&Scope::Installation, &firing, &by()).await.unwrap()
        }));
    }
    let mut won = Vec::new();
    for process in processes {
        match process.await.unwrap() {
            Fired::Enqueued(jobs) => won.extend(jobs),
            Fired::Lost => {}
        }
    }

    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(fired(&t, "nightly").await, [(now, won[0].1.id)]);
    let jobs = t.store.jobs(&Scope::Installation, &store::JobFilter::default()).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [won[0].1.id]);
}

/// A backfill, a clock that was set back, a schedule that was put anew.
async fn a_fire_time_that_has_its_job_is_given_no_other(t: TestStore) {
    let now = t.clock.now();
    let row = made(&t, "nightly").await;
    let first = ids(&t
        .store
        .fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row())]), &by())
        .await
        .unwrap());
    let backfill = |times: Vec<Timestamp>| Firing {
        name: "nightly".into(),
        jobs: times.into_iter().map(|at| (at, t.row())).collect(),
        cancel: Vec::new(),
        occasion: Occasion::Backfill,
        details: json!({}),
        news: Vec::new(),
    };
    let before = now - seconds(60);

    let some =
        t.store.fire_schedule(&Scope::Installation, &backfill(vec![before, now]), &ada()).await.unwrap();
    let none =
        t.store.fire_schedule(&Scope::Installation, &backfill(vec![before, now]), &ada()).await.unwrap();

    let second = ids(&some);
    assert_eq!((second.len(), ids(&none)), (1, vec![]));
    assert_eq!(fired(&t, "nightly").await, [(now, first[0]), (before, second[0])]);
    assert_eq!(read(&t, "nightly").await.last_fire, Some(now));
}

async fn a_firing_that_cannot_be_written_leaves_nothing(t: TestStore) {
    let now = t.clock.now();
    let row = made(&t, "nightly").await;
    let mut orphan = t.row();
    orphan.after = vec![t.ids.next()];

    let answer = t
        .store
        .fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row()), (now, orphan)]), &by())
        .await;

    assert!(refusal(answer).contains("job"));
    assert_eq!(read(&t, "nightly").await, row);
    assert_eq!(fired(&t, "nightly").await, []);
    assert_eq!(t.store.jobs(&Scope::Installation, &store::JobFilter::default()).await.unwrap(), []);
}

async fn a_run_does_not_advance_and_a_tick_decides_anew(t: TestStore) {
    let now = t.clock.now();
    let row = made(&t, "nightly").await;
    let run = Firing { occasion: Occasion::Run, ..tick(&row, vec![(now - seconds(1), t.row())]) };

    let answer = t.store.fire_schedule(&Scope::Installation, &run, &ada()).await.unwrap();

    assert_eq!(ids(&answer).len(), 1);
    assert_eq!(read(&t, "nightly").await.next_fire, Some(now));
    let stale =
        t.store.fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row())]), &by()).await.unwrap();
    assert_eq!(stale, Fired::Lost);
    let unknown = Firing { name: "unknown".into(), ..run };
    assert_eq!(t.store.fire_schedule(&Scope::Installation, &unknown, &ada()).await.unwrap(), Fired::Lost);
    assert_eq!(t.audit().await.last().unwrap().action, "schedule.run");
}

async fn jobs_that_make_room_are_cancelled_in_the_same_breath(t: TestStore) {
    let now = t.clock.now();
    let worker = t.worker().await;
    let row = made(&t, "nightly").await;
    let later = NewRow { when: When::After(seconds(60)), ..t.row() };
    let jobs = vec![(now - seconds(2), t.row()), (now - seconds(1), later)];
    let old = ids(&t.store.fire_schedule(&Scope::Installation, &tick(&row, jobs), &by()).await.unwrap());
    let running = t.claim_one(worker).await;
    assert_eq!(running.id, old[0]);

    let row = read(&t, "nightly").await;
    let firing = Firing { cancel: old.clone(), ..tick(&row, vec![(now, t.row())]) };
    let new = ids(&t.store.fire_schedule(&Scope::Installation, &firing, &by()).await.unwrap());

    assert_eq!(t.states(&old).await, [JobState::Running, JobState::Cancelled]);
    assert_eq!(t.state(new[0]).await, JobState::Available);
    let audit = t.audit().await;
    let cancel = audit.iter().find(|entry| entry.action == "job.cancel").expect("an entry of its own");
    assert_eq!((named(cancel), cancel.actor.as_str()), (old.iter().copied().collect(), "schedule:nightly"));
    // The running one ends when its worker says so.
    t.finish(worker, &running, store::End::GiveBack).await;
    assert_eq!(t.state(old[0]).await, JobState::Cancelled);
}

/// Otherwise the job that comes would be taken for the one that goes, and its fire time would be lost.
async fn a_job_that_makes_room_gives_up_its_unique_key(t: TestStore) {
    let now = t.clock.now();
    let worker = t.worker().await;
    let keyed = |key| NewRow { unique: unique(key, Release::AtEnd, OnConflict::ReturnExisting), ..own(&t) };
    let row = made(&t, "nightly").await;
    let jobs = vec![(now - seconds(2), keyed(1)), (now - seconds(1), keyed(2))];
    let old = ids(&t.store.fire_schedule(&Scope::Installation, &tick(&row, jobs), &by()).await.unwrap());
    let running = t.claim_one(worker).await;
    assert_eq!(running.id, old[0]);
    let row = read(&t, "nightly").await;
    let jobs = vec![(now, keyed(1)), (now + seconds(1), keyed(2))];
    let firing = Firing { cancel: old.clone(), ..tick(&row, jobs) };

    let fired = t.store.fire_schedule(&Scope::Installation, &firing, &by()).await.unwrap();

    let new = ids(&fired);
    let Fired::Enqueued(jobs) = fired else { panic!("it fired") };
    assert!(jobs.iter().all(|(_, job)| !job.duplicate), "{jobs:?}");
    assert_eq!(t.states(&old).await, [JobState::Running, JobState::Cancelled]);
    // Two with one key do not run at a time.
    assert_eq!(t.states(&new).await, [JobState::Waiting, JobState::Available]);
    t.finish(worker, &running, store::End::GiveBack).await;
    assert_eq!(t.state(old[0]).await, JobState::Cancelled);
    assert_eq!(t.state(new[0]).await, JobState::Available);
    // The key is the new one's.
    let third = t.insert(&[keyed(1)]).await;
    assert_eq!((third[0].id, third[0].duplicate), (new[0], true));
}

async fn a_time_that_meets_the_key_of_another_job_is_recorded_and_cancels_nothing(t: TestStore) {
    let now = t.clock.now();
    let keyed = || unique(7, Release::AtEnd, OnConflict::ReturnExisting);
    let holder = t.add(|row| row.unique = keyed()).await;
    let row = made(&t, "nightly").await;
    let old = ids(&t
        .store
        .fire_schedule(&Scope::Installation, &tick(&row, vec![(now - seconds(1), own(&t))]), &by())
        .await
        .unwrap());
    let row = read(&t, "nightly").await;
    let firing =
        Firing { cancel: old.clone(), ..tick(&row, vec![(now, NewRow { unique: keyed(), ..own(&t) })]) };

    let fired = t.store.fire_schedule(&Scope::Installation, &firing, &by()).await.unwrap();

    assert_eq!(fired, Fired::Enqueued(vec![(now, Inserted { id: holder, duplicate: true })]));
    assert_eq!(t.states(&old).await, [JobState::Available]);
    let entry = t.audit().await.pop().unwrap();
    assert_eq!(entry.details["met_key"], json!([{ "fire_time": now, "job": holder }]));
    // It is no job of the schedule's: nothing waits for it, and nothing cancels it.
    assert_eq!(t.store.live_fires("nightly").await.unwrap(), old);
}

async fn only_jobs_that_have_not_ended_are_live(t: TestStore) {
    let now = t.clock.now();
    let worker = t.worker().await;
    let row = made(&t, "nightly").await;
    let jobs = (0..20).map(|n| (now + seconds(n), own(&t))).collect();
    let jobs = ids(&t.store.fire_schedule(&Scope::Installation, &tick(&row, jobs), &by()).await.unwrap());
    let ended = t.run(worker, completed()).await;
    assert_eq!(ended, jobs[0]);

    let live = t.store.live_fires("nightly").await.unwrap();

    assert_eq!(live, jobs[4..], "the last sixteen, the oldest first");
    for _ in 4..20 {
        t.run(worker, completed()).await;
    }
    assert_eq!(t.store.live_fires("nightly").await.unwrap(), jobs[17..], "three were not claimed yet");
}

async fn an_error_is_kept_until_the_next_firing_that_has_none(t: TestStore) {
    let now = t.clock.now();
    let row = made(&t, "nightly").await;
    let next = Some(now + seconds(60));
    let occasion =
        Occasion::Tick { revision: row.revision, next, missed: 1, error: Some("unknown kind".into()) };
    t.store
        .fire_schedule(&Scope::Installation, &Firing { occasion, ..tick(&row, Vec::new()) }, &by())
        .await
        .unwrap();

    let row = read(&t, "nightly").await;
    assert_eq!((row.last_error.as_deref(), row.error_at), (Some("unknown kind"), Some(now)));
    assert_eq!((row.missed, row.last_fire, row.next_fire), (1, None, next));
    t.store.fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row())]), &by()).await.unwrap();
    let row = read(&t, "nightly").await;
    assert_eq!((row.last_error, row.error_at, row.missed), (None, None, 1));
}

async fn old_fire_times_are_forgotten_and_young_ones_kept(t: TestStore) {
    let fire = async || {
        let (row, now) = (read(&t, "nightly").await, t.clock.now());
        let fired = t
            .store
            .fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row())]), &by())
            .await
            .unwrap();
        t.clock.advance(seconds(100));
        (now, ids(&fired)[0])
    };
    made(&t, "nightly").await;
    let (first, _, third) = (fire().await, fire().await, fire().await);

    assert_eq!(t.store.forget_fires(seconds(400), 10).await.unwrap(), 0);
    assert_eq!(t.store.forget_fires(seconds(150), 10).await.unwrap(), 1);

    // The first stays: it says since when there were others, however long ago.
    assert_eq!(fired(&t, "nightly").await, [third, first]);
    assert_eq!(t.store.first_fired(&Scope::Installation, "nightly").await.unwrap(), Some(first.0));
    assert_eq!(t.store.first_fired(&Scope::Installation, "weekly").await.unwrap(), None);
}

/// Who read the old one must not act on the new.
async fn a_schedule_that_is_made_anew_is_at_another_revision(t: TestStore) {
    let row = made(&t, "nightly").await;
    assert!(t.store.delete_schedule(&Scope::Installation, "nightly", &ada()).await.unwrap());
    t.clock.advance(seconds(1));
    let anew = made(&t, "nightly").await;

    assert!(anew.revision > row.revision);
    let late = t
        .store
        .fire_schedule(&Scope::Installation, &tick(&row, vec![(t.clock.now(), t.row())]), &by())
        .await
        .unwrap();
    assert_eq!(late, Fired::Lost);
    assert_eq!(fired(&t, "nightly").await, []);
}

/// One that is put anew under the name gives no time a second job (decision 0021).
async fn deleting_a_schedule_keeps_its_jobs_and_its_memory(t: TestStore) {
    let now = t.clock.now();
    let row = made(&t, "nightly").await;
    let jobs = ids(&t
        .store
        .fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row())]), &by())
        .await
        .unwrap());

    assert!(t.store.delete_schedule(&Scope::Installation, "nightly", &ada()).await.unwrap());
    assert!(!t.store.delete_schedule(&Scope::Installation, "nightly", &ada()).await.unwrap());

    assert_eq!(t.store.schedule(&Scope::Installation, "nightly").await.unwrap(), None);
    assert_eq!(t.state(jobs[0]).await, JobState::Available);
    assert_eq!(t.audit().await.last().unwrap().action, "schedule.delete");
    let row = made(&t, "nightly").await;
    let again =
        t.store.fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row())]), &by()).await.unwrap();
    assert_eq!(again, Fired::Enqueued(Vec::new()));
    assert_eq!(fired(&t, "nightly").await, [(now, jobs[0])]);
}

async fn what_a_process_cannot_read_is_left_out_while_it_stays_as_it_is(t: TestStore) {
    let (odd, _) = (made(&t, "odd").await, made(&t, "nightly").await);
    let names = async |without: &[(String, i64)]| -> Vec<String> {
        t.store.schedules_due(10, without).await.unwrap().rows.into_iter().map(|row| row.name).collect()
    };
    let known = [("odd".to_owned(), odd.revision), ("nightly".to_owned(), 7)];

    assert_eq!(names(&known).await, ["nightly"]);

    let newer =
        PutSchedule { revision: Some(odd.revision), digest: "d2".into(), ..put("odd", odd.next_fire) };
    assert!(t.store.put_schedule(&Scope::Installation, &newer, &ada()).await.unwrap());
    assert_eq!(names(&known).await.len(), 2);
}

async fn what_a_wrong_clock_carried_away_is_set_back_with_an_entry(t: TestStore) {
    let now = t.clock.now();
    let row = made(&t, "nightly").await;
    t.store.fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row())]), &by()).await.unwrap();
    let year = seconds(365 * 86_400);
    t.clock.set(now + year);
    let row = read(&t, "nightly").await;
    let ahead = Firing {
        occasion: Occasion::Tick {
            revision: row.revision,
            next: Some(now + 2 * year),
            missed: 9,
            error: None,
        },
        ..tick(&row, vec![(now + year, t.row())])
    };
    t.store.fire_schedule(&Scope::Installation, &ahead, &by()).await.unwrap();
    t.clock.set(now + seconds(5));
    let (row, next) = (read(&t, "nightly").await, now + seconds(60));
    assert_eq!(row.last_fire, Some(now + year));

    let details = json!({ "next": next });
    let set = |revision| t.store.set_schedule_back("nightly", revision, next, details.clone());
    assert!(!set(row.revision - 1).await.unwrap(), "it has moved on");
    assert!(set(row.revision).await.unwrap());

    let row = read(&t, "nightly").await;
    assert_eq!((row.next_fire, row.last_fire), (Some(next), Some(now)));
    let entry = t.audit().await.pop().unwrap();
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("schedule.set_back", "schedule:nightly"));
    assert_eq!((entry.object.as_str(), &entry.details["next"]), ("nightly", &json!(next)));
    // What fired ahead of its time does not fire again.
    let again = t
        .store
        .fire_schedule(&Scope::Installation, &tick(&row, vec![(now + year, t.row())]), &by())
        .await
        .unwrap();
    assert_eq!(again, Fired::Enqueued(Vec::new()));
    t.store.pause_schedule(&Scope::Installation, "nightly", &ada(), "").await.unwrap();
    let row = read(&t, "nightly").await;
    assert!(!set(row.revision).await.unwrap(), "it rests");
}

async fn a_retired_schedule_comes_back_with_its_memory(t: TestStore) {
    let now = t.clock.now();
    let config = PutSchedule { source: Source::Config, ..put("nightly", Some(now)) };
    assert!(t.store.put_schedule(&Scope::Installation, &config, &ada()).await.unwrap());
    let row = read(&t, "nightly").await;
    t.store.fire_schedule(&Scope::Installation, &tick(&row, vec![(now, t.row())]), &by()).await.unwrap();
    assert!(!t.store.retire_schedule("nightly", row.revision, &ada()).await.unwrap(), "it has moved on");
    assert!(t.store.retire_schedule("nightly", row.revision + 1, &ada()).await.unwrap());
    let row = read(&t, "nightly").await;
    assert_eq!((row.retired_at, row.next_fire), (Some(now), None));

    let again = PutSchedule { revision: Some(row.revision), next_fire: Some(now + seconds(60)), ..config };
    assert!(t.store.put_schedule(&Scope::Installation, &again, &ada()).await.unwrap());

    let row = read(&t, "nightly").await;
    assert_eq!((row.retired_at, row.last_fire), (None, Some(now)));
    assert_eq!(row.next_fire, Some(now + seconds(60)));
    assert_eq!(fired(&t, "nightly").await.len(), 1);
}
