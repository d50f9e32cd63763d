use jiff::civil::Time as CivilTime;

use super::super::calendar::CalendarRules;
use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(line: &str, zone: &str) -> Timing {
    Timing {
        rule: Rule::Cron(CronLine::parse(line).unwrap()),
        zone: TimeZone::get(zone).unwrap(),
        days: Days::Every,
        from: None,
        until: None,
    }
}

fn every(seconds: u64, anchor: &str) -> Timing {
    let rule = Rule::Every { period: Duration::from_secs(seconds), anchor: at(anchor) };
    Timing { rule, ..cron("* * * * *", "Europe/Berlin") }
}

fn fires(timing: &Timing, after: &str, count: usize) -> Vec<String> {
    timing.after(at(after)).take(count).map(|at| at.to_string()).collect()
}

// Berlin, 2026: 29 March 01:00Z the clock goes from 02:00 to 03:00; 25 October 01:00Z from 03:00 back to 02:00.

#[test]
fn a_time_that_is_skipped_fires_once_at_the_first_instant_after_the_gap() {
    for (line, expected) in [
        ("30 2 * * *", vec!["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]),
        // All that the gap swallows is one fire time, and so is what falls on its end anyway.
        (
            "0,15,30 2,3 * * *",
            vec![
                "2026-03-28T01:00:00Z",
                "2026-03-28T01:15:00Z",
                "2026-03-28T01:30:00Z",
                "2026-03-28T02:00:00Z",
                "2026-03-28T02:15:00Z",
                "2026-03-28T02:30:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-29T01:15:00Z",
                "2026-03-29T01:30:00Z",
            ],
        ),
        ("15 30 2 * * *", vec!["2026-03-28T01:30:15Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:15Z"]),
    ] {
        assert_eq!(
            fires(&cron(line, "Europe/Berlin"), "2026-03-28T00:00:00Z", expected.len()),
            expected,
            "{line}"
        );
    }
}

#[test]
fn a_time_that_is_repeated_fires_once_in_the_first_pass() {
    let timing = cron("30 2 * * *", "Europe/Berlin");
    let expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    assert_eq!(fires(&timing, "2026-10-24T00:00:00Z", 3), expected);
    // Asked within either pass.
    assert_eq!(timing.next_after(at("2026-10-25T00:30:00Z")), Some(at("2026-10-26T01:30:00Z")));
    assert_eq!(timing.next_after(at("2026-10-25T01:10:00Z")), Some(at("2026-10-26T01:30:00Z")));
    assert_eq!(timing.next_after(at("2026-10-25T01:59:59Z")), Some(at("2026-10-26T01:30:00Z")));
}

#[test]
fn wildcards_follow_real_time() {
    // Not in the gap …
    let half_past = cron("30 * * * *", "Europe/Berlin");
    assert_eq!(
        fires(&half_past, "2026-03-29T00:00:00Z", 2),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"]
    );
    let quarter = cron("*/30 2 * * *", "Europe/Berlin");
    assert_eq!(fires(&quarter, "2026-03-28T22:00:00Z", 1), ["2026-03-30T00:00:00Z"]);
    // … and in both passes of the overlap.
    assert_eq!(
        fires(&half_past, "2026-10-25T00:00:00Z", 3),
        ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"]
    );
    assert_eq!(
        fires(&quarter, "2026-10-24T22:00:00Z", 5),
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-26T01:00:00Z"
        ]
    );
}

#[test]
fn a_day_that_a_zone_left_out_fires_at_its_end() {
    // Apia went from 29 to 31 December 2011 at midnight.
    assert_eq!(
        fires(&cron("0 12 30 12 *", "Pacific/Apia"), "2011-12-01T00:00:00Z", 1),
        ["2011-12-30T10:00:00Z"]
    );
    // Lord Howe moves by half an hour: 02:00 becomes 02:30.
    assert_eq!(
        fires(&cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 1),
        ["2026-10-03T15:30:00Z"]
    );
}

#[test]
fn what_fires_once_in_many_years_is_found_at_once() {
    assert_eq!(
        fires(&cron("*/5 0 29 2 *", "Europe/Berlin"), "2026-01-01T00:00:00Z", 1),
        ["2028-02-28T23:00:00Z"]
    );
    assert_eq!(
        fires(&cron("0 0 29 2 *", "America/New_York"), "2096-03-01T00:00:00Z", 1),
        ["2104-02-29T05:00:00Z"]
    );
}

#[test]
fn an_interval_is_counted_from_its_anchor_in_real_time() {
    let timing = every(3 * 3_600, "2026-03-28T01:00:00Z");
    assert_eq!(fires(&timing, "2026-03-28T22:30:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z"]);
    assert_eq!(
        fires(&timing, "2020-01-01T00:00:00Z", 1),
        ["2026-03-28T01:00:00Z"],
        "the anchor is the first"
    );
    assert_eq!(fires(&timing, "2026-03-28T01:00:00Z", 1), ["2026-03-28T04:00:00Z"]);
}

fn germany() -> Calendar {
    let rules = CalendarRules {
        holidays: vec!["2026-04-03".into(), "2026-04-06".into()],
        yearly: vec!["05-01".into()],
        ..CalendarRules::default()
    };
    Calendar::new(&rules).unwrap()
}

fn on(days: Days, line: &str) -> Timing {
    Timing { days, ..cron(line, "Europe/Berlin") }
}

#[test]
fn a_calendar_leaves_days_out_or_moves_them() {
    let after = "2026-04-01T22:00:00Z";
    let daily = "0 8 * * *";
    assert_eq!(
        fires(&on(Days::OnlyBusinessDays(germany()), daily), after, 2),
        ["2026-04-02T06:00:00Z", "2026-04-07T06:00:00Z"]
    );
    assert_eq!(
        fires(&on(Days::SkipHolidays(germany()), daily), after, 4),
        ["2026-04-02T06:00:00Z", "2026-04-04T06:00:00Z", "2026-04-05T06:00:00Z", "2026-04-07T06:00:00Z"]
    );
    // Good Friday to Easter Monday are four closed days in a row: one fire time on the Tuesday.
    assert_eq!(
        fires(&on(Days::NextBusinessDay(germany()), daily), after, 3),
        ["2026-04-02T06:00:00Z", "2026-04-07T06:00:00Z", "2026-04-08T06:00:00Z"]
    );
    assert_eq!(
        fires(&on(Days::NextBusinessDay(germany()), "0 8 4 * *"), after, 2),
        ["2026-04-07T06:00:00Z", "2026-05-04T06:00:00Z"]
    );
    // Asked in the middle of the closure, and on the day it is moved to.
    let fourth = on(Days::NextBusinessDay(germany()), "0 8 4 * *");
    assert_eq!(fourth.next_after(at("2026-04-06T12:00:00Z")), Some(at("2026-04-07T06:00:00Z")));
    assert_eq!(fourth.next_after(at("2026-04-07T05:59:59Z")), Some(at("2026-04-07T06:00:00Z")));
    assert_eq!(fourth.next_after(at("2026-04-07T06:00:00Z")), Some(at("2026-05-04T06:00:00Z")));
}

#[test]
fn an_interval_rests_on_closed_days() {
    let timing =
        Timing { days: Days::OnlyBusinessDays(germany()), ..every(6 * 3_600, "2026-01-01T00:00:00Z") };
    assert_eq!(
        fires(&timing, "2026-04-02T13:00:00Z", 3),
        ["2026-04-02T18:00:00Z", "2026-04-07T00:00:00Z", "2026-04-07T06:00:00Z"]
    );
}

#[test]
fn what_a_calendar_takes_away_altogether_never_fires() {
    assert_eq!(
        on(Days::OnlyBusinessDays(germany()), "0 8 * * SAT").next_after(at("2026-01-01T00:00:00Z")),
        None
    );
    assert_eq!(
        on(Days::OnlyBusinessDays(germany()), "0 8 1 5 *").next_after(at("2026-01-01T00:00:00Z")),
        None
    );
}

#[test]
fn the_window_includes_its_beginning_and_not_its_end() {
    let timing = Timing {
        from: Some(at("2026-05-01T06:00:00Z")),
        until: Some(at("2026-05-03T06:00:00Z")),
        ..cron("0 8 * * *", "Europe/Berlin")
    };
    assert_eq!(fires(&timing, "2020-01-01T00:00:00Z", 9), ["2026-05-01T06:00:00Z", "2026-05-02T06:00:00Z"]);
    assert_eq!(timing.next_after(at("2026-05-02T06:00:00Z")), None);
}

#[test]
fn the_last_of_many_are_found_without_walking_through_all() {
    let timing = cron("* * * * * *", "Europe/Berlin");
    let last = timing.last_until(at("2000-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), 3);
    let last: Vec<_> = last.iter().map(Timestamp::to_string).collect();
    assert_eq!(last, ["2025-12-31T23:59:58Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"]);

    let rare = cron("0 0 29 2 *", "UTC");
    assert_eq!(rare.last_before(at("2026-01-01T00:00:00Z")), Some(at("2024-02-29T00:00:00Z")));
    assert_eq!(rare.last_before(at("2024-02-29T00:00:00Z")), Some(at("2020-02-29T00:00:00Z")));
    let few = rare.last_until(at("2021-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"), 5);
    assert_eq!(few, [at("2024-02-29T00:00:00Z")]);
}

#[test]
fn an_instant_between_two_seconds_misses_nothing() {
    let timing = cron("* * * * * *", "UTC");
    assert_eq!(timing.next_after(at("2026-01-01T00:00:00.999999Z")), Some(at("2026-01-01T00:00:01Z")));
    assert_eq!(timing.next_after(at("2026-01-01T00:00:01Z")), Some(at("2026-01-01T00:00:02Z")));
    assert_eq!(timing.zone.to_datetime(at("2026-01-01T00:00:00Z")).time(), CivilTime::midnight());
}
