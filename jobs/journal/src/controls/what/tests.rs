use super::*;
use crate::calendar;
use crate::controls::fixture::{config, day, hits, ids, line, lines_hit, parted, told, usual};
use crate::line::Line;
use crate::names::Names;

#[test]
fn an_account_of_three_lines_is_seldom_used_and_one_of_four_is_not() {
    let ids = ids(10);
    let hit = |times| {
        let mut lines = usual(&ids, &line("", "4711", "1"));
        lines.extend(std::iter::repeat_n(line("x", "0815", "1"), times));
        hits(&config("{}"), Id::RareAccount, lines)
    };

    assert_eq!(hit(3), [("x".into(), "account 0815 is in 3 of 13 lines".into())]);
    assert_eq!(hit(4), []);
}

/// So many entries of account 1 against 2 and 3 against 4, and then the strange ones of 1 against 4.
fn crossed<'a>(usual: &'a [String], strange: &'a [String]) -> Vec<Line<'a>> {
    let entry = |id, debit, credit| [line(id, debit, "5"), line(id, credit, "-5")];
    let of = |ids: &'a [String], debit, credit| ids.iter().flat_map(move |id| entry(id, debit, credit));
    let (one, two) = usual.split_at(usual.len() / 2);
    of(one, "1", "2").chain(of(two, "3", "4")).chain(of(strange, "1", "4")).collect()
}

#[test]
fn a_pair_of_known_accounts_in_two_entries_is_rare() {
    let strange: Vec<String> = ["x1", "x2", "x3"].map(String::from).into();
    let hit = |usual: usize, times: usize| {
        let ids = ids(usual);
        hits(&config("{}"), Id::RareFlow, crossed(&ids, &strange[..times]))
    };

    let words = "account 1 debited against 4 in 2 of 98 entries".to_string();
    assert_eq!(hit(96, 2), [("x1".into(), words.clone()), ("x2".into(), words)]);
    assert_eq!(hit(96, 3), [], "three entries are not rare");
    assert_eq!(hit(95, 2), [], "an account of 49 lines is rare itself");
}

#[test]
fn a_rare_pair_names_its_two_lines() {
    let ids = ids(100);
    let mut lines = crossed(&ids, &[]);
    for (number, (account, amount)) in
        [("1", "5"), ("3", "5"), ("2", "-5"), ("4", "-5")].into_iter().enumerate()
    {
        lines.push(Line { number: Some(number as u64 + 1), ..line("x", account, amount) });
    }

    // Of the two rare pairs 1 against 4 and 3 against 2, the first in order.
    assert_eq!(lines_hit(&config("{}"), Id::RareFlow, lines), [("x".into(), vec![0, 3])]);
}

#[test]
fn an_account_twice_in_a_source_of_a_hundred_lines_is_unusual_there() {
    let own = ids(100);
    let elsewhere: Vec<String> = (0..20).map(|number| format!("z{number}")).collect();
    let hit = |in_source: usize, times: usize, elsewhere: &[String]| {
        let mut lines = usual(&own[..in_source], &line("", "4711", "1"));
        lines.extend(usual(elsewhere, &Line { source: "ZZ", ..line("", "0815", "1") }));
        lines.extend(std::iter::repeat_n(line("x", "0815", "1"), times));
        hits(&config("{}"), Id::AccountSource, lines)
    };

    assert_eq!(
        hit(98, 2, &elsewhere),
        [("x".into(), "account 0815 in source SA 2 times of 100 lines".into())]
    );
    assert_eq!(hit(97, 2, &elsewhere), []);
    assert_eq!(hit(98, 3, &elsewhere), []);
    assert_eq!(hit(98, 2, &elsewhere[..17]), [], "an account of 19 lines is rare everywhere");
}

#[test]
fn an_account_unusual_for_a_type_of_document_is_told_as_such() {
    let own = ids(120);
    let mut lines = usual(&own[..100], &Line { document_type: "KR", ..line("", "4711", "1") });
    lines.extend(usual(&own[100..], &Line { document_type: "ZZ", ..line("", "0815", "1") }));
    lines.push(Line { document_type: "KR", ..line("x", "0815", "1") });

    assert_eq!(
        hits(&config("{}"), Id::AccountSource, lines),
        [("x".into(), "account 0815 in document type KR once of 101 lines".into())]
    );
}

#[test]
fn suspense_accounts_are_those_that_are_listed() {
    let config = config(r#"{ "suspense": { "accounts": ["19*"] } }"#);
    let lines = vec![line("a", "1999", "1234.5"), line("b", "2000", "7")];

    assert_eq!(
        hits(&config, Id::Suspense, lines),
        [("a".into(), "1,234.50 EUR on suspense or clearing account 1999".into())]
    );
}

#[test]
fn revenue_is_credited_against_what_pays_for_it() {
    let config = config(r#"{ "revenue_side": { "accounts": ["4000-4999"], "expected_against": ["1*"] } }"#);
    let words = |lines| hits(&config, Id::RevenueSide, lines).pop().map(|(_, words)| words);
    let sale = |against| vec![line("x", against, "119"), line("x", "4000", "-119")];

    assert_eq!(words(sale("1200")), None);
    assert_eq!(
        words(vec![line("x", "4000", "7"), line("x", "4100", "-7")]).unwrap(),
        "revenue account 4000 debited with 7.00 EUR"
    );
    assert_eq!(
        words(sale("6000")).unwrap(),
        "revenue account 4000 credited with 119.00 EUR against account 6000"
    );
    assert_eq!(words(vec![line("x", "6000", "1"), line("x", "5000", "-1")]), None, "no revenue in it");
}

#[test]
fn companies_of_the_group_are_told_by_account_by_partner_or_by_entity() {
    let config = config(r#"{ "intercompany": { "accounts": ["15*"] } }"#);
    let of = |entry, entity, partner, account| Line { entity, partner, ..line(entry, account, "9") };
    let lines = vec![
        of("a", "DE", "", "1500"),
        of("b", "DE", "FR", "4711"),
        of("c", "DE", "", "4711"),
        of("c", "FR", "", "4711"),
        of("d", "DE", "DE", "4711"),
        of("e", "DE", "", "4711"),
    ];

    let expected = [
        ("a", "9.00 EUR on intercompany account 1500"),
        ("b", "9.00 EUR of entity DE with entity FR"),
        ("c", "between entities DE and FR"),
    ];
    assert_eq!(
        hits(&config, Id::Intercompany, lines),
        expected.map(|(entry, words)| (entry.to_string(), words.to_string()))
    );
}

#[test]
fn a_group_of_partners_is_no_entity() {
    let of = |entry, entity, partner| Line { entity, partner, ..line(entry, "4711", "9") };
    let hits = |names: fn(Names) -> Names| {
        let (parts, all) = parted(vec![of("a", "DE", "FR"), of("b", "FR", "")], |_| 0);
        let told = told(&config("{}"), &calendar::Config::default(), &parts, &names(all));
        told.into_iter().filter(|told| told.id == Id::Intercompany).count()
    };

    assert_eq!(hits(|names| names), 1);
    assert_eq!(hits(|names| names.in_groups(Sort::Partner)), 0);
}

#[test]
fn an_account_wakes_after_six_periods_without_a_line() {
    let on = |entry, date| Line { effective: Some(day(date)), ..line(entry, "4711", "1") };
    let hit = |last| hits(&config("{}"), Id::DormantAccount, vec![on("a", last), on("x", "2025-08-01")]);

    assert_eq!(
        hit("2025-01-31"),
        [("x".into(), "account 4711 used after 6 periods without a line, last in 2025-01".into())]
    );
    assert_eq!(hit("2025-02-01"), []);
    assert_eq!(
        hits(&config("{}"), Id::DormantAccount, vec![on("x", "2025-08-01")]),
        [],
        "it is new, not woken"
    );
    assert_eq!(hit("0001-01-01"), [], "a typing error is no life before");
    let of_period =
        |entry, period| Line { fiscal_year: Some(2025), period: Some(period), ..on(entry, "2025-12-31") };
    assert_eq!(hits(&config("{}"), Id::DormantAccount, vec![of_period("a", 1), of_period("x", 8)]).len(), 1);
    assert_eq!(hits(&config("{}"), Id::DormantAccount, vec![of_period("a", 2), of_period("x", 8)]), []);
}
