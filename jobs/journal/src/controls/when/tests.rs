use super::*;
use crate::calendar;
use crate::controls::fixture::{config, day, hits, hits_on, ids, line, usual};
use crate::line::Line;

fn entered(date: &str, hour: u32, minute: u32) -> Line<'static> {
    Line {
        entered: Some(day(date)),
        entered_time: Some(hour * 3_600 + minute * 60),
        ..line("x", "4711", "100")
    }
}

fn dated(effective: &str, entered: &str) -> Line<'static> {
    Line { effective: Some(day(effective)), entered: Some(day(entered)), ..line("x", "4711", "100") }
}

fn words(config: &super::super::Config, id: Id, line: Line<'_>) -> Option<String> {
    hits(config, id, vec![line]).pop().map(|(_, words)| words)
}

#[test]
fn saturday_is_a_day_off_and_friday_is_not() {
    let words = |date| words(&config("{}"), Id::DayOff, entered(date, 10, 0));

    assert_eq!(words("2025-03-15").unwrap(), "entered on Saturday, 2025-03-15");
    assert_eq!(words("2025-03-16").unwrap(), "entered on Sunday, 2025-03-16");
    assert_eq!(words("2025-03-14"), None);
    assert_eq!(words("2025-03-17"), None);
}

#[test]
fn days_off_are_those_of_the_entity_in_its_own_time_zone() {
    let days: calendar::Config = serde_json::from_str(
        r#"{
            "ledger_zone": "Europe/Berlin",
            "standard": { "zone": "Europe/Berlin", "holidays": ["2025-05-01"] },
            "calendars": {
                "gulf": { "weekend": ["friday", "saturday"] },
                "us": { "zone": "America/New_York" }
            },
            "entities": { "Riyadh": "gulf", "Boston": "us" }
        }"#,
    )
    .unwrap();
    let words = |entity, line| {
        let line = Line { entity, ..line };
        hits_on(&config("{}"), &days, Id::DayOff, vec![line]).pop().map(|(_, words)| words)
    };

    assert_eq!(
        words("Mainz", entered("2025-05-01", 9, 0)).unwrap(),
        "entered on Thursday, 2025-05-01, a holiday"
    );
    assert_eq!(words("Boston", entered("2025-05-01", 9, 0)), None);
    assert_eq!(words("Riyadh", entered("2025-03-14", 9, 0)).unwrap(), "entered on Friday, 2025-03-14");
    assert_eq!(words("Riyadh", entered("2025-03-16", 9, 0)), None);
    // Saturday at one in the morning is Friday evening in Boston.
    assert_eq!(words("Boston", entered("2025-03-15", 1, 0)), None);
    assert_eq!(words("Mainz", entered("2025-03-15", 1, 0)).unwrap(), "entered on Saturday, 2025-03-15");
}

#[test]
fn after_hours_begin_at_eight_and_end_at_six() {
    let words = |hour, minute| words(&config("{}"), Id::AfterHours, entered("2025-03-12", hour, minute));

    assert_eq!(words(20, 0).unwrap(), "entered at 20:00 by MEIER");
    assert_eq!(words(19, 59), None);
    assert_eq!(words(5, 59).unwrap(), "entered at 05:59 by MEIER");
    assert_eq!(words(6, 0), None);
    assert_eq!(words(0, 0).unwrap(), "entered at 00:00 by MEIER");
}

#[test]
fn hours_within_a_day_do_not_go_over_midnight() {
    let config = config(r#"{ "after_hours": { "from": 12, "until": 14 } }"#);
    let hit = |hour, minute| words(&config, Id::AfterHours, entered("2025-03-12", hour, minute)).is_some();

    assert_eq!([hit(11, 59), hit(12, 0), hit(13, 59), hit(14, 0)], [false, true, true, false]);
}

#[test]
fn hours_are_those_where_the_entity_works() {
    let days: calendar::Config = serde_json::from_str(
        r#"{ "ledger_zone": "Europe/Berlin", "standard": { "zone": "America/New_York" } }"#,
    )
    .unwrap();
    let words = |hour| {
        hits_on(&config("{}"), &days, Id::AfterHours, vec![entered("2025-07-01", hour, 0)])
            .pop()
            .map(|(_, words)| words)
    };

    assert_eq!(words(21), None, "15:00 in New York");
    assert_eq!(words(11).unwrap(), "entered at 05:00 by MEIER");
}

#[test]
fn dates_more_than_the_days_allowed_apart_are_others() {
    let words = |line| words(&config("{}"), Id::OtherDate, line);

    assert_eq!(
        words(dated("2025-01-01", "2025-02-01")).unwrap(),
        "entered on 2025-02-01 with effect from 2025-01-01, 31 days before"
    );
    assert_eq!(words(dated("2025-01-01", "2025-01-31")), None);
    assert_eq!(
        words(dated("2025-01-09", "2025-01-01")).unwrap(),
        "entered on 2025-01-01 with effect from 2025-01-09, 8 days ahead"
    );
    assert_eq!(words(dated("2025-01-08", "2025-01-01")), None);
    let document = |date| Line { document: Some(day(date)), ..dated("2025-01-01", "2025-01-01") };
    assert_eq!(
        words(document("2025-02-01")).unwrap(),
        "entered on 2025-01-01 for a document of 2025-02-01, 31 days ahead"
    );
    assert_eq!(words(document("2025-01-31")), None);
}

#[test]
fn the_end_of_a_period_is_its_last_day_and_the_one_before() {
    let near = config(r#"{ "period_end": { "days_before": 1, "days_after": 2 } }"#);
    let usual = config("{}");
    let words = |config, date| words(config, Id::PeriodEnd, dated(date, date));

    assert_eq!(words(&usual, "2025-02-28").unwrap(), "dated 2025-02-28, the last day of a period");
    assert_eq!(words(&usual, "2025-02-27").unwrap(), "dated 2025-02-27, 1 day before the end of a period");
    assert_eq!(words(&usual, "2025-02-26"), None);
    assert_eq!(words(&usual, "2025-03-01"), None);
    assert_eq!(words(&near, "2025-03-02").unwrap(), "dated 2025-03-02, 2 days after the end of a period");
    assert_eq!(words(&near, "2025-03-03"), None);
}

#[test]
fn the_books_close_ten_days_after_the_period() {
    let words = |line| words(&config("{}"), Id::AfterClose, line);

    assert_eq!(
        words(dated("2025-01-15", "2025-02-11")).unwrap(),
        "entered on 2025-02-11, 11 days after the period ended on 2025-01-31"
    );
    assert_eq!(words(dated("2025-01-15", "2025-02-10")), None);
    let special = |period| Line { period: Some(period), ..dated("2025-01-15", "2025-01-15") };
    assert_eq!(words(special(13)).unwrap(), "posted in special period 13");
    assert_eq!(words(special(12)), None);
}

#[test]
fn a_flurry_is_five_times_an_average_day_and_fifty_entries() {
    // Ten entries on each of ten other days.
    let ids = ids(100);
    let dates: Vec<Date> = (1..=10).map(|number| jiff::civil::date(2025, 2, number)).collect();
    let other_days = |days: usize| {
        let mut lines = usual(&ids[..days * 10], &line("", "4711", "1"));
        for (index, line) in lines.iter_mut().enumerate() {
            line.entered = Some(dates[index / 10]);
        }
        lines
    };
    let busy: Vec<String> = (0..50).map(|number| format!("x{number:02}")).collect();
    let flurry = |days: usize, entries: usize| {
        let lines = [other_days(days), usual(&busy[..entries], &line("", "4711", "1"))].concat();
        hits(&config("{}"), Id::Flurry, lines)
    };

    let hit = flurry(10, 50);
    assert_eq!(hit.len(), 50);
    assert_eq!(hit[0].1, "MEIER made 50 entries on 2025-03-12, and 10.00 on average of 10 other days");
    assert_eq!(flurry(10, 49), []);
    assert_eq!(flurry(9, 50), [], "nine days make no average");
}
