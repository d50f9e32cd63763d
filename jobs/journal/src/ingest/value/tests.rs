use proptest::prelude::*;

use super::*;

fn style(mapping: &Mapping, text: &str) -> Result<String, NoAmount> {
    let read = NumberStyle::of(mapping).amount(text)?;
    Ok(format!("{}{}", read.amount, if read.rounded { " rounded" } else { "" }))
}

fn plain(text: &str) -> Result<String, NoAmount> {
    style(&Mapping::default(), text)
}

#[test]
fn plain_decimals_are_read_exactly_and_with_every_place_of_the_sign() {
    for (text, shown) in [
        ("0.1", "0.10"),
        ("9770.52", "9770.52"),
        ("-12", "-12.00"),
        ("12-", "-12.00"),
        ("(12.5)", "-12.50"),
        ("+7.", "7.00"),
        (".5", "0.50"),
        ("1.23450000", "1.2345"),
        ("000123.4", "123.40"),
        ("999999999999999999.9999", "999999999999999999.9999"),
    ] {
        assert_eq!(plain(text).as_deref(), Ok(shown), "{text}");
    }
}

#[test]
fn what_could_be_read_two_ways_is_refused_and_says_what_is_missing() {
    for (text, why) in [
        ("", NoAmount::NotANumber),
        ("-", NoAmount::NotANumber),
        (".", NoAmount::NotANumber),
        ("1e5", NoAmount::NotANumber),
        ("=1+1", NoAmount::NotANumber),
        ("€5", NoAmount::NotANumber),
        ("--5", NoAmount::Separator),
        ("1,5", NoAmount::Separator),
        ("1.234,50", NoAmount::Separator),
        ("1,234.50", NoAmount::Separator),
        ("12 000", NoAmount::Separator),
        ("NaN", NoAmount::NotFinite),
        ("-inf", NoAmount::NotFinite),
        ("#DIV/0!", NoAmount::NotFinite),
        ("1.23456", NoAmount::TooPrecise),
        ("1000000000000000000", NoAmount::TooLong),
    ] {
        assert_eq!(plain(text), Err(why), "{text}");
    }
}

#[test]
fn decimal_commas_and_groups_are_read_when_the_mapping_says_so() {
    let german =
        Mapping { decimal: Some(DecimalSign::Comma), grouping: Some(Grouping::Point), ..Mapping::default() };
    let french = Mapping { grouping: Some(Grouping::Space), ..german.clone() };
    let swiss = Mapping { grouping: Some(Grouping::Apostrophe), ..Mapping::default() };
    for (mapping, text, read) in [
        (&german, "1.234.567,89", Ok("1234567.89")),
        (&german, "1234,5", Ok("1234.50")),
        (&german, "12.34,5", Err(NoAmount::Separator)),
        (&german, "1.2345", Err(NoAmount::Separator)),
        (&german, ".123,5", Err(NoAmount::Separator)),
        (&french, "1 234\u{a0}567,89", Ok("1234567.89")),
        (&french, "1\u{202f}234,5", Ok("1234.50")),
        (&swiss, "1'234’567.89", Ok("1234567.89")),
    ] {
        assert_eq!(style(mapping, text).as_deref(), read.as_ref().map(|text| *text), "{text}");
    }
}

#[test]
fn rounding_is_half_away_from_zero_and_said() {
    let cents = Mapping { round_to: Some(2), ..Mapping::default() };
    let whole = Mapping { round_to: Some(0), ..Mapping::default() };
    for (mapping, text, read) in [
        (&cents, "1.005", "1.01 rounded"),
        (&cents, "-1.005", "-1.01 rounded"),
        (&cents, "1.00499999999999999999", "1.00 rounded"),
        (&cents, "9.999", "10.00 rounded"),
        (&cents, "1.0100000", "1.01"),
        (&cents, "582241.76", "582241.76"),
        (&whole, "0.5", "1.00 rounded"),
        (&whole, "0.49", "0.00 rounded"),
    ] {
        assert_eq!(style(mapping, text).as_deref(), Ok(read), "{text}");
    }
}

#[test]
fn an_exponent_is_written_out() {
    for (text, plain) in [
        ("1.5e3", Some("1500")),
        ("-1.25E-2", Some("-0.0125")),
        ("12345.678e1", Some("123456.78")),
        ("1e-7", Some("0.0000001")),
        ("1e400", None),
        ("1e", None),
        ("e5", None),
        ("15", None),
    ] {
        assert_eq!(without_exponent(text).as_deref(), plain, "{text}");
    }
}

fn shown(text: &str, order: Option<DateOrder>) -> String {
    match date(text, order) {
        Ok(date) => date.map_or("none".into(), |date| date.to_string()),
        Err(why) => format!("{why:?}"),
    }
}

#[test]
fn dates_that_mean_one_day_everywhere_are_read_without_being_told() {
    for (text, read) in [
        ("20250131", "2025-01-31"),
        ("2025-01-31", "2025-01-31"),
        ("2025/01/31", "2025-01-31"),
        ("2025-01-31T00:00:00", "2025-01-31"),
        ("2025-01-31 23:59", "2025-01-31"),
        ("31.01.2025", "2025-01-31"),
        ("1.2.2025", "2025-02-01"),
        ("00000000", "none"),
        ("1900-01-01", "none"),
        ("", "none"),
        ("20250231", "NotADate"),
        ("2025-13-01", "NotADate"),
        ("2025-01/31", "NotADate"),
        ("+2025-1-1", "NotADate"),
        ("20250131x", "NotADate"),
        ("31.01.25", "NotADate"),
        ("2025-01-31x", "NotADate"),
        ("45688", "NotADate"),
        ("ten", "NotADate"),
        ("31/01/2025", "Ambiguous"),
        ("01-02-2025", "Ambiguous"),
    ] {
        assert_eq!(shown(text, None), read, "{text}");
    }
}

#[test]
fn the_order_of_day_and_month_is_told_and_then_kept_to() {
    use DateOrder::{DayFirst, MonthFirst, Serial};
    for (text, order, read) in [
        ("02/01/2025", DayFirst, "2025-01-02"),
        ("02/01/2025", MonthFirst, "2025-02-01"),
        ("1/31/2025 10:00", MonthFirst, "2025-01-31"),
        ("31/01/2025", MonthFirst, "NotADate"),
        ("02.01.2025", MonthFirst, "2025-01-02"),
        ("2025-01-02", DayFirst, "2025-01-02"),
        ("45688", Serial, "2025-01-31"),
        ("45688.75", Serial, "2025-01-31"),
        ("60", Serial, "NotADate"),
        ("61", Serial, "1900-03-01"),
    ] {
        assert_eq!(shown(text, Some(order)), read, "{text}");
    }
}

#[test]
fn times_are_read_in_the_usual_forms() {
    for (text, seconds) in [
        ("090807", Some(32_887)),
        ("90807", Some(32_887)),
        ("09:08", Some(32_880)),
        ("9:08:07.5", Some(32_887)),
        ("2025-01-31T09:08:07Z", Some(32_887)),
        ("2025-01-31 09:08:07+01", Some(32_887)),
        ("250000", None),
        ("9:8:7:6", None),
        ("+9:08", None),
        ("", None),
    ] {
        assert_eq!(time_of_day(text), seconds, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_way_agrees_with_the_plain_one(text in "-?[0-9]{0,18}(\\.[0-9]{0,6})?") {
        let fast = NumberStyle::of(&Mapping::default()).amount(&text).map(|read| read.amount);

        prop_assert_eq!(fast.ok(), text.parse::<Amount>().ok());
    }

    #[test]
    fn no_text_makes_a_value_panic(text in "\\PC{0,30}", bytes in "[0-9./: T+()',-]{0,24}") {
        for text in [&text, &bytes] {
            for order in [None, Some(DateOrder::DayFirst), Some(DateOrder::Serial)] {
                let _ = date(text, order);
            }
            let _ = (time_of_day(text), without_exponent(text));
            for grouping in [None, Some(Grouping::Space), Some(Grouping::Comma)] {
                let _ = style(&Mapping { grouping, round_to: Some(1), ..Mapping::default() }, text);
            }
        }
    }
}
