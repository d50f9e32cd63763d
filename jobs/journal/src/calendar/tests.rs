use jiff::civil::date;

use super::*;
use crate::line::Line;
use crate::part::from_lines;

fn config(json: &str) -> Config {
    serde_json::from_str(json).unwrap()
}

/// The local day and time of entry of a line of the entity, entered on 2025-07-01 at the time.
fn local(config: &Config, entity: &str, seconds: u32) -> (Date, Option<u32>) {
    let line =
        Line { entity, entered: Some(date(2025, 7, 1)), entered_time: Some(seconds), ..Line::default() };
    let (part, names) = from_lines([line]);
    Calendars::new(config, &names).unwrap().entered(&part.postings()[0]).unwrap()
}

#[test]
fn a_time_of_the_ledgers_zone_becomes_one_of_the_entitys_zone() {
    let config = config(
        r#"{
            "ledger_zone": "Europe/Berlin",
            "standard": { "zone": "Europe/Berlin" },
            "calendars": { "us": { "zone": "America/New_York" }, "jp": { "zone": "Asia/Tokyo" } },
            "entities": { "Boston": "us", "Osaka": "jp" }
        }"#,
    );
    let evening = 23 * 3_600 + 30 * 60;

    assert_eq!(local(&config, "Mainz", evening), (date(2025, 7, 1), Some(evening)));
    assert_eq!(local(&config, "Boston", evening), (date(2025, 7, 1), Some(evening - 6 * 3_600)));
    assert_eq!(local(&config, "Osaka", evening), (date(2025, 7, 2), Some(6 * 3_600 + 30 * 60)));
}

#[test]
fn without_both_zones_a_time_stays_what_the_ledger_says() {
    let no_ledger_zone = config(r#"{ "standard": { "zone": "Asia/Tokyo" } }"#);
    let no_entity_zone = config(r#"{ "ledger_zone": "Asia/Tokyo" }"#);

    for config in [no_ledger_zone, no_entity_zone] {
        assert_eq!(local(&config, "", 82_800), (date(2025, 7, 1), Some(82_800)));
    }
}

#[test]
fn a_weekend_may_be_friday_and_saturday() {
    let gulf = Calendar { weekend: BTreeSet::from([Day::Friday, Day::Saturday]), ..Calendar::default() };
    let weekend = |calendar: &Calendar| {
        let days = (3..=9).map(|day| date(2025, 11, day));
        days.filter(|&day| calendar.is_weekend(day)).map(|day| day.weekday()).collect::<Vec<_>>()
    };

    assert_eq!(weekend(&gulf), [Weekday::Friday, Weekday::Saturday]);
    assert_eq!(weekend(&Calendar::default()), [Weekday::Saturday, Weekday::Sunday]);
}

#[test]
fn periods_end_with_months_or_where_the_calendar_says() {
    let months = Calendar::default();
    let weeks = Calendar {
        period_ends: BTreeSet::from([date(2025, 1, 25), date(2025, 2, 22)]),
        ..Calendar::default()
    };

    assert_eq!(months.period_end(date(2025, 1, 31)), date(2025, 1, 31));
    assert_eq!(months.period_end(date(2025, 2, 1)), date(2025, 2, 28));
    assert_eq!(months.last_period_end(date(2025, 2, 1)), Some(date(2025, 1, 31)));
    assert_eq!(weeks.period_end(date(2025, 1, 25)), date(2025, 1, 25));
    assert_eq!(weeks.period_end(date(2025, 1, 26)), date(2025, 2, 22));
    assert_eq!(weeks.last_period_end(date(2025, 1, 26)), Some(date(2025, 1, 25)));
    // Behind the list, months again.
    assert_eq!(weeks.period_end(date(2025, 6, 3)), date(2025, 6, 30));
    assert_eq!(weeks.last_period_end(date(2025, 6, 3)), Some(date(2025, 5, 31)));
}

#[test]
fn refuses_what_it_cannot_resolve_and_names_the_field() {
    let (_, names) = from_lines([Line::default()]);
    let refused = |json| Calendars::new(&config(json), &names).unwrap_err().to_string();

    assert_eq!(
        refused(r#"{ "calendars": { "x": { "zone": "Mars/Base" } } }"#),
        "calendars.x.zone: there is no time zone `Mars/Base`; write one like `Europe/Berlin`"
    );
    assert_eq!(
        refused(r#"{ "entities": { "1000": "us" } }"#),
        "entities.1000: there is no calendar `us`; name one of `calendars`"
    );
    let all = r#"["monday","tuesday","wednesday","thursday","friday","saturday","sunday"]"#;
    assert_eq!(
        refused(&format!(r#"{{ "standard": {{ "weekend": {all} }} }}"#)),
        "standard.weekend: all seven days are weekend; leave out the days of work"
    );
    assert!(
        serde_json::from_str::<Config>(r#"{ "timezone": "UTC" }"#)
            .unwrap_err()
            .to_string()
            .contains("timezone")
    );
}
