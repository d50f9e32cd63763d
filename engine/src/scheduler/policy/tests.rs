use jiff::tz::TimeZone;
use uuid::Uuid;

use super::super::cron::CronLine;
use super::super::timing::{Days, Rule};
use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-01-05T{text}Z").parse().unwrap()
}

fn all(times: &[&str]) -> Vec<Timestamp> {
    times.iter().map(|text| at(text)).collect()
}

/// Every ten minutes.
fn timing() -> Timing {
    Timing {
        rule: Rule::Cron(CronLine::parse("*/10 * * * *").unwrap()),
        zone: TimeZone::UTC,
        days: Days::Every,
        from: None,
        until: Some(at("12:00:00")),
    }
}

fn policy(misfire: Misfire) -> Policy {
    Policy { misfire, within: None, overlap: Overlap::Allow }
}

#[test]
fn each_misfire_policy_keeps_its_own_of_what_was_missed() {
    use Misfire::{All, Once, Skip};
    for (misfire, expected, now, fire, missed) in [
        // On time: all policies are one.
        (Skip, "08:00:00", "08:00:00", vec!["08:00:00"], 0),
        (Once, "08:00:00", "08:01:00", vec!["08:00:00"], 0),
        (All { most: 3 }, "08:00:00", "08:00:30", vec!["08:00:00"], 0),
        // Not yet.
        (Once, "08:00:00", "07:59:59", vec![], 0),
        // A single one, too late to be on time.
        (Skip, "08:00:00", "08:01:01", vec![], 1),
        (Once, "08:00:00", "08:01:01", vec!["08:00:00"], 0),
        (All { most: 3 }, "08:00:00", "08:01:01", vec!["08:00:00"], 0),
        // An outage that ends between two fire times.
        (Skip, "08:00:00", "08:45:00", vec![], 5),
        (Once, "08:00:00", "08:45:00", vec!["08:40:00"], 4),
        (All { most: 3 }, "08:00:00", "08:45:00", vec!["08:20:00", "08:30:00", "08:40:00"], 2),
        (All { most: 9 }, "08:30:00", "08:45:00", vec!["08:30:00", "08:40:00"], 0),
        // One that ends right at a fire time.
        (Skip, "08:00:00", "08:40:00", vec!["08:40:00"], 4),
        (Once, "08:00:00", "08:40:00", vec!["08:40:00"], 4),
        (All { most: 2 }, "08:00:00", "08:40:00", vec!["08:30:00", "08:40:00"], 3),
    ] {
        let tick = decide_tick(&timing(), at(expected), at(now), policy(misfire));
        assert_eq!((tick.fire, tick.missed), (all(&fire), missed), "{misfire:?} from {expected} at {now}");
        assert!(tick.next.is_some_and(|next| next > at(now) || next == at(expected)));
    }
}

#[test]
fn what_is_older_than_the_age_is_missed_under_every_policy() {
    let within = |misfire| Policy { within: Some(Duration::from_secs(20 * 60)), ..policy(misfire) };
    for (misfire, now, fire) in [
        (Misfire::All { most: 9 }, "08:45:00", vec!["08:30:00", "08:40:00"]),
        (Misfire::Once, "08:45:00", vec!["08:40:00"]),
        (Misfire::Once, "12:30:00", vec![]),
        (Misfire::All { most: 9 }, "12:30:00", vec![]),
    ] {
        let tick = decide_tick(&timing(), at("08:00:00"), at(now), within(misfire));
        assert_eq!(tick.fire, all(&fire), "{misfire:?} at {now}");
    }
}

#[test]
fn a_schedule_that_is_over_has_no_next_time() {
    let tick = decide_tick(&timing(), at("11:50:00"), at("12:30:00"), policy(Misfire::Skip));
    assert_eq!(tick, Tick { fire: vec![], missed: 1, next: None });
}

/// A process with older rules of the zone wrote the time; it went by without a word.
#[test]
fn a_time_that_is_none_of_ours_is_missed_and_not_forgotten() {
    let tick = decide_tick(&timing(), at("08:05:00"), at("08:05:00"), policy(Misfire::Once));
    assert_eq!(tick, Tick { fire: vec![], missed: 1, next: Some(at("08:10:00")) });
}

#[test]
fn a_long_outage_of_a_quick_schedule_is_not_walked_through() {
    let rule = Rule::Cron(CronLine::parse("* * * * * *").unwrap());
    let timing = Timing { rule, until: None, ..timing() };
    let now = "2036-01-05T00:00:00Z".parse().unwrap();
    let tick = decide_tick(&timing, at("08:00:00"), now, policy(Misfire::Once));
    assert_eq!((tick.fire, tick.missed), (vec![now], MOST_COUNTED));
}

#[test]
fn each_overlap_policy_admits_its_own() {
    let old = [JobId(Uuid::from_u128(1)), JobId(Uuid::from_u128(2))];
    let due = all(&["08:00:00", "08:10:00", "08:20:00"]);
    let free = |at: &Timestamp| Start { fire_time: *at, waits: false };
    let waiting = |at: &Timestamp| Start { fire_time: *at, waits: true };
    for (overlap, live, admitted) in [
        (Overlap::Allow, 0, (vec![free(&due[0]), free(&due[1]), free(&due[2])], 0..0, 0)),
        (Overlap::Allow, 2, (vec![free(&due[0]), free(&due[1]), free(&due[2])], 0..0, 0)),
        (Overlap::Skip, 0, (vec![free(&due[0])], 1..3, 0)),
        (Overlap::Skip, 1, (vec![], 0..3, 0)),
        (Overlap::QueueOne, 0, (vec![free(&due[0]), waiting(&due[1])], 2..3, 0)),
        (Overlap::QueueOne, 1, (vec![waiting(&due[0])], 1..3, 0)),
        (Overlap::QueueOne, 2, (vec![], 0..3, 0)),
        (Overlap::CancelOld, 0, (vec![free(&due[2])], 0..2, 0)),
        (Overlap::CancelOld, 2, (vec![free(&due[2])], 0..2, 2)),
    ] {
        let (start, left_out, cancelled) = admitted;
        let expected =
            Admitted { start, left_out: due[left_out].to_vec(), cancel: old[..cancelled].to_vec() };
        assert_eq!(admit(overlap, &old[..live], &due), expected, "{overlap:?} with {live}");
    }
    assert_eq!(admit(Overlap::CancelOld, &old, &[]), Admitted::default(), "nothing comes, so nothing goes");
}
