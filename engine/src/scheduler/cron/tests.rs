use jiff::civil::{Date, date, time};

use super::*;

fn line(text: &str) -> CronLine {
    CronLine::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn days(text: &str, from: Date, count: usize) -> Vec<String> {
    let line = line(text);
    let after = |day: &Date| line.next_day(day.tomorrow().ok()?);
    std::iter::successors(line.next_day(from), after).take(count).map(|day| day.to_string()).collect()
}

#[test]
fn every_way_to_write_a_day_is_understood() {
    let january = date(2026, 1, 1);
    for (text, expected) in [
        ("0 0 1 * *", vec!["2026-01-01", "2026-02-01"]),
        ("0 0 31 * ?", vec!["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("0 0 L * *", vec!["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 L-2 * *", vec!["2026-01-29", "2026-02-26"]),
        ("0 0 LW * *", vec!["2026-01-30", "2026-02-27", "2026-03-31"]),
        // A Saturday that is the first goes forward, because the month must not be left.
        ("0 0 1W * *", vec!["2026-01-01", "2026-02-02", "2026-03-02", "2026-04-01", "2026-05-01"]),
        ("0 0 31W * *", vec!["2026-01-30", "2026-03-31", "2026-05-29"]),
        ("0 0 15W * *", vec!["2026-01-15", "2026-02-16", "2026-03-16"]),
        ("0 0 * * MON", vec!["2026-01-05", "2026-01-12"]),
        ("0 0 * * 5L", vec!["2026-01-30", "2026-02-27"]),
        ("0 0 * * friL", vec!["2026-01-30", "2026-02-27"]),
        ("0 0 * * MON#2", vec!["2026-01-12", "2026-02-09"]),
        ("0 0 * * 6#5", vec!["2026-01-31", "2026-05-30"]),
        ("0 0 ? * SAT,SUN", vec!["2026-01-03", "2026-01-04"]),
        ("0 0 * * 0", vec!["2026-01-04"]),
        ("0 0 * * 7", vec!["2026-01-04"]),
        ("0 0 * * FRI-SUN", vec!["2026-01-02", "2026-01-03", "2026-01-04"]),
        ("0 0 * * 5-7", vec!["2026-01-02", "2026-01-03", "2026-01-04"]),
        ("0 0 29 2 *", vec!["2028-02-29", "2032-02-29"]),
        ("0 0 1 JAN-mar/2 *", vec!["2026-01-01", "2026-03-01", "2027-01-01"]),
        // Both restricted: either matches.
        ("0 0 13 * FRI", vec!["2026-01-02", "2026-01-09", "2026-01-13"]),
        // A star is no restriction, with a step or without: both match.
        ("0 0 */10 * MON", vec!["2026-05-11", "2026-06-01"]),
        ("0 0 13 * */5", vec!["2026-02-13", "2026-03-13", "2026-09-13"]),
    ] {
        assert_eq!(days(text, january, expected.len()), expected, "{text}");
    }
}

#[test]
fn a_day_may_be_waited_for_across_a_year_that_is_no_leap_year() {
    assert_eq!(days("0 0 29 2 *", date(2096, 3, 1), 1), ["2104-02-29"]);
    // 29 February on a Sunday: every 28 years, and 40 across 2100.
    assert_eq!(days("0 0 29 2 */7", date(2026, 1, 1), 3), ["2032-02-29", "2060-02-29", "2088-02-29"]);
    assert_eq!(days("0 0 29 2 */7", date(2088, 3, 1), 1), ["2128-02-29"]);
}

#[test]
fn times_of_a_day_come_in_order_with_and_without_seconds() {
    for (text, from, expected) in [
        ("30 6 * * *", time(0, 0, 0, 0), Some(time(6, 30, 0, 0))),
        ("30 6 * * *", time(6, 30, 0, 0), Some(time(6, 30, 0, 0))),
        ("30 6 * * *", time(6, 30, 1, 0), None),
        ("*/20 8-9 * * *", time(8, 41, 0, 0), Some(time(9, 0, 0, 0))),
        ("5/20 23 * * *", time(23, 6, 0, 0), Some(time(23, 25, 0, 0))),
        ("15 30 6 * * *", time(6, 30, 0, 0), Some(time(6, 30, 15, 0))),
        ("*/10 * * * * *", time(23, 59, 51, 0), None),
        ("0 0 12 * * *", time(11, 59, 59, 0), Some(time(12, 0, 0, 0))),
    ] {
        assert_eq!(line(text).next_time(from), expected, "{text} from {from}");
    }
}

#[test]
fn names_of_schedules_mean_the_lines_they_stand_for() {
    for (name, same) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@Monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ] {
        assert_eq!(
            CronLine { text: String::new(), ..line(name) },
            CronLine { text: String::new(), ..line(same) }
        );
    }
}

#[test]
fn only_written_times_are_fixed() {
    for (text, fixed) in [
        ("30 2 * * *", true),
        ("0,30 2-4 * * *", true),
        ("0-59/15 2 * * *", true),
        ("15 30 2 * * *", true),
        ("*/15 2 * * *", false),
        ("30 * * * *", false),
        ("30 */2 * * *", false),
        ("* 30 2 * * *", false),
    ] {
        assert_eq!(line(text).is_fixed(), fixed, "{text}");
    }
}

#[test]
fn a_mistake_names_the_field_the_value_and_the_remedy() {
    for (text, parts) in [
        ("61 * * * *", ["minute", "`61`", "is not from 0 to 59", "write for example"]),
        ("* 24 * * *", ["hour", "`24`", "is not from 0 to 23", "8-17"]),
        ("* * 0 * *", ["day of month", "`0`", "is not from 1 to 31", "LW"]),
        ("* * * 13 *", ["month", "`13`", "is not from 1 to 12", "JAN"]),
        ("* * * * 8", ["day of week", "`8`", "is not from 0 to 7", "MON#2"]),
        ("* * * * MUN", ["day of week", "`MUN`", "cannot be read", "MON-FRI"]),
        ("*/0 * * * *", ["minute", "`*/0`", "a step that is not from 1 to 59", "*/15"]),
        ("300/300 * * * *", ["minute", "`300/300`", "a step", "*/15"]),
        ("-1 * * * *", ["minute", "`-1`", "cannot be read", "*/15"]),
        ("1,,2 * * * *", ["minute", "``", "cannot be read", "*/15"]),
        ("+1 * * * *", ["minute", "`+1`", "cannot be read", "*/15"]),
        ("* 22-4 * * *", ["hour", "`22-4`", "22-23,0-4", "does not go around"]),
        ("* * L-31 * *", ["day of month", "`L-31`", "counts back", "L-2"]),
        ("* * W * *", ["day of month", "`W`", "cannot be read", "15W"]),
        ("* * * * L", ["day of week", "`L`", "the last of which day", "5L"]),
        ("* * * * MON#6", ["day of week", "`MON#6`", "first to fifth", "MON#2"]),
        ("? * * * *", ["minute", "`?`", "cannot be read", "*/15"]),
        ("* * *", ["`* * *`", "has 3 fields", "write five", "six"]),
        ("", ["``", "has 0 fields", "write five", "six"]),
        ("* * * * * * *", ["`* * * * * * *`", "has 7 fields", "write five", "six"]),
        ("@reboot", ["`@reboot`", "is no name", "@daily", "every"]),
        ("0 0 30 2 *", ["`0 0 30 2 *`", "names a day that no month has", "never fire", "`L`"]),
        ("0 0 31 4,6,9,11 *", ["`0 0 31 4,6,9,11 *`", "names a day", "never fire", "`L`"]),
        // A star is no restriction, so both must match, and February has no 30th.
        ("0 0 30 2 */7", ["names a day", "never fire", "check", "month"]),
    ] {
        let error = CronLine::parse(text).unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}

#[test]
fn a_line_is_told_in_words() {
    for (text, words) in [
        ("30 6 * * *", "at 06:30 every day"),
        ("30 6,18 * * MON-FRI", "at 06:30 and 18:30 on Monday to Friday"),
        ("15 30 6 * * *", "at 06:30:15 every day"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/15 8-17 * * MON-FRI", "every 15 minutes of hours 8 to 17 on Monday to Friday"),
        ("@hourly", "at minute 0 of every hour"),
        ("0 */2 * * *", "at minute 0 of every 2 hours"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("0 9 L * *", "at 09:00 on the last day of the month"),
        ("0 9 LW 1,7 *", "at 09:00 on the last weekday of the month in January and July"),
        (
            "0 9 15W,L-3 * *",
            "at 09:00 on the weekday nearest to day 15 of the month and the day 3 before the last of the month",
        ),
        ("0 9 * * MON#2,5L", "at 09:00 on the second Monday of the month and the last Friday of the month"),
        ("0 9 13 * FRI", "at 09:00 on day 13 of the month or on Friday"),
        ("0 9 13 * */5", "at 09:00 on day 13 of the month if it is also Sunday and Friday"),
        ("0 0 1 JAN-MAR *", "at 00:00 on day 1 of the month in January to March"),
    ] {
        assert_eq!(line(text).words(), words, "{text}");
    }
}
