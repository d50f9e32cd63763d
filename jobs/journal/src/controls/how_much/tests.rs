use super::*;
use crate::controls::Config;
use crate::controls::fixture::{config, hits, ids, line, usual};
use crate::line::Line;

fn words(config: &Config, id: Id, amount: &str) -> Option<String> {
    hits(config, id, vec![line("x", "4711", amount)]).pop().map(|(_, words)| words)
}

#[test]
fn material_is_more_than_materiality_in_the_same_currency() {
    let config = config(r#"{ "material": { "materiality": { "EUR": "50000.00" } } }"#);
    let of_yen = Line { currency: "JPY", ..line("x", "4711", "50000.01") };

    assert_eq!(
        words(&config, Id::Material, "-50000.01").unwrap(),
        "50,000.01 EUR on account 4711, more than 50,000.00"
    );
    assert_eq!(words(&config, Id::Material, "50000"), None);
    assert_eq!(hits(&config, Id::Material, vec![of_yen]), []);
}

#[test]
fn an_amount_is_unusual_for_an_account_of_equal_ones_beyond_five_deviations() {
    // ln(1 + amount) within a sixteenth of the median counts as equal; the least deviation is 0.1, and so five of them are 0.74.
    let equal = |count: usize, strange: &str| {
        let ids = ids(count);
        let mut lines = usual(&ids, &line("", "4711", "1000"));
        lines.push(line("x", "4711", strange));
        hits(&config("{}"), Id::UnusualAmount, lines).pop().map(|(_, words)| words)
    };

    assert_eq!(
        equal(19, "10000").unwrap(),
        "10,000.00 EUR on account 4711, 15.54 deviations above about 997.00, the median of 20 debit lines"
    );
    assert_eq!(equal(18, "10000"), None, "nineteen lines make nothing usual");
    assert!(equal(19, "2200").is_some());
    assert_eq!(equal(19, "2000"), None);
    assert_eq!(equal(19, "-10000"), None, "the credit side has other amounts");
    assert_eq!(equal(19, "1"), None, "small is not too much");
}

#[test]
fn thousands_are_round_and_zero_is_not() {
    let words = |amount| words(&config("{}"), Id::Round, amount);

    assert_eq!(words("12000").unwrap(), "12,000.00 EUR on account 4711: 3 zeros");
    assert_eq!(words("12100"), None);
    assert_eq!(words("12000.5"), None);
    assert_eq!(words("0"), None);
}

#[test]
fn endings_are_those_of_the_whole_amount_or_of_its_decimals() {
    let words = |amount| words(&config("{}"), Id::Ending, amount);

    assert_eq!(words("4999").unwrap(), "4,999.00 EUR on account 4711 ends with 999");
    assert_eq!(words("999.99").unwrap(), "999.99 EUR on account 4711 ends with 999.99");
    assert_eq!(words("4998"), None);
    assert_eq!(words("4999.50"), None);
    assert_eq!(words("99.99"), None);
}

#[test]
fn just_below_is_five_percent_and_the_limit_itself_is_not_below() {
    let config = config(r#"{ "approval_limits": { "EUR": ["10000", "1000"] } }"#);
    let words = |amount| words(&config, Id::JustBelow, amount);

    assert_eq!(words("9500").unwrap(), "9,500.00 EUR on account 4711, just below the limit of 10,000.00");
    assert_eq!(words("9999.99").unwrap(), "9,999.99 EUR on account 4711, just below the limit of 10,000.00");
    assert_eq!(words("-950").unwrap(), "950.00 EUR on account 4711, just below the limit of 1,000.00");
    assert_eq!(words("9499.99"), None);
    assert_eq!(words("10000"), None);
}

#[test]
fn a_split_reaches_the_limit_with_lines_below_it() {
    let config = config(r#"{ "approval_limits": { "EUR": ["1000"] } }"#);
    let split = |amounts: &[(&'static str, &'static str)]| {
        let lines = amounts.iter().map(|(entry, amount)| line(entry, "4711", amount)).collect();
        hits(&config, Id::Split, lines)
    };
    let words =
        "MEIER posted 2 lines of the day on account 4711, 1,000.00 EUR in sum, each below the limit of 1,000.00".to_string();

    assert_eq!(split(&[("a", "500"), ("b", "500")]), [("a".into(), words.clone()), ("b".into(), words)]);
    assert_eq!(split(&[("a", "500"), ("b", "499.99")]), [], "the sum is below");
    assert_eq!(split(&[("a", "1000"), ("b", "500")]), [], "one of them needs approval anyway");
    assert_eq!(split(&[("a", "500"), ("a", "500")]), [], "one entry is approved as one");
    assert_eq!(split(&[("a", "900"), ("b", "199.99")]), [], "199.99 is less than a fifth of the limit");
    assert_eq!(split(&[("a", "800"), ("b", "200")]).len(), 2);
    assert_eq!(split(&[("a", "500"), ("b", "-500")]), [], "debits and credits are not one amount");
    let many: Vec<(&str, &str)> =
        ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"].map(|entry| (entry, "300")).into();
    assert_eq!(split(&many[..10]).len(), 10);
    assert_eq!(split(&many), [], "eleven lines are daily work");
}

#[test]
fn a_split_is_of_the_highest_limit_that_its_lines_are_all_below() {
    let config = config(r#"{ "approval_limits": { "EUR": ["500", "1000"] } }"#);
    let split = |one, other| hits(&config, Id::Split, vec![line("a", "4711", one), line("b", "4711", other)]);

    assert!(split("500", "500")[0].1.ends_with("1,000.00 EUR in sum, each below the limit of 1,000.00"));
    assert!(split("499.99", "400")[0].1.ends_with("899.99 EUR in sum, each below the limit of 500.00"));
    assert_eq!(split("500", "400"), [], "500 is not below 500, and 900 does not reach 1,000");
}

#[test]
fn lines_of_another_day_account_or_user_are_no_parts_of_a_split() {
    let config = config(r#"{ "approval_limits": { "EUR": ["1000"] } }"#);
    let first = line("a", "4711", "600");
    let another_day = Line { effective: Some(jiff::civil::date(2025, 3, 13)), ..line("b", "4711", "600") };
    let another_user = Line { user: "HUBER", ..line("b", "4711", "600") };
    let another_currency = Line { currency: "USD", ..line("b", "4711", "600") };
    let another_entity = Line { entity: "FR", ..line("b", "4711", "600") };

    for other in [another_day, another_user, another_currency, another_entity, line("b", "4712", "600")] {
        assert_eq!(hits(&config, Id::Split, vec![first.clone(), other.clone()]), [], "{other:?}");
    }
    assert_eq!(hits(&config, Id::Split, vec![first.clone(), line("b", "4711", "600")]).len(), 2);
}

#[test]
fn a_line_of_zero_is_one_of_zero() {
    assert_eq!(words(&config("{}"), Id::Zero, "0").unwrap(), "lines of 0.00: 1, on account 4711");
    assert_eq!(words(&config("{}"), Id::Zero, "0.01"), None);
}

/// A thousand lawful amounts, and so many that begin with 77.
fn with_sevens(lawful: usize, sevens: usize) -> usize {
    let ids = ids(lawful + sevens);
    let mut share = 0.0;
    let amounts: Vec<String> = (0..lawful)
        .map(|_| {
            // The golden ratio spreads the logarithms evenly.
            share = (share + 0.618_033_988_749_895) % 1.0;
            format!("{:.2}", 10.0 * libm::pow(10.0, share))
        })
        .chain((0..sevens).map(|_| "77.00".to_string()))
        .collect();
    let lines = ids.iter().zip(&amounts).map(|(id, amount)| line(id, "4711", amount)).collect();
    let found = hits(&config("{}"), Id::Benford, lines);
    assert!(found.iter().all(|(_, words)| words.starts_with("77.")), "{found:?}");
    found.len()
}

#[test]
fn digits_are_too_frequent_beyond_the_bounds_and_only_then() {
    // About six of a thousand amounts begin with 77 anyway, and are hit with the others.
    assert!((200..210).contains(&with_sevens(1_000, 200)));
    assert_eq!(with_sevens(1_000, 0), 0, "a lawful ledger has no excess");
    assert_eq!(with_sevens(700, 200), 0, "nine hundred amounts say nothing");
}
