use jiff::tz::TimeZone;

use super::super::cron::CronLine;
use super::super::policy::{Misfire, Overlap};
use super::super::timing::{Days, Rule};
use super::*;

fn at(text: &str) -> Timestamp {
    format!("2026-03-29T{text}Z").parse().unwrap()
}

fn timing(line: &str) -> Timing {
    Timing {
        rule: Rule::Cron(CronLine::parse(line).unwrap()),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
        days: Days::Every,
        from: None,
        until: None,
    }
}

fn situation(misfire: Misfire, overlap: Overlap, minutes: u64) -> Situation {
    Situation {
        from: at("00:00:00"),
        until: at("05:00:00"),
        outages: Vec::new(),
        policy: Policy { misfire, within: None, overlap },
        takes: Duration::from_secs(minutes * 60),
    }
}

fn told(timing: &Timing, situation: &Situation) -> Vec<String> {
    let time = |at: Timestamp| at.strftime("%H:%M").to_string();
    let tell = |event: Event| {
        let outcome = match event.outcome {
            Outcome::Fired { starts } => format!("fired {}", time(starts)),
            Outcome::CaughtUp { starts } => format!("caught up {}", time(starts)),
            other => format!("{other:?}"),
        };
        format!("{} {outcome}", time(event.fire_time))
    };
    simulate(timing, situation).unwrap().into_iter().map(tell).collect()
}

#[test]
fn an_outage_shows_what_each_policy_catches_up() {
    for (misfire, middle) in [
        (Misfire::Skip, ["01:00 Missed", "02:00 Missed", "03:00 Missed"]),
        (Misfire::Once, ["01:00 Missed", "02:00 Missed", "03:00 caught up 03:30"]),
        (Misfire::All { most: 2 }, ["01:00 Missed", "02:00 caught up 03:30", "03:00 caught up 03:30"]),
    ] {
        let mut situation = situation(misfire, Overlap::Allow, 0);
        // Two that are one.
        situation.outages = vec![(at("02:00:00"), at("03:30:00")), (at("00:30:00"), at("02:30:00"))];
        let told = told(&timing("0 * * * *"), &situation);
        assert_eq!(told[0], "00:00 fired 00:00");
        assert_eq!(told[1..4], middle, "{misfire:?}");
        assert_eq!(told[4], "04:00 fired 04:00");
    }
}

#[test]
fn jobs_that_take_longer_than_the_interval_show_what_overlap_does() {
    for (overlap, expected) in [
        (
            Overlap::Skip,
            ["00:00 fired 00:00", "01:00 LeftOut", "02:00 fired 02:00", "03:00 LeftOut", "04:00 fired 04:00"],
        ),
        (
            Overlap::QueueOne,
            [
                "00:00 fired 00:00",
                "01:00 fired 01:30",
                "02:00 fired 03:00",
                "03:00 fired 04:30",
                "04:00 LeftOut",
            ],
        ),
        (
            Overlap::CancelOld,
            [
                "00:00 fired 00:00",
                "01:00 fired 01:00",
                "02:00 fired 02:00",
                "03:00 fired 03:00",
                "04:00 fired 04:00",
            ],
        ),
    ] {
        assert_eq!(
            told(&timing("0 * * * *"), &situation(Misfire::Once, overlap, 90)),
            expected,
            "{overlap:?}"
        );
    }
}

#[test]
fn a_change_of_the_clock_is_simulated_as_it_happens() {
    // At 01:00Z the clock goes from 02:00 to 03:00.
    let situation = situation(Misfire::Once, Overlap::Allow, 0);
    assert_eq!(told(&timing("30 2 * * *"), &situation), ["01:00 fired 01:00"]);
    let from_two_to_four = ["01:00 fired 01:00", "01:30 fired 01:30", "02:30 fired 02:30"];
    assert_eq!(told(&timing("30 2-4 * * *"), &situation), from_two_to_four);
}

#[test]
fn an_outage_that_does_not_end_leaves_the_rest_open() {
    let mut situation = situation(Misfire::Once, Overlap::Allow, 0);
    situation.outages = vec![(at("02:00:00"), at("06:00:00"))];
    let told = told(&timing("0 * * * *"), &situation);
    assert_eq!(told[1..], ["01:00 fired 01:00", "02:00 Undecided", "03:00 Undecided", "04:00 Undecided"]);
}

#[test]
fn a_job_that_waits_for_another_begins_when_somebody_is_there() {
    let mut situation = situation(Misfire::Once, Overlap::QueueOne, 90);
    situation.outages = vec![(at("01:15:00"), at("01:45:00"))];
    let told = told(&timing("0 * * * *"), &situation);
    assert_eq!(told[..2], ["00:00 fired 00:00", "01:00 fired 01:45"]);
}

#[test]
fn too_many_fire_times_are_not_told() {
    let situation = situation(Misfire::Skip, Overlap::Allow, 0);
    assert_eq!(simulate(&timing("* * * * * *"), &situation), None);
}
