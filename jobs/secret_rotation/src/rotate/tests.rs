use jobkit::testing::{Bench, crash_at_every_step};
use serde_json::Value;

use super::*;
use crate::phase::Adoption;
use crate::run::COLLECTION;
use crate::tests::{GRACE, House, MAX_GRACE, OLD, Play, args, first, house, house_with};

async fn ended(bench: &Bench, job: &Rotate, args: &RotateArgs) -> Value {
    match bench.run(job, args, 1).await {
        Ok(Outcome::Completed(Some(value))) => value,
        other => panic!("it did not complete: {other:?}"),
    }
}

fn kept(bench: &Bench) -> Kept {
    Kept::of(bench.host.kept().one(COLLECTION, "app-db").unwrap()).unwrap()
}

fn actions(bench: &Bench) -> Vec<String> {
    let actions = bench.host.kept().actions().into_iter();
    actions.map(|(action, _)| action.replace("secret_rotation.", "")).collect()
}

#[tokio::test]
async fn a_secret_is_made_kept_set_tried_published_and_the_old_one_proven_dead() {
    let (job, house) = house();
    let bench = Bench::default();

    let waits = bench.run(&job, &args(), 1).await.unwrap();
    let current = house.current();
    assert_eq!(waits, Outcome::Snooze(GRACE));
    assert_eq!(house.target.world().lets_in.len(), 2, "both are let in while the old one is still used");
    assert_ne!(current, OLD);
    bench.clock.advance(GRACE);
    let done = ended(&bench, &job, &args()).await;

    house.assert_one_lives();
    assert_eq!((house.current(), &done["state"]), (current, &json!("done")));
    assert_eq!(actions(&bench), ["plan", "create", "set", "test", "publish", "overlap", "retire", "done"]);
    let next = kept(&bench).record.due_at.unwrap().duration_since(kept(&bench).run.published_at.unwrap());
    assert_eq!(next, SignedDuration::from_hours(90 * 24));
    let told = json!([bench.host.kept().all(), bench.host.kept().details(), done]).to_string();
    assert!(!told.contains(OLD) && !told.contains(&house.current()));
}

#[tokio::test]
async fn a_crash_at_any_point_ends_with_one_value_that_lives() {
    let args = args();
    let tried = crash_at_every_step(
        &args,
        || house_with(Duration::ZERO, Adoption::Extend),
        |outcome, house: &House| {
            assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
            house.assert_one_lives();
            // Whatever died, one value was made, and not another each time.
            assert_eq!((house.store.kept().puts, house.target.world().most_at_once), (1, 2));
        },
    );

    assert_eq!(tried.await.unwrap(), 18);
}

/// Each answer is lost once, before and after it is done.
#[tokio::test]
async fn whatever_is_lost_on_the_way_one_value_lives_in_the_end() {
    for method in ["test", "set", "in_use", "retire"] {
        for play in [Play::Away, Play::LostAfter] {
            for ahead in 0..3 {
                let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
                let bench = Bench::default();
                house.target.play(method, [play]);
                house.store.kept().away = ahead;

                let mut tried = 0;
                while let Err(failure) = bench.run(&job, &args(), tried).await {
                    assert!(matches!(failure, Failure::Transient(_)), "{method} {play:?}: {failure:?}");
                    tried += 1;
                    assert!(tried < 10);
                }

                house.assert_one_lives();
                assert!(house.target.world().most_at_once <= 2, "{method} {play:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_target_is_never_touched_before_the_value_is_kept() {
    let (job, house) = house();
    let bench = Bench::default();
    house.store.kept().away = 1;

    assert!(matches!(bench.run(&job, &args(), 1).await, Err(Failure::Transient(_))));

    assert!(house.target.world().calls.is_empty());
    assert_eq!(house.current(), OLD);
}

#[tokio::test]
async fn of_two_jobs_one_rotates_and_the_other_finds_it_done() {
    let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
    let bench = Bench::default();
    let other = bench.beside();
    let id = run::id("app-db");
    // Both have looked before either has begun.
    bench.host.kept().hold_by(&id, other.id);
    let busy = bench.run(&job, &args(), 1).await;
    assert!(matches!(busy, Err(Failure::NotNow { .. })), "{busy:?}");
    bench.host.kept().let_go(other.id);
    let first = ended(&other, &job, &args()).await;
    bench.host.kept().let_go(other.id);

    let second = ended(&bench, &job, &args()).await;

    assert_eq!((&first["run"], &second["run"]), (&json!(1), &json!(1)));
    assert_eq!(house.store.kept().puts, 1);
    house.assert_one_lives();
}

#[tokio::test]
async fn another_rotation_is_another_run() {
    let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
    let bench = Bench::default();
    ended(&bench, &job, &args()).await;
    let before = house.current();
    bench.host.kept().let_go(bench.id);

    let second = ended(&bench.beside(), &job, &args()).await;

    assert_eq!(second["run"], json!(2));
    assert_ne!(house.current(), before);
    house.assert_one_lives();
}

#[tokio::test]
async fn a_value_that_the_target_does_not_take_is_replaced_three_times_and_then_a_person_is_asked() {
    for (refused, ends_well) in [(2, true), (3, false)] {
        let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
        let bench = Bench::default();
        house.target.play("set", vec![Play::RefusesTheValue; refused]);

        let outcome = bench.run(&job, &args(), 1).await;

        assert_eq!(outcome.is_ok(), ends_well, "{outcome:?}");
        match ends_well {
            true => house.assert_one_lives(),
            false => {
                assert_eq!((kept(&bench).phase, house.current()), (Phase::NeedsHuman, OLD.to_owned()));
                assert_eq!(house.store.kept().labels.pending, None);
                assert_eq!(bench.host.kept().news().len(), 1);
            }
        }
    }
}

#[tokio::test]
async fn what_somebody_left_pending_is_adopted_if_it_lives_and_else_a_person_is_asked() {
    for lives in [true, false] {
        let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
        let bench = Bench::default();
        let foreign = VersionId("foreign".into());
        house.store.kept().labels.pending = Some(foreign.clone());
        house.store.kept().values.insert(foreign.clone(), SecretString::from("theirs"));
        if lives {
            house.target.world().lets_in.insert("theirs".into());
        }

        let outcome = bench.run(&job, &args(), 1).await;

        match lives {
            true => {
                outcome.unwrap();
                assert_eq!(house.current(), "theirs");
                house.assert_one_lives();
            }
            false => {
                let told = outcome.unwrap_err().chain();
                assert!(told.contains("--clear-pending foreign"), "{told}");
                assert_eq!((house.current(), kept(&bench).phase), (OLD.into(), Phase::NeedsHuman));
            }
        }
    }
}

#[tokio::test]
async fn somebody_who_published_meanwhile_is_not_overwritten() {
    let (job, house) = house();
    let bench = Bench::default();
    house.target.play("set", [Play::LostAfter]);
    bench.run(&job, &args(), 1).await.unwrap_err();
    house.store.kept().labels.current = Some(VersionId("theirs".into()));

    let told = bench.run(&job, &args(), 2).await.unwrap_err().chain();

    assert!(told.contains("somebody else published the version theirs"), "{told}");
    assert_eq!(house.store.kept().labels.current, Some(VersionId("theirs".into())));
}

#[tokio::test]
async fn an_old_value_that_is_still_used_stays_until_its_longest_grace_or_is_cut() {
    let (job, house) = house();
    let bench = Bench::default();
    house.target.world().sessions = Some(3);
    bench.run(&job, &args(), 1).await.unwrap();
    bench.clock.advance(GRACE);

    assert_eq!(bench.run(&job, &args(), 2).await.unwrap(), Outcome::Snooze(LOOK));
    assert_eq!(house.target.world().lets_in.len(), 2);
    bench.clock.advance(MAX_GRACE);
    let told = bench.run(&job, &args(), 3).await.unwrap_err().chain();
    assert!(told.contains("3 sessions (billing)"), "{told}");
    assert_eq!((kept(&bench).phase, house.target.world().lets_in.len()), (Phase::NeedsHuman, 2));

    let (job, house) = house_with(GRACE, Adoption::Cut);
    let bench = Bench::default();
    house.target.world().sessions = Some(3);
    bench.run(&job, &args(), 1).await.unwrap();
    bench.clock.advance(GRACE);
    ended(&bench, &job, &args()).await;
    house.assert_one_lives();
    assert_eq!(house.target.world().sessions, Some(0));
}

/// Also one whose job waits for the grace to be over, or for a person.
#[tokio::test]
async fn a_compromised_secret_has_no_grace_and_no_sessions_left() {
    let compromised = RotateArgs { compromised: true, ..args() };
    for (begins, asks) in [(false, false), (true, false), (true, true)] {
        let (job, house) = house();
        let bench = Bench::default();
        house.target.world().sessions = Some(2);
        if begins {
            bench.run(&job, &args(), 1).await.unwrap();
            bench.clock.advance(if asks { GRACE + MAX_GRACE } else { Duration::ZERO });
            assert_eq!(bench.run(&job, &args(), 2).await.is_err(), asks);
            bench.host.kept().let_go(bench.id);
        }
        let emergency = bench.beside();

        let before = house.current();
        let done = ended(&emergency, &job, &compromised).await;

        // What readers have since the first one may be what somebody else knows.
        assert_eq!(done["run"], json!(if begins { 2 } else { 1 }));
        house.assert_one_lives();
        assert_ne!(house.current(), before);
        assert_eq!(house.target.world().sessions, Some(0));
        bench.host.kept().let_go(emergency.id);
        // The job that waited has nothing left to do, and begins nothing.
        if begins {
            let waited = bench.run(&job, &args(), 9).await.unwrap();
            assert!(matches!(waited, Outcome::Cancelled(_)) && house.store.kept().puts == 2, "{waited:?}");
        }
    }
}

#[tokio::test]
async fn without_an_overlap_there_is_nothing_to_wait_for() {
    let (job, house) = house();
    let bench = Bench::default();
    house.target.world().has_overlap = false;
    house.target.world().sessions = None;

    ended(&bench, &job, &args()).await;

    house.assert_one_lives();
    assert_eq!(house.target.world().most_at_once, 1);
}

#[tokio::test]
async fn a_secret_that_is_not_there_yet_is_made() {
    let (job, house) = house();
    let bench = Bench::default();
    *house.store.kept() = crate::tests::Kept::default();
    house.target.world().lets_in.clear();

    bench.run(&job, &args(), 1).await.unwrap();
    bench.clock.advance(GRACE);
    let done = ended(&bench, &job, &args()).await;

    house.assert_one_lives();
    assert_eq!(done["state"], json!("done"));
    assert!(!house.store.kept().values.contains_key(&first()));
}

/// A person was asked, has dealt with it, and asks for the rotation again.
#[tokio::test]
async fn a_rotation_that_waited_for_a_person_goes_on_where_it_stood() {
    let (job, house) = house();
    let bench = Bench::default();
    house.target.world().sessions = Some(3);
    bench.run(&job, &args(), 1).await.unwrap();
    bench.clock.advance(MAX_GRACE);
    bench.run(&job, &args(), 2).await.unwrap_err();
    bench.host.kept().let_go(bench.id);
    house.target.world().sessions = Some(0);

    let done = ended(&bench.beside(), &job, &args()).await;

    house.assert_one_lives();
    assert_eq!((&done["run"], house.store.kept().puts), (&json!(1), 1));
    assert_eq!(actions(&bench)[6..], ["ask", "resume", "retire", "done"]);
    assert_eq!(kept(&bench).run.problem, None);
}

/// What the target refuses for good is a question too, and not a job that is given up each hour.
#[tokio::test]
async fn a_target_that_a_person_must_mend_is_told_of_and_gone_on_with() {
    let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
    let bench = Bench::default();
    house.target.play("set", [Play::Refuses]);

    let told = bench.run(&job, &args(), 1).await.unwrap_err();

    assert!(matches!(told, Failure::Permanent(_)), "{told:?}");
    let asked = kept(&bench);
    assert_eq!((asked.phase, asked.run.goes_on), (Phase::NeedsHuman, Some(Phase::Created)));
    let news = bench.host.kept().news();
    assert!(news.len() == 1 && news[0].rule == STUCK && !news[0].text.contains("no right"), "{news:?}");
    bench.host.kept().let_go(bench.id);
    ended(&bench.beside(), &job, &args()).await;
    house.assert_one_lives();
}

#[tokio::test]
async fn what_fails_for_long_is_told_of_while_it_is_tried_on() {
    let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
    let bench = Bench::default();
    house.target.play("set", [Play::Away; 6]);

    for attempt in 1..=6 {
        bench.run(&job, &args(), attempt).await.unwrap_err();
    }

    assert_eq!(bench.host.kept().news().len(), 1);
    assert_eq!(kept(&bench).phase, Phase::Created);
    ended(&bench, &job, &args()).await;
    assert_eq!(bench.host.kept().news().len(), 2, "that it is over is told too");
}

#[tokio::test]
async fn a_target_that_is_away_does_not_condemn_what_somebody_left_pending() {
    let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
    let bench = Bench::default();
    let foreign = VersionId("foreign".into());
    house.store.kept().labels.pending = Some(foreign.clone());
    house.store.kept().values.insert(foreign, SecretString::from("theirs"));
    house.target.play("test", [Play::Away]);

    assert!(matches!(bench.run(&job, &args(), 1).await, Err(Failure::Transient(_))));

    assert_eq!(kept(&bench).phase, Phase::Planned);
}

#[tokio::test]
async fn what_was_left_pending_is_destroyed_when_a_person_says_which() {
    let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
    let bench = Bench::default();
    let foreign = VersionId("foreign".into());
    house.store.kept().labels.pending = Some(foreign.clone());
    house.store.kept().values.insert(foreign.clone(), SecretString::from("theirs"));
    bench.run(&job, &args(), 1).await.unwrap_err();
    bench.host.kept().let_go(bench.id);

    let other = RotateArgs { clear_pending: Some(VersionId("another".into())), ..args() };
    let bench = bench.beside();
    bench.run(&job, &other, 1).await.unwrap_err();
    assert!(house.store.kept().values.contains_key(&foreign));
    bench.host.kept().let_go(bench.id);
    ended(&bench.beside(), &job, &RotateArgs { clear_pending: Some(foreign), ..args() }).await;

    house.assert_one_lives();
}

/// The store was brought back from a backup while the old value had its grace: readers have that again.
#[tokio::test]
async fn a_store_that_was_set_back_keeps_the_value_that_readers_have() {
    let (job, house) = house();
    let bench = Bench::default();
    bench.run(&job, &args(), 1).await.unwrap();
    house.store.kept().labels = crate::store::Labels { current: Some(first()), ..Default::default() };
    bench.clock.advance(GRACE);

    let told = bench.run(&job, &args(), 2).await.unwrap_err().chain();

    assert!(told.contains("version-0"), "{told}");
    assert!(house.target.world().lets_in.contains(OLD));
    bench.host.kept().let_go(bench.id);
    let next = bench.beside();
    let waits = next.run(&job, &args(), 1).await.unwrap();
    assert_eq!(waits, Outcome::Snooze(GRACE));
    assert_eq!(kept(&bench).run.number, 2);
}

/// The database was brought back from a backup: it has forgotten rotations, whose versions are in the store.
#[tokio::test]
async fn a_database_that_was_set_back_names_its_versions_otherwise() {
    let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
    ended(&Bench::default(), &job, &args()).await;
    let (before, bench) = (house.current(), Bench::default());
    bench.clock.advance(Duration::from_secs(60));

    ended(&bench, &job, &args()).await;

    assert_ne!(house.current(), before);
    house.assert_one_lives();
}

/// Who cannot be asked cannot be shown to be refused.
#[tokio::test]
async fn an_old_value_that_the_store_has_lost_is_not_called_refused() {
    let (job, house) = house();
    let bench = Bench::default();
    bench.run(&job, &args(), 1).await.unwrap();
    house.store.kept().values.remove(&first());
    bench.clock.advance(GRACE);

    let done = ended(&bench, &job, &args()).await;

    assert_eq!(done["old_refused_at"], Value::Null);
    assert!(bench.host.kept().details().iter().any(|told| told["old_is_refused"] == json!(false)));
}

/// A server that lets in whoever comes proves nothing.
#[tokio::test]
async fn an_old_value_that_is_let_in_after_all_is_never_called_dead() {
    let (job, house) = house_with(Duration::ZERO, Adoption::Extend);
    let bench = Bench::default();
    house.target.play("retire", [Play::LostAfter]);
    bench.run(&job, &args(), 1).await.unwrap_err();
    house.target.world().lets_in.insert(OLD.into());
    // It says that it has done so, and has not.
    house.target.world().forgets_to_retire = true;

    let told = bench.run(&job, &args(), 2).await.unwrap_err();

    assert!(matches!(told, Failure::Transient(_)), "{told:?}");
    assert_eq!(kept(&bench).phase, Phase::Overlap);
}

#[test]
fn the_door_knows_the_secrets() {
    let (job, _) = house();

    assert_eq!(job.check(&args()), Ok(()));
    assert!(job.check(&RotateArgs { name: "nothing".into(), ..args() }).unwrap_err().starts_with("name: "));
}
